"""Writes all rendered files of a node at once; the deployment and changes at run time share it.

Only the standard library: the deployment runs it by the host's own Python, before anything is installed.
"""

import grp
import json
import os
import pwd
import re
import tempfile
from collections.abc import Callable
from typing import Any

Wish = dict[str, Any]
State = tuple[bytes, int, int, int]

RECORD, CREDENTIALS, PENDING = "etc/dss/installed.json", "etc/dss/credentials", "var/lib/dss/pending"
UNIT_FOLDER = "/etc/systemd/"
RELOADABLE = {"nginx.service", "dss-firewall.service"}
SECRET = re.compile(r"@@credential:([a-z0-9.-]+)@@")
SECRET_MODES = {"0600", "0640"}
MOST_DIFF = 64


class TreeError(Exception):
    """The tree cannot be installed; the text says why and what to do."""


def sync_folder(folder: str) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write(path: str, data: bytes, mode: int, owner: int = 0, group: int = 0) -> None:
    """Replace a file: temporary neighbour, fsync, rename, fsync of the folder."""
    folder = os.path.dirname(path)
    os.makedirs(folder, mode=0o755, exist_ok=True)
    handle, temporary = tempfile.mkstemp(prefix=".dss-", dir=folder)
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fchmod(handle, mode)
            os.fchown(handle, owner, group)
            os.fsync(handle)
        os.replace(temporary, path)
    except BaseException:
        if os.path.exists(temporary):
            os.unlink(temporary)
        raise
    sync_folder(folder)


def account(lookup: Callable[[str], Any], name: str, kind: str, check: bool) -> int:
    """Number of a user or group; in a check of a bare host it may not be there yet."""
    try:
        number: int = lookup(name)[2]
        return number
    except KeyError:
        if check:
            return -1
        raise TreeError(
            f"The {kind} {name} does not exist. Run the base playbook first: it installs it."
        ) from None


def current(path: str) -> State | None:
    """(content, mode, owner, group) of a file, or None."""
    try:
        with open(path, "rb") as stream:
            state = os.fstat(stream.fileno())
            return stream.read(), state.st_mode & 0o7777, state.st_uid, state.st_gid
    except FileNotFoundError:
        return None


def add_verb(affected: dict[str, str], path: str, units: list[str]) -> None:
    """Note what a changed file asks of its units; a restart is never weakened to a reload."""
    for unit in units:
        reload = unit in RELOADABLE and not path.startswith(UNIT_FOLDER)
        if affected.get(unit) != "restart":
            affected[unit] = "reload" if reload else "restart"


def record_text(listing: dict[str, list[str]]) -> bytes:
    """The content of RECORD."""
    files = {path: sorted(units) for path, units in sorted(listing.items())}
    return (json.dumps({"files": files}, indent=1) + "\n").encode()


def lines_of(data: bytes | None) -> str:
    return data.decode("utf-8", "replace") if data else ""


class Tree:
    """The files of one node below `root`."""

    def __init__(self, root: str, check: bool, credentials: str | None = None) -> None:
        self.root, self.check = root, check
        self.credentials = credentials or self.at(CREDENTIALS)
        self.changed: list[str] = []
        self.affected: dict[str, str] = {}
        self.diffs: list[dict[str, str]] = []

    def at(self, path: str) -> str:
        return os.path.join(self.root, path.lstrip("/"))

    def filled(self, path: str, wish: Wish) -> bytes:
        """Text with the node's secrets in it."""
        text: str = wish["text"]
        if not SECRET.search(text):
            return text.encode()
        if wish["mode"] not in SECRET_MODES:
            raise TreeError(
                f"{path} holds a secret but has mode {wish['mode']}. Render it with mode 0600 or 0640."
            )
        return SECRET.sub(lambda found: self.secret(path, found.group(1)), text).encode()

    def secret(self, path: str, name: str) -> str:
        try:
            with open(os.path.join(self.credentials, name)) as stream:
                return stream.read().strip()
        except FileNotFoundError:
            if self.check:
                return ""
            raise TreeError(f"{path} needs the credential {name}, which this node does not have.") from None

    def wanted(self, path: str, wish: Wish) -> State:
        """(content, mode, owner, group) as it has to be."""
        owner = account(pwd.getpwnam, wish["owner"], "user", self.check)
        group = account(grp.getgrnam, wish["group"], "group", self.check)
        return self.filled(path, wish), int(wish["mode"], 8), owner, group

    def note(self, path: str, units: list[str]) -> None:
        self.changed.append(path)
        add_verb(self.affected, path, units)

    def show(self, path: str, before: bytes, after: bytes, masked: bool) -> None:
        if len(self.diffs) < MOST_DIFF:
            hide = "(this file holds secrets)\n"
            self.diffs.append(
                {
                    "before_header": path,
                    "after_header": path,
                    "before": hide if masked else lines_of(before),
                    "after": hide.replace("holds", "would hold other") if masked else lines_of(after),
                }
            )

    def apply(self, files: dict[str, Wish], record: dict[str, list[str]]) -> None:
        """Install `files` and take away what `record` holds beyond them."""
        writes, removals = [], []
        for path, wish in sorted(files.items()):
            have, want = current(self.at(path)), self.wanted(path, wish)
            if have != want:
                writes.append((path, want))
                self.note(path, wish["affects"])
                self.show(path, have[0] if have else b"", want[0], bool(SECRET.search(wish["text"])))
        for path, units in sorted(record.items()):
            if path not in files:
                removals.append(path)
                self.note(path, units)
                self.show(path, b"(removed)\n" if current(self.at(path)) else b"", b"", False)
        if not self.check:
            self.commit(writes, removals)
            self.remember(files)

    def commit(self, writes: list[tuple[str, State]], removals: list[str]) -> None:
        # The restarts are noted before the first file changes: whatever comes after, they are not forgotten.
        for unit, verb in self.affected.items():
            pending = self.at(f"{PENDING}/{unit}")
            if (current(pending) or (b"",))[0] != b"restart":
                write(pending, verb.encode(), 0o644, os.getuid(), os.getgid())
        for path, (data, mode, owner, group) in writes:
            write(self.at(path), data, mode, owner, group)
        for path in removals:
            if os.path.lexists(self.at(path)):
                os.unlink(self.at(path))
                sync_folder(os.path.dirname(self.at(path)))

    def recorded(self) -> dict[str, list[str]]:
        have = current(self.at(RECORD))
        return json.loads(have[0])["files"] if have else {}

    def remember(self, files: dict[str, Wish]) -> None:
        """Keep the list of everything written, for the next run and for uninstalling."""
        data = record_text({path: wish["affects"] for path, wish in files.items()})
        if (current(self.at(RECORD)) or (b"",))[0] != data:
            write(self.at(RECORD), data, 0o644, os.getuid(), os.getgid())
