"""Exports of a real DSS_SS: it plays, is whole after kill -9, and a download goes on where it was cut."""

import hashlib
import json
import secrets
import shutil
import signal
import sqlite3
import subprocess
import time
import urllib.error
import urllib.request
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ss_rack import Store, losses, numbers

from lab import needs
from services.ss.exports import pieces, worker
from services.ss.index import Index
from services.ss.library import Library
from services.ss.locks import Locks

RECORDED = 6
SETTLED = 1.5
"""With the restart behind it: what is younger than three seconds when it is ordered is not exported."""
COPIES = [f"copy-{n:02d}" for n in range(15)]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """A channel recorded in files of two seconds, 15 copies of it, one that lacks a file in the middle."""
    with Store(tmp_path_factory.mktemp("ss"), {"file_seconds": 1}) as started:
        started.counting("cam")
        started.wait_bytes("cam")
        time.sleep(RECORDED)
        started.record("cam", "off")
        time.sleep(SETTLED)
        started.stop_ss()
        for name in (*COPIES, "clocked", "holes", "lost"):
            shutil.copytree(started.recordings / "cam", started.recordings / name)
        started.files("holes")[1].unlink()
        started.start_ss()
        yield started


def call(store: Store, method: str, path: str, data: object = None) -> tuple[int, Any]:
    """Status and JSON of an answer of DSS_SS to main."""
    text = None if data is None else json.dumps(data).encode()
    headers = {"Authorization": f"Bearer {store.node_token}", "Content-Type": "application/json"}
    request = urllib.request.Request(f"http://127.0.0.1:{store.ss_port}{path}", text, headers, method=method)
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read())


def order(store: Store, *channels: str, form: str = "mp4", status: int = 201, folder: str = "") -> Any:  # noqa: ANN401 - JSON
    """Order all that is recorded of channels."""
    now = int(time.time() * 1000)
    wanted = [{"channel": one, "name": f"Gate {one}"} for one in channels]
    given = {"id": secrets.token_hex(8), "channels": wanted, "start": now - 3_600_000, "end": now,
             "format": form, "by": "admin", "platform": "City Hall", "folder": folder}  # fmt: skip
    code, said = call(store, "POST", "/exports", given)
    assert code == status, said
    return said


def ended(store: Store, id: str, seconds: float = 60) -> Any:  # noqa: ANN401 - JSON
    """The job once it is over."""
    return until(store, id, lambda job: job["state"] in {"done", "failed", "cancelled"}, seconds)


def until(store: Store, id: str, good: Any, seconds: float = 60) -> Any:  # noqa: ANN401
    limit, job = time.monotonic() + seconds, {}
    while time.monotonic() < limit:
        job = store.ask(f"/exports/{id}")
        if good(job):
            return job
        time.sleep(0.02)
    raise AssertionError(f"the export stays {job}")


def url(store: Store, id: str, token: str = "") -> str:
    return f"http://127.0.0.1:{store.ss_port}/export/{id}?token={token or store.pass_for(f'export/{id}')}"


def fetched(store: Store, job: Any, folder: Path) -> Path:  # noqa: ANN401
    """The result as a file, its hash compared."""
    path = folder / job["name"]
    subprocess.run(["curl", "-fsS", "-o", str(path), url(store, job["id"])], check=True)
    assert hashlib.sha256(path.read_bytes()).hexdigest() == job["sha256"]
    assert path.stat().st_size == job["size"]
    return path


def probed(path: Path) -> tuple[int, float]:
    """Decoded pictures and seconds, as ffprobe counts them; it may say nothing on its error channel."""
    words = ["ffprobe", "-v", "error", "-count_frames", "-select_streams", "v", "-of", "json",
             "-show_entries", "stream=nb_read_frames,duration"]  # fmt: skip
    done = subprocess.run([*words, str(path)], check=True, capture_output=True, text=True)
    assert done.stderr == ""
    (stream,) = json.loads(done.stdout)["streams"]
    return int(stream["nb_read_frames"]), float(stream["duration"])


def boxes(path: Path) -> list[str]:
    """The kinds of the boxes at the top of a file, in their order."""
    data, place, found = path.read_bytes(), 0, []
    while place < len(data):
        found.append(data[place + 4 : place + 8].decode())
        place += int.from_bytes(data[place : place + 4], "big")
    return found


@pytest.mark.parametrize("form", ["mp4", "fmp4"])
def test_one_channel_gives_one_file_that_plays_with_every_picture(
    store: Store, form: str, tmp_path: Path
) -> None:
    job = ended(store, order(store, "cam", form=form)["id"])
    assert (job["state"], job["files"], job["why"]) == ("done", 1, "")
    path = fetched(store, job, tmp_path)
    assert path.name.startswith("Gate_cam-")
    found = numbers(path)
    recorded = [n for file in store.files("cam") for n in numbers(file)]
    assert found == recorded
    assert losses(found) == []
    assert probed(path) == (len(found), pytest.approx(len(found) / 25, abs=0.041))
    kinds = boxes(path)
    assert kinds[:2] == ["ftyp", "moov"]
    assert ("moof" in kinds) == (form == "fmp4")
    subprocess.run(["ffmpeg", "-v", "error", "-xerror", "-i", str(path), "-f", "null", "-"], check=True)


@pytest.mark.parametrize("form", ["mp4", "fmp4"])
def test_a_file_whose_end_was_told_by_the_clock_is_exported_whole(store: Store, form: str) -> None:
    with sqlite3.connect(store.folder / "state" / "index.db", timeout=10) as base:
        base.execute("""UPDATE files SET "end" = "end" - 300000 WHERE channel = 'clocked'""")
    job = ended(store, order(store, "clocked", form=form)["id"])
    assert (job["state"], job["files"], job["why"]) == ("done", 1, "")


def test_a_recorder_killed_in_the_middle_of_a_job_goes_on_and_tears_nothing(
    store: Store, tmp_path: Path
) -> None:
    id = order(store, *COPIES, "cam")["id"]
    until(store, id, lambda job: job["files"] >= 3 and job["state"] == "running")
    store.stop_ss(signal.SIGKILL)
    note = json.loads((store.recordings / "_exports" / id / "job.json").read_text())
    assert 3 <= len(note["made"]) < 16
    # What a power cut leaves behind the last finished file is no part of it.
    with (store.recordings / "_exports" / id / "result").open("ab") as file:
        file.write(b"torn" * 1000)
    store.start_ss()
    # Either it is not done, or main's key is not known yet.
    assert call(store, "GET", url(store, id).partition(str(store.ss_port))[2])[0] in {409, 503}
    job = ended(store, id)
    assert (job["state"], job["files"]) == ("done", 16)
    after = json.loads((store.recordings / "_exports" / id / "job.json").read_text())
    assert after["made"][: len(note["made"])] == note["made"], "finished files were made anew"
    with zipfile.ZipFile(fetched(store, job, tmp_path)) as archive:
        manifest = json.loads(archive.read("manifest.json"))
        assert [one["channel"] for one in manifest["files"]] == [*COPIES, "cam"]
        for one in manifest["files"]:
            data = archive.read(one["name"])
            assert hashlib.sha256(data).hexdigest() == one["sha256"]
            found = numbers(data)
            assert (len(found), losses(found)) == (one["frames"], [])
    subprocess.run(["unzip", "-tq", str(tmp_path / job["name"])], check=True, stdout=subprocess.DEVNULL)


def test_a_gap_makes_two_files_and_the_manifest_says_where(store: Store, tmp_path: Path) -> None:
    shutil.rmtree(store.recordings / "lost")
    job = ended(store, order(store, "holes", "lost")["id"])
    assert (job["state"], job["files"]) == ("done", 2)
    with zipfile.ZipFile(fetched(store, job, tmp_path)) as archive:
        manifest = json.loads(archive.read("manifest.json"))
        parts = [numbers(archive.read(one["name"])) for one in manifest["files"]]
    assert [one["begins_after"] for one in manifest["files"]] == ["start", "gap"]
    assert [losses(one) for one in parts] == [[], []]
    assert parts[1][0] - parts[0][-1] - 1 == len(numbers(store.files("cam")[1]))
    holes, lost = manifest["channels"]
    assert {"start": manifest["files"][0]["end"], "end": manifest["files"][1]["start"]} in holes["gaps"]
    assert (lost["files"], round(lost["missing_seconds"])) == (0, 3600)
    keys = ("platform", "ordered_by", "node", "export")
    assert [manifest[key] for key in keys] == ["City Hall", "admin", "main-1", job["id"]]


def test_a_download_that_was_cut_goes_on_to_the_same_bytes(store: Store, tmp_path: Path) -> None:
    job = ended(store, order(store, "cam")["id"])
    path = tmp_path / "part"
    subprocess.run(["curl", "-fsS", "-r", "0-99999", "-o", str(path), url(store, job["id"])], check=True)
    assert path.stat().st_size == 100_000
    subprocess.run(["curl", "-fsS", "-C", "-", "-o", str(path), url(store, job["id"])], check=True)
    assert hashlib.sha256(path.read_bytes()).hexdigest() == job["sha256"]


def test_the_archives_of_several_nodes_become_one_that_can_be_fetched_in_pieces(
    store: Store, tmp_path: Path
) -> None:
    id = ended(store, order(store, "cam", folder="main-1")["id"])["id"]
    asked = {"name": "City_Hall.zip", "parts": [{"node": "main-1", "address": None, "port": None}]}
    status, said = call(store, "POST", f"/collections/{id}", asked)
    assert status == 200, said
    path = tmp_path / "whole.zip"
    for more in (["-r", "0-99999"], ["-C", "-"]):
        way = f"http://127.0.0.1:{store.ss_port}/collection/{id}?token={store.pass_for(f'collection/{id}')}"
        subprocess.run(["curl", "-fsS", *more, "-o", str(path), way], check=True)
    assert path.stat().st_size == said["size"]
    subprocess.run(["unzip", "-tq", str(path)], check=True, stdout=subprocess.DEVNULL)
    with zipfile.ZipFile(path) as archive:
        (file,) = json.loads(archive.read("main-1/manifest.json"))["files"]
        assert archive.namelist() == [file["name"], "main-1/manifest.json"]
        assert hashlib.sha256(archive.read(file["name"])).hexdigest() == file["sha256"]
        assert losses(numbers(archive.read(file["name"]))) == []


def test_parts_that_cannot_be_joined_are_said_to_be_there_one_by_one(store: Store) -> None:
    alone = ended(store, order(store, "cam")["id"])["id"]
    here = {"node": "main-1", "address": None, "port": None}
    for parts, status in (([here], 409), ([], 422), ([{}], 422)):
        code, said = call(store, "POST", f"/collections/{alone}", {"name": "x.zip", "parts": parts})
        assert code == status, said
        assert "one by one" in said["remedy"]
    way = f"/collection/{alone}?token={store.pass_for(f'collection/{alone}')}"
    assert call(store, "GET", way)[0] == 409


def test_a_result_needs_a_token_of_its_own_that_works_once(store: Store) -> None:
    one, other = (ended(store, order(store, "cam")["id"])["id"] for _ in range(2))
    spent = store.pass_for(f"export/{one}")
    subprocess.run(["curl", "-fsS", "-o", "/dev/null", url(store, one, spent)], check=True)
    foreign = [store.token(f"export/{one}"), store.pass_for("cam"), store.pass_for(f"export/{other}"),
               store.token(f"recording/export/{one}", node="sub-9"),
               store.token(f"recording/export/{one}", expires=time.time() - 1)]  # fmt: skip
    for token in (spent, "x", *foreign):
        status, said = call(store, "GET", url(store, one, token).partition(str(store.ss_port))[2])
        assert (status, said["code"]) == (403, "export-refused")
    clip = f"/clip/cam?from=0&to=1000&token={store.pass_for(f'export/{one}')}"
    assert call(store, "GET", clip)[0] == 403
    for path in ("/exports", f"/exports/{one}"):
        with pytest.raises(urllib.error.HTTPError, match="401"):
            store.ask(path, public=True)


def test_at_most_two_jobs_run_at_once_and_one_that_is_cancelled_leaves_nothing(store: Store) -> None:
    ids = [order(store, *COPIES)["id"] for _ in range(4)]
    until(store, ids[0], lambda job: job["files"] >= 1)
    states = [one["state"] for one in store.ask("/exports") if one["id"] in ids]
    assert sum(state in {"running", "verifying"} for state in states) <= 2
    assert states[3] == "queued"
    for id in ids:
        assert call(store, "POST", f"/exports/{id}/cancel", {})[1]["state"] == "cancelled"
        assert [path.name for path in (store.recordings / "_exports" / id).iterdir()] == ["job.json"]
        assert call(store, "DELETE", f"/exports/{id}") == (200, {})
        assert not (store.recordings / "_exports" / id).exists()
        assert call(store, "GET", f"/exports/{id}")[0] == 404


def test_an_order_that_cannot_be_carried_out_is_refused(store: Store) -> None:
    assert order(store, "nobody", status=404)["code"] == "export-empty"
    for body in ({}, [], "x", {"id": "1"}):
        assert call(store, "POST", "/exports", body)[0] == 422


def test_exports_are_no_recordings(store: Store) -> None:
    ended(store, order(store, "cam")["id"])
    before = store.timeline("cam", time.time() - 3600, time.time())
    store.stop_ss()
    store.start_ss()
    assert store.timeline("cam", time.time() - 3600, time.time())["covered"] == before["covered"]
    index = Index(store.folder / "state" / "index.db")
    assert "_exports" not in index.channels()
    index.close()


def test_a_job_stops_before_the_disk_loses_its_reserve(store: Store, tmp_path: Path) -> None:
    index = Index(store.folder / "state" / "index.db")
    piece = next(pieces.pieces(Library(index, Locks([])), "cam", 0, int(time.time() * 1e6)))
    index.close()
    task = {"result": str(tmp_path / "result"), "offset": 0, "format": "mp4", "reserve": 10**18,
            "piece": pieces.as_dict(piece), "anew": True, "encrypt": False}  # fmt: skip
    with pytest.raises(worker.FullError):
        worker.run(task)


@pytest.mark.full
def test_an_export_that_would_touch_the_reserve_is_refused(tmp_path: Path) -> None:
    needs.root()
    small = tmp_path / "small"
    small.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=36m", "tmpfs", str(small)], check=True)
    try:
        with Store(tmp_path, {"folders": [str(small)]}) as store:
            store.counting("cam")
            store.wait_bytes("cam", 100_000)
            time.sleep(3)
            (small / "ballast").write_bytes(bytes(3_600_000))
            said = order(store, "cam", status=409)
            assert said["code"] == "export-refused"
            assert "reserve of the disk" in said["why"]
            assert not list(small.glob("_exports/*"))
            (small / "ballast").unlink()
            assert ended(store, order(store, "cam")["id"])["state"] == "done"
    finally:
        subprocess.run(["umount", "-l", str(small)], check=True)
