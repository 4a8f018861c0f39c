"""When a node went from one release to another is known afterwards, also when it was cut off."""

from pathlib import Path

import pytest

from services.node import release_record
from services.smc.agent.releases import Releases


@pytest.fixture(autouse=True)
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(release_record, "PATH", tmp_path / "releases.json")
    monkeypatch.setattr(release_record, "UNDER_WAY", tmp_path / "switching")
    for version in ("1.0.0", "1.1.0", "1.2.0.new"):
        (tmp_path / "opt" / "releases" / version / "venv").mkdir(parents=True)
        (tmp_path / "opt" / "releases" / version / "venv" / "program").write_bytes(b"x" * 10_000)
    (tmp_path / "opt" / "current").symlink_to("releases/1.1.0")
    (tmp_path / "trees" / "1.0.0").mkdir(parents=True)
    return tmp_path


def releases(places: Path) -> Releases:
    return Releases(places / "opt", places / "trees")


def test_releases_are_told_with_date_size_and_the_way_back(places: Path) -> None:
    release_record.dated("1.1.0", "2026-11-13")
    release_record.begin("upgrade", "1.0.0", "1.1.0", "petra").end("done", "The node runs 1.1.0.")
    old, new = releases(places).state()["releases"]
    assert (old["version"], old["previous"], old["returnable"], old["date"]) == ("1.0.0", True, True, "")
    assert (new["version"], new["active"], new["returnable"]) == ("1.1.0", True, False)
    assert new["date"] == "2026-11-13"
    assert new["bytes"] >= 10_000


def test_an_upgrade_that_was_undone_leaves_no_previous_release(places: Path) -> None:
    release_record.begin("upgrade", "1.1.0", "1.2.0", "petra").end("undone", "It was not healthy.")
    state = releases(places).state()
    assert not any(one["previous"] for one in state["releases"])
    assert (state["switches"][0]["state"], state["switches"][0]["why"]) == ("undone", "It was not healthy.")


@pytest.mark.parametrize(("to", "ends"), [("1.1.0", "done"), ("1.2.0", "undone")])
def test_a_change_that_a_power_cut_ended_is_told_by_what_runs(places: Path, to: str, ends: str) -> None:
    release_record.begin("upgrade", "1.0.0", to, "petra")
    (places / "switching").touch()
    assert releases(places).switches()[0]["state"] == "running"
    (places / "switching").unlink()
    assert releases(places).switches()[0]["state"] == ends
    release_record.cut_off("1.1.0")
    assert release_record.load().switches[0].state == ends


def test_a_damaged_record_hides_no_release(places: Path) -> None:
    (places / "releases.json").write_text("{half")
    state = releases(places).state()
    assert [one["version"] for one in state["releases"]] == ["1.0.0", "1.1.0"]
    assert state["switches"] == []


@pytest.mark.parametrize(("to", "ends"), [("1.1.0", "done"), ("1.2.0", "undone")])
def test_the_next_change_concludes_one_that_was_cut_off_by_what_runs(to: str, ends: str) -> None:
    release_record.begin("upgrade", "1.0.0", to, "petra")
    release_record.begin("upgrade", "1.1.0", "1.3.0", "petra")
    new, before = release_record.load().switches
    assert (new.state, before.state) == ("running", ends)
