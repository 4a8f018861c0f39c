"""The site's own certificate authority and the certificates of its nodes (X.509, RFC 5280; ECDSA P-256)."""

import ipaddress
from collections.abc import Iterable, Sequence
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
RENEW_DAYS, RENEW_PART = 30, 3
"""A certificate is replaced when less than a third of its life, or less than 30 days, is left."""

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


def make_ca(site: str, number: int = 1) -> tuple[ec.EllipticCurvePrivateKey, x509.Certificate]:
    """A new authority for a site, its `number`th: it may sign nodes, and no authority below it."""
    key, now = new_key(), datetime.now(UTC)
    name = _subject(f"{site[:40]} DSS CA" + (f" {number}" if number > 1 else ""))
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


def authorities(text: bytes) -> list[x509.Certificate]:
    """The authorities in a PEM file, in its order; ValueError when there is none, or one may not sign."""
    found = x509.load_pem_x509_certificates(text)
    for one in found:
        try:
            may = one.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
            one.verify_directly_issued_by(one)
        except (x509.ExtensionNotFound, TypeError, InvalidSignature) as problem:
            raise ValueError("it holds a certificate that is no authority of its own") from problem
        if not may:
            raise ValueError("it holds a certificate that may not sign others")
    return found


def bundle(trusted: Iterable[x509.Certificate]) -> bytes:
    """Several certificates as one PEM file, each once."""
    return b"".join(dict.fromkeys(pem(one) for one in trusted))


def issuer_of(certificate: x509.Certificate, trusted: Iterable[x509.Certificate]) -> x509.Certificate | None:
    """The one of `trusted` that signed the certificate, or None."""
    for ca in trusted:
        try:
            certificate.verify_directly_issued_by(ca)
        except (ValueError, TypeError, InvalidSignature):
            continue
        return ca
    return None


def owner_of(key: ec.EllipticCurvePrivateKey, trusted: Iterable[x509.Certificate]) -> x509.Certificate | None:
    """The authority that a private key belongs to, or None."""
    return next((ca for ca in trusted if ca.public_key() == key.public_key()), None)


def fault(
    certificate: x509.Certificate, trusted: Sequence[x509.Certificate], key: bytes, names: Names
) -> str:
    """Why a node certificate must be replaced, in a few words; empty when it is good."""
    ca = issuer_of(certificate, trusted)
    if ca is None:
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
    if ends_soon(certificate, ca):
        return f"it ends on {certificate.not_valid_after_utc:%Y-%m-%d}"
    return ""


def ends_soon(certificate: x509.Certificate, ca: x509.Certificate) -> bool:
    """Whether a new certificate is due; never for one that ends with its authority: a new one would, too."""
    end = certificate.not_valid_after_utc
    life, left = end - certificate.not_valid_before_utc, end - datetime.now(UTC)
    due = left < max(life / RENEW_PART, timedelta(days=RENEW_DAYS))
    return due and end < ca.not_valid_after_utc


@dataclass(frozen=True)
class Store:
    """The certificate files of a node, normally in /etc/dss/pki."""

    folder: Path

    def authorities(self) -> list[x509.Certificate]:
        """Every authority this node trusts, two while it is changed; none before the first deployment."""
        path = self.folder / "ca.pem"
        return authorities(path.read_bytes()) if path.is_file() else []

    def certificate(self) -> x509.Certificate | None:
        """This node's certificate, or None while there is none that can be read."""
        try:
            return x509.load_pem_x509_certificate((self.folder / "node.pem").read_bytes())
        except (FileNotFoundError, ValueError):
            return None

    def ca(self) -> x509.Certificate | None:
        """The authority that this node's own certificate comes from; without one the first that it trusts."""
        trusted, own = self.authorities(), self.certificate()
        found = issuer_of(own, trusted) if own else None
        return found or next(iter(trusted), None)

    def ca_key(self) -> ec.EllipticCurvePrivateKey:
        """The authority's key; FileNotFoundError where this node is not main."""
        return load_key((self.folder / "ca.key").read_bytes())

    def signer(self) -> tuple[ec.EllipticCurvePrivateKey, x509.Certificate]:
        """The authority that signs now, key and certificate; ValueError, FileNotFoundError without one.

        Which one it is says the key alone: so one rename of one file changes it.
        """
        key = self.ca_key()
        ca = owner_of(key, self.authorities())
        if ca is None:
            raise ValueError("it belongs to none of the authorities in ca.pem")
        return key, ca

    def fault(self, names: Names) -> str:
        """Why this node needs a (new) certificate; empty when it needs none."""
        key, certificate = self.folder / "node.key", self.folder / "node.pem"
        if not ((self.folder / "ca.pem").is_file() and key.is_file() and certificate.is_file()):
            return "there is none yet"
        try:
            loaded = x509.load_pem_x509_certificate(certificate.read_bytes())
            return fault(loaded, self.authorities(), key.read_bytes(), names)
        except (ValueError, x509.ExtensionNotFound):
            return "it cannot be read"

    def days_left(self) -> int | None:
        """Whole days until this node's certificate ends; None when there is none."""
        own = self.certificate()
        return (own.not_valid_after_utc - datetime.now(UTC)).days if own else None

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

    def save_authorities(self, trusted: Iterable[x509.Certificate]) -> bool:
        """Trust exactly these; True when that is something new."""
        return files.write_if_changed(self.folder / "ca.pem", bundle(trusted))

    def save_issued(self, certificate: x509.Certificate, trusted: Sequence[x509.Certificate]) -> None:
        """Take up a certificate, and whom main trusts by now.

        An authority is dropped last: at each moment the certificate that is shown has its own beside it.
        """
        self.save_authorities([*self.authorities(), *trusted])
        self.save_certificate(certificate)
        self.save_authorities(trusted)
