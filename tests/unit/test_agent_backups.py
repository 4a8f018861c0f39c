"""What the agent says of backups: from root's notes and systemd's word, never from one alone."""

import json
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp.test_utils import TestClient, TestServer

from services.node import backup_record
from services.node.backup_record import Run
from services.runtime import app, auth
from services.runtime.health import Health
from services.smc.agent.backups import Backups, concluded, summary
from services.smc.agent.figures import Meter
from services.smc.agent.monitor import Monitor
from services.smc.agent.probes import Prober

if TYPE_CHECKING:
    from tests.conftest import NodeFiles

TOKEN = {"Authorization": "Bearer node-secret"}
CENTER = {"name": "main-a", "address": "198.18.0.10", "https_port": 443}
KEY = {"key": "x25519:x", "path": "/var/backups/dss", "keep": 7}


class Bus:
    """systemd as the agent meets it: one start gives the unit a new invocation."""

    def __init__(self) -> None:
        self.runs = 0
        self.state, self.result = "inactive", "success"
        self.started: list[str] = []

    async def request(self, verb: str, name: str) -> None:
        self.started.append(f"{verb} {name}")
        self.runs += 1
        self.state = "activating"

    async def look(self, name: str, _interface: str) -> dict[str, Any]:
        if name == backup_record.TIMER:
            return {"ActiveState": "active", "NextElapseUSecRealtime": 1_800_000_000_000_000}
        id = bytes([self.runs] * 16) if self.runs else b""
        return {"ActiveState": self.state, "Result": self.result, "InvocationID": id,
                "InactiveExitTimestamp": 1_700_000_000_000_000}  # fmt: skip


@pytest.fixture
def bus() -> Bus:
    return Bus()


@pytest.fixture
async def client(
    node_files: "NodeFiles", tmp_path: Path, bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> "AsyncIterator[TestClient[Any, Any]]":
    monkeypatch.setattr(backup_record, "PATH", tmp_path / "backups.json")
    monkeypatch.setattr(backup_record, "LOCK", tmp_path / "backup.lock")
    node_files.node(name="sub-1", role="sub", center=CENTER)
    (node_files.etc / "backup.json").write_text(json.dumps(KEY))
    monitor = Monitor([], Prober({}), Meter(Path("/")), systemd=bus)  # type: ignore[arg-type]
    service = app.application(Health())
    service.middlewares.append(auth.node_only)
    service.add_routes(Backups(monitor).routes())
    async with TestClient(TestServer(service)) as one:
        yield one


async def test_an_order_starts_the_unit_and_leaves_the_name_for_root(
    client: "TestClient[Any, Any]", bus: Bus, node_files: "NodeFiles"
) -> None:
    answer = await client.post("/backups", json={"by": "admin"}, headers=TOKEN)
    assert (answer.status, await answer.json()) == (202, {"task": "01" * 16})
    assert bus.started == ["start dss-backup.service"]
    asked = node_files.state / "backup-by"
    assert (asked.read_text(), asked.stat().st_mode & 0o777) == ("admin", 0o600)
    busy = await client.post("/backups", json={"by": "admin"}, headers=TOKEN)
    assert (busy.status, (await busy.json())["code"]) == (409, "backup-busy")


@pytest.mark.parametrize(
    ("headers", "body", "status"),
    [
        ({}, '{"by": "admin"}', 401),
        (TOKEN | {"X-DSS-Node": "sub-2"}, '{"by": "admin"}', 403),
        (TOKEN, '{"by": "a\\nb"}', 400),
        (TOKEN, "[1]", 400),
        (TOKEN, f'{{"by": "{"x" * 65}"}}', 400),
    ],
)
async def test_only_the_centre_orders_and_only_with_a_plain_name(
    client: "TestClient[Any, Any]", bus: Bus, headers: dict[str, str], body: str, status: int
) -> None:
    answer = await client.post("/backups", data=body, headers=headers)
    assert answer.status == status
    assert bus.started == []


async def test_without_a_key_nothing_is_begun(
    client: "TestClient[Any, Any]", bus: Bus, node_files: "NodeFiles"
) -> None:
    (node_files.etc / "backup.json").unlink()
    answer = await client.post("/backups", json={"by": "admin"}, headers=TOKEN)
    assert (answer.status, bus.started) == (409, [])
    told = await (await client.get("/backups", headers=TOKEN)).json()
    assert summary(told) == {"configured": False}


async def test_the_public_answer_holds_no_key(client: "TestClient[Any, Any]") -> None:
    text = await (await client.get("/backups", headers=TOKEN)).text()
    assert "x25519" not in text
    assert json.loads(text)["next"] == 1_800_000_000


def test_a_run_that_was_killed_is_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backup_record, "LOCK", tmp_path / "backup.lock")
    runs = [Run("a" * 32, "admin", 1.0, log=[{"at": 5.0, "text": "Begun."}])]
    (found,) = concluded(runs, {})
    assert (found.state, found.ended) == ("failed", 5.0)
    with backup_record.alone():
        assert concluded(runs, {})[0].state == "running"


def test_a_unit_that_failed_before_it_could_note_anything_is_a_failed_run() -> None:
    unit = {"ActiveState": "failed", "Result": "exit-code", "InvocationID": os.urandom(16),
            "InactiveExitTimestamp": 7_000_000}  # fmt: skip
    (found,) = concluded([], unit)
    assert (found.state, found.began) == ("failed", 7.0)
    assert "ended with an error" in found.why


def test_a_run_that_has_not_noted_itself_yet_is_there_and_runs() -> None:
    unit = {"ActiveState": "activating", "Result": "success", "InvocationID": b"\x01" * 16,
            "InactiveExitTimestamp": 7_000_000}  # fmt: skip
    (found,) = concluded([], unit)
    assert (found.id, found.state, found.began) == ("01" * 16, "running", 7.0)


def test_the_beat_tells_the_last_end_and_the_last_good_one() -> None:
    ends = (("running", 0.0, ""), ("failed", 9.0, "No room."), ("done", 5.0, ""))
    runs = [{"state": state, "ended": ended, "why": why} for state, ended, why in ends]
    told = summary({"path": "/x", "scheduled": True, "period": 60, "since": 1.0, "runs": runs})
    assert (told["failed"], told["good"]) == ("No room.", 5.0)
