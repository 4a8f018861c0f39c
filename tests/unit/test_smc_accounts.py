"""Initialisation, login, sessions and locks, on real MariaDB and Redis."""

import os
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from argon2 import PasswordHasher

from services.runtime import clock
from services.runtime.errors import Problem
from services.smc import accounts, audit, cache, lockout, models, sessions
from services.smc.accounts import Account, Answer

if TYPE_CHECKING:
    from tests.conftest import Platform

PASSWORD = "Admin.2468"
ANSWERS = [Answer(f"Question {n}?", f"Answer {n}") for n in range(3)]
HERE = "192.0.2.1"


def initialise(platform: "Platform", name: str = "Admin") -> Account:
    with platform.session() as session:
        return accounts.initialise(session, name, PASSWORD, ANSWERS, HERE)


def login(
    platform: "Platform", name: str = "admin", password: str = PASSWORD, source: str = HERE
) -> accounts.Login:
    with platform.session() as session:
        return accounts.login(session, name, password, source)


def refused(platform: "Platform", **wrong: str) -> Problem:
    with pytest.raises(Problem) as caught:
        login(platform, **wrong)
    return caught.value


def later(monkeypatch: pytest.MonkeyPatch, delta: timedelta) -> None:
    real = clock.now
    monkeypatch.setattr(lockout.clock, "now", lambda: real() + delta)


def test_nothing_opens_before_initialisation(platform: "Platform") -> None:
    assert refused(platform).code == "not_initialised"


def test_initialisation_cannot_be_done_twice(platform: "Platform") -> None:
    initialise(platform)
    with pytest.raises(Problem) as caught:
        initialise(platform, "second")
    assert (caught.value.code, caught.value.status) == ("already-initialised", 409)
    assert refused(platform, name="second").code == "wrong-credentials"


def test_of_many_initialisations_at_once_exactly_one_wins(platform: "Platform") -> None:
    outcomes: list[str] = []
    meet = threading.Barrier(5)

    def race(name: str) -> None:
        meet.wait(10)
        try:
            outcomes.append(initialise(platform, name).name)
        except Problem as problem:
            outcomes.append(problem.code)

    threads = [threading.Thread(target=race, args=(f"admin-{n}",)) for n in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert outcomes.count("already-initialised") == 4
    with platform.session() as session:
        assert session.query(models.Account).count() == 1
        assert session.query(models.ProtectionAnswer).count() == 3


def test_protection_answers_are_hashed_and_forgive_case_and_blanks(platform: "Platform") -> None:
    initialise(platform)
    with platform.session() as session:
        row = session.query(models.ProtectionAnswer).filter_by(number=1).one()
    assert "Answer" not in row.answer_hash
    assert accounts.passwords.matches(row.answer_hash, accounts.passwords.normalised("  ANSWER   0 "))


@pytest.mark.parametrize(
    "answers", [ANSWERS[:2], [*ANSWERS[:2], ANSWERS[0]], [*ANSWERS[:2], Answer("Third?", " ")]]
)
def test_protection_questions_must_be_three_different_ones_with_answers(
    platform: "Platform", answers: list[Answer]
) -> None:
    with platform.session() as session, pytest.raises(Problem) as caught:
        accounts.initialise(session, "admin", PASSWORD, answers, HERE)
    assert caught.value.code == "protection-questions"


def test_login_gives_a_session_that_ends_with_logout(platform: "Platform") -> None:
    initialise(platform)
    done = login(platform)
    with platform.session() as session:
        assert accounts.account_of(session, done.token) == Account(1, "Admin", "administrator", HERE)
        accounts.logout(session, done.token)
        with pytest.raises(Problem) as caught:
            accounts.account_of(session, done.token)
    assert caught.value.status == 401


def test_redis_never_sees_a_token(platform: "Platform") -> None:
    initialise(platform)
    token = login(platform).token
    with platform.redis.client() as client:
        everything = [str(key) + str(client.get(key)) for key in client.keys("session:*")]
    assert len(everything) == 1
    assert token not in everything[0]


def test_a_wrong_password_and_an_unknown_account_get_the_same_words(platform: "Platform") -> None:
    initialise(platform)
    wrong, unknown = refused(platform, password="Wrong.2468"), refused(platform, name="nobody")
    assert wrong.as_dict() == unknown.as_dict()
    assert wrong.status == 401


@pytest.mark.parametrize("name", ["admin", "nobody"])
def test_five_failures_lock_an_account_even_for_the_right_password(platform: "Platform", name: str) -> None:
    initialise(platform)
    for number in range(5):
        assert refused(platform, name=name, password="Wrong.2468", source=f"192.0.2.{number}").status == 401
    locked = refused(platform, name=name.upper(), source="192.0.2.99")
    assert (locked.code, locked.status) == ("account-locked", 429)
    assert "15 min" in locked.remedy


def test_a_locked_account_costs_no_hashing(platform: "Platform", monkeypatch: pytest.MonkeyPatch) -> None:
    initialise(platform)
    for number in range(5):
        refused(platform, password="Wrong.2468", source=f"192.0.2.{number}")
    monkeypatch.setattr(accounts.passwords, "matches", lambda *_: pytest.fail("a password was hashed"))
    assert refused(platform).code == "account-locked"


def test_locks_double_up_to_a_day_and_end_by_themselves(
    platform: "Platform", monkeypatch: pytest.MonkeyPatch
) -> None:
    shift, minutes = timedelta(), []
    real = clock.now
    monkeypatch.setattr(lockout.clock, "now", lambda: real() + shift)
    with platform.session() as session:
        for _ in range(9):
            for _ in range(5):
                lockout.failed(session, "admin", "192.0.2.1")
            lock = next(one for one in lockout.listing(session) if one.kind == "account")
            minutes.append(round((lock.until - lockout.clock.now()).total_seconds() / 60))
            shift += timedelta(minutes=minutes[-1], seconds=1)
            lockout.check(session, "admin", "198.51.100.1")
    assert minutes == [15, 30, 60, 120, 240, 480, 960, 1440, 1440]


def test_old_failures_do_not_count(platform: "Platform", monkeypatch: pytest.MonkeyPatch) -> None:
    initialise(platform)
    for _ in range(4):
        refused(platform, password="Wrong.2468")
    later(monkeypatch, timedelta(minutes=15, seconds=1))
    assert refused(platform, password="Wrong.2468").status == 401
    assert login(platform).account.name == "Admin"


def test_a_right_password_forgets_the_failures(platform: "Platform") -> None:
    initialise(platform)
    for _ in range(2):
        for _ in range(4):
            refused(platform, password="Wrong.2468")
        login(platform)


def test_guesses_made_at_once_do_not_outrun_the_lock(platform: "Platform") -> None:
    initialise(platform)
    seen: list[int] = []
    threads = [
        threading.Thread(target=lambda n=n: seen.append(refused(platform, password=f"Wrong.{n}").status))
        for n in range(12)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(seen) == [401] * 5 + [429] * 7
    assert refused(platform).code == "account-locked"


def test_twenty_failures_lock_the_source_for_every_account(platform: "Platform") -> None:
    with platform.session() as session:
        for number in range(20):
            lockout.check(session, f"user-{number}", HERE)
            lockout.failed(session, f"user-{number}", HERE)
        with pytest.raises(Problem) as caught:
            lockout.check(session, "admin", HERE)
        lockout.check(session, "admin", "192.0.2.2")
    assert caught.value.code == "source-locked"


@pytest.mark.parametrize(
    ("source", "counted"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("unknown", "unknown"),
    ],
)
def test_a_source_is_an_address_or_an_ipv6_network(source: str, counted: str) -> None:
    assert lockout.network(source) == counted


def test_changing_the_password_ends_all_other_sessions(platform: "Platform") -> None:
    initialise(platform)
    other, own = login(platform), login(platform)
    with platform.session() as session:
        accounts.change_password(session, own.account, PASSWORD, "Fresh#9753", keep=own.session.id)
    assert sessions.get(other.token) is None
    assert sessions.get(own.token) is not None
    assert refused(platform).status == 401
    assert login(platform, password="Fresh#9753").account.name == "Admin"


def test_the_old_password_is_guessed_against_the_same_lock(platform: "Platform") -> None:
    initialise(platform)
    own = login(platform)
    with platform.session() as session:
        for _ in range(5):
            with pytest.raises(Problem):
                accounts.change_password(session, own.account, "Wrong.2468", "Fresh#9753")
    assert refused(platform, source="192.0.2.50").code == "account-locked"


def test_a_session_ends_after_idling_and_after_twelve_hours(
    platform: "Platform", monkeypatch: pytest.MonkeyPatch
) -> None:
    real, shift = sessions.time.time, [0.0]
    monkeypatch.setattr(sessions.time, "time", lambda: real() + shift[0])
    used, _ = sessions.create(1, "Admin", "administrator", HERE)
    idle, _ = sessions.create(1, "Admin", "administrator", HERE)
    for _ in range(25):
        shift[0] += 29 * 60
        alive = sessions.get(used) is not None
        assert alive == (shift[0] < sessions.HARD)
    assert sessions.get(idle) is None


def test_a_kicked_session_does_not_come_back_by_its_own_use(platform: "Platform") -> None:
    token, one = sessions.create(1, "Admin", "administrator", HERE)
    assert [entry.id for entry in sessions.listing()] == [one.id]
    sessions.kick(one.id)
    assert sessions._touch(one) is None
    assert sessions.get(token) is None
    assert sessions.listing() == []


def test_redis_away_is_told_as_503(platform: "Platform", free_port: Callable[[], int]) -> None:
    settings = {"redis": {"host": "127.0.0.1", "port": free_port(), "user": "dss"}, "database": {}}
    platform.files.service("smc", {"http": 1}, settings)
    cache.forget()
    with pytest.raises(Problem) as caught:
        sessions.get("x" * 43)
    assert (caught.value.code, caught.value.status) == ("redis-away", 503)


def test_login_and_refusal_are_audited_without_the_password(platform: "Platform") -> None:
    initialise(platform)
    refused(platform, password="Wrong.2468")
    login(platform)
    with platform.session() as session:
        entries = audit.listing(session)
    assert [(one.action, one.outcome) for one in entries] == [
        ("login", "done"), ("login", "refused"), ("initialise", "done"),
    ]  # fmt: skip
    assert "2468" not in str(entries)


def test_a_hash_of_older_parameters_is_renewed_at_login(platform: "Platform") -> None:
    initialise(platform)
    weak = PasswordHasher(time_cost=1, memory_cost=1024, parallelism=1).hash(PASSWORD)
    with platform.session() as session:
        session.get_one(models.Account, 1).password_hash = weak
        session.commit()
    login(platform)
    with platform.session() as session:
        renewed = session.get_one(models.Account, 1).password_hash
    assert renewed.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert login(platform).account.name == "Admin"


def test_only_as_many_hashes_run_at_once_as_there_are_cores() -> None:
    lock, now, most = threading.Lock(), [0], [0]

    class Watched:
        def hash(self, _: str) -> str:
            with lock:
                now[0] += 1
                most[0] = max(most[0], now[0])
            time.sleep(0.05)
            with lock:
                now[0] -= 1
            return "hash"

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(accounts.passwords, "HASHER", Watched())
        threads = [threading.Thread(target=accounts.passwords.hashed, args=("x",)) for _ in range(12)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
    assert most[0] == min(12, os.cpu_count() or 1)
