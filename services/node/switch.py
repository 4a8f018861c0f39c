"""Changing the release of a node: tried first, gated by health, undone by itself; never left in between."""

import json
import shutil
import sys
from pathlib import Path
from typing import Any

from services import version
from services.node import (
    accounts,
    activate,
    database,
    dump,
    files,
    journal,
    pending,
    release,
    release_record,
    release_tree,
    trial,
    units,
    verify,
)
from services.node.journal import Journal
from services.node.report import Report
from services.runtime import config
from services.runtime.errors import Problem
from services.smc import store

PROGRAMS, TREES = Path("/opt/dss"), files.STATE / "trees"
CURRENT, RELEASES = PROGRAMS / "current", PROGRAMS / "releases"
UNDER_WAY = release_record.UNDER_WAY
RECORD = files.ETC / "release.json"
WRITERS = ("dss-portal.service", "dss-smc.service")
"""Everything that writes the database; they stand still between the dump and the end of the migration."""

GATE_SECONDS = 45
KEEP = 3


def installed() -> str:
    """The release this node runs."""
    return CURRENT.readlink().name


def kept() -> list[str]:
    """Releases of which programs and files are on this node, the oldest first."""
    names = [p.name for p in RELEASES.glob("*") if (TREES / p.name).is_dir() or p.name == installed()]
    return sorted((n for n in names if not n.endswith((".new", ".old"))), key=version.parse)


def upgrade(wanted: str, operator: str = "") -> Report:
    """Change to the staged release `wanted`; standard input is what release.json is to hold."""
    wish = json.load(sys.stdin)
    version.need_next(installed(), wanted)
    report = Report()
    if installed() == wanted:
        return report
    recover()
    steps = trial.run(_database(), journal.FOLDER) if config.load_node().center is None else []
    report.extend(steps)
    _change(wanted, wish, "upgrade", operator, migrate=bool(steps))
    report.add(f"release {wanted}")
    _forget_old()
    return report


def back(wanted: str, operator: str = "") -> Report:
    """Change back to the kept release `wanted`; the database stays as it is, with all that is newer."""
    report = Report()
    if installed() == wanted:
        return report
    if wanted not in kept():
        raise Problem(
            "release-not-kept",
            f"Release {wanted} is not on this node.",
            f"It keeps {', '.join(kept())}.",
            "Name one of these.",
        )
    version.need_previous(installed(), wanted)
    recover()
    empty: dict[str, Any] = {}
    now, before = files.read_json(RECORD, empty), files.read_json(TREES / wanted / "release.json", empty)
    accepted = now.get("accepted_agreement", {})
    wish = {"version": wanted, "date": before.get("date", "")}
    wish |= {"agreement": accepted.get("version", ""), "by": accepted.get("by", "")}
    _change(wanted, wish, "rollback", operator, migrate=False)
    report.add(f"release {wanted}")
    return report


def _change(wanted: str, wish: dict[str, str], kind: str, operator: str, migrate: bool) -> None:
    empty: dict[str, Any] = {}
    old, record = installed(), files.read_json(RECORD, empty)
    release_tree.capture(TREES / old)
    files.write_json(TREES / old / "release.json", record)
    _link(journal.OLD, RELEASES / old)
    # Starting dss.target must not start the recovery; a power cut takes this mark away, and only that.
    UNDER_WAY.parent.mkdir(parents=True, exist_ok=True)
    UNDER_WAY.touch()
    release_record.dated(old, record.get("date", ""))
    release_record.dated(wanted, wish["date"])
    told = release_record.begin(kind, old, wanted, operator)
    now = Journal(old, wanted, record).save()
    try:
        if migrate:
            told.say("The services that write the database stand still; it is dumped and migrated.")
            units.systemctl("stop", *WRITERS)
            dump.write(_database(), journal.DUMP)
            now = now.at("schema")
            database.migrate(_database())
        told.say("Programs and files are put in place.")
        _files(wanted)
        accounts.ensure()
        release.record(RECORD, wish)
        now = now.at("started")
        told.say("The services start, and the node is checked.")
        activate.networks()
        activate.firewall()
        activate.activate()
        _gate(wanted)
    except (Exception, KeyboardInterrupt) as problem:
        undone = _undone(now, problem)
        told.end("undone", f"{undone.what} {undone.why}")
        raise undone from problem
    journal.close()
    told.end("done", f"The node runs {wanted} and is well.")
    UNDER_WAY.unlink(missing_ok=True)


def _files(wanted: str) -> None:
    """Programs and files of a release in their place, and the restarts they ask for noted beforehand."""
    _note_own()
    _link(CURRENT, Path("releases") / wanted)
    for unit, verb in release_tree.apply(TREES / wanted).items():
        pending.note(unit, verb)
    _note_own()


def _note_own() -> None:
    for name in units.names(units.built()):
        if name.startswith("dss-"):
            pending.note(name)


def _gate(wanted: str) -> None:
    if (runs := installed()) != wanted:
        raise Problem("gate", f"The node runs {runs}.", "Something else changed it.", "Look at the journal.")
    wrong = [c for c in verify.verify(GATE_SECONDS) if not c.ok]
    if wrong:
        text = "; ".join(f"{c.what} {c.reason}" for c in wrong)
        raise Problem("gate", "The new release is not healthy.", f"{text}.", "See its log lines.")


def recover(boot: bool = False) -> Report:
    """Undo a change that was cut off in the middle, by a power cut for instance.

    At boot our own services still wait for this (dss-recover.service), and start with what it puts in place.
    """
    report, found = Report(), journal.load()
    if found is None:
        return report
    _undo(found, boot)
    release_record.cut_off(installed())
    report.add(f"back to release {found.old}, {found.new} was not complete")
    if not boot:
        activate.networks()
        activate.firewall()
        activate.activate()
        return report
    owed = pending.units()
    units.systemctl("daemon-reload")
    engines = [n for n in owed if not n.startswith("dss-") and units.show([n])[0].state == "Running"]
    if engines:
        units.systemctl("restart", "--no-block", *engines)
    pending.done(list(owed))
    return report


def _undone(now: Journal, problem: BaseException) -> Problem:
    why = f"{problem.what} {problem.why}" if isinstance(problem, Problem) else f"{problem}"
    _undo(now, boot=False)
    try:
        activate.networks()
        activate.firewall()
        activate.activate()
        state = f"The node is back on {now.old}, all services run."
    except Problem as second:
        state = f"The node is back on {now.old}, but: {second.what} {second.why}"
    return Problem(
        "upgrade-undone",
        f"Release {now.new} could not be put into service. {state}",
        why,
        "Nothing is lost. Correct the cause and run the playbook again.",
    )


def _undo(now: Journal, boot: bool) -> None:
    """Link, files and release.json of the old release; its database too where nothing newer can be lost."""
    if now.phase == "schema":
        activate.start_alone("mariadb.service")
        if not boot:
            units.systemctl("stop", *WRITERS, check=False)
        dump.load(journal.DUMP, _database())
    _files(now.old)
    files.write_json(RECORD, now.record)
    journal.close()
    UNDER_WAY.unlink(missing_ok=True)


def _link(name: Path, target: Path) -> None:
    working = name.with_name(name.name + ".new")
    name.parent.mkdir(parents=True, exist_ok=True)
    working.unlink(missing_ok=True)
    working.symlink_to(target)
    working.replace(name)
    files.sync_folder(name.parent)


def _forget_old() -> None:
    for name in kept()[:-KEEP]:
        if name != installed():
            shutil.rmtree(RELEASES / name, ignore_errors=True)
            shutil.rmtree(TREES / name, ignore_errors=True)


def _database() -> str:
    return str(store.engine().url.database)
