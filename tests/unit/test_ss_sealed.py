"""Encrypted recordings: the same footage for who has the key, nothing for others, no byte altered unseen."""

import errno
import os
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from services import recording_keys
from services.runtime.errors import Problem
from services.ss import clip, reader, sealing, segment, storage
from services.ss.boxes import TornError
from services.ss.entry import SECOND, Entry
from services.ss.sealing import HEADER, DamagedError, KeyMissingError
from services.ss.storage import OVERHEAD
from tests.unit.ss_bench import NOON, Bench, Ring, scanned

PLAIN_SIGNS = (b"ftyp", b"moov", b"moof", b"mdat", b"prft", b"avc1", b"video/mp4", b"x" * 8)


@pytest.fixture
def ring(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Ring]:
    with Ring(tmp_path, monkeypatch) as made:
        yield made


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ring: Ring) -> Bench:
    return Bench(tmp_path, monkeypatch)


def footage(bench: Bench) -> bytes:
    """All of it as a viewer gets it; raises OSError or TornError."""
    library = bench.store.library
    places = reader.places(library, "cam", NOON, NOON + 10**12)
    return b"".join(bytes(reader.whole(place)[0]) for place in places)


async def shot(bench: Bench, count: int = 3) -> bytes:
    """Footage of so many GOPs in finished files, which DSS_SS has just found at its start; as it was sent."""
    sent = [bench.camera.gop(25) for _ in range(count)]
    await bench.feed(*sent)
    await bench.close()
    bench.open()
    return b"".join(bytes(one.body) for one in sent)


async def test_who_takes_the_disk_away_reads_nothing_and_who_has_the_key_all(bench: Bench) -> None:
    sent = await shot(bench, 6)
    raw = b"".join(path.read_bytes() for path in bench.files())
    assert [sign for sign in PLAIN_SIGNS if sign in raw] == []
    assert footage(bench) == sent
    found = clip.plan(bench.store.library, "cam", NOON, NOON + 6 * SECOND)
    assert len(b"".join(clip.parts(found))) == found.size
    await bench.close()


async def test_any_bytes_are_found_by_their_offset(bench: Bench) -> None:
    await shot(bench)
    (entry,) = bench.store.library.within("cam", NOON, NOON + 10**12)
    with storage.opened(entry) as file, storage.found(entry.path) as unknown:
        assert (file.size, file.parts) == (unknown.size, unknown.parts) == (entry.size, entry.parts)
        whole = file.read(10**9, 0)
        for begin, length in ((0, 1), (5, 700), (entry.gops[1].offset - 1, 2), (len(whole) - 3, 9)):
            assert file.read(length, begin) == unknown.read(length, begin) == whole[begin : begin + length]
    await bench.close()


async def test_one_altered_byte_anywhere_is_noticed_and_its_file_named(
    bench: Bench, ring: Ring, caplog: pytest.LogCaptureFixture
) -> None:
    sent = await shot(bench)
    (path,) = bench.files()
    data = path.read_bytes()
    for place in (0, 9, 20, HEADER - 1, HEADER, HEADER + 7, HEADER + 40, len(data) // 2, len(data) - 1):
        altered = bytearray(data)
        altered[place] ^= 1
        path.write_bytes(altered)
        with pytest.raises((TornError, KeyMissingError)):
            assert all([footage(bench), reader.head(bench.store.library.newest("cam"))])
    assert str(path) in sealing.damaged()
    assert any(str(path) in text for text in caplog.messages)
    path.write_bytes(data)
    assert footage(bench) == sent
    await bench.close()


async def test_parts_and_files_that_change_places_are_noticed(bench: Bench) -> None:
    await shot(bench, 9)
    bench.camera.wait(9)
    await shot(bench, 2)
    first, second, *_ = bench.store.library.within("cam", NOON, NOON + 10**12)
    one, other = (bytearray(entry.path.read_bytes()) for entry in (first, second))
    first.path.write_bytes(other)
    with pytest.raises(TornError):
        footage(bench)
    bounds = [HEADER + gop.offset + n * OVERHEAD for n, gop in enumerate(first.gops, 1)]
    parts = [bytes(one[a:b]) for a, b in zip(bounds, [*bounds[1:], len(one)], strict=True)]
    assert len({len(part) for part in parts[:2]}) == 1
    first.path.write_bytes(one[: bounds[0]] + parts[1] + parts[0] + b"".join(parts[2:]))
    with pytest.raises(DamagedError):
        footage(bench)
    first.path.write_bytes(one[: bounds[-1]])
    with pytest.raises(TornError, match="shorter"):
        footage(bench)
    await bench.close()


async def test_a_lost_key_is_named_and_costs_only_what_it_encrypted(bench: Bench, ring: Ring) -> None:
    lost, kept = recording_keys.read(ring.path.read_text())[0], recording_keys.new()
    await shot(bench)
    ring.hold(kept)
    await shot(bench)
    (before, *_, after) = bench.store.library.within("cam", NOON, NOON + 10**12)
    with pytest.raises(KeyMissingError, match=lost.id.hex()):
        reader.whole(reader.Place(before, 0))
    assert reader.whole(reader.Place(after, 0))
    assert lost.id.hex() in reader.unreadable([reader.Place(before, 0)])
    assert reader.unreadable([reader.Place(after, 0)]) == ""
    bench.store._tell_missing(bench.store.index.by_key())
    assert lost.id.hex() in bench.store._health.alarms["recording keys"]
    # Without its index, too: the file stays, takes room, and is found again when the key is back.
    await bench.close()
    for path in bench.state.iterdir():
        path.unlink()
    bench.open()
    assert bench.store.library.within("cam", NOON, NOON + 10**12) == [after]
    assert {one.path for one in bench.store.index.oldest(str(bench.root), 9)} == set(bench.files())
    bench.store.lock("cam", before.end - 1, before.end, "theft", "admin")
    assert [one.path for one in bench.store.index.oldest(str(bench.root), 9)] == [after.path]
    assert bench.store.index.amount("cam", NOON, before.end) == 0
    await bench.close()
    ring.hold(kept, lost)
    bench.open()
    assert bench.store.library.within("cam", NOON, NOON + 10**12) == [before, after]
    await bench.close()


async def test_switched_on_and_off_all_stays_readable_and_the_state_says_what_is_what(
    bench: Bench, ring: Ring
) -> None:
    (key,) = recording_keys.read(ring.path.read_text())
    sent = b""
    for on in (False, True, False):
        ring.hold(key, on=on)
        sent += await shot(bench)
    assert footage(bench) == sent
    assert [path.suffix for path in bench.files()] == [".mp4", ".sealed", ".mp4"]
    told = bench.store.encryption()
    assert told == {"on": False, "key": "", "keys": [key.id.hex()], "files": {"": 2, key.id.hex(): 1},
                    "damaged": []}  # fmt: skip
    await bench.close()


@pytest.mark.parametrize("left", [b"", b"\0" * 4096, b"\0\0\1\0" + b"n" * 100, b"\0\0\1\0" + b"n" * 300])
async def test_what_a_power_cut_tore_is_cut_off_and_what_was_altered_is_kept(
    bench: Bench, left: bytes
) -> None:
    await shot(bench)
    (path,) = bench.files()
    whole, size = path.stat().st_size, scanned(path).size
    with path.open("ab") as file:
        file.write(left)
    found = restored(path)
    altered = left.endswith(b"n" * 300)
    assert (found.size, path.stat().st_size) == (size, whole + len(left) if altered else whole)
    data = bytearray(path.read_bytes())
    data[HEADER + 200] ^= 1
    path.write_bytes(data)
    assert restored(path).gops == ()
    assert path.read_bytes() == data
    await bench.close()


def restored(path: Path) -> Entry:
    from services.ss import recovery

    found = recovery.restored(path, str(path.parents[2]), "cam", 1, NOON, "g")
    assert found
    return found


async def test_a_new_file_that_lost_its_bytes_in_a_power_cut_goes(bench: Bench) -> None:
    await shot(bench)
    (path,) = bench.files()
    for data in (b"", path.read_bytes()[:30], b"\0" * 8192, path.read_bytes()[: HEADER + 60] + bytes(600)):
        path.write_bytes(data)
        for kept in bench.state.iterdir():
            kept.unlink()
        bench.open()
        assert bench.files() == []
        assert bench.store.index.channels() == []


async def test_a_disk_that_refuses_in_the_middle_leaves_whole_parts(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = [bench.camera.gop(25) for _ in range(3)]
    await bench.feed(sent[0])
    write, calls = os.writev, iter([100, -1, -1])

    def short(file: int, parts: list[bytes]) -> int:
        count = next(calls, None)
        if count == -1:
            raise OSError(errno.EIO, "Input/output error")
        return write(file, parts) if count is None else os.write(file, b"".join(parts)[:count])

    monkeypatch.setattr(segment.os, "writev", short)
    await bench.feed(sent[1], sent[2])
    await bench.close()
    bench.open()
    assert footage(bench).startswith(bytes(sent[0].body) + bytes(sent[1].body))
    await bench.close()


async def test_the_same_footage_gives_other_bytes_and_keys_in_each_file(bench: Bench, tmp_path: Path) -> None:
    one = bench.camera.gop(25)
    first = Entry("cam", 1, NOON, NOON, 0, str(bench.root), "g", 90_000, ())
    made = [segment.Segment(replace(first, seq=seq), b"head") for seq in (1, 2)]
    for file in made:
        file.append(one)
        file.close()
    raw = [file.path.read_bytes() for file in made]
    pieces = [{data[n : n + 16] for n in range(HEADER + OVERHEAD, len(data) - 16)} for data in raw]
    assert not pieces[0] & pieces[1]
    assert raw[0][16:HEADER] != raw[1][16:HEADER]


def test_encryption_without_usable_keys_refuses_to_start_and_says_what_to_do(ring: Ring) -> None:
    ring.path.write_text("not hex")
    sealing._ring.cache_clear()
    with pytest.raises(Problem, match="keys for recordings") as caught:
        sealing.use(True)
    assert "backup" in caught.value.remedy
    ring.path.unlink()
    with pytest.raises(Problem):
        sealing.use(True)
    sealing.use(False)


def test_a_backup_adds_its_keys_to_those_of_a_host_that_has_recorded_since(tmp_path: Path) -> None:
    own, older = recording_keys.new(), recording_keys.new()
    path = tmp_path / recording_keys.NAME
    given = recording_keys.written([older]).encode()
    assert recording_keys.united(path, given) == given
    path.write_text(recording_keys.written([own]))
    assert recording_keys.read(recording_keys.united(path, given).decode()) == (own, older)
    assert re.fullmatch(r"[0-9a-f]{16}", own.id.hex())
    assert own.secret.hex() not in repr(own)
