"""Backups of a node: database, secrets, certificates and configuration, sealed for the integrator's key."""

import json
import os
import re
import subprocess
import tarfile
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any, cast

from services import recording_keys, sealed
from services.node import backup_record, files, units
from services.node.backup_record import Run
from services.node.report import Report
from services.runtime import config
from services.runtime.errors import Problem

SETTINGS, WORK = files.ETC / "backup.json", files.STATE / "backup"
CHOICE = "portal_certificate"
DATABASE, SUFFIX = "database.sql", ".dssbackup"
NAME = re.compile(r"[a-z0-9-]+_\d{8}T\d{6}Z_[0-9.]+\.dssbackup")


def make() -> Report:
    """Write one backup, read it back, remove those beyond `keep`; the report's data hold `path`."""
    settings = _settings()
    with backup_record.alone():
        run = backup_record.begin()
        try:
            report = _make(settings, run)
        except BaseException as problem:
            run.end("failed", _words(problem))
            raise
        finally:
            _count(Path(settings["path"]))
        run.end("done", "It is complete.")
    return report


def _make(settings: dict[str, Any], run: Run) -> Report:
    folder, node, now = Path(settings["path"]), config.load_node(), datetime.now(UTC)
    name = f"{node.name}_{now:%Y%m%dT%H%M%SZ}_{node.version}{SUFFIX}"
    about = {"site": node.site, "node": node.name, "role": node.role, "version": node.version,
             "at": now.isoformat(timespec="seconds")}  # fmt: skip
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        run.bytes = _write(folder / name, settings["key"], about, run)
    except OSError as problem:
        raise Problem(
            "backup-failed",
            f"The backup could not be written to {folder}.",
            f"{problem}.",
            "Make room there or mount the disk it belongs to; older backups are untouched.",
        ) from problem
    run.file = name
    run.say(f"{name} is in its place.")
    report = Report(data={"path": str(folder / name), "bytes": run.bytes})
    report.add(f"backup {name}")
    for old in _forget(folder, node.name, settings["keep"]):
        report.add(f"old backup {old} removed")
        run.say(f"The old backup {old} was removed.")
    return report


def _words(problem: BaseException) -> str:
    if isinstance(problem, Problem):
        return f"{problem.what} {problem.why} {problem.remedy}"
    said = str(getattr(problem, "stderr", "") or problem).strip()
    return said or f"It was ended ({type(problem).__name__})."


def _count(folder: Path) -> None:
    try:
        backup_record.remember(folder / name for name in _mine(folder, config.load_node().name))
    except OSError:
        return  # The disk is away or full: the list of before stays, and the run itself says so.


def _settings() -> dict[str, Any]:
    nothing: dict[str, Any] = {}
    found = files.read_json(SETTINGS, nothing)
    if not found:
        raise Problem(
            "no-backups",
            "This node makes no backups.",
            "The inventory has no dss_backup_key, for which they would be encrypted.",
            "Make a key with `./dss backup key`, write its public half as dss_backup_key, run site.yml.",
        )
    return found


def _write(target: Path, key: str, about: dict[str, str], run: Run) -> int:
    """The sealed archive under its final name only once all of it was read back; its size in bytes."""
    working = target.with_name(f".{target.name}.new")
    try:
        handle = os.open(working, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "wb") as stream:
            writer = sealed.Writer(stream, key, about)
            with tarfile.open(fileobj=cast(IO[bytes], writer), mode="w|gz") as archive:
                _fill(archive, run)
            writer.close()
            stream.flush()
            os.fsync(handle)
        run.say(f"The sealed archive is written, {working.stat().st_size} bytes. It is read back.")
        # From the disk, not from memory: what cannot be read back now is no backup.
        _drop_cache(working)
        sealed.check(working, writer.cipher)
        working.replace(target)
        files.sync_folder(target.parent)
    finally:
        working.unlink(missing_ok=True)
    return target.stat().st_size


def _fill(archive: tarfile.TarFile, run: Run) -> None:
    archive.add(files.ETC, arcname="etc")
    run.say("Settings, secrets and certificates are in it.")
    if config.load_node().center is not None:
        return
    from services.node import dump
    from services.smc import store

    copy = WORK / DATABASE
    try:
        dump.write(str(store.engine().url.database), copy)
        run.say(f"The database is dumped: {copy.stat().st_size} bytes.")
        archive.add(copy, arcname=DATABASE)
    finally:
        copy.unlink(missing_ok=True)


def _drop_cache(path: Path) -> None:
    with path.open("rb") as stream:
        os.posix_fadvise(stream.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def _mine(folder: Path, node: str) -> list[str]:
    """This node's backups, oldest first; other files there are not ours to judge."""
    return sorted(
        p.name for p in folder.iterdir() if NAME.fullmatch(p.name) and p.name.startswith(f"{node}_")
    )


def _forget(folder: Path, node: str, keep: int) -> list[str]:
    """Remove the oldest of this node's backups beyond `keep`."""
    mine = _mine(folder, node)
    for name in mine[:-keep]:
        (folder / name).unlink()
    return mine[:-keep]


def restore_files(archive: Path, check: bool = False) -> Report:
    """Put secrets and certificates of a backup in place, before anything of the node is made anew."""
    report = Report()
    with tarfile.open(archive) as source:
        for member in source.getmembers():
            parts = Path(member.name).parts
            if member.isfile() and parts[:2] in {("etc", "credentials"), ("etc", "pki")} and len(parts) == 3:
                content = source.extractfile(member)
                assert content is not None
                if not check:
                    _folder(files.ETC / parts[1])
                    _put(files.ETC / parts[1] / parts[2], content.read(), member.mode & 0o777)
                report.add(f"{parts[1]}/{parts[2]}")
        report.add("certificate of the portal", _restore_choice(source, check))
    return report


def _put(path: Path, data: bytes, mode: int) -> None:
    # A host that has recorded since keeps its own keys, too: nothing else can read those recordings.
    if path.name == recording_keys.NAME:
        data = recording_keys.united(path, data)
    files.write(path, data, mode)


def _restore_choice(source: tarfile.TarFile, check: bool) -> bool:
    """Which imported certificate the portal showed; other changes at run time may not fit the new host."""
    nothing: dict[str, Any] = {}
    try:
        content = source.extractfile("etc/overrides.json")
    except KeyError:
        return False
    before = json.loads(content.read()) if content else nothing
    if CHOICE not in before:
        return False
    if not check:
        now = files.read_json(files.ETC / "overrides.json", nothing)
        files.write_json(files.ETC / "overrides.json", now | {CHOICE: before[CHOICE]})
    return True


def _folder(path: Path) -> None:
    path.mkdir(parents=True, exist_ok=True, mode=0o700 if path.name == "credentials" else 0o755)


def restore_database(archive: Path, check: bool = False) -> Report:
    """Load the database of a backup in the place of what is there; migrations are the next step's work."""
    from services.node import activate, dump
    from services.smc import store

    report = Report()
    report.add("database")
    if check:
        return report
    activate.start_alone("mariadb.service")
    units.systemctl("stop", "dss-portal.service", "dss-smc.service", check=False)
    copy = WORK / DATABASE
    WORK.mkdir(parents=True, exist_ok=True, mode=0o700)
    try:
        with tarfile.open(archive) as source, copy.open("wb") as target:
            copy.chmod(0o600)
            content = source.extractfile(DATABASE)
            assert content is not None
            while part := content.read(1 << 20):
                target.write(part)
        dump.load(copy, str(store.engine().url.database))
    finally:
        copy.unlink(missing_ok=True)
    subprocess.run(["sync"], check=True)
    return report
