"""The password policy of the profile `manual`, and the hashes."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.runtime.errors import Problem
from services.smc import passwords


@pytest.mark.parametrize(
    "good", ["Admin.2468", "xk7#mQ2!", "aAaAaAaA", "9z8y9z8y", "häuser#9", "A" + "bD" * 15 + "!"]
)
def test_good_passwords_pass(good: str) -> None:
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
def test_each_rule_refuses_by_its_name(bad: str, rule: str) -> None:
    with pytest.raises(Problem) as caught:
        passwords.check(bad, "operator-7")
    assert (caught.value.code, caught.value.status) == (f"password-{rule}", 422)
    assert caught.value.why
    assert caught.value.remedy


def test_neighbours_that_are_not_of_one_alphabet_are_no_run() -> None:
    assert not passwords.has_run("9:;")
    assert not passwords.has_run("yz{")
    assert passwords.has_run("xyz")


@given(st.text(max_size=40), st.text(max_size=40))
def test_any_text_gets_an_answer_and_never_an_accident(password: str, name: str) -> None:
    assert len(passwords.rules(password, name)) == 7


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
