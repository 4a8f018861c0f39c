"""Admission by one-time tokens: signed by main, for this node and one channel, accepted once."""

import time

from services.media.players import Players
from services.runtime.errors import Problem
from services.runtime.live_token import LiveToken, verify_live

MAX_REMEMBERED = 100_000


class Gate:
    """Verifies tokens with main's public key and remembers used ones until they expire.

    `scope` stands before the channel in a token, so that one for recordings opens no live picture and
    the other way round; live pictures have none.
    """

    def __init__(self, node: str, scope: str = "") -> None:
        self.public_key: str | None = None
        self.players = Players()
        self._node = node
        self._scope = scope
        self._used: dict[str, float] = {}

    def admit(self, text: str, channel: str) -> LiveToken:
        """Use up a token for a channel; raises Problem with a plain reason."""
        if self.public_key is None:
            raise refused("This node does not know the key of its main node yet.", status=503)
        now = time.time()
        token = verify_live(self.public_key, text, now)
        if token.node != self._node:
            raise refused("Its token was issued for another node.")
        if token.channel != self._scope + channel:
            raise refused("Its token was issued for another channel.")
        self._use(token, now)
        return token

    def _use(self, token: LiveToken, now: float) -> None:
        if token.nonce in self._used:
            raise refused("Its token was used before: each token opens one viewing.")
        if len(self._used) >= MAX_REMEMBERED:
            self._used = {nonce: expires for nonce, expires in self._used.items() if expires > now}
        if len(self._used) >= MAX_REMEMBERED:
            raise refused("Too many viewings were opened at once.", status=503)
        self._used[token.nonce] = token.expires


def refused(why: str, status: int = 403) -> Problem:
    """The one text for every refusal, with its reason."""
    what = "The picture was refused."
    return Problem("live-token-refused", what, why, "Open the channel again.", status=status)
