"""A service as systemd sees it: ready, alive, ending in order, and clear about what is wrong."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.error import HTTPError

import pytest

if TYPE_CHECKING:
    from tests.conftest import NodeFiles

SERVICE = """
import asyncio
from aiohttp import web
from services.runtime import app
from services.runtime.errors import Problem

async def build(context):
    async def accident(_):
        raise RuntimeError("inner detail")
    async def problem(_):
        raise Problem("too-many", "Too many.", "Because.", "Do less.", 429)
    async def sick(_):
        context.health.give_up("stuck for good")
        return web.Response()
    async def slow(_):
        await asyncio.sleep(60)
    async def fails_twice():
        fails_twice.count += 1
        if fails_twice.count < 3:
            raise OSError("no luck")
        context.health.set("worker", True, "third time")
        await asyncio.sleep(3600)
    fails_twice.count = 0
    context.background("worker", fails_twice)
    for handler in (accident, problem, sick, slow):
        context.app.router.add_get("/" + handler.__name__, handler)

app.run("dms", build)
"""


class Running:
    """A service process and the socket on which it tells systemd its state."""

    def __init__(self, folder: Path, port: int) -> None:
        self.port = port
        self.told = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.told.bind(str(folder / "notify"))
        self.told.settimeout(10)
        environment = os.environ | {"NOTIFY_SOCKET": str(folder / "notify"), "WATCHDOG_USEC": "600000"}
        self.process = subprocess.Popen(
            [sys.executable, "-c", SERVICE], env=environment, stderr=subprocess.PIPE, text=True
        )

    def hear(self, wanted: str) -> str:
        while True:
            text = self.told.recv(4096).decode()
            if wanted in text:
                return text

    def get(self, path: str) -> tuple[int, dict[str, Any]]:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=5) as response:
                return response.status, json.loads(response.read() or "{}")
        except HTTPError as error:
            return error.code, json.loads(error.read())

    def end(self) -> tuple[int, list[dict[str, Any]]]:
        self.process.send_signal(signal.SIGTERM)
        _, lines = self.process.communicate(timeout=10)
        return self.process.returncode, [json.loads(line) for line in lines.splitlines()]


@pytest.fixture
def running(node_files: "NodeFiles", tmp_path: Path, free_port: Callable[[], int]) -> Iterator[Running]:
    port = free_port()
    node_files.service("dms", {"http": port})
    service = Running(tmp_path, port)
    service.hear("READY=1")
    yield service
    service.told.close()
    if service.process.poll() is None:
        service.end()
    assert service.process.stderr is not None
    service.process.stderr.close()


def test_a_service_that_is_ready_answers_and_ends_in_order(running: Running) -> None:
    assert set(running.get("/health")[1]) == {"status", "checks"}
    running.hear("WATCHDOG=1")
    code, lines = running.end()
    assert code == 0
    assert any(line["message"].startswith("ready on 127.0.0.1") for line in lines)
    assert lines[-1]["message"] == "stopped"
    assert {"at", "level", "service", "logger"} <= lines[0].keys()


def test_a_slow_request_does_not_hold_up_the_end(running: Running) -> None:
    client = socket.create_connection(("127.0.0.1", running.port))
    client.sendall(b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n")
    time.sleep(0.2)
    began = time.monotonic()
    code, _ = running.end()
    client.close()
    assert code == 0
    assert time.monotonic() - began < 6


def test_the_watchdog_starves_when_only_a_restart_can_help(running: Running) -> None:
    running.get("/sick")
    running.hear("stuck for good")
    quiet_until = time.monotonic() + 1
    while time.monotonic() < quiet_until:
        running.told.settimeout(0.3)
        try:
            assert "WATCHDOG" not in running.told.recv(4096).decode()
        except TimeoutError:
            continue
    status, health = running.get("/health")
    assert (status, health["status"]) == (503, "failing")


def test_problems_are_told_and_accidents_give_nothing_away(running: Running) -> None:
    status, body = running.get("/problem")
    assert (status, body["what"], body["why"], body["remedy"]) == (429, "Too many.", "Because.", "Do less.")
    status, body = running.get("/accident")
    assert status == 500
    assert "inner detail" not in json.dumps(body)


def test_background_work_that_fails_is_shown_and_started_again(running: Running) -> None:
    reasons = set()
    deadline = time.monotonic() + 10
    while "third time" not in reasons and time.monotonic() < deadline:
        reasons.add(running.get("/health")[1]["checks"].get("worker", {}).get("reason"))
        time.sleep(0.05)
    assert "third time" in reasons
    assert any(reason and "no luck" in reason for reason in reasons)


def test_a_taken_port_is_named(node_files: "NodeFiles", free_port: Callable[[], int]) -> None:
    port = free_port()
    node_files.service("dms", {"http": port})
    with socket.create_server(("127.0.0.1", port)):
        done = subprocess.run([sys.executable, "-c", SERVICE], stderr=subprocess.PIPE, text=True, timeout=20)
    assert done.returncode == 1
    assert f"cannot listen on 127.0.0.1:{port}" in done.stderr
    errors = [line for line in map(json.loads, done.stderr.splitlines()) if line["level"] == "error"]
    assert "trace" not in errors[-1]
