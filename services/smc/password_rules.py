"""What the two password profiles ask for: `classic` as the manual has it, `modern` as NIST SP 800-63B-4 and
OWASP ASVS 5.0 do.
"""

from dataclasses import dataclass
from itertools import pairwise

from services.smc import strength

CLASSIC, MODERN = "classic", "modern"
LENGTH = {CLASSIC: (8, 32), MODERN: (15, 128)}
"""Characters, both included."""
BARRED = "'\";:&"
RUN = 3


@dataclass(frozen=True)
class Rule:
    """One rule, what it says, and whether the password keeps it (None: not looked at yet)."""

    rule: str
    text: str
    kept: bool | None


def classic(password: str, account: str) -> list[Rule]:
    """Two classes of visible characters, without what is easily seen or guessed."""
    folded, name = password.casefold(), account.casefold()
    named = {name, name[::-1]} - {""}
    broken = [
        ("blank", has_blank(password), "It must not hold blanks or control characters."),
        ("barred", any(c in BARRED for c in password), "It must not hold any of ' \" ; : &."),
        ("classes", classes(password) < 2, "It needs two of: upper case, lower case, digits, special ones."),
        ("account-name", folded in named, "It must not be the account name or its reverse."),
        ("run", has_run(folded), "It must not hold three neighbours of alphabet or digits (abc, 321)."),
        ("repeat", has_repeat(password), "It must not hold the same character three times in a row (111)."),
    ]  # fmt: skip
    return [_length(password, CLASSIC), *(Rule(rule, text, not bad) for rule, bad, text in broken)]


def modern(password: str, account: str, places: list[str]) -> list[Rule]:
    """Long, and no known password; `places` are names of this site that a guesser tries first.

    Looking it up costs 80 ms of a core, so it is done only for one that is long enough.
    """
    length = _length(password, MODERN)
    kept = None if not length.kept else not strength.is_guessable(password, [account, *places])
    text = (
        "It must not be a known password, or be made of known ones, names, repeats or runs so that it is "
        "soon guessed. Four or more words that have nothing to do with each other are good."
    )
    return [length, Rule("known", text, kept)]


def has_blank(text: str) -> bool:
    """Whether a character cannot be seen."""
    return any(c.isspace() or not c.isprintable() for c in text)


def classes(password: str) -> int:
    """How many of upper case, lower case, digits and special characters occur."""
    kinds = {
        "upper" if c.isupper() else "lower" if c.islower() else "digit" if c.isdigit() else "special"
        for c in password
    }
    return len(kinds)


def has_run(text: str) -> bool:
    """Whether three neighbours climb or fall by one, as 123, abc or cba do; letters and digits only."""
    return any(_steps(text[at : at + RUN]) in ({1}, {-1}) for at in range(len(text) - RUN + 1))


def has_repeat(text: str) -> bool:
    """Whether one character stands three times in a row."""
    return any(len(set(text[at : at + RUN])) == 1 for at in range(len(text) - RUN + 1))


def _length(password: str, profile: str) -> Rule:
    least, most = LENGTH[profile]
    return Rule("length", f"It needs {least} to {most} characters.", least <= len(password) <= most)


def _steps(part: str) -> set[int]:
    if not (part.isascii() and (part.isdigit() or part.isalpha())):
        return set()
    return {ord(b) - ord(a) for a, b in pairwise(part)}
