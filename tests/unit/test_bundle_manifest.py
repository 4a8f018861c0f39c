"""A bundle that is not what was signed is refused, and the error names the file and the way out."""

import shutil
from pathlib import Path

import pytest

from services.bundle import manifest, signing
from services.bundle.manifest import Manifest
from services.runtime.errors import Problem


@pytest.fixture
def bundle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small signed bundle whose key this controller trusts."""
    monkeypatch.setenv("DSS_KEYS", str(tmp_path / "keys"))
    folder = tmp_path / "dss-1.2.3-20300102"
    folder.mkdir()
    (folder / "debian-12.tar").write_bytes(bytes(range(256)) * 40)
    (folder / "sbom.cdx.json").write_text("{}")
    files = {path.name: manifest.measure(path) for path in folder.iterdir()}
    manifest.write(folder, Manifest("1.2.3", "20300102", files), signing.private_key(signing.default_key()))
    return folder


def refused(bundle: Path, **arguments: object) -> Problem:
    with pytest.raises(Problem) as caught:
        manifest.verify(bundle, **arguments)  # type: ignore[arg-type]
    assert caught.value.remedy
    return caught.value


def test_sound_bundle_gives_its_manifest(bundle: Path) -> None:
    found = manifest.verify(bundle)
    assert (found.version, found.date) == ("1.2.3", "20300102")
    assert found.files["debian-12.tar"].size == 10240


def test_one_flipped_bit_is_found(bundle: Path) -> None:
    content = bytearray((bundle / "debian-12.tar").read_bytes())
    content[5000] ^= 1
    (bundle / "debian-12.tar").write_bytes(content)
    problem = refused(bundle)
    assert problem.code == "bundle-changed"
    assert "debian-12.tar" in problem.what
    assert "SHA-256" in problem.why


def test_truncated_file_is_named_with_its_length(bundle: Path) -> None:
    with (bundle / "debian-12.tar").open("r+b") as file:
        file.truncate(100)
    problem = refused(bundle)
    assert "debian-12.tar" in problem.what
    assert "100 of 10240" in problem.why


@pytest.mark.parametrize(
    "name", ["debian-12.tar", "sbom.cdx.json", "manifest.json", "manifest.sig", "signing.pub"]
)
def test_missing_file_is_named(bundle: Path, name: str) -> None:
    (bundle / name).unlink()
    problem = refused(bundle)
    assert problem.code == "bundle-missing"
    assert name in problem.what


def test_bundle_of_a_stranger_is_refused_until_its_key_is_trusted(
    bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stranger = signing.private_key(tmp_path / "stranger.key")
    known = manifest.verify(bundle)
    manifest.write(bundle, known, stranger)
    problem = refused(bundle)
    assert problem.code == "bundle-untrusted"
    assert signing.fingerprint(stranger.public_key()) in problem.why
    shutil.copy(bundle / "signing.pub", tmp_path / "keys/builder.pub")
    assert manifest.verify(bundle) == known


def test_no_key_at_all_means_no_trust(bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DSS_KEYS", str(tmp_path / "none"))
    assert refused(bundle).code == "bundle-untrusted"


def test_swapped_public_key_does_not_help_a_forger(bundle: Path, tmp_path: Path) -> None:
    text = (bundle / "manifest.json").read_bytes()
    forger = signing.private_key(tmp_path / "forger.key")
    (bundle / "manifest.sig").write_bytes(forger.sign(text))
    assert refused(bundle).code == "bundle-changed"


@pytest.mark.parametrize("length", [0, 1, 63, 65])
def test_signature_of_another_length_is_named(bundle: Path, length: int) -> None:
    signature = (bundle / "manifest.sig").read_bytes() + b"x"
    (bundle / "manifest.sig").write_bytes(signature[:length])
    problem = refused(bundle)
    assert "manifest.sig" in problem.what
    assert f"{length} bytes" in problem.why


def test_changed_manifest_breaks_the_signature(bundle: Path) -> None:
    text = (bundle / "manifest.json").read_text()
    (bundle / "manifest.json").write_text(text.replace("20300102", "20300103"))
    problem = refused(bundle)
    assert "manifest.json" in problem.what


@pytest.mark.parametrize(
    "content", [b"", b"no key", b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"]
)
def test_garbage_for_a_public_key_is_named(bundle: Path, content: bytes) -> None:
    (bundle / "signing.pub").write_bytes(content)
    problem = refused(bundle)
    assert problem.code == "bundle-key"
    assert "signing.pub" in problem.what


def test_only_the_wanted_files_are_read(bundle: Path) -> None:
    (bundle / "sbom.cdx.json").write_text("[]")
    manifest.verify(bundle, only=["debian-12.tar"])
    assert "sbom.cdx.json" in refused(bundle).what


def test_release_that_was_not_built_is_named(bundle: Path) -> None:
    problem = refused(bundle, only=["debian-13.tar"])
    assert problem.code == "bundle-unlisted"
    assert "debian-13.tar" in problem.what


def test_signing_key_is_private_and_made_once(bundle: Path) -> None:
    key = signing.default_key()
    assert key.stat().st_mode & 0o777 == 0o600
    before = key.read_bytes()
    signing.private_key(key)
    assert key.read_bytes() == before
    assert [path.name for path in key.parent.iterdir()] == [key.name]


def test_damaged_signing_key_is_an_error_not_a_new_key(tmp_path: Path) -> None:
    key = tmp_path / "bundle-signing.key"
    key.write_text("-----BEGIN PRIVATE KEY-----\n")
    with pytest.raises(Problem, match=r"bundle-signing\.key"):
        signing.private_key(key)
    assert key.read_text() == "-----BEGIN PRIVATE KEY-----\n"
