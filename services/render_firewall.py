"""The firewall of a node: nftables tables of our own, from the same ports as the matrix."""

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass

from services.manifest import Port
from services.networks import Network
from services.ports import ssh_port
from services.render_context import FIREWALL_UNIT, UNITS, File, NodeView
from services.topology_words import MAC


@dataclass(frozen=True)
class Opening:
    """One port that the firewall lets in."""

    key: str
    proto: str
    number: int


@dataclass(frozen=True)
class Bond:
    """A gateway that has one MAC address. `where` limits it to an interface; `inside` needs no gateway."""

    where: str
    gateway: str
    mac: str
    inside: str

    @property
    def target(self) -> str:
        """The address as a number, as nftables compares raw bytes of a packet."""
        return hex(int(ipaddress.ip_address(self.gateway)))


@dataclass(frozen=True)
class Part:
    """What is reached at one address of the node. `where` picks its packets; it is empty for all of them."""

    title: str
    where: str
    chain: str
    allow: list[str]
    wan: list[Opening]
    lan: list[Opening]


def files(view: NodeView) -> dict[str, File]:
    """The rules, and the unit that loads them at boot before the network is there."""
    return {
        "/etc/dss/firewall.nft": File(rules(view), affects=(FIREWALL_UNIT,)),
        f"{UNITS}/{FIREWALL_UNIT}": File(view.text("firewall.service.j2"), affects=(FIREWALL_UNIT,)),
    }


def rules(view: NodeView) -> str:
    """What `nft -f` loads: input is dropped unless a zone of the port lets it in."""
    local, found = view.host.get("dss_lan_networks"), bonds(view)
    return view.text(
        "firewall.nft.j2",
        sets=[("local4", [n for n in local if ":" not in n]), ("local6", [n for n in local if ":" in n])],
        parts=parts(view),
        bonds=found,
        arp=_arp(view, found),
        family=family,
    )


def _arp(view: NodeView, found: list[Bond]) -> dict[str, object]:
    """What the table for ARP needs; nothing where it would hold no rule."""
    homes = [one for one in view.host.networks if one.interface and ":" not in one.address]
    bound = [one for one in found if ":" not in one.gateway]
    return {"bonds": bound, "homes": homes} if homes or bound else {}


def parts(view: NodeView) -> list[Part]:
    """One for each network of the node that anything is reached on; one for all where it has only one."""
    host = view.host
    if not host.networks:
        allow = _allowed(view, host.get("dss_allow"), "cluster")
        return [Part("", "", "open", allow, openings(view, ("wan",)), _local(view))]
    found = [_part(view, network) for network in host.networks]
    return [part for part in found if part.wan or part.lan]


def _part(view: NodeView, network: Network) -> Part:
    listed, name = network.allow or view.host.get("dss_allow"), network.name
    return Part(
        f"Network {name}, at {network.address} alone.",
        f"{_where(view, network)}{family(network.address)} daddr {network.address} ",
        f"open_{name}",
        _allowed(view, listed, *network.purposes),
        openings(view, ("wan",), network),
        _local(view, network),
    )


def _local(view: NodeView, network: Network | None = None) -> list[Opening]:
    """What local networks reach: the host's SSH server, and ports of the zones cluster and lan."""
    ssh = [Opening("ssh", "tcp", ssh_port(view.host))]
    managed = network is None or "management" in network.purposes
    return [*(ssh if managed else []), *openings(view, ("cluster", "lan"), network)]


def openings(view: NodeView, zones: tuple[str, ...], network: Network | None = None) -> list[Opening]:
    """Ports of these zones, of services that really run here; with `network`, those that belong to it."""
    return [
        Opening(f"{service.id}.{port.name}", port.proto, view.host.ports[f"{service.id}.{port.name}"])
        for zone in zones
        for service in view.services
        for port in service.ports_on(view.role)
        if port.zone == zone and view.host.offers(port) and _belongs(port, network)
    ]


def _belongs(port: Port, network: Network | None) -> bool:
    return network is None or bool(set(port.purposes) & set(network.purposes))


def bonds(view: NodeView) -> list[Bond]:
    """Every gateway of the node whose MAC address is known."""
    host = view.host
    if not host.networks:
        gateway, mac = host.get("dss_gateway"), host.get("dss_gateway_mac")
        return [Bond("", gateway, mac, _local_set(gateway))] if gateway and mac else []
    return [
        Bond(_where(view, one), one.gateway, one.gateway_mac, one.network or _local_set(one.gateway))
        for one in host.networks
        if one.gateway and one.gateway_mac
    ]


def _local_set(address: str) -> str:
    return f"@local{ipaddress.ip_address(address).version}"


def _where(view: NodeView, network: Network) -> str:
    """The condition for packets that come in by a network; the service address has what the others leave."""
    if network.interface:
        return f'iifname "{network.interface}" '
    names = sorted({f'"{one.interface}"' for one in view.host.networks if one.interface})
    return f"iifname != {{ {', '.join(names)} }} "


def _allowed(view: NodeView, listed: Iterable[str], *purposes: str) -> list[str]:
    """The allow list as conditions; a node that has one still hears its centre, where nodes meet."""
    named, center = list(listed), view.host.center
    if named and center and "cluster" in purposes:
        named.append(center.address)
    return [_condition(one) for one in named]


def family(address: str) -> str:
    """nftables' word for the protocol of an address or network."""
    return "ip6" if ":" in address else "ip"


def _condition(allowed: str) -> str:
    """One item of an allow list as a condition: an address or network, a MAC address, or both."""
    words = [
        f"ether saddr {word}" if MAC.fullmatch(word) else f"{family(word)} saddr {word}"
        for word in allowed.split()
    ]
    return " ".join(words)
