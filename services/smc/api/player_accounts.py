"""Accounts of RTSP players."""

from dataclasses import dataclass
from typing import Annotated

from services.smc import player_accounts
from services.smc.api.bookmarks import ChannelId
from services.smc.api.recordings import Milliseconds
from services.smc.api.route import Call, operation
from services.smc.api.schema import Items, Text
from services.smc.player_accounts import PERMISSION, PlayerAccount, PlayerSecret, Rights

Channels = Annotated[list[ChannelId], Items(1, player_accounts.MOST_CHANNELS)]


@dataclass(frozen=True)
class PlayerRights:
    """What an account may; `channels` null for all cameras, `ends` in milliseconds since 1970 or null."""

    channels: Channels | None
    recordings: bool = False
    enabled: bool = True
    ends: Milliseconds | None = None

    @property
    def rights(self) -> Rights:
        """The same, for the service."""
        return Rights(self.channels, self.recordings, self.enabled, self.ends)


@dataclass(frozen=True)
class NewPlayer:
    """An account to make."""

    name: Annotated[str, Text(1, 32, "[A-Za-z][A-Za-z0-9._-]*")]
    rights: PlayerRights


@operation("GET", "/player-accounts", answer=list[PlayerAccount], permission=PERMISSION)
def list_player_accounts(call: Call) -> list[PlayerAccount]:
    """All accounts of RTSP players, without their secrets."""
    return player_accounts.listing(call.session, call.account)


@operation("POST", "/player-accounts", body=NewPlayer, answer=PlayerSecret, permission=PERMISSION,
           problems=(404, 409))  # fmt: skip
def add_player_account(call: Call) -> PlayerSecret:
    """Make an account; its secret is told in this answer alone."""
    body: NewPlayer = call.body
    return player_accounts.add(call.session, body.name, body.rights.rights, call.account)


@operation("PUT", "/player-accounts/<name>", body=PlayerRights, answer=PlayerAccount, permission=PERMISSION,
           problems=(404,))  # fmt: skip
def change_player_account(call: Call, name: str) -> PlayerAccount:
    """Give an account other rights; players that see what it may no longer see are sent away."""
    body: PlayerRights = call.body
    return player_accounts.change(call.session, name, body.rights, call.account)


@operation("POST", "/player-accounts/<name>/secret", answer=PlayerSecret, permission=PERMISSION,
           problems=(404,))  # fmt: skip
def renew_player_secret(call: Call, name: str) -> PlayerSecret:
    """Make another secret; players with the one before are sent away."""
    return player_accounts.renew(call.session, name, call.account)


@operation("DELETE", "/player-accounts/<name>", status=204, permission=PERMISSION, problems=(404,))
def remove_player_account(call: Call, name: str) -> None:
    """Remove an account; its players are sent away."""
    player_accounts.remove(call.session, name, call.account)
