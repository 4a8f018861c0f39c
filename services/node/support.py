"""The support bundle: what somebody who helps needs to see of a node, with every secret taken out."""

import io
import json
import os
import subprocess
import tarfile
import time
from datetime import UTC, datetime
from pathlib import Path

from services.node import files, release_tree, units

LOG_LINES = 2000
MOST_BYTES = 4 << 20
SHORTEST = 8
HIDDEN = "(secret)"
COMMANDS: dict[str, list[str]] = {
    "system/uname": ["uname", "-a"],
    "system/uptime": ["uptime"],
    "system/memory": ["cat", "/proc/meminfo"],
    "system/disks": ["df", "-h"],
    "system/addresses": ["ip", "address"],
    "system/routes": ["ip", "route"],
    "system/sockets": ["ss", "-lntup"],
    "system/clock": ["timedatectl"],
    "system/packages": ["dpkg-query", "-W"],
    "system/firewall": ["nft", "list", "ruleset"],
    "system/failed-units": ["systemctl", "--failed", "--no-pager"],
    "system/kernel-log": ["journalctl", "-k", "-n", str(LOG_LINES), "--no-pager", "-q"],
    "dss/status": ["/usr/local/bin/dss", "status"],
    "dss/verify": ["/usr/local/bin/dss", "verify", "--wait", "0"],
    "dss/releases": ["/usr/local/bin/dss", "release", "list"],
}


def make(out: str) -> Path:
    """Write `dss-support_<node>_<time>.tar.gz` (0600) into the folder `out`; its path."""
    name = files.read_json(files.ETC / "node.json", {"name": "unknown"})["name"]
    target = Path(out) / f"dss-support_{name}_{datetime.now(UTC):%Y%m%dT%H%M%SZ}.tar.gz"
    secret = secrets()
    handle = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as stream, tarfile.open(fileobj=stream, mode="w:gz") as archive:
        for place, text in _parts():
            data = masked(text[-MOST_BYTES:], secret).encode()
            member = tarfile.TarInfo(f"{target.name.removesuffix('.tar.gz')}/{place}")
            member.size, member.mtime, member.mode = len(data), int(time.time()), 0o600
            archive.addfile(member, io.BytesIO(data))
    return target


def secrets() -> list[str]:
    """Every secret text of this node, the longest first; of keys each line, since logs wrap."""
    found: set[str] = set()
    for path in [*(files.ETC / "credentials").glob("*"), *(files.ETC / "pki").glob("*.key")]:
        text = path.read_text()
        found |= {text.strip(), json.dumps(text.strip())[1:-1]}
        found |= {line for line in text.splitlines() if not line.startswith("-----")}
    return sorted((word for word in found if len(word) >= SHORTEST), key=len, reverse=True)


def masked(text: str, secret: list[str]) -> str:
    """The text without these words."""
    for word in secret:
        text = text.replace(word, HIDDEN)
    return text


def _parts() -> "list[tuple[str, str]]":
    """(name in the archive, text); a command that fails leaves its reason instead."""
    found = [(place, _output(words)) for place, words in COMMANDS.items()]
    rows = units.built()
    found += [(f"logs/{unit}", units.log(unit, LOG_LINES)) for unit in units.names(rows)]
    listed = [*release_tree.listed(Path("/")), str(files.ETC / "release.json"), "/var/lib/dss/footprint.json"]
    found += [(f"files{path}", _content(Path(path))) for path in sorted(listed)]
    return found


def _output(words: list[str]) -> str:
    try:
        done = subprocess.run(
            words, capture_output=True, text=True, check=False, timeout=60, errors="replace"
        )
    except (OSError, subprocess.TimeoutExpired) as problem:
        return f"{problem}\n"
    return done.stdout + done.stderr


def _content(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError as problem:
        return f"{problem}\n"
