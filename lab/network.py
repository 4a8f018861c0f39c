"""The lab's own network: one namespace with a LAN and a WAN switch in it, and one namespace per host.

Nothing in here has a route out, and the controller does not forward: routing is the router host's job.
"""

import hashlib
from collections.abc import Iterable
from pathlib import Path

from lab.inventory import BRIDGES, Machine
from lab.tools import LabError, run, until

PREFIX = {"lan": "vb-", "wan": "vw-", "management": "vm-", "cluster": "vc-", "client": "vl-", "device": "vd-"}
SPARE = 253
"""Number of the controller's address in a network where a router has the first one."""


class Network:
    """The network of one lab; `name` is also the name of its namespace."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.path = Path("/run/netns") / name

    def up(self, machines: Iterable[Machine] = ()) -> None:
        """Make the namespace and every switch that the machines need; nothing happens when they are there.

        The controller has an address in LAN and WAN alone: it is no part of a node's further networks.
        """
        if self.path.exists():
            return
        machines = list(machines)
        run("ip", "netns", "add", self.name)
        lines = ["link set lo up"]
        taken = {address for machine in machines for address in machine.links.values()}
        for bridge, network in BRIDGES.items():
            own = network[SPARE] if str(network[1]) in taken else network[1]
            lines += [
                f"link add {bridge} type bridge",
                f"address add {own}/{network.prefixlen} dev {bridge}",
                f"link set {bridge} up",
            ]
        for bridge in sorted({b for machine in machines for b in machine.networks}):
            lines += [f"link add {bridge} type bridge", f"link set {bridge} up"]
        self._batch(lines)
        for switch in ("ipv4.ip_forward", "ipv6.conf.all.forwarding"):
            run(*self.enter("sysctl", "-q", "-w", f"net.{switch}=0"))

    def down(self) -> None:
        """Remove the switches and every host's namespace that is left."""
        for path in Path("/run/netns").glob(f"{self.name}.*"):
            run("ip", "netns", "delete", path.name, check=False)
        run("ip", "netns", "delete", self.name, check=False)

    def enter(self, *words: str | Path) -> list[str]:
        """The command line that runs `words` on the controller, inside this network.

        Not `ip netns exec`: that remounts /sys, and systemd-nspawn then finds no control groups.
        """
        return ["nsenter", f"--net={self.path}", *map(str, words)]

    def space(self, host: str) -> Path:
        """The namespace of one host."""
        return self.path.with_name(f"{self.name}.{host}")

    def cables(self, machine: Machine) -> list[str]:
        """Options that make systemd-nspawn lay a cable to each switch, under our own names."""
        return [f"--network-veth-extra={PREFIX[b] + machine.name}:{machine.inside(b)}" for b in machine.links]

    def connect(self, machine: Machine) -> None:
        """Plug the cables of a host that is just starting into their switches."""
        if not until(lambda: self.state(machine) != "unplugged", 10, 0.005):
            raise LabError(
                f"{machine.name} has no network cable: systemd-nspawn did not start. See its console.log."
            )
        self.member(machine, on=True)
        self.carrier(machine, on=True)

    def plug(self, machine: Machine) -> None:
        """Give a host that is not started by systemd-nspawn a fresh namespace, cables and addresses."""
        self.unplug(machine)
        space = self.space(machine.name).name
        run("ip", "netns", "add", space)
        for bridge, address in machine.links.items():
            outer, inner = PREFIX[bridge] + machine.name, machine.inside(bridge)
            mac = machine.macs.get(bridge) or self._mac(machine.name, bridge)
            self._batch([f"link add {outer} type veth peer name {inner} address {mac} netns {space}"])
            prefix = machine.network(bridge).prefixlen
            run("ip", "-n", space, "address", "add", f"{address}/{prefix}", "dev", inner)
            run("ip", "-n", space, "link", "set", inner, "up")
        run("ip", "-n", space, "link", "set", "lo", "up")
        self.connect(machine)

    def unplug(self, machine: Machine) -> None:
        """Take the cables and the namespace away; sockets left in it never speak again."""
        for bridge in machine.links:
            run("ip", "-n", self.name, "link", "delete", PREFIX[bridge] + machine.name, check=False)
        if self.space(machine.name).exists():
            run("ip", "netns", "delete", self.space(machine.name).name)

    def carrier(self, machine: Machine, on: bool) -> None:
        """Pull or plug the cable: the host sees its carrier go or come."""
        self._batch([f"link set {PREFIX[b] + machine.name} {'up' if on else 'down'}" for b in machine.links])

    def member(self, machine: Machine, on: bool) -> None:
        """Take the host's port out of the switch or put it back: the carrier stays, nothing passes."""
        self._batch(
            [
                f"link set {PREFIX[b] + machine.name} " + (f"master {b}" if on else "nomaster")
                for b in machine.links
            ]
        )

    def state(self, machine: Machine) -> str:
        """`connected`, `cut` (no carrier), `partitioned` (no switch) or `unplugged`; the worst link."""
        words = set()
        for bridge in machine.links:
            shown = run(
                "ip", "-n", self.name, "-o", "link", "show", PREFIX[bridge] + machine.name, check=False
            )
            flags = shown.partition("<")[2].partition(">")[0].split(",")
            if not shown:
                words.add("unplugged")
            elif "UP" not in flags:
                words.add("cut")
            else:
                words.add("connected" if f"master {bridge}" in shown else "partitioned")
        return next(w for w in ("unplugged", "cut", "partitioned", "connected") if w in words)

    def _mac(self, host: str, bridge: str) -> str:
        """A locally administered address that a host keeps for life, as a real card does."""
        digest = hashlib.sha256(f"{self.name}/{host}/{bridge}".encode()).hexdigest()
        return "02:" + ":".join(digest[i : i + 2] for i in range(0, 10, 2))

    def _batch(self, lines: list[str]) -> None:
        try:
            run("ip", "-n", self.name, "-batch", "-", stdin="\n".join(lines) + "\n")
        except LabError as why:
            raise LabError(
                f"the lab's network could not be changed: {why} Try ./dss lab down, then up."
            ) from why
