"""The rules of both password profiles, and the hashes."""

import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.runtime.errors import Problem
from services.smc import password_rules, passwords, strength

if TYPE_CHECKING:
    from tests.conftest import NodeFiles


@pytest.fixture
def classic(node_files: "NodeFiles") -> None:
    """A node whose inventory says nothing about passwords."""
    node_files.service("smc", {"http": 1})


@pytest.mark.parametrize(
    "good", ["Admin.2468", "xk7#mQ2!", "aAaAaAaA", "9z8y9z8y", "häuser#9", "A" + "bD" * 15 + "!"]
)
def test_good_passwords_pass(good: str, classic: None) -> None:
    passwords.check(good, "admin")


@pytest.mark.parametrize(
    ("bad", "rule"),
    [
        ("aB3$eF7", "length"),
        ("aB3$" * 8 + "x", "length"),
        ("aB3 eF7$", "blank"),
        ("aB3\teF7$", "blank"),
        ("aB3\u00a0eF7$", "blank"),
        ("aB3\x00eF7$", "blank"),
        *((f"aB3$eF7{mark}", "barred") for mark in "'\";:&"),
        ("qwrtzpsd", "classes"),
        ("85296307", "classes"),
        ("Operator-7", "account-name"),
        ("7-ROTAREPO", "account-name"),
        ("Zx9-abc-Q", "run"),
        ("Zx9-CbA-Q", "run"),
        ("Zx-Q-789w", "run"),
        ("Zx-Q-321w", "run"),
        ("Zx9-qqq-W", "repeat"),
        ("Zx-Q-777w", "repeat"),
    ],
)
def test_each_rule_refuses_by_its_name(bad: str, rule: str, classic: None) -> None:
    with pytest.raises(Problem) as caught:
        passwords.check(bad, "operator-7")
    assert (caught.value.code, caught.value.status) == (f"password-{rule}", 422)
    assert caught.value.why
    assert caught.value.remedy


def test_neighbours_that_are_not_of_one_alphabet_are_no_run() -> None:
    assert not password_rules.has_run("9:;")
    assert not password_rules.has_run("yz{")
    assert password_rules.has_run("xyz")


@given(st.text(max_size=40), st.text(max_size=40))
def test_any_text_gets_an_answer_and_never_an_accident(password: str, name: str) -> None:
    assert len(password_rules.classic(password, name)) == 7


def known(password: str, *names: str) -> bool | None:
    length, known = password_rules.modern(password, "operator", list(names))
    assert (length.rule, known.rule) == ("length", "known")
    return known.kept


@pytest.mark.parametrize(
    "good",
    [
        "correct horse battery staple", "häuser am großen see", "qx7wbn2kvdm4htz", "no digits, no capitals",
        "жизнь и судьба!",
    ],
)  # fmt: skip
def test_modern_asks_for_no_kinds_of_characters(good: str) -> None:
    assert known(good) is True


@pytest.mark.parametrize(
    "bad",
    [
        "passwordpassword", "P4ssw0rdP4ssw0rd!", "drowssapdrowssap", "PASSWORDpassword1", "iloveyouiloveyou",
        "qwertyuiopasdfghjkl", "abcdefghijklmnopqrst", "12345678901234567890", "aaaaaaaaaaaaaaa",
        "operatoroperator", "rotareporotarepo", "cityhallcityhall",
    ],
)  # fmt: skip
def test_modern_refuses_known_passwords_and_their_trivial_variants(bad: str) -> None:
    assert known(bad, "City Hall") is False


@pytest.mark.parametrize(("length", "kept"), [(14, False), (15, True), (128, True), (129, False)])
def test_modern_needs_fifteen_characters_and_cuts_nothing_off(length: int, kept: bool) -> None:
    text = "gq7 mwu zrk ptb " * 9
    assert password_rules.modern(text[:length], "admin", [])[0].kept is kept


def test_a_password_that_is_too_short_is_not_looked_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(strength, "is_guessable", lambda *_: pytest.fail("it was looked up"))
    assert known("short") is None


def test_a_strong_end_behind_a_weak_beginning_counts() -> None:
    assert strength.score("a" * 60 + "gq7 mwu zrk ptb xvl", []) >= strength.ENOUGH


def test_the_search_leaves_no_list_in_the_process_that_asks() -> None:
    code = (
        "import psutil, sys\n"
        "from services.smc import strength\n"
        "me = psutil.Process()\n"
        "strength.is_guessable('warm up, please', [])\n"
        "before = me.memory_full_info().uss\n"
        "for n in range(5): strength.is_guessable(f'correct horse {n} staple', ['admin'])\n"
        "print((me.memory_full_info().uss - before) // 1024, 'zxcvbn' in sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    grown, loaded = done.stdout.split()
    assert int(grown) < 256
    assert loaded == "False"


def test_the_search_takes_no_module_from_the_folder_where_it_is_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "json.py").write_text("raise SystemExit('somebody else was here')")
    monkeypatch.chdir(tmp_path)
    assert strength.is_guessable("passwordpassword", []) is True


def test_a_search_that_fails_is_told_without_the_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(strength, "SECONDS", 0.0)
    with pytest.raises(Problem) as caught:
        strength.is_guessable("correct horse battery staple", [])
    assert (caught.value.code, caught.value.status) == ("password-unchecked", 503)
    assert caught.value.__cause__ is None
    assert "horse" not in str(caught.value)


def test_the_password_stands_in_no_argument_and_no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[object] = []
    real = subprocess.run

    def watched(words: list[str], **more: object) -> object:
        seen.append((words, more.get("env")))
        return real(words, **more)  # type: ignore[call-overload]

    monkeypatch.setattr(strength.subprocess, "run", watched)
    strength.is_guessable("correct horse battery staple", [])
    assert seen
    assert "horse" not in str(seen)


@settings(max_examples=40, deadline=None)
@given(st.text(alphabet="4@8({[<369&#!1/|0$57%2+lL", min_size=15, max_size=128))
def test_no_text_keeps_a_core_busy_for_long(password: str) -> None:
    began = time.process_time()
    strength.score(password, ["admin"])
    assert time.process_time() - began < 3


def test_a_hash_knows_its_password_only_and_has_the_agreed_cost() -> None:
    hash = passwords.hashed("Admin.2468")
    assert hash.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert passwords.matches(hash, "Admin.2468")
    assert not passwords.matches(hash, "Admin.2469")
    assert not passwords.matches("damaged", "Admin.2468")
    assert not passwords.is_old(hash)


def test_an_unknown_account_costs_the_same_time() -> None:
    hash = passwords.hashed("Admin.2468")
    passwords.matches(None, "warm up")

    def best(known: str | None) -> float:
        times = []
        for _ in range(5):
            began = time.perf_counter()
            assert not passwords.matches(known, "wrong")
            times.append(time.perf_counter() - began)
        return min(times)

    assert 0.5 < best(None) / best(hash) < 2
