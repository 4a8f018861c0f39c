"""What must not be deployed is refused before the first change, with what is wrong and what to do."""

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from lab.site import MAIN, SUB, Play, Site

STATE = "find /etc/dss /etc/systemd/system /opt/dss -xdev -newer /run/before -type f | grep -v /venv/"


@contextmanager
def untouched(site: Site) -> Iterator[None]:
    """Nothing below these folders is written meanwhile."""
    site.on(SUB, "touch", "/run/before")
    yield
    assert site.on(SUB, "sh", "-c", f"{STATE} || true") == ""


def refused(play: Play, *words: str) -> None:
    assert play.code != 0, play.output[-3000:]
    flat = " ".join(play.output.split())
    for word in words:
        assert word in flat, play.output[-3000:]
    assert "dss_suite" not in play.output


@contextmanager
def bound(site: Site, path: str, text: str) -> Iterator[None]:
    """Another content of a file of the sub, as the kernel would show it there."""
    site.on(SUB, "sh", "-c", f"printf '%b' '{text}' >/run/other && mount --bind /run/other {path}")
    try:
        yield
    finally:
        site.on(SUB, "umount", path)


def test_an_agreement_that_is_not_accepted_stops_the_run(site: Site) -> None:
    with untouched(site):
        play = site.play("-e", '{"dss_accept_agreement": false}')
    refused(play, "licence agreement is not accepted", "dss_accept_agreement: true")


def test_every_mistake_of_an_inventory_is_listed_with_its_line(site: Site, tmp_path: Path) -> None:
    text = (site.inventory / "hosts.yml").read_text()
    wrong = text.replace("198.18.0.21", "198.18.0.10").replace("dss_site: Demo", "dss_siet: Demo")
    (tmp_path / "hosts.yml").write_text(wrong)
    play = Site(site.lab, tmp_path, site.listen).play()
    refused(play, "hosts.yml:", "dss_siet", "Did you mean dss_site", "198.18.0.10")


def test_another_operating_system_stops_the_run(site: Site) -> None:
    with untouched(site), bound(site, "/etc/os-release", 'ID=debian\\nVERSION_ID="11"\\n'):
        play = site.play()
    refused(play, "Below the minimum", "operating system is debian 11", "Debian 12 or 13")


def test_too_little_memory_stops_the_run(site: Site) -> None:
    with untouched(site), bound(site, "/proc/meminfo", "MemTotal: 524288 kB\\nMemAvailable: 400000 kB\\n"):
        play = site.play()
    refused(play, "sub-1: memory is 0.5 GB", "nothing was changed on any host")


def test_product_limits_hold_without_the_lab_switch(site: Site) -> None:
    with untouched(site):
        play = site.play("-e", '{"dss_lab_limits": false}')
    refused(play, "Below the minimum", "processor cores", "space in install path", "500 GB")


def test_lowered_limits_are_said_in_the_report(site: Site) -> None:
    assert "Limits were lowered by dss_lab_limits" in site.play("--limit", SUB).output


def test_an_install_path_on_the_system_disk_is_pointed_out(site: Site) -> None:
    play = site.play("--check", "-e", '{"dss_install_path": "/opt/dss-data"}')
    lines = [line.split() for line in play.output.splitlines() if line.startswith("install disk")]
    assert {line[-1] for line in lines} == {"recommended"}


def test_a_port_that_a_stranger_holds_is_named_with_its_holder(site: Site) -> None:
    site.on(SUB, "systemctl", "stop", "dss-mts.service")
    site.on(SUB, "systemd-run", "--unit=stranger", "python3", "-m", "http.server", "9100")
    try:
        with untouched(site):
            play = site.play()
    finally:
        site.on(SUB, "systemctl", "stop", "stranger")
        site.on(SUB, "systemctl", "start", "dss-mts.service")
    refused(play, "sub-1: ports is 9100/tcp by stranger.service")


def test_an_address_that_another_machine_has_is_found(site: Site) -> None:
    address = "198.18.0.21"
    own = site.on(SUB, "cat", "/sys/class/net/host0/address").strip()
    # The controller keeps talking to the right one, else the test would cut its own way.
    site.lab.run(["ip", "neigh", "replace", address, "lladdr", own, "dev", "lan", "nud", "permanent"])
    site.on(MAIN, "ip", "address", "add", f"{address}/32", "dev", "host0")
    try:
        play = site.play("--limit", SUB)
    finally:
        site.on(MAIN, "ip", "address", "delete", f"{address}/32", "dev", "host0")
        site.lab.run(["ip", "neigh", "delete", address, "dev", "lan"])
    refused(play, "sub-1: duplicate address is also at")


def test_a_damaged_bundle_is_refused_before_any_host_is_asked(
    site: Site, bundle: Path, tmp_path: Path
) -> None:
    damaged = tmp_path / "bundle"
    shutil.copytree(bundle, damaged)
    with (damaged / "debian-12.tar").open("r+b") as archive:
        archive.seek(1_000_000)
        archive.write(b"damage")
    play = site.play("-e", json.dumps({"dss_bundle": str(damaged)}))
    refused(play, "debian-12.tar is not what was built", "SHA-256")
    assert "Measure the host" not in play.output


def test_a_missing_bundle_is_told_with_the_command_that_makes_one(site: Site, tmp_path: Path) -> None:
    play = site.play("-e", json.dumps({"dss_bundle": str(tmp_path / "none")}))
    refused(play, "There is no bundle", "./dss bundle")


def join(site: Site, token: str, fingerprint: str) -> str:
    """What `dss node join` says on the sub; it must fail."""
    certificate = site.on(SUB, "cat", "/etc/dss/pki/node.pem")
    command = f"printf '%s\\n' '{token}' | dss node join --ca-fingerprint {fingerprint} 2>&1; echo code $?"
    said = site.on(SUB, "sh", "-c", command)
    assert said.rstrip().endswith("code 1"), said
    assert site.on(SUB, "cat", "/etc/dss/pki/node.pem") == certificate
    return said


@pytest.fixture
def token(site: Site) -> dict[str, str]:
    """A fresh token of main for the sub."""
    made: dict[str, str] = json.loads(site.on(MAIN, "dss", "node", "token", SUB, "--json"))
    return made


def test_a_wrong_token_is_refused(site: Site, token: dict[str, str]) -> None:
    assert "No such token" in join(site, "0" * 64, token["ca_fingerprint"])


def test_an_expired_token_is_refused(site: Site, token: dict[str, str]) -> None:
    site.on(
        MAIN, "mariadb", "dss", "-e", "UPDATE join_tokens SET expires_at = created_at WHERE used_at IS NULL"
    )
    assert "too old" in join(site, token["token"], token["ca_fingerprint"])


def test_a_token_works_once(site: Site, token: dict[str, str]) -> None:
    words = f"printf '%s\\n' '{token['token']}' | dss node join --ca-fingerprint {token['ca_fingerprint']}"
    site.on(SUB, "sh", "-c", words)
    assert "used already" in join(site, token["token"], token["ca_fingerprint"])
    assert site.play("--limit", SUB).code == 0


def test_another_authority_gets_no_token(site: Site, token: dict[str, str]) -> None:
    said = join(site, token["token"], "sha256:" + "0" * 64)
    assert "belongs to another authority; no token was sent" in said
