"""Accounts of players: decoders and other programs that open one RTSP address again and again."""

import logging
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from services.media.digest import Challenges, Proof, hashes

LOG = logging.getLogger(__name__)

HEADER = "x-players"
"""Of `GET /channels` of DSS_DMS: changes when `GET /players` does, which then alone is asked for again."""
PREFIX = "player/"
"""Begins the user of a token that was made for such an account; no name of a person holds a slash."""
MOST = 64
"""Connections of one account at once."""
_NOBODY = hashes("", secrets.token_hex(16))


@dataclass(frozen=True)
class Player:
    """One account; `channels` None means all, `ends` is in Unix seconds, `hashes` as of `digest.hashes`."""

    name: str
    hashes: dict[str, str] = field(repr=False)
    channels: frozenset[str] | None
    recordings: bool
    ends: float | None

    def may(self, channel: str, recorded: bool) -> bool:
        """Whether it may see a channel, or its recordings."""
        return (self.channels is None or channel in self.channels) and (self.recordings or not recorded)

    def over(self, now: float) -> bool:
        """Whether its time is over."""
        return self.ends is not None and now >= self.ends


@dataclass(frozen=True, eq=False)
class Viewing:
    """One connection of an account; `leave` ends it and is given the reason."""

    player: Player
    channel: str
    recorded: bool
    leave: Callable[[str], None]


class Players:
    """The accounts that this node knows, and who is connected with them."""

    def __init__(self) -> None:
        self.challenges = Challenges()
        self._known: dict[str, Player] = {}
        self._open: set[Viewing] = set()

    def __bool__(self) -> bool:
        """Whether there is any account."""
        return bool(self._known)

    def take(self, rows: list[dict[str, Any]]) -> None:
        """What DSS_DMS says of them; KeyError or TypeError leaves all as it was."""
        self._known = {one.name: one for one in map(_player, rows)}
        self.sweep()

    def sweep(self) -> None:
        """End the connections of those who may not go on."""
        now = time.time()
        for one in [one for one in self._open if self._reason(one, now)]:
            self._open.discard(one)
            one.leave(self._reason(one, now))

    def proven(self, proof: Proof, method: str) -> Player | None:
        """The account whose secret somebody has; None if name or secret is wrong, or its time is over."""
        found = self._known.get(proof.name)
        right = proof.right(found.hashes if found else _NOBODY, method)
        return found if right and found and not found.over(time.time()) else None

    def named(self, user: str) -> Player | None:
        """The account behind the user of a token; None for a person's."""
        return self._known.get(user.removeprefix(PREFIX)) if user.startswith(PREFIX) else None

    def full(self, player: Player) -> bool:
        """Whether as many are connected with an account as may be."""
        return sum(one.player.name == player.name for one in self._open) >= MOST

    def enter(self, viewing: Viewing) -> None:
        """Count a connection, and end it when its account may no longer see what it shows."""
        self._open.add(viewing)

    def left(self, viewing: Viewing) -> None:
        """A connection ended by itself."""
        self._open.discard(viewing)

    def _reason(self, one: Viewing, now: float) -> str:
        found = self._known.get(one.player.name)
        if found is None:
            return "was removed or switched off"
        if found.hashes != one.player.hashes:
            return "has another secret now"
        if not found.may(one.channel, one.recorded):
            return "may not see this any more"
        return "is over" if found.over(now) else ""


def _player(row: dict[str, Any]) -> Player:
    channels = row["channels"]
    return Player(str(row["name"]), {str(k): str(v) for k, v in row["hashes"].items()},
                  None if channels is None else frozenset(map(str, channels)), bool(row["recordings"]),
                  None if row["ends"] is None else float(row["ends"]))  # fmt: skip
