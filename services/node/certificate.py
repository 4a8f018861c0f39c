"""The node certificate: renewed by itself, and replaced in changes at run time with the old one kept."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from services.node import change_lock, enrol, files, holders, pki, trust
from services.node.report import Report
from services.runtime import config
from services.runtime.config import Node
from services.runtime.errors import Problem

FOLDER = files.ETC / "pki"
PATH = FOLDER / "node.pem"


def needed(request: dict[str, Any]) -> bytes | None:
    """A certificate for the addresses after the change, PEM; None when the change touches no address.

    Main signs for itself; a sub has main sign, so that this fails before anything is written.
    """
    asked = {key: request[key] for key in ("mapping_ip", "address") if key in request}
    if not asked:
        return None
    node = config.load_node()
    names = names_of(replace(node, **asked))
    if node.center is not None:
        return pki.pem(enrol.renew(FOLDER, node.center, names)[0])
    return pki.pem(trust.signed(pki.Store(FOLDER), names))


def keep(place: Path) -> None:
    """Copy the present certificate to `place`, unless an interrupted try has done so."""
    if not place.is_file():
        files.write(place, PATH.read_bytes())


def kept(place: Path) -> bytes | None:
    """The certificate from before a change, None when the change did not replace it."""
    return place.read_bytes() if place.is_file() else None


def renew(authority: str = "") -> Report:
    """Replace this node's certificate when it is due, and make everybody who holds it use it.

    It is due when a third of its life is left, when names or addresses changed, or when it is not of the
    `authority` (fingerprint) that is asked for. Safe to repeat, and to interrupt anywhere.
    """
    report, node = Report(), config.load_node()
    store, names = pki.Store(FOLDER), names_of(node)
    with alone():
        if why := store.fault(names) or _foreign(store, authority):
            _replace(store, node, names)
            report.add(f"certificate of {node.name} ({why})")
        report.extend(holders.tell())
    _tell_end(store, report)
    return report


def names_of(node: Node) -> pki.Names:
    """What a node's certificate has to carry."""
    return pki.Names.of(node.name, [node.address, node.mapping_ip, *node.addresses.values()])


def rely_on(text: str) -> Report:
    """Trust exactly the authorities in a PEM text; Problem if this node's certificate is of none."""
    report, store = Report(), pki.Store(FOLDER)
    try:
        trusted = pki.authorities(text.encode())
    except ValueError as problem:
        raise _unusable(str(problem)) from problem
    with alone():
        own = store.certificate()
        if own is None or pki.issuer_of(own, trusted) is None:
            raise _unusable("this node's own certificate comes from none of them")
        if store.save_authorities(trusted):
            report.add("trusted authorities")
        report.extend(holders.tell())
    return report


def _replace(store: pki.Store, node: Node, names: pki.Names) -> None:
    if node.center is None:
        trust.issue(store, names)
    elif store.certificate() is None or not store.authorities():
        raise Problem(
            "not-joined",
            "The certificate cannot be renewed.",
            "This node has none that main would know it by.",
            "Run the deployment (site.yml) for this node: it joins main.",
        )
    else:
        store.save_issued(*enrol.renew(FOLDER, node.center, names))


def _foreign(store: pki.Store, authority: str) -> str:
    ca = store.ca()
    other = authority and ca is not None and pki.fingerprint(ca) != authority
    return "it comes from another authority" if other else ""


def _tell_end(store: pki.Store, report: Report) -> None:
    own, ca = store.certificate(), store.ca()
    if own and ca:
        report.data |= {"ends": f"{own.not_valid_after_utc:%Y-%m-%d}", "authority": pki.fingerprint(ca)}


@contextmanager
def alone() -> Iterator[None]:
    """Not while a change of the node is open: undoing it puts back the certificate from before."""
    with change_lock.alone() as mine:
        if not mine:
            raise Problem(
                "change-open",
                "The certificate was not touched.",
                "A change of this node is not confirmed yet.",
                "Keep or undo it (`dss change list`), then try again; the timer does so by itself.",
                status=409,
            )
        yield


def _unusable(why: str) -> Problem:
    return Problem(
        "authorities-unusable",
        "The authorities were not taken over; nothing was written.",
        f"In detail: {why}.",
        "Run playbooks/rotate_ca.yml from its beginning: it continues where it stopped.",
    )
