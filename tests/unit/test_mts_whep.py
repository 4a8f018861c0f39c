"""WebRTC in parts: what is taken of an offer, whose a datagram is, and how pictures become packets."""

import asyncio
import socket
import struct
import subprocess
import sys
from typing import Any

import pytest
from aioice import stun

from services.mts.chunk import RTP, Chunk
from services.mts.stream import Origin, Stream
from services.mts.webrtc import bound
from services.mts.whep import ice, offer
from services.mts.whep.ice import Doors, Lite
from services.mts.whep.media import MAX_WAITING, Clock, Feed, Track
from services.runtime.errors import Problem

VIDEO = {"kind": "video", "codec": "H264", "channel": 0, "sets": ["674d001f", "68ee3c80"]}
PCMA = {"kind": "audio", "codec": "PCMA", "channel": 2, "sets": []}
AAC = PCMA | {"codec": "MPEG4-GENERIC"}
HEAD = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0 1\r\n"
REST = "c=IN IP4 0.0.0.0\r\na=ice-ufrag:abcd\r\na=ice-pwd:abcdefghijklmnopqrstuv\r\na=setup:actpass\r\n"
PRINT = "a=fingerprint:sha-256 " + ":".join(["AB"] * 32) + "\r\n"
MODES = (
    "a=rtpmap:102 H264/90000\r\na=fmtp:102 packetization-mode=1;profile-level-id=42001f\r\n"
    "a=rtpmap:103 H264/90000\r\na=fmtp:103 packetization-mode=0;profile-level-id=4d001f\r\n"
    "a=rtpmap:104 H264/90000\r\na=fmtp:104 packetization-mode=1;profile-level-id=4d001f\r\n"
    "a=rtpmap:96 VP8/90000\r\n"
)
PICTURE = f"m=video 9 UDP/TLS/RTP/SAVPF 96 102 103 104\r\n{REST}{PRINT}a=mid:0\r\na=recvonly\r\n{MODES}"
SOUNDS = "a=rtpmap:111 opus/48000/2\r\na=rtpmap:8 PCMA/8000\r\n"
SOUND = f"m=audio 9 UDP/TLS/RTP/SAVPF 111 8\r\n{REST}{PRINT}a=mid:1\r\na=recvonly\r\n{SOUNDS}"
DATA = f"m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\n{REST}{PRINT}a=mid:2\r\na=sctp-port:5000\r\n"


def answered(text: str, tracks: list[dict[str, Any]]) -> str:
    read = offer.read(text, tracks)
    ssrcs = {"video": 1, "audio": 2}
    return offer.answer(
        read, ("name", "word"), [("sha-256", "AA")], ssrcs, [("192.0.2.1", 9103), ("203.0.113.9", 9103)]
    )


def test_the_answer_takes_the_cameras_profile_and_names_both_addresses() -> None:
    text = answered(HEAD + PICTURE + SOUND, [VIDEO, PCMA])
    assert "m=video 9103 UDP/TLS/RTP/SAVPF 104\r\n" in text
    assert "m=audio 9103 UDP/TLS/RTP/SAVPF 8\r\n" in text
    assert "a=group:BUNDLE 0 1\r\n" in text
    for host in ("192.0.2.1", "203.0.113.9"):
        assert text.count(f" {host} 9103 typ host") == 2
    assert "VP8" not in text


@pytest.mark.parametrize("tracks", [[VIDEO], [VIDEO, AAC]])
def test_sound_that_is_not_there_or_not_carried_and_data_are_declined(tracks: list[dict[str, Any]]) -> None:
    text = answered(HEAD + PICTURE + SOUND + DATA, tracks)
    assert "m=audio 0 " in text
    assert "m=application 0 " in text
    assert "a=group:BUNDLE 0\r\n" in text


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("", 400),
        ("v=0", 400),
        (HEAD, 400),
        (HEAD + PICTURE.replace(PRINT, ""), 400),
        (HEAD + PICTURE.replace("a=mid:0", "a=mid:" + "x" * 70), 400),
        (HEAD + DATA * 20, 400),
        (HEAD + SOUND, 406),
        (HEAD + PICTURE.replace("recvonly", "sendonly"), 406),
        (HEAD + PICTURE.replace("packetization-mode=1", "packetization-mode=0"), 406),
    ],
)
def test_an_offer_that_cannot_be_answered_is_refused_with_its_reason(text: str, status: int) -> None:
    with pytest.raises(Problem) as refused:
        offer.read(text, [VIDEO])
    assert refused.value.status == status
    assert refused.value.why
    assert refused.value.remedy


class Wire:
    """Doors on a real socket of loopback, and players with sockets of their own."""

    def __init__(self) -> None:
        self.sockets = bound(0, None)
        self.doors = Doors(self.sockets)
        self.doors.open()
        self.to = ("127.0.0.1", self.sockets[0].getsockname()[1])

    def player(self) -> socket.socket:
        made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        made.bind(("127.0.0.1", 0))
        made.setblocking(False)
        made.connect(self.to)
        return made

    async def asked(self, player: socket.socket, data: bytes, seconds: float = 2) -> bytes | None:
        """What comes back for a datagram, None for nothing in so long."""
        player.send(data)
        try:
            return await asyncio.wait_for(asyncio.get_running_loop().sock_recv(player, 2048), seconds)
        except TimeoutError:
            return None


@pytest.fixture
async def wire() -> Any:  # noqa: ANN401 - pytest's generators
    made = Wire()
    yield made
    for one in made.sockets:
        asyncio.get_running_loop().remove_reader(one)
        one.close()


def check(way: Lite, password: str = "", nominate: bool = True, name: str = "") -> bytes:
    request = stun.Message(stun.Method.BINDING, stun.Class.REQUEST)
    request.attributes["USERNAME"] = f"{name or way.name}:abcd"
    if nominate:
        request.attributes["USE-CANDIDATE"] = None
    request.add_message_integrity((password or way.password).encode())
    return bytes(request)


async def test_each_datagram_reaches_the_session_whose_password_its_sender_has(wire: Wire) -> None:
    first, second = wire.doors.add(), wire.doors.add()
    one, two = wire.player(), wire.player()
    answer = await wire.asked(one, check(first))
    assert answer
    said = stun.parse_message(answer)
    assert said.check_message_integrity(first.password.encode())
    assert said.attributes["XOR-MAPPED-ADDRESS"] == one.getsockname()
    assert await wire.asked(two, check(second))
    one.send(b"\x80 of one")
    two.send(b"\x80 of two")
    assert await asyncio.wait_for(second._recv(), 1) == b"\x80 of two"
    assert await asyncio.wait_for(first._recv(), 1) == b"\x80 of one"
    await first._send(b"to one")
    await second._send(b"to two")
    assert (one.recv(99), two.recv(99)) == (b"to one", b"to two")
    one.close()
    two.close()


async def test_nothing_is_sent_to_who_has_proved_nothing(wire: Wire) -> None:
    way, stranger = wire.doors.add(), wire.player()
    bare = stun.Message(stun.Method.BINDING, stun.Class.REQUEST)
    bare.attributes["USERNAME"] = f"{way.name}:abcd"
    long = b"\x00\x01\xff\xff" + stun.COOKIE.to_bytes(4, "big") + bytes(12)
    unproved = [check(way, "wrong"), check(way, name="nobody"), bytes(bare), check(way)[:-5]]
    for data in (*unproved, b"\x16\xfe\xfd", b"", long):
        assert await wire.asked(stranger, data, 0.05) is None
    with pytest.raises(ConnectionError):
        await way._send(b"media")
    assert not way._waiting
    stranger.close()


async def test_a_player_that_changes_its_address_is_followed_and_has_few_of_them(wire: Wire) -> None:
    way, players = wire.doors.add(), [wire.player() for _ in range(20)]
    heard = [await wire.asked(one, check(way)) for one in players[:16]]
    assert None not in heard
    assert [await wire.asked(one, check(way), 0.05) for one in players[16:]] == [None] * 4
    await way._send(b"media")
    assert players[15].recv(99) == b"media"
    assert await wire.asked(players[3], check(way, nominate=False))
    await way._send(b"more")
    assert players[15].recv(99) == b"more"
    wire.doors.remove(way)
    assert await wire.asked(players[0], check(way), 0.05) is None
    with pytest.raises(ConnectionError):
        await way._recv()
    for one in players:
        one.close()


async def test_a_session_that_nobody_checks_any_more_is_dead(monkeypatch: pytest.MonkeyPatch) -> None:
    way = Doors([]).add()
    assert not way.dead
    now = ice.monotonic()
    monkeypatch.setattr(ice, "monotonic", lambda: now + 21)
    assert way.dead


def rtp(channel: int, timestamp: int, body: bytes) -> bytes:
    packet = RTP.pack(0x80, 0xE0, 1, timestamp, 7) + body
    return struct.pack(">BBH", 0x24, channel, len(packet)) + packet


KEY, NEXT = b"\x65key", b"\x41next"


async def test_pictures_begin_at_a_key_frame_with_its_parameter_sets_and_keep_their_times() -> None:
    video, sound = Track("video", 90_000), Track("audio", 8000)
    feed = Feed([VIDEO, PCMA], video, sound)
    feed.take(rtp(0, 1000, NEXT), True)
    feed.take(rtp(2, 10, b"old") + rtp(0, 4600, KEY), True)
    feed.take(rtp(0, 8200, NEXT), True)
    feed.take(rtp(2, 0xFFFFFF60, b"new") + rtp(0, 11800, NEXT), False)
    feed.take(rtp(2, 0, b"newer") + rtp(0, 15400, NEXT), False)
    packets = [await video.recv() for _ in range(4)]
    assert bytes(packets[0]) == b"".join(
        b"\0\0\0\1" + one for one in (b"\x67\x4d\x00\x1f", b"\x68\xee\x3c\x80", KEY)
    )
    assert [int(later.pts or 0) - int(packets[0].pts or 0) for later in packets] == [0, 90, 3690, 7290]
    heard = [await sound.recv() for _ in range(2)]
    assert [bytes(one) for one in heard] == [b"new", b"newer"]
    assert int(heard[1].pts or 0) - int(heard[0].pts or 0) == 160


async def test_a_viewer_who_takes_nothing_costs_little_and_goes_on_at_a_key_frame() -> None:
    video = Track("video", 90_000)
    feed = Feed([VIDEO], video, None)
    feed.take(rtp(0, 0, KEY), False)
    for number in range(1, 2 * MAX_WAITING):
        feed.take(rtp(0, number * 3600, NEXT), False)
    assert len(video._frames) == MAX_WAITING
    feed.take(rtp(0, 9_000_000, KEY), False)
    assert len(video._frames) == 1


def test_times_of_a_camera_never_wrap() -> None:
    clock = Clock()
    assert [clock.at(one) for one in (0xFFFFFFF0, 0x10, 0x20)] == [0, 32, 48]


def test_a_picture_that_is_shown_before_its_predecessor_is_noticed() -> None:
    stream = Stream(("one", "main"), Origin("", "", "", ""))
    for number, time in enumerate((0xFFFFFFF0, 0x10, 0x20)):
        stream.publish(Chunk(b"", number == 0, time))
    assert not stream.reordered
    stream.publish(Chunk(b"", False, 0x18))
    assert stream.reordered


SANDBOXED = """
import ctypes
ctypes.CDLL(None).prctl(65, 1, 0, 0, 0)
from aiortc.rtcdtlstransport import SRTP_PROFILES
from OpenSSL import SSL
from services.mts.whep.certificate import Certificate
made = [Certificate.generateCertificate()._create_ssl_context(SRTP_PROFILES) for _ in range(2)]
ends = [SSL.Connection(one) for one in made]
ends[0].set_accept_state()
ends[1].set_connect_state()
for one, other in 6 * [ends, ends[::-1]]:
    try:
        one.do_handshake()
    except SSL.WantReadError:
        pass
    try:
        while True:
            other.bio_write(one.bio_read(1500))
    except SSL.WantReadError:
        pass
print(ends[0].get_peer_certificate() is not None, ends[0].get_selected_srtp_profile().decode())
"""


def test_connections_are_made_where_no_memory_may_be_written_and_executed() -> None:
    words = [sys.executable, "-c", SANDBOXED]
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=60)
    assert done.stdout.split() == ["True", "SRTP_AEAD_AES_256_GCM"], done.stderr
