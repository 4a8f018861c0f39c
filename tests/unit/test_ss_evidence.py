"""Why each file was recorded, and what is locked: facts that outlive index, disk and power."""

import asyncio
import errno
import json
import sqlite3
import threading
import time
from collections.abc import AsyncIterator
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.media import plans
from services.media.plans import CONTINUOUS, EVENT, MANUAL
from services.runtime import clock
from services.runtime.errors import Problem
from services.runtime.health import Health
from services.ss import boxes, playback, storage, timeline
from services.ss.disks import Disk
from services.ss.entry import CLOCK, GAP, JOINED, SECOND, Entry
from services.ss.locks import DAMAGED, Lock, Locks
from services.ss.plan import Plan
from services.ss.recorder import Recorder, Wish
from services.ss.retention import Quota
from services.ss.store import Store
from tests.unit.ss_bench import NOON, Bench

END = 2 * NOON


@pytest.fixture
async def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Bench]:
    made = Bench(tmp_path, monkeypatch)
    yield made
    await made.close()


def shown(bench: Bench) -> list[tuple[int, int, str, str, bool]]:
    """The timeline in seconds from noon."""
    found = playback.search(bench.store.library, "cam", NOON - 60 * SECOND, NOON + 3600 * SECOND)
    return [
        (round(one["start"] - NOON / 1000) // 1000, round(one["end"] - NOON / 1000) // 1000,
         one["after"], one["kind"], one["locked"])
        for one in found["intervals"]
    ]  # fmt: skip


async def test_an_event_is_written_from_its_pre_record_on_and_up_to_a_key_frame(bench: Bench) -> None:
    bench.recorder.wish = Wish(None, pre=3)
    await bench.shoot(10)
    assert bench.files() == []
    bench.recorder.wish = Wish(EVENT, pre=3)
    await bench.shoot(2)
    bench.recorder.wish = Wish(None, pre=3)
    await bench.shoot(2)
    assert shown(bench) == [(6, 12, "gap", EVENT, False)]
    bench.recorder.wish = Wish(EVENT, pre=3)
    await bench.shoot(1)
    assert shown(bench) == [(6, 15, "gap", EVENT, False)]


async def test_an_event_that_is_over_before_its_pictures_come_is_written_with_them(bench: Bench) -> None:
    bench.camera.wall = time.time_ns() // 1000 - 7 * SECOND // 2
    bench.recorder.wish = Wish(None, pre=3)
    await bench.shoot(3)
    bench.recorder.wish = Wish(EVENT, pre=3)
    bench.recorder.wish = Wish(None, pre=3)
    await bench.shoot(1)
    assert bench.recorder.writes == EVENT
    await bench.shoot(1)
    assert bench.recorder.writes is None
    assert bench.recorded() == bench.camera.made[:4]


async def test_a_file_holds_one_kind_and_the_next_one_joins_it(bench: Bench) -> None:
    for kind in (EVENT, CONTINUOUS, MANUAL):
        bench.recorder.wish = Wish(kind)
        await bench.shoot(2)
    wanted = [(0, 2, "gap", EVENT, False), (2, 4, "join", CONTINUOUS, False), (4, 6, "join", MANUAL, False)]
    assert shown(bench) == wanted
    await bench.close()
    for one in bench.state.glob("index.db*"):
        one.unlink()
    bench.open()
    assert shown(bench) == wanted


async def test_an_index_and_files_of_an_earlier_release_are_continuous(bench: Bench) -> None:
    await bench.shoot(5)
    await bench.close()
    for path in bench.files():
        data = path.read_bytes()
        path.write_bytes(data.replace(b', "kind": "continuous"', b" " * 22))
    base = sqlite3.connect(bench.state / "index.db")
    base.executescript("DROP TABLE totals; DROP TRIGGER replaced; DROP TRIGGER added; DROP TRIGGER dropped;"
                       "DROP TRIGGER changed; DROP INDEX deletable; DROP INDEX by_lock;"
                       "ALTER TABLE files DROP COLUMN kind;"
                       "ALTER TABLE files DROP COLUMN locked")  # fmt: skip
    base.close()
    bench.open()
    assert shown(bench) == [(0, 5, "gap", CONTINUOUS, False)]
    assert bench.store.index.used(str(bench.root)) == (sum(one.stat().st_size for one in bench.files()), 0)
    with storage.found(bench.files()[0]) as file:
        assert boxes.head(file).kind == CONTINUOUS


async def test_a_lock_keeps_its_files_through_loss_of_index_and_a_replaced_disk(
    bench: Bench, tmp_path: Path
) -> None:
    await bench.shoot(12)
    made = bench.store.lock("cam", NOON + 5 * SECOND, NOON + 6 * SECOND, "theft", "admin")
    disk = bench.store.disks.all[0]
    assert bench.store.retention.make_room(disk, 2**40)
    assert shown(bench) == [
        (4, 5, "gap", CONTINUOUS, False), (5, 6, "join", CONTINUOUS, True),
        (6, 12, "join", CONTINUOUS, False),
    ]  # fmt: skip
    await bench.close()
    for one in bench.state.glob("index.db*"):
        one.unlink()
    fresh = tmp_path / "fresh"
    fresh.mkdir()
    again = Store([str(fresh), str(bench.root)], bench.state, Quota(), Health())
    again.recover()
    assert again.locks.of("cam") == (made,)
    assert (fresh / "cam" / "locks.json").read_text() == (bench.root / "cam" / "locks.json").read_text()
    for one in again.disks.all:
        again.retention.make_room(one, 2**40)
    assert [int(path.name[:8]) for path in bench.files()] == [2]
    again.unlock("cam", made.id)
    assert again.retention.make_room(again.disks.all[1], 1)
    assert bench.files() == []
    with pytest.raises(Problem, match="no such lock"):
        again.unlock("cam", made.id)
    again.close()
    bench.open()


async def test_a_file_that_is_being_written_is_locked_when_it_is_finished(bench: Bench) -> None:
    await bench.shoot(2)
    bench.store.lock("cam", NOON, NOON + SECOND, "", "admin")
    await bench.shoot(6)
    assert not bench.store.retention.make_room(bench.store.disks.all[0], 2**40)
    assert len(bench.files()) == 2


async def test_a_disk_full_of_locked_files_is_told_and_ends_when_they_are_unlocked(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    await bench.shoot(12)
    made = bench.store.lock("cam", NOON, NOON + 3600 * SECOND, "", "admin")
    await bench.recorder.finish()
    health, disk = bench.store._health, bench.store.disks.all[0]
    room = iter([-1] * 3 + [10**9] * 9)
    monkeypatch.setattr(Disk, "free", lambda _: next(room))
    bench.store.retention.turn(disk)
    assert "full of locked recordings" in health.alarms[f"locked {disk.root}"]
    assert len(bench.files()) == 3
    bench.store.unlock("cam", made.id)
    bench.store.retention.turn(disk)
    assert health.alarms == {}
    assert len(bench.files()) < 3


async def test_locked_files_do_not_count_by_bytes(bench: Bench) -> None:
    await bench.shoot(12)
    await bench.recorder.finish()
    bench.store.lock("cam", NOON, NOON + 5 * SECOND, "", "admin")
    bench.store.retention._quota = Quota(size=bench.files()[2].stat().st_size + 1)
    bench.store.retention.turn(bench.store.disks.all[0])
    assert len(bench.files()) == 3


@pytest.mark.parametrize("torn", ["\0" * 40, "no span", "beyond the index"])
async def test_a_list_of_locks_that_cannot_be_read_keeps_everything(bench: Bench, torn: str) -> None:
    await bench.shoot(12)
    bench.store.lock("cam", NOON, NOON + SECOND, "", "admin")
    await bench.close()
    row = {"id": "a", "start": "x" if torn == "no span" else 1, "end": 2**80, "note": "", "by": "", "at": ""}
    text = torn if "\0" in torn else json.dumps({"locks": [row]})
    (bench.root / "cam" / "locks.json").write_text(text)
    bench.open()
    assert [one.id for one in bench.store.locks.of("cam")] == [DAMAGED]
    assert not bench.store.retention.make_room(bench.store.disks.all[0], 2**40)
    bench.store.unlock("cam", DAMAGED)
    assert bench.store.retention.make_room(bench.store.disks.all[0], 2**40)


def test_a_lock_that_no_disk_takes_is_refused_and_locks_nothing(tmp_path: Path) -> None:
    locks = Locks([str(tmp_path / "missing")])
    with pytest.raises(Problem, match="No storage folder takes it"):
        locks.add("cam", 1, 2, "", "admin")
    assert locks.of("cam") == ()
    with pytest.raises(Problem, match="longer than 0"):
        locks.add("cam", 2, 2, "", "admin")
    with pytest.raises(Problem, match="longer than 0"):
        locks.add("cam", 2**80, 2**80 + 1, "", "admin")


def test_locks_are_known_even_if_no_disk_takes_them_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    roots = [tmp_path / "one", tmp_path / "two"]
    roots[0].mkdir()
    made = Locks([str(roots[0])]).add("cam", 1, 2, "", "admin")

    def refuse(*_: object) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr("services.node.files.write", refuse)
    again = Locks([str(root) for root in roots])
    again.load()
    assert again.of("cam") == (made,)


async def test_a_file_that_is_finished_while_it_is_locked_is_known_as_locked(bench: Bench) -> None:
    await bench.shoot(2)
    root, entry = str(bench.root), bench.store.library.segments()[0].entry
    locking = threading.Thread(target=bench.store.lock, args=("cam", NOON, NOON + SECOND, "", "admin"))

    def asked(_: Entry) -> bool:
        locking.start()
        while not bench.store.locks.of("cam"):
            time.sleep(0.01)
        return False

    bench.store.index._locked = asked
    bench.store.index.put([entry])
    locking.join()
    bench.store.index._locked = bench.store.locks.covers
    assert bench.store.index.oldest(root, 1) == []


SPANS = st.lists(st.tuples(st.integers(0, 90), st.integers(1, 30)), max_size=5)
FILES = st.lists(
    st.tuples(st.integers(1, 9), st.sampled_from([GAP, CLOCK, JOINED]), st.sampled_from([EVENT, MANUAL])),
    max_size=12,
)


@given(FILES, SPANS)
def test_intervals_say_of_every_moment_why_it_was_recorded_and_whether_it_is_locked(
    rows: list[tuple[int, str, str]], spans: list[tuple[int, int]]
) -> None:
    entries, at = [], 0
    for seq, (lasts, join, kind) in enumerate(rows):
        at += 0 if join == JOINED else 2
        entries.append(Entry("c", seq, at, at + lasts, 1, "/", join, 1, (), kind))
        at += lasts
    locks = Locks([])
    made = [Lock(str(n), low, low + size, "", "", "") for n, (low, size) in enumerate(spans)]
    locks._known = {"c": tuple(sorted(made, key=lambda one: one.start))}
    found = timeline.intervals(entries, 3, 80, locks.spans("c"))
    for moment in range(100):
        kinds = {(one.kind, one.locked) for one in found if one.start <= moment < one.end}
        of = {one.kind for one in entries if one.start <= moment < one.end and 3 <= moment < 80}
        assert kinds == {(kind, any(low <= moment < low + size for low, size in spans)) for kind in of}
    for one, after in pairwise(found):
        assert (after.after == "join") <= (one.end == after.start)


async def test_locks_are_given_while_files_go(bench: Bench) -> None:
    await bench.shoot(40)
    await bench.recorder.finish()
    disk, every = bench.store.disks.all[0], bench.files()
    deleting = asyncio.to_thread(bench.store.retention.make_room, disk, 2**40)
    locking = asyncio.to_thread(bench.store.lock, "cam", NOON, NOON + 40 * SECOND, "", "admin")
    _, made = await asyncio.gather(deleting, locking)
    left = len(bench.files())
    assert left <= len(every)
    assert not bench.store.retention.make_room(disk, 2**40)
    assert len(bench.files()) == left
    assert bench.store.locks.of("cam") == (made,)


async def test_the_button_holds_over_a_restart_and_ends_with_the_plan(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Recorder, "run", lambda *_: asyncio.sleep(60))
    rows = [{"id": "cam", "name": "cam", "plan": plans.Plan(MANUAL).as_dict()}]
    one = Plan(bench.store, Health())
    one.take(rows)
    assert one.recorders == {}
    assert (await one.press("cam", True))["asked"] == MANUAL
    with pytest.raises(Problem, match="has not heard of it"):
        await one.press("other", True)
    await one.close()
    two = Plan(bench.store, Health())
    two.take(rows)
    assert two.state("cam")["manual"]
    assert two.recorders["cam"].wish.kind == MANUAL
    two.take([rows[0] | {"plan": plans.Plan().as_dict()}])
    assert two.recorders == {}
    with pytest.raises(Problem, match="Its plan is off"):
        await two.press("cam", True)
    await two._keep()
    await two.close()
    assert bench.store.standing.recall(0) == {}


async def test_an_order_that_cannot_be_kept_is_not_given(bench: Bench) -> None:
    one = Plan(bench.store, Health())
    one.take([{"id": "cam", "name": "cam", "plan": plans.Plan(MANUAL).as_dict()}])
    bench.store.standing._path = bench.state / "index.db" / "standing.json"
    with pytest.raises(Problem, match="cannot be kept"):
        await one.press("cam", True)
    assert not one.state("cam")["manual"]
    await one.close()


async def test_an_event_is_kept_even_if_the_order_that_came_with_it_could_not_be(bench: Bench) -> None:
    one = Plan(bench.store, Health())
    one.take([{"id": "cam", "name": "cam", "plan": plans.Plan(EVENT).as_dict()}])
    await one.happened("cam", "motion", 60)
    right, bench.store.standing._path = bench.store.standing._path, bench.state / "index.db" / "standing.json"
    with pytest.raises(Problem, match="cannot be kept"):
        await one.press("cam", True)
    bench.store.standing._path = right
    watch = asyncio.create_task(one.watch())
    for _ in range(500):
        await asyncio.sleep(0.01)
        if kept := bench.store.standing.recall(clock.now().timestamp()):
            break
    watch.cancel()
    await one.close()
    assert kept["cam"].seconds > 50
