"""The five states agree with systemd and with the health check."""

import asyncio

import pytest

from services.smc.agent import states
from services.smc.agent.probes import Prober
from services.smc.agent.states import Condition, Unit, of_unit, worst


def unit(active: str, sub: str = "", **more: str) -> Unit:
    return Unit("dss-x.service", more.get("load", "loaded"), active, sub, more.get("result", "success"))


@pytest.mark.parametrize(
    ("seen", "unhealthy", "state"),
    [
        (unit("activating", "start"), None, "Starting"),
        (unit("active", "running"), None, "Starting"),
        (unit("active", "running"), "", "Running"),
        (unit("reloading", "reload"), "", "Running"),
        (unit("active", "running"), "It does not answer", "Unavailable"),
        (unit("deactivating", "stop-sigterm"), "", "Stopping"),
        (unit("inactive", "dead"), None, "Stopped"),
        (unit("failed", "failed", result="watchdog"), None, "Unavailable"),
        (unit("activating", "auto-restart", result="signal"), None, "Unavailable"),
        (unit("inactive", "dead", load="not-found"), None, "Unavailable"),
        (unit("a-state-of-tomorrow"), "", "Unavailable"),
    ],
)
def test_state_of_a_unit(seen: Unit, unhealthy: str | None, state: str) -> None:
    found = of_unit(seen, "", unhealthy)
    assert found.state == state
    assert found.reason or state != "Unavailable"


def test_a_withheld_service_is_stopped_and_says_why() -> None:
    found = of_unit(unit("inactive", "dead"), "2.1 GB available, 2.5 GB needed", None)
    assert found == Condition("Stopped", "Withheld at start: 2.1 GB available, 2.5 GB needed")


def test_a_service_is_as_well_as_its_worst_unit() -> None:
    running = Condition(states.RUNNING)
    assert worst([running, Condition(states.UNAVAILABLE, "x"), Condition(states.STARTING)]).reason == "x"
    assert worst([running, Condition(states.STOPPED)]).state == "Stopped"
    assert worst([running, running]) == running
    assert worst([]).state == "Unavailable"


async def test_one_lost_answer_is_forgiven_two_are_not() -> None:
    answers = ["", "late", "", "late", "late", ""]

    async def probe() -> str:
        return answers.pop(0)

    prober, seen = Prober({"x": probe}), []
    assert prober.problem("x") is None
    while answers:
        prober.ask("x")
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        seen.append(prober.problem("x"))
    assert seen == ["", "", "", "", "late", ""]
    prober.forget("x")
    assert prober.problem("x") is None


async def test_a_probe_that_hangs_is_not_asked_twice_at_once() -> None:
    asked = 0

    async def probe() -> str:
        nonlocal asked
        asked += 1
        await asyncio.sleep(60)
        return ""

    prober = Prober({"x": probe})
    for _ in range(5):
        prober.ask("x")
        await asyncio.sleep(0)
    assert asked == 1


async def test_a_probe_that_breaks_is_a_reason_and_not_an_accident() -> None:
    async def probe() -> str:
        raise ConnectionRefusedError("refused")

    prober = Prober({"x": probe})
    for _ in range(2):
        prober.ask("x")
        await asyncio.sleep(0.01)
    assert prober.problem("x") == "It does not answer (refused)"
