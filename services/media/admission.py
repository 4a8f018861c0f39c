"""Who may open an RTSP address: holders of a token, or of an account's secret; and how many at once."""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from services.media import digest
from services.media.gate import Gate
from services.media.players import PREFIX, Player, Viewing
from services.runtime.rtsp_message import Message

LOG = logging.getLogger(__name__)

WRONG_SECONDS = 1.0
"""How long who names a wrong secret waits for the answer."""


@dataclass
class Limits:
    """Bounds on connections, so that nobody can use them up."""

    total: int = 2000
    per_address: int = 200
    open: Counter[str] = field(default_factory=Counter)

    def enter(self, address: str) -> bool:
        if self.open.total() >= self.total or self.open[address] >= self.per_address:
            return False
        self.open[address] += 1
        return True

    def leave(self, address: str) -> None:
        self.open[address] -= 1
        if self.open[address] <= 0:
            del self.open[address]


class Refusal(Exception):  # noqa: N818 - an answer, not an accident
    """Ends a request with a status other than 200."""

    def __init__(
        self, status: int, why: str = "", headers: Mapping[str, str | list[str]] | None = None
    ) -> None:
        super().__init__(why)
        self.status = status
        self.headers = dict(headers or {})


class Admission:
    """How one connection was let in, and as whom."""

    def __init__(self, gate: Gate, recorded: bool, leave: Callable[[str], None]) -> None:
        """`recorded`: whether it is for recordings; `leave` is called with a reason when it may not go on."""
        self._gate = gate
        self._recorded = recorded
        self._leave = leave
        self._viewing: Viewing | None = None
        self.user = ""
        """A person's name, or `PREFIX` and that of a player's account."""

    async def admit(self, message: Message, token: str, channel: str, address: str) -> None:
        """Let a request for a channel in; Problem or Refusal if not, which may ask for name and secret."""
        players = self._gate.players
        if token or not players:
            self.user = self._gate.admit(token, channel).user
            player = players.named(self.user)
        else:
            player = await self._proven(message, address)
            self.user = PREFIX + player.name
        if self.user.startswith(PREFIX):
            self._enter(player, channel)

    def part(self) -> None:
        """The connection ended, or begins anew."""
        if self._viewing:
            self._gate.players.left(self._viewing)
        self._viewing = None

    async def _proven(self, message: Message, address: str) -> Player:
        """Whose name and secret came with a request; a Refusal asks for them."""
        players, (method, uri) = self._gate.players, message.request
        if (proof := digest.read(message.get("authorization"))) is None:
            raise self._challenge(address)
        fresh = players.challenges.use(proof.nonce, address)
        player = players.proven(proof, method) if proof.uri == uri else None
        if player is None:
            LOG.warning("a player from %s has no right secret for the account %.64r", address, proof.name)
            await asyncio.sleep(WRONG_SECONDS)
        if player is None or not fresh:
            raise self._challenge(address, stale=player is not None)
        return player

    def _challenge(self, address: str, stale: bool = False) -> Refusal:
        asked = self._gate.players.challenges.new(address, stale)
        return Refusal(401, headers={"WWW-Authenticate": asked})

    def _enter(self, player: Player | None, channel: str) -> None:
        """Count a connection for its account, from now until one of both ends."""
        self.part()
        if player is None or not player.may(channel, self._recorded):
            raise Refusal(403, f"{self.user} may not see {channel}")
        if self._gate.players.full(player):
            raise Refusal(503, f"{self.user} has too many connections")
        self._viewing = Viewing(player, channel, self._recorded, self._sent_away)
        self._gate.players.enter(self._viewing)

    def _sent_away(self, why: str) -> None:
        self._leave(f"{self.user} {why}")
