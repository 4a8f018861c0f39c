"""Initialisation, login, the own account, who is online, locks."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Literal

from services.runtime import config
from services.runtime.errors import Problem
from services.smc import accounts, audit, lockout, passwords, recovery_codes, sessions
from services.smc.accounts import Profile
from services.smc.api.route import Call, operation
from services.smc.api.schema import Items, Text
from services.smc.lockout import Lock

Name = Annotated[str, Text(1, 64)]
Password = Annotated[str, Text(1, 128, secret=True)]


@dataclass(frozen=True)
class Status:
    """What anyone may know of the platform."""

    initialised: bool
    version: str
    site: str
    password_profile: Literal["classic", "modern"]


@dataclass(frozen=True)
class Question:
    """A protection question with its answer."""

    question: Annotated[str, Text(1, 200)]
    answer: Annotated[str, Text(1, 200, secret=True)]


@dataclass(frozen=True)
class Initialisation:
    """The first administrator; three questions in the password profile classic, none in modern."""

    name: Name
    password: Password
    questions: Annotated[list[Question], Items(0, 3)] = field(default_factory=list)


@dataclass(frozen=True)
class Initialised(Profile):
    """The first administrator; the recovery codes of the profile modern are shown here once."""

    recovery_codes: list[str]


@dataclass(frozen=True)
class Credentials:
    """Name and password of an account."""

    name: Name
    password: Password


@dataclass(frozen=True)
class Token:
    """A Bearer token; `expires_at` moves on with each use."""

    token: str
    expires_at: datetime


@dataclass(frozen=True)
class PasswordChange:
    """The old and the new password."""

    old: Password
    new: Password


@dataclass(frozen=True)
class Online:
    """Someone who is logged in; `own` marks the caller's own session."""

    id: str
    account: str
    role: str
    source: str
    kind: str
    created_at: datetime
    expires_at: datetime
    own: bool


@dataclass(frozen=True)
class Subject:
    """What a lock holds: an account name or a source address."""

    kind: Literal["account", "source"]
    subject: Name


@operation("GET", "/status", answer=Status, open=True, early=True)
def get_status(call: Call) -> Status:
    """Whether the platform is initialised, its version and its name."""
    node = config.load_node()
    known = accounts.initialised(call.session)
    return Status(known, node.version, node.site, passwords.profile())


@operation("POST", "/initialise", body=Initialisation, answer=Initialised, open=True, early=True, status=201,
           problems=(409,))  # fmt: skip
def initialise(call: Call) -> Initialised:
    """Make the first administrator; works once."""
    body: Initialisation = call.body
    answers = [accounts.Answer(one.question, one.answer) for one in body.questions]
    codes = recovery_codes.draw() if passwords.profile() == passwords.MODERN else []
    account = accounts.initialise(call.session, body.name, body.password, answers, call.source, codes)
    made = accounts.profile(call.session, account)
    return Initialised(**vars(made), recovery_codes=codes)


@operation("POST", "/login", body=Credentials, answer=Token, open=True, problems=(401, 429))
def login(call: Call) -> Token:
    """Get a Bearer token for name and password."""
    body: Credentials = call.body
    done = accounts.login(call.session, body.name, body.password, call.source, kind="bearer")
    return Token(done.token, done.session.expires)


@operation("POST", "/logout", status=204)
def logout(call: Call) -> None:
    """End the session of the token that was sent."""
    accounts.logout(call.session, call.token or "")


@operation("GET", "/account", answer=Profile)
def get_account(call: Call) -> Profile:
    """The own account and its permissions."""
    return accounts.profile(call.session, call.account)


@operation("POST", "/account/password", body=PasswordChange, status=204, problems=(429,))
def change_password(call: Call) -> None:
    """Change the own password; all other sessions of the account end."""
    keep = sessions.needed(call.token).id
    accounts.change_password(call.session, call.account, call.body.old, call.body.new, keep)


@operation("GET", "/sessions", answer=list[Online], permission="accounts.manage")
def list_sessions(call: Call) -> list[Online]:
    """Who is online."""
    own = sessions.needed(call.token).id
    return [
        Online(one.id, one.account, one.role, one.source, one.kind, one.began, one.expires, one.id == own)
        for one in sessions.listing()
    ]


@operation("DELETE", "/sessions/<id>", status=204, permission="accounts.manage")
def kick(call: Call, id: str) -> None:
    """End a session."""
    known = {one.id: one.account for one in sessions.listing()}
    if id not in known or not sessions.kick(id):
        raise Problem(
            "session-unknown", "There is no such session.", "It has ended already, or the id is wrong.",
            "Look at the list of sessions.", status=404,
        )  # fmt: skip
    audit.write(call.session, "session.kick", known[id], actor=call.account.name, source=call.source)


@operation("GET", "/locks", answer=list[Lock], permission="accounts.manage")
def list_locks(call: Call) -> list[Lock]:
    """Accounts and sources that are locked now."""
    return lockout.listing(call.session)


@operation("POST", "/locks/release", body=Subject, status=204, permission="accounts.manage")
def release_lock(call: Call) -> None:
    """Open a lock."""
    body: Subject = call.body
    lockout.release(call.session, body.kind, body.subject, actor=call.account.name, source=call.source)
