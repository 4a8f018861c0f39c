"""The ways back from a forgotten password, on real MariaDB and Redis."""

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.node import password as console
from services.runtime.errors import Problem
from services.smc import accounts, audit, lockout, models, passwords, recovery, recovery_codes, sessions
from services.smc.accounts import Account, Answer

if TYPE_CHECKING:
    from tests.conftest import Platform

CLASSIC, MODERN, FRESH = "Admin.2468", "gq7 mwu zrk ptb", "a quite new one, 15 long"
ANSWERS = [Answer(f"Question {n}?", f"Answer {n}") for n in range(3)]
RIGHT = ["answer 0", "ANSWER 1", " Answer  2 "]
HERE = "192.0.2.1"


@pytest.fixture
def codes(platform: "Platform") -> list[str]:
    """A platform of the profile modern with its first administrator, and the codes."""
    platform.files.setting("smc", password_profile="modern")
    codes = recovery_codes.draw()
    with platform.session() as session:
        accounts.initialise(session, "Admin", MODERN, [], HERE, codes)
    return codes


@pytest.fixture
def classic(platform: "Platform") -> Account:
    """A platform of the profile classic with its first administrator."""
    with platform.session() as session:
        return accounts.initialise(session, "Admin", CLASSIC, ANSWERS, HERE)


def by_code(
    platform: "Platform", code: str, name: str = "admin", new: str = FRESH, source: str = HERE
) -> None:
    with platform.session() as session:
        recovery.by_code(session, name, code, new, source)


def by_answers(
    platform: "Platform", answers: list[str], name: str = "admin", new: str = "Fresh#9753", source: str = HERE
) -> None:
    with platform.session() as session:
        recovery.by_answers(session, name, answers, new, source)


def login(platform: "Platform", password: str) -> accounts.Login:
    with platform.session() as session:
        return accounts.login(session, "admin", password, HERE)


def refused(call: Callable[..., object], *words: object, **more: object) -> Problem:
    with pytest.raises(Problem) as caught:
        call(*words, **more)
    return caught.value


def standing(platform: "Platform") -> recovery_codes.Standing:
    with platform.session() as session:
        return recovery_codes.standing(session, 1)


def test_ten_different_codes_are_stored_as_hashes_only(platform: "Platform", codes: list[str]) -> None:
    assert len({code[:4] for code in codes}) == 10
    with platform.session() as session:
        rows = session.query(models.RecoveryCode).all()
        assert session.query(models.ProtectionAnswer).count() == 0
    stored = str([vars(row) for row in rows])
    assert len(rows) == 10
    assert all(row.code_hash.startswith("$argon2id$v=19$m=19456,t=2,p=1$") for row in rows)
    assert not any(recovery_codes.split(code)[1] in stored or code[5:] in stored for code in codes)


def test_a_code_sets_a_new_password_once_and_ends_all_sessions(
    platform: "Platform", codes: list[str]
) -> None:
    token = login(platform, MODERN).token
    by_code(platform, codes[3])
    assert sessions.get(token) is None
    assert refused(login, platform, MODERN).code == "wrong-credentials"
    assert login(platform, FRESH).account.name == "Admin"
    assert refused(by_code, platform, codes[3]).code == "wrong-recovery"
    assert standing(platform).left == 9


@given(
    st.integers(0, 9), st.sampled_from(["{}", " {} ", "{}\t"]), st.booleans(), st.sampled_from(["-", "", " "])
)
def test_a_code_is_read_however_it_is_written(which: int, frame: str, lower: bool, between: str) -> None:
    code = recovery_codes.draw()[which]
    typed = frame.replace("\t", " ").format(code.replace("-", between))
    typed = typed.replace("0", "O").replace("1", "l")
    assert recovery_codes.split(typed.lower() if lower else typed) == (code[:4], code[5:].replace("-", ""))


@given(st.text(max_size=64))
def test_any_text_is_read_as_a_code_without_an_accident(text: str) -> None:
    group, secret = recovery_codes.split(text)
    assert len(group) in (0, 4)
    assert "-" not in group + secret


def test_of_two_that_use_a_code_at_once_one_wins(platform: "Platform", codes: list[str]) -> None:
    outcomes: list[str] = []
    meet = threading.Barrier(4)

    def race(new: str) -> None:
        meet.wait(10)
        try:
            by_code(platform, codes[0], new=new)
            outcomes.append(new)
        except Problem as problem:
            outcomes.append(problem.code)

    threads = [threading.Thread(target=race, args=(f"{FRESH} {n}",)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert outcomes.count("wrong-recovery") == 3
    winner = next(one for one in outcomes if one != "wrong-recovery")
    assert login(platform, winner).account.name == "Admin"


def test_a_refused_password_costs_no_code(platform: "Platform", codes: list[str]) -> None:
    assert refused(by_code, platform, codes[0], new="too short").code == "password-length"
    assert refused(by_code, platform, codes[0], new="passwordpassword").code == "password-known"
    assert standing(platform).left == 10
    by_code(platform, codes[0])


def test_a_right_first_group_with_a_wrong_rest_burns_nothing(platform: "Platform", codes: list[str]) -> None:
    wrong = codes[0][:-1] + ("0" if codes[0][-1] != "0" else "2")
    assert refused(by_code, platform, wrong).status == 401
    assert standing(platform).left == 10


def test_with_redis_away_nothing_is_changed(
    platform: "Platform", codes: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: object) -> int:
        raise Problem("redis-away", "", status=503)

    with monkeypatch.context() as patch:
        patch.setattr(sessions, "end_all", away)
        assert refused(by_code, platform, codes[0]).code == "redis-away"
    assert standing(platform).left == 10
    assert login(platform, MODERN)


def test_five_wrong_codes_lock_the_account_for_login_too(platform: "Platform", codes: list[str]) -> None:
    for number in range(5):
        assert refused(by_code, platform, "0000-0000-0000-0000", source=f"192.0.2.{number}").status == 401
    assert refused(by_code, platform, codes[0], source="192.0.2.99").code == "account-locked"
    assert refused(login, platform, MODERN).code == "account-locked"


def test_twenty_failures_lock_the_source_for_recovery_too(platform: "Platform", codes: list[str]) -> None:
    with platform.session() as session:
        for number in range(20):
            lockout.failed(session, f"user-{number}", HERE)
    assert refused(by_code, platform, codes[0]).code == "source-locked"
    by_code(platform, codes[0], source="192.0.2.2")


@pytest.mark.parametrize("profile", ["classic", "modern"])
def test_a_locked_account_costs_no_hashing(
    platform: "Platform", codes: list[str], monkeypatch: pytest.MonkeyPatch, profile: str
) -> None:
    platform.files.setting("smc", password_profile=profile)
    with platform.session() as session:
        for number in range(5):
            lockout.failed(session, "admin", f"192.0.2.{number}")
    for name in ("matches", "hashed", "check"):
        monkeypatch.setattr(passwords, name, lambda *_: pytest.fail("a core was used"))
    if profile == "modern":
        assert refused(by_code, platform, codes[0]).code == "account-locked"
    else:
        assert refused(by_answers, platform, RIGHT).code == "account-locked"


def test_unknown_names_get_the_same_words_and_the_same_number_of_hashes(
    platform: "Platform", classic: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, hashes = passwords.matches, [0]

    def counted(hash: str | None, secret: str) -> bool:
        hashes[0] += 1
        return real(hash, secret)

    monkeypatch.setattr(passwords, "matches", counted)
    wrong = refused(by_answers, platform, ["answer 0", "answer 1", "x"])
    assert hashes == [3]
    assert refused(by_answers, platform, RIGHT, name="nobody").as_dict() == wrong.as_dict()
    assert hashes == [6]


def test_all_three_answers_set_a_new_password(platform: "Platform", classic: Account) -> None:
    token = login(platform, CLASSIC).token
    for wrong in (["x", *RIGHT[1:]], [*RIGHT[:2], "x"]):
        assert refused(by_answers, platform, wrong).code == "wrong-recovery"
    by_answers(platform, RIGHT)
    assert sessions.get(token) is None
    assert login(platform, "Fresh#9753").account.name == "Admin"


def test_the_questions_of_an_unknown_name_look_like_anyones(platform: "Platform", classic: Account) -> None:
    with platform.session() as session:
        assert recovery.questions(session, "ADMIN") == [one.question for one in ANSWERS]
        assert recovery.questions(session, "nobody") == list(recovery.SUGGESTED[:3])


def test_what_the_profile_does_not_offer_is_refused(platform: "Platform", classic: Account) -> None:
    assert refused(by_code, platform, "0000-0000-0000-0000").code == "recovery-way"
    platform.files.setting("smc", password_profile="modern")
    assert refused(by_answers, platform, RIGHT, new=FRESH).code == "recovery-way"


@pytest.mark.parametrize(("answers", "count"), [(ANSWERS, 0), (ANSWERS, 10), ([], 0), ([], 9)])
def test_modern_takes_codes_and_no_questions(platform: "Platform", answers: list[Answer], count: int) -> None:
    platform.files.setting("smc", password_profile="modern")
    with platform.session() as session, pytest.raises(Problem) as caught:
        accounts.initialise(session, "admin", MODERN, answers, HERE, recovery_codes.draw()[:count])
    assert caught.value.code == "protection-codes"


def test_new_codes_need_the_password_and_make_the_old_ones_void(
    platform: "Platform", codes: list[str]
) -> None:
    account = login(platform, MODERN).account
    with platform.session() as session:
        recovery.keep(session, account)
        assert refused(recovery.new_codes, session, account, "wrong").code == "wrong-credentials"
        assert recovery_codes.standing(session, 1).kept_at
        fresh = recovery.new_codes(session, account, MODERN)
        assert recovery_codes.standing(session, 1).kept_at is None
    assert refused(by_code, platform, codes[0]).code == "wrong-recovery"
    by_code(platform, fresh[0])


def test_an_account_of_the_old_profile_gets_its_codes_after_login(
    platform: "Platform", classic: Account
) -> None:
    platform.files.setting("smc", password_profile="modern")
    with platform.session() as session:
        fresh = recovery.new_codes(session, login(platform, CLASSIC).account, CLASSIC)
    by_code(platform, fresh[9])
    assert login(platform, FRESH)


def test_root_on_main_is_never_locked_out(
    platform: "Platform",
    codes: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    token = login(platform, MODERN).token
    for number in range(5):
        refused(by_code, platform, "0000-0000-0000-0000", source=f"192.0.2.{number}")
    monkeypatch.setattr(console, "typed", lambda: FRESH)
    console.replace("ADMIN")
    assert sessions.get(token) is None
    assert login(platform, FRESH).account.name == "Admin"
    assert FRESH not in capsys.readouterr().out
    assert refused(console.replace, "nobody").code == "account-unknown"
    monkeypatch.setattr(console, "typed", lambda: "short")
    assert refused(console.replace, "admin").code == "password-length"


def test_every_step_is_audited_without_a_secret(platform: "Platform", codes: list[str]) -> None:
    account = login(platform, MODERN).account
    refused(by_code, platform, "0000-0000-0000-0000")
    by_code(platform, codes[0])
    with platform.session() as session:
        recovery.keep(session, account)
        fresh = recovery.new_codes(session, account, FRESH)
        entries = audit.listing(session)
    assert [(one.action, one.outcome) for one in entries] == [
        ("recovery.codes", "done"), ("recovery.kept", "done"), ("password.reset", "done"),
        ("password.reset", "refused"), ("login", "done"), ("initialise", "done"),
    ]  # fmt: skip
    assert entries[2].details == {"by": "recovery code", "codes_left": 9}
    assert not any(secret in str(entries) for secret in (MODERN, FRESH, *codes, *fresh))
