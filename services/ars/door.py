"""The register port: who dials in is heard, found among the known devices, logged in to, and kept."""

import asyncio
import logging
import socket

from services.ars import flavour
from services.ars.limits import Limits
from services.ars.link import KEEP_ALIVE_SECONDS, Link
from services.ars.login import Hello, RefusedError, hello, login
from services.ars.registry import GARBLED, REFUSED, Registration, Registry
from services.ars.wire import Wire, WireError

LOG = logging.getLogger(__name__)

ADMIT_SECONDS = 15.0
BACKLOG = 256
# Dead peers behind a NAT are found within a minute and a half even while nobody asks them anything.
_KEEP = {
    socket.TCP_KEEPIDLE: 30,
    socket.TCP_KEEPINTVL: 15,
    socket.TCP_KEEPCNT: 3,
    socket.TCP_USER_TIMEOUT: 60_000,
}
_REFUSED = (
    "The device refuses this user or password. It is tried again ten minutes after the last refusal, "
    "or at once when the device is tested: more tries would lock the account."
)


class TurnedAwayError(Exception):
    """A connection that is not kept; the text says why."""

    def __init__(self, kind: str, why: str) -> None:
        super().__init__(why)
        self.kind = kind


class Door:
    """Serves every connection to the register port."""

    def __init__(self, registry: Registry, limits: Limits, period: float = KEEP_ALIVE_SECONDS) -> None:
        self._registry, self._limits, self._period = registry, limits, period
        self._open: set[asyncio.Task[None]] = set()

    async def listen(self, port: int, hosts: list[str] | None = None) -> asyncio.Server:
        """Listen on these addresses, None is every one; OSError when the port is taken."""
        return await asyncio.start_server(self._accept, hosts, port, backlog=BACKLOG, limit=64 * 1024)

    async def close(self) -> None:
        """Hang up on everybody."""
        for task in self._open:
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        self._open.add(task)
        try:
            await self._serve(reader, writer)
        except asyncio.CancelledError:
            # asyncio's stream server reports a cancelled conversation as an accident.
            pass
        except Exception:
            LOG.exception("a connection to the register port failed")
        finally:
            writer.transport.abort()
            self._open.discard(task)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer = writer.get_extra_info("peername")
        address = str(peer[0]) if peer else ""
        if not address or not self._limits.enter(address):
            self._registry.counts["limited"] += 1
            return
        try:
            _watch(writer)
            link = await self._admit(reader, writer, address)
        except TurnedAwayError as why:
            self._registry.counts[why.kind] += 1
            LOG.warning("a connection from %s to the register port is turned away: %s", address, why)
            return
        finally:
            self._limits.leave(address)
        await self._keep(link)

    async def _admit(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, address: str) -> Link:
        try:
            async with asyncio.timeout(ADMIT_SECONDS):
                first = await _first(reader)
                spoken = flavour.of(first)
                if spoken != flavour.CGI:
                    raise TurnedAwayError(spoken, flavour.REFUSALS[spoken])
                wire = Wire(reader, writer, first)
                return await self._log_in(wire, await hello(wire), address)
        except TimeoutError as reason:
            raise TurnedAwayError("slow", f"It was not logged in within {ADMIT_SECONDS:.0f} s.") from reason
        except (WireError, OSError) as reason:
            raise TurnedAwayError("garbled", str(reason)) from reason

    async def _log_in(self, wire: Wire, hello: Hello, address: str) -> Link:
        one = self._find(hello, address)
        await wire.reply(200)
        try:
            token = await login(wire, one.username, one.password)
        except RefusedError as reason:
            await asyncio.to_thread(self._registry.refusals.note, one)
            self._registry.note_failure(one.device, REFUSED, _REFUSED)
            raise TurnedAwayError("refused", f"{one.register_id!r} refuses the password.") from reason
        except WireError as reason:
            if one.device not in self._registry.links:
                self._registry.note_failure(one.device, GARBLED, str(reason))
            raise
        return Link(one.device, one.account, wire, address, token, self._period)

    def _find(self, hello: Hello, address: str) -> Registration:
        if self._registry.known is None:
            raise TurnedAwayError("early", "DSS_DMS has not told yet which devices may register.")
        one = self._registry.known.get(hello.id)
        if one is None:
            self._registry.note_unknown(hello, address)
            raise TurnedAwayError("unknown", f"Nobody added a device that registers as {hello.id!r}.")
        if self._registry.refusals.wait(one) > 0:
            self._registry.note_failure(one.device, REFUSED, _REFUSED)
            raise TurnedAwayError(
                "refused", f"{hello.id!r} refused the password within the last ten minutes."
            )
        return one

    async def _keep(self, link: Link) -> None:
        known = self._registry.known or {}
        # The list may have changed while the device was logged in to.
        if link.account not in {one.account for one in known.values() if one.device == link.device}:
            return
        self._registry.enter(link)
        self._registry.counts["registered"] += 1
        LOG.info("device %s registered from %s", link.device, link.peer)
        try:
            await link.keep()
        finally:
            link.end("DSS_ARS stopped.")
            self._registry.leave(link)
            LOG.info("device %s is gone: %s", link.device, link.ended)


async def _first(reader: asyncio.StreamReader) -> bytes:
    """The first bytes, enough to tell protocols apart."""
    data = b""
    while len(data) < flavour.ENOUGH and flavour.of(data or b"P") == flavour.CGI:
        more = await reader.read(64 * 1024)
        if not more:
            raise TurnedAwayError("silent", "It closed the connection before it said anything.")
        data += more
    return data


def _watch(writer: asyncio.StreamWriter) -> None:
    raw = writer.get_extra_info("socket")
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for option, value in _KEEP.items():
        raw.setsockopt(socket.IPPROTO_TCP, option, value)
