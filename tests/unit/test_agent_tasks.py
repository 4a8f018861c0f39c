"""Orders are carried out one at a time, in order, and survive the agent's own restart."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from aiohttp.test_utils import TestClient, TestServer

from services.runtime import app
from services.runtime.errors import Problem
from services.runtime.health import Health
from services.smc.agent.api import Api
from services.smc.agent.entries import Entry
from services.smc.agent.figures import Meter
from services.smc.agent.monitor import Monitor
from services.smc.agent.probes import Prober
from services.smc.agent.tasks import Tasks

if TYPE_CHECKING:
    from tests.conftest import NodeFiles


def entry(id: str, core: bool, *after: str) -> Entry:
    return Entry(id, id, core, after, (f"dss-{id}.service",), {})


@pytest.fixture
def tasks(tmp_path: Path) -> Tasks:
    entries = [entry("nginx", True), entry("mq", False), entry("smc", True), entry("dms", False, "mq")]
    return Tasks(Monitor(entries, Prober({}), Meter(Path("/"))), tmp_path / "tasks.json")


def services(tasks: Tasks, verb: str) -> list[str]:
    return [chosen.id for chosen in tasks._chosen("all", verb)]


def test_stop_all_goes_backwards_and_leaves_what_carries_the_portal(tasks: Tasks) -> None:
    assert services(tasks, "stop") == ["dms", "mq"]


def test_start_and_restart_all_go_forwards_and_end_with_the_agent(tasks: Tasks) -> None:
    assert services(tasks, "start") == services(tasks, "restart") == ["nginx", "mq", "dms", "smc"]


async def test_without_systemd_an_order_fails_and_says_why(tasks: Tasks) -> None:
    task = tasks.order("dms", "start")
    with pytest.raises(Problem) as busy:
        tasks.order("mq", "stop")
    assert busy.value.status == 409
    assert tasks._work is not None
    await tasks._work
    assert (task.state, task.steps[0].state) == ("failed", "failed")
    assert "systemd" in task.steps[0].message


@pytest.mark.parametrize(
    ("service", "verb", "status"), [("x", "start", 404), ("dms", "kill", 404), ("smc", "stop", 409)]
)
async def test_an_order_that_cannot_be_is_refused(tasks: Tasks, service: str, verb: str, status: int) -> None:
    with pytest.raises(Problem) as problem:
        tasks.order(service, verb)
    assert problem.value.status == status
    assert not tasks.tasks


async def test_only_the_last_tasks_are_kept(tasks: Tasks) -> None:
    for _ in range(25):
        last = tasks.order("dms", "stop")
        assert tasks._work is not None
        await tasks._work
    assert len(tasks.tasks) == 20
    assert tasks.get(last.id) is last


def test_a_task_cut_off_by_the_agents_own_restart_is_concluded(tasks: Tasks) -> None:
    steps = [
        {"service": id, "state": state, "message": ""} for id, state in (("dms", "done"), ("smc", "running"))
    ]
    rows = [{"id": "a", "verb": "restart", "steps": steps, "state": "running"}]
    rows.append({"id": "b", "verb": "restart", "steps": [{**steps[1], "service": "dms"}], "state": "running"})
    tasks.memory.write_text(json.dumps(rows))
    tasks.recall()
    assert (tasks.get("a").state, tasks.get("b").state) == ("done", "failed")
    assert "restarted" in tasks.get("b").steps[0].message


@pytest.mark.parametrize("text", ["", "[", "{}", '[{"id": 1}]', "null"])
def test_a_damaged_memory_of_tasks_is_forgotten(tasks: Tasks, text: str) -> None:
    tasks.memory.write_text(text)
    tasks.recall()
    assert tasks.tasks == {}


async def test_a_task_remembers_who_when_and_every_step(tasks: Tasks) -> None:
    task = tasks.order("dms", "start", "admin")
    assert tasks._work is not None
    await tasks._work
    again = Tasks(tasks.monitor, tasks.memory)
    again.recall()
    (found,) = again.listing()
    assert found == task
    assert (found.by, found.service, 0 < found.began <= found.ended) == ("admin", "dms", True)
    assert found.log[0]["text"].startswith("dms: starting")


@pytest.mark.parametrize(("caller", "status"), [("", 202), ("main-a", 202), ("sub-2", 403)])
async def test_only_the_node_itself_and_its_centre_order_its_services(
    tasks: Tasks, node_files: "NodeFiles", caller: str, status: int
) -> None:
    center = {"name": "main-a", "address": "198.18.0.10", "https_port": 443}
    node_files.node(name="sub-1", role="sub", center=center)
    service = app.application(Health())
    service.add_routes(Api(tasks.monitor, tasks).routes())
    async with TestClient(TestServer(service)) as client:
        answer = await client.post("/services/dms/restart", headers={"X-DSS-Node": caller})
        assert answer.status == status
    assert len(tasks.tasks) == (status == 202)
