"""Health checks of this node's services: a real question to each, once a second."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import aiohttp

from services.runtime import config
from services.smc.agent.entries import Entry

PROBE_SECONDS = 1.5
FAILURES = 2
ANSWER_LIMIT = 64 * 1024


@dataclass(frozen=True)
class Alarm:
    """A unit is well, and yet a person must look at something."""

    text: str


Probe = Callable[[], Awaitable[str | Alarm]]
"""Asks one unit; returns what is wrong, empty if it is well. May raise OSError or TimeoutError."""


@dataclass
class Verdict:
    """What is known of one unit's health: `problem` is None until it was asked."""

    problem: str | None = None
    failures: int = 0
    alarm: str = ""


@dataclass
class Prober:
    """Asks each unit and remembers the answers; one lost answer is forgiven, two in a row are not."""

    probes: dict[str, Probe]
    answered: Callable[[], None] = lambda: None
    verdicts: dict[str, Verdict] = field(default_factory=dict)
    _running: dict[str, asyncio.Task[None]] = field(default_factory=dict)

    def ask(self, unit: str) -> None:
        """Start to ask `unit`, unless the last question is still open."""
        if unit in self.probes and unit not in self._running:
            task = asyncio.create_task(self._ask(unit))
            self._running[unit] = task
            task.add_done_callback(lambda _: self._running.pop(unit, None))

    def forget(self, unit: str) -> None:
        """A unit that is not active has no health."""
        self.verdicts.pop(unit, None)

    def problem(self, unit: str) -> str | None:
        """What is wrong with `unit`; empty if well or not to be asked, None if not asked yet."""
        return self.verdicts.get(unit, Verdict()).problem if unit in self.probes else ""

    def alarm(self, unit: str) -> str:
        """What a person must look at although `unit` is well; empty for nothing."""
        return self.verdicts.get(unit, Verdict()).alarm

    async def _ask(self, unit: str) -> None:
        found: str | Alarm
        try:
            async with asyncio.timeout(PROBE_SECONDS):
                found = await self.probes[unit]()
        except TimeoutError:
            found = f"It does not answer within {PROBE_SECONDS:g} seconds"
        except Exception as error:
            found = f"It does not answer ({error or type(error).__name__})"
        self._note(unit, found)

    def _note(self, unit: str, answer: str | Alarm) -> None:
        verdict = self.verdicts.setdefault(unit, Verdict())
        verdict.alarm, found = (answer.text, "") if isinstance(answer, Alarm) else ("", answer)
        verdict.failures = verdict.failures + 1 if found else 0
        if not found or verdict.failures >= FAILURES:
            verdict.problem = found
            self.answered()


def for_entries(entries: list[Entry], session: aiohttp.ClientSession) -> dict[str, Probe]:
    """The probe of each unit, by unit name. The agent itself is well when it can ask."""
    probes: dict[str, Probe] = {}
    for entry in entries:
        for unit in entry.units:
            if probe := _probe(entry, unit, session):
                probes[unit] = probe
    return probes


def _probe(entry: Entry, unit: str, session: aiohttp.ClientSession) -> Probe | None:
    if unit == "dss-portal.service":
        return _http(session, entry, "portal", "/health")
    if entry.id == "smc":
        return None
    if entry.id == "nginx":
        return _http(session, entry, "https", "/health/nginx")
    if entry.id == "mq":
        return _http(session, entry, "monitor", "/healthz")
    if entry.id == "mysql":
        return _database
    if entry.id == "redis":
        return _redis
    return _http(session, entry, "http", "/health") if "http" in entry.ports else None


def _http(session: aiohttp.ClientSession, entry: Entry, port: str, path: str) -> Probe:
    scheme = "https" if port == "https" else "http"

    async def probe() -> str | Alarm:
        # The number may have changed since the agent started.
        number = config.load_service(entry.id).ports[port]
        url = f"{scheme}://127.0.0.1:{number}{path}"
        # This node's own address: what is asked is whether the service lives, not who it is.
        async with session.get(url, allow_redirects=False, ssl=False) as answer:
            text = (await answer.content.read(ANSWER_LIMIT)).decode(errors="replace")
        return _alarms(text) if answer.status == 200 else _reasons(answer.status, text)

    return probe


def _alarms(text: str) -> str | Alarm:
    try:
        alarms = [str(one) for one in json.loads(text)["alarms"].values()]
    except (ValueError, TypeError, KeyError, AttributeError):
        return ""
    return Alarm(" ".join(alarms)[:500]) if alarms else ""


def _reasons(status: int, text: str) -> str:
    try:
        checks = json.loads(text)["checks"]
        failing = [f"{name}: {check['reason']}" for name, check in checks.items() if not check["ok"]]
    except (ValueError, TypeError, KeyError, AttributeError):
        failing = []
    return "; ".join(failing)[:500] or f"Its health check answers with HTTP {status}"


async def _database() -> str:
    from sqlalchemy import text

    from services.smc import store

    def ask() -> None:
        with store.engine().connect() as connection:
            connection.execute(text("SELECT 1"))

    await asyncio.to_thread(ask)
    return ""


async def _redis() -> str:
    from services.smc import cache

    await asyncio.to_thread(lambda: cache.client().ping())
    return ""


def new_session() -> aiohttp.ClientSession:
    """A session for probes: kept connections, no cookies, short patience."""
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=64),
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(total=PROBE_SECONDS),
        headers={"Authorization": f"Bearer {config.credential('node-token')}"},
    )
