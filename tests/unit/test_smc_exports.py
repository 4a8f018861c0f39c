"""The list of exports on main: who may order, all of it or nothing, what is said of parts that are away."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from services.runtime.errors import Problem
from services.smc import accounts, audit, devices, export_downloads, export_parts, exports, live, nodes, peers
from services.smc.accounts import Account

if TYPE_CHECKING:
    from tests.conftest import Platform

NOON = 1_790_000_000_000
OPERATOR = Account(2, "Olga", "operator", "192.0.2.1")


class Nodes:
    """Two nodes as main meets them by HTTP; `refuses` names the one that has no room."""

    def __init__(self) -> None:
        self.kept: dict[str, dict[str, dict[str, Any]]] = {"main-a": {}, "sub-1": {}}
        self.refuses = self.away = ""
        self.collected: Any = None

    def call(
        self,
        peer: peers.Peer,
        method: str,
        path: str,
        data: Any = None,  # noqa: ANN401 - JSON
        service: str = "smc",
    ) -> Any:  # noqa: ANN401
        assert service == "ss"
        kept, parts = self.kept[peer.name], path.strip("/").split("/")
        if peer.name == self.away:
            raise Problem("node-away", "The node cannot be asked.", "It is off.", "Start it.", status=504)
        if parts[0] == "collections":
            self.collected = data
            return {"size": 9, "tag": "t"}
        if method == "POST" and data and self.refuses == peer.name:
            raise Problem("export-refused", "Nothing was exported.", "No room.", "Delete some.", status=409)
        if method == "POST" and data:
            kept[data["id"]] = {
                "id": data["id"], "state": "queued", "written": 0, "total": 100, "files": 0, "missing": 0.0,
                "name": "", "size": 0, "sha256": "", "why": "", "ended": 0.0, "channels": data["channels"],
                "folder": data["folder"],
            }  # fmt: skip
        if len(parts) == 1 and method == "GET":
            return list(kept.values())
        id = parts[1] if len(parts) > 1 else data["id"]
        if id not in kept:
            raise Problem("export-unknown", "None.", "", "", status=404)
        if parts[-1] == "cancel":
            kept[id]["state"] = "cancelled"
        return kept.pop(id) if method == "DELETE" else kept[id]


@pytest.fixture
def site(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> Nodes:
    """Main and a sub, each with a camera."""
    with platform.session() as session:
        answers = [accounts.Answer(f"Question {n}?", "yes") for n in range(3)]
        account = accounts.initialise(session, "admin", "Admin.2468", answers, "127.0.0.1")
        nodes.register(session, "main-a", "main", "127.0.0.1", None, "1")
        nodes.register(session, "sub-1", "sub", "127.0.0.2", None, "1")
        nodes.enable(session, "sub-1", account)
        for n, node in enumerate(("main-a", "sub-1")):
            devices.add(session, devices.NewRtsp(node, node, f"rtsp://198.18.0.{n + 1}/a"), account)
    with platform.redis.client() as redis:
        for name in ("main-a", "sub-1"):
            redis.set(f"beat:{name}", json.dumps({"node": name}), px=30_000)
    found = Nodes()
    monkeypatch.setattr(peers, "call", found.call)
    monkeypatch.setattr(live, "ready", lambda session, name: nodes.get(session, name))
    return found


@pytest.fixture
def admin(site: Nodes, platform: Platform) -> Account:
    return Account(1, "admin", "administrator", "192.0.2.1")


def channels(platform: Platform) -> list[str]:
    with platform.session() as session:
        return [one.channels[0].id for one in sorted(devices.listing(session), key=lambda one: one.node)]


def ordered(platform: Platform, account: Account, **changes: Any) -> exports.Export:  # noqa: ANN401
    given = {"channels": channels(platform), "start": NOON, "end": NOON + 60_000, "form": "mp4"} | changes
    with platform.session() as session:
        return exports.order(session, account=account, **given)


def test_each_node_makes_the_part_of_its_own_channels(
    platform: Platform, site: Nodes, admin: Account
) -> None:
    one = ordered(platform, admin)
    assert (one.state, one.start, one.end, one.by) == ("queued", NOON, NOON + 60_000, "admin")
    for name, kept in site.kept.items():
        assert [row["name"] for row in kept[one.id]["channels"]] == [name]
    site.kept["sub-1"][one.id] |= {"state": "done", "written": 100, "name": "x.mp4", "sha256": "ab"}
    with platform.session() as session:
        (found,) = exports.listing(session, admin)
        assert (found.state, found.progress) == ("running", 0.5)
        answer = export_downloads.grant(session, one.id, admin, "sub-1")
        with pytest.raises(Problem, match="is queued"):
            export_downloads.grant(session, one.id, admin, "main-a")
    assert answer.path == f"/nodes/sub-1/ss/export/{one.id}?token={answer.token}"


def test_parts_that_are_all_done_are_fetched_as_one_from_main(
    platform: Platform, site: Nodes, admin: Account
) -> None:
    one = ordered(platform, admin)
    for name, kept in site.kept.items():
        assert kept[one.id]["folder"] == name
        kept[one.id] |= {"state": "done", "name": f"City-{name}-20260921.zip", "sha256": "ab"}
    with platform.session() as session:
        answer = export_downloads.grant(session, one.id, admin)
    assert answer.path == f"/ss/collection/{one.id}?token={answer.token}"
    assert (answer.name, answer.size, answer.sha256) == ("City-20260921.zip", 9, "")
    assert [part["node"] for part in site.collected["parts"]] == ["main-a", "sub-1"]
    assert [part["address"] for part in site.collected["parts"]] == [None, "127.0.0.2"]
    alone = ordered(platform, admin, channels=channels(platform)[:1])
    assert site.kept["main-a"][alone.id]["folder"] == ""


def test_an_order_that_one_node_refuses_leaves_nothing_on_the_others(
    platform: Platform, site: Nodes, admin: Account
) -> None:
    site.refuses = "sub-1"
    with pytest.raises(Problem, match=r"sub-1: No room"):
        ordered(platform, admin)
    assert site.kept == {"main-a": {}, "sub-1": {}}
    with platform.session() as session:
        assert exports.listing(session, admin) == []
        told = [(one.action, one.outcome) for one in audit.listing(session, limit=2)]
    assert told == [("export.order", "refused"), ("export.order", "done")]


@pytest.mark.parametrize(
    "wrong",
    [{"channels": []}, {"channels": ["x"] * 2}, {"channels": [f"c{n}" for n in range(17)]}, {"form": "avi"},
     {"end": NOON}, {"end": NOON + 86_400_001}, {"start": 10**18, "end": 10**18 + 1}, {"start": -1}],
)  # fmt: skip
def test_an_order_that_is_none_reaches_no_node(
    platform: Platform, site: Nodes, admin: Account, wrong: dict[str, Any]
) -> None:
    with pytest.raises(Problem) as told:
        ordered(platform, admin, **wrong)
    assert told.value.status == 422
    assert site.kept == {"main-a": {}, "sub-1": {}}


def test_a_node_that_is_away_or_has_forgotten_is_told_to_be_so(
    platform: Platform, site: Nodes, admin: Account
) -> None:
    one = ordered(platform, admin)
    site.away = "sub-1"
    site.kept["main-a"].clear()
    with platform.session() as session:
        found = exports.get(session, one.id, admin)
        assert [part.state for part in found.parts] == ["gone", "away"]
        assert found.state == "away"
        with pytest.raises(Problem, match="cannot be asked"):
            exports.remove(session, one.id, admin)
        site.away = ""
        assert exports.cancel(session, one.id, admin).parts[1].state == "cancelled"
        exports.remove(session, one.id, admin)
        assert exports.listing(session, admin) == []
    assert site.kept["sub-1"] == {}


@pytest.mark.parametrize("away", ["main-a", "sub-1"])
def test_a_node_that_is_away_keeps_no_other_from_hearing_an_order(
    platform: Platform, site: Nodes, admin: Account, away: str
) -> None:
    one = ordered(platform, admin)
    site.away, (there,) = away, set(site.kept) - {away}
    with platform.session() as session:
        with pytest.raises(Problem, match="cannot be asked"):
            exports.cancel(session, one.id, admin)
        assert site.kept[there][one.id]["state"] == "cancelled"
        with pytest.raises(Problem, match="cannot be asked"):
            exports.remove(session, one.id, admin)
        assert site.kept[there] == {}
        assert exports.listing(session, admin)[0].state == "away"


def test_orders_and_downloads_are_audited(platform: Platform, site: Nodes, admin: Account) -> None:
    one = ordered(platform, admin, channels=channels(platform)[:1])
    site.kept["main-a"][one.id] |= {"state": "done", "sha256": "ab"}
    with platform.session() as session:
        export_downloads.grant(session, one.id, admin)
        found = audit.listing(session, limit=2)
    assert [(row.action, row.target, row.actor) for row in found] == [
        ("export.download", one.id, "admin"), ("export.order", one.id, "admin"),
    ]  # fmt: skip
    assert found[0].details == {"via": "portal", "node": "main-a", "sha256": "ab"}
    assert found[1].details["channels"] == "main-a"


def test_who_may_only_look_exports_nothing(platform: Platform, site: Nodes) -> None:
    with platform.session() as session:
        for call in (exports.listing, lambda s, a: exports.get(s, "x", a),
                     lambda s, a: exports.remove(s, "x", a),
                     lambda s, a: exports.cancel(s, "x", a), lambda s, a: export_downloads.grant(s, "x", a),
                     lambda s, a: exports.order(s, ["x"], 0, 1, "mp4", a)):  # fmt: skip
            with pytest.raises(Problem) as told:
                call(session, OPERATOR)
            assert told.value.status == 403


@pytest.mark.parametrize(
    ("states", "whole"),
    [(["done", "done"], "done"), (["done", "failed"], "failed"), (["queued", "queued"], "queued"),
     (["queued", "done"], "running"), (["done", "away"], "away"), (["verifying", "done"], "verifying"),
     (["done", "gone"], "gone"), (["cancelled", "done"], "cancelled"), (["strange"], "away")],
)  # fmt: skip
def test_the_whole_is_no_better_than_its_parts(states: list[str], whole: str) -> None:
    assert export_parts.together(states) == whole
