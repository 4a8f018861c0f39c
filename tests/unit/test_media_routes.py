"""Every route of the services that carry media asks for a token of its own; a new one without it fails."""

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, cast

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from services.media.gate import Gate
from services.media.pictures import Pictures
from services.media.rtsp_server import Connection, Limits
from services.mgw import api as mgw
from services.mgw import rtsp_server as mgw_rtsp
from services.mgw.where import Where
from services.mts import hls, live, snapshot, talk, whep_routes
from services.mts import rtsp_server as mts_rtsp
from services.mts.hls_sessions import Sessions
from services.mts.hub import Hub
from services.mts.source import Patience
from services.mts.talks import Desk
from services.mts.webrtc import WebRtc
from services.runtime import auth
from services.runtime.app import application
from services.runtime.health import Health
from services.runtime.live_token import LiveToken, sign_live
from services.ss import api as ss
from services.ss import control
from services.ss import rtsp_server as ss_rtsp
from services.ss.exports import api as exports
from services.ss.exports import collecting
from services.ss.exports.runner import Runner
from services.ss.exports.shelf import Shelf
from services.ss.exports.shelf import limits as limits_of
from services.ss.fetch.owed import Owed
from services.ss.fetch.runner import Fetcher
from services.ss.fetch.runner import Limits as FetchLimits
from services.ss.gaps import Gaps
from services.ss.plan import Plan
from services.ss.reasons import Reasons
from services.ss.retention import Quota
from services.ss.store import Store
from services.ss.thumbnails import Thumbnails

KEY = Ed25519PrivateKey.generate()
PRIVATE = KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
PUBLIC = KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
SCOPES = {"mts": "", "ss": "recording/", "mgw": "gateway/", "talk": "talk/"}
BY_SECRET = {"DELETE /whep/{channel}/{stream}/{session}", "PATCH /whep/{channel}/{stream}/{session}"}
"""They carry nothing, and what they end is named by 128 bits that its viewer alone knows."""
CHANNEL, NODE = "0123456789abcdef-1", "main-a"


def token(
    scope: str, channel: str = CHANNEL, node: str = NODE, seconds: float = 30, key: str = PRIVATE
) -> str:
    fields = LiveToken("u", scope + channel, node, time.time() + seconds, secrets.token_hex(8))
    return sign_live(key, fields)


def wrong(scope: str, gate: Gate) -> dict[str, str]:
    """Tokens that open nothing, by what is wrong with them."""
    foreign = Ed25519PrivateKey.generate()
    pem = foreign.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    used = token(scope)
    gate.admit(used, scope + CHANNEL if scope == SCOPES["talk"] else CHANNEL)
    others = {f"one for {name}": token(other) for name, other in SCOPES.items() if other != scope}
    return others | {
        "none": "", "garbage": "a.b", "another channel's": token(scope, "0123456789abcdef-2"),
        "another node's": token(scope, node="sub-1"), "expired": token(scope, seconds=-1),
        "another site's": token(scope, key=pem), "used": used,
        "cut": token(scope)[:-9], "another user's signature": _swapped(scope),
    }  # fmt: skip


def _swapped(scope: str) -> str:
    """The payload of one token with the signature of another."""
    return token(scope).partition(".")[0] + "." + token(scope).partition(".")[2]


@pytest.fixture(params=SCOPES)
async def service(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[tuple[str, Gate, TestClient[Any, Any], Callable[[], Connection]]]:
    """One service as its `build` puts it together: its name, gate, HTTP routes, and door for players."""
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    (tmp_path / "node-token").write_text("node-secret")
    # The relay's one gate admits to pictures, and by the longer name to talk.
    health, name = Health(), request.param
    gate = Gate(NODE, "" if name == "talk" else SCOPES[name])
    gate.public_key = PUBLIC
    app, limits, closing = application(health), Limits(), []
    app.middlewares.append(auth.node_only)
    if name == "mts":
        hub = Hub(Patience(), 1)
        app.add_routes([*live.routes(hub, gate), *snapshot.routes(hub, gate, Pictures())])
        app.add_routes(hls.routes(hub, gate, Sessions()))
        app.add_routes(whep_routes.routes(hub, gate, WebRtc([])))
        door: Callable[[], Connection] = lambda: mts_rtsp.Connection(hub, gate, limits, None)  # noqa: E731
    elif name == "talk":
        hub = Hub(Patience(), 1)
        app.add_routes(talk.routes(Desk(hub, lambda *_: None, {}), gate))
        door = lambda: mts_rtsp.Connection(hub, gate, limits, None)  # noqa: E731
    elif name == "ss":
        store = Store([str(tmp_path / "recordings")], tmp_path, Quota(None, None), health)
        closing.append(store.close)
        plan = Plan(store, health, 15)
        fetcher = Fetcher(store, plan, Owed(tmp_path), health, FetchLimits())
        gaps = Gaps(Reasons(tmp_path), fetcher)
        app.add_routes(
            [
                *ss.routes(store, plan, gaps, gate, Thumbnails(store.library)),
                *control.routes(store, plan, fetcher),
            ]
        )
        shelf = Shelf(store.disks.all[0], limits_of({}))
        app.add_routes(exports.routes(Runner(store.library, shelf, NODE), gate))
        app.add_routes(collecting.routes(collecting.Desk(), gate))
        door = lambda: ss_rtsp.Connection(store.library, gate, limits)  # noqa: E731
    else:
        where = Where(NODE)
        app.add_routes(mgw.routes(where))
        door = lambda: mgw_rtsp.Connection(where, gate, limits)  # noqa: E731
    async with TestClient(TestServer(app)) as client:
        yield name, gate, client, door
    for close in closing:
        close()


async def test_every_http_route_refuses_whoever_has_no_token_of_its_own(
    service: tuple[str, Gate, TestClient[Any, Any], Callable[[], Connection]],
) -> None:
    name, gate, client, _ = service
    app = cast(web.Application, client.app)
    routes = [one for one in app.router.routes() if one.method != "HEAD" and one.resource is not None]
    assert len(routes) >= 2
    for route in routes:
        path = cast(web.Resource, route.resource).canonical
        secret = f"{route.method} {path}" in BY_SECRET
        if path == "/health":
            continue
        path = (
            path.replace("{channel}", CHANNEL).replace("{stream}", "main").replace("{", "").replace("}", "")
        )
        span = "from=1790000000000&to=1790000001000"
        for what, text in wrong(SCOPES[name], gate).items():
            answer = await client.request(route.method, f"{path}?{span}&token={text}")
            refused = (404, 405) if secret else (401, 403)
            assert answer.status in refused, (route.method, path, what)


class Heard:
    """A connection that remembers what it was told."""

    def __init__(self) -> None:
        self.data = b""
        self.closed = False

    def get_extra_info(self, name: str) -> tuple[str, int] | None:
        return ("192.0.2.9", 5000) if name == "peername" else None

    def write(self, data: bytes) -> None:
        self.data += data

    def close(self) -> None:
        self.closed = True

    abort = close


@pytest.mark.parametrize("method", ["DESCRIBE", "SETUP", "PLAY", "PAUSE", "GET_PARAMETER", "TEARDOWN"])
async def test_every_method_of_rtsp_refuses_whoever_has_no_token_of_its_own(
    service: tuple[str, Gate, TestClient[Any, Any], Callable[[], Connection]], method: str
) -> None:
    name, gate, _, door = service
    path = f"recording/{CHANNEL}" if name == "ss" else f"live/{CHANNEL}/main"
    for what, text in wrong(SCOPES[name], gate).items():
        if (name, what) == ("talk", "one for mts"):
            # Talk has no door of its own there: this one is the relay's, for pictures.
            continue
        one, heard = door(), Heard()
        one.connection_made(cast(asyncio.BaseTransport, heard))
        transport = "Transport: RTP/AVP/TCP;interleaved=0-1\r\n"
        one.data_received(
            f"{method} rtsp://h/{path}?token={text} RTSP/1.0\r\nCSeq: 1\r\n{transport}\r\n".encode()
        )
        for _ in range(50):
            if heard.data:
                break
            await asyncio.sleep(0.01)
        one.connection_lost(None)
        assert heard.data.split(b" ")[1] in (b"403", b"454"), (method, what, heard.data)
