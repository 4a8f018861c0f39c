"""The memory gate: whether enough memory is available to start a service of a class.

`python -I -m services.node.gate CLASS [UNIT]`, as `ExecCondition=+` of a unit: exit 0 lets it start, 1
withholds it and leaves the reason in /run/dss/withheld/UNIT.json. Only the standard library, for speed.
The `+` matters: a sandbox with ProcSubset=pid hides /proc/meminfo.
"""

import json
import os
import sys
from pathlib import Path

GIB = 1024**3
NEEDED = {"core": 0, "basic": 5 * GIB // 2, "full": 4 * GIB}
"""Available bytes a memory class needs: below 4 GB only basic video services start, below 2.5 GB none."""

FOLDER = Path(os.environ.get("DSS_RUN", "/run/dss")) / "withheld"
MEMINFO = Path(os.environ.get("DSS_MEMINFO", "/proc/meminfo"))


def available(meminfo: str) -> int:
    """Bytes of MemAvailable in the text of /proc/meminfo (proc(5)); ValueError when the line is missing."""
    for line in meminfo.splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    raise ValueError("no MemAvailable line in /proc/meminfo")


def verdict(memory_class: str, free: int) -> str:
    """Why a service of this class must not start with `free` bytes available; empty when it may."""
    needed = NEEDED[memory_class]
    if free >= needed:
        return ""
    return f"{free / GIB:.1f} GB available, {needed / GIB:g} GB needed"


def own_unit() -> str:
    """The systemd unit this process was started by, from its control group; empty outside systemd."""
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        name = line.rpartition("/")[2]
        if name.endswith(".service"):
            return name
    return ""


def record(unit: str, memory_class: str, reason: str) -> None:
    """Leave the reason for the agent and the command line, or take an old one away.

    A failure to write must not change the verdict, so it is only reported.
    """
    path = FOLDER / f"{unit}.json"
    try:
        if not reason:
            path.unlink(missing_ok=True)
            return
        FOLDER.mkdir(parents=True, exist_ok=True)
        # The unit's umask is 0077, and the agent that shows the reason is not root.
        FOLDER.chmod(0o755)
        temporary = path.with_suffix(".new")
        temporary.write_text(json.dumps({"unit": unit, "memory": memory_class, "reason": reason}))
        temporary.chmod(0o644)
        temporary.replace(path)
    except OSError as problem:
        print(f"dss gate: the reason could not be recorded: {problem}", file=sys.stderr)


def main(words: list[str]) -> int:
    """Exit code of the gate: 0 start, 1 withheld, 2 called wrongly."""
    if not words or words[0] not in NEEDED:
        print("usage: python -I -m services.node.gate core|basic|full [UNIT]", file=sys.stderr)
        return 2
    memory_class, unit = words[0], words[1] if len(words) > 1 else own_unit() or words[0]
    reason = verdict(memory_class, available(MEMINFO.read_text()))
    record(unit, memory_class, reason)
    if reason:
        print(f"withheld: {reason}", file=sys.stderr)
    return 1 if reason else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
