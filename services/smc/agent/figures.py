"""Figures of the host and of each service's processes, from /proc (proc(5))."""

import os
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

PROC = Path("/proc")
TICKS = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True)
class Process:
    """One process: parent, and processor seconds used so far."""

    pid: int
    parent: int
    cpu: float


@dataclass(frozen=True)
class Usage:
    """A service's processes: percent of one core, own bytes, descriptors (None: not ours to see)."""

    cpu: float = 0.0
    memory: int = 0
    fds: int | None = 0


def processes() -> dict[int, Process]:
    """All processes by pid; ones that end meanwhile are left out."""
    found = {}
    for entry in os.scandir(PROC):
        if entry.name.isdigit() and (process := _process(int(entry.name))):
            found[process.pid] = process
    return found


def _process(pid: int) -> Process | None:
    try:
        # The name in parentheses may itself hold spaces and parentheses.
        fields = (PROC / str(pid) / "stat").read_text(errors="replace").rpartition(")")[2].split()
        return Process(pid, int(fields[1]), (int(fields[11]) + int(fields[12])) / TICKS)
    except (OSError, ValueError, IndexError):
        return None


def family(all_processes: dict[int, Process], main_pid: int) -> list[Process]:
    """A main process with all its descendants."""
    if main_pid not in all_processes:
        return []
    children: dict[int, list[Process]] = {}
    for process in all_processes.values():
        children.setdefault(process.parent, []).append(process)
    found, waiting = [], [all_processes[main_pid]]
    while waiting:
        process = waiting.pop()
        found.append(process)
        waiting += children.get(process.pid, [])
    return found


def own_memory(family_: list[Process]) -> int:
    """Resident bytes of processes without mapped files: libraries are shared with other services."""
    total = 0
    for process in family_:
        try:
            fields = (PROC / str(process.pid) / "statm").read_text().split()
        except OSError:
            continue
        total += (int(fields[1]) - int(fields[2])) * PAGE
    return total


def descriptors(family_: list[Process]) -> int | None:
    """Open file descriptors of processes; None if another user owns one of them."""
    total = 0
    for process in family_:
        try:
            total += len(os.listdir(PROC / str(process.pid) / "fd"))  # noqa: PTH208 - names only, each second
        except PermissionError:
            return None
        except OSError:
            continue
    return total


@dataclass
class Meter:
    """Turns counters into rates between two calls; the first call gives rates of 0."""

    install_path: Path
    _at: float = field(default_factory=time.monotonic)
    _cpu: dict[str, float] = field(default_factory=dict)
    _net: tuple[int, int] = (0, 0)
    _net_at: float = 0.0

    def services(self, pids: dict[str, list[int]]) -> dict[str, Usage]:
        """Usage by service id, from the main process ids of its units."""
        everything, now = processes(), time.monotonic()
        elapsed, self._at = max(now - self._at, 0.001), now
        usage, used = {}, {}
        for id, mains in pids.items():
            own = [process for pid in mains if pid for process in family(everything, pid)]
            used[id] = sum(process.cpu for process in own)
            spent = max(0.0, used[id] - self._cpu.get(id, used[id]))
            usage[id] = Usage(round(100 * spent / elapsed, 1), own_memory(own), descriptors(own))
        self._cpu = used
        return usage

    def host(self) -> dict[str, Any]:
        """uptime, cpu, memory, disk and network as in a beat."""
        memory, disk = psutil.virtual_memory(), self._disk()
        received, sent = self._network()
        return {
            "uptime": round(time.time() - psutil.boot_time()),
            "cpu": psutil.cpu_percent(),
            "memory": {"total": memory.total, "available": memory.available},
            "disk": {"total": disk[0], "free": disk[1]},
            "network": {"rx_bps": received, "tx_bps": sent},
        }

    def _disk(self) -> tuple[int, int]:
        try:
            usage = psutil.disk_usage(str(self.install_path))
        except OSError:
            return 0, 0
        return usage.total, usage.free

    def _network(self) -> tuple[int, int]:
        cards = psutil.net_io_counters(pernic=True, nowrap=False)
        now = time.monotonic()
        total = (
            sum(card.bytes_recv for name, card in cards.items() if name != "lo"),
            sum(card.bytes_sent for name, card in cards.items() if name != "lo"),
        )
        elapsed, before = now - self._net_at, self._net
        first, self._net, self._net_at = self._net_at == 0.0, total, now
        if first or elapsed <= 0:
            return 0, 0
        # A card that was taken away makes the sum smaller: no traffic, not a negative one.
        rates = [max(0, round(8 * (new - old) / elapsed)) for new, old in zip(total, before, strict=True)]
        return rates[0], rates[1]
