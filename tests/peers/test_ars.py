"""DSS_ARS as a process: lab devices dial in, and clients written by others ask them through its bridge."""

import asyncio
import contextlib
import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from aiodahua import DahuaClient
from aiohttp import web
from dss_site import until

from lab.device import register
from lab.device.cgi import Device as LabDevice
from services.ars.door import Door
from services.ars.limits import Limits
from services.ars.registry import Registry
from services.dms.checker import Checker, State
from services.dms.devices import Channel, Device
from services.dms.refusals import Refusals
from services.runtime.errors import Problem
from tests.ports import free_port

if TYPE_CHECKING:
    from tests.conftest import NodeFiles

CONNECT = b"POST /cgi-bin/api/autoRegist/connect HTTP/1.1\r\n"
PASSWORD, TOKEN, ID = "Camera.2468", "node-secret", "GATE-7"
PICTURE = b"\xff\xd8" + bytes(range(256)) * 40 + b"\xff\xd9"


@dataclass
class Site:
    """DSS_ARS under test, and the DSS_DMS that it asks."""

    environment: dict[str, str]
    register: int
    http: int
    rows: list[dict[str, Any]] = field(default_factory=list)
    ars: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self.ars = subprocess.Popen([sys.executable, "-m", "services.ars"], env=os.environ | self.environment)

    def kill(self) -> None:
        if self.ars:
            self.ars.kill()
            self.ars.wait()

    async def registrations(self, _: web.Request) -> web.Response:
        return web.json_response(self.rows)

    def know(self, id: str = ID, password: str = PASSWORD, changed: str = "1") -> None:
        self.rows = [
            {
                "device": "d1",
                "register_id": id,
                "username": "admin",
                "password": password,
                "changed_at": changed,
            }
        ]

    def ask(self, path: str) -> Any:  # noqa: ANN401 - JSON
        words = ["curl", "-s", "-H", f"Authorization: Bearer {TOKEN}", f"http://127.0.0.1:{self.http}{path}"]
        return json.loads(subprocess.run(words, capture_output=True, check=True).stdout)

    def state(self) -> str:
        return str(self.ask("/devices/d1").get("state"))

    def count(self, reason: str) -> int:
        return int(self.ask("/devices")["counts"].get(reason, 0))

    def curl(self, path: str, *more: str) -> bytes:
        """What curl gets from device d1 through the bridge."""
        words = ["curl", "-s", "--digest", "-u", f"d1:{TOKEN}", *more, f"http://127.0.0.1:{self.http}{path}"]
        return subprocess.run(words, capture_output=True, check=True).stdout

    def dial(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.register), timeout=20)


@pytest.fixture
async def site(node_files: "NodeFiles") -> AsyncIterator[Site]:
    ports = {"register": free_port(), "http": free_port()}
    dms = free_port()
    node_files.node(name="sub-1", role="sub")
    node_files.service("ars", ports, {"keep_alive_seconds": 0.5})
    node_files.service("dms", {"http": dms})
    made = Site(node_files.environment(), **ports)
    made.know()
    app = web.Application()
    app.router.add_get("/registrations", made.registrations)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", dms).start()
    made.start()
    await until(lambda: listening(made.register))
    await asyncio.to_thread(lambda: wait(lambda: made.count("early") >= 0))
    yield made
    made.kill()
    await runner.cleanup()


def listening(port: int) -> bool:
    with socket.socket() as one:
        return one.connect_ex(("127.0.0.1", port)) == 0


def wait(condition: Callable[[], bool], seconds: float = 15) -> None:
    end = time.monotonic() + seconds
    while True:
        try:
            if condition():
                return
        except (subprocess.CalledProcessError, ValueError):
            pass
        assert time.monotonic() < end
        time.sleep(0.1)


async def eventually(condition: Callable[[], bool], seconds: float = 15) -> None:
    await asyncio.to_thread(wait, condition, seconds)


@dataclass
class Dialler:
    """A lab device that dials in from a thread of its own, until its socket is closed."""

    site: Site
    id: str = ID
    password: str = PASSWORD
    device: LabDevice = field(init=False)

    def __post_init__(self) -> None:
        self.device = LabDevice("cam-1", "admin", self.password)

    def start(self) -> threading.Thread:
        thread = threading.Thread(target=self._run, daemon=True)
        thread.start()
        return thread

    def _run(self) -> None:
        with contextlib.suppress(OSError):
            register.once(self.device, "127.0.0.1", self.site.register, self.id, lambda: PICTURE)


async def online(site: Site) -> threading.Thread:
    """Device d1 registered, trying until DSS_ARS knows it."""
    end = time.monotonic() + 15
    while time.monotonic() < end:
        thread = Dialler(site).start()
        for _ in range(10):
            await asyncio.sleep(0.1)
            if await asyncio.to_thread(site.state) == "online":
                return thread
    raise AssertionError("it did not come on-line")


async def test_a_client_written_elsewhere_asks_the_registered_device_unchanged(site: Site) -> None:
    await online(site)
    serial = LabDevice("cam-1", "admin", PASSWORD).serial
    async with DahuaClient("127.0.0.1", "d1", TOKEN, port=site.http, basic_auth_fallback=False) as client:
        assert await client.async_get_serial_number() == serial
        assert (await client.async_get_system_info())["serialNumber"] == serial
        assert await client.async_get_device_type() == "LAB-IPC"
        assert await client.async_get_snapshot(1) == PICTURE


async def test_curl_reads_and_sets_the_clock_through_the_bridge(site: Site) -> None:
    await online(site)

    def check() -> None:
        assert site.curl("/cgi-bin/global.cgi?action=setCurrentTime&time=2030-01-02%2003:04:05") == b"OK\r\n"
        assert site.curl("/cgi-bin/global.cgi?action=getCurrentTime").startswith(b"result=2030-01-02 03:04:")
        assert site.curl("/cgi-bin/devVideoInput.cgi?action=getCollect") == b"result=1\r\n"
        assert site.curl("/cgi-bin/snapshot.cgi?channel=1") == PICTURE
        assert site.curl("/cgi-bin/nonsense.cgi", "-w", "%{http_code}").endswith(b"400")

    await asyncio.to_thread(check)


async def test_the_bridge_lets_nobody_in_without_the_nodes_token(site: Site) -> None:
    await online(site)
    url = f"http://127.0.0.1:{site.http}/cgi-bin/magicBox.cgi?action=getSerialNo"
    for login in ("d1:wrong", "d2:" + TOKEN, ":"):
        words = ["curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", "--digest", "-u", login, url]
        done = subprocess.run(words, capture_output=True, check=True)
        assert done.stdout in (b"401", b"404"), login
    words = ["curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", f"http://127.0.0.1:{site.http}/devices"]
    assert subprocess.run(words, capture_output=True, check=True).stdout == b"401"


async def test_an_endless_answer_is_refused_and_the_device_stays(site: Site) -> None:
    await online(site)
    told = await asyncio.to_thread(site.curl, "/cgi-bin/eventManager.cgi?action=attach&codes=[All]", "-g")
    assert json.loads(told)["code"] == "device-endless"
    assert await asyncio.to_thread(site.state) == "online"


async def test_a_device_that_falls_silent_is_offline_after_three_misses(site: Site) -> None:
    dialled = site.dial()
    await asyncio.to_thread(answer_by_hand, dialled)
    await eventually(lambda: site.state() == "online")
    began = time.monotonic()
    await eventually(lambda: site.state() == "offline")
    assert time.monotonic() - began < 5
    assert "keep-alives" in site.ask("/devices/d1")["reason"]
    dialled.close()


def answer_by_hand(dialled: socket.socket) -> None:
    """Register and let the platform in whatever it sends; afterwards say nothing any more."""
    body = json.dumps({"DevClass": "IPC", "DeviceID": ID, "ServerIP": ""}).encode()
    dialled.sendall(CONNECT + b"Host: x\r\n"
                    b"Content-Length: %d\r\n\r\n%s" % (len(body), body))  # fmt: skip
    head = b""
    while b"global/login" not in head or not head.endswith(b"\r\n\r\n"):
        head += read(dialled)
    dialled.sendall(b'HTTP/1.1 401 No\r\nWWW-Authenticate: Digest realm="r", nonce="n", qop="auth"\r\n'
                    b"Content-Length: 0\r\n\r\n")  # fmt: skip
    head = b""
    while b"Authorization: Digest" not in head or not head.endswith(b"\r\n\r\n"):
        head += read(dialled)
    body = json.dumps({"Token": "t"}).encode()
    dialled.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))


def read(dialled: socket.socket) -> bytes:
    data = dialled.recv(4096)
    assert data, "the platform hung up"
    return data


async def test_a_device_that_hangs_up_is_offline_at_once_and_comes_back(site: Site) -> None:
    dialled = site.dial()
    await asyncio.to_thread(answer_by_hand, dialled)
    await eventually(lambda: site.state() == "online")
    dialled.close()
    await eventually(lambda: site.state() == "offline", 3)
    await online(site)


async def test_the_newest_connection_wins_only_after_its_login(site: Site) -> None:
    await online(site)
    stranger = site.dial()
    body = json.dumps({"DevClass": "IPC", "DeviceID": ID}).encode()
    stranger.sendall(CONNECT + b"Host: x\r\n"
                     b"Content-Length: %d\r\n\r\n%s" % (len(body), body))  # fmt: skip
    await asyncio.sleep(0.5)
    assert b"serialNumber" not in await asyncio.to_thread(read, stranger)
    assert (await asyncio.to_thread(site.curl, "/cgi-bin/magicBox.cgi?action=getSerialNo"))[:3] == b"sn="
    stranger.close()
    newest = site.dial()
    await asyncio.to_thread(answer_by_hand, newest)
    await eventually(lambda: site.ask("/devices")["counts"]["registered"] == 2)
    newest.close()


async def test_an_unknown_id_is_shown_as_asking_and_gets_nothing(site: Site) -> None:
    site.know("OTHER")
    await asyncio.sleep(2.5)
    await asyncio.to_thread(Dialler(site, "GATE-8")._run)
    (row,) = await asyncio.to_thread(site.ask, "/asking")
    assert (row["register_id"], row["device_class"], row["address"]) == ("GATE-8", "IPC", "127.0.0.1")
    site.know("GATE-8")
    await eventually(lambda: site.ask("/asking") == [])


async def test_a_wrong_password_is_sent_once_and_again_when_the_record_changes(site: Site) -> None:
    site.know(password="wrong")
    await asyncio.sleep(2.5)
    for _ in range(3):
        await asyncio.to_thread(Dialler(site)._run)
    assert await asyncio.to_thread(site.state) == "refused"
    assert await asyncio.to_thread(site.count, "refused") == 3
    site.kill()
    site.start()
    await until(lambda: listening(site.register))
    await eventually(lambda: site.ask("/devices")["devices"] != [])
    tries = 0
    with site.dial() as dialled:
        body = json.dumps({"DeviceID": ID}).encode()
        dialled.sendall(CONNECT + b"Host: x\r\n"
                        b"Content-Length: %d\r\n\r\n%s" % (len(body), body))  # fmt: skip
        tries += bool(await asyncio.to_thread(dialled.recv, 4096))
    assert tries == 0, "a restart forgets no refusal"
    site.know(changed="2")
    await online(site)


async def test_a_removed_device_is_hung_up_on(site: Site) -> None:
    thread = await online(site)
    site.rows = []
    await asyncio.to_thread(thread.join, 10)
    assert not thread.is_alive()
    assert (await asyncio.to_thread(site.ask, "/devices/d1"))["code"] == "device-unknown"


@pytest.mark.parametrize(
    ("first", "reason"),
    [
        (b"\xb4\x00\x00\x78" + bytes(28), "dvrip"),
        (b"\x16\x03\x01\x02\x00", "tls"),
        (b"GET / HTTP/1.1\r\n\r\n", "other"),
        (b"POST /other HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n", "garbled"),
        (CONNECT + b"Content-Length: 9\r\nHost: x\r\n\r\nnot json!", "garbled"),
        (CONNECT + b"Host: x\r\n\r\n" + b"x" * 9000, "garbled"),
        (CONNECT + b"A: b\r\n" * 9000, "garbled"),
    ],
)  # fmt: skip
async def test_what_is_no_registration_is_refused_and_counted(site: Site, first: bytes, reason: str) -> None:
    def check() -> None:
        before = site.count(reason)
        with site.dial() as dialled:
            try:
                dialled.sendall(first)
                assert dialled.recv(100) == b""
            except ConnectionResetError:
                pass
        wait(lambda: site.count(reason) == before + 1)

    await asyncio.to_thread(check)


async def test_strangers_cannot_use_the_door_up(site: Site) -> None:
    def check() -> None:
        idle = [site.dial() for _ in range(24)]
        wait(lambda: site.count("limited") >= 8)
        began = time.monotonic()
        idle[0].settimeout(20)
        assert idle[0].recv(1) == b"", "a silent connection is ended"
        assert time.monotonic() - began < 16.5
        for one in idle:
            one.close()

    await asyncio.to_thread(check)
    await online(site)


async def test_the_device_check_of_dms_knows_it_by_what_ars_says(
    site: Site, node_files: "NodeFiles", tmp_path: Path
) -> None:
    node_files.credential("node-token", TOKEN)
    channel = Channel("d1-1", "Gate", 1, ("main",))
    device = Device("d1", "Gate", "register", None, "", 0, 0, "admin", PASSWORD, (channel,), "1", ID)
    assert device.source(channel, "main") == "", "no picture is promised"
    told: list[State] = []
    refusals = Refusals(tmp_path / "refusals.json")
    checker = Checker(device, refusals, lambda _, state: told.append(state), asyncio.Semaphore(1))
    task = asyncio.create_task(checker.run())
    await until(lambda: bool(told))
    assert told[0].state == "offline"
    await online(site)
    await until(lambda: told[-1].state == "online")
    assert told[-1].info["serial"] == LabDevice("cam-1", "admin", PASSWORD).serial
    site.kill()
    await until(lambda: told[-1].state == "unreachable")
    assert "DSS_ARS" in told[-1].reason
    task.cancel()


async def test_the_register_port_is_on_the_addresses_it_was_given_and_no_other() -> None:
    door = Door(Registry(Refusals(Path("/nonexistent"))), Limits())
    server = await door.listen(0, ["127.0.0.21"])
    port = server.sockets[0].getsockname()[1]
    assert not listening(port)
    with socket.socket() as one:
        assert one.connect_ex(("127.0.0.21", port)) == 0
    with pytest.raises(Problem, match="cannot listen"):
        await door.listen(port, ["127.0.0.21"])
    server.close()
    await door.close()


async def test_an_idle_service_stays_small(site: Site) -> None:
    await online(site)
    assert site.ars
    lines = Path(f"/proc/{site.ars.pid}/smaps_rollup").read_text().splitlines()
    pss = next(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    print("PSS", pss // 1024, "MB")
    assert pss <= 60 * 1024
