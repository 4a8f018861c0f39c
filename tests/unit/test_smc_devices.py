"""Devices: what may be added, how passwords are kept, how states arrive, and permission to look."""

import json
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.runtime import clock
from services.runtime.config import credential
from services.runtime.errors import Problem
from services.runtime.live_token import verify_live
from services.smc import addresses, audit, cluster, devices, live, models, nodes, recordings, secrets
from services.smc.accounts import Account
from services.smc.devices import Device, New, NewDahua, NewRegister, NewRtsp
from tests.refusal import refused

if TYPE_CHECKING:
    from tests.conftest import Platform

ADMIN = Account(1, "Admin", "administrator", "192.0.2.1")
OPERATOR = Account(2, "Olga", "operator", "192.0.2.1")
RTSP = NewRtsp("Gate", "main-a", "rtsp://admin:Camera.2468@198.18.0.101/cam/realmonitor?channel=1&subtype=0")
REGISTER = NewRegister("Gate", "sub-1", "GATE-7", "admin", "Camera.2468", 2)
DAHUA = NewDahua("Yard", "main-a", "198.18.0.102", "admin", "Camera.2468", channels=3)


@pytest.fixture
def site(platform: "Platform") -> "Platform":
    """Main works, sub-1 works with a mapping IP, sub-2 waits."""
    with platform.session() as session:
        nodes.register(session, "main-a", "main", "198.18.0.10", None, "1")
        nodes.register(session, "sub-1", "sub", "198.18.0.21", "203.0.113.21", "1")
        nodes.register(session, "sub-2", "sub", "2001:db8::22", None, "1")
        nodes.enable(session, "sub-1", ADMIN)
    with platform.redis.client() as client:
        for name in ("main-a", "sub-1"):
            client.set(f"beat:{name}", "{}", ex=30)
    return platform


def add(site: "Platform", new: New) -> Device:
    with site.session() as session:
        return devices.add(session, new, ADMIN)


def fact(device: str, state: str, seconds: float = 0, **more: Any) -> dict[str, Any]:  # noqa: ANN401
    return {
        "device": device,
        "state": state,
        "at": clock.iso(clock.now() + timedelta(seconds=seconds)),
        **more,
    }


def test_user_and_password_move_out_of_the_url(site: "Platform") -> None:
    one = add(site, RTSP)
    assert one.url == "rtsp://198.18.0.101/cam/realmonitor?channel=1&subtype=0"
    assert (one.host, one.port, one.username, one.has_password) == ("198.18.0.101", 554, "admin", True)
    assert (one.state, [c.streams for c in one.channels]) == ("checking", [["main"]])


def test_a_recorder_gets_its_channels_with_both_streams(site: "Platform") -> None:
    one = add(site, DAHUA)
    assert [(c.number, c.name, c.streams) for c in one.channels] == [
        (n, f"Yard {n}", ["main", "sub"]) for n in (1, 2, 3)
    ]


def test_a_device_that_registers_has_an_id_and_no_address(site: "Platform") -> None:
    one = add(site, REGISTER)
    assert (one.kind, one.register_id, one.host, one.port) == ("register", "GATE-7", "", 0)
    assert [(c.number, c.streams) for c in one.channels] == [(1, ["main", "sub"]), (2, ["main", "sub"])]
    with site.session() as session:
        (row,) = devices.assignment(session, "sub-1")
    assert (row["kind"], row["register_id"], row["password"]) == ("register", "GATE-7", "Camera.2468")
    assert refused(lambda: add(site, replace(REGISTER, name="Other", node="main-a"))) == "device-exists"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"register_id": ""}, "device-register-id"), ({"register_id": "x" * 65}, "device-register-id"),
        ({"register_id": " a"}, "device-register-id"), ({"register_id": "ü"}, "device-register-id"),
        ({"register_id": "a\n"}, "device-register-id"), ({"password": ""}, "device-login"),
        ({"username": ""}, "device-login"), ({"channels": 65}, "device-channels"),
    ],
)  # fmt: skip
def test_a_registration_needs_a_usable_id_and_an_account(
    site: "Platform", change: dict[str, Any], code: str
) -> None:
    assert refused(lambda: add(site, replace(REGISTER, **change))) == code


@pytest.mark.parametrize("more", [" ", "x", "x" * 90])
def test_a_channel_has_exactly_its_id(site: "Platform", more: str) -> None:
    channel = add(site, RTSP).channels[0].id
    with site.session() as session:
        assert live.known(session, channel).id == channel
    with site.session() as session:
        assert refused(lambda: recordings.plan(session, channel + more, ADMIN)) == "channel-unknown"


def test_a_registered_device_gives_no_live_token_as_its_picture_is_not_carried(site: "Platform") -> None:
    one = add(site, REGISTER)
    with site.session() as session:
        assert refused(lambda: live.open(session, one.channels[0].id, ADMIN)) == "picture-not-carried"


def test_a_registered_device_is_not_planned_for_recording_nor_played(site: "Platform") -> None:
    id = add(site, REGISTER).channels[0].id
    with site.session() as session:
        refusal = refused(lambda: recordings.set_plan(session, id, "continuous", ADMIN))
        assert refusal == refused(lambda: recordings.open(session, id, ADMIN)) == "picture-not-carried"
        assert recordings.set_plan(session, id, "off", ADMIN).plan == "off"


@pytest.mark.parametrize(
    "url",
    [
        "http://198.18.0.101/", "rtsp://", "rtsp:///path", "rtsp://198.18.0.101:0/", "rtsp://198.18.0.101:99999/",
        "rtsp://198.18.0.999/", "rtsp://a b/", "rtsp://h/\nx", "rtsp://h/#x", "rtsp://[::1/", "rtsp://ü.example/",
        "rtsp://h/" + "x" * 512, "file:///etc/passwd", "exec:ls",
    ],
)  # fmt: skip
def test_urls_that_are_no_rtsp_addresses_are_refused(url: str) -> None:
    assert refused(lambda: addresses.rtsp(url)) in {"device-url", "device-host", "device-port"}


@given(st.text(max_size=60))
def test_any_text_as_url_is_read_or_refused_never_an_accident(text: str) -> None:
    for url in (text, f"rtsp://{text}"):
        try:
            found = addresses.rtsp(url)
        except Problem:
            continue
        assert addresses.rtsp(found.url).host == found.host
        assert "@" not in urlsplit(found.url).netloc


@pytest.mark.parametrize(
    "again",
    [
        NewRtsp("Other", "sub-1", "RTSP://198.18.0.101:554/cam/realmonitor?channel=1&subtype=0"),
        NewRtsp("Other", "main-a", "rtsp://other:name@198.18.0.101/cam/realmonitor?channel=1&subtype=0"),
    ],
)
def test_the_same_address_is_not_added_twice(site: "Platform", again: NewRtsp) -> None:
    add(site, RTSP)
    assert refused(lambda: add(site, again)) == "device-exists"
    with site.session() as session:
        assert len(devices.listing(session)) == 1


def test_a_device_goes_to_a_working_node_only(site: "Platform") -> None:
    assert refused(lambda: add(site, NewRtsp("A", "sub-2", "rtsp://h/"))) == "node-not-enabled"
    assert refused(lambda: add(site, NewRtsp("A", "sub-9", "rtsp://h/"))) == "node-unknown"


def test_an_operator_may_not_change_devices(site: "Platform") -> None:
    one = add(site, RTSP)
    with site.session() as session:
        assert refused(lambda: devices.add(session, DAHUA, OPERATOR)) == "not-allowed"
        assert refused(lambda: devices.remove(session, one.id, OPERATOR)) == "not-allowed"
        assert devices.get(session, one.id) == one


def test_the_database_holds_no_password_in_clear(site: "Platform") -> None:
    one = add(site, RTSP)
    with site.session() as session:
        row = session.get_one(models.Device, one.id)
        assert b"Camera" not in row.secret
        assert secrets.unseal(row.secret, one.id) == "Camera.2468"


def test_a_password_cannot_be_moved_to_another_device_or_changed(site: "Platform") -> None:
    sealed = secrets.seal("Camera.2468", "a")
    assert refused(lambda: secrets.unseal(sealed, "b")) == "secret-unreadable"
    assert refused(lambda: secrets.unseal(sealed[:-1] + bytes([sealed[-1] ^ 1]), "a")) == "secret-unreadable"
    assert secrets.seal("Camera.2468", "a") != sealed


def test_the_longest_password_of_four_byte_characters_is_kept(site: "Platform") -> None:
    one = add(site, NewRtsp("A", "main-a", "rtsp://h/", "admin", "🔑" * 128))
    with site.session() as session:
        assert devices.assignment(session, "main-a")[0]["password"] == "🔑" * 128
    assert one.has_password


def test_a_fact_changes_the_state_once(site: "Platform") -> None:
    one = add(site, RTSP)
    online = fact(one.id, "online", info={"model": "IPC"})
    with site.session() as session:
        assert devices.apply_fact(session, online, "m-1") is True
        assert devices.apply_fact(session, fact(one.id, "offline", 5), "m-1") is False
        found = devices.get(session, one.id)
    assert (found.state, found.info) == ("online", {"model": "IPC"})


def test_an_older_fact_does_not_win(site: "Platform") -> None:
    one = add(site, RTSP)
    with site.session() as session:
        devices.apply_fact(session, fact(one.id, "offline", 5), "m-2")
        assert devices.apply_fact(session, fact(one.id, "online", 1), "m-1") is False
        assert devices.get(session, one.id).state == "offline"


def test_a_fact_of_a_removed_device_is_dropped_and_garbage_is_refused(site: "Platform") -> None:
    with site.session() as session:
        assert devices.apply_fact(session, fact("gone", "online"), "m-1") is False
        for wrong in (
            {},
            {"device": "a"},
            fact("a", "exploded"),
            {"device": "a", "state": "online", "at": "soon"},
        ):
            assert refused(lambda wrong=wrong: devices.apply_fact(session, wrong, "m-2")) == "fact-unreadable"  # type: ignore[misc]


def test_moving_and_testing_start_a_new_check(site: "Platform") -> None:
    one = add(site, RTSP)
    with site.session() as session:
        devices.apply_fact(session, fact(one.id, "online"), "m-1")
        before = devices.assignment(session, "main-a")[0]["changed_at"]
        assert devices.test(session, one.id, ADMIN).state == "checking"
        assert devices.assignment(session, "main-a")[0]["changed_at"] != before
        assert devices.move(session, one.id, "sub-1", ADMIN).node == "sub-1"
        assert refused(lambda: devices.move(session, one.id, "sub-2", ADMIN)) == "node-not-enabled"
        assert devices.assignment(session, "main-a") == []


def test_removing_takes_channels_and_state_along(site: "Platform") -> None:
    one = add(site, DAHUA)
    with site.session() as session:
        devices.remove(session, one.id, ADMIN)
        assert session.query(models.Channel).count() == session.query(models.DeviceState).count() == 0
        assert refused(lambda: devices.get(session, one.id)) == "device-unknown"


def test_live_gives_a_token_that_media_services_accept(site: "Platform") -> None:
    one = add(site, DAHUA)
    with site.session() as session:
        answer = live.open(session, one.channels[1].id, OPERATOR, stream="sub")
    token = verify_live(cluster.public_key(credential("media-key")), answer.token, clock.now().timestamp())
    assert (token.user, token.channel, token.node) == ("Olga", one.channels[1].id, "main-a")
    assert answer.ws == f"/mts/live/{one.channels[1].id}/sub?token={answer.token}"
    assert answer.rtsp.lan == f"rtsp://198.18.0.10:9100/live/{one.channels[1].id}/sub?token={answer.token}"
    assert (answer.rtsp.wan, answer.expires_in) == (None, 30)
    assert parse_qs(urlsplit(answer.ws).query) == {"token": [answer.token]}
    assert answer.mp4 == f"/mts/live/{one.channels[1].id}/sub.mp4?token={answer.token}"
    assert answer.hls == f"/mts/hls/{one.channels[1].id}/sub/index.m3u8?token={answer.token}"


def test_a_snapshot_is_permitted_as_live_is_and_written_down_as_itself(site: "Platform") -> None:
    one, far = add(site, DAHUA), add(site, NewRtsp("A", "sub-1", "rtsp://h/"))
    channel, other = one.channels[1].id, far.channels[0].id
    with site.session() as session:
        answer = live.snapshot(session, channel, OPERATOR, "api", "sub")
        away = live.snapshot(session, other, ADMIN)
        assert refused(lambda: live.snapshot(session, "nothing", ADMIN)) == "channel-unknown"
        assert refused(lambda: live.snapshot(session, channel, Account(3, "x", "none"))) == "not-allowed"
        written = [row.action for row in audit.listing(session)]
    token = verify_live(cluster.public_key(credential("media-key")), answer.token, clock.now().timestamp())
    assert (token.user, token.channel, token.node) == ("Olga", channel, "main-a")
    assert answer.path == f"/mts/snapshot/{channel}?stream=sub&token={answer.token}"
    assert away.path.startswith(f"/nodes/sub-1/mts/snapshot/{other}?stream=main&token=")
    assert written.count("live.snapshot") == 2


def test_live_of_another_node_goes_through_main_and_by_its_mapping_ip(site: "Platform") -> None:
    one = add(site, NewRtsp("A", "sub-1", "rtsp://h/"))
    with site.session() as session:
        answer = live.open(session, one.channels[0].id, ADMIN, stream="sub")
    assert answer.stream == "main"
    assert answer.ws.startswith(f"/nodes/sub-1/mts/live/{one.channels[0].id}/main?token=")
    assert str(answer.rtsps.wan).startswith("rtsps://203.0.113.21:9102/live/")


def test_playback_is_for_players_too_from_inside_and_outside(site: "Platform") -> None:
    near, far = add(site, DAHUA).channels[0].id, add(site, NewRtsp("A", "sub-1", "rtsp://h/")).channels[0].id
    with site.session() as session:
        here, there = (recordings.open(session, channel, ADMIN) for channel in (near, far))
    assert here.rtsp == live.Urls(f"rtsp://198.18.0.10:9320/recording/{near}?token={here.token}", None)
    assert here.rtsps
    assert here.rtsps.lan.startswith(f"rtsps://198.18.0.10:9322/recording/{near}?token=")
    assert there.rtsp
    assert there.rtsp.wan == f"rtsp://203.0.113.21:9320/recording/{far}?token={there.token}"


def test_playback_of_a_node_with_an_older_release_is_not_for_players(site: "Platform") -> None:
    channel = add(site, NewRtsp("A", "sub-1", "rtsp://h/")).channels[0].id
    with site.redis.client() as client:
        client.set("beat:sub-1", json.dumps({"ports": {"ss": {"http": 9321}}}), ex=30)
    with site.session() as session:
        answer = recordings.open(session, channel, ADMIN)
    assert (answer.rtsp, answer.rtsps) == (None, None)
    assert answer.ws.startswith("/nodes/sub-1/ss/play/")


def test_live_says_when_the_node_is_away(site: "Platform") -> None:
    one = add(site, NewRtsp("A", "sub-1", "rtsp://h/"))
    with site.redis.client() as client:
        client.delete("beat:sub-1")
    with site.session() as session:
        assert refused(lambda: live.open(session, one.channels[0].id, ADMIN)) == "node-unreachable"
        nodes.disable(session, "sub-1", ADMIN)
        assert refused(lambda: live.open(session, one.channels[0].id, ADMIN)) == "node-not-enabled"
        assert refused(lambda: live.open(session, "nothing", ADMIN)) == "channel-unknown"
        assert refused(lambda: live.open(session, "nothing", Account(3, "x", "none"))) == "not-allowed"


def test_the_week_of_a_plan_counts_in_the_time_zone_of_the_inventory(site: "Platform") -> None:
    site.files.setting("smc", timezone="Europe/Berlin")
    channel = add(site, RTSP).channels[0].id
    with site.session() as session:
        recordings.change_plan(session, channel, {"mode": "weekly"}, ADMIN)
        (assigned,) = devices.assignment(session, "main-a")
    assert assigned["channels"][0]["plan"]["zone"] == "Europe/Berlin"
