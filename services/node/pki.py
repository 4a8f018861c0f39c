"""The site's own certificate authority and the certificates of its nodes (X.509, RFC 5280; ECDSA P-256)."""

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from services.node import files

CA_DAYS = 3650
NODE_DAYS = 397
RENEW_DAYS = 30
BACKDATE = timedelta(hours=1)
"""Certificates begin an hour ago, so that a peer with a slightly slow clock accepts them."""


@dataclass(frozen=True)
class Names:
    """Everything a node is called: the common name and all subject alternative names."""

    name: str
    dns: tuple[str, ...]
    addresses: tuple[str, ...]

    @classmethod
    def of(cls, name: str, addresses: Iterable[str | None]) -> "Names":
        """The names of node `name` with these addresses (LAN, mapping IP; None is left out)."""
        known = [a for a in addresses if a] + ["127.0.0.1"]
        return cls(name, (name, f"{name}.node.dss", "localhost"), tuple(dict.fromkeys(known)))

    def extension(self) -> x509.SubjectAlternativeName:
        """The subject alternative name extension (RFC 5280 §4.2.1.6)."""
        names: list[x509.GeneralName] = [x509.DNSName(d) for d in self.dns]
        names += [x509.IPAddress(ipaddress.ip_address(a)) for a in self.addresses]
        return x509.SubjectAlternativeName(names)


def new_key() -> ec.EllipticCurvePrivateKey:
    """A fresh P-256 key."""
    return ec.generate_private_key(ec.SECP256R1())


def key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    """A private key as unencrypted PKCS #8 PEM."""
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def load_key(pem: bytes) -> ec.EllipticCurvePrivateKey:
    """The P-256 key in a PEM; ValueError when it is something else."""
    key = serialization.load_pem_private_key(pem, password=None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise ValueError("not an elliptic curve key")
    return key


def pem(certificate: x509.Certificate) -> bytes:
    """A certificate as PEM."""
    return certificate.public_bytes(serialization.Encoding.PEM)


def fingerprint(certificate: x509.Certificate) -> str:
    """`sha256:` and the hex digest of the DER form: what a joining node pins."""
    return f"sha256:{certificate.fingerprint(hashes.SHA256()).hex()}"


def _subject(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _usage(ca: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not ca,
        key_cert_sign=ca,
        crl_sign=ca,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def make_ca(site: str) -> tuple[ec.EllipticCurvePrivateKey, x509.Certificate]:
    """A new authority for a site: it may sign nodes, and no authority below it."""
    key, now, name = new_key(), datetime.now(UTC), _subject(f"{site[:40]} DSS CA")
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - BACKDATE)
        .not_valid_after(now + timedelta(days=CA_DAYS))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(ca=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    return key, certificate


def sign(
    ca_key: ec.EllipticCurvePrivateKey,
    ca: x509.Certificate,
    public_key: ec.EllipticCurvePublicKey,
    names: Names,
    days: int = NODE_DAYS,
) -> x509.Certificate:
    """A node certificate for server and client use, never living longer than its authority."""
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(_subject(names.name))
        .issuer_name(ca.subject)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - BACKDATE)
        .not_valid_after(min(now + timedelta(days=days), ca.not_valid_after_utc))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(ca=False), critical=True)
        .add_extension(
            x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]),
            critical=False,
        )
        .add_extension(names.extension(), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key()), critical=False
        )
        .sign(ca_key, hashes.SHA256())
    )


def request(key: ec.EllipticCurvePrivateKey, names: Names) -> bytes:
    """A certificate signing request (RFC 2986) as PEM, asking for all of `names`."""
    builder = x509.CertificateSigningRequestBuilder().subject_name(_subject(names.name))
    signed = builder.add_extension(names.extension(), critical=False).sign(key, hashes.SHA256())
    return signed.public_bytes(serialization.Encoding.PEM)


def names_in(certificate: x509.Certificate | x509.CertificateSigningRequest) -> Names:
    """The names a certificate (or a request for one) really carries."""
    common = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return Names(
        str(common[0].value) if common else "",
        tuple(found.get_values_for_type(x509.DNSName)),
        tuple(str(a) for a in found.get_values_for_type(x509.IPAddress)),
    )


def fault(certificate: x509.Certificate, ca: x509.Certificate, key: bytes, names: Names) -> str:
    """Why a node certificate must be replaced, in a few words; empty when it is good."""
    try:
        certificate.verify_directly_issued_by(ca)
    except (ValueError, TypeError, InvalidSignature):
        return "it is not signed by this site's authority"
    if certificate.public_key() != load_key(key).public_key():
        return "it does not belong to this node's key"
    carried = names_in(certificate)
    if (carried.name, set(carried.dns), set(carried.addresses)) != (
        names.name,
        set(names.dns),
        set(names.addresses),
    ):
        return "the node's names or addresses have changed"
    if certificate.not_valid_after_utc - datetime.now(UTC) < timedelta(days=RENEW_DAYS):
        return f"it ends on {certificate.not_valid_after_utc:%Y-%m-%d}"
    return ""


@dataclass(frozen=True)
class Store:
    """The certificate files of a node, normally in /etc/dss/pki."""

    folder: Path

    def ca(self) -> x509.Certificate | None:
        """The site's authority, or None before the first deployment."""
        path = self.folder / "ca.pem"
        return x509.load_pem_x509_certificate(path.read_bytes()) if path.is_file() else None

    def ca_key(self) -> ec.EllipticCurvePrivateKey:
        """The authority's key; FileNotFoundError where this node is not main."""
        return load_key((self.folder / "ca.key").read_bytes())

    def fault(self, names: Names) -> str:
        """Why this node needs a (new) certificate; empty when it needs none."""
        key, certificate, ca = self.folder / "node.key", self.folder / "node.pem", self.ca()
        if ca is None or not key.is_file() or not certificate.is_file():
            return "there is none yet"
        try:
            loaded = x509.load_pem_x509_certificate(certificate.read_bytes())
            return fault(loaded, ca, key.read_bytes(), names)
        except (ValueError, x509.ExtensionNotFound):
            return "it cannot be read"

    def days_left(self) -> int | None:
        """Whole days until this node's certificate ends; None when there is none."""
        path = self.folder / "node.pem"
        if not path.is_file():
            return None
        ends = x509.load_pem_x509_certificate(path.read_bytes()).not_valid_after_utc
        return (ends - datetime.now(UTC)).days

    def save_ca(self, key: ec.EllipticCurvePrivateKey, ca: x509.Certificate) -> None:
        """Write the authority: its key first, so that a certificate without a key can never stand alone."""
        files.write(self.folder / "ca.key", key_pem(key), 0o600)
        files.write(self.folder / "ca.pem", pem(ca), 0o644)

    def key(self) -> ec.EllipticCurvePrivateKey:
        """This node's key, made when there is none.

        It is kept when the certificate is replaced: then one file changes, and no power cut can leave a key
        and a certificate that do not belong together.
        """
        path = self.folder / "node.key"
        if not path.is_file():
            files.write(path, key_pem(new_key()), 0o600)
        return load_key(path.read_bytes())

    def save_certificate(self, certificate: x509.Certificate) -> None:
        """Replace this node's certificate."""
        files.write(self.folder / "node.pem", pem(certificate), 0o644)
