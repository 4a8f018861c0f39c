"""How soon a password is guessed, by zxcvbn (Wheeler, USENIX Security 2016).

It knows lists of passwords from breaches, of words and names, and what people do to them: capitals, l33t,
reversal, repeats, runs, dates, keyboard rows.

Nothing is asked of a network. The lists would stay in the process for ever, so a child has them, for
80 ms; it gets the password on its standard input, which no other user sees.
"""

import json
import subprocess
import sys

from services.runtime.errors import Problem

ENOUGH = 3
"""zxcvbn's score from 0 to 4; 3 is safe for a hash that is slow: 10^8 guesses and more."""
# The time grows with the cube of the length. A part that is strong enough makes the whole so.
WINDOW = 40
SECONDS = 10


def is_guessable(password: str, names: list[str]) -> bool:
    """Whether it takes few guesses; `names` are words of this place that a guesser tries first."""
    asked = json.dumps([password, [word for name in names for word in (name, *name.split())]])
    # -I: root may stand in a folder where somebody else has put modules.
    words = [sys.executable, "-IB", "-m", __name__]
    try:
        done = subprocess.run(words, input=asked, capture_output=True, text=True, timeout=SECONDS, check=True)
        return int(done.stdout) < ENOUGH
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        # Without the error itself as the cause: it holds what the child was given.
        raise _unknown(type(error).__name__) from None


def score(password: str, names: list[str]) -> int:
    """zxcvbn's score of the better end of `password`, 0 to 4."""
    from zxcvbn import zxcvbn

    best = 0
    for part in dict.fromkeys((password[:WINDOW], password[-WINDOW:])):
        if best < ENOUGH:
            best = max(best, int(zxcvbn(part, user_inputs=names)["score"]))
    return best


def _unknown(error: str) -> Problem:
    return Problem(
        "password-unchecked",
        "The password could not be checked.",
        f"The search in the list of known passwords did not end ({error}).",
        "Try again in a moment; if it happens again, look at the log of the portal.",
        status=503,
    )


if __name__ == "__main__":
    print(score(*json.load(sys.stdin)))
