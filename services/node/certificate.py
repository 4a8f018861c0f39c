"""The node certificate in a change at run time: a new one for new addresses, the old one kept beside it."""

from pathlib import Path
from typing import Any

from services import catalog as catalog_module
from services.node import enrol, files, pki, units
from services.node.tree import RELOADABLE
from services.runtime import config

FOLDER = files.ETC / "pki"
PATH = FOLDER / "node.pem"


def needed(request: dict[str, Any]) -> bytes | None:
    """A certificate for the addresses after the change, PEM; None when the change touches no address.

    Main signs for itself; a sub has main sign, so that this fails before anything is written.
    """
    if not {"mapping_ip", "address"} & set(request):
        return None
    node = config.load_node()
    address = request.get("address", node.address)
    mapping = request.get("mapping_ip", node.mapping_ip)
    names = pki.Names.of(node.name, [address, mapping, *node.addresses.values()])
    store = pki.Store(FOLDER)
    if node.center is not None:
        return pki.pem(enrol.renew(FOLDER, node.center, names))
    ca = store.ca()
    assert ca is not None
    return pki.pem(pki.sign(store.ca_key(), ca, store.key().public_key(), names))


def keep(place: Path) -> None:
    """Copy the present certificate to `place`, unless an interrupted try has done so."""
    if not place.is_file():
        files.write(place, PATH.read_bytes())


def kept(place: Path) -> bytes | None:
    """The certificate from before a change, None when the change did not replace it."""
    return place.read_bytes() if place.is_file() else None


def users() -> dict[str, str]:
    """Unit → verb of whoever shows the certificate to clients: the others need no new address in it."""
    role = units.own_role()
    found = {}
    for service in catalog_module.load().on(role):
        if any(port.tls and port.zone == "wan" for port in service.ports_on(role)):
            for unit in service.units_on(role):
                found[unit.name] = "reload" if unit.name in RELOADABLE else "restart"
    return found
