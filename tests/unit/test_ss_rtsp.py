"""Playback by RTSP: packets, the clock of RTP, headers, and players that do not read."""

import asyncio
import contextlib
import os
import struct
import tempfile
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.media import packets
from services.media.packets import MOST, Packets
from services.mts import depay, fmp4
from services.mts.chunk import payloads
from services.runtime import sdp
from services.ss import rtsp_playback, samples, spans
from services.ss.axis import Axis, Pace
from services.ss.boxes import TornError
from services.ss.entry import Entry, Gop
from services.ss.reader import Place
from services.ss.rtsp_playback import Playback
from services.ss.spans import Span
from services.ss.video import Video, video

SPS = bytes.fromhex("6742c01eda02802ff97016a0c0c0d48000000300800000197478b1750000")
H264_SETS = ((SPS,), (b"\x68\xce\x3c\x80",))


def h264_units() -> st.SearchStrategy[bytes]:
    head = st.builds(lambda ref, kind: bytes((ref << 5 | kind,)), st.integers(0, 3), st.integers(1, 23))
    return st.builds(bytes.__add__, head, st.binary(min_size=1, max_size=3 * MOST))


def h265_units() -> st.SearchStrategy[bytes]:
    head = st.builds(lambda kind, layer: bytes((kind << 1 | layer >> 5, (layer & 31) << 3 | 1)),
                     st.integers(0, 47), st.integers(0, 63))  # fmt: skip
    return st.builds(bytes.__add__, head, st.binary(min_size=2, max_size=3 * MOST))


@given(st.lists(h264_units(), min_size=1, max_size=5), st.integers(0, 2**40))
def test_h264_pictures_come_out_of_their_packets_as_they_went_in(units: list[bytes], ticks: int) -> None:
    data = Packets(False, 96, 4).frame([memoryview(unit) for unit in units], ticks)
    found = depay.h264_nals(data, payloads(data, 4))
    assert [b"".join(unit) for unit in found] == units


@given(st.lists(h265_units(), min_size=1, max_size=5), st.integers(0, 2**40))
def test_h265_pictures_come_out_of_their_packets_as_they_went_in(units: list[bytes], ticks: int) -> None:
    data = Packets(True, 96, 4).frame([memoryview(unit) for unit in units], ticks)
    found = depay.h265_nals(data, payloads(data, 4))
    assert [b"".join(unit) for unit in found] == units


@given(st.integers(2, 5 * MOST), st.booleans())
def test_packets_are_bounded_numbered_in_a_row_and_marked_at_the_end(size: int, hevc: bool) -> None:
    one = Packets(hevc, 96, 6)
    one.sequence = first = 65_534
    data = one.frame([b"\x02\x01" + bytes(size)], 7)
    spans_ = payloads(data, 6)
    assert all(0 < end - start <= MOST for start, end in spans_)
    heads = [struct.unpack(">BBHII", data[start - 12 : start]) for start, _ in spans_]
    assert [head[2] for head in heads] == [(first + n) & 0xFFFF for n in range(len(heads))]
    assert [head[1] for head in heads] == [96] * (len(heads) - 1) + [96 | 0x80]
    assert {head[3:] for head in heads} == {(one.time(7), one.ssrc)}


def test_a_report_is_whole_rtcp_and_says_goodbye_at_the_end() -> None:
    one = Packets(False, 96, 2)
    data = one.report(1_700_000_000_500_000, 90, bye=True)
    assert data[:2] == b"$\x03"
    assert int.from_bytes(data[2:4], "big") == len(data) - 4
    kinds, rest = [], data[4:]
    while rest:
        size = 4 + 4 * int.from_bytes(rest[2:4], "big")
        kinds.append(rest[1])
        assert len(rest) >= size
        rest = rest[size:]
    assert kinds == [200, 202, 203]
    assert int.from_bytes(data[12:16], "big") == 1_700_000_000 + 2_208_988_800
    assert int.from_bytes(data[16:20], "big") == 1 << 31


def test_parameter_sets_stand_before_a_key_picture_and_behind_its_delimiter() -> None:
    units = [memoryview(b"\x09\xf0"), memoryview(b"\x65key")]
    assert [bytes(u) for u in packets.with_sets(units, H264_SETS, False)] == [
        b"\x09\xf0", SPS, H264_SETS[1][0], b"\x65key"
    ]  # fmt: skip
    assert [bytes(u)[:1] for u in packets.with_sets(units[1:], H264_SETS, False)] == [
        b"\x67",
        b"\x68",
        b"\x65",
    ]


@given(
    st.sampled_from((1 / 16, 0.5, 1.0, 2.0, 8.0, 64.0)),
    st.integers(0, 900_000),
    st.lists(st.integers(900, 20_000), min_size=2, max_size=50),
)
def test_shown_time_never_stands_still_nor_goes_back(speed: float, cut: int, steps: list[int]) -> None:
    axis, at, shown = Axis(5, speed, cut), 0, []
    for step in steps:
        shown.append(axis.show(at))
        at += step
    assert all(after > before for before, after in pairwise(shown))
    assert axis.show(cut + 90_000) - axis.show(cut) == pytest.approx(90_000 / speed, abs=1)
    assert axis.show(cut) - 5 <= 9000


def test_what_is_late_by_more_than_a_second_is_not_made_up() -> None:
    pace = Pace(100.0, 0)
    assert pace.wait(100.0, 90_000) == 1.0
    assert pace.wait(101.5, 90_000) == 0
    assert pace.wait(105.0, 90_000) == 0
    assert pace.wait(105.0, 180_000) == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("clock=19700101T000001Z-", Span(1_000_000)),
        ("clock=19700101T000001.25Z-19700101T000002.5Z", Span(1_250_000, 2_500_000)),
        ("npt=0.000-", Span(7)),
        ("NPT=1.5-2 ;time=19970123T153600Z", Span(1_500_007, 2_000_007)),
        ("npt=0:01:01.5-", Span(61_500_007)),
        ("npt=-3", Span(None, 3_000_007)),
    ],
)
def test_ranges_are_read(text: str, wanted: Span) -> None:
    assert spans.span(text, 7) == wanted


@given(st.integers(0, 4_000_000_000_000_000), st.integers(0, 10**12))
def test_ranges_are_read_as_they_are_told(start: int, more: int) -> None:
    assert spans.span(spans.told(start, start + more), 0) == Span(start, start + more)
    assert spans.span(spans.told_npt(start + more, None, start), start) == Span(start + more)


@given(st.text(max_size=80))
def test_any_other_range_or_scale_is_a_value_error_or_a_value(text: str) -> None:
    for read in (
        lambda: spans.span(text, 0),
        lambda: spans.span(f"clock={text}-", 0),
        lambda: spans.span(f"npt={text}-", 0),
        lambda: spans.moment(text),
        lambda: spans.scale(text),
    ):
        with contextlib.suppress(ValueError, OverflowError):
            read()


def test_speeds_are_bounded_in_both_directions() -> None:
    assert [spans.scale(text) for text in ("1", "-1", "1000", "-1e9", "0.001")] == [1, -1, 64, -64, 1 / 16]


def test_init_segments_say_their_format() -> None:
    facts, entry = fmp4.avc_entry(list(H264_SETS[0]), list(H264_SETS[1]))
    found = video(fmp4.init_segment(facts, entry, 90_000))
    assert found == Video("H264", H264_SETS)
    assert found.media.fmtp["profile-level-id"] == "42c01e"
    assert found.media.parameter_sets == [SPS, H264_SETS[1][0]]


@given(st.binary(max_size=300), st.integers(0, 600))
def test_broken_init_segments_are_told_as_such(noise: bytes, place: int) -> None:
    facts, entry = fmp4.avc_entry(list(H264_SETS[0]), list(H264_SETS[1]))
    whole = fmp4.init_segment(facts, entry, 90_000)
    with contextlib.suppress(TornError):
        video(whole[:place] + noise + whole[place + len(noise) :])
    assert isinstance(video(whole).media, sdp.Media)


@given(st.lists(st.integers(1, 300_000), min_size=1, max_size=12), st.integers(0, 3))
def test_a_gop_is_read_in_slices_without_leaving_a_picture_out(sizes: list[int], lead: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        place, units = recorded(Path(folder), sizes, lead)
        found, offset, slices = [], 0, 0
        while offset is not None:
            some, offset = samples.read(place, offset)
            found += some
            slices += 1
        assert [bytes(one.units[0]) for one in found] == units
        assert [one.tick for one in found] == [3600 * n for n in range(len(units))]
        assert slices >= sum(sizes) // (4 * samples.SLICE)
        assert [bytes(one.units[0]) for one in samples.read(place, 0, keys=True)[0]] == units[:1]
        os.truncate(place.entry.path, place.entry.size - 1)
        with pytest.raises(TornError):
            everything(place)


def everything(place: Place) -> None:
    offset: int | None = 0
    while offset is not None:
        _, offset = samples.read(place, offset)


def recorded(root: Path, sizes: list[int], lead: int) -> tuple[Place, list[bytes]]:
    """A file with one GOP whose pictures have these sizes, behind `lead` other bytes."""
    units = [bytes((0x65 if n == 0 else 0x41,)) * size for n, size in enumerate(sizes)]
    data = b"x" * lead
    for n, unit in enumerate(units):
        data += fmp4.stamp(7 + 3600 * n, 10**15) if n == 0 else b""
        data += fmp4.fragment(n, 7 + 3600 * n, 3600, n == 0, 4 + len(unit), 3600 * (n % 2))
        data += len(unit).to_bytes(4, "big") + unit
    gops = (Gop(lead, 10**15, 7, len(units)),)
    entry = Entry("c", 1, 10**15, 10**15 + len(units) * 40_000, len(data), str(root), "c", 90_000, gops)
    entry.path.parent.mkdir(parents=True)
    entry.path.write_bytes(data)
    return Place(entry, 0), units


class Slow:
    """A player's end that takes nothing until it is told to."""

    def __init__(self) -> None:
        self.held, self.aborted = 10 * rtsp_playback.BACKLOG, False

    def write(self, data: bytes) -> None:
        self.held += len(data)

    def abort(self) -> None:
        self.aborted = True

    def get_write_buffer_size(self) -> int:
        return self.held


async def test_nothing_is_sent_to_a_player_that_does_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    end = Slow()
    playback = Playback(None, Video("H264", H264_SETS), end)  # type: ignore[arg-type]
    playback._pace = Pace(0, 0)
    waits = asyncio.create_task(playback._turn(0))
    await asyncio.sleep(0.1)
    assert not waits.done()
    end.held = rtsp_playback.BACKLOG
    await asyncio.wait_for(waits, 1)
    end.held += 1
    monkeypatch.setattr(rtsp_playback, "STUCK_SECONDS", 0.05)
    with pytest.raises(rtsp_playback.StuckError, match="has not read"):
        await playback._turn(0)
