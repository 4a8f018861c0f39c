"""Fetched footage fits into a gap whatever the camera gives: nothing twice, nothing torn, all of it known."""

import itertools
from dataclasses import replace
from pathlib import Path

import pytest

from services.media.plans import CONTINUOUS, EVENT, WEEKLY, Plan, WeekSpan
from services.recording_keys import ID_SIZE
from services.runtime.health import Health
from services.ss import plan as recording
from services.ss import timeline
from services.ss.entry import CAMERA, GAP, JOINED, SECOND, Entry, joins, spare
from services.ss.fetch import runner, splice
from services.ss.fetch.minutes import within
from services.ss.fetch.owed import GAVE_UP, Channel, Owed
from services.ss.fetch.replay import Group
from services.ss.fetch.runner import Fetcher, Limits
from services.ss.fetch.splice import Splice
from tests.unit.ss_bench import INIT, NOON, RATE, Bench, Camera

CHANNEL = "cam"


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    return Bench(tmp_path, monkeypatch)


def group(number: int, media: float, frames: int = 50, whole: bool = True) -> Group:
    """A GOP whose key picture is like no other one's."""
    made = Camera(tick=round(media * RATE)).gop(frames)
    return Group(INIT, 'video/mp4; codecs="avc1.42c01e"', RATE, round(media * SECOND), made.first, made.end,
                 frames, bytes(made.body), number.to_bytes(4, "big"), whole)  # fmt: skip


async def gapped(bench: Bench, seconds: float = 20) -> Entry:
    """Three GOPs, the last one cut short, then nothing, then three more; the file behind the gap."""
    for frames in (50, 50, 20):
        await bench.feed(bench.camera.gop(frames))
    bench.camera.wait(seconds)
    for n in range(3):
        await bench.feed(bench.camera.gop(50, gap=n == 0))
    await bench.recorder.finish()
    (after,) = list(bench.store.index.gaps(CHANNEL, 1, 9))
    return after


def fill(
    bench: Bench, after: Entry, groups: list[Group], first_at: int, prints: tuple[bytes, bytes]
) -> Splice:
    hole = splice.left(bench.store, after, 0, after.start, "continuous")
    assert hole
    made = Splice(bench.store, hole, bench.store.disks.all[0], first_at)
    made._front, made._back = prints
    for one in groups:
        made.take(one)
    made.finish()
    return made


def sources(bench: Bench) -> list[tuple[float, float, str, str]]:
    found = bench.store.library.within(CHANNEL, 0, NOON * 2)
    shown = timeline.intervals(found, 0, NOON * 2)
    return [(_seconds(one.start), _seconds(one.end), one.after, one.source) for one in shown]


def _seconds(at: int) -> float:
    return round((at - NOON) / SECOND, 1)


async def test_a_gop_that_was_cut_short_is_replaced_by_the_whole_of_it(bench: Bench) -> None:
    after = await gapped(bench)
    groups = [group(n, 2 * n) for n in range(14)]
    # Group 1 is what was cut short; the one behind the gap is known again too.
    groups[13] = replace(groups[13], print=b"back")
    fill(bench, after, groups, 0, (groups[1].print, b"back"))
    before, filled, behind = sources(bench)
    assert before == (0, 4, "gap", "")
    assert filled[0] == 4
    assert filled[2:] == ("join", CAMERA)
    assert behind[3] == ""


async def test_without_a_picture_that_is_known_again_nothing_overlaps(bench: Bench) -> None:
    after = await gapped(bench)
    fill(bench, after, [group(n, 2 * n) for n in range(20)], NOON, (b"", b""))
    found = sources(bench)
    assert all(one[1] <= other[0] for one, other in itertools.pairwise(found))
    assert found[1][3] == CAMERA
    missing = sum(other[0] - one[1] for one, other in itertools.pairwise(found))
    assert missing <= 4


@pytest.mark.parametrize("off", [-0.9, -0.2, 0.0, 0.4, 0.7, 1.2])
async def test_where_only_what_is_behind_the_gap_is_known_again_all_is_kept_up_to_there(
    bench: Bench, off: float
) -> None:
    after = await gapped(bench)
    groups = [group(n, 2 * n) for n in range(5)] + [replace(group(5, 10), print=b"back")]
    fill(bench, after, groups, after.start + round((off - 10) * SECOND), (b"other", b"back"))
    _, filled, behind = sources(bench)
    assert (filled[1], behind[2]) == (behind[0], "join")
    fetched = [one for one in bench.store.library.within(CHANNEL, 0, NOON * 2) if one.source == CAMERA]
    assert sum(len(one.gops) for one in fetched) == 5


async def test_pictures_that_are_missing_before_what_is_known_again_stay_a_gap(bench: Bench) -> None:
    after = await gapped(bench)
    groups = [group(n, 2 * n) for n in range(5)] + [replace(group(6, 11), print=b"back")]
    fill(bench, after, groups, after.start - 11 * SECOND, (b"", b"back"))
    assert sources(bench)[2][2] == "gap"


async def test_a_file_that_cannot_be_read_keeps_its_number(bench: Bench) -> None:
    after = await gapped(bench)
    locked = replace(after, seq=2, start=after.start - 1, join=JOINED, gops=(), parts=bytes(ID_SIZE))
    bench.store.index.put([locked])
    fill(bench, after, [group(n, 2 * n) for n in range(8)], 0, (group(1, 2).print, b""))
    assert [one[3] for one in sources(bench)] == ["", CAMERA, ""]
    assert locked in bench.store.index.oldest(str(bench.root), 9)


async def test_what_a_power_cut_left_twice_stands_once_after_the_next_look(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    after = await gapped(bench)
    with monkeypatch.context() as cut:
        cut.setattr(splice, "_shorten", lambda *_: None)
        fill(bench, after, [group(n, 2 * n) for n in range(3)], 0, (group(1, 2).print, b""))
    assert sources(bench)[0][1] > 4
    assert splice.left(bench.store, after, 0, after.start, "continuous")
    assert sources(bench)[0][1] == 4


async def test_a_rebuilt_index_knows_what_was_fetched(bench: Bench) -> None:
    after = await gapped(bench)
    fill(bench, after, [group(n, 2 * n) for n in range(8)], 0, (group(1, 2).print, b""))
    (bench.state / "index.db").unlink()
    bench.open()
    assert [one[3] for one in sources(bench)] == ["", CAMERA, ""]


def test_gaps_leave_numbers_free_for_what_comes_between() -> None:
    assert spare(0) > 4
    assert spare(3600 * SECOND) >= 120
    assert spare(10**15) == 4096
    one = Entry("c", 1, 0, SECOND, 1, "/r", GAP, RATE, ())
    assert not joins(one, replace(one, seq=2, start=SECOND, join=GAP))
    assert joins(one, replace(one, seq=9, start=SECOND, join=GAP, source=CAMERA))
    assert not joins(one, replace(one, seq=9, start=3 * SECOND, source=CAMERA))


def test_only_what_the_plan_wanted_is_owed_and_that_outlives_a_restart(tmp_path: Path) -> None:
    owed = Owed(tmp_path)
    owed.asked("c", EVENT, 100 * SECOND)
    owed.asked("c", None, 160 * SECOND)
    owed.asked("c", EVENT, 300 * SECOND)
    owed.keep()
    owed = Owed(tmp_path)
    owed.gap("c", 9, 50 * SECOND, 400 * SECOND, Plan("event"))
    assert [(one.start // SECOND, one.end // SECOND) for one in owed.jobs] == [(100, 160), (300, 400)]
    owed.change(owed.jobs[0], state=GAVE_UP, why="because")
    owed.keep()
    assert [one.why for one in Owed(tmp_path).jobs] == ["because", ""]


def fetcher(bench: Bench, owed: Owed) -> Fetcher:
    health = Health()
    return Fetcher(bench.store, recording.Plan(bench.store, health), owed, health, Limits())


async def test_more_gaps_than_are_looked_at_at_once_come_with_the_next_look(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner, "LOOK", 1)
    for _ in range(3):
        bench.camera.wait(20)
        await bench.feed(bench.camera.gop(50, gap=True))
    await bench.recorder.finish()
    owed = Owed(bench.state)
    owed.channels[CHANNEL] = Channel([(0, 0, CONTINUOUS)], 1)
    one = fetcher(bench, owed)
    for _ in range(3):
        await one._look(CHANNEL, Plan(CONTINUOUS))
    assert [round((job.end - job.start) / SECOND) for job in owed.jobs] == [20, 20]
    assert owed.channels[CHANNEL].seq == owed.jobs[-1].seq


async def test_while_another_node_records_a_channel_nothing_of_it_is_owed(bench: Bench) -> None:
    owed = Owed(bench.state)
    owed.asked(CHANNEL, CONTINUOUS, NOON)
    fetcher(bench, owed).take([])
    ((start, end, _),) = owed.channels[CHANNEL].asked
    assert 0 < start < end


def test_a_list_that_cannot_be_read_begins_anew(tmp_path: Path) -> None:
    (tmp_path / "fetch.json").write_text('{"jobs": [{"channel": 1}], "channels": {}}')
    assert Owed(tmp_path).jobs == []


def test_of_a_week_only_the_minutes_that_are_recorded_always_are_owed() -> None:
    noon = 1_790_000_000 // 86_400 * 86_400 * SECOND
    day = (WeekSpan(600, 660, "continuous"), WeekSpan(660, 700, "event"))
    found = within(Plan(WEEKLY, (day,) * 7), noon + 630 * 60 * SECOND, noon + 1440 * 60 * SECOND)
    assert [(a - noon, b - noon) for a, b in found] == [(630 * 60 * SECOND, 660 * 60 * SECOND)]


async def test_on_a_disk_that_touches_its_reserve_nothing_is_begun_and_nothing_is_lost(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    after = await gapped(bench)
    before = sources(bench)
    monkeypatch.setattr(bench.store.disks.all[0], "free", lambda: 0)
    with pytest.raises(splice.FullError, match="no room that recording could spare"):
        fill(bench, after, [group(n, 2 * n) for n in range(4)], 0, (group(1, 2).print, b""))
    assert sources(bench) == before


def test_a_file_whose_only_gop_came_again_leaves_no_gap_behind() -> None:
    one = Entry("c", 3, 0, SECOND, 1, "/r", GAP, RATE, ())
    assert joins(one, replace(one, seq=5, start=SECOND, join=JOINED))
    assert not joins(one, replace(one, seq=5, start=3 * SECOND, join=JOINED))
