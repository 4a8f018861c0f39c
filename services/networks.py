"""Networks of a node by what they are for: which address, interface or VLAN serves which purpose."""

import ipaddress
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

PURPOSES = ("management", "cluster", "client", "device")
MEANING = {
    "management": "administration: SSH, and the portal for those who run the site",
    "cluster": "calls and messages between nodes",
    "client": "users, players and decoders",
    "device": "cameras and other devices",
}
LONGEST_INTERFACE = 15
"""Letters of an interface's name that Linux keeps (IFNAMSIZ of netdevice(7))."""


@dataclass(frozen=True)
class Network:
    """One address of a node. `purposes` are served there and nowhere else.

    `network` is its CIDR; `interface` what Linux calls it. With a `vlan`, the deployment makes the interface
    on top of `parent`. Both are empty for the service address, on which everything else is served.
    """

    purposes: tuple[str, ...]
    address: str
    network: str = ""
    interface: str = ""
    vlan: int | None = None
    parent: str = ""
    gateway: str = ""
    gateway_mac: str = ""
    allow: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """How the network is called: by its purpose, or `service` for the rest."""
        return self.purposes[0] if self.interface else "service"

    @property
    def prefix(self) -> int:
        """Length of the network's prefix in bits."""
        return ipaddress.ip_network(self.network).prefixlen


def sub_interface(parent: str, vlan: int) -> str:
    """The usual name of a VLAN on an interface."""
    return f"{parent}.{vlan}"


def of(found: Mapping[str, Any], service: str) -> tuple[Network, ...]:
    """Networks of a host from its variables dss_networks and dss_addresses; () when it has only one.

    `service` is the address for every purpose that is not named.
    """
    named, addresses = found.get("dss_networks") or {}, found.get("dss_addresses") or {}
    # A camera inherits the site's networks as well, but has no address of this kind.
    own = [one for one in PURPOSES if one in named and one in addresses]
    networks = [_network(one, named[one], addresses[one]) for one in own]
    rest = tuple(one for one in PURPOSES if one not in own)
    if networks and rest:
        gateway = str(found.get("dss_gateway") or ""), str(found.get("dss_gateway_mac") or "")
        networks.append(Network(rest, service, gateway=gateway[0], gateway_mac=gateway[1]))
    return tuple(networks)


def _network(purpose: str, given: Mapping[str, Any], address: str) -> Network:
    vlan, parent = given.get("vlan"), str(given["interface"])
    return Network(
        (purpose,),
        address,
        str(given["network"]),
        sub_interface(parent, vlan) if vlan else parent,
        vlan,
        parent if vlan else "",
        str(given.get("gateway") or ""),
        str(given.get("gateway_mac") or ""),
        tuple(given.get("allow") or ()),
    )


def serving(networks: Iterable[Network], purpose: str) -> Network | None:
    """The network for a purpose; None on a node that has one address for everything."""
    return next((one for one in networks if purpose in one.purposes), None)


def on_host(networks: Iterable[Network]) -> list[dict[str, str]]:
    """What a host must have before it is deployed: its addresses on interfaces, and the parents of VLANs.

    `address` is empty for a parent.
    """
    rows = [
        {
            "name": one.name,
            "interface": one.parent or one.interface,
            "address": "" if one.vlan else one.address,
        }
        for one in networks
    ]
    return [row for row in rows if row["interface"]]


def as_facts(networks: Iterable[Network]) -> list[dict[str, Any]]:
    """Plain data that `from_facts` reads again, without what is empty."""
    return [{key: value for key, value in asdict(one).items() if value} for one in networks]


def from_facts(rows: Iterable[Mapping[str, Any]]) -> tuple[Network, ...]:
    """The networks that `as_facts` wrote, after a way through JSON."""
    lists = ("purposes", "allow")
    plain: list[dict[str, Any]] = [dict(row) for row in rows]
    return tuple(
        Network(**row | {key: tuple(row[key]) for key in lists if key in row})  # JSON has lists alone
        for row in plain
    )
