"""Checks of an inventory that look at one variable, one host or one group at a time."""

import re
from collections.abc import Iterator

from services.catalog import Catalog
from services.topology_groups import GROUPS
from services.topology_inventory import Inventory, Vars
from services.topology_schema import KEYS, RENAMED
from services.topology_types import complaints
from services.topology_words import is_address, suggest
from services.topology_yaml import Entry, Mistake

HOST_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*")
NEAR_GROUPS = {"mains": "main", "subs": "sub", "spares": "spare", "standbys": "standby", "routers": "router"}


def check(
    inventory: Inventory, groups: dict[str, set[str]], merged: dict[str, Vars], catalog: Catalog
) -> Iterator[Mistake]:
    """All of them. A value that is wrong in itself is taken out of `merged`: nothing else stumbles on it."""
    if inventory.hosts or not inventory.mistakes:
        yield from group_sizes(inventory)
    yield from group_names(inventory)
    for host, found in merged.items():
        roles = [g for g in GROUPS if g in groups[host]]
        yield from one_role(inventory, host, roles)
        if roles:
            yield from addressed(inventory, host, found)
            yield from administered(inventory, host, found)
    yield from variables(inventory, groups, catalog)
    yield from values(merged, catalog)


def group_sizes(inventory: Inventory) -> Iterator[Mistake]:
    """One main, at most one standby, no standby or cascade without a main."""
    for name, most in (("main", 1), ("standby", 1)):
        hosts = _hosts(inventory, name)
        where = inventory.groups[name].where if name in inventory.groups else "(inventory)"
        if len(hosts) > most:
            yield Mistake(
                where,
                name,
                f"There are {len(hosts)} hosts ({', '.join(hosts)}); the group {name} may have {most}.",
                "Move the others to standby, sub or cascade, or to an inventory of their own.",
            )
        elif name == "main" and not hosts:
            yield Mistake(where, name, "A site needs one main node.", "Add a group main with one host.")


def _hosts(inventory: Inventory, group: str) -> list[str]:
    """Hosts of a group and of the groups below it."""
    return [host for host, names in inventory.members().items() if group in names]


def group_names(inventory: Inventory) -> Iterator[Mistake]:
    """A group that is nearly a role would be ignored silently, with all its hosts."""
    for name, group in inventory.groups.items():
        if (right := NEAR_GROUPS.get(name.lower(), name.lower())) in GROUPS and right != name:
            yield Mistake(group.where, name, "This group is no role.", f"Did you mean {right}?")


def one_role(inventory: Inventory, host: str, roles: list[str]) -> Iterator[Mistake]:
    """A host has one role, and a name that can stand in certificates and addresses."""
    where = inventory.where[host]
    if len(roles) > 1:
        yield Mistake(where, host, f"It is in the groups {' and '.join(roles)}.", "Leave it in one of them.")
    if roles and not HOST_NAME.fullmatch(host):
        yield Mistake(
            where,
            host,
            "The name cannot be used in certificates.",
            "Use lower-case letters, digits and '-', not at the ends.",
        )


def addressed(inventory: Inventory, host: str, found: Vars) -> Iterator[Mistake]:
    """Every host of the site has an IP address: certificates and firewalls are made from it."""
    entry = found.get("dss_address") or found.get("ansible_host")
    value = entry.value if entry else host
    if not is_address(value):
        yield Mistake(
            entry.where if entry else inventory.where[host],
            f"{host}.ansible_host",
            f"{value!r} is not an IP address." if entry else "The host has no address.",
            "Write for example ansible_host: 198.18.0.21, or dss_address if ansible_host must be a name.",
        )


def administered(inventory: Inventory, host: str, found: Vars) -> Iterator[Mistake]:
    """The firewall lets SSH in where Ansible connects to."""
    entry = found.get("ansible_port")
    if entry and not (str(entry.value).isdecimal() and 0 < int(entry.value) < 65536):
        yield Mistake(
            entry.where,
            f"{host}.ansible_port",
            f"{entry.value!r} is no port number.",
            "Write for example 22.",
        )


def variables(inventory: Inventory, groups: dict[str, set[str]], catalog: Catalog) -> Iterator[Mistake]:
    """Names of variables, wherever they stand: unknown, renamed, or in a group that has no use for them."""
    for group in inventory.groups.values():
        for found in (group.vars, group.files):
            yield from names(found, (group.name,) if group.name in GROUPS else ())
    for host, own in inventory.hosts.items():
        yield from names(own, tuple(g for g in GROUPS if g in groups[host]))


def names(found: Vars, roles: tuple[str, ...]) -> Iterator[Mistake]:
    """Mistakes in the names of variables that stand at hosts of these roles."""
    for name, entry in found.items():
        if not name.startswith("dss_"):
            continue
        if name in RENAMED:
            yield Mistake(
                entry.where, name, "This name is no longer used.", f"Write {RENAMED[name]} instead."
            )
        elif name not in KEYS:
            yield Mistake(
                entry.where,
                name,
                "There is no such key.",
                f"{suggest(name, tuple(KEYS))} docs/guide/inventory.md lists all.",
            )
        elif roles and KEYS[name].scope and not set(roles) & set(KEYS[name].scope):
            yield Mistake(
                entry.where,
                name,
                f"It means nothing for a host of the group {roles[0]}.",
                f"It belongs to: {', '.join(KEYS[name].scope)}.",
            )


def values(merged: dict[str, Vars], catalog: Catalog) -> Iterator[Mistake]:
    """Values in themselves. One that many hosts inherit is looked at once."""
    judged: dict[int, list[Mistake]] = {}
    for found in merged.values():
        for name in [n for n in found if n in KEYS]:
            entry = found[name]
            if id(entry) not in judged:
                judged[id(entry)] = list(_judge(name, entry, catalog))
                yield from judged[id(entry)]
            if judged[id(entry)]:
                del found[name]


def _judge(name: str, entry: Entry, catalog: Catalog) -> Iterator[Mistake]:
    for inner, wrong, remedy in complaints(KEYS[name], entry.value, catalog):
        key = name if inner is None or isinstance(inner, int) else f"{name}.{inner}"
        yield Mistake(entry.where if inner is None else entry.at(inner), key, wrong, remedy)
