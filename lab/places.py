"""Machines that a test plugs into a lab's networks for a while: clients, gateways, attackers."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from lab.inventory import Machine
from lab.rack import Lab

ROOT = Path(__file__).resolve().parents[1]
SPOOF = """
import socket, struct, sys, time
interface, claimed, victim, seconds = sys.argv[1:5]
wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0806))
wire.bind((interface, 0))
own = wire.getsockname()[4]
ip = socket.inet_aton
kind = lambda operation: struct.pack("!HHBBH", 1, 0x0800, 6, 4, operation)
frames = [
    b"\\xff" * 6 + own + b"\\x08\\x06" + kind(2) + own + ip(claimed) + b"\\xff" * 6 + ip(claimed),
    b"\\xff" * 6 + own + b"\\x08\\x06" + kind(1) + own + ip(claimed) + bytes(6) + ip(victim),
]
end = time.monotonic() + float(seconds)
while time.monotonic() < end:
    for frame in frames:
        wire.send(frame)
    time.sleep(0.02)
"""
"""Says for some seconds, by reply and by request, that the sender has somebody else's address."""


@dataclass(frozen=True)
class Place:
    """One machine in one network of a lab."""

    lab: Lab
    machine: Machine

    @property
    def interface(self) -> str:
        """Its only interface."""
        return next(self.machine.inside(bridge) for bridge in self.machine.links)

    @property
    def mac(self) -> str:
        """The hardware address of that interface."""
        return self.run("cat", f"/sys/class/net/{self.interface}/address").strip()

    def words(self, *words: str) -> list[str]:
        """The command line that runs a program of this machine there."""
        return ["nsenter", f"--net={self.lab.network.space(self.machine.name)}", *words]

    def run(self, *words: str, seconds: float = 120) -> str:
        """Output of a program that runs there."""
        # /sys belongs to the network that mounted it, so a fresh one is mounted for those who read it.
        inside = self.words("unshare", "-m", "sh", "-c", 'mount -t sysfs s /sys && exec "$@"', "sh", *words)
        done = subprocess.run(inside, capture_output=True, text=True, cwd=ROOT, timeout=seconds, check=False)
        assert done.returncode == 0, f"{words}: {done.stderr[-2000:]}"
        return done.stdout

    def open_ports(self, address: str, ports: list[int] | None = None) -> list[int]:
        """Those of `ports`, or of all 65535, that take a connection from here."""
        given = f", {ports}" if ports is not None else ""
        program = f"import json; from lab.sweep import sweep; print(json.dumps(sweep({address!r}{given})))"
        found: list[int] = json.loads(self.run(sys.executable, "-c", program))
        return found

    def knows(self, address: str, mac: str) -> None:
        """Have it send packets for an address straight to a hardware address, whosever it is."""
        self.run("ip", "route", "replace", f"{address}/32", "dev", self.interface)
        self.run("ip", "neigh", "replace", address, "lladdr", mac, "dev", self.interface, "nud", "permanent")

    @contextmanager
    def spoofing(self, claimed: str, victim: str, seconds: float) -> Iterator[None]:
        """Claim somebody's address toward a victim while the block runs, and at least for a second before."""
        words = self.words(sys.executable, "-c", SPOOF, self.interface, claimed, victim, str(seconds))
        with subprocess.Popen(words) as liar:
            try:
                yield
            finally:
                liar.terminate()


@contextmanager
def plugged(lab: Lab, network: str, bridge: str, address: str, mac: str = "") -> Iterator[Place]:
    """A machine with one address in a network (CIDR) of the lab, pulled out at the end."""
    name = f"p{address.rpartition('.')[2]}"
    macs = {bridge: mac} if mac else {}
    machine = Machine(name, (), {bridge: address}, networks={bridge: network}, macs=macs)
    lab.network.plug(machine)
    try:
        yield Place(lab, machine)
    finally:
        lab.network.unplug(machine)
