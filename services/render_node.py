"""What the services of a node read: JSON about the node, each service, the catalogue and the ports."""

import json
from functools import lru_cache
from typing import Any

from services import version
from services.catalog import Catalog
from services.manifest import Manifest
from services.networks import PURPOSES
from services.ports import as_json, rows_of
from services.render_context import BACKUP_TIMER, UNITS, File, NodeView
from services.topology import Host

PORT_OF, VARIABLE = "@port:", "@var:"


def files(view: NodeView) -> dict[str, File]:
    """node.json, services/*.json, catalog.json, ports.json, the launcher and the user."""
    agent = view.readers("smc")
    found = {
        # Addresses and numbers in these two are read anew at each use; units restart by their own digest of
        # what they read once.
        "/etc/dss/node.json": File(as_text(node(view))),
        "/etc/dss/catalog.json": File(catalogue(view.catalog), affects=agent),
        "/etc/dss/ports.json": File(as_json(rows_of(view.catalog, view.host))),
        "/usr/local/bin/dss": File(view.text("launcher.sh.j2"), "0755"),
        "/etc/sysusers.d/dss.conf": File(view.text("sysusers.conf.j2")),
        "/etc/tmpfiles.d/dss.conf": File(view.text("tmpfiles.conf.j2")),
        "/etc/systemd/journald.conf.d/dss.conf": File(
            view.text("journald.conf.j2"), affects=("systemd-journald.service",)
        ),
    }
    found |= backups(view)
    for service in view.services:
        path = f"/etc/dss/services/{service.id}.json"
        found[path] = File(as_text(resolved(service, view)), affects=view.readers(service.id))
    return found


def node(view: NodeView) -> dict[str, Any]:
    """The content of node.json."""
    host, center = view.host, view.host.center
    return {
        "version": version.own(),
        "site": view.site,
        "name": host.name,
        "role": host.role,
        "address": host.address,
        "mapping_ip": host.mapping_ip,
        "install_path": host.install_path,
        "center": {"name": center.name, "address": center.address, "https_port": center.https_port}
        if center
        else None,
    } | ({"addresses": {one: host.at(one) for one in PURPOSES}} if host.networks else {})


def backups(view: NodeView) -> dict[str, File]:
    """What `dss backup` reads, and the timer that calls it; nothing where the inventory has no key."""
    key, host = view.host.get("dss_backup_key"), view.host
    if not key:
        return {}
    settings = {"key": key, "path": host.get("dss_backup_path"), "keep": host.get("dss_backup_keep")}
    timer = view.text("backup.timer.j2", time=host.get("dss_backup_time"))
    return {
        "/etc/dss/backup.json": File(as_text(settings)),
        f"{UNITS}/{BACKUP_TIMER}": File(timer, affects=(BACKUP_TIMER,)),
        f"{UNITS}/dss-backup.service": File(view.text("backup.service.j2")),
    }


def resolved(service: Manifest, view: NodeView) -> dict[str, Any]:
    """One service with the final numbers of this node."""
    settings = service.settings | (service.settings_main if view.role == "main" else {})
    listen = {p.name: view.bound(f"{service.id}.{p.name}") for p in service.ports_on(view.role)}
    listen = {name: addresses for name, addresses in listen.items() if addresses}
    return {
        "id": service.id,
        "code": service.code,
        "ports": {
            p.name: view.host.ports[f"{service.id}.{p.name}"]
            for p in service.ports_on(view.role)
            if view.host.offers(p)
        },
        "settings": _filled(settings, view.host),
    } | ({"listen": listen} if listen else {})


def _filled(value: Any, host: Host) -> Any:  # noqa: ANN401 - settings are any JSON
    """Settings with "@port:service.port" and "@var:name" replaced by what this node has there."""
    if isinstance(value, dict):
        return {key: _filled(one, host) for key, one in value.items()}
    if isinstance(value, list):
        return [_filled(one, host) for one in value]
    if isinstance(value, str) and value.startswith(PORT_OF):
        return host.ports[value.removeprefix(PORT_OF)]
    if isinstance(value, str) and value.startswith(VARIABLE):
        return host.get(value.removeprefix(VARIABLE))
    return value


@lru_cache(maxsize=1)
def catalogue(catalog: Catalog) -> str:
    """The text of catalog.json: all services, planned ones too."""
    return as_text([entry(m) for m in catalog.ordered])


def entry(service: Manifest) -> dict[str, Any]:
    """One service as catalog.json and `./dss services --json` show it."""
    return {
        "id": service.id,
        "code": service.code,
        "label": service.label,
        "purpose": service.purpose,
        "status": service.status,
        "role": list(service.role),
        "memory": service.memory,
        "units": [{"name": u.name, "kind": u.kind, "role": list(u.role)} for u in service.units],
        "after": list(service.after),
        "health": service.health.path if service.health else None,
        "ports": [
            {
                "name": p.name,
                "port": p.port,
                "proto": p.proto,
                "zone": p.zone,
                "tls": p.tls,
                "role": [r for r in p.role if r in service.role],
                "purpose": p.purpose,
                "origin": p.origin,
            }
            for p in service.ports
            if p.direction == "in"
        ],
    }


def as_text(data: object) -> str:
    """JSON that a person can read, with the same bytes for the same data."""
    return json.dumps(data, indent=1, ensure_ascii=False) + "\n"
