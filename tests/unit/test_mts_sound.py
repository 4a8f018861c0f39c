"""Sound beside the pictures: taken out of RTP, placed on their time axis, without a hole."""

import asyncio
import io
import json
import struct
import subprocess
from dataclasses import dataclass, field
from itertools import pairwise

import av
import pytest

from services.mts.audio import Aac, FormatError, Opus, format_of
from services.mts.chunk import Chunk
from services.mts.plain import PlainViewer
from services.mts.sound import Sound
from services.mts.stream import Origin, Stream
from services.mts.viewer import LiveViewer, LoudViewer
from services.mts.websocket import bodies
from services.runtime.rtsp import Track
from services.runtime.sdp import Media

HBR = {"mode": "AAC-hbr", "sizelength": "13", "indexlength": "3", "indexdeltalength": "3"}
AAC = Media("audio", 97, "MPEG4-GENERIC", 16_000, fmtp=HBR | {"config": "1408"})
OPUS = Media("audio", 98, "OPUS", 48_000, 2)
ALAW = Media("audio", 8, "PCMA", 8_000)
SURROUND = Media("audio", 97, "MPEG4-GENERIC", 16_000, fmtp=HBR | {"config": "1430"})
VIDEO = Media("video", 96, "H264", 90_000)
UNIT, FRAME = 1024, 3600


def ffmpeg(*words: str) -> bytes:
    command = ["ffmpeg", "-v", "error", "-f", "lavfi", *words, "-"]
    return subprocess.run(command, check=True, capture_output=True).stdout


@pytest.fixture(scope="module")
def tone() -> list[bytes]:
    """Three seconds of a tone as access units of AAC-LC, 16 kHz, one channel."""
    data = ffmpeg("-i", "sine=440:sample_rate=16000:duration=3", "-c:a", "aac", "-f", "adts")
    units = []
    while data:
        size = (data[3] & 3) << 11 | data[4] << 3 | data[5] >> 5
        units.append(data[7:size])
        data = data[size:]
    return units


def coded(size: str) -> list[bytes]:
    """Three seconds of pictures, one second from key to key: NAL units of each behind start codes."""
    words = ["-c:v", "libx264", "-g", "25", "-sc_threshold", "0", "-bf", "0", "-preset", "ultrafast"]
    data = ffmpeg(
        "-i",
        f"testsrc=size={size}:rate=25:duration=3",
        *words,
        "-x264-params",
        "aud=1:sliced-threads=0",
        "-f",
        "h264",
    )
    return [one for one in data.split(b"\x00\x00\x00\x01\x09")[1:] if one]


@pytest.fixture(scope="module")
def pictures() -> list[bytes]:
    return coded("160x96")


def packet(channel: int, number: int, timestamp: int, body: bytes, marker: bool = True) -> bytes:
    head = struct.pack(">BBHII", 0x80, 96 | marker << 7, number & 0xFFFF, timestamp % 2**32, 7)
    return b"$" + bytes((channel,)) + (12 + len(body)).to_bytes(2, "big") + head + body


def units_of(*units: bytes) -> bytes:
    """An RTP payload of whole AAC units."""
    table = b"".join((len(one) << 3).to_bytes(2, "big") for one in units)
    return (16 * len(units)).to_bytes(2, "big") + table + b"".join(units)


def picture(number: int, access_unit: bytes) -> bytes:
    """One picture as packets of single NAL units, longer ones than RTP has in the wild."""
    nals = [one.removesuffix(b"\x00") for one in (b"\x09" + access_unit).split(b"\x00\x00\x01")][1:]
    return b"".join(packet(0, 9, number * FRAME, nal, nal is nals[-1]) for nal in nals)


class Sink(asyncio.Transport):
    def __init__(self) -> None:
        self.written: list[bytes] = []

    def write(self, data: bytes | bytearray | memoryview) -> None:  # type: ignore[override]
        self.written.append(bytes(data))

    def get_write_buffer_size(self) -> int:
        return 0

    def abort(self) -> None:
        pass


@dataclass
class Camera:
    """Publishes pictures with what is to be heard before each."""

    pictures: list[bytes]
    stream: Stream = field(default_factory=lambda: Stream(("c", "main"), Origin("d", "rtsp://h/", "", "")))

    def plays(self, heard: Media | None) -> "Camera":
        self.stream.playing([Track(VIDEO, 0)] + ([Track(heard, 2)] if heard else []))
        return self

    def send(self, first: int, last: int, sound: dict[int, bytes]) -> None:
        for number in range(first, last):
            data = sound.get(number, b"") + picture(number, self.pictures[number])
            self.stream.publish(Chunk(data, number % 25 == 0, number * FRAME))

    def join(self, kind: type[LiveViewer] = LoudViewer) -> Sink:
        sink = Sink()
        self.stream.add_live(kind(sink, self.stream.remove))
        return sink


def spoken(tone: list[bytes], start: int = 5000) -> dict[int, bytes]:
    """The tone's units, each in front of the picture that is there when it ends."""
    heard: dict[int, bytes] = {}
    for number, unit in enumerate(tone):
        frame = (number + 1) * UNIT * 25 // 16_000
        one = packet(2, number, start + number * UNIT, units_of(unit))
        heard[frame] = heard.get(frame, b"") + one
    return heard


def messages(sink: Sink) -> tuple[dict[str, str], bytes, list[bytes]]:
    """The init message, the init segment, and the fragments."""
    parts = [bytes(one) for one in bodies(b"".join(sink.written))]
    return json.loads(parts[0]), parts[1], [one for one in parts[2:] if one[:1] != b"{"]


def heard(sink: Sink) -> tuple[list[float], list[float], list[float]]:
    """Times of the decoded pictures, of the sound's packets, and how loud each decoded piece is."""
    _, init, rest = messages(sink)
    with av.open(io.BytesIO(init + b"".join(rest))) as file:
        shown = [frame.time for frame in file.decode(video=0) if frame.time is not None]
    with av.open(io.BytesIO(init + b"".join(rest))) as file:
        row = [one for one in file.demux(audio=0) if one.dts is not None]
        times = [float(one.dts * one.time_base) for one in row]
        frames = [frame for one in [*row, None] for frame in file.streams.audio[0].codec_context.decode(one)]
    return shown, times, [loudness(frame) for frame in frames]


def loudness(frame: av.AudioFrame) -> float:
    """The largest sample, 1 at the most."""
    kind, size, most = ("h", 2, 1 << 15) if frame.format.name.startswith("s16") else ("f", 4, 1)
    samples = struct.unpack(f"{frame.samples}{kind}", bytes(frame.planes[0])[: size * frame.samples])
    return max(map(abs, samples)) / most


def steps(times: list[float]) -> set[float]:
    return {round(later - earlier, 4) for earlier, later in pairwise(times)}


def test_sound_is_a_second_track_that_begins_and_ends_with_the_pictures(
    pictures: list[bytes], tone: list[bytes]
) -> None:
    camera = Camera(pictures).plays(AAC)
    sink = camera.join()
    camera.send(0, 75, spoken(tone))
    init, _, _ = messages(sink)
    assert init["mime"].endswith(',mp4a.40.2"')
    assert init["sound"] == "AAC"
    shown, times, loud = heard(sink)
    assert len(shown) == 75
    assert steps(times) == {0.064}
    assert times[0] == 0
    assert abs(times[-1] - shown[-1]) < 0.15
    assert min(loud[2:-2]) > 0.05


def test_who_does_not_ask_gets_the_same_pictures_without_sound(
    pictures: list[bytes], tone: list[bytes]
) -> None:
    camera = Camera(pictures).plays(AAC)
    quiet = camera.join(LiveViewer)
    camera.send(0, 10, spoken(tone))
    loud = camera.join()
    camera.send(10, 30, spoken(tone))
    alone = Camera(pictures).plays(AAC)
    same = alone.join(LiveViewer)
    alone.send(0, 30, spoken(tone))
    strip = [one for one in messages(quiet)[2] if one[4:8] != b"prft"]
    assert strip == [one for one in messages(same)[2] if one[4:8] != b"prft"]
    assert b"mp4a" not in b"".join(quiet.written)
    assert len(heard(loud)[1]) > 10


def test_a_second_listener_joins_with_what_was_heard_since_the_key_picture(
    pictures: list[bytes], tone: list[bytes]
) -> None:
    camera = Camera(pictures).plays(AAC)
    camera.join(LiveViewer)
    camera.send(0, 40, spoken(tone))
    sinks = [camera.join(), camera.join()]
    camera.send(40, 75, spoken(tone))
    assert messages(sinks[0]) == messages(sinks[1])
    shown, times, loud = heard(sinks[0])
    assert len(shown) == 50
    assert times[0] == shown[0] == 1.0
    assert min(loud[2:-2]) > 0.05


@pytest.mark.parametrize(("gone", "still"), [((20, 45), True), ((0, 75), True), ((0, 0), False)])
def test_silence_stands_where_the_camera_sends_no_sound(
    pictures: list[bytes], tone: list[bytes], gone: tuple[int, int], still: bool
) -> None:
    camera = Camera(pictures).plays(AAC)
    sink = camera.join()
    camera.send(0, 75, {at: one for at, one in spoken(tone).items() if not gone[0] <= at < gone[1]})
    shown, times, loud = heard(sink)
    assert steps(times) == {0.064}
    assert shown[-1] - times[-1] < 0.7
    assert (min(loud[2:-2]) == 0) is still


@pytest.mark.parametrize("start", [2**32 - 8 * UNIT, 0, 2**31])
def test_sound_goes_on_across_the_wrap_of_its_clock(
    pictures: list[bytes], tone: list[bytes], start: int
) -> None:
    camera = Camera(pictures).plays(AAC)
    sink = camera.join()
    camera.send(0, 75, spoken(tone, start))
    assert min(heard(sink)[2][2:-2]) > 0.05


@pytest.mark.parametrize("jump", [16_000 * 3600, -16_000 * 3600, 2**31])
def test_sound_whose_clock_jumps_is_heard_where_it_comes(
    pictures: list[bytes], tone: list[bytes], jump: int
) -> None:
    camera = Camera(pictures).plays(AAC)
    sink = camera.join()
    camera.send(0, 37, spoken(tone))
    camera.send(37, 75, spoken(tone, 5000 + jump))
    _, times, loud = heard(sink)
    assert steps(times) == {0.064}
    assert sum(one < 0.05 for one in loud[2:-2]) <= 2


def test_sound_that_runs_away_from_the_pictures_is_brought_back(
    pictures: list[bytes], tone: list[bytes]
) -> None:
    camera = Camera(pictures * 20).plays(AAC)
    sink = camera.join()
    unit = tone[10]
    # A clock that is 2 % fast, for a minute.
    early = {at * 64 // 40: packet(2, at, int(at * UNIT * 1.02), units_of(unit)) for at in range(1, 937)}
    camera.send(0, 1500, early)
    shown, times, _ = heard(sink)
    assert steps(times) == {0.064}
    assert abs(times[-1] - shown[-1]) < 0.5


def test_g711_is_heard_with_the_pictures(pictures: list[bytes]) -> None:
    camera = Camera(pictures).plays(ALAW)
    sink = camera.join()
    loud = bytes((0x2A, 0xAA)) * 160
    # Nothing came in the second between.
    camera.send(0, 75, {at: packet(2, at, at * 320, loud) for at in range(75) if not 25 <= at < 50})
    init, _, _ = messages(sink)
    assert (init["sound"], init["mime"][-6:]) == ("G.711 (PCMA)", ',flac"')
    shown, times, levels = heard(sink)
    assert steps(times) == {0.04}
    assert abs(times[-1] + 0.04 - shown[-1]) < 0.1
    assert 45 <= sum(one > 0.5 for one in levels) <= 51
    assert sum(one == 0 for one in levels) >= 20


def test_sound_that_cannot_be_had_keeps_the_pictures_and_is_explained(pictures: list[bytes]) -> None:
    camera = Camera(pictures).plays(SURROUND)
    sinks = [camera.join(), camera.join()]
    quiet = camera.join(LiveViewer)
    camera.send(0, 30, {at: packet(2, at, at * 320, bytes(320)) for at in range(75)})
    for sink in sinks:
        parts = [bytes(one) for one in bodies(b"".join(sink.written))]
        assert json.loads(parts[0])["sound"] == "AAC"
        notes = [json.loads(one) for one in parts[1:] if one[:1] == b"{"]
        assert [one["about"] for one in notes] == ["sound"]
        assert "more than two channels" in notes[0]["why"]
        assert "mp4a" not in json.loads(parts[0])["mime"]
    assert b'"note"' not in b"".join(quiet.written)


def test_opus_is_a_track_of_its_own_kind(pictures: list[bytes]) -> None:
    camera = Camera(pictures).plays(OPUS)
    sink = camera.join()
    camera.send(0, 50, {at: packet(2, at, at * 1920, b"\x78") + packet(2, at, at * 1920 + 960, b"\x78")
                        for at in range(75)})  # fmt: skip
    assert messages(sink)[0]["mime"].endswith(',opus"')
    shown, times, _ = heard(sink)
    assert steps(times) == {0.02}
    assert abs(times[-1] - shown[-1]) < 0.1


def test_units_spread_over_packets_and_many_in_one() -> None:
    form = Aac(AAC)
    assert form.samples(units_of(b"one", b"three"), 0) == [b"one", b"three"]
    head = b"\x00\x10" + (9 << 3).to_bytes(2, "big")
    assert [form.samples(head + part, 7) for part in (b"abc", b"def", b"ghi")] == [[], [], [b"abcdefghi"]]
    assert form.samples(head + b"abc", 8) == form.samples(head + b"defghi", 9) == []


@pytest.mark.parametrize(
    "payload", [b"", b"\x00", b"\xff\xff", b"\x00\x10", b"\x00\x10\xff\xf8", b"\x00\x00abc"]
)
def test_broken_packets_of_sound_make_nothing_and_no_error(payload: bytes) -> None:
    assert Aac(AAC).samples(payload, 0) == []
    assert Opus(OPUS).samples(payload[:1] and b"\x7b\x3f", 0) == []


@pytest.mark.parametrize(
    "media",
    [SURROUND, Media("audio", 97, "MPEG4-GENERIC", 16_000),
     Media("audio", 97, "MPEG4-GENERIC", 1234, fmtp=HBR),
     Media("audio", 97, "G722", 8_000),
     Media("audio", 97, "MPEG4-GENERIC", 16_000, fmtp=HBR | {"config": "0a"}),
     Media("audio", 97, "MPEG4-GENERIC", 16_000, fmtp=HBR | {"ctsdeltalength": "4"})],
)  # fmt: skip
def test_sound_that_no_browser_plays_is_named(media: Media) -> None:
    with pytest.raises(FormatError):
        format_of(media)


def test_aac_without_its_configuration_is_read_as_the_plain_kind() -> None:
    assert format_of(Media("audio", 97, "MPEG4-GENERIC", 16_000, fmtp=HBR)).codec == "mp4a.40.2"


async def test_a_file_over_http_is_the_same_in_pieces_and_ends_with_its_format(
    pictures: list[bytes], tone: list[bytes]
) -> None:
    camera = Camera(pictures).plays(AAC)
    sockets, file = camera.join(), Sink()
    viewer = PlainViewer(file, camera.stream.remove, loud=True)
    camera.stream.add_live(viewer)
    camera.send(0, 30, spoken(tone))
    data, body = b"".join(file.written), b""
    while data:
        size, _, data = data.partition(b"\r\n")
        body, data = body + data[: int(size, 16)], data[int(size, 16) + 2 :]
    _, init, rest = messages(sockets)
    assert body == init + b"".join(rest)
    camera.plays(None)
    camera.send(50, 60, {})
    assert viewer.done.is_set()


@pytest.mark.parametrize("kind", [LiveViewer, LoudViewer])
def test_another_size_in_mid_stream_gives_a_new_init_on_the_same_time_axis(
    pictures: list[bytes], tone: list[bytes], kind: type[LiveViewer]
) -> None:
    camera = Camera(pictures[:25] + coded("320x192")[:50]).plays(AAC)
    sink = camera.join(kind)
    camera.send(0, 75, spoken(tone))
    parts = [bytes(one) for one in bodies(b"".join(sink.written))]
    begins = [number for number, one in enumerate(parts) if one[:1] == b"{"]
    assert len(begins) == 2
    found = []
    for part in (parts[1 : begins[1]], parts[begins[1] + 1 :]):
        with av.open(io.BytesIO(b"".join(part))) as file:
            found.append([(frame.width, frame.time) for frame in file.decode(video=0)])
    assert [{width for width, _ in one} for one in found] == [{160}, {320}]
    assert [time for one in found for _, time in one] == pytest.approx([n / 25 for n in range(75)])


@pytest.mark.parametrize(
    ("clock", "rate"), [(8000, 16_000_000), (1, 44_100), (48_000, 1), (2_000_000_000, 8000)]
)
def test_aac_of_rates_that_no_camera_has_is_refused(clock: int, rate: int) -> None:
    config = ((2 << 32 | 15 << 28 | rate << 4 | 1) << 3).to_bytes(5, "big").hex()
    with pytest.raises(FormatError, match=f"{rate} samples a second on a clock of {clock}"):
        format_of(Media("audio", 97, "MPEG4-GENERIC", clock, fmtp=HBR | {"config": config}))


def test_an_accident_with_the_sound_costs_the_sound_alone(
    pictures: list[bytes], tone: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    camera = Camera(pictures).plays(AAC)
    quiet, loud = camera.join(LiveViewer), camera.join()
    camera.send(0, 30, spoken(tone))
    monkeypatch.setattr(Sound, "mux", lambda *_: 1 // 0)
    camera.send(30, 75, spoken(tone))
    assert camera.stream.frames == 75
    assert len([one for one in messages(quiet)[2] if b"mdat" in one]) == 75
    assert b"".join(loud.written).count(b"ftyp") == 2
