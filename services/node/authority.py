"""Changing the site's authority on main, in steps that can each be repeated and cut off anywhere.

`ca-next.key` holds key and certificate of the new authority in one file, from the beginning to the end of the
change: its presence says that one is under way. Who signs is decided by `ca.key` alone, who is trusted by
`ca.pem` alone, and each is replaced by one rename.
"""

import re
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from services.node import certificate, files, fleet, held, holders, pki, trust
from services.node.report import Report
from services.runtime import config
from services.runtime.errors import Problem
from services.smc import audit, store

SECONDS = 30.0
NUMBER = re.compile(r" (\d{1,6})$")


@dataclass(frozen=True)
class Next:
    """The authority that takes over."""

    key: ec.EllipticCurvePrivateKey
    ca: x509.Certificate

    @property
    def name(self) -> str:
        """Its fingerprint."""
        return pki.fingerprint(self.ca)


def begin(seconds: float = SECONDS) -> Report:
    """Make the new authority, unless that is done, and trust it beside the old one."""
    report, own = Report(), _store()
    _, now = trust.signer(own)
    coming = _load(own)
    if coming is None:
        _make(own, now)
        report.add("new authority")
        coming = _need(own)
    with certificate.alone():
        if coming.ca not in own.authorities():
            own.save_authorities([*own.authorities(), coming.ca])
            report.add("trusted beside the old one")
        report.extend(holders.tell())
    return _told(report, own, coming, "begin")


def issue(seconds: float = SECONDS) -> Report:
    """Sign with the new authority from now on, main's own certificate first; all nodes must trust it."""
    report, own = Report(), _store()
    coming = _need(own)
    if own.signer()[1] != coming.ca:
        what = "The new authority cannot sign yet: a node that does not trust it would be cut off."
        report.data["left_out"] = fleet.need(fleet.trusts(coming.name), what, seconds)
        files.write(own.folder / "ca.key", pki.key_pem(coming.key), 0o600)
        report.add("the new authority signs")
    report.extend(certificate.renew(coming.name).changes)
    return _told(report, own, coming, "issue")


def drop(seconds: float = SECONDS) -> Report:
    """Trust the new authority alone; every node must have its certificate from it already."""
    report, own = Report(), _store()
    coming = _need(own)
    if own.signer()[1] != coming.ca or own.ca() != coming.ca:
        raise _unfit("The new authority does not sign yet.", "Run the step `issue` before.")
    if own.authorities() != [coming.ca]:
        what = "The old authority cannot be dropped yet: a node that needs it would be cut off."
        report.data["left_out"] = fleet.need(fleet.shows(coming.name), what, seconds)
        report.extend(certificate.rely_on(pki.pem(coming.ca).decode()).changes)
    report.extend(holders.tell())
    return _told(report, own, coming, "drop")


def finish(seconds: float = SECONDS) -> Report:
    """End the change, when no node trusts the old authority any more."""
    report, own = Report(), _store()
    coming = _load(own)
    if coming is None:
        return report
    if own.authorities() != [coming.ca]:
        raise _unfit("Main still trusts the old authority.", "Run the step `drop` before.")
    what = "The change of the authority is not at its end yet."
    report.data["left_out"] = fleet.need(fleet.trusts_only(coming.name), what, seconds)
    (own.folder / "ca-next.key").unlink()
    files.sync_folder(own.folder)
    report.add("the old authority is gone")
    return _told(report, own, coming, "finish")


STEPS = {"begin": begin, "issue": issue, "drop": drop, "finish": finish}


def under_way() -> bool:
    """Whether a change of the authority has begun and not ended."""
    return (certificate.FOLDER / "ca-next.key").is_file()


def _store() -> pki.Store:
    if config.load_node().center is not None:
        raise _unfit("Only main has the site's authority.", "Run this on main.")
    return pki.Store(certificate.FOLDER)


def _make(own: pki.Store, now: x509.Certificate) -> None:
    name = held.common_name(now.subject)
    found = NUMBER.search(name)
    number = int(found[1]) + 1 if found else 2
    key, ca = pki.make_ca(config.load_node().site, number)
    files.write(own.folder / "ca-next.key", pki.key_pem(key) + pki.pem(ca), 0o600)


def _load(own: pki.Store) -> Next | None:
    path: Path = own.folder / "ca-next.key"
    if not path.is_file():
        return None
    text = path.read_bytes()
    try:
        return Next(pki.load_key(text), x509.load_pem_x509_certificate(text))
    except ValueError as problem:
        raise _unfit(
            f"{path} cannot be read ({problem}).", "Restore /etc/dss/pki from a backup of main."
        ) from problem


def _need(own: pki.Store) -> Next:
    found = _load(own)
    if found is None:
        raise _unfit("No change of the authority is under way.", "Run the step `begin` before.")
    return found


def _told(report: Report, own: pki.Store, coming: Next, step: str) -> Report:
    """The report with what the nodes are to be given; audited when something was done."""
    report.data |= {"authority": coming.name, "bundle": pki.bundle(own.authorities()).decode()}
    if report.changes:
        from services.node.registry import operator

        details = {"step": step, "authority": coming.name}
        with store.session() as session:
            audit.write(session, "certificate.rotate", config.load_node().name, actor=operator().name,
                        source="console", details=details)  # fmt: skip
    return report


def _unfit(why: str, remedy: str) -> Problem:
    return Problem("rotation", "The authority was not changed.", why, remedy, status=409)
