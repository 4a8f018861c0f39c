"""What the lab needs to know of an inventory: its hosts, their groups and addresses."""

import ipaddress
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from lab.tools import LabError

LAN = ipaddress.ip_network("198.18.0.0/24")
WAN = ipaddress.ip_network("203.0.113.0/24")
NAME_MAX = 12  # interface names hold 15 characters and ours have a prefix of three


@dataclass(frozen=True)
class Machine:
    """One lab host: `links` maps the bridge (lan, wan) to the host's address on it."""

    name: str
    groups: tuple[str, ...]
    links: dict[str, str]
    vars: dict[str, Any] = field(default_factory=dict)

    @property
    def is_camera(self) -> bool:
        return "camera" in self.groups

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
    links = _link(name, values.get("ansible_host"), file)
    if "router" in groups:
        links |= _link(name, values.get("wan_address", "203.0.113.254"), file)
    return Machine(name, groups, links, values)


def _link(name: str, text: object, file: Path) -> dict[str, str]:
    try:
        address = ipaddress.ip_address(str(text))
    except ValueError:
        raise LabError(f"{file}: {name} has no usable ansible_host ({text}). Give it an address.") from None
    for bridge, network in (("lan", LAN), ("wan", WAN)):
        if address in network and address != network[1]:
            return {bridge: str(address)}
    raise LabError(
        f"{file}: {name} has the address {address}, but the lab only has {LAN} and {WAN} "
        "(.1 is the controller). Give it one of these."
    )


def _refuse_twins(found: list[Machine], file: Path) -> None:
    seen: dict[str, str] = {}
    for machine in found:
        for address in machine.links.values():
            if address in seen:
                raise LabError(f"{file}: {machine.name} and {seen[address]} both have {address}. Change one.")
            seen[address] = machine.name
