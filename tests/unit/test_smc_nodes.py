"""Joining, enabling and the live state of servers."""

import json
import threading
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from services.node import files, pki, registry
from services.runtime import clock
from services.runtime.errors import Problem
from services.smc import audit, models, nodes, topology
from services.smc.accounts import Account

if TYPE_CHECKING:
    from tests.conftest import Platform

ADMIN = Account(1, "Admin", "administrator", "192.0.2.1")


def join(platform: "Platform", name: str, role: str = "sub", address: str = "198.18.0.21") -> None:
    with platform.session() as session:
        nodes.register(session, name, role, address, None, "1.2.3")


def beat(platform: "Platform", name: str, age: float = 0.0, **more: Any) -> None:  # noqa: ANN401
    with platform.redis.client() as client:
        client.set(f"beat:{name}", json.dumps({"node": name, "cpu": 12.5, **more}), px=int((30 - age) * 1000))


def token(platform: "Platform", name: str = "sub-1", minutes: int = 10) -> str:
    with platform.session() as session:
        return nodes.add_token(session, name, timedelta(minutes=minutes), ADMIN).token


def redeem(platform: "Platform", name: str, text: str) -> str:
    with platform.session() as session:
        try:
            nodes.redeem_token(session, name, text, "198.18.0.21")
        except Problem as problem:
            return f"{problem.status} {problem.code}"
    return "in"


def test_a_token_lets_its_node_in_once(platform: "Platform") -> None:
    text = token(platform)
    assert redeem(platform, "sub-1", text) == "in"
    assert redeem(platform, "sub-1", text) == "403 join-token-used"


def test_a_token_is_refused_with_its_reason_and_audited(
    platform: "Platform", monkeypatch: pytest.MonkeyPatch
) -> None:
    assert redeem(platform, "sub-1", "f" * 64) == "403 join-token-wrong"
    assert redeem(platform, "sub-2", token(platform, "sub-1")) == "403 join-token-name"
    older, newer = token(platform), token(platform)
    assert redeem(platform, "sub-1", older) == "403 join-token-expired"
    real = clock.now
    monkeypatch.setattr(nodes.clock, "now", lambda: real() + timedelta(minutes=11))
    assert redeem(platform, "sub-1", newer) == "403 join-token-expired"
    with platform.session() as session:
        seen = [one.details["reason"] for one in audit.listing(session, action="node.join")]
    assert seen == ["expired", "expired", "name", "wrong"]


def test_a_token_used_by_two_at_once_lets_one_in(platform: "Platform") -> None:
    text, outcomes = token(platform), []
    threads = [
        threading.Thread(target=lambda: outcomes.append(redeem(platform, "sub-1", text))) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(outcomes) == [*["403 join-token-used"] * 3, "in"]


def test_the_database_never_sees_a_token(platform: "Platform") -> None:
    text = token(platform)
    with platform.session() as session:
        row = session.query(models.JoinToken).one()
    assert len(text) == 64
    assert text not in str(vars(row))


def test_a_sub_waits_and_main_works_at_once(platform: "Platform") -> None:
    join(platform, "main-a", "main", "198.18.0.10")
    join(platform, "sub-1")
    with platform.session() as session:
        assert [(one.name, one.state) for one in nodes.listing(session)] == [
            ("main-a", "enabled"), ("sub-1", "waiting"),
        ]  # fmt: skip


def test_registering_again_keeps_the_decision_and_takes_the_new_address(platform: "Platform") -> None:
    join(platform, "sub-1")
    with platform.session() as session:
        nodes.enable(session, "sub-1", ADMIN)
    join(platform, "sub-1", address="198.18.0.99")
    with platform.session() as session:
        one = nodes.get(session, "sub-1")
    assert (one.state, one.address, one.state_changed_by) == ("enabled", "198.18.0.99", "Admin")


def test_main_cannot_be_disabled(platform: "Platform") -> None:
    join(platform, "main-a", "main")
    with platform.session() as session, pytest.raises(Problem) as caught:
        nodes.disable(session, "main-a", ADMIN)
    assert caught.value.code == "main-stays"


@pytest.mark.parametrize(
    ("age", "reach", "stale"),
    [(0.5, "reachable", False), (4.0, "unreachable", False), (11.0, "unreachable", True)],
)
def test_the_age_of_the_beat_says_how_a_node_is(
    platform: "Platform", age: float, reach: str, stale: bool
) -> None:
    join(platform, "sub-1")
    beat(platform, "sub-1", age)
    with platform.session() as session:
        one = nodes.get(session, "sub-1")
    assert (one.reach, one.stale) == (reach, stale)
    assert one.age == pytest.approx(age, abs=0.5)
    assert one.beat["cpu"] == 12.5


def test_a_node_without_beat_is_unreachable(platform: "Platform") -> None:
    join(platform, "sub-1")
    with platform.session() as session:
        one = nodes.get(session, "sub-1")
    assert (one.reach, one.stale, one.age, one.beat) == ("unreachable", True, None, {})


def test_the_graph_shows_links_as_they_are(platform: "Platform") -> None:
    for name, role in (("main-a", "main"), ("sub-1", "sub"), ("sub-2", "sub"), ("sub-3", "sub")):
        join(platform, name, role)
    with platform.session() as session:
        nodes.enable(session, "sub-1", ADMIN)
        nodes.enable(session, "sub-2", ADMIN)
        beat(
            platform,
            "main-a",
            services=[{"id": "mts", "state": "Unavailable"}, {"id": "dms", "state": "Running"}],
        )
        beat(platform, "sub-1")
        graph = topology.graph(session)
    assert graph.site == "Test"
    assert [(one.source, one.target, one.state) for one in graph.edges] == [
        ("sub-1", "main-a", "up"), ("sub-2", "main-a", "down"), ("sub-3", "main-a", "waiting"),
    ]  # fmt: skip
    main = graph.vertices[0]
    assert (main.services, main.services_bad, main.cpu) == (2, 1, 12.5)


def test_names_that_are_no_dns_labels_are_refused(platform: "Platform") -> None:
    for name in ("", "Sub-1", "-sub", "sub_1", "a" * 64, "sub.1"):
        with pytest.raises(Problem):
            nodes.check_name(name)


def test_who_may_link_follows_from_used_tokens_and_decisions(platform: "Platform") -> None:
    token(platform, "sub-8")
    with platform.session() as session:
        used = nodes.add_token(session, "sub-9", timedelta(minutes=1), ADMIN).token
        nodes.redeem_token(session, "sub-9", used, "192.0.2.9")
        nodes.register(session, "sub-1", "sub", "192.0.2.11", None, "1")
        assert nodes.linked(session) == {"sub-9": True, "sub-1": True}
        nodes.disable(session, "sub-1", ADMIN)
        assert nodes.linked(session) == {"sub-9": True, "sub-1": False}
        nodes.enable(session, "sub-1", ADMIN)
        assert nodes.linked(session)["sub-1"]


def test_a_token_made_at_the_console_is_good_for_as_long_as_asked(
    platform: "Platform", tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pki.Store(tmp_path / "pki").save_ca(*pki.make_ca("Test"))
    monkeypatch.setattr(files, "ETC", tmp_path)
    for seconds in (registry.TOKEN_SECONDS, 7200):
        ends = datetime.fromisoformat(registry.token("sub-1", seconds)["expires_at"])
        assert abs((ends - clock.now()).total_seconds() - seconds) < 30
    with pytest.raises(Problem, match="cannot be made"):
        registry.token("sub-1", 59)
