"""What a bundle holds, and whether that is still what was signed."""

import hashlib
import json
from collections.abc import Collection
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from services.bundle import signing
from services.bundle.releases import problem
from services.runtime.errors import Problem

NAME, SIGNATURE, PUBLIC = "manifest.json", "manifest.sig", "signing.pub"
REMEDY = "Copy the bundle again from where it was built, or build it anew with `./dss bundle`."


@dataclass(frozen=True)
class Entry:
    """One file of a bundle: size in bytes, SHA-256 in hex."""

    size: int
    sha256: str


@dataclass(frozen=True)
class Manifest:
    """A bundle: version, date (yyyymmdd), its files by path, and what each Debian release's file is for.

    `releases`: number -> {"suite", "python", "inputs": hash over all parts}.
    """

    version: str
    date: str
    files: dict[str, Entry]
    releases: dict[str, dict[str, str]] = field(default_factory=dict)

    def as_json(self) -> bytes:
        """The bytes that are signed."""
        return (json.dumps(asdict(self), indent=1, sort_keys=True) + "\n").encode()


def measure(path: Path) -> Entry:
    """Size and hash of a file."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return Entry(path.stat().st_size, digest)


def write(folder: Path, manifest: Manifest, key: Ed25519PrivateKey) -> None:
    """Put the manifest, its signature (64 raw bytes) and the public key into the bundle."""
    text = manifest.as_json()
    (folder / NAME).write_bytes(text)
    (folder / SIGNATURE).write_bytes(key.sign(text))
    (folder / PUBLIC).write_bytes(signing.public_pem(key))


def verify(bundle: Path, only: Collection[str] | None = None, trust: Path | None = None) -> Manifest:
    """Check signature, size and hash of every file (or of `only` these) and return the manifest.

    `trust` is one more public key to accept, beside those of `signing.trusted`. Raises Problem naming the
    first file that is missing, truncated or changed.
    """
    manifest = _signed(bundle, trust)
    for name in sorted(only) if only is not None else sorted(manifest.files):
        if name not in manifest.files:
            raise _unlisted(bundle, name)
        _check(bundle / name, manifest.files[name])
    return manifest


def _signed(bundle: Path, trust: Path | None) -> Manifest:
    text, signature = (_content(bundle / name) for name in (NAME, SIGNATURE))
    _content(bundle / PUBLIC)
    key = signing.read_public(bundle / PUBLIC)
    if not signing.accepts(signing.trusted(trust), key):
        raise problem(
            "untrusted",
            f"{bundle / PUBLIC} is not a key that this controller trusts.",
            f"The bundle was signed with the key {signing.fingerprint(key)}.",
            "If that is the fingerprint which `./dss bundle` printed where it was built, copy the file to "
            f"{signing.folder()}/NAME.pub. If not, do not install this bundle.",
        )
    if len(signature) != signing.SIGNATURE_BYTES:
        raise _changed(bundle / SIGNATURE, f"It has {len(signature)} bytes, a signature has 64.")
    if not signing.valid(key, signature, text):
        raise _changed(bundle / NAME, f"{SIGNATURE} is not its signature.")
    return _parse(bundle / NAME, text)


def _parse(path: Path, text: bytes) -> Manifest:
    try:
        fields: dict[str, Any] = json.loads(text)
        files = {name: Entry(**entry) for name, entry in fields.pop("files").items()}
        return Manifest(files=files, **fields)
    except (ValueError, KeyError, TypeError, AttributeError) as reason:
        raise problem(
            "format",
            f"{path} cannot be read by this version.",
            f"It is signed, but has another form: {reason}.",
            "Build the bundle with the same version of the project as the playbooks.",
        ) from reason


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as reason:
        raise _missing(path, reason) from reason


def _check(path: Path, wanted: Entry) -> None:
    try:
        size = path.stat().st_size
        if size == wanted.size and measure(path) == wanted:
            return
    except OSError as reason:
        raise _missing(path, reason) from reason
    if size < wanted.size:
        raise _changed(path, f"It is truncated: {size} of {wanted.size} bytes are there.")
    raise _changed(path, "Its size or SHA-256 differs from the signed manifest.")


def _missing(path: Path, reason: OSError) -> Problem:
    return problem("missing", f"The bundle file {path} cannot be read.", f"{reason.strerror}.", REMEDY)


def _changed(path: Path, why: str) -> Problem:
    return problem("changed", f"The bundle file {path} is not what was built.", why, REMEDY)


def _unlisted(bundle: Path, name: str) -> Problem:
    return problem(
        "unlisted",
        f"The bundle {bundle} does not hold {name}.",
        "It was built for other Debian releases.",
        "Build it for this one too: `./dss bundle --release 12 --release 13`.",
    )
