"""What one RTSP player is shown: pictures at their pace, forwards or backwards, at any speed."""

import asyncio
import logging
from collections.abc import Callable
from time import monotonic
from typing import Protocol

from services.media.packets import Packets, Piece, with_sets
from services.ss import reader, samples
from services.ss.axis import Axis, Pace
from services.ss.boxes import TornError
from services.ss.library import Library
from services.ss.orders import Cursor, Order
from services.ss.reader import Place
from services.ss.rtsp_sound import SPEED, SoundLine
from services.ss.samples import Heard, Sample
from services.ss.sound import Audio, audio
from services.ss.video import CLOCK_RATE, PAYLOAD_TYPE, Video, video

LOG = logging.getLogger(__name__)

FOLLOW_SECONDS = 15.0
"""How long to wait at the newest picture for another one."""
BACKLOG = 512 * 1024
STUCK_SECONDS = 30.0
_LOOK_SECONDS = 0.25
_KEY_APART = CLOCK_RATE // 25


class StuckError(Exception):
    """A player that takes nothing."""


class Outlet(Protocol):
    """Where packets go: a transport."""

    def write(self, data: bytes) -> None: ...

    def abort(self) -> None: ...

    def get_write_buffer_size(self) -> int: ...


class Playback:
    """Sends one order at a time; after each, `cursor` is where it stands."""

    def __init__(
        self, library: Library, shown: Video, outlet: Outlet, sound: SoundLine | None = None
    ) -> None:
        self._library = library
        self._video = shown
        self._outlet = outlet
        self._line = sound
        self._heard: SoundLine | None = None
        self._task: asyncio.Task[None] | None = None
        self._next = 0
        self._said_bye = False
        self._base = 0
        self.cursor: Cursor | None = None
        self.order: Order | None = None
        self.packets = self._fresh()

    @property
    def playing(self) -> bool:
        return self._task is not None

    @property
    def begins(self) -> list[tuple[int, int]]:
        """The first sequence number and time of what comes next: of the pictures, and of the sound."""
        found = [(self.packets.sequence, self.packets.time(self._next))]
        line = self._line
        return [*found, (line.packets.sequence, line.time(self._next))] if line else found

    def take(self, order: Order, channel: int) -> None:
        """Make ready for an order, on a channel of the connection."""
        self.stop()
        if self._said_bye:
            self.packets, self._said_bye = self._fresh(), False
            self._line = SoundLine(self._line.heard, self._line.packets.channel) if self._line else None
        self.packets.channel = channel
        self.order, self.cursor = order, order.cursor
        self._axis = Axis(self._next, order.speed, order.cut)
        self._base = 0 if order.keys else -order.cursor.tick
        if self._line:
            self._line.begin()

    def start(self, on_end: Callable[[], None]) -> None:
        """Begin; `on_end` is called if it ends by itself."""
        if self.order:
            self._task = asyncio.create_task(self._run(self.order, on_end))

    def stop(self) -> None:
        """Stand still; what was sent, and where to go on, is known."""
        if self._task:
            self._task.cancel()
        self._task = None

    def _fresh(self) -> Packets:
        return Packets(self._video.hevc, PAYLOAD_TYPE)

    async def _run(self, order: Order, on_end: Callable[[], None]) -> None:
        try:
            self._pace = Pace(monotonic(), self._axis.show(0))
            await self._show_all(order)
            if order.last:
                at = self.cursor.at if self.cursor else 0
                heard = self._line.report(at, self._next, bye=True) if self._line else b""
                self._outlet.write(heard + self.packets.report(at, self._next, bye=True))
                self._said_bye = True
        except Exception as reason:
            # uvloop raises RuntimeError for a transport that its peer closed in the same turn.
            LOG.info("a player is dropped: %s", reason)
            self._outlet.abort()
        self._task = None
        on_end()

    async def _show_all(self, order: Order) -> None:
        cursor: Cursor | None = order.cursor
        if order.keys and order.speed > 0 and order.cursor.number:
            cursor = await self._step(order, order.cursor.place)
        while cursor and not order.over(cursor.place, cursor.at):
            if self._due(order) and not await self._show(order, cursor):
                return
            cursor = await self._step(order, cursor.place)

    def _due(self, order: Order) -> bool:
        """Whether a GOP is shown at all: more key pictures than anybody can see are left out."""
        return not order.keys or self._axis.show(self._base) >= self._next - _KEY_APART // 2

    async def _step(self, order: Order, here: Place) -> Cursor | None:
        """The next GOP in the order's direction; None if there is none, which takes a while to know."""
        until = monotonic() + FOLLOW_SECONDS
        while (found := await asyncio.to_thread(self._neighbour, here, order.speed < 0)) is None:
            if order.speed < 0 or monotonic() > until:
                return None
            await asyncio.sleep(_LOOK_SECONDS)
        place, seconds = found
        self._base += round(seconds * CLOCK_RATE)
        return Cursor(place)

    def _neighbour(self, here: Place, backwards: bool) -> tuple[Place, float] | None:
        if backwards:
            earlier = reader.before(self._library, here)
            return (earlier, reader.apart(earlier, here)) if earlier else None
        try:
            later = reader.after(self._library, here)
            now = reader.settled(self._library, later) if later else None
        except FileNotFoundError:
            return None
        # A GOP that was growing has its true end by now.
        here = reader.current(self._library, here)
        return (now, reader.apart(here, now)) if now else None

    async def _show(self, order: Order, cursor: Cursor) -> bool:
        """Send a GOP from the cursor on; False if the end lies in it, or its codec is not the one told."""
        try:
            place = await self._settled(cursor.place)
            if place is None:
                return True
            shown, heard = await asyncio.to_thread(_format, place)
            # Sound of another kind than the player was told is left out; pictures of another end it.
            self._heard = (
                self._line if self._line and (heard, order.speed) == (self._line.heard, SPEED) else None
            )
            return shown.codec == self._video.codec and await self._send_all(order, cursor, place, shown)
        except (OSError, TornError) as reason:
            LOG.info("a part of a recording is passed over: %s", reason)
            return True

    async def _settled(self, place: Place) -> Place | None:
        """A GOP once it is whole; None if it does not become so."""
        until = monotonic() + FOLLOW_SECONDS
        while (now := await asyncio.to_thread(reader.settled, self._library, place)) is None:
            if monotonic() > until:
                return None
            await asyncio.sleep(_LOOK_SECONDS)
        return now

    async def _send_all(self, order: Order, cursor: Cursor, place: Place, shown: Video) -> bool:
        """False if the end lies in it."""
        first, number = 0 if order.keys else cursor.number, 0
        offset: int | None = 0
        while offset is not None:
            found, offset = await asyncio.to_thread(samples.read, place, offset, order.keys)
            for one in found:
                if isinstance(one, Heard):
                    if self._heard:
                        self._heard.take(one, self._base, self._axis)
                    continue
                now = Cursor(place, number, one.tick)
                number += 1
                if now.number < first:
                    continue
                if order.over(place, now.at):
                    return False
                await self._turn(self._axis.show(self._base + one.tick))
                self._send(order, now, one, shown, now.number == first)
        return True

    def _send(self, order: Order, now: Cursor, one: Sample, shown: Video, report: bool) -> None:
        units: list[Piece] = [*one.units] if now.number else with_sets(one.units, shown.sets, shown.hevc)
        ticks = self._base + one.tick
        stamp = self._axis.show(ticks + one.shift)
        lead = self.packets.report(now.at, stamp) if report else b""
        if self._heard:
            lead += self._heard.report(now.at, stamp) if report else b""
            lead += self._heard.until(self._axis.show(ticks))
        self._outlet.write(lead + self.packets.frame(units, stamp))
        begin, end = (self._axis.show(when) for when in (ticks, ticks + one.duration))
        self._next = begin + _KEY_APART if order.keys else end
        self.cursor = Cursor(now.place, now.number + 1, one.tick + one.duration)

    async def _turn(self, ticks: int) -> None:
        """Return when it is time, and the player has taken most of what it got."""
        await asyncio.sleep(self._pace.wait(monotonic(), ticks))
        since = monotonic()
        while self._outlet.get_write_buffer_size() > BACKLOG:
            if monotonic() - since > STUCK_SECONDS:
                raise StuckError(f"it has not read for {STUCK_SECONDS:.0f} s")
            await asyncio.sleep(0.02)


def _format(place: Place) -> tuple[Video, Audio | None]:
    init = reader.head(place.entry).init
    return video(init), audio(init)
