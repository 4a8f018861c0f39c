"""The firewall of a node: one nftables table of our own, from the same ports as the matrix."""

import ipaddress
from dataclasses import dataclass

from services.ports import ssh_port
from services.render_context import FIREWALL_UNIT, UNITS, File, NodeView
from services.topology_types import MAC


@dataclass(frozen=True)
class Opening:
    """One port that the firewall lets in."""

    key: str
    proto: str
    number: int


def files(view: NodeView) -> dict[str, File]:
    """The rules, and the unit that loads them at boot before the network is there."""
    return {
        "/etc/dss/firewall.nft": File(rules(view), affects=(FIREWALL_UNIT,)),
        f"{UNITS}/{FIREWALL_UNIT}": File(view.text("firewall.service.j2"), affects=(FIREWALL_UNIT,)),
    }


def rules(view: NodeView) -> str:
    """What `nft -f` loads: input is dropped unless a zone of the port lets it in."""
    host, networks = view.host, view.host.get("dss_lan_networks")
    return view.text(
        "firewall.nft.j2",
        sets=[
            ("local4", [n for n in networks if ":" not in n]),
            ("local6", [n for n in networks if ":" in n]),
        ],
        lan=[Opening("ssh", "tcp", ssh_port(host)), *openings(view, "cluster"), *openings(view, "lan")],
        wan=openings(view, "wan"),
        allow=[_condition(one) for one in _allowed(view)],
        gateway=host.get("dss_gateway"),
        gateway_mac=host.get("dss_gateway_mac"),
        family=family,
        version=lambda address: ipaddress.ip_network(address).version,
    )


def openings(view: NodeView, zone: str) -> list[Opening]:
    """Ports of one zone, of services that really run here."""
    return [
        Opening(f"{service.id}.{port.name}", port.proto, view.host.ports[f"{service.id}.{port.name}"])
        for service in view.services
        for port in service.ports_on(view.role)
        if port.zone == zone and view.host.offers(port)
    ]


def _allowed(view: NodeView) -> list[str]:
    """The allow list; a node that has one still hears its centre."""
    named, center = list(view.host.get("dss_allow")), view.host.center
    return [*named, center.address] if named and center else named


def family(address: str) -> str:
    """nftables' word for the protocol of an address or network."""
    return "ip6" if ":" in address else "ip"


def _condition(allowed: str) -> str:
    """One item of dss_allow as a condition: an address or network, a MAC address, or both."""
    words = [
        f"ether saddr {word}" if MAC.fullmatch(word) else f"{family(word)} saddr {word}"
        for word in allowed.split()
    ]
    return " ".join(words)
