"""When a channel is recorded: weeks, longer and shorter days, events, buttons, what is held for them."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from services.media import plans
from services.media.batch import Batch
from services.media.plans import CONTINUOUS, EVENT, MANUAL, MODES, OFF, WEEKLY, Plan, WeekSpan
from services.ss.demand import Demand
from services.ss.held import Held
from services.ss.standing import Order, Standing

BERLIN = "Europe/Berlin"
MONDAY = datetime(2026, 11, 23, tzinfo=UTC)
SPANS = st.builds(
    lambda a, b, kind: WeekSpan(min(a, b), max(a, b) + 1, kind),
    st.integers(0, 1439), st.integers(0, 1439), st.sampled_from([CONTINUOUS, EVENT]),
)  # fmt: skip
WEEKS = st.lists(st.lists(SPANS, max_size=5).map(tuple), min_size=7, max_size=7).map(tuple)


def weekly(*days: tuple[WeekSpan, ...], zone: str = "UTC") -> Plan:
    """The given days from Monday on, nothing on the others."""
    return Plan(WEEKLY, (*days, *plans.NO_WEEK)[:7], zone=zone)


def test_spans_are_half_open_and_continuous_wins_where_they_overlap() -> None:
    plan = weekly((WeekSpan(60, 120, EVENT), WeekSpan(90, 100, CONTINUOUS)))
    at = {
        minute: plan.at(MONDAY + timedelta(minutes=minute)) for minute in (59, 60, 89, 90, 99, 100, 119, 120)
    }
    assert at == {
        59: None,
        60: EVENT,
        89: EVENT,
        90: CONTINUOUS,
        99: CONTINUOUS,
        100: EVENT,
        119: EVENT,
        120: None,
    }
    assert plan.at(MONDAY + timedelta(minutes=60, seconds=-0.001)) is None
    assert plan.at(MONDAY + timedelta(days=1, minutes=90)) is None


@given(WEEKS, st.integers(0, 7 * 86_400 - 1))
def test_a_moment_asks_for_what_its_minute_says(week: plans.Week, second: int) -> None:
    day, minute = second // 86_400, second % 86_400 // 60
    kinds = {kind for one in week[day] for kind in [one.kind] if minute in range(one.start, one.end)}
    wanted = CONTINUOUS if CONTINUOUS in kinds else next(iter(kinds), None)
    assert Plan(WEEKLY, week).at(MONDAY + timedelta(seconds=second)) == wanted


@pytest.mark.parametrize(
    ("day", "first", "hours"), [("2026-10-25", 120, 2), ("2026-03-29", 120, 0), ("2026-11-22", 120, 1)]
)
def test_an_hour_that_comes_twice_is_recorded_twice_and_one_that_does_not_exist_never(
    day: str, first: int, hours: int
) -> None:
    sunday = (WeekSpan(first, first + 60, CONTINUOUS),)
    plan = Plan(WEEKLY, (*plans.NO_WEEK[:6], sunday), zone=BERLIN)
    start = datetime.fromisoformat(day).replace(tzinfo=ZoneInfo(BERLIN)).astimezone(UTC)
    found = [plan.at(start + timedelta(minutes=minute)) for minute in range(0, 25 * 60)]
    assert found.count(CONTINUOUS) == hours * 60


@given(st.sampled_from(MODES), WEEKS, st.integers(0, 30), st.integers(1, 600))
def test_a_plan_comes_back_from_what_nodes_are_told(mode: str, week: plans.Week, pre: int, post: int) -> None:
    told = Plan(mode, week, pre, post).as_dict()
    back = plans.read({"record": "off", "plan": told})
    assert back.as_dict()["mode"] == mode
    assert [sorted(a, key=str) for a in back.week] == [sorted(a, key=str) for a in week]
    assert plans.read({"plan": back.as_dict()}) == back


@pytest.mark.parametrize(
    ("row", "mode"),
    [
        ({"record": "continuous"}, CONTINUOUS), ({"record": "off"}, OFF), ({}, OFF),
        ({"record": "continuous", "plan": {"mode": "by the moon"}}, CONTINUOUS),
        ({"record": "continuous", "plan": None}, CONTINUOUS),
        ({"record": "off", "plan": Plan(EVENT).as_dict() | {"zone": "Mars/Olympus"}}, OFF),
    ],
)  # fmt: skip
def test_the_word_of_an_older_or_newer_main_is_still_understood(row: dict[str, Any], mode: str) -> None:
    assert plans.read(row).mode == mode


@pytest.mark.parametrize(
    "wrong",
    [
        {"pre": 31}, {"post": 0}, {"post": 601}, {"mode": "x"}, {"week": [[]] * 6},
        {"week": [[{"start": 5, "end": 5, "kind": EVENT}], *[[]] * 6]},
        {"week": [[{"start": 0, "end": 1441, "kind": EVENT}], *[[]] * 6]},
        {"week": [[{"start": 0, "end": 1, "kind": MANUAL}], *[[]] * 6]},
    ],
)  # fmt: skip
def test_a_plan_that_is_none_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        plans.checked(Plan().as_dict() | wrong)


class Channel(RuleBasedStateMachine):
    """One channel against a model that knows every order so far."""

    @initialize(mode=st.sampled_from(MODES))
    def begin(self, mode: str) -> None:
        self.now, self.tick, self.events = MONDAY, 0.0, list[float]()
        self.pressed = False
        self.demand = Demand()
        self.plan(mode)

    @rule(mode=st.sampled_from(MODES))
    def plan(self, mode: str) -> None:
        # Monday, by the hour: nothing, events, continuous, events, and so on.
        spans = [WeekSpan(h * 60, h * 60 + 60, (EVENT, CONTINUOUS)[h % 2]) for h in range(24) if h % 4]
        self.demand.follow(Plan(mode, (tuple(spans),) * 7, post=30))
        self.mode = mode
        self.pressed &= mode != OFF
        if mode in (OFF, MANUAL):
            self.events = []

    @rule(seconds=st.sampled_from([0.5, 29, 30, 31, 600, 3000, 3600]))
    def wait(self, seconds: float) -> None:
        self.now, self.tick = self.now + timedelta(seconds=seconds), self.tick + seconds

    @rule(seconds=st.sampled_from([0, 1, 600]))
    def happen(self, seconds: float) -> None:
        running = any(end > self.tick for end in self.events)
        taken = self.demand.happened(self.now, self.tick, seconds)
        assert taken == (running or self.demand.plan.at(self.now) is not None)
        if taken:
            self.events.append(self.tick + seconds + 30)

    @rule(on=st.booleans())
    def press(self, on: bool) -> None:
        if self.mode != OFF:
            self.demand.manual = self.pressed = on

    @invariant()
    def agrees(self) -> None:
        planned = self.demand.plan.at(self.now)
        running = any(end > self.tick for end in self.events)
        wanted = planned if planned == CONTINUOUS else MANUAL if self.pressed else EVENT if running else None
        assert self.demand.kind(self.now, self.tick) == wanted
        assert self.demand.listens(self.now, self.tick) == bool(wanted or planned)


TestChannel = Channel.TestCase


def gop(size: int, key: bool = True) -> Batch:
    return Batch(key, False, 1, 0, 0, 0, False, b"x" * size)


@given(
    st.lists(st.tuples(st.integers(1, 60), st.booleans(), st.floats(0, 5)), max_size=60), st.integers(0, 30)
)
def test_what_is_held_is_bounded_whole_and_reaches_back_far_enough(
    rows: list[tuple[int, bool, float]], seconds: int
) -> None:
    one, now, given_, most = Held(), 0.0, list[tuple[float, Batch]](), 100
    for size, key, pause in rows:
        now += pause
        batch = gop(size, key)
        given_.append((now, batch))
        one.add(batch, now, seconds, most)
        assert one.size <= most
    found = one.drain()
    assert [id(b) for b in found[1:]] == [id(b) for _, b in given_[len(given_) - len(found) + 1 :]]
    if found:
        assert found[0].key
        assert found[0].gap == (len(found) < len(given_))
        keys = [at for at, b in given_ if b.key]
        size = sum(len(b.body) for _, b in given_)
        reached = given_[len(given_) - len(found)][0]
        assert size > most or reached <= max(now - seconds, keys[0])


def test_orders_outlive_a_restart_and_a_clock_that_is_set_makes_no_event_endless(tmp_path: Path) -> None:
    Standing(tmp_path).keep({"a": Order(True, 0), "b": Order(False, 90)}, 1000.0)
    assert Standing(tmp_path).recall(1030.0) == {"a": Order(True, 0), "b": Order(False, 60)}
    assert Standing(tmp_path).recall(-90_000.0)["b"].seconds == 1200
    assert Standing(tmp_path).recall(9000.0)["b"].seconds == 0
    (tmp_path / "standing.json").write_text("{torn")
    assert Standing(tmp_path).recall(1030.0) == {}
