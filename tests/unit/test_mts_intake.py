"""Interleaved bytes to frames, whatever the borders of the reads are."""

import asyncio
import struct

import pytest

from services.media.interleaved import packets
from services.mts import depay, intake
from services.mts.chunk import Chunk
from services.mts.intake import Intake, Tail
from services.runtime.rtsp_message import Message

REPLY = b"RTSP/1.0 200 OK\r\nCSeq: 9\r\nContent-Length: 2\r\n\r\nhi"


def packet(
    channel: int, sequence: int, stamp: int, body: bytes, marker: bool = False, ssrc: int = 7
) -> bytes:
    rtp = struct.pack(">BBHII", 0x80, 96 | marker << 7, sequence & 0xFFFF, stamp, ssrc) + body
    return b"$" + bytes((channel,)) + len(rtp).to_bytes(2, "big") + rtp


def frame(number: int, key: bool, size: int = 40) -> bytes:
    head = packet(0, 3 * number, number * 3600, b"\x67sps") if key else b""
    body = (b"\x65" if key else b"\x41") + bytes(size)
    return (
        head
        + packet(0, 3 * number + 1, number * 3600, body)
        + packet(0, 3 * number + 2, number * 3600, body, marker=True)
    )


class Bench:
    """An Intake with its output collected."""

    def __init__(self, tails: dict[int, Tail] | None = None) -> None:
        self.chunks: list[Chunk] = []
        self.messages: list[Message] = []
        self.intake = Intake(0, depay.h264_kind, self.chunks.append, self.messages.append, tails or {})

    def feed(self, data: bytes, step: int) -> None:
        for start in range(0, len(data), step):
            piece = data[start : start + step]
            while piece:
                target = self.intake.get_buffer(-1)
                taken = piece[: len(target)]
                target[: len(taken)] = taken
                self.intake.buffer_updated(len(taken))
                piece = piece[len(taken) :]


@pytest.mark.parametrize("step", [1, 2, 3, 7, 50, 1000, 10**6])
async def test_frames_do_not_depend_on_the_borders_of_reads(step: int) -> None:
    audio = packet(2, 1, 5, b"audio")
    frames = [frame(n, n % 4 == 0) for n in range(12)]
    bench = Bench()
    bench.feed(
        audio + REPLY + b"".join(part + (REPLY if n == 5 else b"") for n, part in enumerate(frames)), step
    )
    assert [chunk.data for chunk in bench.chunks] == [audio + frames[0], *frames[1:]]
    assert [chunk.key for chunk in bench.chunks] == [n % 4 == 0 for n in range(12)]
    assert [chunk.timestamp for chunk in bench.chunks] == [n * 3600 for n in range(12)]
    assert [message.body for message in bench.messages] == [b"hi", b"hi"]


async def test_reply_in_the_middle_of_a_frame_is_cut_out() -> None:
    whole = frame(0, True)
    first = 4 + int.from_bytes(whole[2:4], "big")
    bench = Bench()
    bench.feed(whole[:first] + REPLY + whole[first:], 11)
    assert [chunk.data for chunk in bench.chunks] == [whole]


async def test_frame_larger_than_the_read_buffer_is_kept_whole() -> None:
    body = b"\x65" + bytes(60_000)
    parts = [packet(0, n, 1, body, marker=n == 9) for n in range(10)]
    bench = Bench()
    bench.feed(b"".join(parts) + frame(1, False), 30_000)
    assert bench.chunks[0].data == b"".join(parts)
    assert len(bench.chunks) == 2


async def test_camera_without_markers_is_cut_where_the_time_changes() -> None:
    parts = [packet(0, n, n // 2, b"\x41abc") for n in range(6)]
    bench = Bench()
    bench.feed(b"".join(parts), 1000)
    assert [chunk.data for chunk in bench.chunks] == [parts[0] + parts[1], parts[2] + parts[3]]


async def test_parameter_sets_with_their_own_marker_stay_with_their_picture() -> None:
    data = (
        packet(0, 0, 9, b"\x67sps", marker=True) + packet(0, 1, 9, b"\x68pps", marker=True) + frame(1, True)
    )
    bench = Bench()
    bench.feed(data, 13)
    assert [(chunk.data, chunk.key) for chunk in bench.chunks] == [(data, True)]


async def test_endless_frame_ends_the_source_not_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intake, "MAX_FRAME", 500_000)
    bench = Bench()
    for n in range(40):
        bench.feed(packet(0, n, 1, b"\x41" + bytes(60_000)), 65_000)
        if bench.intake.lost.done():
            break
    assert "500000 bytes" in bench.intake.lost.result()


@pytest.mark.parametrize("rubbish", [b"\x00" * 40, b"<html>" * 10, b"A" * 70_000])
async def test_rubbish_between_packets_is_named(rubbish: bytes) -> None:
    bench = Bench()
    bench.feed(frame(0, True) + rubbish, 1000)
    assert "neither RTP nor RTSP" in bench.intake.lost.result()
    assert len(bench.chunks) == 1


async def test_after_a_loss_numbers_go_on_and_rtcp_is_left_out() -> None:
    bench = Bench({0: Tail(65534, 2**32 - 100, 0xABC)})
    rtcp = b"$\x01\x00\x08\x80\xc8\x00\x01\x00\x00\x00\x00"
    bench.feed(rtcp + frame(0, True) + rtcp + frame(1, False), 17)
    seen = [struct.unpack_from(">HII", p, 2) for chunk in bench.chunks for _, p in packets(chunk.data)]
    assert [s for s, _, _ in seen] == [65534, 65535, 0, 2, 3]
    assert {t for _, t, _ in seen} == {2**32 - 100, 3500}
    assert {ssrc for _, _, ssrc in seen} == {0xABC}
    assert bench.chunks[1].timestamp == 3500


class Transport(asyncio.Transport):
    """Counts how often reading was paused."""

    def __init__(self) -> None:
        super().__init__()
        self.pauses = 0

    def pause_reading(self) -> None:
        self.pauses += 1

    def resume_reading(self) -> None:
        pass

    def is_closing(self) -> bool:
        return False


@pytest.mark.parametrize(("read", "least", "most"), [(1016, 300, 700), (3000, 0, 0), (10**6, 0, 0)])
async def test_only_a_packet_paced_camera_is_read_by_ticks(read: int, least: int, most: int) -> None:
    bench, transport = Bench(), Transport()
    bench.intake.begin(transport, b"")
    for n in range(100):
        bench.feed(frame(n, n == 0, 2500), read)
    assert least <= transport.pauses <= most


async def test_tiny_packets_are_one_frame_and_their_forms_fill_no_memory(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bench, made = Bench(), list[int]()
    form = intake._heads
    monkeypatch.setattr(intake, "_heads", lambda step, count: (made.append(count), form(step, count))[1])
    body = [packet(0, n, 3600, b"\x41" + bytes(1)) for n in range(5000)]
    bench.feed(b"".join(body) + packet(0, 5000, 3600, b"\x41", marker=True), 10**6)
    assert [len(chunk.data) for chunk in bench.chunks] == [5000 * 18 + 17]
    assert max(made) == 256
