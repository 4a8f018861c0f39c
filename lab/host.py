"""One lab host: Debian with systemd in a namespace of its own, started and stopped like a machine."""

import ipaddress
import os
import signal
import subprocess
from pathlib import Path

from lab import base, keys
from lab.inventory import Machine
from lab.layers import Disks, baked
from lab.network import Network
from lab.tools import LabError, Process, launch, run, save, until

CGROUPS = Path("/sys/fs/cgroup")
# Puts itself into its own control groups before it becomes the host: two systemds must never share a tree.
START = 'for group in $DSS_CGROUPS; do echo $$ > "$group/cgroup.procs" || exit 1; done; exec "$@"'


class Host:
    """A host of a lab; `folder` keeps its disks and its notes between verbs."""

    def __init__(self, machine: Machine, network: Network, folder: Path) -> None:
        self.machine = machine
        self.network = network
        self.folder = folder
        self.disks = Disks(folder)

    @property
    def name(self) -> str:
        return self.machine.name

    @property
    def running(self) -> bool:
        return self._monitor() is not None

    @property
    def leader(self) -> int | None:
        """The number of the host's process 1 as this machine sees it."""
        monitor = self._monitor()
        children = _children(monitor.pid) if monitor else []
        return next((pid for pid in children if _is_init(pid)), None)

    def boot(self, release: int, layer: str | None) -> None:
        """Press the power button; returns at once. Does nothing while it runs."""
        if self.running:
            return
        lower = [*([baked(layer)] if layer else []), base.folder(release)]
        missing = [str(p) for p in lower if not p.is_dir()]
        if missing:
            raise LabError(
                f"the layer {missing[0]} is not there. Run ./dss lab up without it, or bake it first."
            )
        self.disks.make()
        self.disks.mount(lower)
        self._configure()
        self._start(release)
        self.network.connect(self.machine)

    def ready(self, seconds: float = 60) -> None:
        """Wait until SSH answers; raises LabError with the end of the console when it does not."""
        if not until(lambda: self.answers() or not self.running, seconds, 0.05) or not self.running:
            tail = self._console().read_text(errors="replace")[-1500:] if self._console().exists() else ""
            raise LabError(f"{self.name} did not come up. Its console ends with:\n{tail}")

    def answers(self, seconds: float = 1) -> bool:
        """Whether an SSH banner comes from the host's address, seen from the controller."""
        probe = f"exec 3<>/dev/tcp/{self.machine.address}/22; head -c 4 <&3"
        words = self.network.enter("timeout", str(seconds), "bash", "-c", probe)
        done = subprocess.run(words, capture_output=True, check=False)
        return done.stdout == b"SSH-"

    def shutdown(self, seconds: float = 30) -> None:
        """An orderly halt, as by the power button's short press."""
        leader = self.leader
        if leader is not None:
            os.kill(leader, signal.SIGRTMIN + 4)
        if not until(lambda: not self.running, seconds):
            raise LabError(
                f"{self.name} did not shut down in {seconds:g} s. "
                f"./dss lab poweroff {self.name} pulls the plug."
            )
        self._release()

    def poweroff(self) -> None:
        """Power loss. The links go first: the kernel would close a killed host's connections politely."""
        if self.network.state(self.machine) != "unplugged":
            self.network.carrier(self.machine, on=False)
        leader, monitor = self.leader, self._monitor()
        if leader is not None:
            os.kill(leader, signal.SIGKILL)
        if monitor and not until(lambda: not self.running, 10):
            monitor.kill()
            until(lambda: not self.running, 5)
        self._release()

    def command(self, *words: str) -> list[str]:
        """The command line that runs `words` inside the host, as root."""
        leader = self.leader
        if leader is None:
            raise LabError(f"{self.name} is off. ./dss lab boot {self.name} starts it.")
        clean = [
            "env",
            "-i",
            "HOME=/root",
            "LANG=C.UTF-8",
            "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        ]
        return ["nsenter", "-t", str(leader), "-a", *clean, *words]

    def _monitor(self) -> Process | None:
        return Process.load(self.folder / "process.json")

    def _release(self) -> None:
        self.network.unplug(self.machine)
        self.disks.unmount()
        for group in self._groups():
            _remove_group(group)

    def _groups(self) -> list[Path]:
        """One control group per host: atop a unified tree, or in systemd's own trees of a hybrid one."""
        name = f"dss-{self.network.name}-{self.name}"
        if (CGROUPS / "cgroup.controllers").exists():
            return [CGROUPS / name]
        return [CGROUPS / tree / name for tree in ("systemd", "unified") if (CGROUPS / tree).is_dir()]

    def _console(self) -> Path:
        return self.folder / "console.log"

    def _configure(self) -> None:
        """What an installer would have asked: name, addresses, who may log in."""
        root = self.disks.root
        (root / "etc/hostname").write_text(f"{self.name}\n")
        (root / "etc/hosts").write_text(f"127.0.0.1 localhost\n127.0.1.1 {self.name}\n")
        (root / "root/.ssh").mkdir(mode=0o700, exist_ok=True)
        save(root / "root/.ssh/authorized_keys", keys.public(), 0o600)
        if not (root / "etc/ssh/ssh_host_ed25519_key").exists():
            run(
                "ssh-keygen",
                "-q",
                "-t",
                "ed25519",
                "-N",
                "",
                "-C",
                self.name,
                "-f",
                root / "etc/ssh/ssh_host_ed25519_key",
            )
        for bridge, address in self.machine.links.items():
            file = root / f"etc/systemd/network/10-{self.machine.inside(bridge)}.network"
            if not file.exists() and bridge not in self.machine.bare:
                save(
                    file,
                    _network_file(bridge, address, self.machine),
                )

    def _start(self, release: int) -> None:
        groups = self._groups()
        for group in groups:
            group.mkdir(exist_ok=True)
        environment = {"DSS_CGROUPS": " ".join(map(str, groups))}
        if release >= 13 and len(groups) > 1:
            environment["SYSTEMD_NSPAWN_UNIFIED_HIERARCHY"] = "1"
        launch(["sh", "-c", START, "sh", *self.network.enter(*self._words())], self.folder, environment)

    def _words(self) -> list[str]:
        return [
            "systemd-nspawn",
            "--quiet",
            "--boot",
            "--settings=no",
            f"--directory={self.disks.root}",
            f"--machine={self.network.name}-{self.name}",
            f"--hostname={self.name}",
            *self.network.cables(self.machine),
            "--register=no",
            "--keep-unit",
            "--kill-signal=SIGRTMIN+3",
            "--link-journal=no",
            "--resolv-conf=off",
            "--timezone=off",
            "--console=read-only",
            *self.disks.binds(),
        ]


def _network_file(bridge: str, address: str, machine: Machine) -> str:
    """Static addressing (systemd.network(5)); `lab_gateway` of the inventory gives a default route."""
    network, mac = machine.network(bridge), machine.macs.get(bridge)
    lines = ["[Match]", f"Name={machine.inside(bridge)}", ""]
    lines += ["[Link]", f"MACAddress={mac}", ""] if mac else []
    lines += ["[Network]", f"Address={address}/{network.prefixlen}"]
    lines += ["LinkLocalAddressing=no", "IPv6AcceptRA=no", "ConfigureWithoutCarrier=yes"]
    gateway = machine.vars.get("lab_gateway")
    if gateway and ipaddress.ip_address(str(gateway)) in network:
        lines.append(f"Gateway={gateway}")
    return "\n".join(lines) + "\n"


def _children(pid: int) -> list[int]:
    try:
        return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def _is_init(pid: int) -> bool:
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False
    return any(
        line.startswith("NSpid:") and line.split()[1:][-1] == "1" and len(line.split()) > 2
        for line in status.splitlines()
    )


def _remove_group(group: Path) -> None:
    """Control groups go from the leaves up; one that is still in use stays for the next try."""
    for path in [*sorted(group.rglob("*/"), key=lambda p: -len(p.parts)), group]:
        if path.is_dir():
            try:
                path.rmdir()
            except OSError:
                return
