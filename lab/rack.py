"""A lab: all the hosts of one inventory, their network, and what can be done to them."""

import dataclasses
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from lab import base, inventory, keys, layers, needs
from lab import forward as forwarding
from lab.camera import Camera
from lab.host import Host
from lab.inventory import Machine
from lab.network import Network
from lab.tools import LabError, cache, locked, run, save

Say = Callable[[str], None]
Powered = Host | Camera


def name_from_environment() -> str:
    """DSS_LAB names the lab, so that two can run at once; default `lab`."""
    name = os.environ.get("DSS_LAB", "lab")
    if not name.isalnum() or len(name) > 16:
        raise LabError(f"DSS_LAB is {name!r}. Use at most 16 letters and digits.")
    return name


class Lab:
    """One lab. State lives in its folder and in the kernel, not in this object: each verb is a process."""

    def __init__(self, name: str | None = None) -> None:
        self.name = name or name_from_environment()
        self.folder = cache() / "labs" / self.name
        self.network = Network(self.name)
        self._lock = cache() / "labs" / f".{self.name}.lock"

    # The rack as a whole

    def up(self, path: Path, release: int = 12, layer: str | None = None, say: Say = print) -> list[Powered]:
        """Boot every host of an inventory and wait until all answer; what runs already stays as it is."""
        machines = inventory.read(path)
        needs.check()
        keys.private()
        with locked(self._lock):
            self._refuse_other(path, release, layer)
            if any(not m.is_camera for m in machines):
                base.ensure(release, say)
            self._note(path, release, layer, machines)
            self.network.up(machines)
            hosts = self.hosts()
            self._each(hosts, lambda host: host.boot(release, layer))
            self._each(hosts, lambda host: self._await(host, say))
        return hosts

    def down(self) -> None:
        """Power everything off and forget the hosts' disks; bases, baked layers and keys stay."""
        with locked(self._lock):
            forwarding.stop_all(self.folder / "forwards")
            self._each(self.hosts(), lambda host: host.poweroff())
            self.network.down()
            shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def exists(self) -> bool:
        return (self.folder / "lab.json").exists()

    @property
    def notes(self) -> dict[str, Any]:
        """Inventory, release and layer this lab was brought up with; raises LabError when there is no lab."""
        if not self.exists:
            raise LabError(f"there is no lab named {self.name}. ./dss lab up inventories/demo makes one.")
        noted: dict[str, Any] = json.loads((self.folder / "lab.json").read_text())
        return noted

    # Its hosts

    def hosts(self) -> list[Powered]:
        """Every host, running or not; empty when there is no lab."""
        if not self.exists:
            return []
        return [self._host(Machine(**{**m, "groups": tuple(m["groups"])})) for m in self.notes["machines"]]

    def host(self, name: str) -> Powered:
        """One host by name; raises LabError that lists the known names."""
        found = {h.name: h for h in self.hosts()}
        if name not in found:
            known = ", ".join(found) or "none: run ./dss lab up inventories/demo first"
            raise LabError(f"the lab has no host {name!r}. Known: {known}.")
        return found[name]

    def boot(self, name: str) -> None:
        """Switch one host on and wait until it answers."""
        host = self.host(name)
        host.boot(self.notes["release"], self.notes["layer"])
        host.ready()

    def poweroff(self, name: str) -> None:
        """Power loss of one host: its peers see silence, not a closed connection."""
        self.host(name).poweroff()

    def cut(self, name: str) -> None:
        """Pull the host's network cables: it sees its carrier go."""
        self.network.carrier(self._cabled(name), on=False)

    def partition(self, name: str) -> None:
        """Take the host off its switches while it still sees a carrier."""
        self.network.member(self._cabled(name), on=False)

    def heal(self, name: str) -> None:
        """Undo cut and partition."""
        machine = self._cabled(name)
        self.network.member(machine, on=True)
        self.network.carrier(machine, on=True)

    # Programs

    def run(
        self,
        words: list[str],
        capture: bool = False,
        env: dict[str, str] | None = None,
        seconds: float | None = None,
    ) -> subprocess.CompletedProcess[str]:
        """Run a program on the controller, inside the lab's network, able to reach the hosts by Ansible.

        `capture` keeps stdout and stderr in the result; after `seconds` subprocess.TimeoutExpired is raised.
        """
        _ = self.notes
        path = f"{Path(sys.executable).parent}:{os.environ.get('PATH', os.defpath)}"
        # Another lab has other hosts under the same addresses: it must never find this one's connections.
        connections = {"ANSIBLE_SSH_CONTROL_PATH_DIR": str(self.folder / "ssh")}
        extra = {**keys.environment(), **connections, "DSS_LAB": self.name, "PATH": path}
        environment = {**os.environ, **extra, **(env or {})}
        inside = self.network.enter(*words)
        return subprocess.run(
            inside, env=environment, capture_output=capture, text=True, timeout=seconds, check=False
        )

    def execute(
        self, name: str, words: list[str], capture: bool = False, seconds: float | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run a program as root inside a host, past the network; options as for `run`."""
        inside = self.host(name).command(*words)
        return subprocess.run(inside, capture_output=capture, text=True, timeout=seconds, check=False)

    def forward(self, listen: str, to: str) -> None:
        """Open a port of this machine onto one inside the lab, until `down`."""
        _ = self.notes
        forwarding.start(self.network, self.folder / "forwards", forwarding.Forward(listen, to))

    def close(self, listen: str) -> None:
        """Close a port that `forward` opened."""
        forwarding.stop(forwarding.place(self.folder / "forwards", listen))

    def forwards(self) -> list[forwarding.Forward]:
        """Ports that are open now."""
        return forwarding.running(self.folder / "forwards")

    # Layers

    def bake(self, name: str, key: str) -> Path:
        """Shut a host down in order, keep what it wrote as the layer `key`, and boot it again.

        Choose `key` as a hash of all that went in; `up(..., layer=key)` then starts from there.
        """
        host = self.host(name)
        if isinstance(host, Camera):
            raise LabError(f"{name} is a camera and has no disk to keep.")
        host.shutdown()
        place = layers.bake(host.disks.upper, key)
        self.boot(name)
        return place

    # Inside

    def _host(self, machine: Machine) -> Powered:
        kind = Camera if machine.is_camera else Host
        return kind(machine, self.network, self.folder / "hosts" / machine.name)

    def _cabled(self, name: str) -> Machine:
        machine = self.host(name).machine
        if self.network.state(machine) == "unplugged":
            raise LabError(f"{name} is off and has no network. ./dss lab boot {name} starts it.")
        return machine

    def _await(self, host: Powered, say: Say) -> None:
        host.ready()
        say(f"{host.name} answers at {host.machine.address}")

    def _each(self, hosts: list[Powered], do: Callable[[Powered], None]) -> None:
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(do, hosts))

    def _refuse_other(self, path: Path, release: int, layer: str | None) -> None:
        if not self.exists:
            return
        noted = self.notes
        if (noted["inventory"], noted["release"], noted["layer"]) != (str(path.resolve()), release, layer):
            raise LabError(
                f"the lab {self.name} is up with {noted['inventory']} on Debian {noted['release']}. "
                "Run ./dss lab down first, or set DSS_LAB to another name for a second lab."
            )

    def _note(self, path: Path, release: int, layer: str | None, machines: list[Machine]) -> None:
        wanted = {m.name for m in machines}
        for host in self.hosts():
            if host.name not in wanted:
                host.poweroff()
        listed = [dataclasses.asdict(m) for m in machines]
        text = json.dumps(
            {"inventory": str(path.resolve()), "release": release, "layer": layer, "machines": listed}
        )
        save(self.folder / "lab.json", text)


def routes(lab: Lab) -> str:
    """The controller's routing table inside the lab, as `ip route` prints it."""
    return run(*lab.network.enter("ip", "route"))
