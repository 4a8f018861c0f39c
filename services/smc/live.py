"""Permission to look: a one-time token for one channel, and where to go with it."""

import secrets
import time
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from services.runtime import config
from services.runtime.errors import Problem
from services.runtime.live_token import LiveToken, sign_live
from services.smc import audit, models, nodes
from services.smc.accounts import Account

VALID = 30
STREAMS = ("main", "sub")
CONVERTED = "converted"
"""Small H.264 that a node makes of any camera."""
GATEWAY_SCOPE = "gateway/"


@dataclass(frozen=True)
class Urls:
    """The same stream from the LAN and, if the node has a mapping IP, from the WAN."""

    lan: str
    wan: str | None


@dataclass(frozen=True)
class LiveAnswer:
    """`ws` (WebSocket), `mp4` (an endless file) and `hls` (a playlist) are paths on the portal's own origin.

    They and the URLs hold the token already. It works once, for one of them, within `expires_in` seconds.
    `&audio=1` behind one of these asks for the sound too. `whep` is where a player of WebRTC posts its offer
    (RFC 9725). `gateway` is DSS_MGW's RTSP address for
    decoders on the LAN, with a token of its own: it sends them on to where the stream is by then.
    """

    token: str
    expires_in: int
    channel: str
    stream: str
    node: str
    ws: str
    rtsp: Urls
    rtsps: Urls
    mp4: str
    hls: str
    whep: str
    gateway: str | None = None


@dataclass(frozen=True)
class SnapshotAnswer:
    """`path`, on the portal's own origin, gives one JPEG within `expires_in` seconds; the token is in it.

    `&width=` in pixels may be put behind it. The answer's `X-Picture-Time` says when the picture came.
    """

    token: str
    expires_in: int
    channel: str
    stream: str
    node: str
    path: str


def open(
    session: Session, channel: str, account: Account, via: str = "portal", stream: str = "main"
) -> LiveAnswer:
    """A token for `account` to see `channel`; `via` (portal, api) goes to the audit log."""
    token, stream, node = _permitted(session, "live.open", channel, account, via, stream)
    return _answer(token, channel, stream, node, _gateway(session, account.name, channel, stream))


def snapshot(
    session: Session, channel: str, account: Account, via: str = "portal", stream: str = "main"
) -> SnapshotAnswer:
    """A token for `account` to get one picture of `channel`; else as `open`."""
    token, stream, node = _permitted(session, "live.snapshot", channel, account, via, stream)
    path = f"{prefix(node.name)}/snapshot/{channel}?stream={stream}&token={token}"
    return SnapshotAnswer(token, VALID, channel, stream, node.name, path)


def _permitted(
    session: Session, action: str, channel: str, account: Account, via: str, stream: str
) -> tuple[str, str, nodes.Node]:
    """A token, the stream it is for, and the node that has it; written to the audit log."""
    account.need("live.view")
    row, node = place(session, channel)
    stream = offered(row, stream)
    note(session, action, row, account, {"via": via, "stream": stream, "node": node.name})
    return token_for(account.name, channel, node.name), stream, node


def offered(row: models.Channel, stream: str) -> str:
    """That stream of a channel; its main stream where it has none of the name."""
    return stream if stream in (*row.streams.split(","), CONVERTED) else STREAMS[0]


def known(session: Session, channel: str, lock: bool = False) -> models.Channel:
    """The channel of exactly that id, locked until the transaction ends if that is asked; Problem 404."""
    row = session.get(models.Channel, channel[:20], with_for_update=lock or None)
    # MariaDB passes over blanks at the end.
    if row is None or row.id != channel:
        raise no_channel()
    return row


def place(session: Session, channel: str) -> tuple[models.Channel, nodes.Node]:
    """A channel, and the node that has its pictures and recordings; Problem 404, or 409 and why not."""
    row = known(session, channel)
    return row, ready(session, carrying(session, row).node)


def note(
    session: Session, action: str, row: models.Channel, account: Account, details: dict[str, Any]
) -> None:
    """Write to the audit log what somebody did with a channel."""
    audit.write(session, action, f"{row.name} ({row.id})", actor=account.name, source=account.source,
                details=details)  # fmt: skip


def carrying(session: Session, channel: models.Channel) -> models.Device:
    """The device of a channel; Problem 409 where no pictures come from it."""
    device = session.get_one(models.Device, channel.device_id)
    if device.kind == "register":
        raise Problem(
            "picture-not-carried", "This channel has no picture here.",
            "Its device registers by itself, and this release carries no pictures through that connection.",
            "Where the device's server can reach it by an address, add it by that address.", status=409,
        )  # fmt: skip
    return device


def ready(session: Session, name: str) -> nodes.Node:
    """The node that has pictures or recordings; Problem 409 if it is not enabled or not heard of."""
    nodes.need_enabled(session, name)
    node = nodes.get(session, name)
    if node.reach == "unreachable":
        raise Problem(
            "node-unreachable", f"The node {name} cannot be reached.",
            f"It has the pictures of this channel, and has not been heard of for {_ago(node.age)}.",
            "See on the Topology page whether it runs and its network is whole.", status=409,
        )  # fmt: skip
    return node


def _ago(age: float | None) -> str:
    return "more than 30 seconds" if age is None else f"{age:.0f} seconds"


def token_for(user: str, channel: str, node: str) -> str:
    """A token that works once, on one node, for `VALID` seconds."""
    key = config.credential("media-key")
    return sign_live(key, LiveToken(user, channel, node, time.time() + VALID, secrets.token_hex(16)))


def _answer(token: str, channel: str, stream: str, node: nodes.Node, gateway: str | None) -> LiveAnswer:
    path = f"live/{channel}/{stream}?token={token}"
    rtsp, rtsps = players(node, path)
    return LiveAnswer(
        token, VALID, channel, stream, node.name,
        ws=f"{prefix(node.name)}/{path}",
        mp4=f"{prefix(node.name)}/live/{channel}/{stream}.mp4?token={token}",
        hls=f"{prefix(node.name)}/hls/{channel}/{stream}/index.m3u8?token={token}",
        whep=f"{prefix(node.name)}/whep/{channel}/{stream}?token={token}",
        rtsp=rtsp, rtsps=rtsps, gateway=gateway,
    )  # fmt: skip


def prefix(node: str, service: str = "mts") -> str:
    """Where DSS_NGINX of main has a service of a node."""
    return f"/{service}" if node == config.load_node().name else f"/nodes/{node}/{service}"


def players(node: nodes.Node, path: str) -> tuple[Urls, Urls]:
    """Where the DSS_MTS of a node serves a path: by RTSP, and by RTSPS."""
    ports = node.beat.get("ports", {}).get("mts") or config.load_service("mts").ports
    return urls("rtsp", node, ports["rtsp"], path), urls("rtsps", node, ports["rtsps"], path)


def gateway_port() -> int | None:
    """Where decoders are told the way on main; None on a site without DSS_MGW."""
    try:
        return config.load_service("mgw").ports["decoder"]
    except (Problem, KeyError):
        return None


def _gateway(session: Session, user: str, channel: str, stream: str) -> str | None:
    """The address of a stream there, with a token of its own."""
    if (port := gateway_port()) is None:
        return None
    own = config.load_node().name
    path = f"live/{channel}/{stream}?token={token_for(user, GATEWAY_SCOPE + channel, own)}"
    return urls("rtsp", nodes.get(session, own), port, path).lan


def urls(scheme: str, node: nodes.Node, port: int, path: str) -> Urls:
    """Where players find a path of a node."""
    wan = f"{scheme}://{_host(node.mapping_ip)}:{port}/{path}" if node.mapping_ip else None
    # A node with several networks serves players on the one for clients alone.
    lan = node.addresses.get("client", node.address)
    return Urls(f"{scheme}://{_host(lan)}:{port}/{path}", wan)


def _host(address: str) -> str:
    return f"[{address}]" if ":" in address else address


def no_channel() -> Problem:
    """There is none of that id."""
    return Problem(
        "channel-unknown", "There is no such channel.", "Its device was removed, or the id is wrong.",
        "Look at the list of devices.", status=404,
    )  # fmt: skip
