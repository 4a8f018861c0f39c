"""Whether dss_networks and dss_addresses have the form that they need, each by itself."""

import ipaddress
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from services.networks import LONGEST_INTERFACE, PURPOSES, sub_interface
from services.topology_words import Complaint, is_address, is_allowed, is_mac, is_network, suggest

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
FIELDS = ("network", "interface", "vlan", "gateway", "gateway_mac", "allow")
MUST = ("network", "interface")
VLANS = range(1, 4095)
"""What IEEE 802.1Q leaves to its users."""

EXAMPLE = "{network: 198.18.3.0/24, interface: eth0, vlan: 30}"
Field = tuple[Callable[[Any], bool], str, str]


def _is_whole_network(value: object) -> bool:
    return is_network(value) and ipaddress.ip_network(str(value)).num_addresses > 1


def _is_interface(value: object) -> bool:
    return isinstance(value, str) and bool(NAME.fullmatch(value)) and len(value) <= LONGEST_INTERFACE


def _is_vlan(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value in VLANS


CHECKS: dict[str, Field] = {
    "network": (
        _is_whole_network,
        "no network with its prefix",
        "Write for example 198.18.3.0/24; the host part must be zero.",
    ),
    "interface": (
        _is_interface,
        "no name of an interface",
        "Write it as `ip -brief link` on the node shows it, for example eth1.",
    ),
    "vlan": (_is_vlan, "no VLAN id", "Take a whole number from 1 to 4094, unquoted."),
    "gateway": (is_address, "no IP address", "Write for example 198.18.3.1."),
    "gateway_mac": (is_mac, "no MAC address", 'Write for example "02:00:5e:10:00:01", in quotation marks.'),
    "allow": (
        lambda value: isinstance(value, list) and all(map(is_allowed, value)),
        "no list of addresses, networks, MAC addresses, or addresses with their MAC address",
        "Write for example [198.18.3.0/25, 198.18.3.200 02:00:5e:10:00:c8].",
    ),
}


def networks(value: object) -> Iterator[Complaint]:
    """Everything wrong with a value of dss_networks."""
    if not isinstance(value, Mapping):
        yield (
            None,
            f"{value!r} is not a list of `purpose: {{...}}`.",
            f"Write for example {{device: {EXAMPLE}}}.",
        )
        return
    for purpose, given in value.items():
        if wrong := unknown(purpose):
            yield wrong
        elif not isinstance(given, Mapping):
            yield purpose, f"{given!r} says neither network nor interface.", f"Write for example {EXAMPLE}."
        else:
            yield from ((purpose, *rest) for rest in _network(given))


def addresses(value: object) -> Iterator[Complaint]:
    """Everything wrong with a value of dss_addresses."""
    if not isinstance(value, Mapping):
        yield (
            None,
            f"{value!r} is not a list of `purpose: address`.",
            "Write for example {device: 198.18.3.10}.",
        )
        return
    for purpose, address in value.items():
        if wrong := unknown(purpose):
            yield wrong
        elif not is_address(address):
            yield (
                purpose,
                f"{address!r} is not an IP address.",
                "Write for example 198.18.3.10, without a prefix.",
            )


def unknown(purpose: object) -> Complaint | None:
    """What is wrong with the name of a purpose."""
    if purpose in PURPOSES:
        return None
    near = suggest(str(purpose), PURPOSES)
    return purpose, "There is no such purpose of a network.", f"{near} There are: {', '.join(PURPOSES)}."


def _network(given: Mapping[Any, Any]) -> Iterator[tuple[str, str]]:
    for name in given:
        if name not in FIELDS:
            near = suggest(str(name), FIELDS)
            yield f"A network has no {name!r}.", f"{near} It has: {', '.join(FIELDS)}."
    for name in (n for n in FIELDS if n in given):
        right, wrong, remedy = CHECKS[name]
        if not right(given[name]):
            yield f"{name} is {given[name]!r}, which is {wrong}.", remedy
    yield from _complete(given)


def _complete(given: Mapping[Any, Any]) -> Iterator[tuple[str, str]]:
    """What is missing, and fields that do not fit each other; those wrong in themselves are left out."""
    vlan, parent = given.get("vlan"), given.get("interface")
    if parent is None and vlan is not None:
        yield (
            f"VLAN {vlan} has no parent.",
            "Add interface with the name of the interface that carries the VLAN.",
        )
    for name in MUST:
        if name not in given and not (name == "interface" and vlan is not None):
            yield f"{name} is missing.", f"Write for example {EXAMPLE}."
    if isinstance(vlan, int) and _is_vlan(vlan) and isinstance(parent, str) and _is_interface(parent):
        name = sub_interface(parent, vlan)
        if not _is_interface(name):
            yield (
                f"The VLAN would be called {name}; Linux keeps {LONGEST_INTERFACE} letters.",
                "Give the parent interface a shorter name (systemd.link(5)).",
            )
    yield from _gateway(given)


def _gateway(given: Mapping[Any, Any]) -> Iterator[tuple[str, str]]:
    network, gateway = given.get("network"), given.get("gateway")
    if given.get("gateway_mac") and not gateway:
        yield (
            "It is not said whose MAC address gateway_mac is.",
            "Add gateway with the address of the gateway.",
        )
    known = is_address(gateway) and _is_whole_network(network)
    if known and ipaddress.ip_address(str(gateway)) not in ipaddress.ip_network(str(network)):
        yield f"The gateway {gateway} is not in {network}.", "Write the address that it has in this network."
