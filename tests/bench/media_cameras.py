"""Many cameras in one process: RTSP over TCP without a password, each at its own phase.

usage: media_cameras.py CLIP CAMERAS burst|paced
CLIP is what media_clip.encode() made. A camera that bursts writes a picture at once; one that paces writes
packet by packet, one each half millisecond. Prints {"port"} when it listens, and for each line of its input
{"late"}: by how many ms its latest picture since the last one was late.
"""

import base64
import json
import re
import select
import socket
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

from media_clip import FRAMES, RATE, STEP, Clip, Frame, pack

PERIOD = 1 / RATE
PACKET_SECONDS = 0.0005
_BACKLOG = 8 * 1024 * 1024


@dataclass(eq=False)
class Peer:
    """One connection; `camera` is negative until it plays."""

    socket: socket.socket
    heard: bytes = b""
    camera: int = -1
    sequence: int = 0
    waiting: bytearray = field(default_factory=bytearray)

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Send, and keep what does not fit; raises OSError when the other end is gone or does not read."""
        if self.waiting:
            self.waiting += data
            data = self.waiting
        try:
            sent = self.socket.send(data)
        except BlockingIOError:
            sent = 0
        if sent < len(data) or self.waiting:
            self.waiting = bytearray(data[sent:])
        if len(self.waiting) > _BACKLOG:
            raise ConnectionAbortedError


class Cameras:
    """Serves them all from one thread."""

    def __init__(self, clip: Clip, count: int, paced: bool) -> None:
        self.clip, self.count, self.paced = clip, count, paced
        self.latest = 0.0
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=512)
        self._listener.setblocking(False)
        self._poll = select.epoll()
        self._poll.register(self._listener, select.EPOLLIN)
        self._poll.register(sys.stdin, select.EPOLLIN)
        self._peers: dict[int, Peer] = {}
        self._playing: dict[int, list[Peer]] = {n: [] for n in range(count)}
        self._under_way: list[tuple[Peer, list[bytes]]] = []

    @property
    def port(self) -> int:
        return int(self._listener.getsockname()[1])

    def run(self) -> None:
        """Play until the input ends."""
        began, turn, heard_at, stepped_at = time.monotonic(), 0, 0.0, 0.0
        slot = PERIOD / self.count
        while True:
            now = time.monotonic()
            if now - heard_at > 0.002:
                heard_at = now
                if not self._listen():
                    return
            while (due := began + turn * slot) <= now:
                self._show(turn % self.count, turn // self.count)
                self.latest = max(self.latest, time.monotonic() - due)
                turn += 1
            if self._under_way and now - stepped_at >= PACKET_SECONDS:
                stepped_at = now
                self._step()
            soonest = min(began + turn * slot, stepped_at + PACKET_SECONDS if self._under_way else now + 1)
            time.sleep(min(max(soonest - time.monotonic(), 0), 0.004))

    def _show(self, camera: int, number: int) -> None:
        """Send picture `number` of a camera to whoever plays it."""
        frame = self.clip.frames[(number + 7 * camera) % FRAMES]
        for peer in list(self._playing[camera]):
            frame.stamp(peer.sequence, number * STEP & 0xFFFFFFFF, time.monotonic_ns(), number)
            peer.sequence += len(frame.packets)
            if self.paced:
                self._under_way.append((peer, _packets(frame)))
            else:
                self._write(peer, frame.data)

    def _step(self) -> None:
        """One more packet of each picture that is under way."""
        for peer, packets in self._under_way:
            self._write(peer, packets.pop())
        self._under_way = [one for one in self._under_way if one[1]]

    def _write(self, peer: Peer, data: bytes | bytearray) -> None:
        if peer.socket.fileno() >= 0:
            try:
                peer.write(data)
            except OSError:
                self._drop(peer)

    def _listen(self) -> bool:
        for number, _ in self._poll.poll(0):
            if number == sys.stdin.fileno():
                if not sys.stdin.readline():
                    return False
                print(json.dumps({"late": self.latest * 1000}), flush=True)
                self.latest = 0.0
            if number == self._listener.fileno():
                self._accept()
            elif peer := self._peers.get(number):
                self._hear(peer)
        return True

    def _accept(self) -> None:
        one, _ = self._listener.accept()
        one.setblocking(False)
        one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._peers[one.fileno()] = Peer(one)
        self._poll.register(one, select.EPOLLIN)

    def _hear(self, peer: Peer) -> None:
        try:
            data = peer.socket.recv(65536)
        except OSError:
            data = b""
        if not data:
            self._drop(peer)
            return
        peer.heard += data
        while peer.heard[:1] == b"$" and len(peer.heard) >= 4:
            peer.heard = peer.heard[4 + int.from_bytes(peer.heard[2:4], "big") :]
        while peer.heard[:1] != b"$" and b"\r\n\r\n" in peer.heard:
            head, _, peer.heard = peer.heard.partition(b"\r\n\r\n")
            self._answer(peer, head.decode())

    def _answer(self, peer: Peer, head: str) -> None:
        method, url, _ = head.split("\r\n")[0].split(" ")
        found = re.search(r"^CSeq: *(\d+)", head, re.MULTILINE | re.IGNORECASE)
        lines = [f"CSeq: {found[1] if found else 0}", "Session: 1234;timeout=60"]
        body = b""
        if method == "OPTIONS":
            lines.append("Public: OPTIONS, DESCRIBE, SETUP, PLAY, GET_PARAMETER, TEARDOWN")
        elif method == "DESCRIBE":
            body = description(self.clip)
            lines += [f"Content-Base: {url.rstrip('/')}/", "Content-Type: application/sdp"]
            lines.append(f"Content-Length: {len(body)}")
        elif method == "SETUP":
            lines.append("Transport: RTP/AVP/TCP;unicast;interleaved=0-1")
        self._write(peer, "\r\n".join(["RTSP/1.0 200 OK", *lines, "", ""]).encode() + body)
        if method == "PLAY" and peer.camera < 0:
            peer.camera = int(url.split("/cam")[1].split("/")[0])
            self._playing[peer.camera].append(peer)

    def _drop(self, peer: Peer) -> None:
        if peer.socket.fileno() in self._peers:
            del self._peers[peer.socket.fileno()]
        if peer.camera >= 0 and peer in self._playing[peer.camera]:
            self._playing[peer.camera].remove(peer)
        peer.socket.close()


def _packets(frame: Frame) -> list[bytes]:
    """Its packets, the last one first."""
    ends = [*frame.packets[1:], len(frame.data)]
    return [bytes(frame.data[start:end]) for start, end in zip(frame.packets, ends, strict=True)][::-1]


def description(clip: Clip) -> bytes:
    """The SDP of every camera."""
    sets = ",".join(base64.b64encode(one).decode() for one in clip.parameters)
    profile = clip.parameters[0][1:4].hex()
    lines = ["v=0", "o=- 1 1 IN IP4 127.0.0.1", "s=bench", "t=0 0", "a=control:*", "m=video 0 RTP/AVP 96"]
    lines += ["c=IN IP4 0.0.0.0", "a=rtpmap:96 H264/90000", "a=control:track1"]
    lines += [f"a=fmtp:96 packetization-mode=1;profile-level-id={profile};sprop-parameter-sets={sets}", ""]
    return "\r\n".join(lines).encode()


def main() -> None:
    """Serve until the input ends."""
    clip, count, how = sys.argv[1:]
    cameras = Cameras(pack(Path(clip).read_bytes()), int(count), how == "paced")
    print(json.dumps({"port": cameras.port}), flush=True)
    cameras.run()


if __name__ == "__main__":
    main()
