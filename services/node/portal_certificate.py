"""A customer's own certificate for the portal: checked, and kept in files that are named by its fingerprint.

Key and certificate are never replaced in place: a pair gets files of its own, and the configuration says
which pair is used. So no power cut can bring a key and a certificate together that do not fit.
"""

import json
import re
import ssl
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID

from services.node import files, held, pki
from services.runtime.errors import Problem
from services.runtime.names import covers

FOLDER, STATE = files.ETC / "pki", files.STATE
SYSTEM_TRUST = Path("/etc/ssl/certs/ca-certificates.crt")
FILE = re.compile(r"portal-([0-9a-f]{64})\.(pem|key)")
DNS = re.compile(r"(\*\.)?([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
LARGEST, MOST, WARN_DAYS = 32 * 1024, 8, 30
RSA_BITS, CURVES = (2048, 8192), {"secp256r1", "secp384r1"}
WEAK = {"md5", "sha1"}
Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


@dataclass(frozen=True)
class Pair:
    """A checked certificate: the chain from its own certificate upwards, its key, what to know about it."""

    chain: tuple[x509.Certificate, ...]
    key: Key = field(repr=False)
    warnings: tuple[str, ...]

    @property
    def summary(self) -> dict[str, Any]:
        """What settings, records and rendering hold of it: {"fingerprint": hex, "names": DNS names}."""
        return _summary(self.chain[0])


def check(certificate: str, key: str, own: tuple[str, ...] = ()) -> Pair:
    """A certificate with its chain and its key, both PEM; Problem says what is wrong with them.

    `own` are names and addresses by which the portal is opened; if none is in it, the pair carries a warning.
    """
    secret, found = _key(key), _certificates(certificate)
    _strong(secret, found)
    chain = _in_order(found, secret)
    _timely(chain)
    leaf, names = chain[0], held.names_of(chain[0])
    _for_servers(leaf, names)
    warnings = [*_completeness(chain), *_remarks(leaf, names, own)]
    return Pair(tuple(chain), secret, tuple(warnings))


def summary_of(certificate: str) -> dict[str, Any]:
    """`Pair.summary` of a chain whose own certificate stands first; Problem when it cannot be read."""
    leaf = _certificates(certificate)[0]
    return _summary(leaf)


def store(pair: Pair) -> None:
    """Write a pair beside whatever is used; nobody uses it before the configuration names it."""
    place = FOLDER / f"portal-{pair.summary['fingerprint']}"
    text = pair.key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    files.write_if_changed(place.with_suffix(".key"), text, 0o600)
    files.write_if_changed(place.with_suffix(".pem"), pki.bundle(pair.chain), 0o644)


def forget(used: set[str]) -> list[str]:
    """Remove pairs that neither `used` (fingerprints) nor a kept release names; what was removed."""
    kept = used | {_used_by(path) for path in (STATE / "trees").glob("*/etc/dss/portal-certificate.json")}
    gone = [path for path in sorted(FOLDER.glob("portal-*")) if _fingerprint(path) not in kept]
    for path in gone:
        path.unlink(missing_ok=True)
    return [path.name for path in gone]


def _summary(leaf: x509.Certificate) -> dict[str, Any]:
    names = [name.lower() for name in held.names_of(leaf) if not _is_address(name)]
    return {"fingerprint": pki.fingerprint(leaf).partition(":")[2], "names": names}


def _fingerprint(path: Path) -> str:
    found = FILE.fullmatch(path.name)
    return found[1] if found else ""


def _used_by(path: Path) -> str:
    try:
        return str(json.loads(path.read_text())["fingerprint"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def _key(text: str) -> Key:
    try:
        found = serialization.load_pem_private_key(text.encode(), password=None)
    except TypeError as problem:
        raise refused(
            "key-locked", "The private key is protected by a password.",
            "Take it off (openssl pkey -in KEY -out PLAIN) and import that; it is kept for root alone.",
        ) from problem  # fmt: skip
    except (ValueError, UnsupportedAlgorithm) as problem:
        raise refused(
            "key-unreadable", "The private key cannot be read.",
            "It must be one PEM text that begins with -----BEGIN PRIVATE KEY----- (or EC, RSA PRIVATE KEY).",
        ) from problem  # fmt: skip
    if not isinstance(found, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey):
        raise refused("key-kind", "The private key is neither RSA nor elliptic curve.",
                      "Use RSA with at least 2048 bits, or EC P-256 or P-384.")  # fmt: skip
    return found


def _certificates(text: str) -> list[x509.Certificate]:
    try:
        found = x509.load_pem_x509_certificates(text.encode())
    except ValueError as problem:
        raise refused(
            "certificate-unreadable", "The certificate cannot be read.",
            "It must be PEM that begins with -----BEGIN CERTIFICATE-----; the private key goes apart.",
        ) from problem  # fmt: skip
    if len(text) > LARGEST or len(found) > MOST:
        raise refused("certificate-large", f"It holds {len(found)} certificates in {len(text)} bytes.",
                      f"Give the certificate and its chain only: at most {MOST} in 32 KB.")  # fmt: skip
    return found


def _in_order(found: list[x509.Certificate], key: Key) -> list[x509.Certificate]:
    """The certificate of the key, then each time the one that signed the last, however they were ordered."""
    leaf = next((one for one in found if one.public_key() == key.public_key()), None)
    if leaf is None or any(one != leaf and _signed(one, leaf) for one in found):
        raise refused("key-other", "The private key belongs to none of the certificates.",
                      "Give the key with which the certificate of the portal was requested.")  # fmt: skip
    chain, rest = [leaf], [one for one in found if one != leaf]
    while upper := next((one for one in rest if _signed(chain[-1], one)), None):
        chain.append(upper)
        rest.remove(upper)
    if rest:
        raise refused("chain-foreign", f"{held.common_name(rest[0].subject)} does not belong to the chain.",
                      "Give only the certificate and those between it and its root.")  # fmt: skip
    return chain


def _signed(one: x509.Certificate, by: x509.Certificate) -> bool:
    try:
        one.verify_directly_issued_by(by)
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
        return False
    return _is_authority(by)


def _is_authority(one: x509.Certificate) -> bool:
    try:
        return bool(one.extensions.get_extension_for_class(x509.BasicConstraints).value.ca)
    except (x509.ExtensionNotFound, ValueError):
        return False


def _strong(key: Key, found: list[x509.Certificate]) -> None:
    if isinstance(key, rsa.RSAPrivateKey):
        if not RSA_BITS[0] <= key.key_size <= RSA_BITS[1]:
            raise refused("key-size", f"The RSA key has {key.key_size} bits.",
                          f"Use {RSA_BITS[0]} to {RSA_BITS[1]} bits.")  # fmt: skip
    elif key.curve.name not in CURVES:
        raise refused("key-curve", f"Browsers do not support the curve {key.curve.name}.",
                      "Use P-256 or P-384.")  # fmt: skip
    for one in found:
        hashed = one.signature_hash_algorithm
        # Nobody relies on the signature of a root.
        if hashed is not None and hashed.name in WEAK and one.subject != one.issuer:
            raise refused("signature-weak", f"{held.common_name(one.subject)} is signed with {hashed.name}.",
                          "Have it issued anew with SHA-256 or better.")  # fmt: skip


def _timely(chain: list[x509.Certificate]) -> None:
    now = datetime.now(UTC)
    for one in chain:
        name = held.common_name(one.subject)
        if one.not_valid_after_utc <= now:
            raise refused("certificate-expired", f"{name} ended on {one.not_valid_after_utc:%Y-%m-%d}.",
                          "Have it renewed.")  # fmt: skip
        if one.not_valid_before_utc > now:
            raise refused("certificate-early", f"{name} begins on {one.not_valid_before_utc:%Y-%m-%d}.",
                          "Wait until then, or correct the clock of this server.")  # fmt: skip


def _for_servers(leaf: x509.Certificate, names: list[str]) -> None:
    try:
        uses = set(leaf.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value)
    except x509.ExtensionNotFound:
        uses = {ExtendedKeyUsageOID.SERVER_AUTH}
    if not uses & {ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE}:
        raise refused("certificate-use", "The certificate is not for servers (extended key usage).",
                      "Have it issued for TLS web server authentication.")  # fmt: skip
    dns = [name for name in names if not _is_address(name)]
    if not [name for name in dns if name != "localhost" and not name.endswith(".dss")]:
        raise refused(
            "certificate-names", "It carries no DNS name of the customer's own (subject alternative name).",
            "Have it issued for the name by which people open the portal; addresses get our own.",
        )  # fmt: skip
    for name in dns:
        if not DNS.fullmatch(name.lower()) or len(name) > 253:
            raise refused("certificate-names", f"{name!r} is no DNS name.", "Have it issued anew.")


def _completeness(chain: list[x509.Certificate]) -> list[str]:
    """Nothing where the chain ends at a root, Problem where a link is missing, else a remark."""
    last, issuer = chain[-1], held.common_name(chain[-1].issuer)
    if _signed(last, last) or _by_known_root(last):
        return []
    if len(chain) == 1 and last.subject == last.issuer:
        return ["It is signed by itself: every browser warns unless it was told to trust it."]
    if not _is_authority(last):
        raise refused("chain-incomplete", f"The certificate of its issuer, {issuer}, is missing.",
                      "Add the intermediate certificates below it in the same file.")  # fmt: skip
    return [f"The root {issuer} is not known to this server: browsers must know it."]


def _by_known_root(one: x509.Certificate) -> bool:
    try:
        roots = ssl.create_default_context(cafile=SYSTEM_TRUST).get_ca_certs(binary_form=True)
    except OSError:
        return False
    # Among some 140 roots there are old ones that are not well-formed: only those of this name are read.
    name = one.issuer.public_bytes()
    return any(name in root and _signed(one, x509.load_der_x509_certificate(root)) for root in roots)


def _remarks(leaf: x509.Certificate, names: list[str], own: tuple[str, ...]) -> list[str]:
    found = []
    if leaf.not_valid_after_utc - datetime.now(UTC) < timedelta(days=WARN_DAYS):
        found.append(f"It ends soon, on {leaf.not_valid_after_utc:%Y-%m-%d}.")
    if own and not any(covers(name, one) for name in names for one in own):
        found.append(
            f"It is for {', '.join(names)}, none of which is known here ({', '.join(own)}): "
            "make sure that the network's DNS leads one of them to the portal."
        )
    return found


def _is_address(name: str) -> bool:
    return ":" in name or bool(re.fullmatch(r"[0-9.]+", name))


def refused(code: str, why: str, remedy: str) -> Problem:
    """The certificate cannot be used for the portal."""
    return Problem(code, "The certificate was not imported.", why, remedy, status=422)
