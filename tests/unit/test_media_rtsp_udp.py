"""Who gets RTP by UDP, and how fast it leaves."""

import asyncio
import socket

import pytest

from services.media import rtsp_udp
from services.media.rtsp_udp import Ports, UdpTransport, near


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
