"""A site behind the portal: its nodes' beats in Redis, its accounts, nodes and devices in MariaDB."""

from __future__ import annotations

import json
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from services import catalog, render, topology
from services.runtime import clock
from services.smc import accounts, devices, nodes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.conftest import NodeFiles, Platform
    from tests.portal.agent import Agent

ROOT = Path(__file__).resolve().parents[2]
NAME, PASSWORD = "admin", "Correct.Horse7"
ANSWERS = [accounts.Answer(f"Question {n}?", f"answer {n}") for n in (1, 2, 3)]


@dataclass
class Site:
    """A site of three nodes with two devices, and the account that may do everything."""

    platform: Platform
    agents: dict[str, Agent]
    account: accounts.Account
    stopped: threading.Event = field(default_factory=threading.Event)

    def tell(self) -> None:
        """Write the beats of all agents that beat, as DSS_SMC does."""
        with self.platform.redis.client() as redis:
            for agent in self.agents.values():
                if agent.beats:
                    redis.set(f"beat:{agent.name}", json.dumps(agent.beat()), px=30_000)

    def keep_telling(self) -> None:
        """Beat each second until the site ends."""
        while not self.stopped.wait(1):
            self.tell()

    def fact(self, device: str, state: str, reason: str = "", **info: str) -> None:
        """What a node says about a device."""
        at = clock.iso(clock.now() + timedelta(seconds=1))
        with self.platform.session() as session:
            fact = {"device": device, "state": state, "reason": reason, "at": at, "info": info}
            devices.apply_fact(session, fact)


def rendered() -> dict[str, dict[str, render.File]]:
    """Every node's rendered files of the example with two subs."""
    found, site = catalog.load(), topology.load(ROOT / "inventories" / "distributed", {})
    return {one.host.name: one.files for one in render.render_all(found, site)}


def configure_main(files: NodeFiles, agent: int, https: int, free_port: Callable[[], int]) -> None:
    """Main's own files: its agent listens on `agent`, all other nodes' DSS_NGINX on `https`."""
    files.node(site="City Hall")
    smc = json.loads((files.etc / "services" / "smc.json").read_text())
    files.service("smc", smc["ports"] | {"http": agent, "portal": free_port()}, smc["settings"])
    files.service("ars", {"http": agent})
    files.service("dms", {"http": agent})
    files.service("nginx", {"https": https, "http": 80})
    files.service("mts", {name: free_port() for name in ("http", "rtsp", "rtsps", "webrtc")})
    files.service("ss", {name: free_port() for name in ("http", "rtsp", "rtsps")})


def populate(platform: Platform) -> accounts.Account:
    """Main, an enabled sub, a sub that waits; one camera online, one with a wrong password."""
    with platform.session() as session:
        account = accounts.initialise(session, NAME, PASSWORD, ANSWERS, "127.0.0.1")
        nodes.register(session, "main-a", "main", "127.0.0.1", None, "1.2.3")
        nodes.register(session, "sub-1", "sub", "127.0.0.21", "203.0.113.21", "1.2.3")
        nodes.register(session, "sub-2", "sub", "127.0.0.22", None, "1.2.3")
        nodes.enable(session, "sub-1", account)
        gate = devices.add(
            session, devices.NewDahua("Gate east", "main-a", "198.18.0.101", "admin", "x"), account
        )
        yard = devices.add(
            session, devices.NewRtsp("Yard", "sub-1", "rtsp://198.18.0.102/live", "a", "b"), account
        )
    one = Site(platform, {}, account)
    one.fact(gate.id, "online", model="Simulated camera", serial="SIM0001")
    one.fact(yard.id, "refused", "Digest authentication failed (401).")
    return account


@contextmanager
def beating(site: Site) -> Iterator[None]:
    """The nodes of the site beat within the block."""
    site.tell()
    heart = threading.Thread(target=site.keep_telling, daemon=True)
    heart.start()
    yield
    site.stopped.set()
    heart.join(5)
