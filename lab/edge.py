"""A site behind a Linux router in a lab, with clients and devices at any place of its network."""

import json
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

from lab.camera import Camera
from lab.host import Host
from lab.site import MAIN, Play, Site

ROOT = Path(__file__).resolve().parents[1]
INVENTORY = ROOT / "tests" / "lab" / "router"
EDGE, WAN_MAIN, WAN_SUB = "edge", "203.0.113.254", "203.0.113.22"
NEEDED = ("nftables", "libnftables1", "libjansson4", "libnftnl11", "libmnl0", "libgmp10", "libedit2",
          "libbsd0", "libmd0", "libxtables12")  # fmt: skip
"""What a Linux router has from its owner; the lab's bare host lacks it."""


class Edge(Site):
    """The site with a router, and clients at any place of its network."""

    def inside(self, host: str, *words: str) -> list[str]:
        """The command line of a program of this machine at that host's place in the network."""
        found = self.lab.host(host)
        if isinstance(found, Camera):
            return found.command(*words)
        return ["nsenter", "-t", str(found.leader), "-n", *words]

    def at(self, host: str, *words: str, seconds: float = 120) -> str:
        """Output of a program of this machine, run at that host's place in the network."""
        inside = self.inside(host, *words)
        done = subprocess.run(inside, capture_output=True, text=True, cwd=ROOT, timeout=seconds, check=False)
        assert done.returncode == 0, done.stderr[-2000:]
        return done.stdout

    def client(self, host: str, password: str, base: str) -> dict[str, Any]:
        """What a client there sees of the platform."""
        ca = self.lab.folder / "ca.pem"
        ca.write_text(self.on(MAIN, "cat", "/etc/dss/pki/ca.pem"))
        words = (sys.executable, "-m", "lab.edge_client", base, str(ca), password, "5")
        found: dict[str, Any] = json.loads(self.at(host, *words))
        return found

    def sweep(self, address: str, place: str = "wan-1") -> list[int]:
        """Open TCP ports of an address, all 65535 tried from a place outside."""
        found: list[int] = json.loads(self.at(place, sys.executable, "-m", "lab.sweep", address))
        return found

    def router(self, *options: str) -> Play:
        """Bring the router alone to the inventory."""
        return self.play(*options, playbook="playbooks/router.yml")


def equip(edge: Edge, bundle: Path) -> None:
    """Make a router of a bare host: nftables, and its second outside address."""
    host = edge.lab.host(EDGE)
    assert isinstance(host, Host)
    with tarfile.open(bundle / "debian-12.tar") as archive:
        for member in archive:
            name = Path(member.name).name
            if name.endswith(".deb") and name.partition("_")[0] in NEEDED:
                content = archive.extractfile(member)
                assert content
                place = host.disks.root / "var/tmp" / name.replace("%3a", "_")
                place.write_bytes(content.read())
    edge.on(EDGE, "sh", "-c", "dpkg -i /var/tmp/*.deb >/dev/null")
    edge.on(EDGE, "ip", "address", "replace", f"{WAN_SUB}/24", "dev", "wan0")
