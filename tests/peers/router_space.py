"""A router, the nodes behind it and a client on each side, each in a network namespace of this machine."""

import json
import os
import subprocess
import sys
from pathlib import Path
from types import TracebackType

ROOT = Path(__file__).resolve().parents[2]
LAN, WAN = "198.18.0", "203.0.113"
NODES = ("198.18.0.10", "198.18.0.21")
WAN_ADDRESSES = ("203.0.113.10", "203.0.113.22")
ANSWER = r"""
import selectors, socket, sys
everything = selectors.DefaultSelector()
for address in sys.argv[2].split(","):
    for word in sys.argv[1].split(","):
        number, proto = word.split("/")
        kind = socket.SOCK_STREAM if proto == "tcp" else socket.SOCK_DGRAM
        one = socket.socket(socket.AF_INET, kind)
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        one.bind((address, int(number)))
        if proto == "tcp":
            one.listen(64)
        everything.register(one, selectors.EVENT_READ, proto)
print("ready", flush=True)
while True:
    for key, _ in everything.select():
        if key.data == "udp":
            data, peer = key.fileobj.recvfrom(2000)
            key.fileobj.sendto(f"{key.fileobj.getsockname()[0]} {peer[0]}".encode(), peer)
        else:
            talk, peer = key.fileobj.accept()
            talk.sendall(f"{key.fileobj.getsockname()[0]} {peer[0]}".encode())
            talk.close()
"""
ASK_TCP = """
import socket, sys
with socket.create_connection((sys.argv[1], int(sys.argv[2])), 3) as one:
    print(one.recv(200).decode())
"""
ASK_UDP = """
import json, select, socket, sys
found = []
one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
one.setblocking(False)
for number in json.load(sys.stdin):
    one.sendto(b"?", (sys.argv[1], number))
    while select.select([one], [], [], 0)[0]:
        found.append(one.recvfrom(200))
while select.select([one], [], [], 1)[0]:
    found.append(one.recvfrom(200))
print(json.dumps(sorted(peer[1] for _, peer in found)))
"""


class Space:
    """Namespaces `wan`, `edge`, `node` (all nodes) and `lan` (a local client), made together."""

    def __init__(self) -> None:
        self.name = f"dssr{os.getpid()}"
        self.processes: list[subprocess.Popen[str]] = []

    def __enter__(self) -> "Space":
        for one in ("wan", "edge", "node", "lan"):
            self.ip("netns", "add", f"{self.name}-{one}")
            self.on(one, "ip", "link", "set", "lo", "up")
        self.on("edge", "ip", "link", "add", "lan0", "type", "bridge")
        self.cable("wan", "wan0", [f"{WAN}.50/24"], None)
        for one, addresses in (("node", [f"{a}/24" for a in NODES]), ("lan", [f"{LAN}.77/24"])):
            self.cable(one, f"p-{one}", addresses, "lan0")
        for address in WAN_ADDRESSES:
            self.on("edge", "ip", "address", "add", f"{address}/24", "dev", "wan0")
        self.on("edge", "ip", "address", "add", f"{LAN}.1/24", "dev", "lan0")
        self.on("edge", "ip", "link", "set", "lan0", "up")
        self.on("edge", "sysctl", "-q", "-w", "net.ipv4.ip_forward=1")
        for one in ("node", "lan"):
            self.on(one, "ip", "route", "add", "default", "via", f"{LAN}.1")
        # A client that knows the inside network and tries to go there straight through the router.
        self.on("wan", "ip", "route", "add", f"{LAN}.0/24", "via", WAN_ADDRESSES[0])
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        for process in self.processes:
            process.kill()
            process.communicate()
        for one in ("wan", "edge", "node", "lan"):
            subprocess.run(["ip", "netns", "delete", f"{self.name}-{one}"], check=False)

    def ip(self, *words: str) -> None:
        subprocess.run(["ip", *words], check=True)

    def inside(self, one: str, *words: str) -> list[str]:
        """The command line that runs `words` at that place of the network."""
        return ["nsenter", f"--net=/run/netns/{self.name}-{one}", *words]

    def on(self, one: str, *words: str, text: str | None = None) -> str:
        """Output of a command at that place; its failure is an error."""
        done = subprocess.run(
            self.inside(one, *words),
            input=text,
            capture_output=True,
            text=True,
            cwd=ROOT,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, f"{one}: {' '.join(words)[:200]}: {done.stderr}"
        return done.stdout

    def cable(self, one: str, port: str, addresses: list[str], bridge: str | None) -> None:
        """From eth0 of a namespace to a port of the router, or of its inside switch."""
        self.ip("-n", f"{self.name}-{one}", "link", "add", "eth0", "type", "veth", "peer", "name", port,
                "netns", f"{self.name}-edge")  # fmt: skip
        for address in addresses:
            self.on(one, "ip", "address", "add", address, "dev", "eth0")
        self.on(one, "ip", "link", "set", "eth0", "up")
        if bridge:
            self.on("edge", "ip", "link", "set", port, "master", bridge)
        self.on("edge", "ip", "link", "set", port, "up")

    def listen(self, one: str, services: str, addresses: str) -> None:
        """Answer at `number/proto,…` of each address with "own address, caller's address"."""
        words = self.inside(one, sys.executable, "-c", ANSWER, services, addresses)
        process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
        self.processes.append(process)
        assert process.stdout
        assert process.stdout.readline() == "ready\n"

    def sweep(self, one: str, address: str) -> list[int]:
        """Every open TCP port, seen from there."""
        found: list[int] = json.loads(self.on(one, sys.executable, "-m", "lab.sweep", address))
        return found

    def ask(self, one: str, address: str, port: int) -> tuple[str, str]:
        """(who answered, whom it saw) by TCP."""
        node, seen = self.on(one, sys.executable, "-c", ASK_TCP, address, str(port)).split()
        return node, seen

    def ask_udp(self, one: str, address: str, ports: list[int]) -> list[int]:
        """Ports of these that answered by UDP."""
        listing = json.dumps(ports)
        found: list[int] = json.loads(self.on(one, sys.executable, "-c", ASK_UDP, address, text=listing))
        return found
