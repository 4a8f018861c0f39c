"""Names of services for people."""

from flask import g

from services.runtime import config


def service_code(id: str) -> str:
    """The catalogue's name of a service, DSS_MTS for mts; its id if the catalogue does not know it."""
    if "codes" not in g:
        g.codes = {one["id"]: one["code"] for one in config.load_catalog()}
    return str(g.codes.get(id, id))
