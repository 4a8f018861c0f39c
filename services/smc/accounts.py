"""Accounts: first-time initialisation, login, logout, change of password."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from services.runtime import clock
from services.runtime.errors import Problem
from services.smc import audit, lockout, models, passwords, recovery_codes, sessions
from services.smc.store import unit_of_work

NAME = re.compile(r"[A-Za-z][A-Za-z0-9._-]{0,31}")
QUESTIONS = 3
INITIALISED = "initialised"

PERMISSIONS = frozenset(
    {"live.view", "live.talk", "live.ptz", "devices.view", "devices.manage", "nodes.view", "nodes.manage",
     "services.control", "network.view", "network.manage", "audit.view", "accounts.manage",
     "recordings.view", "recordings.export"}
)  # fmt: skip
ROLES: dict[str, frozenset[str]] = {
    "administrator": PERMISSIONS,
    "operator": frozenset(
        {"live.view", "live.talk", "live.ptz", "recordings.view", "devices.view", "nodes.view"}
    ),
}


@dataclass(frozen=True)
class Account:
    """Who acts, with what rights, from which address (`source`)."""

    id: int
    name: str
    role: str
    source: str = ""

    @property
    def permissions(self) -> frozenset[str]:
        """The rights of the role; none for a role that is not known."""
        return ROLES.get(self.role, frozenset())

    def need(self, permission: str) -> None:
        """Raise Problem 403 unless the account has `permission`."""
        if permission not in self.permissions:
            raise Problem(
                "not-allowed",
                "You may not do this.",
                f"Your role {self.role!r} does not include {permission!r}.",
                "Ask an administrator for this right.",
                status=403,
            )


@dataclass(frozen=True)
class Login:
    """Result of a login: `token` for the cookie or Bearer header, the session, the account."""

    token: str
    session: sessions.Session
    account: Account


@dataclass(frozen=True)
class Answer:
    """A protection question and its answer, as the user typed them."""

    question: str
    answer: str


@dataclass(frozen=True)
class Profile:
    """What an account may know of itself."""

    name: str
    role: str
    permissions: list[str]
    created_at: datetime
    password_changed_at: datetime


def initialised(session: Session) -> bool:
    """Whether the first account was made."""
    query = select(models.Setting.key).where(models.Setting.key == INITIALISED)
    return session.execute(query).first() is not None


def need_initialised(session: Session) -> None:
    """Raise Problem 409 until the platform is initialised."""
    if not initialised(session):
        raise Problem(
            "not_initialised",
            "The platform is not initialised yet.",
            "Nothing opens before the first administrator was created.",
            "Open the portal and follow the initialisation, or call POST /api/v1/initialise.",
            status=409,
        )


def initialise(
    session: Session,
    name: str,
    password: str,
    answers: list[Answer],
    source: str,
    codes: Sequence[str] = (),
) -> Account:
    """Make the first administrator. Works once, whoever races.

    The way back from a forgotten password is the profile's: three protection answers, or the ten `codes` of
    `recovery_codes.draw`, which the caller shows afterwards.
    """
    if initialised(session):
        raise _once()
    check_name(name)
    passwords.check(password, name)
    check_way_back(answers, codes)
    # No connection is held while a core works a second.
    session.rollback()
    way_back = _WayBack(
        [(one.question.strip(), passwords.hashed(passwords.normalised(one.answer))) for one in answers],
        recovery_codes.hashes(codes),
    )
    return _initialise(session, name, passwords.hashed(password), way_back, source)


def login(session: Session, name: str, password: str, source: str, kind: str = "cookie") -> Login:
    """Check name and password, open a session (`kind` cookie or bearer); locks are checked before hashing."""
    need_initialised(session)
    lockout.check(session, name, source)
    row = session.scalars(select(models.Account).where(models.Account.key == name.lower())).first()
    known = row.password_hash if row else None
    # No snapshot and no connection is held while a core works 100 ms.
    session.rollback()
    right = passwords.matches(known, password)
    account = _judge(session, name, right, source)
    if known and passwords.is_old(known):
        _store_hash(session, account.id, passwords.hashed(password), changed=False)
    token, opened = sessions.create(account.id, account.name, account.role, source, kind)
    return Login(token, opened, account)


def logout(session: Session, token: str) -> None:
    """End the session of `token`; audited."""
    one = sessions.get(token)
    sessions.end(token)
    if one:
        audit.write(session, "logout", one.account, actor=one.account, source=one.source)


def account_of(session: Session, token: str | None, source: str = "", *, touch: bool = True) -> Account:
    """The account of a session's token; Problem 401 if there is none. `touch` marks it as used now."""
    one = sessions.needed(token, touch=touch)
    row = session.get(models.Account, one.account_id)
    if row is None:
        sessions.kick(one.id)
        sessions.needed(None)
        raise AssertionError("needed(None) raises")
    return Account(row.id, row.name, row.role, source or one.source)


def profile(session: Session, account: Account) -> Profile:
    """What the account may know of itself."""
    row = session.get_one(models.Account, account.id)
    return Profile(row.name, row.role, sorted(account.permissions), row.created_at, row.password_changed_at)


def change_password(session: Session, account: Account, old: str, new: str, keep: str | None = None) -> None:
    """Replace the own password; ends all other sessions of the account (`keep`: id of the one that stays)."""
    name = prove_password(session, account, old, "password.change")
    passwords.check(new, name)
    _store_hash(session, account.id, passwords.hashed(new), changed=True)
    audit.write(session, "password.change", name, actor=name, source=account.source)
    sessions.end_all(account.id, keep)


def prove_password(session: Session, account: Account, password: str, action: str) -> str:
    """The name of the own account if `password` is right; else it counts as a failed `action`."""
    lockout.check(session, account.name, account.source)
    row = session.get_one(models.Account, account.id)
    name, known = row.name, row.password_hash
    session.rollback()
    if not passwords.matches(known, password):
        _refuse(session, name, account.source, action)
    return name


def check_name(name: str) -> None:
    """Raise the Problem of an account name that cannot be used."""
    if not NAME.fullmatch(name):
        raise Problem(
            "account-name",
            "This account name cannot be used.",
            "It needs 1 to 32 letters, digits, dots, hyphens or underscores, and begins with a letter.",
            "Choose another name.",
            status=422,
        )


def check_way_back(answers: list[Answer], codes: Sequence[str]) -> None:
    """Raise the Problem of answers or codes that do not go with the profile in force."""
    if passwords.profile() == passwords.CLASSIC:
        check_answers(answers)
    elif answers or len(codes) != recovery_codes.COUNT:
        raise Problem(
            "protection-codes",
            "Protection questions are not used here.",
            f"The password profile is {passwords.MODERN}: recovery codes take their place.",
            "Leave the questions out.",
            status=422,
        )


def check_answers(answers: list[Answer]) -> None:
    """Raise the Problem of protection questions that cannot be used."""
    questions = {passwords.normalised(one.question) for one in answers}
    filled = all(one.question.strip() and one.answer.strip() for one in answers)
    short = all(len(one.question) <= 200 and len(one.answer) <= 200 for one in answers)
    if len(answers) != QUESTIONS or len(questions) != QUESTIONS or not filled or not short:
        raise Problem(
            "protection-questions",
            "The protection questions cannot be used.",
            f"{QUESTIONS} different questions, each with an answer of at most 200 characters, are needed.",
            "Fill in all of them.",
            status=422,
        )


@dataclass(frozen=True)
class _WayBack:
    """Stored for a forgotten password: (question, hash) of each answer, hashes of codes by first group."""

    answers: list[tuple[str, str]]
    codes: dict[str, str]

    def store(self, session: Session, account_id: int) -> None:
        """Part of the caller's unit of work."""
        for number, (question, hash) in enumerate(self.answers, 1):
            session.add(
                models.ProtectionAnswer(
                    account_id=account_id, number=number, question=question, answer_hash=hash
                )
            )
        if self.codes:
            recovery_codes.store(session, account_id, self.codes)


@unit_of_work
def _initialise(session: Session, name: str, hash: str, way_back: _WayBack, source: str) -> Account:
    now = clock.now()
    try:
        with session.begin_nested():
            session.add(models.Setting(key=INITIALISED, value=name, changed_at=now))
    except IntegrityError:
        raise _once() from None
    row = models.Account(
        key=name.lower(),
        name=name,
        password_hash=hash,
        role="administrator",
        created_at=now,
        password_changed_at=now,
    )
    session.add(row)
    session.flush()
    way_back.store(session, row.id)
    audit.write(session, "initialise", name, actor=name, source=source)
    return Account(row.id, row.name, row.role, source)


@unit_of_work
def _judge(session: Session, name: str, right: bool, source: str) -> Account:
    # Again, now that the hash is known: guesses made in parallel must not outrun the lock.
    lockout.check(session, name, source)
    row = session.scalars(select(models.Account).where(models.Account.key == name.lower())).first()
    if not right or row is None:
        _refuse(session, name, source, "login")
        raise AssertionError("_refuse raises")
    lockout.succeeded(session, name, source)
    audit.write(session, "login", row.name, actor=row.name, source=source)
    return Account(row.id, row.name, row.role, source)


@unit_of_work
def _refuse(session: Session, name: str, source: str, action: str) -> None:
    lockout.failed(session, name, source)
    audit.write(session, action, name, actor=name, source=source, outcome="refused")
    raise Problem(
        "wrong-credentials",
        "The name or the password is wrong.",
        "No account has this name and this password.",
        "Check both, mind upper and lower case, and try again; after 5 failures the account is locked.",
        status=401,
    )


@unit_of_work
def _store_hash(session: Session, account_id: int, hash: str, *, changed: bool) -> None:
    row = session.get_one(models.Account, account_id)
    row.password_hash = hash
    if changed:
        row.password_changed_at = clock.now()


def _once() -> Problem:
    return Problem(
        "already-initialised",
        "The platform is initialised already.",
        "This can be done once only.",
        "Log in with the account that was created then.",
        status=409,
    )
