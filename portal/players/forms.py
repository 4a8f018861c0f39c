"""The form of an account of players."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from services.smc.player_accounts import PlayerAccount, Rights


@dataclass
class PlayerForm:
    """An account as typed; `ends` is its last day, YYYY-MM-DD in UTC, or empty."""

    name: str = ""
    every: bool = True
    channels: tuple[str, ...] = ()
    recordings: bool = False
    enabled: bool = True
    ends: str = ""
    wrong: str = ""

    @classmethod
    def read(cls, form: Mapping[str, str], channels: list[str]) -> "PlayerForm":
        """From the submitted form, and the channels that are ticked in it."""
        return cls(
            form.get("name", "").strip(), form.get("which") != "some", tuple(channels),
            form.get("recordings") == "on", form.get("enabled") == "on", form.get("ends", "").strip(),
        )  # fmt: skip

    @classmethod
    def of(cls, one: PlayerAccount) -> "PlayerForm":
        """As it is kept."""
        last = datetime.fromtimestamp(one.ends / 1000 - 1, UTC).date().isoformat() if one.ends else ""
        return cls(
            one.name, one.channels is None, tuple(one.channels or ()), one.recordings, one.enabled, last
        )

    def rights(self) -> Rights:
        """What is asked for; ValueError says what cannot be read."""
        ends = None
        if self.ends:
            try:
                day = datetime.strptime(self.ends, "%Y-%m-%d").replace(tzinfo=UTC)
                ends = round((day + timedelta(days=1)).timestamp() * 1000)
            except (ValueError, OverflowError) as error:
                raise ValueError(f"{self.ends[:20]!r} is no day such as 2027-01-31.") from error
        return Rights(None if self.every else list(self.channels), self.recordings, self.enabled, ends)
