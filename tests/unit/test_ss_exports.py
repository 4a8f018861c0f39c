"""Exports: what an order must be, how a job moves, what it is called, where it is cut, what may be kept."""

import io
import os
import zipfile
import zlib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.runtime import clock
from services.runtime.errors import Problem
from services.runtime.health import Health
from services.ss.disks import Disk
from services.ss.entry import SECOND, Entry, Gop
from services.ss.exports import archive, job, manifest, names, order, pieces, results, runner, shelf
from services.ss.exports.archive import Member
from services.ss.exports.job import MOVES, Job, Made
from services.ss.exports.pieces import Piece
from services.ss.exports.shelf import Limits, Shelf
from services.ss.retention import Quota
from services.ss.store import Store
from tests.unit.ss_bench import Ring

NOON = 1_790_000_000
GIVEN: dict[str, Any] = {
    "id": "0123456789abcdef", "channels": [{"channel": "cam", "name": "Gate"}], "start": NOON * 1000,
    "end": (NOON + 60) * 1000, "format": "mp4", "by": "admin", "platform": "City Hall",
}  # fmt: skip


def made(number: int, start: int, end: int, size: int = 10, offset: int = 0) -> Made:
    """A file of channel cam, from and to a second after noon."""
    return Made(f"{number:04d}.mp4", "cam", (NOON + start) * SECOND, (NOON + end) * SECOND, 25, 1.0, "start",
                (number, 0), offset, size, 0, "aa")  # fmt: skip


@pytest.fixture
def kept(tmp_path: Path) -> Shelf:
    """A shelf with room for 100 MB, of a disk with a reserve."""
    one = Shelf(Disk(str(tmp_path)), Limits(7, 100_000_000))
    one.disk.aside = one.aside
    one.open()
    return one


@pytest.mark.parametrize(
    "wrong",
    [
        {"id": "../../etc/passwd0"}, {"id": "0123456789ABCDEF"}, {"format": "avi"}, {"channels": []},
        {"channels": [{"channel": f"c{n}", "name": "x"} for n in range(17)]}, {"end": NOON * 1000},
        {"channels": [{"channel": "../x", "name": "x"}]}, {"start": True}, {"start": -1}, {"by": ""},
        {"channels": [{"channel": "cam", "name": "x"}] * 2}, {"end": (NOON + 86_401) * 1000}, {"by": 1},
        {"channels": "cam"}, {"start": 10**18, "end": 10**18 + 1},
        {"channels": [1]}, {"start": 1.5}, {"platform": "x" * 129}, {"folder": "../x"}, {"folder": "a/b"},
    ],
)  # fmt: skip
def test_an_order_that_is_none_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(Problem) as told:
        order.read(GIVEN | wrong)
    assert told.value.status == 422
    for nothing in (None, [], "x", {}):
        with pytest.raises(Problem):
            order.read(nothing)


def test_an_order_and_its_job_are_read_back_as_they_were_kept() -> None:
    first = order.read(GIVEN)
    assert order.read(first.as_dict()) == first
    one = Job(first, 5.0, state="done", made=[made(1, 0, 1)], zip=True, size=7, name="x.zip")
    assert job.restored(one.as_dict()) == one


@given(st.lists(st.sampled_from(sorted(MOVES)), max_size=8))
def test_a_job_that_is_over_stays_over_and_only_a_verified_one_is_done(states: list[str]) -> None:
    one, before = Job(order.read(GIVEN), 0.0), "queued"
    for state in states:
        try:
            one.move(state)
        except ValueError:
            assert one.state == before
            continue
        assert before not in job.OVER
        assert state != "done" or before == "verifying"
        before = state


@pytest.mark.parametrize("state", ["running", "verifying", "queued"])
def test_a_job_that_was_cut_off_is_queued_again_with_what_is_finished_of_it(kept: Shelf, state: str) -> None:
    one = kept.add(order.read(GIVEN), 1000)
    one.made, one.state = [made(1, 0, 10)], state
    kept.save(one)
    kept.result(one.order.id).write_bytes(b"half of it")
    (kept.folder / one.order.id / ".job.json.x1y2").write_text("torn")
    again = Shelf(kept.disk, kept.limits)
    again.open()
    assert again.jobs[one.order.id].state == "queued"
    assert again.jobs[one.order.id].made == one.made
    assert sorted(p.name for p in (kept.folder / one.order.id).iterdir()) == ["job.json", "result"]


@pytest.mark.parametrize("left", [None, b"half of"])
def test_a_job_whose_finished_files_are_gone_begins_anew(kept: Shelf, left: bytes | None) -> None:
    one = kept.add(order.read(GIVEN), 1000)
    one.made, one.state = [made(1, 0, 10)], "running"
    kept.save(one)
    if left:
        kept.result(one.order.id).write_bytes(left)
    again = Shelf(kept.disk, kept.limits)
    again.open()
    assert (again.jobs[one.order.id].state, again.jobs[one.order.id].made) == ("queued", [])


def test_a_job_begins_anew_whose_finished_file_was_torn_with_the_block_it_shares(
    kept: Shelf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Ring(tmp_path, monkeypatch):
        job = kept.add(order.read(GIVEN), 1000)
        job.move("running")
        job.made = [made(1, 0, 4, size=1000)]
        kept.save(job)
        path = kept.result(job.order.id)
        with results.begun(os.open(path, os.O_RDWR | os.O_CREAT), path, anew=True) as file:
            file.write(b"x" * 1500)
        kept.open()
        assert len(kept.jobs[job.order.id].made) == 1
        with path.open("rb+") as torn:
            torn.seek(600)
            torn.write(bytes(512))
        kept.open()
        assert kept.jobs[job.order.id].made == []


def test_a_power_cut_while_a_job_ends_never_leaves_finished_files_without_their_bytes(
    kept: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = kept.add(order.read(GIVEN), 1000)
    kept.result(one.order.id).write_bytes(b"half of it")

    def cut(_: Job) -> None:
        assert kept.result(one.order.id).exists()
        raise InterruptedError

    monkeypatch.setattr(kept, "save", cut)
    kept.end(one, "cancelled")
    assert not kept.result(one.order.id).exists()


@pytest.mark.parametrize("torn", ["", "{", "[]", '{"order": 1}', '{"made": [], "order": {}}'])
def test_what_is_no_job_is_taken_away_at_the_start(kept: Shelf, torn: str) -> None:
    for name in ("0123456789abcdef", "lost+found", "readme"):
        (kept.folder / name).mkdir(parents=True)
        (kept.folder / name / "job.json").write_text(torn)
        (kept.folder / name / "result").write_bytes(b"x")
    kept.open()
    assert kept.jobs == {}
    assert list(kept.folder.iterdir()) == []


@pytest.mark.parametrize("state", ["failed", "cancelled"])
def test_only_an_export_that_is_done_keeps_its_bytes(kept: Shelf, state: str) -> None:
    one = kept.add(order.read(GIVEN), 1000)
    kept.result(one.order.id).write_bytes(b"half of it")
    kept.end(one, state, "because")
    assert not kept.result(one.order.id).exists()
    kept.result(one.order.id).write_bytes(b"came back")
    again = Shelf(kept.disk, kept.limits)
    again.open()
    assert not kept.result(one.order.id).exists()
    assert (again.jobs[one.order.id].state, again.jobs[one.order.id].why) == (state, "because")


def test_an_order_is_refused_with_its_reason_beyond_the_quota_and_at_the_reserve(
    kept: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept.add(order.read(GIVEN), 60_000_000)
    second = order.read(GIVEN | {"id": "f" * 16})
    with pytest.raises(Problem, match=r"needs about 61 MB, and of the 100 MB .* 40 MB are left") as told:
        kept.add(second, 60_000_000)
    assert told.value.status == 409
    monkeypatch.setattr(Disk, "free", lambda self: 75_000_000 - self.aside())
    with pytest.raises(Problem, match="15 MB may be written before the reserve of the disk"):
        kept.add(second, 20_000_000)
    assert list(kept.jobs) == [GIVEN["id"]]
    assert not (kept.folder / second.id).exists()
    assert kept.add(second, 10_000_000) is kept.add(second, 99_000_000_000)


def test_recordings_leave_the_room_that_exports_may_still_take(kept: Shelf) -> None:
    one = kept.add(order.read(GIVEN), 60_000_000)
    assert kept.aside() == 100_000_000
    one.writing = 30_000_000
    assert kept.aside() == 70_000_000
    kept.end(one, "cancelled")
    assert kept.aside() == 100_000_000


def test_old_exports_go_one_by_one_and_what_is_under_way_stays(
    kept: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    for n in range(3):
        kept.add(order.read(GIVEN | {"id": f"{n:016x}"}), 1)
    for n in range(2):
        kept.end(kept.jobs[f"{n:016x}"], "cancelled")
    kept.expire()
    assert len(kept.jobs) == 3
    ahead = clock.now().replace(year=clock.now().year + 3)
    monkeypatch.setattr(clock, "now", lambda: ahead)
    kept.expire()
    assert sorted(kept.jobs) == [f"{1:016x}", f"{2:016x}"]
    for _ in range(3):
        kept.expire()
    assert [one.state for one in kept.jobs.values()] == ["queued"]
    assert [path.name for path in kept.folder.iterdir()] == [f"{2:016x}"]


@pytest.mark.parametrize(
    ("name", "plain"),
    [("Gate east", "Gate_east"), ("Hof Süd", "Hof_Sud"), ("大门", "cam-1"), ("../../x", "x"), ("", "cam-1"),
     ('a"\r\nb', "a_b"), ("x" * 80, "x" * 48), ("...", "cam-1")],
)  # fmt: skip
def test_names_of_files_are_plain_everywhere(name: str, plain: str) -> None:
    assert names.plain(name, "cam-1") == plain
    assert names.of_piece(7, "cam-1", name, NOON * SECOND) == f"0007-{plain}-20260921T141320Z.mp4"
    assert names.of_single("cam-1", name, NOON * SECOND) == f"{plain}-20260921T141320Z.mp4"


@settings(max_examples=40)
@given(st.lists(st.binary(max_size=300), max_size=5))
def test_an_archive_opens_and_every_file_in_it_is_whole(contents: list[bytes]) -> None:
    data, members = b"", []
    for n, content in enumerate(contents):
        name = f"{n}-ä.mp4"
        at = len(data) + archive.room(name)
        members.append(Member(name, NOON, at, len(content), zlib.crc32(content)))
        data += archive.head(members[-1]) + content
    data += archive.tail(members, len(data))
    with zipfile.ZipFile(io.BytesIO(data)) as found:
        assert found.testzip() is None
        assert [found.read(one) for one in found.infolist()] == contents
        assert all(one.date_time == (2026, 9, 21, 14, 13, 20) for one in found.infolist())


def test_an_archive_holds_files_beyond_four_gigabytes() -> None:
    one = Member("a", NOON, 5 << 32, 6 << 32, 1)
    whole = archive.head(one) + archive.tail([one], 12 << 32)
    assert (6 << 32).to_bytes(8, "little") in archive.head(one)
    assert ((5 << 32) - archive.room("a")).to_bytes(8, "little") in whole
    assert (12 << 32).to_bytes(8, "little") in whole


def test_the_manifest_says_where_something_is_missing() -> None:
    one = Job(order.read(GIVEN), 0.0, made=[made(1, -2, 10), made(2, 8, 20), made(3, 30, 50)])
    found = [(gap.start // SECOND - NOON, gap.end // SECOND - NOON) for gap in manifest.gaps(one, "cam")]
    assert found == [(20, 30), (50, 60)]
    assert manifest.missing(one) == 20
    assert manifest.gaps(one, "other") == [manifest.Gap(NOON * SECOND, (NOON + 60) * SECOND)]


class Filmed:
    """Files of one channel in an index, a GOP of 25 pictures each second; heads are what is asked of them."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.store = Store([str(folder)], folder / "state", Quota(), Health())
        self.heads: dict[int, bytes] = {}
        self.tick, self.at, self.seq = 0, NOON * SECOND, 0
        monkeypatch.setattr(pieces, "init_of", lambda entry: self.heads.get(entry.seq, b"head"))

    def film(self, seconds: int, join: str = "c", head: bytes = b"head") -> None:
        gops = []
        for n in range(seconds):
            gops.append(Gop(n * 100, self.at, self.tick, 25))
            self.at, self.tick = self.at + SECOND, self.tick + 90_000
        self.seq += 1
        self.heads[self.seq] = head
        self.store.index.put(
            [Entry("cam", self.seq, gops[0].at, self.at, seconds * 100, "/r", join, 90_000, tuple(gops))]
        )

    def cut(self, start: int = 0, end: int = 10**6, behind: tuple[int, int] | None = None) -> list[Piece]:
        """The pieces of a span, seconds after noon."""
        span = ((NOON + start) * SECOND, (NOON + end) * SECOND)
        return list(pieces.pieces(self.store.library, "cam", *span, behind))


@pytest.fixture
def filmed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Filmed:
    return Filmed(tmp_path, monkeypatch)


def test_a_span_is_cut_at_gaps_set_clocks_and_changes_of_format_only(filmed: Filmed) -> None:
    filmed.film(10)
    filmed.film(10)
    filmed.at += 5 * SECOND
    filmed.film(10, "g")
    filmed.at -= 12 * SECOND
    filmed.film(10, "s")
    filmed.film(10, "c", b"other")
    found = filmed.cut()
    assert [(one.after, len(one.places), one.frames) for one in found] == [
        ("start", 20, 500), ("gap", 10, 250), ("clock", 10, 250), ("format", 10, 250),
    ]  # fmt: skip
    assert [(one.end - one.start) / SECOND for one in found] == [20, 10, 10, 10]
    for n, one in enumerate(found):
        rest = filmed.cut(behind=one.last)
        assert [(x.after, x.places) for x in rest] == [(x.after, x.places) for x in found[n + 1 :]]
        assert pieces.read(pieces.as_dict(one)) == one


def test_a_span_begins_with_the_key_frame_before_it_and_long_ones_are_cut(
    filmed: Filmed, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(4):
        filmed.film(10)
    (one,) = filmed.cut(3, 27)
    assert (one.start, one.end) == ((NOON + 3) * SECOND, (NOON + 27) * SECOND)
    monkeypatch.setattr(pieces, "LONGEST", 15 * SECOND)
    found = filmed.cut()
    assert [(one.after, len(one.places)) for one in found] == [("start", 15), ("length", 15), ("length", 10)]
    assert [x.places for x in filmed.cut(behind=found[0].last)] == [x.places for x in found[1:]]
    assert filmed.cut(behind=found[0].last)[0].after == "length"


def test_a_camera_clock_that_begins_anew_begins_a_file(filmed: Filmed) -> None:
    filmed.film(10)
    filmed.tick = 0
    filmed.film(10)
    filmed.tick += 3600 * 90_000
    filmed.film(10)
    assert [(one.after, (one.end - one.start) // SECOND) for one in filmed.cut()] == [
        ("start", 10),
        ("gap", 10),
        ("gap", 10),
    ]


def test_what_went_since_the_last_file_counts_as_a_gap(filmed: Filmed) -> None:
    filmed.film(10)
    filmed.film(10)
    filmed.store.index.drop([("cam", 1)])
    (one,) = filmed.cut(behind=(1, 4))
    assert (one.after, one.start) == ("gap", (NOON + 10) * SECOND)


def test_the_growing_end_of_a_recording_is_not_exported(filmed: Filmed) -> None:
    one = order.read(GIVEN)
    assert runner._span(one, NOON + 30) == (NOON * SECOND, (NOON + 27) * SECOND)
    assert runner._span(one, NOON + 300) == (NOON * SECOND, (NOON + 60) * SECOND)


def test_how_much_a_span_takes_is_known_before_it_is_exported(filmed: Filmed) -> None:
    filmed.film(10)
    filmed.film(10)
    about = filmed.store.library.amount("cam", (NOON + 5) * SECOND, (NOON + 15) * SECOND)
    assert about == 1000
    assert filmed.store.library.amount("cam", (NOON + 50) * SECOND, (NOON + 60) * SECOND) == 0
    # One picture whose duration is not known yet is no time at all.
    one = Entry("cam", 3, filmed.at, filmed.at, 100, "/r", "g", 90_000, (Gop(0, filmed.at, 0, 1),))
    filmed.store.index.put([one])
    assert filmed.store.library.amount("cam", (NOON + 5) * SECOND, (NOON + 25) * SECOND) == 1500


def test_settings_say_how_long_and_how_much_is_kept() -> None:
    assert shelf.limits({}) == Limits(7, 0)
    assert shelf.limits({"export_days": 30, "export_gigabytes": 2}) == Limits(30, 2_000_000_000)


def test_exports_never_take_more_than_half_of_the_disk(tmp_path: Path) -> None:
    greedy = Shelf(Disk(str(tmp_path)), Limits(7, 10**18))
    greedy.open()
    now = os.statvfs(tmp_path)
    assert greedy.size == now.f_blocks * now.f_frsize // 2
    gone = Shelf(Disk(str(tmp_path / "away")), Limits())
    gone.open()
    with pytest.raises(Problem, match="0 MB that exports"):
        gone.add(order.read(GIVEN), 1)
    assert not (tmp_path / "away").exists()


def test_a_result_that_is_not_as_long_as_it_was_is_no_longer_given_out(kept: Shelf) -> None:
    ids = [f"{n:016x}" for n in range(3)]
    for id in ids:
        one = kept.add(order.read(GIVEN | {"id": id}), 1)
        one.made, one.state, one.size = [made(1, 0, 1)], "verifying", 5
        kept.result(id).write_bytes(b"12345")
        kept.end(one, "done")
    kept.result(ids[0]).write_bytes(b"1234")
    kept.result(ids[1]).unlink()
    kept.jobs = {}
    kept.open()
    assert list(kept.jobs) == ids[2:]


def test_exports_of_a_disk_that_was_away_are_known_when_it_is_back(kept: Shelf, tmp_path: Path) -> None:
    kept.add(order.read(GIVEN), 1)
    root = Path(kept.disk.root)
    away = root.rename(root.with_name("away"))
    again = Shelf(kept.disk, kept.limits)
    again.open()
    assert (again.known, again.jobs, again.size) == (False, {}, 0)
    away.rename(root)
    again.open()
    assert (again.known, list(again.jobs)) == (True, [GIVEN["id"]])
