"""What is said of a gap is what was seen of it: in order, nothing that is not known, and bounded."""

import asyncio
import sqlite3
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from services.runtime.health import Health
from services.ss import gaps, reasons
from services.ss.entry import CAMERA as FETCHED
from services.ss.entry import SECOND
from services.ss.fetch.owed import GAVE_UP, Job
from services.ss.fetch.runner import FETCHING, STAYS, Fetcher, Owing
from services.ss.gaps import GONE, Gap, Gaps
from services.ss.reasons import (
    CAMERA,
    CLOCK,
    DISK,
    NODE,
    RECORDED,
    RECORDER,
    RELAY,
    UNKNOWN,
    UNPLANNED,
    Change,
    Reasons,
    Span,
    Trouble,
)  # fmt: skip
from services.ss.timeline import Interval
from services.ss.witness import Witness

NOON = 1_790_000_000 * SECOND
TRACK = "cam"


def at(seconds: float) -> int:
    return NOON + round(seconds * SECOND)


def noted(kept: Reasons, *changes: tuple[float, str]) -> None:
    for when, reason in changes:
        kept.note([Change(TRACK, at(when), reason)], at(when))


def short(spans: list[Span]) -> list[tuple[float, float, str]]:
    return [((one.start - NOON) / SECOND, (one.end - NOON) / SECOND, one.reason) for one in spans]


def explained(
    spans: list[Span], start: float, end: float, *more: list[Span]
) -> list[tuple[float, float, str]]:
    found = gaps._explained((at(start), at(end)), [spans, *more], at(100_000))
    return [((one.start - NOON) / SECOND, (one.end - NOON) / SECOND, one.reason) for one in found]


@pytest.fixture
def boot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Which start of the machine this is."""
    path = tmp_path / "boot_id"
    path.write_text("one\n")
    monkeypatch.setattr(reasons, "_BOOT", path)
    return path


def test_runs_that_end_in_each_way_are_told_apart(tmp_path: Path, boot: Path) -> None:
    for n, (stopped, name) in enumerate([(False, "one"), (True, "one"), (False, "two"), (True, "three")]):
        boot.write_text(name)
        kept = Reasons(tmp_path)
        kept.begin(at(n * 100), 0)
        noted(kept, (n * 100 + 1, CAMERA), (n * 100 + 40, RECORDED))
        if stopped:
            kept.end(at(n * 100 + 50))
    boot.write_text("four")
    kept = Reasons(tmp_path)
    kept.begin(at(400), 0)
    noted(kept, (401, RECORDED))
    between = [one for one in kept.spans(TRACK, at(500)) if one.reason in (RECORDER, NODE)]
    assert short(between) == [
        (40, 100, RECORDER), (150, 200, NODE), (240, 300, NODE), (350, 400, NODE),
    ]  # fmt: skip
    assert [one.detail for one in between] == [
        reasons._DETAILS[False, False], reasons._DETAILS[True, True],
        reasons._DETAILS[True, False], reasons._DETAILS[True, True],
    ]  # fmt: skip
    assert short(kept.spans(TRACK, at(500)))[:2] == [(1, 40, CAMERA), (40, 100, RECORDER)]
    assert kept.spans("another", at(500)) == []


def test_a_time_in_which_an_earlier_release_recorded_is_not_told_as_one_without_any(tmp_path: Path) -> None:
    kept = Reasons(tmp_path)
    kept.begin(at(0), 0)
    noted(kept, (1, RECORDED))
    kept = Reasons(tmp_path)
    kept.begin(at(500), at(100))
    noted(kept, (501, CAMERA))
    assert short(kept.spans(TRACK, at(502))) == [(1, 500, UNKNOWN), (501, 502, CAMERA)]


def test_a_clock_that_was_set_back_hides_what_was_said_of_the_time_that_comes_twice(tmp_path: Path) -> None:
    kept = Reasons(tmp_path)
    kept.begin(at(0), 0)
    noted(kept, (1, RECORDED), (50, CAMERA))
    kept.again(at(100), at(40), CLOCK, "")
    noted(kept, (41, RELAY))
    assert short(kept.spans(TRACK, at(90))) == [(1, 41, RECORDED), (41, 90, RELAY), (90, 100, CAMERA)]


def test_a_server_that_starts_with_a_clock_of_long_ago_hides_nothing(tmp_path: Path) -> None:
    kept = Reasons(tmp_path)
    kept.begin(at(0), 0)
    noted(kept, (1, CAMERA), (50, RECORDED))
    kept.begin(at(-9000), 0)
    noted(kept, (-8999, CAMERA))
    kept.again(at(-8990), at(500), CLOCK, "")
    noted(kept, (501, RELAY))
    assert short(kept.spans(TRACK, at(600))) == [
        (-8999, -8990, CAMERA), (1, 50, CAMERA), (501, 600, RELAY),
    ]  # fmt: skip


def test_a_clock_that_is_set_on_says_so_of_the_time_that_it_left_out(tmp_path: Path) -> None:
    kept = Reasons(tmp_path)
    kept.begin(at(0), 0)
    noted(kept, (1, RECORDED))
    kept.again(at(10), at(500), CLOCK, "")
    noted(kept, (501, RECORDED))
    assert short(kept.spans(TRACK, at(510))) == [(1, 10, RECORDED), (10, 500, CLOCK), (501, 510, RECORDED)]


def test_no_more_is_kept_than_allowed_and_what_went_is_not_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reasons, "MOST_OF_TRACK", 5)
    monkeypatch.setattr(reasons, "MOST", 8)
    monkeypatch.setattr(reasons, "MOST_RUNS", 2)
    kept = Reasons(tmp_path)
    kept.begin(at(0), 0)
    noted(kept, *((n, (CAMERA, RECORDED)[n % 2]) for n in range(1, 20)))
    assert short(kept.spans(TRACK, at(20)))[0] == (15, 16, RECORDED)
    kept.note([Change(f"other{n}", at(30), CAMERA, "x" * 999) for n in range(6)], at(30))
    assert len(kept.spans(TRACK, at(40))) == 2
    assert len(kept.spans("other0", at(40))[0].detail) == reasons.LONGEST_DETAIL
    for _ in range(3):
        kept.begin(at(50), 0)
    assert kept.spans(TRACK, at(60)) == []


def test_a_damaged_file_is_made_anew(tmp_path: Path) -> None:
    (tmp_path / reasons.FILE).write_bytes(b"nothing of a database" * 99)
    kept = Reasons(tmp_path)
    kept.begin(at(0), 0)
    noted(kept, (1, DISK))
    assert short(kept.spans(TRACK, at(2))) == [(1, 2, DISK)]


def test_a_gap_is_cut_by_reasons_and_moments_belong_to_the_reason_beside_them() -> None:
    spans = [Span(at(0), at(103), RECORDED), Span(at(103), at(200), CAMERA), Span(at(200), at(300), RECORDER),
             Span(at(304), at(999), RECORDED)]  # fmt: skip
    assert explained(spans, 100, 308) == [(100, 200, CAMERA), (200, 308, RECORDER)]
    assert explained(spans, -500, 50) == [(-500, 0, UNKNOWN), (0, 50, UNKNOWN)]
    assert explained(spans, 10, 90) == [(10, 90, GONE)]
    assert explained(spans, 310, 314) == [(310, 314, UNKNOWN)]
    assert explained([], 0, 50) == [(0, 50, UNKNOWN)]


def test_what_stood_in_the_way_of_one_stream_counts_before_no_plan_for_the_other() -> None:
    main, sub = (
        [Span(at(0), at(90), UNPLANNED)],
        [Span(at(30), at(60), CAMERA), Span(at(60), at(90), UNPLANNED)],
    )
    assert explained(main, 0, 90, sub) == [(0, 30, UNPLANNED), (30, 60, CAMERA), (60, 90, UNPLANNED)]
    assert explained(sub, 20, 60, main) == [(20, 30, UNPLANNED), (30, 60, CAMERA)]


def test_the_newest_seconds_that_are_not_written_yet_are_no_gap() -> None:
    spans = [Span(at(0), at(100), RECORDED)]
    assert gaps._explained((at(95), at(100)), [spans], at(100.2)) == []
    (long,) = gaps._explained((at(80), at(100)), [spans], at(100))
    assert long.reason == UNKNOWN


def test_what_is_fetched_cuts_a_gap_and_says_how_far_it_is() -> None:
    fetching = Owing(Job(TRACK, 5, at(20), at(60), why="It was busy."), FETCHING, at(30))
    stays = Owing(Job(TRACK, 9, at(70), at(90.5), state=GAVE_UP, why="Nothing."), STAYS, at(90.5))
    parts = list(gaps._owed(Gap(at(0), at(90), CAMERA), [stays, fetching]))
    assert [((one.start - NOON) // SECOND, (one.end - NOON) // SECOND) for one in parts] == [
        (0, 20), (20, 60), (60, 70), (70, 90),
    ]  # fmt: skip
    assert gaps._told(parts[1])["fetch"] == {
        "state": "fetching",
        "why": "It was busy.",
        "done": 0.25,
        "seconds": 30,
    }
    camera = [Interval(at(88), at(95), "gap", source=FETCHED)]
    assert gaps._told(gaps._fetched(parts[3], camera))["fetch"] == {
        "state": "stays",
        "why": "Nothing.",
        "part": True,
    }
    assert gaps._told(gaps._fetched(parts[3], []))["fetch"]["part"] is False


class Plan:
    """One channel that is to be recorded while `kind` says so."""

    def __init__(self) -> None:
        self.recorder = SimpleNamespace(problem="", trouble=Trouble(UNKNOWN), wrote_at=0.0)
        self.recorders: dict[str, Any] = {TRACK: self.recorder}
        self.kind: str | None = "continuous"
        self.demands: dict[str, Any] = {TRACK: SimpleNamespace(kind=lambda *_: self.kind)}

    def keys(self, channel: str) -> list[str]:
        return [channel]


class Watch:
    """A witness whose seconds pass when it is told."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.plan, self.health, self.now = Plan(), Health(), 0.0
        monkeypatch.setattr("services.ss.witness.monotonic", lambda: self.now)
        monkeypatch.setattr("services.ss.witness._wall", lambda: at(self.now))
        self.reasons = Reasons(folder)
        self.witness = Witness(self.reasons, cast(Any, self.plan), self.health)
        self.witness._running = 0.0

    async def turn(self, now: float, running: float | None = None) -> None:
        self.now = now
        await self.witness._turn(at(now), now if running is None else running)

    def seen(self) -> list[tuple[float, float, str]]:
        return short(self.reasons.spans(TRACK, at(self.now)))


@pytest.fixture
def watch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Watch:
    return Watch(tmp_path, monkeypatch)


async def test_a_loss_that_is_noticed_late_begins_with_the_last_picture(watch: Watch) -> None:
    await watch.turn(1)
    watch.plan.recorder.wrote_at = 9.0
    watch.plan.recorder.problem, watch.plan.recorder.trouble = "It is away.", Trouble(CAMERA, "It is lost.")
    await watch.turn(14)
    watch.plan.recorder.trouble = Trouble(CAMERA, "It cannot be reached.")
    await watch.turn(20)
    watch.plan.kind = None
    await watch.turn(30)
    watch.plan.kind = "continuous"
    await watch.turn(40)
    watch.plan.demands.clear()
    await watch.turn(50)
    assert watch.seen() == [(1, 9, RECORDED), (9, 30, CAMERA), (30, 40, UNPLANNED), (40, 50, CAMERA)]
    assert watch.reasons.spans(TRACK, at(50))[1].detail == "It cannot be reached."
    await watch.turn(60)
    assert watch.seen()[-1] == (50, 60, UNPLANNED)


async def test_a_clock_that_is_set_and_a_process_that_stood_still_end_what_was_known(watch: Watch) -> None:
    await watch.turn(1)
    watch.plan.recorder.wrote_at = 2000.0
    await watch.turn(1000, 2)
    await watch.turn(1100, 102)
    assert [one for one in watch.seen() if one[2]] == [(1, 1000, CLOCK), (1000, 1100, RECORDER)]


async def test_what_cannot_be_kept_is_an_alarm_and_is_tried_again(
    watch: Watch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.ss.witness.TURN_SECONDS", 0.01)
    (tmp_path / reasons.FILE).mkdir()
    task = asyncio.create_task(watch.witness.run())
    try:
        await until(lambda: "Recording goes on" in watch.health.alarms.get("reasons", ""))
        assert watch.health.ok
        (tmp_path / reasons.FILE).rmdir()
        await until(lambda: "reasons" not in watch.health.alarms)
    finally:
        task.cancel()


async def test_a_timeline_without_reasons_says_that_they_are_not_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> list[Span]:
        raise sqlite3.OperationalError("disk I/O error")

    monkeypatch.setattr(Reasons, "spans", broken)
    told = Gaps(Reasons(tmp_path), cast(Fetcher, SimpleNamespace(owing=lambda _: [])))
    (one,) = told.told(TRACK, "", [], (NOON - 60 * SECOND, NOON))
    assert one == {"start": NOON / 1000 - 60_000, "end": NOON / 1000, "reason": UNKNOWN}


async def until(good: Any) -> None:  # noqa: ANN401 - a question
    for _ in range(1000):
        if good():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it does not come")
