"""Bookmarks: who sees, sets and removes them, and their bounds."""

import threading
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import delete

from services.runtime import clock
from services.runtime.errors import Problem
from services.smc import audit, bookmarks, models
from services.smc.accounts import Account
from services.smc.bookmarks import MOST
from tests.refusal import refused
from tests.unit.smc_site import GATE, YARD, two_channels

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from tests.conftest import Platform

ANNA = Account(1, "Anna", "operator", "192.0.2.1")
OLGA = Account(2, "Olga", "operator", "192.0.2.1")
ADMIN = Account(3, "Admin", "administrator", "192.0.2.1")
GUEST = Account(4, "Guest", "nobody", "192.0.2.1")
AT = 1_790_000_000_123


@pytest.fixture
def site(platform: "Platform") -> "Platform":
    """A device with two channels."""
    return two_channels(platform)


def names(session: "Session", *channels: str) -> list[str]:
    return [one.name for one in bookmarks.listing(session, channels, OLGA)]


def test_a_bookmark_is_seen_by_everybody_in_the_order_of_time_and_audited(site: "Platform") -> None:
    with site.session() as session:
        late = bookmarks.add(session, GATE, AT + 5, " Van leaves ", ANNA)
        bookmarks.add(session, YARD, AT + 1, "Yard", ANNA)
        bookmarks.add(session, GATE, AT, "Van comes", ANNA)
        assert (late.channel, late.at, late.name, late.by) == (GATE, AT + 5, "Van leaves", "Anna")
        assert names(session, GATE) == ["Van comes", "Van leaves"]
        assert names(session, GATE, YARD) == ["Van comes", "Yard", "Van leaves"]
        assert names(session, "unknown") == []
        bookmarks.remove(session, late.id, ANNA)
        assert names(session, GATE) == ["Van comes"]
        assert refused(lambda: bookmarks.remove(session, late.id, ANNA)) == "bookmark-unknown"
        written = [(one.action, one.actor) for one in audit.listing(session)]
    assert written == [("bookmark.remove", "Anna"), *[("bookmark.add", "Anna")] * 3]


def test_another_ones_bookmark_is_removed_by_who_manages_devices_alone(site: "Platform") -> None:
    with site.session() as session:
        made = bookmarks.add(session, GATE, AT, "Van", ANNA)
        assert refused(lambda: bookmarks.remove(session, made.id, OLGA)) == "not-allowed"
        bookmarks.remove(session, made.id, ADMIN)
        assert names(session, GATE) == []


@pytest.mark.parametrize(
    ("channel", "at", "name", "code"),
    [
        (GATE, AT, " ", "bookmark-wrong"),
        (GATE, AT, "x" * 81, "bookmark-wrong"),
        (GATE, AT, "a\nb", "bookmark-wrong"),
        (GATE, -1, "a", "bookmark-wrong"),
        (GATE, 1 << 63, "a", "bookmark-wrong"),
        ("unknown", AT, "a", "channel-unknown"),
        (GATE + "x" * 90, AT, "a", "channel-unknown"),
    ],
)
def test_what_cannot_be_a_bookmark_is_refused(
    site: "Platform", channel: str, at: int, name: str, code: str
) -> None:
    with site.session() as session:
        assert refused(lambda: bookmarks.add(session, channel, at, name, ANNA)) == code
        assert names(session, GATE) == []


def test_who_may_not_see_recordings_has_no_bookmarks(site: "Platform") -> None:
    with site.session() as session:
        made = bookmarks.add(session, GATE, AT, "Van", ANNA)
        for call in (
            lambda: bookmarks.listing(session, [GATE], GUEST),
            lambda: bookmarks.add(session, GATE, AT, "a", GUEST),
            lambda: bookmarks.remove(session, made.id, GUEST),
        ):
            assert refused(call) == "not-allowed"
        many = ["a"] * (bookmarks.MOST_CHANNELS + 1)
        assert refused(lambda: bookmarks.listing(session, many, ANNA)) == "bookmark-wrong"


def test_a_channel_keeps_a_bounded_number_even_when_two_are_set_at_once(site: "Platform") -> None:
    now, ended = clock.now(), []
    with site.session() as session:
        session.add_all(models.Bookmark(id=f"{n:016x}", channel_id=GATE, at=AT, name="a", made_by="Anna",
                                        made_at=now) for n in range(MOST - 1))  # fmt: skip
        session.commit()

    def add() -> None:
        with site.session() as session:
            try:
                bookmarks.add(session, GATE, AT, "racer", ANNA)
                ended.append("set")
            except Problem as problem:
                ended.append(problem.code)

    racers = [threading.Thread(target=add) for _ in range(3)]
    for one in racers:
        one.start()
    for one in racers:
        one.join()
    assert sorted(ended) == ["bookmarks-full"] * 2 + ["set"]
    with site.session() as session:
        bookmarks.add(session, YARD, AT, "elsewhere", ANNA)


def test_the_bookmarks_of_a_camera_go_with_it(site: "Platform") -> None:
    with site.session() as session:
        bookmarks.add(session, GATE, AT, "Van", ANNA)
        session.execute(delete(models.Device))
        session.commit()
        assert session.query(models.Bookmark).count() == 0
