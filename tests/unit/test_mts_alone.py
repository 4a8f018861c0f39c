"""Sound without any picture: its pieces, who joins, and what a changed camera does to who watches."""

import io
import json

import av
import pytest

from services.mts.alone import SoundIntake, SoundMuxer
from services.mts.audio import FormatError
from services.mts.chunk import Chunk
from services.mts.plain import PlainViewer
from services.mts.record import Recorder
from services.mts.segments import Packager
from services.mts.stream import Origin, Stream
from services.mts.viewer import LiveViewer, LoudViewer, RelayViewer
from services.mts.websocket import bodies
from services.runtime.rtsp import Track
from services.runtime.sdp import Media
from tests.unit.test_mts_sound import AAC, ALAW, OPUS, SURROUND, UNIT, VIDEO, Sink, messages, packet, units_of

LASTS = 160


def stream_of(media: Media) -> Stream:
    stream = Stream(("c", "main"), Origin("d", "rtsp://h/", "", ""))
    stream.playing([Track(media, 0)])
    return stream


def speak(stream: Stream, first: int, last: int, start: int = 0) -> None:
    """Packets of 20 ms of G.711, each a chunk."""
    for number in range(first, last):
        stamp = (start + number * LASTS) % 2**32
        stream.publish(Chunk(packet(0, number, stamp, bytes((number % 256,)) * LASTS), True, stamp))


def join(stream: Stream, kind: type[LiveViewer] = LiveViewer) -> Sink:
    sink = Sink()
    stream.add_live(kind(sink, stream.remove))
    return sink


def times(sink: Sink) -> list[tuple[int, int]]:
    """Where each sample begins and how long it is, in ticks of 8 kHz."""
    _, init, rest = messages(sink)
    with av.open(io.BytesIO(init + b"".join(rest))) as file:
        return [(int(one.pts), int(one.duration)) for one in file.demux(audio=0) if one.pts is not None]


def unbroken(row: list[tuple[int, int]]) -> bool:
    ends = [begin + lasts for begin, lasts in row[:-1]]
    return ends == [begin for begin, _ in row[1:]]


def test_a_piece_has_a_fifth_of_a_second_and_none_waits_for_another() -> None:
    stream = stream_of(ALAW)
    sink = join(stream)
    speak(stream, 0, 51)
    init, _, rest = messages(sink)
    assert (init["mime"], init["sound"], len(rest)) == ('audio/mp4; codecs="flac"', "G.711 (PCMA)", 5)
    assert unbroken(times(sink))


def test_who_joins_gets_what_was_heard_just_before_at_once() -> None:
    stream = stream_of(ALAW)
    speak(stream, 0, 200)
    first, second, asking = join(stream), join(stream), join(stream, LoudViewer)
    assert len(messages(first)[2]) == len(messages(second)[2]) == len(messages(asking)[2]) == 2
    player = Sink()
    stream.add_relay(RelayViewer(player, stream.remove, None))
    assert len(player.written) == 20
    speak(stream, 200, 220)
    assert unbroken(times(second))


def test_one_who_comes_after_all_have_left_begins_at_a_clean_axis() -> None:
    stream = stream_of(ALAW)
    gone = LiveViewer(Sink(), stream.remove)
    stream.add_live(gone)
    speak(stream, 0, 37)
    stream.remove(gone)
    speak(stream, 37, 42)
    sink = join(stream)
    speak(stream, 42, 90)
    row = times(sink)
    assert row[0][0] == 0
    assert unbroken(row)


@pytest.mark.parametrize("start", [2**32 - 10 * LASTS, 2**31 - 5 * LASTS])
def test_what_is_kept_stays_bounded_and_unbroken_across_the_wrap_of_the_clock(start: int) -> None:
    stream = stream_of(ALAW)
    sink = join(stream)
    speak(stream, 0, 100, start)
    assert unbroken(times(sink))
    player = Sink()
    stream.add_relay(RelayViewer(player, stream.remove, None))
    assert len(player.written) == 20


def test_a_camera_whose_clock_stands_still_fills_no_memory() -> None:
    stream = stream_of(ALAW)
    for number in range(4000):
        stream.publish(Chunk(packet(0, number, 7, b"x" * LASTS), True, 7))
    player = Sink()
    stream.add_relay(RelayViewer(player, stream.remove, None))
    assert len(player.written) <= 1500


def test_silence_stands_where_packets_were_lost_and_an_outage_is_closed() -> None:
    stream = stream_of(ALAW)
    sink = join(stream)
    speak(stream, 0, 50)
    speak(stream, 100, 150)
    stream.lost("unreachable", "gone")
    stream.playing([Track(ALAW, 0)])
    speak(stream, 9000, 9050, start=77)
    row = times(sink)
    assert unbroken(row)
    assert 3.5 < sum(lasts for _, lasts in row) / 8000 < 4.1


def test_forms_of_sound_that_browsers_play_are_named_by_their_codec() -> None:
    assert SoundMuxer(Track(AAC, 0)).init.mime == 'audio/mp4; codecs="mp4a.40.2"'
    assert SoundMuxer(Track(OPUS, 0)).init.mime == 'audio/mp4; codecs="opus"'
    with pytest.raises(FormatError, match="two channels"):
        SoundMuxer(Track(SURROUND, 0))


def test_who_cannot_hear_it_is_told_why_although_it_comes_and_players_get_it() -> None:
    stream = stream_of(SURROUND)
    sink, player = join(stream), Sink()
    stream.add_relay(RelayViewer(player, stream.remove, None))
    stream.publish(Chunk(packet(0, 1, 5, units_of(b"unit")), True, 5))
    stream.tell()
    (said,) = [json.loads(bytes(one)) for one in bodies(b"".join(sink.written))]
    assert said["about"] == "picture"
    assert "more than two channels" in said["why"]
    assert len(player.written) == 1


def test_a_camera_that_is_away_is_told_as_missing_sound() -> None:
    stream = stream_of(ALAW)
    sink = join(stream)
    stream.lost("unreachable", "no route")
    stream.tell()
    assert json.loads(bytes(bodies(sink.written[-1])[0]))["what"] == "No sound from the camera."


def test_a_camera_that_loses_its_picture_ends_recorders_and_gives_listeners_another_beginning() -> None:
    stream = stream_of(VIDEO)
    recorder, browser, file = Sink(), Sink(), PlainViewer(Sink(), stream.remove)
    stream.add_live(Recorder(recorder, stream.remove))
    packager = Packager(stream.remove, loud=False)
    for one in (packager, LiveViewer(browser, stream.remove), file):
        stream.add_live(one)
    stream.lost("unreachable", "gone")
    stream.playing([Track(ALAW, 0)])
    speak(stream, 0, 50)
    assert packager.ended
    assert stream.viewers == 2
    assert not recorder.written
    assert messages(browser)[0]["mime"].startswith("audio/mp4")


async def test_each_packet_is_a_chunk_whatever_its_marker() -> None:
    chunks: list[Chunk] = []
    intake = SoundIntake(Track(ALAW, 0), chunks.append, lambda _: None, {})
    report = packet(1, 1, 0, b"report")
    data = packet(0, 1, 0, b"a") + report + packet(0, 2, UNIT, b"b", marker=False) + packet(0, 3, UNIT, b"c")
    intake.push(data)
    assert [chunk.timestamp for chunk in chunks] == [0, UNIT, UNIT]
    assert b"".join(chunk.data for chunk in chunks) == data
    assert all(chunk.key for chunk in chunks)
