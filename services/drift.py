"""What was changed on a node at run time and is not what the inventory says.

Facts and overrides are the dictionaries of `services/facts.py`; `usual` has every listener's number as the
manifests have it, by `service.port`.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

PLAIN = ("address", "mapping_ip", "tls10", "portal_certificate")
Facts = Mapping[str, Any]


@dataclass(frozen=True)
class Drift:
    """One value that was changed at run time: where it stands, what it is, what the inventory says."""

    path: str
    value: Any
    inventory: Any


def listing(facts: Facts, overrides: Facts, usual: Mapping[str, int]) -> list[Drift]:
    """Every override that says something else than the inventory."""
    plain = [key for key in keys(facts) if key in overrides and overrides[key] != facts.get(key)]
    found = [Drift(key, overrides[key], facts.get(key)) for key in plain]
    found += _ports("ports", overrides.get("ports", {}), {**usual, **facts["ports"]})
    if mine := facts["center"]:
        found += _center(overrides.get("center") or {}, mine, usual)
    return found


def needed(facts: Facts, overrides: Facts, usual: Mapping[str, int]) -> dict[str, Any]:
    """The overrides without those that the inventory says by now as well."""
    found: dict[str, Any] = {}
    for one in listing(facts, overrides, usual):
        place, _, rest = one.path.partition(".")
        if place == "ports":
            found.setdefault("ports", {})[rest] = one.value
        elif place == "center" and rest == "address":
            found.setdefault("center", {})["address"] = one.value
        elif place == "center":
            ports = found.setdefault("center", {}).setdefault("ports", {})
            ports[rest.removeprefix("ports.")] = one.value
        else:
            found[place] = one.value
    return found


def keys(facts: Facts) -> tuple[str, ...]:
    """Plain values that may be changed at run time; with several networks, addresses are the inventory's."""
    return tuple(key for key in PLAIN if key != "address" or not facts.get("networks"))


def _center(told: Facts, mine: Facts, usual: Mapping[str, int]) -> Iterator[Drift]:
    if (address := told.get("address", mine["address"])) != mine["address"]:
        yield Drift("center.address", address, mine["address"])
    yield from _ports("center.ports", told.get("ports", {}), {**usual, **mine["ports"]})


def _ports(where: str, mine: Mapping[str, int], theirs: Mapping[str, int]) -> Iterator[Drift]:
    for key, number in sorted(mine.items()):
        if key in theirs and number != theirs[key]:
            yield Drift(f"{where}.{key}", number, theirs[key])
