"""Accounts of RTSP players: proofs, challenges, and who is sent away."""

import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.media import digest, players
from services.media.digest import Challenges, Proof
from services.media.players import Players, Viewing

HASHES = digest.hashes("wall", "secret")
HEADER = (
    'Digest username="wall", realm="DSS", nonce="n", uri="rtsp://h/live/one/main", qop=auth, nc=00000001, '
    'cnonce="c", response="{}", algorithm={}'
)


def row(**changes: Any) -> dict[str, Any]:  # noqa: ANN401
    return {"name": "wall", "hashes": HASHES, "channels": None, "recordings": False, "ends": None} | changes


def entered(known: Players, channel: str = "one", recorded: bool = False) -> list[str]:
    """Why a connection was ended, once it was."""
    told: list[str] = []
    found = known.named("player/wall")
    assert found
    known.enter(Viewing(found, channel, recorded, told.append))
    return told


@pytest.mark.parametrize(
    ("algorithm", "answer"),
    # Worked out by the formula of RFC 7616 §3.4.1 with md5sum and sha256sum.
    [
        ("MD5", "a342a4fb312dfd9d34bd411a2368ca93"),
        ("SHA-256", "c233eaf83876229873d28c097ebb37cc0e3f9b836ee6d782dfcddff4ecb03163"),
    ],
)
def test_a_proof_is_right_with_the_secret_alone(algorithm: str, answer: str) -> None:
    proof = digest.read(HEADER.format(answer, algorithm))
    assert proof
    assert proof.right(HASHES, "DESCRIBE")
    assert not proof.right(HASHES, "SETUP")
    assert not proof.right(digest.hashes("wall", "other"), "DESCRIBE")


@pytest.mark.parametrize(
    "header",
    ["", "Basic d2FsbDpzZWNyZXQ=", 'Digest username="wall"', HEADER.format("0" * 32, "MD4"),
     HEADER.format("0" * 32, "MD5").replace("DSS", "else"), HEADER.format("0" * 32, "MD5") + " " * 5000],
)  # fmt: skip
def test_what_is_no_proof_is_none(header: str) -> None:
    assert digest.read(header) is None


def test_the_length_of_an_answer_tells_its_algorithm() -> None:
    for length, algorithm in ((32, "MD5"), (64, "SHA-256")):
        proof = digest.read(HEADER.format("0" * length, "x").rpartition(",")[0])
        assert proof
        assert proof.algorithm == algorithm


@given(st.text(max_size=300))
def test_no_header_makes_an_accident(text: str) -> None:
    for header in (text, f"Digest {text}", HEADER.format(text, "MD5")):
        found = digest.read(header)
        assert found is None or not found.right(HASHES, text)


def test_a_number_is_good_once_and_for_its_address_alone() -> None:
    given_out = Challenges()
    nonce = given_out.new("a")[0].split('nonce="')[1][:32]
    assert not given_out.use(nonce, "b")
    assert not given_out.use(nonce, "a")
    nonce = given_out.new("a")[0].split('nonce="')[1][:32]
    assert given_out.use(nonce, "a")
    assert not given_out.use(nonce, "a")


def test_who_asks_for_many_numbers_pushes_out_his_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(digest, "MOST_OF_ADDRESS", 3)
    monkeypatch.setattr(digest, "MOST_NONCES", 5)
    given_out = Challenges()
    nonce = given_out.new("b")[0].split('nonce="')[1][:32]
    for _ in range(20):
        given_out.new("a")
    assert given_out.use(nonce, "b")


def test_who_may_no_longer_see_what_he_sees_is_sent_away(monkeypatch: pytest.MonkeyPatch) -> None:
    known = Players()
    for changes in (
        list[dict[str, Any]](),
        [row(hashes=digest.hashes("wall", "other"))],
        [row(channels=["two"])],
    ):
        known.take([row()])
        told = entered(known)
        known.take([row()])
        assert told == []
        known.take(changes)
        assert len(told) == 1
    known.take([row(ends=time.time() + 100)])
    told = entered(known)
    now = time.time() + 101
    monkeypatch.setattr(time, "time", lambda: now)
    known.sweep()
    assert told == ["is over"]


def test_an_account_has_its_bound_of_connections(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(players, "MOST", 1)
    known = Players()
    known.take([row()])
    wall = known.named("player/wall")
    assert wall
    assert not known.full(wall)
    entered(known)
    assert known.full(wall)


def test_recordings_are_for_accounts_that_may_see_them() -> None:
    known = Players()
    known.take([row(), row(name="both", recordings=True, channels=["one"])])
    wall, both = known.named("player/wall"), known.named("player/both")
    assert wall
    assert both
    assert [wall.may("one", True), wall.may("one", False)] == [False, True]
    assert [both.may("one", True), both.may("two", False)] == [True, False]


def test_nobody_is_proven_by_the_hashes_that_stand_for_no_account() -> None:
    known = Players()
    known.take([row()])
    proof = Proof("nobody", "n", "u", "", "MD5", "", "", "")
    assert known.proven(proof, "DESCRIBE") is None
