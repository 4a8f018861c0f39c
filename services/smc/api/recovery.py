"""Rules for passwords, and the ways back from a forgotten one."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Literal

from services.smc import passwords, recovery
from services.smc.api.accounts import Name, Password
from services.smc.api.route import Call, operation
from services.smc.api.schema import Items, Text
from services.smc.passwords import Rule

PROBLEMS = (401, 409, 429)


@dataclass(frozen=True)
class Candidate:
    """A password that somebody is about to choose for an account."""

    name: Annotated[str, Text(0, 64)]
    password: Annotated[str, Text(0, 128, secret=True)]


@dataclass(frozen=True)
class Named:
    """An account by its name."""

    name: Name


@dataclass(frozen=True)
class ByCode:
    """A recovery code, and the new password."""

    name: Name
    code: Annotated[str, Text(1, 64, secret=True)]
    password: Password


@dataclass(frozen=True)
class ByAnswers:
    """The answers to the account's protection questions in their order, and the new password."""

    name: Name
    answers: Annotated[list[Annotated[str, Text(1, 200, secret=True)]], Items(3, 3)]
    password: Password


@dataclass(frozen=True)
class OwnPassword:
    """The password of the own account, as a proof."""

    password: Password


@dataclass(frozen=True)
class Codes:
    """Recovery codes, shown here once."""

    codes: list[str]


@dataclass(frozen=True)
class Standing:
    """How the own account comes back from a forgotten password; the codes are used in the profile modern."""

    profile: Literal["classic", "modern"]
    codes_left: int
    made_at: datetime | None
    kept_at: datetime | None


@operation("POST", "/password-rules", body=Candidate, answer=list[Rule], open=True, early=True,
           problems=(503,))  # fmt: skip
def password_rules(call: Call) -> list[Rule]:
    """Which rules of the profile in force a password keeps."""
    return passwords.rules(call.body.password, call.body.name)


@operation("POST", "/recovery/questions", body=Named, answer=list[str], open=True, problems=(409,))
def recovery_questions(call: Call) -> list[str]:
    """The protection questions of an account (profile classic)."""
    return recovery.questions(call.session, call.body.name)


@operation("POST", "/recovery/answers", body=ByAnswers, open=True, status=204, problems=PROBLEMS)
def recover_by_answers(call: Call) -> None:
    """Set a new password by the protection questions (profile classic); all sessions of the account end."""
    body: ByAnswers = call.body
    recovery.by_answers(call.session, body.name, body.answers, body.password, call.source)


@operation("POST", "/recovery/code", body=ByCode, open=True, status=204, problems=PROBLEMS)
def recover_by_code(call: Call) -> None:
    """Set a new password by a recovery code (profile modern); all sessions of the account end."""
    body: ByCode = call.body
    recovery.by_code(call.session, body.name, body.code, body.password, call.source)


@operation("GET", "/account/recovery", answer=Standing)
def get_recovery(call: Call) -> Standing:
    """The own way back from a forgotten password."""
    codes = recovery.of_account(call.session, call.account).codes
    return Standing(passwords.profile(), codes.left, codes.made_at, codes.kept_at)


@operation("POST", "/account/recovery/codes", body=OwnPassword, answer=Codes, status=201, problems=PROBLEMS)
def new_recovery_codes(call: Call) -> Codes:
    """Make ten new recovery codes; those before are void."""
    return Codes(recovery.new_codes(call.session, call.account, call.body.password))


@operation("POST", "/account/recovery/kept", status=204)
def keep_recovery_codes(call: Call) -> None:
    """Say that the recovery codes are kept."""
    recovery.keep(call.session, call.account)
