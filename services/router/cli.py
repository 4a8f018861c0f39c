"""Bringing a router with a command line to what is wanted: read, compare, change, verify, or undo."""

import difflib
from dataclasses import dataclass
from typing import Protocol

Lines = tuple[str, ...]
"""What of a router's configuration is ours, in the router's own words."""


class RouterError(Exception):
    """What happened, why, and what to do."""

    def __init__(self, what: str, why: str, remedy: str) -> None:
        super().__init__(f"{what} {why} {remedy}")


class Talk(Protocol):
    """A connection to a router; both raise RouterError when the router refuses or is silent."""

    def run(self, command: str, text: str = "") -> str:
        """Output of one command in a channel of its own, `text` is its input."""
        ...

    def ask(self, command: str) -> str:
        """Output of one line typed into the interactive session."""
        ...


class Dialect(Protocol):
    """The commands of one vendor."""

    def have(self, talk: Talk) -> Lines: ...

    def change(self, talk: Talk, have: Lines, want: Lines) -> None: ...

    def keep(self, talk: Talk) -> None: ...


@dataclass(frozen=True)
class Outcome:
    """What was, or in a dry run would be, changed: both states, one line an object."""

    before: Lines
    after: Lines

    @property
    def changed(self) -> bool:
        return sorted(self.before) != sorted(self.after)

    def diff(self) -> str:
        """A unified difference."""
        lines = difflib.unified_diff(
            sorted(self.before), sorted(self.after), "router", "inventory", lineterm=""
        )
        return "\n".join(lines)


def settle(talk: Talk, dialect: Dialect, want: Lines, dry: bool = False) -> Outcome:
    """Make `want` all that is ours on the router. RouterError when it cannot be; then all is as before."""
    outcome = Outcome(dialect.have(talk), want)
    if not outcome.changed or dry:
        return outcome
    try:
        dialect.change(talk, outcome.before, want)
        _verify(dialect.have(talk), want)
        dialect.keep(talk)
    except RouterError as problem:
        raise RouterError(
            str(problem), undo(talk, dialect, outcome.before), "Then run it again; nothing else was touched."
        ) from problem
    return outcome


def _verify(now: Lines, want: Lines) -> None:
    if sorted(now) != sorted(want):
        odd = sorted({*now} ^ {*want})
        raise RouterError(
            f"The router took the commands, but {len(odd)} lines are not as wanted: {odd[0]!r}.",
            "Its software may write them in another way.",
            "Compare the difference of a dry run with its configuration.",
        )


def undo(talk: Talk, dialect: Dialect, before: Lines) -> str:
    """Back to `before`; says how that went."""
    try:
        now = dialect.have(talk)
        if sorted(now) != sorted(before):
            dialect.change(talk, now, before)
            dialect.keep(talk)
            _verify(dialect.have(talk), before)
    except RouterError as problem:
        return f"It could not be undone either: {problem} Look at the router."
    return "Everything of ours on the router is again as it was before."
