"""The fan-out: joining, falling behind, dying."""

import asyncio
from collections.abc import Callable

import pytest

from services.mts import stream as streams
from services.mts import viewer
from services.mts.chunk import Chunk
from services.mts.stream import Origin, Stream
from services.mts.viewer import RelayViewer


class Transport(asyncio.Transport):
    """Keeps what is written; `backlog` and `broken` are set by the test."""

    def __init__(self) -> None:
        self.written: list[bytes] = []
        self.backlog = 0
        self.broken = False
        self.aborted = False

    def write(self, data: bytes | bytearray | memoryview) -> None:  # type: ignore[override]
        if self.broken:
            raise RuntimeError("unable to perform operation on a closed transport")
        self.written.append(bytes(data))

    def get_write_buffer_size(self) -> int:
        return self.backlog

    def abort(self) -> None:
        self.aborted = True


@pytest.fixture
def stream() -> Stream:
    return Stream(("c", "main"), Origin("d", "rtsp://h/", "", ""))


def join(stream: Stream) -> Transport:
    transport = Transport()
    stream.add_relay(RelayViewer(transport, stream.remove, None))
    return transport


def frames(stream: Stream, text: str) -> None:
    """Publish one chunk per letter; capitals are key frames."""
    for letter in text:
        stream.publish(Chunk(letter.encode(), letter.isupper(), 0))


def test_newcomer_starts_at_the_last_key_frame(stream: Stream) -> None:
    frames(stream, "AabBcd")
    transport = join(stream)
    frames(stream, "e")
    assert b"".join(transport.written) == b"Bcde"


def test_after_the_camera_was_lost_everybody_goes_on_at_a_key_frame(stream: Stream) -> None:
    transport = join(stream)
    frames(stream, "Aab")
    stream.lost("unreachable", "cut")
    frames(stream, "cdEf")
    assert b"".join(transport.written) == b"AabEf"


def test_newcomer_before_any_key_frame_waits_for_one(stream: Stream) -> None:
    frames(stream, "ab")
    transport = join(stream)
    frames(stream, "cDe")
    assert b"".join(transport.written) == b"De"


def test_slow_viewer_goes_on_at_a_key_frame_and_others_miss_nothing(stream: Stream) -> None:
    slow, quick = join(stream), join(stream)
    frames(stream, "Aa")
    slow.backlog = viewer.BACKLOG + 1
    frames(stream, "bBc")
    slow.backlog = 0
    frames(stream, "dCe")
    assert b"".join(slow.written) == b"AaCe"
    assert b"".join(quick.written) == b"AabBcdCe"


def test_viewer_that_does_not_read_for_long_is_dropped(
    stream: Stream, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [100.0]
    monkeypatch.setattr(viewer, "monotonic", lambda: now[0])
    stuck = join(stream)
    stuck.backlog = viewer.BACKLOG + 1
    frames(stream, "A")
    now[0] += viewer.STUCK_SECONDS + 1
    frames(stream, "B")
    assert stuck.aborted
    assert stream.viewers == 0


def test_viewer_that_dies_in_the_middle_of_the_fan_out_touches_nobody_else(stream: Stream) -> None:
    transports = [join(stream) for _ in range(3)]
    transports[0].broken = transports[1].broken = True
    frames(stream, "Ab")
    assert transports[2].written == [b"A", b"b"]
    assert stream.viewers == 1


@pytest.mark.parametrize(
    "fill", [lambda s: frames(s, "A" + "a" * 40), lambda s: s.publish(Chunk(b"A" * 5000, True, 0))]
)
def test_stream_without_key_frames_does_not_grow_the_cache(
    stream: Stream, fill: Callable[[Stream], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streams, "MAX_GOP_FRAMES", 20)
    monkeypatch.setattr(streams, "MAX_GOP_BYTES", 4000)
    fill(stream)
    assert join(stream).written == []
