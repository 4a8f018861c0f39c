"""The camera's side of the data plane: interleaved bytes in, one chunk per frame out."""

import asyncio
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

from services.mts.calm import Calm
from services.mts.chunk import DOLLAR, RTP, Chunk
from services.runtime import rtsp_message
from services.runtime.rtsp_message import MalformedError, Message

BUFFER = 1024 * 1024
MAX_FRAME = 8 * 1024 * 1024
TICK = 0.005
# A pause costs about as much as two wake-ups, so it has to save more than that.
_MANY_READS = 5
_MANY_ALIKE = 4
# As the form of so many is kept: a camera must not fill the memory with packets of one byte.
_MOST_ALIKE = 256
_HEAD = struct.Struct(">BBHBBHI")
"""Of an interleaved RTP packet: dollar, channel, length, two bytes of flags, sequence number, timestamp."""
_NATURAL_FRAMES = 10
_TICKING_FRAMES = 500
_MAX_TEXT = 64 * 1024
_CLOCK = 90_000
"""RTP ticks a second of every video (RFC 6184 §8.2.1, RFC 7798 §7.1)."""
_buffer = bytearray(BUFFER)
"""Shared: what a read leaves in it is kept aside before any other connection reads."""


@dataclass
class Tail:
    """Where the RTP of one channel stood when the camera was lost: what a viewer expects next."""

    sequence: int
    timestamp: int
    ssrc: int
    shift: tuple[int, int] | None = None


class Intake(asyncio.BufferedProtocol):
    """Reads one playing RTSP connection.

    `on_chunk` gets each frame, `on_message` each RTSP message of the camera in between. `tails`, by RTP
    channel, makes the packets after a lost connection continue the old numbering, so that players notice
    nothing; other channels (RTCP speaks of the camera's own numbering) are then left out. A camera that paces
    its packets would wake the process for each of them: reading then waits for a tick. While nobody watches,
    half a second is read at once.
    """

    clock = _CLOCK
    """RTP ticks a second of what it reads."""

    def __init__(
        self,
        video: int,
        kind: Callable[[bytes | memoryview], int],
        on_chunk: Callable[[Chunk], None],
        on_message: Callable[[Message], None],
        tails: dict[int, Tail],
    ) -> None:
        self.bytes = 0
        self.last: Chunk | None = None
        """The latest frame."""
        self.lost: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._video = video
        self._kind_of = kind
        self._on_chunk = on_chunk
        self._on_message = on_message
        self._tails = tails
        self._buffer = _buffer
        self._view = memoryview(_buffer)
        self._start = self._parsed = self._filled = 0
        self._rest = b""
        """What came of a packet that is not whole yet."""
        self._parts: list[bytes] = []
        self._held = 0
        self._kind = 0
        self._timestamp = 0
        self._ticking = False
        self._reads = self._frames = 0
        self._transport: asyncio.Transport | None = None
        self._calm: Calm | None = None
        self._cuts: list[Chunk] = []
        self._read_at = time.time_ns() // 1000

    def begin(self, transport: asyncio.Transport, early: bytes) -> None:
        """Start with the bytes that the handshake had already read."""
        self._transport, self._calm = transport, Calm(transport)
        self.push(early)

    def push(self, data: bytes) -> None:
        """Take bytes that came by another way than the transport."""
        for offset in range(0, len(data), BUFFER // 2):
            piece = data[offset : offset + BUFFER // 2]
            target = self.get_buffer(len(piece))
            target[: len(piece)] = piece
            self.buffer_updated(len(piece))

    def get_buffer(self, sizehint: int) -> memoryview:
        self._start = self._parsed = self._filled = 0
        if not self._rest:
            return self._view
        self._filled = len(self._rest)
        self._view[: self._filled] = self._rest
        return self._view[self._filled :]

    def buffer_updated(self, nbytes: int) -> None:
        if self.lost.done():
            return
        self.bytes += nbytes
        self._filled += nbytes
        try:
            try:
                self._walk()
            finally:
                if self._start == self._filled:
                    self._rest = b""
                else:
                    self._set_aside()
                if self._cuts:
                    self._deliver()
            if self._held + len(self._rest) > MAX_FRAME:
                raise MalformedError(f"a frame of more than {MAX_FRAME} bytes")
        except MalformedError as reason:
            self._fail(f"It sent something that is neither RTP nor RTSP: {reason}.")
        except Exception as reason:  # an accident with one stream must not leave a half-read buffer behind
            self._fail(f"Its packets could not be processed: {reason!r}.")
            raise
        self._reads += 1
        if self._ticking or self._frames >= _NATURAL_FRAMES:
            self._pace()

    def settle(self) -> None:
        """Called each second while nobody watches: larger reads will do."""
        if self._calm and self._open():
            self._calm.settle(self.bytes)

    def hurry(self) -> None:
        """Somebody watches: every frame is wanted as it comes."""
        if self._calm and self._open():
            self._calm.hurry(self.bytes)

    def connection_lost(self, exc: Exception | None) -> None:
        self._fail(f"It closed the connection: {exc}." if exc else "It closed the connection.")

    def eof_received(self) -> None:
        return None

    def _walk(self) -> None:
        buffer, position, filled = self._buffer, self._parsed, self._filled
        video, tails = self._video, self._tails
        while filled - position >= _HEAD.size:
            dollar, channel, size, _, flags, _, timestamp = _HEAD.unpack_from(buffer, position)
            if dollar != DOLLAR:
                after = self._text(position)
                if after is None:
                    break
                position = after
                continue
            end = position + 4 + size
            if end > filled:
                break
            if channel == video and size > 12:
                # Most packets are the middle of a picture, of which nothing else is to be known.
                if tails:
                    self._packet(position, end, flags, self._renumber(video, position, end))
                elif not self._kind or timestamp != self._timestamp:
                    self._packet(position, end, flags, timestamp)
                elif flags & 0x80:
                    self._cut(end)
                elif filled - position >= _MANY_ALIKE * (size + 4):
                    end = self._alike(position, size + 4)
            elif tails:
                self._renumber(channel, position, end)
            position = end
        self._parsed = position

    def _alike(self, position: int, step: int) -> int:
        """Where those packets end that are as the one at `position`, the middle of a picture."""
        lengths = self._buffer[position + 3 : self._filled : step]
        count = len(lengths) - len(lengths.lstrip(lengths[:1]))
        count = min(count, (self._filled - position) // step, _MOST_ALIKE)
        heads = _heads(step, count).unpack_from(self._buffer, position)
        return position + step * (count if heads == heads[:3] * count else 1)

    def _packet(self, position: int, end: int, flags: int, timestamp: int) -> None:
        if self._kind and timestamp != self._timestamp:
            self._cut(position)
        self._timestamp = timestamp
        if not self._kind:
            start = position + 16
            if first := self._buffer[position + 4] & 0x1F:
                start += self._header_rest(start, first)
            if start < end:
                self._kind = self._kind_of(self._view[start:end])
        if flags & 0x80 and self._kind:
            self._cut(end)

    def _header_rest(self, start: int, first: int) -> int:
        rest = 4 * (first & 15)
        if first & 0x10 and start + rest + 4 <= self._filled:
            rest += 4 + 4 * (self._buffer[start + rest + 2] << 8 | self._buffer[start + rest + 3])
        return rest

    def _cut(self, end: int) -> None:
        data = self._view[self._start : end].tobytes()
        if self._parts:
            data = b"".join((*self._parts, data))
            self._parts.clear()
            self._held = 0
        self._start = end
        self._frames += 1
        key, self._kind = self._kind == 2, 0
        self._cuts.append(Chunk(data, key, self._timestamp))

    def _deliver(self) -> None:
        """Give the frames of this read on; those that waited for it came before its last one."""
        cuts, before, now = self._cuts, self._read_at, time.time_ns() // 1000
        self._cuts, self._read_at, self.last = [], now, cuts[-1]
        if len(cuts) == 1:
            cuts[0].at = now
            self._on_chunk(cuts[0])
            return
        for chunk in cuts:
            early = (cuts[-1].timestamp - chunk.timestamp) % (1 << 32)
            chunk.at = max(before, now - early * 1_000_000 // self.clock) if early < 10 * self.clock else now
        for chunk in cuts:
            self._on_chunk(chunk)

    def _renumber(self, channel: int, position: int, end: int) -> int:
        tail = self._tails.get(channel)
        if tail is None or end - position < 16:
            self._hold(position)
            self._start = end
            return 0
        first, second, sequence, timestamp, _ = RTP.unpack_from(self._buffer, position + 4)
        if tail.shift is None:
            tail.shift = tail.sequence - sequence, tail.timestamp - timestamp
        sequence = (sequence + tail.shift[0]) & 0xFFFF
        shifted: int = (timestamp + tail.shift[1]) & 0xFFFFFFFF
        RTP.pack_into(self._buffer, position + 4, first, second, sequence, shifted, tail.ssrc)
        return shifted

    def _text(self, position: int) -> int | None:
        """Position behind an RTSP message between the packets; None while it is incomplete."""
        waiting = bytearray(self._view[position : self._filled])
        before = len(waiting)
        message = rtsp_message.take(waiting)
        if message is None:
            if before > _MAX_TEXT:
                raise MalformedError(f"a message of more than {_MAX_TEXT} bytes")
            return None
        self._hold(position)
        self._start = position + before - len(waiting)
        self._on_message(message)
        return self._start

    def _hold(self, end: int) -> None:
        if end > self._start:
            self._parts.append(bytes(self._view[self._start : end]))
            self._held += end - self._start
        self._start = end

    def _set_aside(self) -> None:
        """Leave nothing in the buffer, which the next read of any connection fills anew."""
        self._hold(self._parsed)
        self._rest = bytes(self._view[self._parsed : self._filled])

    def _pace(self) -> None:
        """Read by ticks while natural reading takes many reads per frame; look again now and then."""
        if self._calm and self._calm.mark > 1:
            return
        if self._frames >= (_TICKING_FRAMES if self._ticking else _NATURAL_FRAMES):
            self._ticking = not self._ticking and self._reads >= _MANY_READS * self._frames
            self._reads = self._frames = 0
        if self._ticking and (self._held or self._rest) and self._transport and not self.lost.done():
            self._transport.pause_reading()
            asyncio.get_running_loop().call_later(TICK, self._resume)

    def _resume(self) -> None:
        if self._transport and self._open():
            self._transport.resume_reading()

    def _open(self) -> bool:
        return not (self.lost.done() or self._transport is None or self._transport.is_closing())

    def _fail(self, reason: str) -> None:
        if not self.lost.done():
            self.lost.set_result(reason)


@lru_cache(maxsize=256)
def _heads(step: int, count: int) -> struct.Struct:
    """What packets in the middle of a picture have in common: channel and length, marker, timestamp."""
    return struct.Struct(">" + f"IxBxxI{step - 12}x" * count)
