"""Encrypted results of exports: written anywhere like plain files, not readable, not altered unseen."""

import hashlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services import recording_keys
from services.ss.boxes import TornError
from services.ss.exports import download, results
from services.ss.exports.results import BLOCK
from services.ss.sealing import DamagedError, KeyMissingError
from tests.unit.ss_bench import Ring


@pytest.fixture
def ring(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Ring]:
    with Ring(tmp_path, monkeypatch) as made:
        yield made


def begun(folder: Path, id: str = "0123456789abcdef") -> Path:
    """An empty encrypted result."""
    path = folder / "_exports" / id / "result"
    path.parent.mkdir(parents=True)
    results.begun(os.open(path, os.O_RDWR | os.O_CREAT), path, anew=True).close()
    return path


def filled(folder: Path, size: int, id: str = "0123456789abcdef") -> tuple[Path, bytes]:
    path, data = begun(folder, id), b"plain text " * (size // 11 + 1)
    with results.opened(path) as file:
        file.write(data[:size])
    return path, data[:size]


step = st.one_of(
    st.tuples(st.just("write"), st.integers(0, 3 * BLOCK), st.integers(1, 2 * BLOCK + 5)),
    st.tuples(st.just("truncate"), st.integers(0, 3 * BLOCK), st.just(0)),
    st.tuples(st.just("read"), st.integers(0, 3 * BLOCK), st.integers(0, 2 * BLOCK)),
    st.tuples(st.just("reopen"), st.just(0), st.just(0)),
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(step, max_size=12))
def test_it_is_written_and_read_like_a_plain_file(ring: Ring, steps: list[tuple[str, int, int]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path, plain = begun(Path(folder)), Path(folder) / "plain"
        plain.touch()
        file, model = results.opened(path), plain.open("rb+")
        for what, place, size in steps:
            if what == "reopen":
                file.close()
                file = results.opened(path)
                continue
            for one in (file, model):
                one.truncate(place) if what == "truncate" else one.seek(place)
            if what == "write":
                data = hashlib.shake_128(bytes([size % 251, place % 251])).digest(size)
                assert file.write(data) == model.write(data)
            elif what == "read":
                assert file.read(size) == model.read(size)
            model.flush()
        file.close()
        model.close()
        with results.opened(path) as again:
            assert again.read() == plain.read_bytes()
        assert results.size(path) == plain.stat().st_size


def test_nothing_of_it_can_be_read_and_no_block_is_the_same_twice(ring: Ring, tmp_path: Path) -> None:
    path, data = filled(tmp_path, 3 * BLOCK)
    before = path.read_bytes()
    assert b"plain" not in before
    with results.opened(path) as file:
        file.write(data)
    after = path.read_bytes()
    assert not {before[n : n + 16] for n in range(56, len(before), 16)} & {
        after[n : n + 16] for n in range(56, len(after), 16)
    }


def test_an_altered_byte_and_a_foreign_block_are_noticed_and_a_torn_edge_is_found(
    ring: Ring, tmp_path: Path
) -> None:
    path, data = filled(tmp_path, 3 * BLOCK + 10)
    other, _ = filled(tmp_path, 3 * BLOCK + 10, "f" * 16)
    stored = path.read_bytes()
    for place in (56, 60, 56 + BLOCK, len(stored) - 1):
        altered = bytearray(stored)
        altered[place] ^= 1
        path.write_bytes(altered)
        with pytest.raises(DamagedError), results.opened(path) as file:
            file.read()
        assert not results.whole(path, [0, BLOCK, len(data) - 1])
    path.write_bytes(other.read_bytes())
    with pytest.raises(DamagedError), results.opened(path) as file:
        file.read()
    path.write_bytes(stored[:-20])
    assert results.size(path) != len(data)
    path.write_bytes(stored)
    assert results.whole(path, [0, BLOCK, len(data) - 1])


def test_without_its_key_it_is_refused_by_name(ring: Ring, tmp_path: Path) -> None:
    path, data = filled(tmp_path, 100)
    (key,) = recording_keys.read(ring.path.read_text())
    ring.hold(recording_keys.new())
    with pytest.raises(KeyMissingError, match=key.id.hex()):
        download.of(path, {}, set())
    assert results.size(path) == len(data)
    assert not results.whole(path, [0])
    path.write_bytes(path.read_bytes()[:20])
    with pytest.raises(TornError):
        download.of(path, {}, set())


@pytest.mark.parametrize(
    ("asked", "status", "span"),
    [
        ({}, 200, (0, None)), ({"Range": "bytes=0-0"}, 206, (0, 1)),
        ({"Range": "bytes=70000-"}, 206, (70000, None)),
        ({"Range": "bytes=65535-65536"}, 206, (65535, 65537)), ({"Range": "bytes=-5"}, 206, (-5, None)),
        ({"Range": "bytes=10-999999999"}, 206, (10, None)), ({"Range": "bytes=900000-"}, 416, (0, 0)),
        ({"Range": "bytes=5-1"}, 416, (0, 0)), ({"Range": "lines=1-2"}, 416, (0, 0)),
        ({"Range": "bytes=0-9", "If-Range": '"another"'}, 200, (0, None)),
    ],
)  # fmt: skip
async def test_ranges_are_answered_as_for_a_plain_result(
    ring: Ring, tmp_path: Path, asked: dict[str, str], status: int, span: tuple[int, int | None]
) -> None:
    path, data = filled(tmp_path, 2 * BLOCK + 100)
    plain = tmp_path / "plain"
    plain.write_bytes(data)
    going: set[web.StreamResponse] = set()

    async def give(request: web.Request) -> web.StreamResponse:
        return download.of(plain if "plain" in request.query else path, {}, going)

    app = web.Application()
    app.add_routes([web.get("/", give)])
    async with TestClient(TestServer(app)) as client:
        answer = await client.get("/", headers=asked)
        assert (answer.status, await answer.read()) == (status, data[slice(*span)])
        assert answer.headers["ETag"].strip('"')
        if "If-Range" not in asked:
            same = await client.get("/?plain", headers=asked)
            names = ["Content-Range", *(["Content-Length", "Accept-Ranges"] if status != 416 else [])]
            assert [answer.headers.get(n) for n in names] == [same.headers.get(n) for n in names]
        again = await client.get("/", headers={"Range": "bytes=0-9", "If-Range": answer.headers["ETag"]})
        assert (again.status, await again.read()) == (206, data[:10])
    assert going == set()
