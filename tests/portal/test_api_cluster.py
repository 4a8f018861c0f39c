"""What a node asks main: its devices, and nobody else's."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from portal import create_app
from services.media.plans import Plan
from services.smc import audit, devices, nodes
from services.smc.accounts import Account

if TYPE_CHECKING:
    from tests.conftest import Platform

ADMIN = Account(1, "Admin", "administrator", "192.0.2.1")
PASSWORD = "Camera.1357"


@pytest.fixture
def client(platform: "Platform") -> Iterator[FlaskClient]:
    """The application with main-a and sub-1 at work with one device each, and sub-2 waiting."""
    with platform.session() as session:
        for name, role in (("main-a", "main"), ("sub-1", "sub"), ("sub-2", "sub")):
            nodes.register(session, name, role, "127.0.0.1", None, "1")
        nodes.enable(session, "sub-1", ADMIN)
        devices.add(
            session, devices.NewRtsp("A", "main-a", "rtsp://198.18.0.101/a", "admin", PASSWORD), ADMIN
        )
        devices.add(session, devices.NewDahua("B", "sub-1", "198.18.0.102", "admin", PASSWORD), ADMIN)
    with create_app({"SECRET": "s" * 64}).test_client() as one:
        yield one


def ask(client: FlaskClient, node: str, bearer: str = "node-secret", etag: str = "") -> TestResponse:
    headers = {"X-DSS-Node": node, "Authorization": f"Bearer {bearer}"}
    return client.get("/cluster/assignment", headers=headers | ({"If-None-Match": etag} if etag else {}))


def test_a_node_gets_its_own_devices_with_passwords(client: FlaskClient) -> None:
    found = ask(client, "sub-1").get_json()
    assert found["enabled"] is True
    load_pem_public_key(found["media_public_key"].encode())
    (one,) = found["devices"]
    shown = ("name", "kind", "host", "port", "rtsp_port", "username", "password")
    assert {key: one[key] for key in shown} == {
        "name": "B", "kind": "dahua", "host": "198.18.0.102", "port": 80, "rtsp_port": 554,
        "username": "admin", "password": PASSWORD,
    }  # fmt: skip
    channel: dict[str, object] = {"id": f"{one['id']}-1", "name": "B", "number": 1}
    channel |= {"streams": ["main", "sub"], "record": "off", "plan": Plan().as_dict()}
    assert one["channels"] == [channel]


@pytest.mark.parametrize("node", ["sub-2", "sub-9"])
def test_a_node_that_waits_or_is_unknown_gets_nothing(client: FlaskClient, node: str) -> None:
    found = ask(client, node).get_json()
    assert (found["enabled"], found["devices"]) == (False, [])


@pytest.mark.parametrize(("node", "token"), [("sub-1", "wrong"), ("", "node-secret")])
def test_without_the_nodes_proof_nothing_is_said(client: FlaskClient, node: str, token: str) -> None:
    answer = ask(client, node, token)
    assert (answer.status_code, answer.mimetype) == (401, "application/problem+json")
    assert PASSWORD not in answer.text


def test_an_unchanged_assignment_costs_a_304_and_a_change_is_seen(
    client: FlaskClient, platform: "Platform"
) -> None:
    etag = ask(client, "sub-1").headers["ETag"]
    assert ask(client, "sub-1", etag=etag).status_code == 304
    with platform.session() as session:
        nodes.disable(session, "sub-1", ADMIN)
    changed = ask(client, "sub-1", etag=etag)
    assert changed.status_code == 200
    assert changed.get_json()["devices"] == []


@pytest.mark.parametrize(
    ("node", "body", "status", "code"),
    [("sub-1", {}, 403, "main-only"), ("main-a", {}, 422, "request-unreadable"),
     ("main-a", {"channel": "none", "stream": "main", "asker": "", "user": ""}, 404, "channel-unknown"),
     ("main-a", {"channel": "A", "stream": "main", "asker": "", "user": "nobody"}, 403, "not-allowed"),
     ("main-a", {"channel": "A", "stream": "main", "asker": "", "user": ""}, 503, "relay-away")],
)  # fmt: skip
def test_where_a_stream_is_main_alone_is_told_and_never_a_node_that_is_away(
    client: FlaskClient, platform: "Platform", node: str, body: dict[str, str], status: int, code: str
) -> None:
    with platform.session() as session:
        known = next(one for one in devices.listing(session) if one.name == "A").channels[0].id
    asked = body | ({"channel": known} if body.get("channel") == "A" else {})
    headers = {"X-DSS-Node": node, "Authorization": "Bearer node-secret"}
    answer = client.post("/cluster/where", json=asked, headers=headers)
    assert (answer.status_code, answer.get_json()["code"]) == (status, code)


def test_the_end_of_a_talk_is_audited_when_the_node_of_the_camera_tells_it(
    client: FlaskClient, platform: "Platform"
) -> None:
    with platform.session() as session:
        known = next(one for one in devices.listing(session) if one.name == "A")
    told = {"user": "ann", "channel": known.channels[0].id, "seconds": 3.5, "why": "The browser left."}
    for node, body, status in (
        ("other", told, 404), (known.node, {"user": "ann"}, 422),
        (known.node, told | {"seconds": "nan"}, 422), (known.node, told, 200),
    ):  # fmt: skip
        headers = {"X-DSS-Node": node, "Authorization": "Bearer node-secret"}
        assert client.post("/cluster/talks", json=body, headers=headers).status_code == status
    with platform.session() as session:
        [row] = audit.listing(session, action="talk.end")
    assert (row.actor, row.details["seconds"], row.details["why"]) == ("ann", 3.5, "The browser left.")
