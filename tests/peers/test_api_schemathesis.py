"""Schemathesis against the real application: whatever it sends, the API keeps to its document, without 5xx.

DSS_EXAMPLES sets the number of requests it makes up for each operation, half of them wrong on purpose.
"""

import json
import os
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.schemas import BaseSchema
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_schema_conformance,
    status_code_conformance,
)

from portal import create_app
from services.runtime import clock
from services.smc import accounts, devices, models, nodes, sessions
from services.smc.api import openapi
from services.smc.api.route import TABLE, Operation
from tests.portal.agent import part
from tests.portal.upkeep import busy

if TYPE_CHECKING:
    from tests.conftest import Platform

EXAMPLES = int(os.environ.get("DSS_EXAMPLES", "15"))
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
    negative_data_rejection,
]
STEP = {"service": "mts", "state": "done", "message": ""}
SERVICE = {
    "id": "mts",
    "state": "Running",
    "reason": "",
    "since": None,
    "cpu": 1,
    "memory": 1,
    "fds": 1,
    "restarts": 0,
}


CHANGE = {
    "id": "t1",
    "by": "admin",
    "state": "kept",
    "request": {"ports": {"mts.rtsp": 19100}},
    "affected": {"units": {}, "paths": []},
    "began": 0,
    "ends": 0,
    "healthy_after": 1.0,
    "problem": None,
    "log": [],
}


UPKEEP = busy("main-a")
EXPORT = part("e" * 16, "done", name="x.mp4", sha256="a" * 64)
LOCK = {"id": "l1", "start": 1.0, "end": 2.0, "note": "", "by": "admin", "at": "2026-11-22T02:03:12Z"}
RECORDING = {"channel": "c", "mode": "event", "manual": False, "asked": None, "writes": None,
             "event_seconds": 1.5, "problem": ""}  # fmt: skip
INTERVAL = {"start": 1.0, "end": 2.0, "after": "gap", "kind": "event", "locked": True}
GAP = {"start": 2.0, "end": 3.0, "reason": "camera", "detail": "It is lost.",
       "fetch": {"state": "fetching", "done": 0.5, "seconds": 0.5, "why": ""}}  # fmt: skip

PTZ = {"began": True, "moving": "up", "ends_in": 2.5, "pan": 1.5, "tilt": None, "zoom": 1.0,
       "presets": [{"id": 1, "name": "Gate"}]}  # fmt: skip


class Agent(BaseHTTPRequestHandler):
    """The local node agent and services, which have every service, task, change, backup and export."""

    def do_GET(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        _, part, *rest = self.path.split("/")
        answers: dict[str, Any] = {
            "services": [SERVICE], "tasks": {"id": "t1", "state": "done", "steps": [STEP]},
            "logs": {"lines": ["one"]}, "ports": [], "listeners": [],
            "changes": CHANGE if rest or self.command == "POST" else [CHANGE],
            "backups": asdict(UPKEEP.runs[0]) if rest else UPKEEP.backups(),
            "drift": [{"path": "ports.mts.rtsp", "value": 19100, "inventory": 9100}],
            "history": UPKEEP.history() | {"changes": [CHANGE]},
            "exports": EXPORT if rest or self.command == "POST" else [EXPORT],
            "collections": {"size": 9, "tag": "t"},
            "releases": UPKEEP.answer("GET", ["releases"], {})[1],
            "recording": RECORDING, "events": RECORDING | {"accepted": True},
            "locks": {"locks": [LOCK]} if self.command == "GET" else LOCK,
            "recorded": {"covered": 1, "intervals": [INTERVAL], "gaps": [GAP]},
            "talks": {"channel": "c", "codec": "PCMU"}, "ptz": PTZ,
        }  # fmt: skip
        ordered = self.command == "POST" and part in {"services", "backups"}
        body = json.dumps({"task": "t1"} if ordered else answers[part]).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_DELETE = do_GET  # noqa: N815

    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def agent(platform: "Platform") -> Iterator[None]:
    """Main's agent and the services that it passes orders to, on their ports."""
    services = (
        json.loads((platform.files.etc / "services" / f"{id}.json").read_text())
        for id in ("smc", "ss", "mts", "dms")
    )
    with ExitStack() as stack:
        for one in services:
            stack.enter_context(served(one["ports"]["http"]))
        yield


@contextmanager
def served(port: int) -> Iterator[None]:
    """The stand-in at a port."""
    with ThreadingHTTPServer(("127.0.0.1", port), Agent) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield
        server.shutdown()
        thread.join()


@pytest.fixture
def known(platform: "Platform") -> dict[str, list[str]]:
    """An initialised site with a device; values by which a made-up path meets something that is there."""
    with platform.session() as session:
        answers = [accounts.Answer(f"Question {n}?", "yes") for n in range(3)]
        admin = accounts.initialise(session, "admin", "Admin.2468", answers, "127.0.0.1")
        nodes.register(session, "main-a", "main", "127.0.0.1", None, "1")
        device = devices.add(session, devices.NewRtsp("A", "main-a", "rtsp://198.18.0.101/a"), admin)
        now, channels = clock.now(), [{"channel": device.channels[0].id, "name": "A", "node": "main-a"}]
        session.add(models.Export(id=EXPORT["id"], ordered_by="admin", ordered_at=now, format="mp4",
                                  start_at=now, end_at=now, channels=channels))  # fmt: skip
        session.commit()
    with platform.redis.client() as redis:
        redis.set(
            "beat:main-a",
            json.dumps({"node": "main-a", "cpu": 1, "memory": {"total": 2, "available": 1}}),
            px=120_000,
        )
    return {
        "id": [device.id, device.channels[0].id, "t1", EXPORT["id"]], "name": ["main-a"],
        "service": ["mts", "all"],
        "verb": ["start", "stop", "restart"],
    }  # fmt: skip


@pytest.fixture
def api_schema(platform: "Platform", agent: None) -> BaseSchema:
    """The document as the application serves it."""
    return schemathesis.openapi.from_wsgi("/api/v1/openapi.json", create_app({"SECRET": "s" * 64}))


def met(parts: dict[str, Any], known: dict[str, list[str]]) -> dict[str, Any]:
    """Every other part of a path becomes one that is there, or no request would get beyond 404."""

    def one(name: str, text: str) -> str:
        return (
            known[name][sum(map(ord, text)) % len(known[name])] if name in known and len(text) % 2 else text
        )

    return {name: one(name, str(text)) for name, text in parts.items()}


@pytest.mark.parametrize("mode", list(GenerationMode), ids=lambda mode: mode.value)
@pytest.mark.parametrize("one", TABLE, ids=lambda one: f"{one.method} {one.path}")
def test_the_api_keeps_to_its_document(
    api_schema: BaseSchema, known: dict[str, list[str]], one: Operation, mode: GenerationMode
) -> None:
    operation = api_schema[openapi.path_of(one)][one.method]
    seen: list[int] = []

    @given(case=operation.as_strategy(generation_mode=mode))
    @settings(
        max_examples=max(1, EXAMPLES // 2), deadline=None, derandomize=True, database=None,
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    def call(case: Case) -> None:
        # A new session each time: logging out and ending sessions are among the requests.
        token, _ = sessions.create(1, "admin", "administrator", "127.0.0.1", "bearer")
        if mode is GenerationMode.POSITIVE:
            case.path_parameters = met(case.path_parameters or {}, known)
        answer = case.call(headers={"Authorization": f"Bearer {token}"})
        seen.append(answer.status_code)
        case.validate_response(answer, checks=CHECKS)

    try:
        call()
    except Unsatisfiable:
        assert mode is GenerationMode.NEGATIVE, "an operation without parameters cannot be asked wrongly"
        return
    assert seen
