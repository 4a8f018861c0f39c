"""Devices as main assigns them, and the address of each picture."""

import hashlib
import json
from dataclasses import dataclass, field, fields
from typing import Any

from services.runtime.http import join_host_port

SUBTYPES = {"main": 0, "sub": 1}
KINDS = {"rtsp", "dahua", "register"}


@dataclass(frozen=True)
class Channel:
    """One picture source of a device; `number` counts from 1.

    `plan` is its recording plan as main gave it, passed on unread; `record` the word of it that older
    releases know. Neither says anything of the connection, so a change of them asks for no new check.
    """

    id: str
    name: str
    number: int
    streams: tuple[str, ...]
    record: str = field(default="off", compare=False, repr=False)
    plan: dict[str, Any] | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True)
class Device:
    """One device; `kind` is rtsp (with `url`), dahua (host and ports) or register (`register_id`)."""

    id: str
    name: str
    kind: str
    url: str | None
    host: str
    port: int
    rtsp_port: int
    username: str
    password: str
    channels: tuple[Channel, ...]
    changed_at: str = ""
    register_id: str | None = None

    def storage(self, channel: Channel) -> dict[str, Any] | None:
        """Where a channel's recordings in the device are asked for; None where that cannot be."""
        if self.kind != "dahua":
            return None
        return {"host": self.host, "port": self.port, "rtsp_port": self.rtsp_port, "number": channel.number}

    def source(self, channel: Channel, stream: str) -> str:
        """RTSP URL of a channel's main or sub stream, without user and password.

        Empty for a device that registers by itself: this release carries no picture through its connection.
        """
        if self.kind != "dahua":
            return self.url or ""
        where = join_host_port(self.host, self.rtsp_port)
        return f"rtsp://{where}/cam/realmonitor?channel={channel.number}&subtype={SUBTYPES[stream]}"


@dataclass(frozen=True)
class Players:
    """The accounts of RTSP players, passed on unread; `tag` changes with them."""

    rows: list[dict[str, Any]]
    tag: str


@dataclass(frozen=True)
class Assignment:
    """What main last said: whether this node works, the key of live tokens, its devices, and its players."""

    enabled: bool
    media_public_key: str
    devices: tuple[Device, ...]
    players: Players = Players([], "none")


def read(data: Any) -> Assignment:  # noqa: ANN401 - what a peer sent
    """The assignment in a JSON value; ValueError if it does not have the form of interfaces.md §5."""
    try:
        return Assignment(
            bool(data["enabled"]),
            str(data["media_public_key"]),
            tuple(_device(one) for one in data["devices"]),
            _players(data.get("players", [])),
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"the assignment is not complete: {error!r}") from error


def _players(rows: list[dict[str, Any]]) -> Players:
    # A main of an earlier release names none.
    text = json.dumps(rows, sort_keys=True)
    return Players(rows, hashlib.sha256(text.encode()).hexdigest()[:16])


def _device(data: dict[str, Any]) -> Device:
    known = {one.name for one in fields(Device)}
    kept = {key: value for key, value in data.items() if key in known and key != "channels"}
    if data["kind"] not in KINDS:
        raise ValueError(f"the device kind {data['kind']!r} is not known to this release")
    return Device(**kept, channels=tuple(_channel(one) for one in data["channels"]))


def _channel(data: dict[str, Any]) -> Channel:
    streams = tuple(stream for stream in data["streams"] if stream in SUBTYPES)
    # A main of an earlier release plans no recordings.
    word, plan = str(data.get("record", "off")), data.get("plan")
    kept = plan if isinstance(plan, dict) else None
    return Channel(str(data["id"]), str(data["name"]), int(data["number"]), streams, word, kept)
