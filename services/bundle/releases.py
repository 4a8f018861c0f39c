"""The Debian releases that nodes may run, and the errors of this package."""

from dataclasses import dataclass

from services.runtime.errors import Problem


@dataclass(frozen=True)
class Release:
    """One Debian release: its number, its suite's name, and the version of its own python3."""

    number: str
    suite: str
    python: str

    @property
    def name(self) -> str:
        """The stem of the release's file in a bundle."""
        return f"debian-{self.number}"


RELEASES = {
    "12": Release("12", "bookworm", "3.11"),
    "13": Release("13", "trixie", "3.13"),
}


def problem(code: str, what: str, why: str, remedy: str) -> Problem:
    """An error of bundle building or reading, with code `bundle-<code>`."""
    return Problem(f"bundle-{code}", what, why, remedy, status=500)
