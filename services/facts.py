"""What a node must know to render its own files, and what was changed on it at run time.

Facts are what the inventory says of one host, without what the manifests already say; they are written to
HOST_FILE. Overrides are what an administrator changed since then; they are written to OVERRIDES_FILE and win.
Keys of overrides: `ports` {service.port: number}, `mapping_ip` (address or None), `address`, `tls10`,
`portal_certificate` {fingerprint, names} or None, and `center` {address, ports} on a node that has a centre.
"""

from collections.abc import Mapping
from copy import deepcopy
from functools import lru_cache
from typing import Any

from services import drift, networks
from services.catalog import Catalog
from services.topology import Center, Host

HOST_FILE, OVERRIDES_FILE = "/etc/dss/host.json", "/etc/dss/overrides.json"
RENDERED = (
    *("ansible_port", "dss_allow", "dss_confirm_seconds", "dss_gateway", "dss_gateway_mac"),
    *("dss_backup_key", "dss_backup_path", "dss_backup_keep", "dss_backup_time"),
    *("dss_lan_networks", "dss_password_profile", "dss_timezone"),
    *("dss_recording_paths", "dss_recording_days", "dss_recording_gigabytes"),
    "dss_recording_encryption",
    *("dss_export_days", "dss_export_gigabytes"),
    *("dss_converted_streams", "dss_webrtc_viewers"),
)
"""Variables of the inventory that the rendering, or a change at run time, reads by their own names."""
PORTAL_CERTIFICATE = "portal_certificate"
"""Variable of a host that the controller works out: which imported pair the portal shows."""

Facts = dict[str, Any]


def of(site: str, host: Host, catalog: Catalog) -> Facts:
    """The facts of a host; JSON that says everything `host_of` needs."""
    plain, center = defaults(catalog), host.center
    own = {key: host.vars[key] for key in RENDERED if host.vars.get(key) is not None}
    found = {
        "site": site,
        "name": host.name,
        "role": host.role,
        "address": host.address,
        "mapping_ip": host.mapping_ip,
        "install_path": host.install_path,
        "tls10": bool(host.get("dss_tls10")),
        "portal_certificate": host.vars.get(PORTAL_CERTIFICATE),
        "ports": _differing(host.ports, plain),
        "center": _center(center, plain) if center else None,
        "vars": own,
    }
    return found | ({"networks": networks.as_facts(host.networks)} if host.networks else {})


def _center(center: Center, plain: Mapping[str, int]) -> Facts:
    found = {"name": center.name, "address": center.address, "ports": _differing(center.ports, plain)}
    return found | ({"client": center.client} if center.client != center.address else {})


def host_of(facts: Facts, catalog: Catalog) -> Host:
    """The host that facts describe."""
    plain, center = defaults(catalog), facts["center"]
    there = None
    if center:
        client = center.get("client", center["address"])
        there = Center(center["name"], center["address"], plain | center["ports"], client)
    return Host(
        facts["name"],
        facts["role"],
        facts["address"],
        facts["mapping_ip"],
        facts["install_path"],
        there,
        plain | facts["ports"],
        facts["vars"] | {"dss_tls10": facts["tls10"], PORTAL_CERTIFICATE: facts.get("portal_certificate")},
        networks.from_facts(facts.get("networks", ())),
    )


def changed(facts: Facts, overrides: Mapping[str, Any]) -> Facts:
    """Facts with the overrides laid over them."""
    found = deepcopy(facts) | {key: overrides[key] for key in drift.keys(facts) if key in overrides}
    found["ports"] |= overrides.get("ports", {})
    if found["center"] and (center := overrides.get("center")):
        ports = found["center"]["ports"] | center.get("ports", {})
        found["center"] |= {"address": center.get("address", found["center"]["address"]), "ports": ports}
    return found


def _differing(ports: Mapping[str, int], plain: Mapping[str, int]) -> dict[str, int]:
    return {key: number for key, number in sorted(ports.items()) if plain.get(key) != number}


@lru_cache(maxsize=1)
def defaults(catalog: Catalog) -> Mapping[str, int]:
    """Every listener's number as the manifests have it, by `service.port`."""
    return {key: port.port for key in catalog.port_keys if (port := catalog.port(key))}
