"""dss_bundle unpacks only what it was promised, and is complete or not there at all."""

import hashlib
import tarfile
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """A small archive of the real shape."""
    source = tmp_path / "source"
    for name in ("venv", "web"):
        (source / name).mkdir(parents=True)
        (source / name / "content").write_text(name)
        with tarfile.open(source / f"{name}.tar.gz", "w:gz") as tar:
            tar.add(source / name, arcname=name)
    (source / "repo").mkdir()
    (source / "repo" / "Packages.gz").write_text("")
    with tarfile.open(tmp_path / "debian-12.tar", "w") as tar:
        for name in ("repo", "venv.tar.gz", "web.tar.gz"):
            tar.add(source / name, arcname=name)
    return tmp_path / "debian-12.tar"


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_an_archive_becomes_repository_and_current_release(
    dss_bundle: ModuleType, archive: Path, tmp_path: Path
) -> None:
    root, promised = tmp_path / "root", digest(archive)
    node = dss_bundle.Node(str(root), "1.0", promised)
    assert node.have() == ""
    node.install(str(archive), ["dss-smc.service"])
    assert node.have() == promised
    assert (root / "opt/dss/current/venv/content").read_text() == "venv"
    assert (root / "var/lib/dss/bundle/repo/Packages.gz").exists()
    assert (root / "var/lib/dss/pending/dss-smc.service").read_text() == "restart"
    assert not archive.exists()


def test_a_damaged_archive_is_refused_and_nothing_is_unpacked(
    dss_bundle: ModuleType, archive: Path, tmp_path: Path
) -> None:
    promised = digest(archive)
    archive.write_bytes(archive.read_bytes()[:-512] + b"x" * 512)
    with pytest.raises(dss_bundle.BundleError, match="damaged on the way"):
        dss_bundle.Node(str(tmp_path / "root"), "1.0", promised).install(str(archive), [])
    assert not (tmp_path / "root").exists()


def test_a_release_without_its_stamp_counts_as_missing(
    dss_bundle: ModuleType, archive: Path, tmp_path: Path
) -> None:
    root, promised = tmp_path / "root", digest(archive)
    node = dss_bundle.Node(str(root), "1.0", promised)
    node.install(str(archive), [])
    (root / "opt/dss/releases/1.0/.bundle-sha256").unlink()
    assert node.have() == ""


def test_the_debian_release_is_read_with_or_without_quotes(dss_bundle: ModuleType) -> None:
    assert dss_bundle.debian('ID=debian\nVERSION_ID="12"\n') == "12"
    assert dss_bundle.debian("VERSION_ID=13\n") == "13"
    assert dss_bundle.debian("ID=debian\n") == ""
