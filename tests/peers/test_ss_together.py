"""Encryption, sound and fetched footage in one archive: killed while it fetches, whole for every reader."""

import sqlite3
import subprocess
import time
import zipfile
from itertools import groupby
from pathlib import Path

import pytest
from ss_card import CardCamera, recorded
from ss_rack import Store, kill_recorder, losses, numbers
from test_ss_encrypted import Sealed
from test_ss_exports import call, ended, order
from test_ss_fetch import SETTINGS, fetched, interrupted, whole
from test_ss_sound import probed

pytestmark = [pytest.mark.full]
LIVE, FETCHED = ["h264", "aac"], ["h264"]
"""A camera's own storage gives pictures alone."""
FOLDER = "node-a"


def kill_amid_fetching(store: Store, channel: str) -> None:
    """Kill DSS_SS once some of the gap is in a file, and start it again."""
    until = time.monotonic() + 60
    while store.ask(f"/recording/{channel}")["fetch"]["state"] != "fetching":
        assert time.monotonic() < until
        time.sleep(0.05)
    time.sleep(3)
    kill_recorder(store)


def joined(store: Store, id: str, made: Path) -> Path:
    """The export of one node as a download of several, fetched in two ranges."""
    parts = [{"node": FOLDER, "address": "", "port": 0}]
    status, said = call(store, "POST", f"/collections/{id}", {"name": "all.zip", "parts": parts})
    assert status == 200, said
    half = said["size"] // 2
    for span in (f"0-{half - 1}", f"{half}-"):
        url = f"http://127.0.0.1:{store.ss_port}/collection/{id}?token={store.pass_for(f'collection/{id}')}"
        subprocess.run(["curl", "-fsS", "-r", span, "-o", str(made.with_suffix(".part")), url], check=True)
        with made.open("ab") as file:
            file.write(made.with_suffix(".part").read_bytes())
    assert made.stat().st_size == said["size"]
    return made


def check_sums(store: Store) -> None:
    """The sums of the index, after all that was replaced and forgotten, are those of its rows and files."""
    with sqlite3.connect(store.folder / "state" / "index.db") as base:
        told = base.execute("SELECT size, locked FROM totals").fetchall()
        added = base.execute("SELECT SUM(size), SUM(size * locked) FROM files").fetchall()
        known = base.execute("SELECT COUNT(*) FROM files").fetchone()
    assert told == added
    assert known == (len(store.files("one")),)


@pytest.mark.timeout(300)
def test_a_kill_amid_fetching_into_an_encrypted_archive_with_sound_costs_nothing(tmp_path: Path) -> None:
    with Sealed(tmp_path, SETTINGS | {"encryption": True}) as store:
        camera = CardCamera(str(tmp_path / "card"), codec="h264-audio")
        recorded(store, "one", camera, sound=True)
        interrupted(store, camera)
        kill_amid_fetching(store, "one")
        assert fetched(store)["gaps"] == []
        found = whole(store)["intervals"]
        assert [one.get("source", "") for one in found] == ["", "camera", ""]
        assert all(one["after"] == "join" for one in found[1:])
        assert losses(numbers(store.clip("one"))) == []
        job = ended(store, order(store, "one", folder=FOLDER)["id"])
        assert (job["state"], job["why"]) == ("done", "")
        with zipfile.ZipFile(joined(store, job["id"], tmp_path / "all.zip")) as archive:
            assert archive.testzip() is None
            parts = [Path(archive.extract(one, tmp_path)) for one in archive.namelist() if ".mp4" in one]
        assert [kind for kind, _ in groupby(probed(one) for one in parts)] == [LIVE, FETCHED, LIVE]
        assert losses([number for one in parts for number in numbers(one)]) == []
        assert store.readable() == []
        assert store.ask("/state")["encryption"]["damaged"] == []
        store.stop_ss()
        check_sums(store)
