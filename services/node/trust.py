"""Main's part of trust: it makes the site's authority once and signs its own certificate."""

from pathlib import Path

from services.node import pki
from services.node.report import Report
from services.runtime.errors import Problem


def ensure_main(folder: Path, site: str, names: pki.Names, check: bool = False) -> Report:
    """Authority and node certificate of main, made or replaced only where needed.

    The report's data hold `ca_fingerprint` as soon as there is an authority.
    """
    store, report = pki.Store(folder), Report()
    folder_exists = folder.is_dir()
    if not folder_exists and not check:
        folder.mkdir(parents=True, mode=0o755)
    if store.ca() is None:
        report.add("certificate authority")
        if check:
            return report
        store.save_ca(*pki.make_ca(site))
    fault = store.fault(names)
    if fault:
        report.add(f"node certificate ({fault})")
        if not check:
            _issue(store, names)
    ca = store.ca()
    report.data["ca_fingerprint"] = pki.fingerprint(ca) if ca else ""
    return report


def _issue(store: pki.Store, names: pki.Names) -> None:
    ca = store.ca()
    assert ca is not None
    try:
        ca_key = store.ca_key()
    except (FileNotFoundError, ValueError) as problem:
        raise Problem(
            "authority-key-missing",
            "Main's certificate cannot be signed.",
            f"The authority's key {store.folder / 'ca.key'} cannot be read ({problem}).",
            "Restore /etc/dss/pki from a backup of main; a new authority would lock out every sub.",
        ) from problem
    store.save_certificate(pki.sign(ca_key, ca, store.key().public_key(), names))
