"""Main's part of trust: it makes the site's authority once and signs its own certificate."""

from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from services.node import pki
from services.node.report import Report
from services.runtime.errors import Problem


def ensure_main(folder: Path, site: str, names: pki.Names, check: bool = False) -> Report:
    """Authority and node certificate of main, made or replaced only where needed.

    The report's data hold `ca_fingerprint` as soon as there is an authority.
    """
    store, report = pki.Store(folder), Report()
    if not store.authorities():
        report.add("certificate authority")
        if check:
            return report
        store.save_ca(*pki.make_ca(site))
    fault = store.fault(names)
    if fault:
        report.add(f"node certificate ({fault})")
        if not check:
            issue(store, names)
    ca = store.ca()
    report.data["ca_fingerprint"] = pki.fingerprint(ca) if ca else ""
    return report


def issue(store: pki.Store, names: pki.Names) -> None:
    """Replace main's own certificate; Problem when the authority's key is not there."""
    store.save_certificate(signed(store, names))


def signed(store: pki.Store, names: pki.Names) -> x509.Certificate:
    """A certificate for main by its own authority, not written yet; Problem when that key is not there."""
    key, ca = signer(store)
    return pki.sign(key, ca, store.key().public_key(), names)


def signer(store: pki.Store) -> tuple[ec.EllipticCurvePrivateKey, x509.Certificate]:
    """The authority that signs now; Problem when its key is not there."""
    try:
        return store.signer()
    except (FileNotFoundError, ValueError) as problem:
        raise Problem(
            "authority-key-missing",
            "Main's certificate cannot be signed.",
            f"The authority's key {store.folder / 'ca.key'} cannot be read ({problem}).",
            "Restore /etc/dss/pki from a backup of main; a new authority would lock out every sub.",
        ) from problem
