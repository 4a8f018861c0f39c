"""systemd units: our own in full, the engines' by drop-ins, the target, the slices, who may manage them."""

from hashlib import sha256

from services.manifest import MEMORY, Manifest, Unit
from services.render_context import (
    BACKUP_TIMER,
    CERTIFICATE_TIMER,
    PYTHON,
    UNITS,
    File,
    NodeView,
    credential_path,
    credentials,
)
from services.render_node import node

CHANGE_UNITS = ("dss-change@.service", "dss-change-resume.service")
CERTIFICATE_UNITS = (CERTIFICATE_TIMER, "dss-certificate.service")
ONCE = ("version", "site", "name", "role", "install_path")
BIN = PYTHON.rpartition("/")[0]


def files(view: NodeView) -> dict[str, File]:
    """Unit files, drop-ins and the polkit rule of a node."""
    names = view.unit_names()
    backups = (BACKUP_TIMER,) if view.host.get("dss_backup_key") else ()
    found = {
        f"{UNITS}/dss.target": File(view.text("dss.target.j2", units=(*names, CERTIFICATE_TIMER, *backups))),
        f"{UNITS}/dss-recover.service": File(
            view.text("recover.service.j2", units=[n for n in names if n.startswith("dss-")])
        ),
        "/etc/polkit-1/rules.d/50-dss.rules": File(
            view.text("polkit.rules.j2", names=(*names, "dss.target"), backups=bool(backups))
        ),
    }
    for name in CHANGE_UNITS:
        found[f"{UNITS}/{name}"] = File(view.text(f"{name}.j2", units=names))
    for name in CERTIFICATE_UNITS:
        affects = (name,) if name == CERTIFICATE_TIMER else ()
        found[f"{UNITS}/{name}"] = File(view.text(f"{name.removeprefix('dss-')}.j2"), affects=affects)
    for memory in MEMORY:
        found[f"{UNITS}/dss-{memory}.slice"] = File(view.text("dss.slice.j2", memory=memory))
    for service, unit in view.units():
        if unit.kind == "engine":
            text = view.text(
                f"{unit.name}.conf.j2", bound=_bound(view, service), **_common(view, service, unit)
            )
            found[f"{UNITS}/{unit.name}.d/dss.conf"] = File(text, affects=(unit.name,))
        else:
            found[f"{UNITS}/{unit.name}"] = File(own_unit(view, service, unit), affects=(unit.name,))
    return found


def own_unit(view: NodeView, service: Manifest, unit: Unit) -> str:
    """The unit file of a Python service."""
    before = [s for s in view.services if s.id in service.after]
    return view.text(
        "python.service.j2",
        start=f"{BIN}/{unit.run}" if unit.run else f"{PYTHON} -m services.{service.id}",
        digest=digest(view),
        state=unit.name.removeprefix("dss-").removesuffix(".service"),
        after=[u.name for s in before for u in s.units_on(view.role)],
        **_common(view, service, unit),
    )


def digest(view: NodeView) -> str:
    """Stands for what a service reads once at its start and no change at run time touches."""
    about = node(view)
    return sha256("\n".join(str(about[key]) for key in ONCE).encode()).hexdigest()[:16]


def _bound(view: NodeView, service: Manifest) -> list[str]:
    """Addresses that any port of a service is bound to; [] where all of them are bound to every one."""
    found = (view.bound(f"{service.id}.{port.name}") for port in service.ports_on(view.role))
    return sorted({address for addresses in found for address in addresses})


def _common(view: NodeView, service: Manifest, unit: Unit) -> dict[str, object]:
    return {"service": service, "unit": unit, "credentials": credentials(service, view.role)}


__all__ = ["credential_path", "files", "own_unit"]
