"""A device's state in plain words: what it means and what to do."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Word:
    """`state` is one of the badges of the templates."""

    state: str
    text: str
    remedy: str


WORDS = {
    "checking": Word("Checking", "Its server is checking it.", "This takes a few seconds."),
    "online": Word("Online", "It answers and lets us in.", ""),
    "offline": Word("Offline", "It does not answer.", "See whether it has power and network."),
    "refused": Word(
        "Offline",
        "It answers, but refuses user or password.",
        "Remove it and add it with the right ones. "
        "So that it does not lock us out, it is asked again only every 10 minutes.",
    ),
    "unreachable": Word(
        "Offline",
        "Its server cannot reach that address.",
        "Check address, port and network, and the firewall between server and device.",
    ),
    "garbled": Word(
        "Offline",
        "Something answers, but not like a camera.",
        "Check the port: this may be another kind of device.",
    ),
}


def word(state: str) -> Word:
    """The words for a state; a state nobody described is shown as it is."""
    return WORDS.get(state, Word("Unknown", f"It is {state}.", ""))
