"""Changes at run time: the agent hands requests and answers to root, and shows what became of them."""

import json
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any
from uuid import uuid4

from aiohttp import web
from dbus_fast.errors import DBusError

from services import drift
from services.node import change_record, files
from services.runtime import config
from services.runtime.errors import Problem
from services.smc.agent.center import foreign, only_main
from services.smc.agent.monitor import Monitor

ANSWERS = {"confirm": "keep", "undo": "undo"}
SHOWN = 10
START_SECONDS = 20.0
CENTER = "center"


class Changes:
    """Routes of interfaces.md §5; systemd starts `dss-change@<id>`, which trusts nothing written here."""

    def __init__(self, monitor: Monitor, folder: Path | None = None) -> None:
        self.monitor = monitor
        self.folder = folder or config.state_dir() / "changes"

    def routes(self) -> list[web.RouteDef]:
        """All routes."""
        return [
            web.get("/changes", self.listing),
            web.post("/changes", self.ask),
            web.get("/changes/{id}", self.show),
            web.post("/changes/{id}/{answer}", self.answer),
            web.post("/center", self.center),
            web.get("/drift", self.drift),
        ]

    async def listing(self, _: web.Request) -> web.Response:
        """The last changes, newest first."""
        return web.json_response(self.known()[:SHOWN])

    async def show(self, request: web.Request) -> web.Response:
        """One change."""
        return web.json_response(self.get(request.match_info["id"]))

    async def ask(self, request: web.Request) -> web.Response:
        """202 and the id; whether the change is possible stands in its record some moments later."""
        only_main(request)
        body = await _object(request)
        if self.busy():
            raise Problem(
                "change-open",
                "The change was not made.",
                "Another change of this node is not confirmed yet.",
                "Keep or undo that one first.",
                status=409,
            )
        return web.json_response({"id": await self.start(body)}, status=202)

    async def answer(self, request: web.Request) -> web.Response:
        """Confirm or undo the open change."""
        only_main(request)
        one, word = self.get(request.match_info["id"]), ANSWERS.get(request.match_info["answer"])
        if word is None:
            raise _unknown()
        if one["state"] != "waiting" and not (word == "undo" and one["state"] in change_record.OPEN_STATES):
            raise Problem(
                "change-closed",
                "The change does not wait for an answer.",
                f"It is {one['state']}.",
                "Look at the list of changes.",
                status=409,
            )
        files.write(self.folder / f"{one['id']}.answer", word, 0o600)
        return web.json_response(one, status=202)

    async def center(self, request: web.Request) -> web.Response:
        """Where main is reached from now on, told by main itself; nobody confirms it."""
        node, body = config.load_node(), await _object(request)
        if node.center is None or request.headers.get("X-DSS-Node") != node.center.name:
            raise foreign()
        if _same(body):
            return web.json_response({"same": True})
        if self.busy():
            # Main asks again until this node says that it knows.
            return web.json_response({"busy": True})
        return web.json_response({"id": await self.start({CENTER: body, "by": node.center.name})}, status=202)

    async def drift(self, _: web.Request) -> web.Response:
        """What was changed here and is not what the inventory says: `[{path, value, inventory}]`."""
        nothing: dict[str, Any] = {}
        facts = config.read_json(config.root() / "host.json")
        overrides = files.read_json(config.root() / "overrides.json", nothing)
        return web.json_response([asdict(one) for one in drift.listing(facts, overrides, _usual())])

    async def start(self, body: dict[str, Any]) -> str:
        """Write the request down and have systemd start its root half; returns the id."""
        systemd = self.monitor.systemd
        if systemd is None:
            raise Problem("systemd-away", "The change was not made.", "systemd does not answer.",
                          "Look at the log of DSS_SMC.", status=502)  # fmt: skip
        id = uuid4().hex
        self.folder.mkdir(mode=0o700, exist_ok=True)
        files.write_json(self.folder / f"{id}.json", body | {"id": id, "at": time.time()}, 0o600)
        try:
            await systemd.request("start", f"dss-change@{id}.service")
        except (DBusError, OSError) as error:
            (self.folder / f"{id}.json").unlink(missing_ok=True)
            raise Problem("systemd-refused", "The change was not made.", f"systemd answered: {error}.",
                          "Look at the log of DSS_SMC.", status=502) from error  # fmt: skip
        return id

    def busy(self) -> bool:
        """Whether a change of this node is neither kept nor gone."""
        return any(one["state"] in {"asked", *change_record.OPEN_STATES} for one in self.known())

    def known(self) -> list[dict[str, Any]]:
        """Records as dictionaries, and requests that root has not taken up yet."""
        found = [asdict(one) for one in change_record.listing()]
        ids = {one["id"] for one in found}
        asked = [p.stem for p in self.folder.glob("*.json") if p.stem not in ids and _age(p) < START_SECONDS]
        return [_asked(id) for id in asked] + found

    def get(self, id: str) -> dict[str, Any]:
        """One of them; Problem 404."""
        found = next((one for one in self.known() if one["id"] == id), None)
        if found is None:
            raise _unknown()
        return found


def _asked(id: str) -> dict[str, Any]:
    return asdict(change_record.Record(id, {}, state="asked", began=time.time()))


def _age(path: Path) -> float:
    try:
        return time.time() - path.stat().st_mtime
    except OSError:
        return START_SECONDS


def _same(body: dict[str, Any]) -> bool:
    """Whether this node knows its centre so already."""
    nothing: dict[str, Any] = {}
    center = files.read_json(config.root() / "host.json", nothing).get("center") or {}
    told = files.read_json(config.root() / "overrides.json", nothing).get("center", {})
    ports = _usual() | center.get("ports", {}) | told.get("ports", {})
    asked = body.get("ports")
    same_ports = isinstance(asked, dict) and all(ports.get(key) == number for key, number in asked.items())
    return same_ports and body.get("address") == told.get("address", center.get("address"))


def _usual() -> dict[str, int]:
    """Every listener's number as the manifests have it, by service.port."""
    return {f"{s['id']}.{p['name']}": p["port"] for s in config.load_catalog() for p in s["ports"]}


async def _object(request: web.Request) -> dict[str, Any]:
    try:
        body = json.loads(await request.text())
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise Problem(
            "change-body", "The request cannot be read.", "It is no JSON object.", "Correct it.", status=400
        )
    return body


def _unknown() -> Problem:
    return Problem("change-unknown", "There is no such change.",
                   "The node has forgotten it, or the id is wrong.",
                   "Look at the list of changes.", 404)  # fmt: skip
