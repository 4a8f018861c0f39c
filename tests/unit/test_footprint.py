"""What DSS added to a host is known even when a run was cut off while it installed."""

import json
from pathlib import Path

import pytest

from services.node import footprint


class Host:
    """A host whose packages change."""

    def __init__(self) -> None:
        self.state = {"packages": ["base"], "users": ["root"], "groups": ["root"]}

    def add(self, *packages: str) -> None:
        self.state = {**self.state, "packages": sorted([*self.state["packages"], *packages])}


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> Host:
    one = Host()
    monkeypatch.setattr(footprint, "now", lambda: one.state)
    return one


def ours(state: Path) -> list[str]:
    found: list[str] = json.loads((state / footprint.NAME).read_text())["packages"]
    return found


def test_only_what_appears_meanwhile_is_ours(tmp_path: Path, host: Host) -> None:
    with footprint.watched(tmp_path, []):
        host.add("nginx")
    host.add("the-customers")
    with footprint.watched(tmp_path, []):
        host.add("redis")
    assert ours(tmp_path) == ["nginx", "redis"]


def test_a_run_that_lost_power_is_added_up_by_the_next(tmp_path: Path, host: Host) -> None:
    with footprint.watched(tmp_path, []):
        host.add("nginx")
        before = (tmp_path / footprint.NAME).read_text()
    # The power went before the end: the disk holds what was written at the beginning.
    (tmp_path / footprint.NAME).write_text(before)
    assert ours(tmp_path) == []
    with footprint.watched(tmp_path, []):
        host.add("redis")
    assert ours(tmp_path) == ["nginx", "redis"]
