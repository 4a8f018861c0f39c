"""Admission by live tokens, beyond what the signature itself says."""

import time

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from services.media import gate as gate_module
from services.media.gate import Gate
from services.runtime.errors import Problem
from services.runtime.live_token import LiveToken, sign_live

KEY = Ed25519PrivateKey.generate()
PRIVATE = KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
PUBLIC = KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def token(nonce: str, seconds: float = 30) -> str:
    return sign_live(PRIVATE, LiveToken("u", "c", "n", time.time() + seconds, nonce))


@pytest.fixture
def gate() -> Gate:
    made = Gate("n")
    made.public_key = PUBLIC
    return made


def test_without_the_key_of_main_nobody_is_admitted() -> None:
    with pytest.raises(Problem, match="refused") as caught:
        Gate("n").admit(token("a"), "c")
    assert caught.value.status == 503


def test_refused_token_is_not_used_up(gate: Gate) -> None:
    text = token("a")
    with pytest.raises(Problem):
        gate.admit(text, "other")
    assert gate.admit(text, "c").user == "u"
    with pytest.raises(Problem):
        gate.admit(text, "c")


def test_memory_of_used_tokens_is_bounded_and_forgets_only_expired_ones(
    gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gate_module, "MAX_REMEMBERED", 3)
    for nonce, seconds in (("a", 0.05), ("b", 30), ("c", 30)):
        gate.admit(token(nonce, seconds), "c")
    time.sleep(0.1)
    gate.admit(token("d"), "c")
    for nonce in ("e", "b"):
        with pytest.raises(Problem):
            gate.admit(token(nonce), "c")


def test_a_token_for_a_live_picture_opens_no_recording_and_the_other_way_round() -> None:
    recordings, live = Gate("n", "recording/"), Gate("n")
    recordings.public_key = live.public_key = PUBLIC
    play = sign_live(PRIVATE, LiveToken("u", "recording/c", "n", time.time() + 30, "p"))
    with pytest.raises(Problem):
        recordings.admit(token("a"), "c")
    with pytest.raises(Problem):
        live.admit(play, "c")
    assert recordings.admit(play, "c").user == "u"
