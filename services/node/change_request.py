"""What a change at run time may ask for, checked without trust in whoever wrote the request.

A request is {"id", "by", "at"} and exactly one of: `ports` {service.port: number}, `mapping_ip` (address or
null), `address`, `tls10` (bool), `portal_certificate` ({"fingerprint", "names"} of an imported pair, null),
`center` {"address", "ports"}: the last one comes from the node's centre.
"""

import ipaddress
from collections.abc import Callable, Mapping
from copy import deepcopy
from typing import Any

from services import drift
from services import facts as facts_module
from services.catalog import Catalog
from services.facts import Facts
from services.ports import ssh_port
from services.runtime.errors import Problem
from services.topology_types import HIGH, LOW

KINDS = ("ports", "mapping_ip", "address", "tls10", "portal_certificate", "center")
CENTER_PORTS = {"nginx.https", "mq.leaf"}
Holder = Callable[[int, str], str]
"""(port, protocol) → who else on this host listens there, in words; empty when nobody does."""


def kind_of(request: object) -> str:
    """Which kind of change a request is; Problem when it is none, or more than one."""
    found = [kind for kind in KINDS if isinstance(request, dict) and kind in request]
    if len(found) != 1 or set(request) - {"id", "by", "at", *KINDS}:  # type: ignore[call-overload]
        raise refused(
            "change-unclear",
            "It must ask for exactly one of ports, mapping_ip, address, tls10 or portal_certificate.",
            "Ask for one change; make the next when this one is kept.",
        )
    return found[0]


def plan(
    catalog: Catalog, facts: Facts, overrides: Mapping[str, Any], request: dict[str, Any], node: "Local"
) -> dict[str, Any]:
    """The overrides after the change; Problem says why it cannot be made. Nothing is changed."""
    kind = kind_of(request)
    after = deepcopy(dict(overrides))
    if kind == "ports":
        ports = _ports(request["ports"], catalog, facts)
        after["ports"] = after.get("ports", {}) | ports
    elif kind == "center":
        after["center"] = _center(request["center"], facts)
    elif kind == "portal_certificate":
        after[kind] = _portal_certificate(request[kind], facts)
    else:
        after[kind] = CHECKS[kind](request[kind], node)
    after = drift.needed(facts, after, facts_module.defaults(catalog))
    if after == drift.needed(facts, overrides, facts_module.defaults(catalog)):
        raise refused("change-nothing", "Everything is already as asked for.", "Nothing has to be done.")
    if kind in {"ports", "tls10"}:
        _clashes(catalog, facts, overrides, after, node)
    return after


class Local:
    """What only the node itself knows; `holder` names foreign listeners, `addresses` are its own.

    `separate`: it has several networks, see services/networks.py.
    """

    def __init__(self, holder: Holder, addresses: set[str], separate: bool = False) -> None:
        self.holder, self.addresses, self.separate = holder, addresses, separate


def _ports(asked: object, catalog: Catalog, facts: Facts) -> dict[str, int]:
    if not isinstance(asked, dict) or not asked or len(asked) > 64:
        raise refused("port-unclear", "No port is named.", "Name ports as service.port with a number.")
    role = facts_module.host_of(facts, catalog).catalogue_role or ""
    known = {f"{m.id}.{p.name}" for m in catalog.on(role) for p in m.ports_on(role)}
    for key, number in asked.items():
        if key not in known:
            raise refused(
                "port-unknown", f"No service of this node has a port {key}.", "Look at the port matrix."
            )
        if not isinstance(number, int) or isinstance(number, bool) or not 0 < number <= HIGH:
            raise refused("port-number", f"{number!r} is no port number.", f"Take one from {LOW} to {HIGH}.")
        # A service without the right to bind them would not start; the gateway has it for its usual ones.
        if number < LOW and facts_module.defaults(catalog)[key] != number:
            raise refused(
                "port-privileged",
                f"{number} is below {LOW} and kept for the system.",
                f"Take one from {LOW} to {HIGH}; only {key}'s own default may be lower.",
            )
    return dict(asked)


def _clashes(
    catalog: Catalog, facts: Facts, before: Mapping[str, Any], after: Mapping[str, Any], node: Local
) -> None:
    now, then = (_taken(catalog, facts, overrides) for overrides in (before, after))
    seen: dict[tuple[int, str], str] = {}
    for key, place in then.items():
        if other := seen.get(place):
            raise clash(place, _owner(catalog, other if now.get(key) != place else key))
        seen[place] = key
    for place in _offered(catalog, facts, after) - _offered(catalog, facts, before):
        if who := node.holder(*place):
            raise Problem(
                "port-occupied",
                "The change was not made.",
                f"{place[0]}/{place[1]} is occupied by {who}, which does not belong to DSS.",
                "Take another number, or end that program first.",
                status=409,
            )


def _taken(catalog: Catalog, facts: Facts, overrides: Mapping[str, Any]) -> dict[str, tuple[int, str]]:
    """Every listener of the node, planned ones and SSH too, with its number and protocol."""
    host = facts_module.host_of(facts_module.changed(facts, overrides), catalog)
    found = {"ssh": (ssh_port(host), "tcp")}
    for service in catalog.services.values():
        for port in service.ports_on(host.catalogue_role or ""):
            found[f"{service.id}.{port.name}"] = (host.ports[f"{service.id}.{port.name}"], port.proto)
    return found


def _offered(catalog: Catalog, facts: Facts, overrides: Mapping[str, Any]) -> set[tuple[int, str]]:
    """Where the node's built services really listen."""
    host = facts_module.host_of(facts_module.changed(facts, overrides), catalog)
    role = host.catalogue_role or ""
    return {
        (host.ports[f"{service.id}.{port.name}"], port.proto)
        for service in catalog.on(role)
        for port in service.ports_on(role)
        if host.offers(port)
    }


def _owner(catalog: Catalog, key: str) -> str:
    service, _, name = key.partition(".")
    if service not in catalog.services:
        return "the SSH server"
    found = catalog.services[service]
    return f"{found.code} ({name}{'' if found.built else ', planned'})"


def clash(place: tuple[int, str], owner: str) -> Problem:
    """Two services would have one number."""
    return Problem(
        "port-clash",
        "The change was not made.",
        f"{place[0]}/{place[1]} belongs to {owner} on this node.",
        "Take another number; the port matrix shows which are taken.",
        status=409,
    )


def _mapping_ip(value: object, node: Local) -> str | None:
    if value is None:
        return None
    found = _address(value)
    if found in node.addresses:
        raise refused(
            "mapping-own",
            f"{found} is an address of this node itself.",
            "Enter the address outside the router that leads here, or leave it empty.",
        )
    return found


def _own_address(value: object, node: Local) -> str:
    if node.separate:
        raise refused(
            "address-by-network",
            "This node has a network of its own for each purpose; its addresses follow from them.",
            "Change dss_addresses in the inventory and run the deployment of this node.",
        )
    found = _address(value)
    if found not in node.addresses:
        raise refused(
            "address-foreign",
            f"{found} is on no network interface of this node.",
            f"Choose one of {', '.join(sorted(node.addresses)) or 'its addresses'}.",
        )
    return found


def _address(value: object) -> str:
    try:
        found = ipaddress.ip_address(value) if isinstance(value, str) else None
    except ValueError:
        found = None
    if found is None or found.is_multicast or found.is_unspecified or found.is_loopback:
        raise refused(
            "address-wrong", f"{value!r} is no address that others can reach.", "Enter it as 203.0.113.22."
        )
    return str(found)


def _tls10(value: object, _: Local) -> bool:
    if not isinstance(value, bool):
        raise refused("tls10-unclear", f"{value!r} is neither true nor false.", "Switch it on or off.")
    return value


def _portal_certificate(value: object, facts: Facts) -> dict[str, Any] | None:
    if facts["center"]:
        raise refused("portal-none", "This node has no portal.", "Import the certificate on main.")
    if value is None:
        return None
    if not isinstance(value, dict) or set(value) != {"fingerprint", "names"}:
        raise refused("certificate-unclear", "It lacks certificate or key.", "Give both as PEM.")
    return value


def _center(asked: object, facts: Facts) -> dict[str, Any]:
    if not facts["center"]:
        raise refused("center-none", "This node is a main itself.", "Nothing has to be done.")
    ports = asked.get("ports") if isinstance(asked, dict) else None
    numbers = isinstance(ports, dict) and all(isinstance(n, int) and 0 < n <= HIGH for n in ports.values())
    if not numbers or not isinstance(asked, dict) or set(ports or ()) != CENTER_PORTS:
        raise refused(
            "center-unclear", "It lacks the centre's numbers.", "Update this node to main's release."
        )
    return {"address": _address(asked.get("address")), "ports": ports}


CHECKS: dict[str, Callable[[object, Local], Any]] = {
    "mapping_ip": _mapping_ip,
    "address": _own_address,
    "tls10": _tls10,
}


def refused(code: str, why: str, remedy: str) -> Problem:
    """The change cannot be made as it was asked for."""
    return Problem(code, "The change was not made.", why, remedy, status=422)
