"""The agent passes changes on to root: from its own node or its centre only, one at a time."""

import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp.test_utils import TestClient, TestServer
from dbus_fast.errors import DBusError

from services.node import change_record
from services.node.change_record import Record
from services.runtime import app, auth
from services.runtime.health import Health
from services.smc.agent.changes import Changes
from services.smc.agent.figures import Meter
from services.smc.agent.monitor import Monitor
from services.smc.agent.probes import Prober

if TYPE_CHECKING:
    from tests.conftest import NodeFiles

CENTER = {"name": "main-a", "address": "198.18.0.10", "https_port": 443}
HERE = {"address": "198.18.0.10", "ports": {"nginx.https": 443, "mq.leaf": 7422}}
PORTS = {"ports": {"mts.rtsp": 19100}}
Post = Callable[..., Awaitable[tuple[int, Any]]]


class Units:
    """systemd as the agent meets it here: it notes what it is asked to start, or refuses."""

    def __init__(self) -> None:
        self.started: list[str] = []
        self.refuses = False

    async def request(self, verb: str, name: str) -> None:
        if self.refuses:
            raise DBusError("org.freedesktop.DBus.Error.AccessDenied", "not authorised")
        self.started.append(f"{verb} {name}")


@pytest.fixture
def units() -> Units:
    return Units()


@pytest.fixture
async def post(node_files: "NodeFiles", tmp_path: Path, units: Units, monkeypatch: pytest.MonkeyPatch) -> Any:  # noqa: ANN401 - an async generator
    monkeypatch.setattr(change_record, "RECORDS", tmp_path / "records")
    node_files.node(name="sub-1", role="sub", center=CENTER)
    ports = [{"name": "https", "port": 443}], [{"name": "leaf", "port": 7422}]
    catalog = [{"id": id, "ports": own} for id, own in zip(("nginx", "mq"), ports, strict=True)]
    (node_files.etc / "catalog.json").write_text(json.dumps(catalog))
    facts = {"center": {"name": "main-a", "address": "198.18.0.10", "ports": {}}}
    (node_files.etc / "host.json").write_text(json.dumps(facts))
    monitor = Monitor([], Prober({}), Meter(Path("/")), systemd=units)  # type: ignore[arg-type]
    service = app.application(Health())
    service.middlewares.append(auth.node_only)
    service.add_routes(Changes(monitor).routes())
    async with TestClient(TestServer(service)) as client:

        async def send(
            path: str, body: object = None, method: str = "POST", **headers: str
        ) -> tuple[int, Any]:
            own = {"Authorization": "Bearer node-secret"} | {
                k.replace("_", "-"): v for k, v in headers.items()
            }
            answer = await client.request(method, path, json=body, headers=own)
            return answer.status, await answer.json()

        yield send


async def test_a_change_is_written_down_and_its_root_half_is_started(
    post: Post, units: Units, node_files: "NodeFiles"
) -> None:
    status, answer = await post("/changes", PORTS | {"by": "admin"}, X_DSS_Node="main-a")
    assert status == 202
    assert units.started == [f"start dss-change@{answer['id']}.service"]
    asked = json.loads((node_files.state / "changes" / f"{answer['id']}.json").read_text())
    assert (asked["ports"], asked["by"], asked["id"]) == (PORTS["ports"], "admin", answer["id"])
    assert (await post("/changes", PORTS))[0] == 409, "one change at a time"


async def test_another_node_of_the_site_changes_nothing(post: Post, units: Units) -> None:
    record = Record("a" * 32, PORTS)
    record.say("waiting", "")
    for path, body in (("/changes", PORTS), (f"/changes/{record.id}/confirm", None), ("/center", HERE)):
        status, answer = await post(path, body, X_DSS_Node="sub-2")
        assert (status, answer["code"]) == (403, "center-only"), path
    assert units.started == []


async def test_what_systemd_refuses_leaves_no_request_behind(
    post: Post, units: Units, node_files: "NodeFiles"
) -> None:
    units.refuses = True
    status, answer = await post("/changes", PORTS)
    assert (status, answer["code"]) == (502, "systemd-refused")
    assert list((node_files.state / "changes").glob("*.json")) == []


async def test_an_answer_is_handed_on_while_it_is_waited_for(post: Post, node_files: "NodeFiles") -> None:
    (node_files.state / "changes").mkdir()
    record = Record("a" * 32, PORTS)
    record.say("waiting", "")
    assert (await post(f"/changes/{record.id}/shrug"))[0] == 404
    assert (await post(f"/changes/{record.id}/confirm"))[0] == 202
    assert (node_files.state / "changes" / f"{record.id}.answer").read_text() == "keep"
    record.say("kept", "")
    assert (await post(f"/changes/{record.id}/undo"))[0] == 409
    assert (await post(f"/changes/{'b' * 32}/undo"))[0] == 404


async def test_what_differs_from_the_inventory_is_told_with_both_values(
    post: Post, node_files: "NodeFiles"
) -> None:
    facts = json.loads((node_files.etc / "host.json").read_text())
    facts |= {"address": "198.18.0.21", "mapping_ip": None, "tls10": False, "ports": {"mq.leaf": 7423}}
    (node_files.etc / "host.json").write_text(json.dumps(facts))
    assert await post("/drift", method="GET") == (200, [])
    changed = {"ports": {"nginx.https": 10443, "mq.leaf": 7423}, "mapping_ip": "203.0.113.21", "tls10": False}
    (node_files.etc / "overrides.json").write_text(
        json.dumps(changed | {"center": {"address": "198.18.0.13"}})
    )
    assert (await post("/drift", method="GET"))[1] == [
        {"path": "mapping_ip", "value": "203.0.113.21", "inventory": None},
        {"path": "ports.nginx.https", "value": 10443, "inventory": 443},
        {"path": "center.address", "value": "198.18.0.13", "inventory": "198.18.0.10"},
    ]


async def test_the_centre_is_followed_once_and_not_while_another_change_is_open(
    post: Post, units: Units
) -> None:
    assert await post("/center", HERE, X_DSS_Node="main-a") == (200, {"same": True})
    moved = HERE | {"ports": {"nginx.https": 10443, "mq.leaf": 7422}}
    Record("a" * 32, PORTS).say("waiting", "")
    assert await post("/center", moved, X_DSS_Node="main-a") == (200, {"busy": True})
    Record("a" * 32, PORTS).say("kept", "")
    assert (await post("/center", moved, X_DSS_Node="main-a"))[0] == 202
    assert len(units.started) == 1


@pytest.mark.parametrize("body", [[], "text", None, 7])
async def test_what_is_no_object_is_refused(post: Post, body: object) -> None:
    assert (await post("/changes", body))[0] == 400
