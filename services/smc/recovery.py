"""A forgotten password: by recovery code (profile modern) or by protection questions (classic).

The limits are those of a login.
What the profile in force does not offer is refused, also for an account that has it.
"""

from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from services.runtime import clock
from services.runtime.errors import Problem
from services.smc import accounts, audit, lockout, models, passwords, recovery_codes, sessions
from services.smc.accounts import Account
from services.smc.store import unit_of_work

SUGGESTED = (
    "What was the name of your first pet?",
    "In which street did you live as a child?",
    "What was your first teacher called?",
    "Where did your parents meet?",
    "What was the first dish you learned to cook?",
    "What was the name of your best friend at school?",
    "Which was the first concert you went to?",
    "What was your first job?",
)
"""Questions that the initialisation page offers; it begins with the first three."""
BY_CODE, BY_ANSWERS = "recovery code", "protection questions"


@dataclass(frozen=True)
class Recovery:
    """How the own account comes back from a forgotten password: its profile, and its codes in `modern`."""

    profile: str
    codes: recovery_codes.Standing


@dataclass(frozen=True)
class _Proof:
    """Whether what was typed is right; `group` names the code that it burns."""

    right: bool
    by: str
    group: str | None = None


def by_code(session: Session, name: str, code: str, new: str, source: str) -> None:
    """Set a new password by a recovery code; the code is burnt, all sessions of the account end."""
    _need_profile(session, passwords.MODERN)
    group, secret = recovery_codes.split(code)

    def prove() -> _Proof:
        row = _row(session, name)
        known = recovery_codes.hash_of(session, row.id, group) if row else None
        session.rollback()
        return _Proof(passwords.matches(known, secret), BY_CODE, group)

    _reset(session, name, new, source, prove)


def by_answers(session: Session, name: str, answers: list[str], new: str, source: str) -> None:
    """Set a new password by the answers to all protection questions, in their order."""
    _need_profile(session, passwords.CLASSIC)

    def prove() -> _Proof:
        row = _row(session, name)
        known: list[str | None] = [one.answer_hash for one in _answers(session, row.id)] if row else []
        session.rollback()
        known = known if len(known) == accounts.QUESTIONS else [None] * accounts.QUESTIONS
        typed = [passwords.normalised(one) for one in answers]
        # All of them, whatever the first one says: the time must not tell which is wrong.
        found = [passwords.matches(hash, text) for hash, text in zip(known, typed, strict=True)]
        return _Proof(all(found), BY_ANSWERS)

    _reset(session, name, new, source, prove)


def questions(session: Session, name: str) -> list[str]:
    """The protection questions of an account; for an unknown name those that most accounts have."""
    _need_profile(session, passwords.CLASSIC)
    row = _row(session, name)
    found = [one.question for one in _answers(session, row.id)] if row else []
    return found if len(found) == accounts.QUESTIONS else list(SUGGESTED[: accounts.QUESTIONS])


def of_account(session: Session, account: Account) -> Recovery:
    """How the own account stands."""
    return Recovery(passwords.profile(), recovery_codes.standing(session, account.id))


def new_codes(session: Session, account: Account, password: str) -> list[str]:
    """Ten new codes for the own account, whose password proves the user; those before are void."""
    _need_profile(session, passwords.MODERN)
    accounts.prove_password(session, account, password, "recovery.codes")
    codes = recovery_codes.draw()
    _store_codes(session, account, recovery_codes.hashes(codes))
    return codes


@unit_of_work
def keep(session: Session, account: Account) -> None:
    """The user says that the codes are kept; audited."""
    recovery_codes.keep(session, account.id)
    audit.write(session, "recovery.kept", account.name, actor=account.name, source=account.source)


def set_password(session: Session, name: str, new: str, by: Account) -> None:
    """What root does on the node itself: a new password, no lock left, no session left; audited."""
    accounts.need_initialised(session)
    passwords.check(new, name)
    hash = passwords.hashed(new)
    sessions.end_all(_set(session, name, hash, by))


def _reset(session: Session, name: str, new: str, source: str, prove: Callable[[], _Proof]) -> None:
    lockout.check(session, name, source)
    # Before anything is burnt: a password that is refused must not cost a code.
    passwords.check(new, name)
    proof = prove()
    if proof.right and (row := _row(session, name)):
        # Now, while nothing has changed if Redis is away, and again for whoever logs in in between.
        sessions.end_all(row.id)
    session.rollback()
    sessions.end_all(_judge(session, name, source, proof, passwords.hashed(new) if proof.right else ""))


@unit_of_work
def _judge(session: Session, name: str, source: str, proof: _Proof, hash: str) -> int:
    # Again, now that the hash is known: guesses made in parallel must not outrun the lock.
    lockout.check(session, name, source)
    row = _row(session, name)
    if row is None or not proof.right or not _burn(session, row.id, proof):
        raise _refuse(session, name, source, proof)
    row.password_hash, row.password_changed_at = hash, clock.now()
    lockout.succeeded(session, name, source)
    left = recovery_codes.standing(session, row.id).left
    details = {"by": proof.by} | ({"codes_left": left} if proof.group else {})
    audit.write(session, "password.reset", row.name, actor=row.name, source=source, details=details)
    return row.id


def _burn(session: Session, account_id: int, proof: _Proof) -> bool:
    return proof.group is None or recovery_codes.burn(session, account_id, proof.group)


def _refuse(session: Session, name: str, source: str, proof: _Proof) -> Problem:
    lockout.failed(session, name, source)
    audit.write(session, "password.reset", name, actor=name, source=source, outcome="refused",
                details={"by": proof.by})  # fmt: skip
    what = "the code" if proof.by == BY_CODE else "one of the answers"
    return Problem(
        "wrong-recovery",
        f"The name or {what} is wrong.",
        "No account has this name and this way back; a recovery code works once.",
        "Check what you typed and try again; after 5 failures the account is locked.",
        status=401,
    )


@unit_of_work
def _set(session: Session, name: str, hash: str, by: Account) -> int:
    row = _row(session, name)
    if row is None:
        raise Problem(
            "account-unknown", f"There is no account {name!r}.", "The name is misspelt.",
            "Look at the names in the portal's audit log.", status=404,
        )  # fmt: skip
    row.password_hash, row.password_changed_at = hash, clock.now()
    lockout.succeeded(session, name, by.source)
    audit.write(session, "password.reset", row.name, actor=by.name, source=by.source)
    return row.id


@unit_of_work
def _store_codes(session: Session, account: Account, made: dict[str, str]) -> None:
    recovery_codes.store(session, account.id, made)
    audit.write(session, "recovery.codes", account.name, actor=account.name, source=account.source)


def _need_profile(session: Session, wanted: str) -> None:
    accounts.need_initialised(session)
    if passwords.profile() != wanted:
        way = "recovery codes" if wanted == passwords.CLASSIC else "protection questions"
        raise Problem(
            "recovery-way",
            "The password cannot be reset in this way.",
            f"The password profile is {passwords.profile()}: {way} are used.",
            f"Use {way}.",
            status=409,
        )


def _row(session: Session, name: str) -> models.Account | None:
    query = select(models.Account).where(models.Account.key == name.lower())
    return session.scalars(query.execution_options(populate_existing=True)).first()


def _answers(session: Session, account_id: int) -> list[models.ProtectionAnswer]:
    one = models.ProtectionAnswer
    return list(session.scalars(select(one).where(one.account_id == account_id).order_by(one.number)))
