"""Files, index and timeline agree whatever comes: gaps, set clocks, GOPs that come twice, torn ends."""

import asyncio
import errno
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from itertools import pairwise
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.media import batch
from services.media.batch import Batch
from services.runtime.errors import Problem
from services.runtime.health import Health
from services.ss import boxes, clip, reader, recorder, recovery, timeline
from services.ss.entry import SECOND, Entry, Gop, named, pack, place, unpack
from services.ss.plan import Plan
from services.ss.reader import Reader
from services.ss.recorder import Recorder
from services.ss.retention import Quota
from services.ss.store import Store
from tests.unit.ss_bench import FRAME, INIT, NOON, RATE, Bench, Ring, scanned, size_in


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    return Bench(tmp_path, monkeypatch)


async def test_files_are_cut_at_key_frames_and_join_without_a_gap(bench: Bench) -> None:
    await bench.shoot(12)
    found = bench.store.library.within("cam", 0, NOON * 2)
    assert len(bench.files()) == 3
    assert [one.end for one in found[:-1]] == [one.start for one in found[1:]]
    (whole,) = timeline.intervals(found, 0, NOON * 2)
    assert (whole.start, whole.end) == (NOON, NOON + 12 * SECOND)
    await bench.close()


@pytest.mark.parametrize("hours", [1, -1])
async def test_a_clock_that_is_set_starts_a_file_and_is_told(bench: Bench, hours: int) -> None:
    await bench.shoot(3)
    bench.camera.wall += hours * 3600 * SECOND
    await bench.shoot(3)
    first, second = timeline.intervals(bench.store.library.within("cam", 0, NOON * 2), 0, NOON * 2)
    assert (first.end - first.start, second.end - second.start) == (3 * SECOND, 3 * SECOND)
    assert second.after == "clock"
    assert second.start - first.end == hours * 3600 * SECOND
    assert bench.recorded() == bench.camera.made
    await bench.close()


async def test_a_moment_that_was_recorded_twice_gives_what_was_recorded_last(bench: Bench) -> None:
    await bench.shoot(3)
    bench.camera.wall = NOON
    await bench.shoot(3)
    found = bench.store.library.find("cam", NOON + SECOND)
    assert found is not None
    assert found.seq == 2
    both = timeline.intervals(bench.store.library.within("cam", 0, NOON * 2), 0, NOON * 2)
    assert timeline.covered(both) == 3 * SECOND
    with pytest.raises(Exception, match="does not fit one file"):
        clip.plan(bench.store.library, "cam", NOON, NOON + 6 * SECOND)
    await bench.close()


async def test_a_clip_is_what_is_left_where_files_go_while_it_is_planned(bench: Bench) -> None:
    await bench.shoot(12)
    await bench.recorder.finish()
    bench.files()[0].unlink()
    found = clip.plan(bench.store.library, "cam", NOON, NOON + 12 * SECOND)
    assert found.start == bench.recorded()[0]
    assert sum(map(len, clip.parts(found))) == found.size
    for path in bench.files():
        path.unlink()
    with pytest.raises(Problem, match="Nothing is recorded"):
        clip.plan(bench.store.library, "cam", NOON, NOON + 12 * SECOND)


async def test_a_gop_that_comes_once_more_replaces_its_first_part(bench: Bench) -> None:
    whole = [bench.camera.gop(25) for _ in range(3)]
    part = Batch(
        True, False, 1, whole[2].at, whole[2].first, whole[2].first + FRAME, False, _first_frame(whole[2])
    )
    await bench.feed(whole[0], whole[1], part)
    await bench.close()
    bench.open()
    again = Batch(True, True, 25, whole[2].at, whole[2].first, whole[2].end, True, whole[2].body)
    await bench.feed(again, bench.camera.gop(25))
    assert bench.recorded() == bench.camera.made
    assert len(timeline.intervals(bench.store.library.within("cam", 0, NOON * 2), 0, NOON * 2)) == 1
    await bench.close()


def _first_frame(one: Batch) -> bytes:
    frame = next(boxes.parse(bytes(one.body)))
    return bytes(one.body)[: frame.end]


event = st.sampled_from(["gop", "gop", "gop", "long", "gap", "later", "earlier", "restart", "crash"])


@pytest.mark.parametrize("encrypted", [False, True])
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(event, min_size=1, max_size=14), st.integers(0, 400))
def test_index_and_timeline_are_what_the_files_say(
    monkeypatch: pytest.MonkeyPatch, encrypted: bool, events: list[str], torn: int
) -> None:
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        if encrypted:
            stack.enter_context(Ring(Path(name), monkeypatch))
        asyncio.run(_live_through(Bench(Path(name), monkeypatch), events, torn))


async def _live_through(bench: Bench, events: list[str], torn: int) -> None:
    for one in events:
        await _happen(bench, one, torn)
    await bench.close()
    found = Store([str(bench.root)], bench.state, Quota(), Health())
    entries = found.index.within("cam", NOON - 10**13, NOON + 10**13)
    assert {one.path: one.size for one in entries} == {p: size_in(p) for p in bench.files()}
    assert bench.recorded() == bench.camera.made
    assert [gop.at for one in entries for gop in one.gops] == bench.camera.made
    _check_intervals(entries)
    # Without its index it is the same again, but for what only neighbours tell: where joined files end.
    for path in bench.state.iterdir():
        path.unlink()
    found.close()
    anew = Store([str(bench.root)], bench.state, Quota(), Health())
    anew.recover()
    rebuilt = anew.index.within("cam", NOON - 10**13, NOON + 10**13)
    assert [(e.path, e.size, e.gops, e.join) for e in rebuilt] == [
        (e.path, e.size, e.gops, e.join) for e in entries
    ]
    anew.close()


async def _happen(bench: Bench, one: str, torn: int) -> None:
    moves = {"later": 3600, "earlier": -3600}
    if one in moves:
        bench.camera.wall += moves[one] * SECOND
    elif one == "gap":
        bench.camera.wait(30)
    elif one in {"restart", "crash"}:
        if one == "restart":
            await bench.recorder.finish()
        elif bench.recorder._segment:
            # As the kernel does it for a process that is gone.
            bench.recorder._segment._release()
        bench.store.close()
        if one == "crash" and bench.files():
            with bench.files()[-1].open("ab") as file:
                file.write(b"\0\0\0\x64moof" + b"\0" * torn)
        bench.open()
    await bench.feed(bench.camera.gop(200 if one == "long" else 12, gap=one in {"gap", "restart", "crash"}))


def _check_intervals(entries: list[Entry]) -> None:
    low, high = NOON - 10**13, NOON + 10**13
    found = timeline.intervals(entries, low, high)
    assert all(one.start < one.end for one in found)
    for one in entries:
        holding = [i for i in found if i.start <= one.start < i.end]
        assert holding, "a recorded moment that the timeline does not show"
    middle = entries[0].start + 1
    left, right = timeline.intervals(entries, low, middle), timeline.intervals(entries, middle, high)
    assert timeline.covered(left) + timeline.covered(right) == timeline.covered(found)


@given(
    st.lists(
        st.tuples(st.integers(1, 10**6), st.integers(0, 10**8), st.integers(0, 10**7), st.integers(1, 2000))
    )
)
def test_a_table_of_gops_comes_back_as_it_was(rows: list[tuple[int, int, int, int]]) -> None:
    gops = tuple(Gop(o, NOON + a, 7 + t, f) for o, a, t, f in sorted(rows))
    gops = tuple(sorted(gops, key=lambda gop: (gop.at, gop.tick)))
    if gops and min(g.tick for g in gops) < gops[0].tick:
        return
    assert unpack(gops[0].at if gops else NOON, pack(gops)) == gops


@given(st.integers(1, 99_999_999), st.integers(0, 4 * 10**15), st.sampled_from("cgs"))
def test_a_name_says_number_time_and_join(seq: int, start: int, join: str) -> None:
    assert named(Path(place("cam", seq, start, join)).name) == (seq, start, join)


async def test_times_in_a_reading_go_on_across_files_and_jump_with_gaps(bench: Bench) -> None:
    await bench.shoot(6)
    bench.camera.wait(10)
    await bench.feed(bench.camera.gop(25, gap=True))
    await bench.recorder.finish()
    one, ticks = Reader(NOON), []
    at = reader.find(bench.store.library, "cam", NOON)
    while at is not None:
        data = one.read(at)
        ticks += [frame.tick for frame in boxes.parse(data)]
        at = reader.after(bench.store.library, at)
    steps = {b - a for a, b in pairwise(ticks)}
    assert steps == {FRAME, FRAME + 10 * RATE}
    await bench.close()


async def test_zeros_that_a_power_cut_left_in_a_picture_are_cut_off(bench: Bench) -> None:
    await bench.shoot(2)
    await bench.close()
    (path,) = bench.files()
    frames = scanned(path)
    with path.open("r+b") as file:
        file.seek(frames.size - 6)
        file.write(b"\0" * 6)
        file.seek(frames.gops[1].offset + boxes.STAMP_SIZE + 108)
        file.write(b"\0" * 4)
    restored = recovery.restored(path, str(bench.root), "cam", 1, NOON, "g")
    assert restored is not None
    assert restored.size == frames.gops[1].offset == path.stat().st_size
    assert [gop.frames for gop in restored.gops] == [25]


async def test_recording_goes_on_while_the_index_cannot_be_written(bench: Bench) -> None:
    await bench.shoot(3)
    bench.store.index._base.execute("PRAGMA query_only = ON")
    await bench.shoot(12)
    await bench.close()
    assert bench.recorded() == bench.camera.made
    bench.open()
    entries = bench.store.index.within("cam", 0, NOON * 2)
    assert [gop.at for one in entries for gop in one.gops] == bench.camera.made
    assert [one.seq for one in entries] == list(range(1, len(bench.files()) + 1))
    await bench.close()


async def test_a_gop_that_comes_once_more_stays_where_it_is_when_no_new_file_can_be_made(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = [bench.camera.gop(25) for _ in range(2)]
    await bench.feed(*whole)
    await bench.close()
    bench.open()

    def full(*_: object) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    with monkeypatch.context() as patch:
        patch.setattr(recorder, "Segment", full)
        await bench.feed(
            Batch(True, True, 25, whole[1].at, whole[1].first, whole[1].end, True, whole[1].body)
        )
    assert bench.recorded() == bench.camera.made
    await bench.close()


async def test_a_channel_planned_anew_waits_until_its_last_file_is_finished(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow, numbers = asyncio.Event(), list[int]()

    async def run(self: Recorder, *_: object) -> None:
        numbers.append(self._before.seq if self._before else 0)
        self._head = (INIT, "video/mp4", RATE)
        try:
            await self._take(bench.camera.gop(25))
            await asyncio.Event().wait()
        finally:
            await slow.wait()
            await self.finish()

    monkeypatch.setattr(Recorder, "run", run)
    planned = Plan(bench.store, Health())
    rows = [{"id": "cam", "name": "Yard", "record": "continuous"}]
    planned.take(rows)
    await _until(lambda: bench.files())
    for now in ([], rows):
        planned.take(now)
        await asyncio.sleep(0.05)
    meanwhile = list(numbers)
    slow.set()
    await _until(lambda: len(numbers) > 1)
    await planned.close()
    assert (meanwhile, numbers) == ([0], [0, 1])
    await bench.close()


async def _until(ready: Callable[[], object]) -> None:
    async with asyncio.timeout(5):
        while not ready():
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("bad", ["cam", "cam/00000", "cam/00000/*.mp4"])
async def test_a_start_goes_on_past_what_a_failing_disk_does_not_give(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, bad: str
) -> None:
    await bench.shoot(2)
    await bench.close()
    for path in bench.state.iterdir():
        path.unlink()
    (broken,) = bench.root.glob(bad)

    def fails(path: Path) -> None:
        if path == broken:
            raise OSError(errno.EIO, "Input/output error")

    listed, scan = Path.iterdir, boxes.scan
    monkeypatch.setattr(Path, "iterdir", lambda path: fails(path) or listed(path))
    where = "/dev/fd/{}"
    monkeypatch.setattr(
        boxes, "scan", lambda file: fails(Path(where.format(file._file)).readlink()) or scan(file)
    )
    bench.open()
    assert bench.store.index.channels() == []
    assert len(bench.files()) == 1
    await bench.close()


def packed(one: Batch) -> bytes:
    flags = (batch.KEY if one.key else 0) | (batch.GAP if one.gap else 0)
    head = batch.HEADER.pack(flags, batch.VERSION, one.frames, one.at, one.first, one.end)
    return head + bytes(one.body)


async def test_a_camera_that_pauses_in_a_gop_goes_on_in_the_same_file_and_says_so(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recorder.auth, "bearer", dict[str, str])
    begin, rest = bench.camera.gop(10, gap=True), bench.camera.gop(15)
    rest = Batch(False, False, 15, rest.at, rest.first, rest.end, False, rest.body)
    problems: list[str] = []

    async def mts(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        await socket.send_json({"type": "init", "mime": "video/mp4", "timescale": RATE})
        await socket.send_bytes(INIT)
        await socket.send_bytes(packed(begin))
        await socket.send_json({"type": "note", "what": "No picture.", "why": "It paused.", "remedy": ""})
        await _until(lambda: bench.recorder.problem.startswith("No"))
        problems.append(bench.recorder.problem)
        await socket.send_bytes(packed(rest))
        await socket.close()
        return socket

    service = web.Application()
    service.add_routes([web.get("/record", mts)])
    async with TestClient(TestServer(service)) as node:
        with pytest.raises(ValueError, match="ended the stream"):
            await bench.recorder._once(str(node.make_url("/record")))
    (path,) = bench.files()
    assert sum(gop.frames for gop in scanned(path).gops) == 25
    assert problems == ["No picture. It paused."]
    assert bench.recorder.problem == ""
    await bench.close()
