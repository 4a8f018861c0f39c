"""A sealed file is opened whole, by one key alone, or not at all."""

import base64
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from services import sealed
from services.runtime.errors import Problem

SIZES = [0, 1, sealed.PIECE - 1, sealed.PIECE, sealed.PIECE + 1, 3 * sealed.PIECE, 3 * sealed.PIECE + 7]


def seal(path: Path, key: X25519PrivateKey, text: bytes) -> sealed.Writer:
    with path.open("wb") as target:
        writer = sealed.Writer(target, sealed.public_text(key), {"node": "main-a"})
        for start in range(0, len(text), 300_000):
            writer.write(text[start : start + 300_000])
        writer.close()
    return writer


@pytest.fixture
def key() -> X25519PrivateKey:
    return X25519PrivateKey.generate()


@pytest.mark.parametrize("size", SIZES)
def test_what_was_sealed_comes_back(tmp_path: Path, key: X25519PrivateKey, size: int) -> None:
    text = bytes(range(256)) * (size // 256 + 1)
    writer = seal(tmp_path / "a", key, text[:size])
    assert sealed.check(tmp_path / "a", writer.cipher) == size
    assert sealed.unseal(tmp_path / "a", key, tmp_path / "b")["node"] == "main-a"
    assert (tmp_path / "b").read_bytes() == text[:size]
    assert (tmp_path / "b").stat().st_mode & 0o777 == 0o600


def test_nothing_of_the_text_can_be_read(tmp_path: Path, key: X25519PrivateKey) -> None:
    seal(tmp_path / "a", key, b"the password is Camera.2468 " * 1000)
    assert b"Camera" not in (tmp_path / "a").read_bytes()


@pytest.mark.parametrize("position", [0, 9, 40, 200, sealed.PIECE, -1])
def test_every_changed_byte_is_noticed(tmp_path: Path, key: X25519PrivateKey, position: int) -> None:
    seal(tmp_path / "a", key, b"x" * (2 * sealed.PIECE))
    data = bytearray((tmp_path / "a").read_bytes())
    data[position] ^= 1
    (tmp_path / "a").write_bytes(data)
    with pytest.raises(Problem):
        sealed.unseal(tmp_path / "a", key, tmp_path / "b")
    assert not (tmp_path / "b").exists()


@pytest.mark.parametrize("lost", [1, sealed.PIECE + sealed.TAG, 2 * (sealed.PIECE + sealed.TAG)])
def test_a_file_that_was_cut_off_is_noticed(tmp_path: Path, key: X25519PrivateKey, lost: int) -> None:
    writer = seal(tmp_path / "a", key, b"x" * (3 * sealed.PIECE))
    data = (tmp_path / "a").read_bytes()
    (tmp_path / "a").write_bytes(data[:-lost])
    with pytest.raises(Problem, match="cut off"):
        sealed.check(tmp_path / "a", writer.cipher)


def test_pieces_in_another_order_are_noticed(tmp_path: Path, key: X25519PrivateKey) -> None:
    seal(tmp_path / "a", key, b"1" * sealed.PIECE + b"2" * sealed.PIECE + b"3")
    data, size = (tmp_path / "a").read_bytes(), sealed.PIECE + sealed.TAG
    start = len(data) - 2 * size - 1 - sealed.TAG
    first, second = data[start : start + size], data[start + size : start + 2 * size]
    (tmp_path / "a").write_bytes(data[:start] + second + first + data[start + 2 * size :])
    with pytest.raises(Problem, match="damaged"):
        sealed.unseal(tmp_path / "a", key, tmp_path / "b")


def test_another_key_opens_nothing_and_is_named(tmp_path: Path, key: X25519PrivateKey) -> None:
    seal(tmp_path / "a", key, b"x")
    with pytest.raises(Problem, match="cannot be opened with this key"):
        sealed.unseal(tmp_path / "a", X25519PrivateKey.generate(), tmp_path / "b")


def test_another_kind_of_file_is_told(tmp_path: Path, key: X25519PrivateKey) -> None:
    (tmp_path / "a").write_bytes(b"PK\x03\x04" * 100)
    with pytest.raises(Problem, match="no backup"):
        sealed.unseal(tmp_path / "a", key, tmp_path / "b")


@pytest.mark.parametrize(
    "text", ["", "x25519:", "x25519:AAAA", base64.b64encode(b"x" * 32).decode(), "x25519:?"]
)
def test_what_is_no_key_is_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - the message is the library's
        sealed.recipient(text)
