"""What a router in front of the site has to map: what gets reachable, the configuration, the test.

The same functions as those of `./dss dmz` make it, from the nodes as they are instead of the inventory.
"""

import ipaddress
import re
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from services.runtime import config
from services.runtime.errors import Problem
from services.smc import audit, changes, nodes, ports, reach
from services.smc.accounts import Account

SCOPES = ("clients", "devices")
VENDORS = ("nftables", "openwrt", "mikrotik", "cisco", "opnsense", "pfsense")
INTERFACE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:/@-]{0,31}")
ROUTER = "edge"
"""What the router is called in the commands and in the example for the inventory."""


@dataclass(frozen=True)
class Wish:
    """Who is outside (`scopes`), the node and the outside address that is to lead to it, and the router.

    `router_address` is its inside address; `interface` its outside one, "" for the vendor's usual name.
    """

    node: str
    address: str
    scopes: tuple[str, ...]
    vendor: str = "nftables"
    router_address: str = ""
    interface: str = ""


@dataclass(frozen=True)
class Mapped:
    """One port: the same number outside, at `wan`, and inside, at `lan`."""

    node: str
    key: str
    protocol: str
    port: int
    wan: str
    lan: str
    tls: bool
    scopes: list[str]
    purpose: str


@dataclass(frozen=True)
class Plan:
    """What is mapped, what would be once its service is built, and how the router is told.

    `files` and `removal`: name → text. `hairpin`: what local clients get at the outside addresses.
    """

    vendor: str
    title: str
    warning: str
    hairpin: str
    wan_addresses: list[str]
    mapped: list[Mapped]
    planned: list[Mapped]
    files: dict[str, str]
    removal: dict[str, str]


@dataclass(frozen=True)
class Tested:
    """One mapped port, tried from main through the outside address; `state` and `why` as in reach.Result."""

    node: str
    key: str
    wan: str
    port: int
    protocol: str
    state: str
    milliseconds: float | None
    why: str


def checked(session: Session, wish: Wish) -> Wish:
    """The wish with its addresses in their usual form; else Problem, 422's code is dmz- and the field."""
    nodes.get(session, wish.node)
    session.rollback()
    if not wish.scopes or set(wish.scopes) - set(SCOPES):
        raise _wrong("scopes", "Nobody outside was named.", "Choose clients, devices, or both.")
    if wish.vendor not in VENDORS:
        raise _wrong("vendor", f"{wish.vendor!r} is not known.", f"Choose one of {', '.join(VENDORS)}.")
    wan = _ipv4("address", wish.address, "203.0.113.10")
    lan = _ipv4("router_address", wish.router_address, "198.18.0.1")
    if wan == lan:
        raise _wrong("router_address", "It is the same as the mapping IP.",
                     "Write the router's address in the local network.")  # fmt: skip
    _not_a_nodes(session, wan, lan)
    if wish.interface and not INTERFACE.fullmatch(wish.interface):
        raise _wrong("interface", f"{wish.interface!r} is not the name of an interface.",
                     "Write it as the router shows it, for example wan0.")  # fmt: skip
    if wish.vendor == "nftables" and not wish.interface:
        raise _wrong("interface", "On a Linux router everything else is closed at its outside interface.",
                     "Write its name; `ip -brief address` on the router shows it.")  # fmt: skip
    changes.check_among_nodes(session, wish.node, {"mapping_ip": wan})
    return Wish(wish.node, wan, wish.scopes, wish.vendor, lan, wish.interface)


def plan(session: Session, wish: Wish) -> Plan:
    """Everything for the router; Problem when the wish is wrong or a node's ports are not known."""
    # Manifests and templates are read only here: an idle portal does not hold them.
    from services import catalog as catalog_module
    from services.router.mapping import Mapping, rules
    from services.router.report import WARNING
    from services.router.vendors import VENDORS as KNOWN

    wish, catalog = checked(session, wish), catalog_module.load()
    site, router = _site(session, wish)
    dmz, vendor = rules(catalog, site, router), KNOWN[wish.vendor]

    def row(one: Mapping) -> Mapped:
        return Mapped(one.node, one.key, one.proto, one.port, one.wan, one.lan, one.tls, list(one.scopes),
                      one.purpose)  # fmt: skip

    return Plan(
        wish.vendor, vendor.title, WARNING.removeprefix("WARNING: "), vendor.hairpin, dmz.wan_addresses,
        [row(one) for one in dmz.mappings], [row(one) for one in dmz.planned],
        vendor.files(dmz) if dmz.mappings else {}, vendor.removal(dmz),
    )  # fmt: skip


def test(session: Session, wish: Wish, account: Account) -> list[Tested]:
    """Try every mapped TCP port from main through its outside address; audited. UDP cannot be tried."""
    account.need(changes.PERMISSION)
    found = plan(session, wish).mapped
    audit.write(session, "dmz.test", wish.node, actor=account.name, source=account.source,
                details={"addresses": sorted({one.wan for one in found})})  # fmt: skip
    tcp = [one for one in found if one.protocol == "tcp"]
    results = reach.attempt([reach.Target(one.node, one.wan, one.port, one.tls) for one in tcp])
    tried = dict(zip(((one.wan, one.port) for one in tcp), results, strict=True))
    return [_tested(one, tried.get((one.wan, one.port))) for one in found]


def _tested(one: Mapped, result: reach.Result | None) -> Tested:
    about = (one.node, one.key, one.wan, one.port, one.protocol)
    if result is None or one.protocol != "tcp":
        return Tested(*about, "unknown", None, "UDP gives no answer by which it could be tested.")
    return Tested(*about, result.state, result.milliseconds, result.why)


def _site(session: Session, wish: Wish) -> Any:  # noqa: ANN401 - Topology and Host, imported only here
    """The site as the rendering of a router wants it: every node with an outside address, and the router."""
    from services.topology import Host, Topology

    outside = {n.name: n.mapping_ip for n in nodes.listing(session) if n.state == "enabled"}
    outside[wish.node] = wish.address
    session.rollback()
    hosts = {name: _host(session, name, wan) for name, wan in outside.items() if wan}
    own: dict[str, Any] = {
        "dss_router": wish.vendor, "dss_dmz": list(wish.scopes), "dss_wan_ip": wish.address,
        "dss_wan_addresses": sorted({str(wan) for wan in outside.values() if wan} - {wish.address}),
        "dss_wan_interface": wish.interface or None, "dss_lan_networks": _local_networks(),
    }  # fmt: skip
    router = Host(ROUTER, "router", wish.router_address, None, "", None, {}, own)
    return Topology(config.load_node().site, hosts | {ROUTER: router}), router


def _host(session: Session, name: str, wan: str) -> Any:  # noqa: ANN401
    from services.topology import Host

    node, told = nodes.get(session, name), ports.of_node(session, name)
    session.rollback()
    if not told.rows:
        raise Problem(
            "dmz-incomplete", "The configuration would be incomplete.",
            f"{name} has an outside address too, and its ports are not known: {told.problem}",
            "Bring it back, or take its mapping IP away on the page Settings.", status=409,
        )  # fmt: skip
    numbers = {f"{r['service']}.{r['name']}": int(r["port"]) for r in told.rows if r["direction"] == "in"}
    switches = {"dss_tls10": "nginx.tls10" in numbers}
    return Host(name, node.role, node.address, wan, "", None, numbers, switches)


def _local_networks() -> list[str] | None:
    """dss_lan_networks as the inventory has it for main; None leaves its default."""
    try:
        found = config.read_json(config.root() / "host.json")["vars"].get("dss_lan_networks")
    except (Problem, KeyError):
        return None
    return list(found) if found else None


def _ipv4(field: str, text: str, example: str) -> str:
    try:
        found = ipaddress.ip_address(text.strip())
    except ValueError:
        raise _wrong(field, f"{text!r} is not an address." if text else "It is missing.",
                     f"Write four numbers, for example {example}.") from None  # fmt: skip
    if found.version == 6:
        raise _wrong(field, "A router maps IPv4 only; IPv6 needs no mapping.", "Write an IPv4 address.")
    if (
        found.is_loopback
        or found.is_multicast
        or found.is_unspecified
        or found.is_link_local
        or found.is_reserved
    ):
        raise _wrong(
            field, f"{found} is no address that a router could have.", f"Write for example {example}."
        )
    return str(found)


def _not_a_nodes(session: Session, wan: str, lan: str) -> None:
    holders = {node.address: node.name for node in nodes.listing(session)}
    session.rollback()
    if wan in holders:
        raise _wrong("address", f"{wan} is the address of {holders[wan]} itself.",
                     "Write the address outside the router.")  # fmt: skip
    if lan in holders:
        raise _wrong("router_address", f"{lan} is the address of {holders[lan]}.",
                     "Write the router's own address in the local network.")  # fmt: skip


def _wrong(field: str, why: str, remedy: str) -> Problem:
    return Problem(
        f"dmz-{field.replace('_', '-')}", "The mapping cannot be planned.", why, remedy, status=422
    )
