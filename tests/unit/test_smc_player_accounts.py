"""Accounts of RTSP players at main: who makes them, what nodes are told, and what a gateway's token needs."""

import time
from typing import TYPE_CHECKING

import pytest

from services.media import digest
from services.smc import audit, player_accounts
from services.smc.accounts import Account
from services.smc.player_accounts import Rights
from tests.refusal import refused
from tests.unit.smc_site import GATE, YARD, two_channels

if TYPE_CHECKING:
    from tests.conftest import Platform

ANNA = Account(1, "Anna", "operator", "192.0.2.1")
ADMIN = Account(3, "Admin", "administrator", "192.0.2.1")


@pytest.fixture
def site(platform: "Platform") -> "Platform":
    """A device with two channels."""
    return two_channels(platform)


def test_a_node_is_told_the_hashes_of_what_concerns_its_channels_and_no_secret(site: "Platform") -> None:
    with site.session() as session:
        made = player_accounts.add(session, "wall", Rights([GATE], recordings=True, ends=5000), ADMIN)
        player_accounts.add(session, "all", Rights(None), ADMIN)
        player_accounts.add(session, "off", Rights(None, enabled=False), ADMIN)
        gate, wall = player_accounts.assignment(session, frozenset({GATE}))
        assert (gate["name"], gate["channels"]) == ("all", None)
        assert wall == {
            "name": "wall", "hashes": digest.hashes("wall", made.secret), "channels": [GATE],
            "recordings": True, "ends": 5,
        }  # fmt: skip
        assert [one["name"] for one in player_accounts.assignment(session, frozenset({YARD}))] == ["all"]
        assert len(player_accounts.assignment(session, None)) == 2
        assert made.secret not in repr(player_accounts.listing(session, ADMIN))


def test_another_secret_and_other_rights_take_the_place_of_the_ones_before(site: "Platform") -> None:
    with site.session() as session:
        first = player_accounts.add(session, "wall", Rights(None), ADMIN)
        second = player_accounts.renew(session, "wall", ADMIN)
        assert second.secret != first.secret
        (told,) = player_accounts.assignment(session, None)
        assert told["hashes"] == digest.hashes("wall", second.secret)
        assert player_accounts.change(session, "wall", Rights([YARD], enabled=False), ADMIN).channels == [
            YARD
        ]
        assert player_accounts.assignment(session, None) == []
        player_accounts.remove(session, "wall", ADMIN)
        assert player_accounts.listing(session, ADMIN) == []
        assert refused(lambda: player_accounts.renew(session, "wall", ADMIN)) == "player-unknown"
        written = [one.action for one in audit.listing(session)]
    assert written == ["player.remove", "player.change", "player.renew", "player.add"]


def test_what_cannot_be_an_account_is_refused(site: "Platform", monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(player_accounts, "MOST", 1)
    with site.session() as session:
        add = player_accounts.add
        assert refused(lambda: add(session, "a b", Rights(None), ADMIN)) == "account-name"
        assert refused(lambda: add(session, "none", Rights([]), ADMIN)) == "player-wrong"
        assert refused(lambda: add(session, "who", Rights(["unknown"]), ADMIN)) == "channel-unknown"
        add(session, "wall", Rights(None), ADMIN)
        assert refused(lambda: add(session, "wall", Rights(None), ADMIN)) == "player-wrong"
        assert refused(lambda: add(session, "more", Rights(None), ADMIN)) == "player-wrong"


def test_only_who_manages_accounts_sees_and_changes_them(site: "Platform") -> None:
    with site.session() as session:
        player_accounts.add(session, "wall", Rights(None), ADMIN)
        for call in (
            lambda: player_accounts.listing(session, ANNA),
            lambda: player_accounts.add(session, "more", Rights(None), ANNA),
            lambda: player_accounts.change(session, "wall", Rights(None), ANNA),
            lambda: player_accounts.renew(session, "wall", ANNA),
            lambda: player_accounts.remove(session, "wall", ANNA),
        ):
            assert refused(call) == "not-allowed"


def test_a_gateway_gets_a_token_for_an_account_that_may_see_the_channel_now(site: "Platform") -> None:
    with site.session() as session:
        player_accounts.add(session, "wall", Rights([GATE], ends=round((time.time() + 60) * 1000)), ADMIN)
        player_accounts.add(session, "past", Rights(None, ends=1), ADMIN)
        assert player_accounts.permitted(session, "player/wall", GATE) == "player/wall"
        for user, channel in (("player/wall", YARD), ("player/past", GATE), ("player/gone", GATE)):
            assert (
                refused(lambda u=user, c=channel: player_accounts.permitted(session, u, c)) == "not-allowed"
            )


def test_addresses_lead_to_the_node_itself_where_no_gateway_is(site: "Platform") -> None:
    site.files.service("mts", {"rtsp": 9100, "rtsps": 9102})
    with site.session() as session:
        found = player_accounts.addresses(session, [YARD])
        assert [(one.id, urls.lan) for one, urls in found] == [
            (YARD, f"rtsp://127.0.0.1:9100/live/{YARD}/main")
        ]
        site.files.service("mgw", {"decoder": 9340, "http": 9341})
        both = player_accounts.addresses(session, None)
        assert {urls.lan.split("/")[2] for _, urls in both} == {"127.0.0.1:9340"}
        assert [one.id for one, _ in both] == [GATE, YARD]
