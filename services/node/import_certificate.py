"""Root's part of importing a certificate for the portal: asked for by the agent, or by the deployment."""

import time
from collections.abc import Iterator
from typing import Any

from services.node import change_record, files, portal_certificate
from services.node.report import Report

KIND = "portal_certificate"
FORGOTTEN_SECONDS = 3600


def taken_up(id: str, request: dict[str, Any]) -> dict[str, Any]:
    """The request with an imported pair named instead of held: the key leaves the agent's folder at once.

    Problem when the certificate cannot be used. The pair's files are written; nothing uses them yet.
    """
    value = request.get(KIND)
    if not isinstance(value, dict) or set(value) != {"certificate", "key"}:
        return request
    try:
        pair = portal_certificate.check(str(value["certificate"]), str(value["key"]))
        portal_certificate.store(pair)
    finally:
        (change_record.ASKED / f"{id}.json").unlink(missing_ok=True)
    return request | {KIND: pair.summary}


def without_key(request: dict[str, Any]) -> dict[str, Any]:
    """The request as a record may hold it when the certificate in it is refused."""
    return request | {KIND: {}} if isinstance(request.get(KIND), dict) else request


def bring(given: dict[str, str], check: bool = False) -> Report:
    """Put the pair of the inventory, {"certificate", "key"}, beside the others; nothing uses it yet."""
    report = Report()
    pair = portal_certificate.check(given["certificate"], given["key"])
    path = portal_certificate.FOLDER / f"portal-{pair.summary['fingerprint']}.pem"
    report.add("certificate of the portal", not path.is_file())
    if not check:
        portal_certificate.store(pair)
    return report


def tidy() -> list[str]:
    """Remove pairs that nothing refers to, and requests with keys that nobody took up; names of the pairs."""
    known = {one.id for one in change_record.listing()}
    # The folder is the agent's: were it a link, files of other names behind it would not be ours to remove.
    asked = (p for p in change_record.ASKED.glob("*.json") if change_record.ID.fullmatch(p.stem))
    for path in asked:
        if path.stem not in known and time.time() - path.stat().st_mtime > FORGOTTEN_SECONDS:
            path.unlink(missing_ok=True)
    return portal_certificate.forget({value["fingerprint"] for value in _referred() if value})


def _referred() -> Iterator[dict[str, Any] | None]:
    """Every pair that the deployment, a change, or the undoing of an open one names."""
    nothing: dict[str, Any] = {}
    for name in ("host.json", "overrides.json"):
        yield files.read_json(files.ETC / name, nothing).get(KIND)
    for one in change_record.listing():
        if one.open:
            yield from (one.before.get(KIND), one.after.get(KIND))
