"""The inventory as Ansible sees it: groups, hosts and merged variables, read without Ansible.

The subset: YAML inventories (a file, or a folder of them), `children`, `hosts`, `vars`, ranges such as
`sub-[01:12]`, group_vars and host_vars as files or folders, vaulted values. Later wins: variables of groups
in the inventory files, then in group_vars, each from `all` downwards; then host variables, then host_vars.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from services.topology_yaml import Entry, Mistake, Reader

SUFFIXES = {".yml", ".yaml"}
RANGE = re.compile(r"\[(\d+):(\d+)\]")
MAX_RANGE = 10_000
Vars = dict[str, Entry]


@dataclass
class Group:
    """A group, with its variables of the inventory files and of group_vars apart."""

    name: str
    parents: set[str] = field(default_factory=set)
    hosts: dict[str, str] = field(default_factory=dict)
    vars: Vars = field(default_factory=dict)
    files: Vars = field(default_factory=dict)
    where: str = ""


@dataclass
class Inventory:
    """All groups; for each host its own variables, and where it was first named."""

    top: Path
    groups: dict[str, Group]
    hosts: dict[str, Vars]
    where: dict[str, str]
    mistakes: list[Mistake]

    def depth(self, name: str) -> int:
        """Steps from `all`; a group that no other one has as a child is one step below it."""
        return self._depth(name, ())

    def _depth(self, name: str, path: tuple[str, ...]) -> int:
        if name == "all" or name in path:
            return 0
        return 1 + max((self._depth(p, (*path, name)) for p in self.groups[name].parents), default=0)

    def order(self) -> list[str]:
        """Group names, the most general first: the order in which Ansible merges their variables."""
        return sorted(self.groups, key=lambda name: (self.depth(name), name))

    def members(self) -> dict[str, set[str]]:
        """For each host the names of all groups it belongs to, `all` included."""
        above = {name: self._above(name) for name in self.groups}
        found: dict[str, set[str]] = {host: {"all"} for host in self.hosts}
        for group in self.groups.values():
            for host in group.hosts:
                found[host] |= above[group.name]
        return found

    def _above(self, name: str) -> set[str]:
        found, todo = set[str](), [name]
        while todo:
            one = todo.pop()
            if one not in found:
                found.add(one)
                todo += self.groups[one].parents
        return found

    def merged(self, groups: dict[str, set[str]]) -> dict[str, Vars]:
        """For each host its variables after merging; hosts of the same groups share the work."""
        order, cache = self.order(), dict[frozenset[str], Vars]()
        found = {}
        for host, own in self.hosts.items():
            key = frozenset(groups[host])
            if key not in cache:
                mine = [self.groups[name] for name in order if name in key]
                cache[key] = {
                    k: v for layer in ("vars", "files") for g in mine for k, v in getattr(g, layer).items()
                }
            found[host] = cache[key] | own
        return found


class _Builder:
    def __init__(self, top: Path) -> None:
        self.found = Inventory(top, {"all": Group("all")}, {}, {}, [])
        self.reader = Reader(top, self.found.mistakes)

    def group(self, name: str, where: str) -> Group:
        group = self.found.groups.setdefault(name, Group(name))
        group.where = group.where or where
        return group

    def file(self, path: Path) -> None:
        name, root = self.reader.tree(path)
        for group, node, line in self.reader.pairs(name, root, "(file)"):
            self.read_group(name, group, node, line)

    def read_group(self, file: str, name: str, node: yaml.Node, line: int) -> None:
        group = self.group(name, f"{file}:{line}")
        for part, below, at in self.reader.pairs(file, node, name):
            if part == "vars":
                group.vars |= self.reader.entries(file, below, f"{name}.vars")
            elif part == "hosts":
                self.read_hosts(file, group, below)
            elif part == "children":
                for child, deeper, where in self.reader.pairs(file, below, f"{name}.children"):
                    self.read_group(file, child, deeper, where)
                    if name != "all":
                        self.found.groups[child].parents.add(name)
            else:
                self.found.mistakes.append(
                    Mistake(
                        f"{file}:{at}",
                        f"{name}.{part}",
                        "A group has only hosts, vars and children.",
                        f"Move {part!r} below one of these.",
                    )
                )

    def read_hosts(self, file: str, group: Group, node: yaml.Node) -> None:
        for pattern, below, line in self.reader.pairs(file, node, f"{group.name}.hosts"):
            own = self.reader.entries(file, below, pattern)
            for host in expand(pattern):
                group.hosts[host] = f"{file}:{line}"
                self.found.hosts.setdefault(host, {}).update(own)
                self.found.where.setdefault(host, f"{file}:{line}")

    def variables(self, folder: str) -> Iterator[tuple[str, Path]]:
        """(group or host, file) of group_vars or host_vars, in the order in which Ansible reads them."""
        for path in sorted((self.found.top / folder).glob("*")):
            if path.is_dir():
                yield from (
                    (path.name, f) for f in sorted(path.rglob("*")) if f.suffix in SUFFIXES and f.is_file()
                )
            elif path.suffix in SUFFIXES:
                yield path.stem, path

    def read_variables(self) -> None:
        for name, path in self.variables("group_vars"):
            file, root = self.reader.tree(path)
            if group := self.found.groups.get(name):
                group.files |= self.reader.entries(file, root, name)
            else:
                self.nobody(file, name, "group", "groups", sorted(self.found.groups))
        for name, path in self.variables("host_vars"):
            file, root = self.reader.tree(path)
            if name in self.found.hosts:
                self.found.hosts[name] |= self.reader.entries(file, root, name)
            else:
                self.nobody(file, name, "host", "hosts", sorted(self.found.hosts))

    def nobody(self, file: str, name: str, kind: str, kinds: str, known: list[str]) -> None:
        self.found.mistakes.append(
            Mistake(
                file,
                name,
                f"There is no {kind} of this name, so nothing reads the file.",
                f"Rename it after one of the {kinds} ({', '.join(known[:8])}) or remove it.",
            )
        )


def expand(pattern: str) -> list[str]:
    """Host names of a pattern: `sub-[01:03]` is sub-01, sub-02, sub-03."""
    match = RANGE.search(pattern)
    if not match:
        return [pattern]
    first, last = match.groups()
    numbers = range(int(first), min(int(last), int(first) + MAX_RANGE) + 1)
    before, after = pattern[: match.start()], pattern[match.end() :]
    return [name for n in numbers for name in expand(f"{before}{n:0{len(first)}d}{after}")]


def read(path: Path) -> Inventory:
    """The inventory at `path`, a file or a folder; mistakes found on the way stand in it."""
    top = path if path.is_dir() else path.parent
    builder = _Builder(top)
    files = sorted(f for f in path.iterdir() if f.suffix in SUFFIXES) if path.is_dir() else [path]
    if not files or not path.exists():
        builder.found.mistakes.append(
            Mistake(
                str(path),
                "(inventory)",
                "There is no inventory here.",
                "Name a folder with a hosts.yml, for example inventories/distributed.",
            )
        )
        return builder.found
    for file in files:
        builder.file(file)
    builder.read_variables()
    return builder.found
