"""Who gets RTP by UDP, and how fast it leaves."""

import asyncio
import re
import socket
from types import SimpleNamespace
from typing import Any, cast

import pytest

from services.media import rtsp_server, rtsp_udp
from services.media.admission import Limits
from services.media.players import Players
from services.media.rtsp_udp import Ports, UdpTransport, near
from services.runtime.rtsp import Track
from services.runtime.rtsp_message import Message
from services.runtime.sdp import Media


@pytest.mark.parametrize(
    ("address", "local"),
    [("127.0.0.1", True), ("192.168.3.4", True), ("10.1.1.1", True), ("fe80::1%eth0", True),
     ("fd00::7", True), ("203.0.114.9", False), ("8.8.8.8", False), ("2a00:1450::1", False), ("", False)],
)  # fmt: skip
def test_udp_is_for_local_networks_because_routers_map_none(address: str, local: bool) -> None:
    assert near(address) is local


class Connection(asyncio.Transport):
    def get_extra_info(self, name: str, default: object = None) -> object:
        return ("127.0.0.1", 9)


async def test_a_key_frame_leaves_in_bursts_and_nothing_after_the_end() -> None:
    ports = Ports()
    with socket.socket(type=socket.SOCK_DGRAM) as player:
        player.bind(("127.0.0.1", 0))
        player.setblocking(False)
        out = UdpTransport(ports, Connection(), {0: player.getsockname()[1]})
        unit = b"$\x00\x05\x78" + bytes(1400)
        out.write(unit * 100 + b"$\x01\x00\x04rtcp")
        waiting = out.get_write_buffer_size()
        assert 100 * 1400 - rtsp_udp.BURST - 1400 <= waiting < 100 * 1400 - rtsp_udp.BURST + 1400
        for _ in range(100):
            assert len(await asyncio.get_running_loop().sock_recv(player, 2048)) == 1400
        assert out.get_write_buffer_size() == 0
        out.write(unit * 100)
        out.close()
        assert out.get_write_buffer_size() == 0
    ports.close()


class Player(rtsp_server.Connection):
    """A stream of one track for anybody."""

    path = re.compile(r"/(live)" + rtsp_server.TRACK)
    tracks = [Track(Media("video", 96, "H264", 90_000), 0)]  # noqa: RUF012 - never changed
    playing = False

    async def open(self, name: tuple[str, ...], query: dict[str, list[str]]) -> None: ...

    async def description(self) -> bytes:
        return b""

    async def prepare(self, message: Message) -> dict[str, str]:
        return {}

    def start(self) -> None:
        self.playing = True

    def stop(self) -> None:
        self.playing = False


class Line(asyncio.Transport):
    """The player's connection, which keeps the last answer."""

    said = b""

    def get_extra_info(self, name: str, default: object = None) -> object:
        return ("127.0.0.1", 9) if name.endswith("name") else None

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.said = bytes(data)

    def close(self) -> None: ...


async def test_a_player_that_moves_to_other_ports_leaves_nothing_behind() -> None:
    gate = SimpleNamespace(players=Players(), admit=lambda *_: SimpleNamespace(user="u"))
    one, line = Player(cast(Any, gate), Limits()), Line()
    one.udp = Ports()
    one.connection_made(line)
    for turn in range(20):
        port = 20_000 + 2 * turn
        transport = f"Transport: RTP/AVP;unicast;client_port={port}-{port + 1}\r\n"
        for method, header in (("SETUP", transport), ("PLAY", ""), ("PAUSE", "")):
            named = line.said.partition(b"Session: ")[2].partition(b"\r\n")[0].partition(b";")[0].decode()
            session = f"Session: {named}\r\n" if named else ""
            one.data_received(f"{method} rtsp://x/live RTSP/1.0\r\nCSeq: 1\r\n{session}{header}\r\n".encode())
            line.said, told = b"", line.said
            while not line.said:
                await asyncio.sleep(0)
            assert b" 200 " in line.said, (method, told, line.said)
        assert len(one.udp._heard) == 2
    one.connection_lost(None)
    assert one.udp._heard == {}
    one.udp.close()
