"""Sound in recorded files: read back to the last sample, left out, moved, and without holes of our own."""

import contextlib
import json
import random
from itertools import pairwise
from pathlib import Path

import pytest

from services.media.batch import read
from services.mts import fmp4_sound
from services.mts.audio import format_of, kept_format
from services.mts.chunk import Chunk, Heard, Init
from services.mts.record import SoundRecorder
from services.mts.websocket import BINARY, bodies, header
from services.runtime.sdp import Media
from services.ss import boxes, clip
from services.ss.boxes import Head
from services.ss.by_clock import ByClock
from services.ss.clip import plan as planned
from services.ss.entry import SECOND
from services.ss.reader import Place, whole
from services.ss.sound import Row, audio, pictures, silent, without
from tests.unit.ss_bench import FRAME, INIT, NOON, RATE, Bench, scanned

SOUND = 16_000
LASTS = 1024
AAC = Media("audio", 97, "MPEG4-GENERIC", SOUND, fmtp={"config": "1408", "mode": "AAC-hbr"})
OPUS = Media("audio", 98, "OPUS", 48_000, 2, fmtp={"sprop-stereo": "1"})
ALAW = Media("audio", 8, "PCMA", 8_000)
LOUD = fmp4_sound.added(INIT, kept_format(AAC).entry, SOUND)
MIME = 'video/mp4; codecs="avc1.42c01e,mp4a.40.2"'


def spoken(tick: int, count: int, size: int = 20) -> bytes:
    """A fragment of so many samples."""
    return fmp4_sound.fragment(1, tick, [(LASTS, bytes([1 + n % 200]) * size) for n in range(count)])


class Bytes:
    """What is in memory, as a file."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    @property
    def size(self) -> int:
        return len(self._data)

    def read(self, size: int, offset: int) -> bytes:
        return self._data[offset : offset + size]


class Spoken(Bench):
    """A recorder that is fed GOPs with sound."""

    told = 0

    async def speak(self, count: int) -> None:
        """So many GOPs of a second with all that is heard in them, behind the first picture."""
        self.recorder._head = (LOUD, MIME, RATE)
        for _ in range(count):
            one = self.camera.gop(25)
            self.told = max(self.told, one.first * SOUND // RATE)
            many = (one.end * SOUND // RATE - self.told) // LASTS
            first = next(boxes.parse(bytes(one.body))).end
            body = bytes(one.body)[:first] + spoken(self.told, many) + bytes(one.body)[first:]
            self.told += many * LASTS
            await self.feed(type(one)(**{**one.__dict__, "body": body}))


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Spoken:
    return Spoken(tmp_path, monkeypatch)


@pytest.mark.parametrize(
    ("media", "codec", "channels"),
    [(AAC, "MPEG4-GENERIC", 1), (OPUS, "OPUS", 2), (ALAW, "PCMA", 1)],
)
def test_an_init_segment_tells_its_sound_and_is_the_silent_one_without_it(
    media: Media, codec: str, channels: int
) -> None:
    form = kept_format(media)
    loud = fmp4_sound.added(INIT, form.entry, form.rate)
    found = audio(loud)
    assert found is not None
    assert (found.codec, found.rate, found.channels) == (codec, media.clock_rate, channels)
    assert found.config == (bytes.fromhex("1408") if media is AAC else b"")
    assert without(loud) == without(INIT) == INIT
    assert audio(INIT) is None
    assert silent(Head(loud, MIME, RATE, 0)).mime == 'video/mp4; codecs="avc1.42c01e"'


def test_g711_is_kept_as_it_is_and_made_flac_for_live_browsers_alone() -> None:
    form = kept_format(ALAW)
    assert form.samples(b"\x55" * 320, 0) == [b"\x55" * 320]
    assert (form.duration, form.silence) == (320, b"\xd5" * 320)
    assert format_of(ALAW).codec == "flac"
    with pytest.raises(ValueError, match="L16 is not recorded"):
        kept_format(Media("audio", 97, "L16", 16_000))


async def test_files_with_sound_count_their_pictures_and_are_read_back_whole(bench: Spoken) -> None:
    await bench.speak(3)
    await bench.recorder.finish()
    (path,) = bench.files()
    found = scanned(path)
    (entry,) = bench.store.library.within("cam", 0, NOON * 2)
    assert [gop.frames for gop in found.gops] == [25, 25, 25]
    assert (found.gops, found.size) == (entry.gops, path.stat().st_size)
    assert found.end_tick == 3 * RATE


@pytest.mark.parametrize("cut", [1, 30, 95, 200, 350, 380, 431])
async def test_sound_that_a_power_cut_tore_is_cut_off(bench: Spoken, cut: int) -> None:
    await bench.speak(2)
    await bench.recorder.finish()
    (path,) = bench.files()
    size = path.stat().st_size
    with path.open("ab") as file:
        file.write(spoken(bench.told, 12)[:-cut])
    assert scanned(path).size == size
    with path.open("ab") as file:
        file.truncate(size)
        file.write(fmp4_sound.fragment(1, bench.told, [(LASTS, b"\0" * 300)] * 4))
    assert scanned(path).size == size


async def test_no_byte_that_is_wrong_does_more_than_end_a_file_there(bench: Spoken) -> None:
    await bench.speak(2)
    await bench.recorder.finish()
    (path,) = bench.files()
    whole_file, chance = path.read_bytes(), random.Random(7)  # noqa: S311 - the same each time
    for _ in range(400):
        data = bytearray(whole_file)
        for _ in range(chance.randint(1, 3)):
            data[chance.randrange(len(data))] = chance.randrange(256)
        path.write_bytes(data[: chance.randint(1, len(data))])
        with contextlib.suppress(boxes.TornError):
            found = scanned(path)
            assert found.size <= len(data)
            with contextlib.suppress(boxes.TornError):
                audio(found.head.init)


@pytest.mark.parametrize("count", [1, 5, 12])
def test_samples_are_left_out_without_a_change_of_size(count: int) -> None:
    before = spoken(0, 12)
    data = bytearray(b"x" * 10 + before + b"y")
    (one,) = boxes.parse(before)
    moved = boxes.Frame(10, 10 + len(before), one.tick, one.duration, 0, 12)
    left = boxes.skip(data, moved, count)
    assert len(data) == len(before) + 11
    assert (data[:10], data[-1:]) == (b"x" * 10, b"y")
    assert data[14:18] == b"free"
    if count == 12:
        assert left is None
        return
    assert left is not None
    (again,) = boxes.heads(Bytes(bytes(data)), 10, len(data) - 1)
    assert (again.offset, again.end, again.samples) == (left.offset, left.end, 12 - count)
    bodies_of = boxes.sounds(memoryview(data), again)
    assert [(lasts, bytes(body)) for lasts, body in bodies_of] == [
        (LASTS, bytes([1 + n]) * 20) for n in range(count, 12)
    ]


@pytest.mark.parametrize("off", [-0.3, -0.07, 0.0, 0.07, 0.3])
def test_a_row_of_sound_has_no_hole_and_no_overlap_however_it_is_off(off: float) -> None:
    row, ends = Row(), []
    for number in range(20):
        data = bytearray(spoken(0, 16))
        (one,) = boxes.parse(data)
        wanted = number * 16 * LASTS + (round(off * SOUND) if number >= 10 else 0)
        if left := row.put(data, one, wanted, SOUND):
            ends.append((left.tick, left.tick + sum(ticks for ticks, _ in boxes.table(data, left))))
    assert all(after[0] == before[1] for before, after in pairwise(ends))
    assert abs(ends[-1][1] - 20 * 16 * LASTS - off * SOUND) <= 0.09 * SOUND


def test_a_row_begins_anew_behind_a_gap_and_never_before_zero() -> None:
    row, data = Row(), bytearray(spoken(0, 16))
    first = row.put(data, next(boxes.parse(data)), -2000, SOUND)
    assert first is not None
    assert (first.tick, first.samples) == (0, 14)
    data = bytearray(spoken(0, 16))
    after = row.put(data, next(boxes.parse(data)), 50 * SOUND, SOUND)
    assert after is not None
    assert after.tick == 50 * SOUND


async def test_a_browser_gets_the_sound_only_if_it_asks(bench: Spoken) -> None:
    await bench.speak(3)
    await bench.recorder.finish()
    (entry,) = bench.store.library.within("cam", 0, NOON * 2)
    quiet, loud = ByClock(NOON), ByClock(NOON, sound=True)
    keys = ByClock(NOON, keys=True, sound=True)
    assert (quiet.head(entry).init, loud.head(entry).init, keys.head(entry).init) == (INIT, LOUD, INIT)
    assert (quiet.heard(entry), loud.heard(entry)) == ("AAC", "AAC")
    for number in range(3):
        place = Place(entry, number)
        with_sound, frames, sounds = whole(place)
        assert (len(frames), len(sounds)) == (25, 1)
        assert len(quiet.read(place)) == len(pictures(with_sound, sounds))
        assert not any(one.samples for one in boxes.parse(quiet.read(place)))
        _, heard = boxes.split(loud.read(place))
        assert abs(heard[0].tick / SOUND - number) < 0.13
        assert len(list(boxes.parse(keys.read(place)))) == 1


async def test_a_clip_holds_sound_where_there_is_some_and_files_without_it_too(bench: Spoken) -> None:
    await bench.shoot(6)
    await bench.recorder.finish()
    await bench.speak(6)
    await bench.recorder.finish()
    found = planned(bench.store.library, "cam", NOON, NOON + 12 * SECOND)
    data = b"".join(clip.parts(found))
    assert (len(data), found.init) == (found.size, LOUD)
    frames, sounds = boxes.split(data[len(LOUD) :])
    assert len(frames) == 12 * 25
    assert abs(sounds[0].tick / SOUND - 6) < 0.08
    assert sum(one.duration for one in sounds) > 5.8 * SOUND


class Wire:
    """The recorder's connection; keeps what is written."""

    def __init__(self) -> None:
        self.data = b""

    def get_write_buffer_size(self) -> int:
        return 0

    def write(self, data: bytes) -> None:
        self.data += data

    def writelines(self, parts: list[bytes]) -> None:
        self.data += b"".join(parts)


def shot(number: int, silent: Init, loud: Init) -> Chunk:
    """A picture of 25 a second, a key each second; the sound of its time came 50 ms late."""
    chunk = Chunk(b"", number % 25 == 0, 0)
    tick = number * FRAME
    body = b"picture"
    chunk.live, chunk.init = header(BINARY, len(body)) + body, silent
    chunk.ticks, chunk.shown = (tick, tick + FRAME), tick
    first, after = (-(-(n * 640 - 800) // LASTS) for n in (number, number + 1))
    chunk.heard = Heard(
        loud, first * LASTS, SOUND, [(LASTS, n.to_bytes(4, "big")) for n in range(first, after)]
    )
    return chunk


def test_a_gop_has_its_own_sound_whenever_it_came_and_none_is_lost() -> None:
    wire, (quiet, loud) = Wire(), (Init("a", b"i", RATE), Init("b", b"j", RATE))
    recorder = SoundRecorder(wire, lambda _: None)  # type: ignore[arg-type]
    for number in range(101):
        recorder.feed(shot(number + 25, quiet, loud))
    said = [bytes(body) for body in bodies(wire.data)]
    assert json.loads(said[0])["mime"] == "b"
    heard: list[int] = []
    for number, one in enumerate(said[2:]):
        batch = read(bytearray(one))
        assert (batch.key, batch.frames) == (True, 25)
        data = bytes(batch.body)[len("picture") :]
        frame = next(boxes.parse(data[: boxes_end(data)]))
        samples = [int.from_bytes(body, "big") for _, body in boxes.sounds(memoryview(data), frame)]
        heard += samples
        assert -(-(number + 1) * SOUND // LASTS) <= samples[0] + 1
        assert samples[-1] * LASTS < (number + 2) * SOUND
    assert heard == list(range(heard[0], heard[-1] + 1))


def boxes_end(data: bytes) -> int:
    """Where the fragment of sound at the beginning ends."""
    moof = int.from_bytes(data[:4], "big")
    return moof + int.from_bytes(data[moof : moof + 4], "big")
