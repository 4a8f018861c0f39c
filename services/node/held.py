"""The certificates a node holds, as its beat and `dss certificate list` tell them; no key is read for that.

Each is {"purpose": "node"|"authority"|"portal", "subject", "names": [DNS names and addresses], "issuer",
"not_before", "not_after": ISO 8601, "fingerprint": "sha256:…", "signed_by": fingerprint of the trusted
authority that signed it, "" when it is none of them}.
"""

from typing import Any

from cryptography import x509
from cryptography.x509.oid import NameOID

from services.node import files, pki

PORTAL = files.ETC / "portal-certificate.json"


def listing() -> list[dict[str, Any]]:
    """Certificate of the node, authorities it trusts, certificate imported for the portal; readable ones."""
    store = pki.Store(files.ETC / "pki")
    try:
        trusted = store.authorities()
    except ValueError:
        trusted = []
    own, portal = store.certificate(), _portal()
    found = [about("node", own, trusted)] if own else []
    found += [about("authority", one, trusted) for one in trusted]
    return [*found, about("portal", portal, trusted)] if portal else found


def about(purpose: str, one: x509.Certificate, trusted: list[x509.Certificate]) -> dict[str, Any]:
    """One certificate in the form above."""
    signer = pki.issuer_of(one, trusted)
    return {
        "purpose": purpose,
        "subject": common_name(one.subject),
        "names": names_of(one),
        "issuer": common_name(one.issuer),
        "not_before": one.not_valid_before_utc.isoformat(),
        "not_after": one.not_valid_after_utc.isoformat(),
        "fingerprint": pki.fingerprint(one),
        "signed_by": pki.fingerprint(signer) if signer else "",
    }


def names_of(one: x509.Certificate) -> list[str]:
    """DNS names and addresses a certificate is good for."""
    try:
        found = one.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (x509.ExtensionNotFound, ValueError):
        return []
    return [*found.get_values_for_type(x509.DNSName), *map(str, found.get_values_for_type(x509.IPAddress))]


def common_name(name: x509.Name) -> str:
    """The common name, or all of it when there is none."""
    found = name.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(found[0].value) if found else name.rfc4514_string()


def _portal() -> x509.Certificate | None:
    nothing: dict[str, Any] = {}
    fingerprint = files.read_json(PORTAL, nothing).get("fingerprint", "")
    try:
        text = (files.ETC / "pki" / f"portal-{fingerprint}.pem").read_bytes()
        return x509.load_pem_x509_certificate(text)
    except (OSError, ValueError):
        return None
