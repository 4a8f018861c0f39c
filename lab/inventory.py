"""What the lab needs to know of an inventory: its hosts, their groups and addresses."""

import ipaddress
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from lab.tools import LabError
from services.networks import PURPOSES, sub_interface

LAN = ipaddress.ip_network("198.18.0.0/24")
WAN = ipaddress.ip_network("203.0.113.0/24")
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
BRIDGES: dict[str, Network] = {"lan": LAN, "wan": WAN}
INSIDE = {"lan": "host0", "wan": "wan0"}
WAN_USUAL = "203.0.113.254"
NAME_MAX = 12  # interface names hold 15 characters and ours have a prefix of three


@dataclass(frozen=True)
class Machine:
    """One lab host: `links` maps a bridge (lan, wan or a purpose) to the address on it.

    By bridge, where it is not as usual: `networks` is its CIDR, `interfaces` what the host calls its end of
    the cable, `macs` the hardware address there; on those in `bare` the deployment sets the address.
    """

    name: str
    groups: tuple[str, ...]
    links: dict[str, str]
    vars: dict[str, Any] = field(default_factory=dict)
    networks: dict[str, str] = field(default_factory=dict)
    interfaces: dict[str, str] = field(default_factory=dict)
    macs: dict[str, str] = field(default_factory=dict)
    bare: list[str] = field(default_factory=list)

    @property
    def is_camera(self) -> bool:
        return "camera" in self.groups

    def inside(self, bridge: str) -> str:
        """What the host calls its end of the cable to a bridge."""
        return self.interfaces.get(bridge) or INSIDE.get(bridge, bridge)

    def network(self, bridge: str) -> Network:
        """The network of a bridge."""
        return ipaddress.ip_network(self.networks[bridge]) if bridge in self.networks else BRIDGES[bridge]

    @property
    def address(self) -> str:
        """The address the controller uses."""
        return next(iter(self.links.values()))


def read(path: Path) -> list[Machine]:
    """Machines of an inventory file or of hosts.yml in a folder; LabError names file, host and remedy."""
    file = path / "hosts.yml" if path.is_dir() else path
    try:
        tree = yaml.safe_load(file.read_text())
    except OSError as why:
        raise LabError(
            f"the inventory {path} cannot be read: {why.strerror}. Give a folder with hosts.yml."
        ) from why
    except yaml.YAMLError as why:
        raise LabError(f"{file} is not YAML: {why}. Correct it and run the verb again.") from why
    return machines(tree, file)


def machines(tree: object, file: Path) -> list[Machine]:
    """Machines of a loaded inventory; every host needs `ansible_host` in one of the lab's two networks."""
    if not isinstance(tree, dict):
        raise LabError(f"{file} holds no groups. See inventories/demo/hosts.yml for an example.")
    groups: dict[str, list[str]] = {}
    variables: dict[str, dict[str, Any]] = {}
    for group, name, values in _hosts(tree):
        groups.setdefault(name, []).append(group)
        variables.setdefault(name, {}).update(values)
    found = [_machine(name, tuple(groups[name]), variables[name], file) for name in groups]
    _refuse_twins(found, file)
    return found


def _hosts(
    tree: dict[str, Any], outer: dict[str, Any] | None = None
) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for group, body in tree.items():
        body = body or {}
        shared = {**(outer or {}), **(body.get("vars") or {})}
        for name, values in (body.get("hosts") or {}).items():
            yield group, str(name), {**shared, **(values or {})}
        yield from _hosts(body.get("children") or {}, shared)


def _machine(name: str, groups: tuple[str, ...], values: dict[str, Any], file: Path) -> Machine:
    if len(name) > NAME_MAX:
        raise LabError(f"{file}: {name} is longer than {NAME_MAX} characters. Shorten the name.")
    own = _networks(values, file)
    found = Machine(name, groups, _link(name, values.get("ansible_host"), file, own, groups), values)
    if "router" in groups:
        outside = values.get("wan_address") or values.get("dss_wan_ip") or WAN_USUAL
        found.links.update(_link(name, outside, file, own, groups))
    for purpose in (p for p in PURPOSES if p in (values.get("dss_addresses") or {})):
        _wire(found, purpose, file, own)
    found.networks.update({bridge: str(own[bridge]) for bridge in found.links if bridge in own})
    for bridge, address in found.links.items():
        if address == values.get("dss_gateway") and values.get("dss_gateway_mac"):
            found.macs[bridge] = values["dss_gateway_mac"]
    return found


def _networks(values: dict[str, Any], file: Path) -> dict[str, Network]:
    """Bridge → network of those of dss_networks that the lab has no bridge for anyway."""
    found: dict[str, Network] = {}
    for purpose, given in (values.get("dss_networks") or {}).items():
        try:
            network = ipaddress.ip_network(given["network"])
        except (KeyError, TypeError, ValueError) as why:
            raise LabError(
                f"{file}: dss_networks.{purpose} has no usable network ({why}). Correct it."
            ) from why
        if network not in (*BRIDGES.values(), *found.values()):
            found[purpose] = network
    return found


def _wire(machine: Machine, purpose: str, file: Path, own: dict[str, Network]) -> None:
    """Lay the cable of one of a node's networks. A VLAN gets one as well: see docs/design/lab.md."""
    given, address = machine.vars["dss_networks"][purpose], str(machine.vars["dss_addresses"][purpose])
    (bridge,) = _link(machine.name, address, file, own, ("router",))
    interface, vlan = str(given.get("interface")), given.get("vlan")
    name = sub_interface(interface, vlan) if vlan else interface
    if machine.links.get(bridge, address) != address or machine.interfaces.get(bridge, name) != name:
        raise LabError(
            f"{file}: {machine.name} has two places in {given['network']}; the lab lays one cable there. "
            "Give one of the purposes a network of its own."
        )
    machine.links[bridge], machine.interfaces[bridge] = address, name
    if vlan:
        machine.bare.append(bridge)


def _link(
    name: str, text: object, file: Path, own: dict[str, Network], groups: tuple[str, ...]
) -> dict[str, str]:
    try:
        address = ipaddress.ip_address(str(text))
    except ValueError:
        raise LabError(f"{file}: {name} has no usable ansible_host ({text}). Give it an address.") from None
    for bridge, network in (BRIDGES | own).items():
        # A router may have the first address of its network; the controller then takes another.
        if address in network and (address != network[1] or "router" in groups or bridge in own):
            return {bridge: str(address)}
    others = "".join(f", {network}" for network in own.values())
    raise LabError(
        f"{file}: {name} has the address {address}, but the lab only has {LAN} and {WAN}{others} "
        "(.1 is the controller). Give it one of these."
    )


def _refuse_twins(found: list[Machine], file: Path) -> None:
    seen: dict[str, str] = {}
    for machine in found:
        for address in machine.links.values():
            if address in seen:
                raise LabError(f"{file}: {machine.name} and {seen[address]} both have {address}. Change one.")
            seen[address] = machine.name
