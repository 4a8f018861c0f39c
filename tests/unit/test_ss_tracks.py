"""Main and sub stream of a channel: what is shown where one of them is away, and what holds for both."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.media import plans
from services.runtime.health import Health
from services.ss import blend, timeline, tracks
from services.ss.blend import Blend
from services.ss.disks import Disk
from services.ss.entry import GAP, SECOND, Entry, Gop
from services.ss.plan import Plan
from services.ss.reader import Place
from services.ss.retention import Quota
from services.ss.store import Store
from services.ss.timeline import Interval

NOON = 1_790_000_000 * SECOND
SPANS = st.lists(st.tuples(st.integers(0, 60), st.integers(1, 20)), max_size=6)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    root = tmp_path / "recordings"
    root.mkdir()
    made = Store([str(root)], tmp_path / "state", Quota(), Health())
    made.recover()
    yield made
    made.close()


def keep(store: Store, key: str, start: float, end: float, late: float = 0.0) -> None:
    """A file of a track from second to second after noon, a GOP each two seconds."""
    begin, stop = (NOON + round((one + late) * SECOND) for one in (start, end))
    gops = tuple(Gop(n, at, at * 9 // 100, 50) for n, at in enumerate(range(begin, stop, 2 * SECOND)))
    last = store.index.last(key)
    root = store.disks.all[0].root
    seq = (last.seq if last else 0) + 1
    store.index.put([Entry(key, seq, begin, stop, 1000, root, GAP, 90_000, gops)])


def shown(store: Store, stream: str, second: float) -> list[tuple[str, float]]:
    """All that a viewer is given from a moment on: stream, and second after noon."""
    one = Blend(store.library, "cam", stream)
    found: list[tuple[str, float]] = []
    place: Place | None = one.find(NOON + round(second * SECOND))
    while place and len(found) < 100:
        found.append((tracks.stream_of(place.entry.channel), (place.at - NOON) / SECOND))
        place = one.after(place)
    return found


def test_the_main_key_is_the_channel_so_that_older_archives_need_no_change() -> None:
    for stream in (plans.MAIN, plans.SUB):
        key = tracks.key("0123456789abcdef-1", stream)
        assert (tracks.channel_of(key), tracks.stream_of(key)) == ("0123456789abcdef-1", stream)
    assert tracks.key("cam", plans.MAIN) == "cam"
    assert tracks.keys("cam", plans.SUB) == ("cam.sub", "cam")


def test_the_other_stream_is_shown_where_the_wanted_one_lacks_and_no_longer(store: Store) -> None:
    keep(store, "cam", 0, 10)
    keep(store, "cam", 20, 30)
    keep(store, "cam.sub", 0, 40, late=0.7)
    found = shown(store, plans.MAIN, 0)
    assert found[:5] == [("main", n) for n in (0, 2, 4, 6, 8)]
    # The one that holds the moment at which the main stream ended; back as soon as there is main again.
    assert found[5:10] == [("sub", n) for n in (8.7, 10.7, 12.7, 14.7, 16.7)]
    assert found[10] == ("sub", 18.7)
    assert found[11:16] == [("main", n) for n in (20, 22, 24, 26, 28)]
    assert found[16] == ("sub", 28.7)
    assert shown(store, plans.MAIN, 15)[0] == ("sub", 14.7)
    assert {stream for stream, _ in shown(store, plans.SUB, 1)} == {"sub"}


def test_a_channel_of_one_stream_alone_is_shown_whichever_is_wanted(store: Store) -> None:
    keep(store, "cam.sub", 0, 10)
    assert shown(store, plans.MAIN, 0) == shown(store, plans.SUB, 0) == [("sub", n) for n in (0, 2, 4, 6, 8)]
    assert shown(store, plans.MAIN, 30) == []


def test_a_wanted_stream_that_is_only_just_behind_is_waited_for(store: Store) -> None:
    keep(store, "cam", 0, 10)
    keep(store, "cam.sub", 0, 16)
    assert shown(store, plans.MAIN, 8) == [("main", 8)]
    keep(store, "cam.sub", 16, 22)
    assert shown(store, plans.MAIN, 8)[:2] == [("main", 8), ("sub", 10)]


def test_a_file_that_is_open_and_does_not_grow_holds_nobody_up(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep(store, "cam", 0, 10)
    keep(store, "cam.sub", 0, 40)
    monkeypatch.setattr(store.library, "is_open", lambda entry: entry.channel == "cam")
    assert shown(store, plans.MAIN, 4)[:3] == [("main", 4), ("main", 6), ("sub", 8)]


def test_a_clock_that_was_set_back_is_no_gap(store: Store) -> None:
    keep(store, "cam", 10, 20)
    keep(store, "cam", 0, 6)
    keep(store, "cam.sub", 10, 20)
    keep(store, "cam.sub", 0, 6)
    assert [second for _, second in shown(store, plans.MAIN, 16)] == [16, 18, 0, 2, 4]


def test_the_timeline_says_what_only_the_sub_stream_has(store: Store) -> None:
    keep(store, "cam", 0, 10)
    keep(store, "cam", 20, 30)
    keep(store, "cam.sub", 0, 24, late=0.7)
    found = blend.intervals(store.library, "cam", NOON - SECOND, NOON + 60 * SECOND)
    told = [((a.start - NOON) / SECOND, (a.end - NOON) / SECOND, a.after, a.stream) for a in found]
    assert told == [(0, 10, "gap", "main"), (10, 20, "join", "sub"), (20, 30, "join", "main")]
    assert timeline.covered(found) == 30 * SECOND
    (alone,) = blend.of(store.library, "cam.sub", NOON, NOON + 60 * SECOND)
    assert (alone.start, alone.end) == (NOON + 700_000, NOON + 24_700_000)


@given(SPANS, SPANS)
def test_what_is_told_is_recorded_and_of_main_nothing_is_left_out(
    first: list[tuple[int, int]], second: list[tuple[int, int]]
) -> None:
    rows = [
        [Interval(a * SECOND, (a + size) * SECOND, "gap", stream=stream) for a, size in sorted(spans)]
        for spans, stream in ((first, plans.MAIN), (second, plans.SUB))
    ]
    found = timeline.filled(*rows)
    seconds = [{n for a, size in spans for n in range(a, a + size)} for spans in (first, second)]
    held = {
        stream: {
            n for one in found if one.stream == stream for n in range(one.start // SECOND, one.end // SECOND)
        }
        for stream in (plans.MAIN, plans.SUB)
    }
    assert held[plans.MAIN] == seconds[0]
    assert held[plans.SUB] <= seconds[1] - seconds[0]
    # What is left out is shorter than what can be shown.
    left = seconds[1] - seconds[0] - held[plans.SUB]
    assert all(not {n - 1, n + 1} & left for n in left)


def test_an_export_takes_the_sub_stream_for_each_gap_of_the_main_one(store: Store) -> None:
    keep(store, "cam", 10, 20)
    keep(store, "cam", 30, 40)
    keep(store, "cam.sub", 0, 34)
    found = [
        (key, (low - NOON) // SECOND, (high - NOON) // SECOND)
        for key, low, high in blend.spans(store.library, "cam", NOON, NOON + 60 * SECOND)
    ]
    assert found == [("cam", 0, 60), ("cam.sub", 0, 10), ("cam.sub", 20, 30)]


def test_a_lock_keeps_both_streams_and_so_it_does_after_a_restart(store: Store, tmp_path: Path) -> None:
    keep(store, "cam", 0, 10)
    keep(store, "cam.sub", 0, 10)
    keep(store, "cam.sub", 20, 30)
    store.lock("cam", NOON, NOON + SECOND, "case 1", "admin")
    root = store.disks.all[0].root
    assert [(one.channel, one.seq) for one in store.index.oldest(root, 9)] == [("cam.sub", 2)]
    again = Store([root], tmp_path / "state", Quota(), Health())
    again.locks.load()
    assert again.locks.covers(Entry("cam.sub", 1, NOON, NOON + SECOND, 1, root, GAP, 1, ()))
    (lock,) = again.locks.of("cam")
    store.unlock("cam", lock.id)
    assert len(store.index.oldest(root, 9)) == 3
    again.close()


def test_the_oldest_files_go_first_whichever_stream_they_are_of(store: Store) -> None:
    for n, key in enumerate(("cam", "cam.sub", "cam", "cam.sub")):
        keep(store, key, n * 10, n * 10 + 10)
    disk: Disk = store.disks.all[0]
    assert store.index.used(disk.root) == (4000, 0)
    assert store.retention.make_room(disk, 2000)
    assert [one.start // SECOND - NOON // SECOND for one in store.index.oldest(disk.root, 9)] == [20, 30]


@pytest.mark.parametrize(
    ("wanted", "has", "recorded"),
    [
        ("main", ["main", "sub"], {"cam"}),
        ("sub", ["main", "sub"], {"cam.sub"}),
        ("both", ["main", "sub"], {"cam", "cam.sub"}),
        ("both", ["main"], {"cam"}),
        ("sub", ["main"], {"cam"}),
    ],
)
async def test_each_stream_has_a_recorder_as_far_as_the_camera_has_it(
    store: Store, wanted: str, has: list[str], recorded: set[str]
) -> None:
    plan = Plan(store, Health())
    told = replace(plans.Plan(plans.CONTINUOUS), streams=wanted).as_dict()
    rows = [{"id": id, "name": id, "streams": has, "plan": told} for id in ("cam", "other.sub")]
    plan.take(rows)
    # A channel that is called as the track of another one would write into its folder.
    assert plan.recorders.keys() == recorded
    assert plan.state("cam")["streams"].keys() == {tracks.stream_of(key) for key in recorded}
    await plan.close()


async def test_a_stream_of_which_nothing_comes_is_told_beside_the_other_one(store: Store) -> None:
    health = Health()
    plan = Plan(store, health, alarm=0.0)
    told = plans.Plan(plans.CONTINUOUS, streams=plans.BOTH).as_dict()
    plan.take([{"id": "cam", "name": "Yard", "streams": ["main", "sub"], "plan": told}])
    task = asyncio.create_task(plan.watch())
    await asyncio.sleep(0.01)
    task.cancel()
    text = health.alarms["recording"]
    assert "Nothing of Yard has been written" in text
    assert "Nothing of Yard (sub stream) has been written" in text
    assert "Sub stream: It has not begun yet." in plan.state("cam")["problem"]
    await plan.close()


def test_a_plan_without_the_word_records_the_main_stream_and_a_wrong_word_is_refused() -> None:
    told = plans.Plan(plans.CONTINUOUS).as_dict()
    del told["streams"]
    assert plans.checked(told).streams == plans.MAIN
    with pytest.raises(ValueError, match="'third' is none of main, sub, both"):
        plans.checked(told | {"streams": "third"})
