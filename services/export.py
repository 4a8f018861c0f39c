"""Writes what was changed at run time into the files of an inventory, and leaves their comments alone."""

import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap

from services.drift import Drift
from services.facts import PORTAL_CERTIFICATE
from services.node import files
from services.runtime.errors import Problem
from services.topology_inventory import SUFFIXES, expand


@dataclass(frozen=True)
class Changed:
    """A host's drift, and the port numbers that the inventory gives it from wherever, by service.port."""

    drift: list[Drift]
    ports: Mapping[str, int]

    @property
    def own(self) -> list[Drift]:
        """What was changed on the host itself and can stand in an inventory; an imported key cannot."""
        return [
            one for one in self.drift if not one.path.startswith("center") and one.path != PORTAL_CERTIFICATE
        ]


KEYS = {"mapping_ip": "dss_mapping_ip", "address": "dss_address", "tls10": "dss_tls10"}
PORTS = "ports."


@dataclass(frozen=True)
class Written:
    """One value of the inventory that was changed: in which file, of which host, which key, to what."""

    file: Path
    host: str
    key: str
    value: Any


def export(inventory: Path, sites: Mapping[str, Changed]) -> list[Written]:
    """Write what was changed on each host at the host itself; Problem when a host stands in no file.

    What a node knows of its centre is not written: it follows from the centre's own values. Nor is a
    certificate that was imported in the portal: its key never leaves the node.
    """
    wanted = {host: one for host, one in sites.items() if one.own}
    written: list[Written] = []
    for path in _files(inventory):
        yaml = _yaml()
        tree = yaml.load(path.read_text(encoding="utf-8"))
        done: list[Written] = []
        for host, own in _hosts(path, tree, set(wanted)):
            done += _set(path, host, own, wanted.pop(host))
        if done:
            text = io.StringIO()
            yaml.dump(tree, text)
            files.write(path, text.getvalue(), path.stat().st_mode & 0o777)
        written += done
    if wanted:
        raise Problem(
            "export-host",
            f"{', '.join(wanted)} could not be written into the inventory.",
            "No file names the host by itself; a range like sub-[1:3] stands for several.",
            "Name the host by itself, or write by hand what the deployment reports as drift.",
        )
    return written


def _yaml() -> YAML:
    yaml = YAML()
    yaml.preserve_quotes = True
    yaml.width = 4096
    yaml.indent(mapping=2, sequence=4, offset=2)
    return yaml


def _files(inventory: Path) -> Iterator[Path]:
    if inventory.is_file():
        yield inventory
        return
    # Variables in a file of the host's own win over those where it is listed: that is written first.
    yield from sorted(p for p in (inventory / "host_vars").glob("*") if p.suffix in SUFFIXES)
    yield from sorted(p for p in inventory.iterdir() if p.suffix in SUFFIXES)


def _hosts(path: Path, tree: Any, wanted: set[str]) -> Iterator[tuple[str, CommentedMap]]:  # noqa: ANN401
    """(name, variables) of each wanted host that a file holds, once."""
    if path.parent.name == "host_vars":
        if path.stem in wanted and isinstance(tree, CommentedMap):
            yield path.stem, tree
        return
    seen: set[str] = set()
    for name, hosts in _host_maps(tree):
        if name in wanted - seen and expand(name) == [name]:
            seen.add(name)
            if hosts[name] is None:
                hosts[name] = CommentedMap()
            yield name, hosts[name]


def _host_maps(tree: Any) -> Iterator[tuple[str, CommentedMap]]:  # noqa: ANN401
    for group in tree.values() if isinstance(tree, dict) else ():
        if not isinstance(group, dict):
            continue
        hosts = group.get("hosts")
        if isinstance(hosts, CommentedMap):
            yield from ((name, hosts) for name in list(hosts))
        yield from _host_maps(group.get("children"))


def _set(file: Path, host: str, own: CommentedMap, changed: Changed) -> Iterator[Written]:
    for one in changed.own:
        if one.path.startswith(PORTS):
            key = one.path.removeprefix(PORTS)
            if own.get("dss_ports") is None:
                # A host's own list hides the one of its groups, so it takes over what stands there.
                own["dss_ports"] = CommentedMap(changed.ports)
                own["dss_ports"].fa.set_flow_style()
            own["dss_ports"][key] = one.value
            yield Written(file, host, f"dss_ports.{key}", one.value)
        else:
            own[KEYS[one.path]] = one.value
            yield Written(file, host, KEYS[one.path], one.value)
