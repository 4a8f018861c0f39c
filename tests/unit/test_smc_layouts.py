"""Layouts of the live page: whose they are, their bounds, and the one that opens first."""

import threading
from typing import TYPE_CHECKING

import pytest

from services.runtime import clock
from services.runtime.errors import Problem
from services.smc import audit, layouts, models
from services.smc.accounts import Account
from services.smc.layouts import MOST, Tile
from tests.refusal import refused

if TYPE_CHECKING:
    from tests.conftest import Platform

ANNA = Account(1, "Anna", "operator", "192.0.2.1")
OLGA = Account(2, "Olga", "operator", "192.0.2.1")
GUEST = Account(3, "Guest", "nobody", "192.0.2.1")
GATE = Tile("0123456789abcdef-1", "auto")


@pytest.fixture
def site(platform: "Platform") -> "Platform":
    """Two operators."""
    now = clock.now()
    with platform.session() as session:
        for one in (ANNA, OLGA):
            session.add(models.Account(id=one.id, key=one.name.lower(), name=one.name, password_hash="",
                                       role=one.role, created_at=now, password_changed_at=now))  # fmt: skip
        session.commit()
    return platform


def test_a_layout_is_kept_with_all_its_places_and_seen_by_its_account_alone(site: "Platform") -> None:
    with site.session() as session:
        made = layouts.save(session, " Gates ", 4, [Tile("", "auto"), GATE], ANNA)
        assert (made.name, made.size, made.first) == ("Gates", 4, False)
        assert made.tiles == [Tile("", "auto"), GATE, Tile("", "auto"), Tile("", "auto")]
        assert layouts.listing(session, ANNA) == [layouts.get(session, made.id, ANNA)]
        assert layouts.listing(session, OLGA) == []
        for call in (layouts.get, layouts.remove):
            assert refused(lambda call=call: call(session, made.id, OLGA)) == "layout-unknown"
        layouts.remove(session, made.id, ANNA)
        assert layouts.listing(session, ANNA) == []
        written = [(one.action, one.actor, one.target) for one in audit.listing(session)]
    assert written == [("layout.remove", "Anna", "Gates"), ("layout.save", "Anna", "Gates")]


def test_a_name_that_is_there_is_replaced_and_one_layout_at_most_opens_first(site: "Platform") -> None:
    with site.session() as session:
        day = layouts.save(session, "Day", 1, [GATE], ANNA, first=True)
        theirs = layouts.save(session, "Day", 1, [GATE], OLGA, first=True)
        night = layouts.save(session, "Night", 9, [], ANNA, first=True)
        session.expire_all()
        assert [one.first for one in layouts.listing(session, ANNA)] == [False, True]
        assert layouts.get(session, night.id, ANNA).first
        assert layouts.get(session, theirs.id, OLGA).first
        assert layouts.save(session, "Day", 36, [GATE] * 36, ANNA).id == day.id
        assert len(layouts.listing(session, ANNA)) == 2


def test_an_account_keeps_a_bounded_number_even_when_it_saves_twice_at_once(site: "Platform") -> None:
    with site.session() as session:
        for number in range(MOST - 1):
            layouts.save(session, f"{number}", 1, [], ANNA)
    ended: list[str] = []

    def add(name: str) -> None:
        with site.session() as session:
            try:
                layouts.save(session, name, 1, [], ANNA)
                ended.append("saved")
            except Problem as problem:
                ended.append(problem.code)

    racers = [threading.Thread(target=add, args=(f"racer {n}",)) for n in range(4)]
    for one in racers:
        one.start()
    for one in racers:
        one.join()
    assert sorted(ended) == ["layouts-full"] * 3 + ["saved"]
    with site.session() as session:
        layouts.save(session, "0", 4, [], ANNA)
        assert len(layouts.listing(session, ANNA)) == MOST


@pytest.mark.parametrize(
    ("name", "size", "tiles"),
    [
        ("", 1, []),
        (" ", 1, []),
        ("a\nb", 1, []),
        ("x" * 65, 1, []),
        ("a", 2, []),
        ("a", 37, []),
        ("a", 1, [GATE, GATE]),
        ("a", 1, [Tile("x" * 21, "auto")]),
        ("a", 1, [Tile("a/b", "auto")]),
        ("a", 1, [Tile("a", "best")]),
    ],
)
def test_what_cannot_be_a_layout_is_refused(
    site: "Platform", name: str, size: int, tiles: list[Tile]
) -> None:
    with site.session() as session:
        assert refused(lambda: layouts.save(session, name, size, tiles, ANNA)) == "layout-wrong"
        assert layouts.listing(session, ANNA) == []


def test_who_may_not_look_keeps_no_layouts(site: "Platform") -> None:
    with site.session() as session:
        for call in (
            lambda: layouts.save(session, "a", 1, [], GUEST),
            lambda: layouts.listing(session, GUEST),
            lambda: layouts.get(session, "a", GUEST),
            lambda: layouts.remove(session, "a", GUEST),
        ):
            assert refused(call) == "not-allowed"


def test_the_layouts_of_an_account_go_with_it(site: "Platform") -> None:
    with site.session() as session:
        layouts.save(session, "a", 1, [], ANNA)
        session.delete(session.get_one(models.Account, ANNA.id))
        session.commit()
        assert session.query(models.Layout).count() == 0
