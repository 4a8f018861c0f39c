"""DSS_DMS as a process, between a main node's door, a real NATS server and real RTSP cameras."""

import asyncio
import hashlib
import json
import os
import ssl
import stat
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
from aiohttp import web
from dss_site import Authority, Server, until

from lab.device.cgi import Device as LabDevice
from lab.device.cgi import server as cgi_server
from services.runtime.bus import Bus
from services.runtime.config import Node
from services.runtime.health import Health
from services.runtime.message import Message
from tests.ports import free_port

if TYPE_CHECKING:
    from tests.conftest import NodeFiles

PASSWORD = "Camera.2468"
TOKEN = "node-secret"
CAMERA = Path(__file__).with_name("mts_camera.py")


class Camera:
    """A GStreamer camera with digest authentication, and its HTTP interface."""

    def __init__(self) -> None:
        self.port, self.http_port = free_port(), free_port()
        self.device = LabDevice("cam-1", "admin", PASSWORD)
        self.http = cgi_server(self.device, self.http_port)
        threading.Thread(target=self.http.serve_forever, daemon=True).start()
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, *kind: str) -> None:
        words = ["/usr/bin/python3", str(CAMERA), str(self.port), PASSWORD, *kind]
        self.process = subprocess.Popen(words, stdout=subprocess.PIPE)
        assert self.process.stdout
        assert self.process.stdout.readline() == b"ready\n"

    def kill(self) -> None:
        if self.process:
            self.process.kill()
            self.process.wait()
            assert self.process.stdout
            self.process.stdout.close()
            self.process = None

    def close(self) -> None:
        self.kill()
        self.http.shutdown()
        self.http.server_close()


@dataclass
class Site:
    """Main's door with an assignment that a test may change, the bus, and the service under test."""

    files: "NodeFiles"
    environment: dict[str, str]
    port: int
    assignment: dict[str, Any] = field(default_factory=dict)
    facts: list[dict[str, Any]] = field(default_factory=list)
    asked: int = 0
    away: bool = False
    dms: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        words = [sys.executable, "-m", "services.dms"]
        self.dms = subprocess.Popen(words, env=os.environ | self.environment)

    def kill(self) -> None:
        if self.dms:
            self.dms.kill()
            self.dms.wait()

    def assign(self, *devices: dict[str, Any]) -> None:
        self.assignment = {"enabled": True, "media_public_key": "PEM", "devices": list(devices)}

    async def answer(self, request: web.Request) -> web.Response:
        """As main's portal behind its DSS_NGINX: only a node certificate gets here."""
        self.asked += 1
        if self.away:
            return web.Response(status=502)
        etag = f'"{hashlib.sha256(json.dumps(self.assignment).encode()).hexdigest()}"'
        if request.headers.get("If-None-Match") == etag:
            return web.Response(status=304, headers={"ETag": etag})
        return web.json_response(self.assignment, headers={"ETag": etag})

    def states(self, device: str = "d1") -> list[str]:
        return [fact["state"] for fact in self.facts if fact["device"] == device]

    async def ask(self, path: str, bearer: str = TOKEN) -> tuple[int, Any]:
        headers = {"Authorization": f"Bearer {bearer}"}
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"http://127.0.0.1:{self.port}{path}", headers=headers) as answer,
        ):
            text = await answer.text()
            return answer.status, json.loads(text) if "json" in answer.content_type else text

    async def channels(self) -> list[dict[str, Any]]:
        try:
            status, rows = await self.ask("/channels")
        except aiohttp.ClientError:
            return []
        return rows if status == 200 else []


def dahua(camera: Camera, password: str = PASSWORD, changed: str = "1") -> dict[str, Any]:
    return {
        "id": "d1", "name": "Gate", "kind": "dahua", "url": None, "host": "127.0.0.1",
        "port": camera.http_port, "rtsp_port": camera.port, "username": "admin", "password": password,
        "changed_at": changed,
        "channels": [{"id": "d1-1", "name": "Gate", "number": 1, "streams": ["main", "sub"]}],
    }  # fmt: skip


def by_url(url: str, id: str = "d1") -> dict[str, Any]:
    return {
        "id": id, "name": id, "kind": "rtsp", "url": url, "host": "127.0.0.1", "port": 554, "rtsp_port": 554,
        "username": "admin", "password": PASSWORD, "changed_at": "1",
        "channels": [{"id": f"{id}-1", "name": id, "number": 1, "streams": ["main"]}],
    }  # fmt: skip


@pytest.fixture
async def site(node_files: "NodeFiles", tmp_path: Path) -> AsyncIterator[Site]:
    authority = Authority()
    authority.equip(node_files.etc / "pki", "sub-1")
    node_files.credential("node.key", (node_files.etc / "pki" / "node.key").read_text())
    nats = Server(node_files.etc, "sub-1")
    nats.start()
    authority.equip(tmp_path / "main", "main-a")
    door, http = free_port(), free_port()
    center = {"name": "main-a", "address": "127.0.0.1", "https_port": door}
    node_files.node(name="sub-1", role="sub", center=center)
    node_files.service("mq", {"client": nats.port})
    node_files.service("dms", {"http": http})
    site = Site(node_files, node_files.environment(), http)
    site.assign()
    runner = await open_door(site, tmp_path / "main", door)
    bus = await listen(site, nats)
    yield site
    site.kill()
    await bus.close()
    await runner.cleanup()
    nats.kill()


async def open_door(site: Site, folder: Path, port: int) -> web.AppRunner:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=folder / "ca.pem")
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_cert_chain(folder / "node.pem", folder / "node.key")
    app = web.Application()
    app.router.add_get("/cluster/portal/assignment", site.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port, ssl_context=context).start()
    return runner


async def listen(site: Site, nats: Server) -> Bus:
    node = Node("1", "Test", "sub-1", "sub", "127.0.0.1", None, Path("/"), None)
    bus = Bus(node, Health(), f"tls://127.0.0.1:{nats.port}")
    bus.connect()
    await until(lambda: bus.connected)

    async def keep(message: Message) -> None:
        assert message.subject == "dss.fact.sub-1.dms.device"
        site.facts.append(message.data)

    await bus.subscribe("dss.fact.sub-1.>", keep)
    return bus


@pytest.fixture
def camera() -> Iterator[Camera]:
    made = Camera()
    made.start()
    yield made
    made.close()


Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@pytest.fixture
async def serve_by() -> AsyncIterator[Callable[[Serve], Awaitable[int]]]:
    """Starts a TCP server with that behaviour on loopback and gives its port; leaves nothing open."""
    servers, conversations = [], set()

    async def start(serve: Serve) -> int:
        async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            conversations.add(asyncio.current_task())
            try:
                await serve(reader, writer)
            except OSError:
                pass
            finally:
                writer.transport.abort()

        server = await asyncio.start_server(converse, "127.0.0.1", 0)
        servers.append(server)
        return int(server.sockets[0].getsockname()[1])

    yield start
    for server in servers:
        server.close()
    for task in conversations:
        task.cancel()
    await asyncio.gather(*conversations, return_exceptions=True)


async def test_a_camera_is_online_with_its_serial_then_gone_then_back(site: Site, camera: Camera) -> None:
    site.assign(dahua(camera))
    site.start()
    await until(lambda: bool(site.facts))
    first = site.facts[0]
    assert (first["device"], first["state"], first["reason"]) == ("d1", "online", "")
    assert first["info"]["type"] == "LAB-IPC"
    assert len(first["info"]["serial"]) == 15
    camera.kill()
    await until(lambda: site.states()[-1] == "unreachable", 15)
    assert "127.0.0.1" in site.facts[-1]["reason"]
    camera.start()
    await until(lambda: site.states() == ["online", "unreachable", "online"], 15)


@pytest.mark.full
async def test_a_camera_with_sound_alone_is_online(site: Site, camera: Camera) -> None:
    camera.kill()
    camera.start("aac", "alone")
    site.assign(dahua(camera))
    site.start()
    await until(lambda: bool(site.facts))
    assert (site.facts[0]["state"], site.facts[0]["reason"]) == ("online", "")


async def test_a_wrong_password_is_tried_once_even_over_a_restart_until_the_record_changes(
    site: Site, camera: Camera, serve_by: Callable[[Serve], Awaitable[int]]
) -> None:
    proofs = 0

    async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal proofs
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", camera.port)

        async def back() -> None:
            while data := await far_reader.read(65536):
                writer.write(data)

        task = asyncio.create_task(back())
        try:
            while data := await reader.read(65536):
                proofs += data.count(b"Authorization:")
                far_writer.write(data)
        finally:
            task.cancel()
            far_writer.transport.abort()

    device = dahua(camera, "wrong") | {"rtsp_port": await serve_by(relay)}
    site.assign(device)
    site.start()
    await until(lambda: site.states() == ["refused"])
    await asyncio.sleep(6)
    site.kill()
    site.start()
    await until(lambda: site.states() == ["refused", "refused"])
    await asyncio.sleep(6)
    assert proofs == 1
    assert "lock the account" in site.facts[-1]["reason"]
    site.assign(device | {"password": PASSWORD, "changed_at": "2"})
    await until(lambda: site.states()[-1] == "online", 15)


async def test_devices_are_watched_and_sources_told_while_main_is_away(site: Site, camera: Camera) -> None:
    site.assign(dahua(camera))
    site.assignment["players"] = wall = [{"name": "wall", "hashes": {"MD5": "0"}}]
    site.start()
    await until(lambda: bool(site.facts))
    kept = site.files.state / "assignment.json"
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    site.kill()
    site.away = True
    site.facts.clear()
    site.start()
    await until(lambda: bool(site.facts))
    assert site.states() == ["online"]
    (row,) = await site.channels()
    base = f"rtsp://127.0.0.1:{camera.port}/cam/realmonitor?channel=1&subtype="
    assert row["source"] == {"main": base + "0", "sub": base + "1"}
    assert (row["id"], row["device"], row["password"], row["state"]) == ("d1-1", "d1", PASSWORD, "online")
    assert await site.ask("/media-key") == (200, "PEM")
    assert await site.ask("/players") == (200, wall)
    assert (await site.ask("/channels", bearer="guess"))[0] == 401
    status, health = await site.ask("/health")
    assert status == 200
    assert "no assignment since" in health["checks"]["assignment"]["reason"]


async def test_an_unchanged_assignment_costs_no_new_check_and_a_removed_device_is_let_go(
    site: Site, camera: Camera
) -> None:
    site.assign(dahua(camera))
    site.start()
    await until(lambda: bool(site.facts))
    asked = site.asked
    await until(lambda: site.asked >= asked + 3, 15)
    assert site.states() == ["online"]
    site.assign()
    async with asyncio.timeout(10):
        while await site.channels():
            await asyncio.sleep(0.2)


async def garbage(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(os.urandom(512) + b"\r\n\r\n")
    await asyncio.sleep(60)


async def silent(_: asyncio.StreamReader, __: asyncio.StreamWriter) -> None:
    await asyncio.sleep(60)


async def endless_head(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"RTSP/1.0 200 OK\r\n")
    while not writer.is_closing():
        writer.write(b"X: " + b"y" * 1000 + b"\r\n")
        await asyncio.sleep(0)
        await writer.drain()


async def drip(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while not writer.is_closing():
        writer.write(b"R")
        await asyncio.sleep(0.1)


async def test_bad_devices_are_named_and_leave_the_good_one_alone(
    site: Site, camera: Camera, serve_by: Callable[[Serve], Awaitable[int]]
) -> None:
    wanted = {"garbage": "garbled", "silent": "unreachable", "endless_head": "garbled", "drip": "unreachable"}
    bad = {serve.__name__: await serve_by(serve) for serve in (garbage, silent, endless_head, drip)}
    bad["closed"] = free_port()
    devices = [by_url(f"rtsp://127.0.0.1:{port}/x", name) for name, port in bad.items()]
    devices.append(by_url(f"rtsp://127.0.0.1:{camera.port}/nowhere", "nowhere"))
    devices.append(by_url(f"rtsp://127.0.0.1:{camera.port}/cam/realmonitor", "good"))
    site.assign(*devices)
    site.start()
    await until(lambda: len({fact["device"] for fact in site.facts}) == len(devices), 30)
    found = {fact["device"]: fact["state"] for fact in reversed(site.facts)}
    assert found == wanted | {"closed": "unreachable", "nowhere": "offline", "good": "online"}
    assert all(fact["reason"] for fact in site.facts if fact["state"] != "online")


async def test_a_good_device_does_not_wait_behind_many_silent_ones(
    site: Site, camera: Camera, serve_by: Callable[[Serve], Awaitable[int]]
) -> None:
    url = f"rtsp://127.0.0.1:{await serve_by(silent)}/x"
    good = by_url(f"rtsp://127.0.0.1:{camera.port}/cam/realmonitor", "good")
    site.assign(*(by_url(url, f"silent-{number}") for number in range(200)), good)
    site.start()
    await until(lambda: site.states("good") == ["online"], 8)
    await until(lambda: len({fact["device"] for fact in site.facts}) == 201, 30)
    camera.kill()
    await until(lambda: site.states("good")[-1] == "unreachable", 12)
    assert site.states("silent-7") == ["unreachable"]


async def endless_body(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read(1024)
    writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
    while not writer.is_closing():
        writer.write(b"deviceType=" + b"x" * 65536)
        await writer.drain()


@pytest.mark.parametrize("serve", [endless_body, garbage, silent, drip])
async def test_a_bad_http_interface_costs_the_information_and_not_the_picture(
    site: Site, camera: Camera, serve_by: Callable[[Serve], Awaitable[int]], serve: Serve
) -> None:
    site.assign(dahua(camera) | {"port": await serve_by(serve)})
    site.start()
    await until(lambda: bool(site.facts), 15)
    assert site.states() == ["online"]
    assert "HTTP interface" in site.facts[0]["reason"]
    assert site.facts[0]["info"] == {}
