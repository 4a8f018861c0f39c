"""DSS_SMC of main as a process, with real NATS servers, MariaDB and Redis behind it."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from dss_site import SECRETS, Authority, Server, until

from services.runtime import clock
from services.runtime.bus import Bus
from services.runtime.config import Node
from services.runtime.health import Health
from services.smc import devices, nodes
from services.smc.accounts import Account

if TYPE_CHECKING:
    from tests.conftest import Platform

ADMIN = Account(1, "Admin", "administrator", "192.0.2.1")


class Rack:
    """Main's NATS and DSS_SMC, a sub's NATS and its bus."""

    def __init__(self, platform: "Platform", main: Server, sub: Server) -> None:
        self.platform, self.main, self.sub = platform, main, sub
        self.smc: subprocess.Popen[bytes] | None = None
        self.bus: Bus

    def start_smc(self) -> None:
        environment = os.environ | self.platform.files.environment()
        self.smc = subprocess.Popen([sys.executable, "-m", "services.smc"], env=environment)

    def kill_smc(self) -> None:
        if self.smc:
            self.smc.kill()
            self.smc.wait()

    def beat(self, name: str) -> dict[str, Any] | None:
        with self.platform.redis.client() as redis:
            text = redis.get(f"beat:{name}")
        return json.loads(str(text)) if text else None

    def state(self, device: str) -> str:
        with self.platform.session() as session:
            return devices.get(session, device).state

    def names(self) -> set[str]:
        with self.platform.session() as session:
            return {node.name for node in nodes.listing(session)}

    async def tell(self, name: str, **more: object) -> None:
        facts = {"role": "sub", "address": "198.18.0.21", "mapping_ip": None, "version": "1", "services": []}
        await self.bus.tell(f"dss.beat.{name}", {"node": name, **facts, **more})


@pytest.fixture
async def rack(platform: "Platform", tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Rack]:
    authority = Authority()
    authority.equip(platform.files.etc / "pki", "main-a")
    authority.equip(tmp_path / "sub" / "pki", "sub-1")
    main = Server(platform.files.etc, "main-a")
    sub = Server(tmp_path / "sub", "sub-1", main.leaf)
    monkeypatch.setenv("DSS_STATE", str(platform.files.etc))
    for name, word in SECRETS.items():
        platform.files.credential(name, word)
    platform.files.credential("node.key", (platform.files.etc / "pki" / "node.key").read_text())
    platform.files.service("mq", {"client": main.port, "leaf": main.leaf})
    rack = Rack(platform, main, sub)
    with platform.session() as session:
        made = nodes.add_token(session, "sub-1", timedelta(minutes=1), ADMIN)
        nodes.redeem_token(session, "sub-1", made.token, "192.0.2.21")
    main.start()
    sub.start()
    node = Node("1", "Test", "sub-1", "sub", "127.0.0.1", None, Path("/"), None)
    # Both nodes' certificates come from one authority, so main's serves for this side of the test as well.
    rack.bus = Bus(node, Health(), f"tls://127.0.0.1:{sub.port}")
    rack.bus.connect()
    await until(lambda: rack.bus.connected)
    rack.start_smc()
    yield rack
    await rack.bus.close()
    rack.kill_smc()
    main.kill()
    sub.kill()


async def told_until(rack: Rack, condition: Callable[[], bool], name: str = "sub-1", **more: object) -> None:
    async with asyncio.timeout(30):
        while not condition():
            await rack.tell(name, **more)
            await asyncio.sleep(0.1)


async def test_beats_are_shown_and_new_nodes_wait_to_be_enabled(rack: Rack) -> None:
    await told_until(rack, lambda: rack.names() == {"main-a", "sub-1"})
    with rack.platform.session() as session:
        found = {node.name: (node.role, node.address, node.state) for node in nodes.listing(session)}
    assert found["sub-1"] == ("sub", "198.18.0.21", "waiting")
    assert found["main-a"][2] == "enabled"
    own = rack.beat("main-a")
    assert own is not None
    assert own.keys() >= {"at", "uptime", "cpu", "memory", "disk", "network", "services", "https_port"}
    await told_until(
        rack, lambda: (rack.beat("sub-1") or {})["address"] == "198.18.0.99", address="198.18.0.99"
    )


async def test_a_beat_in_another_nodes_name_is_dropped(rack: Rack) -> None:
    await told_until(rack, lambda: "sub-1" in rack.names())
    await rack.bus.tell("dss.beat.sub-1", {"node": "sub-7", "role": "sub", "address": "198.18.0.7"})
    await rack.bus.tell("dss.beat.sub-1", {"node": 7})
    await told_until(rack, lambda: rack.beat("sub-1") is not None)
    assert "sub-7" not in rack.names()
    assert rack.beat("sub-7") is None


async def test_main_shows_itself_while_its_message_queue_is_stopped(rack: Rack) -> None:
    rack.main.kill()
    await until(lambda: rack.beat("main-a") is not None)
    with rack.platform.redis.client() as redis:
        redis.delete("beat:main-a")
    await until(lambda: rack.beat("main-a") is not None, 5)


async def test_device_facts_of_a_sub_are_committed_even_if_main_was_killed_meanwhile(rack: Rack) -> None:
    await told_until(rack, lambda: "sub-1" in rack.names())
    with rack.platform.session() as session:
        nodes.enable(session, "sub-1", ADMIN)
        new = devices.NewRtsp("Gate", "sub-1", "rtsp://198.18.0.101/x", "admin", "pass")
        device = devices.add(session, new, ADMIN).id

    def fact(state: str) -> dict[str, Any]:
        return {"device": device, "state": state, "reason": "", "at": clock.iso(clock.now()), "info": {}}

    await rack.bus.publish("dss.fact.sub-1.dms.device", fact("online"))
    await until(lambda: rack.state(device) == "online")
    rack.kill_smc()
    await rack.bus.publish("dss.fact.sub-1.dms.device", {"device": "damaged"})
    await rack.bus.publish("dss.fact.sub-1.dms.device", fact("unreachable"))
    rack.start_smc()
    await until(lambda: rack.state(device) == "unreachable")


async def test_facts_wait_while_the_database_hangs(rack: Rack) -> None:
    await told_until(rack, lambda: "sub-1" in rack.names())
    with rack.platform.session() as session:
        nodes.enable(session, "sub-1", ADMIN)
        new = devices.NewRtsp("Gate", "sub-1", "rtsp://198.18.0.101/x", "admin", "pass")
        device = devices.add(session, new, ADMIN).id
    fact = {"device": device, "state": "online", "reason": "", "at": clock.iso(clock.now()), "info": {}}
    rack.platform.mariadb.process.send_signal(signal.SIGSTOP)
    try:
        await rack.bus.publish("dss.fact.sub-1.dms.device", fact)
        await asyncio.sleep(3)
        with rack.platform.redis.client() as redis:
            redis.delete("beat:main-a")
        await until(lambda: rack.beat("main-a") is not None, 5)
    finally:
        rack.platform.mariadb.process.send_signal(signal.SIGCONT)
    await until(lambda: rack.state(device) == "online", 60)
