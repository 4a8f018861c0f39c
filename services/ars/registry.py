"""Who may register here, who has, who was refused, and who asks without being known."""

import logging
from collections import Counter, OrderedDict
from dataclasses import dataclass, field
from typing import Any

from services.ars.link import Link
from services.ars.login import Hello
from services.dms.refusals import Refusals
from services.runtime import clock

LOG = logging.getLogger(__name__)

MOST_ASKING, ASKING_SECONDS = 64, 600.0

ONLINE, OFFLINE, REFUSED, GARBLED = "online", "offline", "refused", "garbled"


@dataclass(frozen=True)
class Registration:
    """A device that an administrator added: it registers as `register_id`, and has this account."""

    device: str
    register_id: str
    username: str
    password: str = field(repr=False)
    changed_at: str = ""

    @property
    def account(self) -> tuple[str, str, str]:
        """What a connection depends on; a record that was only touched keeps it."""
        return self.register_id, self.username, self.password


@dataclass
class Asking:
    """Somebody who registers under an id that nobody added; nothing of it is proved."""

    register_id: str
    device_class: str
    address: str
    first: str
    last: str
    count: int = 1
    at: float = 0.0


@dataclass
class Registry:
    """All registrations of this node; `known` is None until DSS_DMS has told them for the first time."""

    refusals: Refusals
    known: dict[str, Registration] | None = None
    links: dict[str, Link] = field(default_factory=dict)
    asking: OrderedDict[str, Asking] = field(default_factory=OrderedDict)
    counts: Counter[str] = field(default_factory=Counter)
    _last: dict[str, tuple[str, str]] = field(default_factory=dict)

    def assign(self, registrations: list[Registration]) -> None:
        """Follow a new list: a device that was removed, moved, or has another account is hung up on."""
        self.known = {one.register_id: one for one in registrations}
        accounts = {one.device: one.account for one in registrations}
        for link in list(self.links.values()):
            if accounts.get(link.device) != link.account:
                link.end("It was removed, moved or changed by an administrator.")
        self._last = {device: last for device, last in self._last.items() if device in accounts}
        for register_id in self.known:
            self.asking.pop(register_id, None)

    def note_unknown(self, hello: Hello, address: str) -> None:
        """Keep an unknown id for the administrator; the oldest gives way."""
        now = clock.iso(clock.now())
        before = self.asking.pop(hello.id, None)
        first, count = (before.first, before.count + 1) if before else (now, 1)
        self.asking[hello.id] = Asking(
            hello.id, hello.device_class, address, first, now, count, clock.monotonic()
        )
        if len(self.asking) > MOST_ASKING:
            self.asking.popitem(last=False)

    def who_asks(self) -> list[Asking]:
        """Unknown ids of the last ten minutes, newest first."""
        oldest = clock.monotonic() - ASKING_SECONDS
        return [one for one in reversed(self.asking.values()) if one.at >= oldest]

    def enter(self, link: Link) -> None:
        """A device is logged in: its older connection, if there is one, gives way."""
        older = self.links.get(link.device)
        self.links[link.device] = link
        self._last.pop(link.device, None)
        if older:
            older.end("It registered anew.")

    def leave(self, link: Link) -> None:
        """A connection has ended."""
        if self.links.get(link.device) is link:
            del self.links[link.device]
            self.note_failure(link.device, OFFLINE, link.ended)

    def note_failure(self, device: str, state: str, reason: str) -> None:
        """Why a known device is not connected."""
        self._last[device] = (state, reason)

    def state(self, device: str) -> dict[str, Any]:
        """`{"device", "state", "reason", "peer", "since"}` of a known device."""
        link = self.links.get(device)
        if link and not link.ended:
            return _state(device, ONLINE, "", link.peer, clock.iso(link.since))
        state, reason = self._last.get(device, (OFFLINE, "It has not registered yet."))
        return _state(device, state, reason, None, None)


def _state(device: str, state: str, reason: str, peer: str | None, since: str | None) -> dict[str, Any]:
    return {"device": device, "state": state, "reason": reason, "peer": peer, "since": since}
