"""Changes at run time, as root: check, render, write, restart what is affected, and undo unless confirmed.

docs/design/changes.md says why it is done this way.
"""

import subprocess
import time
from dataclasses import asdict
from typing import Any

from services import catalog as catalog_module
from services import facts as facts_module
from services.catalog import Catalog
from services.node import (
    certificate,
    change_record,
    change_request,
    files,
    foreign,
    holders,
    import_certificate,
    pending,
    units,
    verify,
)
from services.node.activate import FIREWALL
from services.node.change_lock import alone
from services.node.change_record import Record
from services.node.tree import Tree, TreeError
from services.render import render_facts
from services.runtime.errors import Problem

HEALTHY_SECONDS, POLL = 30.0, 0.25
ERRORS = (Problem, TreeError, OSError, ValueError, subprocess.SubprocessError)


def carry_out(id: str) -> int:
    """One change from its request to its end; called again after an interruption, it undoes or waits on."""
    if not change_record.ID.fullmatch(id):
        return 2
    with alone() as first:
        record = change_record.load(id)
        if not first:
            return _refuse(record or Record(id, {}, began=time.time()))
        if record is None:
            record = _new(id)
            if record.open:
                _make(record)
        elif record.state in {"checking", "applying", "undoing"}:
            _undo(record, "It was interrupted before it was done.")
        if record.state == "waiting":
            _wait(record)
    change_record.forget_old()
    return 0


def _refuse(record: Record) -> int:
    problem = Problem("change-open", "The change was not made.", "Another change is not confirmed yet.",
                      "Keep or undo that one first.", 409)  # fmt: skip
    record.problem = problem.as_dict()
    record.say("refused", str(problem))
    return 0


def state() -> tuple[Catalog, dict[str, Any], dict[str, Any]]:
    """Catalogue, facts of the inventory, overrides of this node."""
    nothing: dict[str, Any] = {}
    facts = files.read_json(files.ETC / "host.json", nothing)
    if not facts:
        raise change_request.refused(
            "facts-missing", "/etc/dss/host.json is missing.", "Run the deployment (site.yml) for this node."
        )
    return catalog_module.load(), facts, files.read_json(files.ETC / "overrides.json", nothing)


def _new(id: str) -> Record:
    """A record of a request that passed every check, or of why it did not."""
    record = Record(id, {}, began=time.time())
    try:
        asked = change_record.request_of(id)
        record.request = import_certificate.without_key(asked)
        record.request = import_certificate.taken_up(id, asked)
        record.by = str(record.request.get("by", ""))[:128]
        if other := next((one for one in change_record.listing() if one.open), None):
            raise Problem("change-open", "The change was not made.",
                          f"The change by {other.by} is not confirmed yet.",
                          "Keep or undo that one first.", 409)  # fmt: skip
        catalog, facts, record.before = state()
        separate = bool(facts.get("networks"))
        local = change_request.Local(foreign.holder, foreign.addresses(), separate)
        record.after = change_request.plan(catalog, facts, record.before, record.request, local)
    except ERRORS as error:
        record.problem = _words(error)
        record.say("refused", str(error))
        return record
    record.say("checking", "Every check passed.")
    return record


def _make(record: Record) -> None:
    """Apply a change and see that the node is well; undo it when it is not."""
    failing = {check.what for check in verify.verify(0) if not check.ok}
    start = time.monotonic()
    try:
        fresh = certificate.needed(record.request)
        if fresh:
            certificate.keep(record.certificate)
        record.say("applying", "The files are written and the affected services restart.")
        _install(record, record.after, fresh)
        _healthy(failing)
    except ERRORS as error:
        record.problem = _words(error)
        _undo(record, f"It did not work: {error}")
        return
    record.healthy_after = round(time.monotonic() - start, 2)
    if "center" in record.request:
        record.say("kept", "The node follows its centre.")
        return
    catalog, facts, _ = state()
    seconds = facts_module.host_of(facts, catalog).get("dss_confirm_seconds")
    record.ends = time.time() + seconds
    well = f"All is well after {record.healthy_after:.1f} s."
    record.say("waiting", f"{well} It is undone in {seconds} s unless it is kept.")


def _install(record: Record, overrides: dict[str, Any], fresh: bytes | None) -> None:
    """Write the tree of these overrides, and the certificate, and restart exactly what they affect."""
    tree = write(overrides)
    affected = dict(tree.affected)
    if fresh:
        files.write(certificate.PATH, fresh)
    for unit, verb in affected.items():
        record.affected["units"].setdefault(unit, verb)
    record.affected["paths"] = sorted({*record.affected["paths"], *tree.changed})
    record.say(record.state, f"Restarting or reloading: {', '.join(affected) or 'nothing'}.")
    turn(affected, any(path.startswith("/etc/systemd/") for path in tree.changed))
    for line in holders.tell() if fresh else ():
        verb, _, unit = line.partition(" ")
        record.affected["units"].setdefault(unit, verb)


def write(overrides: dict[str, Any]) -> Tree:
    """Bring the node's files to what facts and overrides say; the tree tells what that affects."""
    catalog, facts, _ = state()
    wanted = {path: asdict(file) for path, file in render_facts(catalog, facts, overrides).items()}
    tree = Tree("/", False)
    tree.apply(wanted, tree.recorded())
    return tree


def turn(affected: dict[str, str], reread: bool) -> None:
    """Restart or reload units that run; one that somebody stopped stays stopped."""
    if reread:
        units.systemctl("daemon-reload")
    if FIREWALL in affected:
        units.systemctl("reload-or-restart", FIREWALL)
    for verb, command in (("restart", "try-restart"), ("reload", "try-reload-or-restart")):
        if chosen := [name for name, wish in affected.items() if wish == verb and name != FIREWALL]:
            units.systemctl(command, *chosen)
    pending.done(list(affected))


def _healthy(failing: set[str]) -> None:
    """Wait until nothing fails that did not fail before; Problem naming what stays ill."""
    end = time.monotonic() + HEALTHY_SECONDS
    while bad := [c for c in verify.verify(0) if not c.ok and c.what not in failing]:
        if time.monotonic() > end:
            raise Problem("change-unhealthy", "The node is not well with the change.",
                          "; ".join(f"{c.what}: {c.reason}" for c in bad)[:1000],
                          "Look at the logs of these services.")  # fmt: skip
        time.sleep(POLL)


def _wait(record: Record) -> None:
    """Until somebody keeps or undoes the change, or its time is over."""
    while not (word := change_record.answer(record.id)) and not record.expired:
        time.sleep(POLL)
    if word == "keep":
        record.certificate.unlink(missing_ok=True)
        record.say("kept", "It was confirmed.")
        import_certificate.tidy()
    else:
        _undo(record, "It was undone by order." if word else "Nobody confirmed it in time.")


def _undo(record: Record, why: str) -> None:
    failing = {check.what for check in verify.verify(0) if not check.ok}
    record.say("undoing", why)
    try:
        _install(record, record.before, certificate.kept(record.certificate))
    except ERRORS as error:
        record.problem = _words(error)
        record.say("failed", f"It could not be undone: {error}. Run the deployment (site.yml) for this node.")
        return
    try:
        _healthy(failing)
        record.say("undone", "Everything is as before.")
        import_certificate.tidy()
    except Problem as problem:
        record.say("undone", f"The files are as before, but: {problem.why}")


def resume() -> int:
    """At boot, before the services start: take back what nobody confirmed; go on waiting for the others."""
    for record in list(change_record.listing()):
        if not record.open:
            continue
        if record.state == "waiting" and not record.expired:
            units.systemctl("start", "--no-block", f"dss-change@{record.id}.service", check=False)
            continue
        record.say("undoing", "The node started again before the change was confirmed.")
        tree = write(record.before)
        if old := certificate.kept(record.certificate):
            files.write(certificate.PATH, old)
        if any(path.startswith("/etc/systemd/") for path in tree.changed):
            units.systemctl("daemon-reload")
        # The firewall is loaded by now; no other unit of ours runs yet.
        if FIREWALL in tree.affected:
            units.systemctl("--no-block", "reload-or-restart", FIREWALL, check=False)
        pending.done(list(tree.affected))
        record.say("undone", "Everything is as before.")
    return 0


def answer(id: str, word: str) -> None:
    """`dss change keep|undo` on the node itself; without an id the open one is meant."""
    found = next((one for one in change_record.listing() if one.open and id in ("", one.id)), None)
    if found is None:
        raise Problem("change-none", "There is nothing to keep or undo.", "No change is open on this node.",
                      "`dss change list` shows the last ones.", 404)  # fmt: skip
    path = change_record.ASKED / f"{found.id}.answer"
    files.write(path, word)


def _words(error: BaseException) -> dict[str, Any]:
    if isinstance(error, Problem):
        return error.as_dict()
    text = str(getattr(error, "stderr", "") or error).strip()
    return Problem("change-failed", "The change was not made.", text, "Look at the node's log.").as_dict()
