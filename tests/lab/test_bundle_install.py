"""A bundle alone, without any network, makes a bare host of each Debian release run the suite."""

import json
import re
import subprocess
import tarfile
from dataclasses import dataclass
from pathlib import Path

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from lab import base, needs
from services.bundle import build, debs, manifest, signing
from services.bundle.build import Bundle
from services.bundle.chroot import Chroot
from services.bundle.releases import RELEASES, Release
from services.bundle.wheels import ROOT

APT = "apt-get -q -o Dir::Etc::sourcelist=/mnt/bundle/sources.list -o Dir::Etc::sourceparts=/dev/null"
INSTALL = f"""
printf '#!/bin/sh\\nexit 101\\n' > /usr/sbin/policy-rc.d
chmod +x /usr/sbin/policy-rc.d
echo 'deb [trusted=yes] file:/mnt/bundle/repo ./' > /mnt/bundle/sources.list
{APT} update && {APT} install -y --no-install-recommends
"""


@dataclass(frozen=True)
class Host:
    """A bare host's file system after the installation from a bundle."""

    chroot: Chroot
    scratch: Path
    version: str

    def run(self, *command: str) -> str:
        return self.chroot.run(self.scratch, *command)

    @property
    def python(self) -> str:
        return f"/opt/dss/releases/{self.version}/venv/bin/python"


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """A bundle for all releases, signed by a key of its own; its parts may come from the cache."""
    needs.root()
    out = tmp_path_factory.mktemp("dist")
    return build.build(list(RELEASES.values()), out, out / "signing.key", refresh=False, say=print)


@pytest.fixture(scope="module", params=sorted(RELEASES))
def release(request: pytest.FixtureRequest) -> Release:
    """Each Debian release in turn."""
    return RELEASES[request.param]


@pytest.fixture(scope="module")
def host(bundle: Bundle, release: Release, tmp_path_factory: pytest.TempPathFactory) -> Host:
    """The host after installing every package and unpacking the suite, with no network device."""
    unpacked, scratch = tmp_path_factory.mktemp("bundle"), tmp_path_factory.mktemp("host")
    unpacked.chmod(0o755)  # apt reads archives as its own user
    subprocess.run(["tar", "-C", unpacked, "-xf", bundle.folder / f"{release.name}.tar"], check=True)
    chroot = Chroot([base.ensure(int(release.number))], {"/mnt/bundle": unpacked})
    host = Host(chroot, scratch, bundle.manifest.version)
    place = f"/opt/dss/releases/{bundle.manifest.version}"
    host.run("sh", "-ec", INSTALL.strip() + " " + " ".join(debs.wanted()))
    host.run("mkdir", "-p", place)
    for name in ("venv", "web"):
        host.run("tar", "-C", place, "-xzf", f"/mnt/bundle/{name}.tar.gz")
    return host


def test_host_has_no_way_out(host: Host) -> None:
    assert host.run("ip", "-brief", "address").split() == ["lo", "DOWN"]


def test_every_wanted_package_is_installed(host: Host) -> None:
    listing = host.run("dpkg-query", "-W", "-f", "${Package} ${db:Status-Status}\\n")
    installed = {line.split()[0] for line in listing.splitlines() if line.endswith(" installed")}
    assert set(debs.wanted()) <= installed


def test_message_queue_syncs_every_message(host: Host) -> None:
    version = re.search(r"v(\d+)\.(\d+)", host.run("nats-server", "--version"))
    assert version
    assert (int(version[1]), int(version[2])) >= (2, 10)
    text = "jetstream { store_dir: /tmp/js, sync_interval: always }"
    host.run("sh", "-ec", f"echo '{text}' > /tmp/n.conf; nats-server -t -c /tmp/n.conf")


def test_engines_start_up_to_their_version(host: Host) -> None:
    for command in (["nginx", "-t"], ["mariadbd", "--version"], ["redis-server", "--version"], ["nft", "-v"]):
        host.run(*command)


def test_suite_imports_with_the_hosts_own_python(host: Host, release: Release) -> None:
    modules = "sys, av, aiohttp, flask, sqlalchemy, services.runtime.app"
    code = f"import {modules}; print(sys.version_info[:2], sys.prefix)"
    answer = host.run(host.python, "-c", code)
    assert answer.strip() == f"({release.python.replace('.', ', ')}) /opt/dss/releases/{host.version}/venv"


def test_files_that_are_not_python_travel_with_the_code(host: Host) -> None:
    folder = host.run(host.python, "-c", "import services; print(services.__path__[0])").strip()
    manifests = host.run("sh", "-c", f"ls {folder}/*/service.yml")
    assert len(manifests.split()) == len(list(ROOT.glob("services/*/service.yml"))) == 25
    host.run("sh", "-ec", f"ls {folder}/../portal/templates/*/*.html {folder}/../portal/static/*.css")


def test_environment_holds_no_installer(host: Host) -> None:
    missing = (
        "import importlib.util as u; print([n for n in ('pip', 'setuptools', 'rich') if u.find_spec(n)])"
    )
    assert host.run(host.python, "-c", missing).strip() == "[]"


def test_compiled_files_are_used_whatever_the_clock_says(host: Host) -> None:
    host.run("sh", "-c", f"find /opt/dss/releases/{host.version} -name '*.py' -exec touch {{}} +")
    code = (
        "import importlib.util as u, pathlib; s = u.find_spec('services.runtime.app');"
        "print(int.from_bytes(pathlib.Path(s.cached).read_bytes()[4:8], 'little'))"
    )
    assert host.run(host.python, "-c", code).strip() == "1"  # PEP 552: hash-based, not checked


def test_web_assets_are_the_pinned_ones(host: Host) -> None:
    folder = f"/opt/dss/releases/{host.version}/web"
    hashes = json.loads(host.run("cat", f"{folder}/sha384.json"))
    digest = host.run("sh", "-c", f"openssl dgst -sha384 -binary {folder}/htmx.min.js | openssl base64 -A")
    assert hashes["htmx.min.js"] == f"sha384-{digest.strip()}"


def test_bundle_verifies_and_its_bill_lists_every_package(bundle: Bundle) -> None:
    found = manifest.verify(bundle.folder, trust=bundle.folder / "signing.pub")
    assert set(found.files) == {"debian-12.tar", "debian-13.tar", "sbom.cdx.json"}
    text = (bundle.folder / "sbom.cdx.json").read_text()
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    purls = {component["purl"] for component in json.loads(text)["components"]}
    for release in RELEASES.values():
        with tarfile.open(bundle.folder / f"{release.name}.tar") as tar:
            files = [name for name in tar.getnames() if name.endswith(".deb")]
        assert len(files) == sum(f"distro=debian-{release.number}" in purl for purl in purls)


def test_signature_can_be_checked_by_openssl(bundle: Bundle) -> None:
    words = [
        "openssl",
        "pkeyutl",
        "-verify",
        "-pubin",
        "-inkey",
        "signing.pub",
        "-rawin",
        "-in",
        "manifest.json",
    ]
    subprocess.run([*words, "-sigfile", "manifest.sig"], cwd=bundle.folder, check=True, capture_output=True)


def test_second_run_reuses_everything(bundle: Bundle) -> None:
    key = bundle.folder.parent / "signing.key"
    again = build.build(list(RELEASES.values()), bundle.folder.parent, key, refresh=False, say=print)
    assert again.folder == bundle.folder
    assert again.reused == (again.manifest.releases == bundle.manifest.releases)


def test_failed_build_leaves_the_older_bundle_usable(bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    def power_cut(folder: Path, *_: object) -> None:
        (folder / "manifest.json").write_text("half")
        raise KeyboardInterrupt

    out = bundle.folder.parent
    monkeypatch.setattr(manifest, "write", power_cut)
    monkeypatch.setattr(build, "_known", lambda *_: None)
    with pytest.raises(KeyboardInterrupt):
        build.build(list(RELEASES.values()), out, out / "signing.key", refresh=False, say=print)
    manifest.verify(out / "latest", trust=out / "latest/signing.pub")
    assert signing.read_public(out / "latest/signing.pub")
    assert not list(out.glob(".partial-*"))
