"""A site comes back from its backup on a fresh host; a backup is private, whole and rotated."""

import io
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab import scenario
from lab.admin import Admin, until
from lab.backup import FOLDER, fetch, lose, newest, options
from lab.fixtures import PASSWORD
from lab.site import MAIN, SUB, Site
from services.cli import backup

pytestmark = [pytest.mark.full, pytest.mark.timeout(1800)]

RESTORE_SECONDS = 300


@pytest.fixture(scope="module")
def words(key: Path) -> tuple[str, str]:
    """The inventory's keys for backups, as they stand on a command line."""
    return options(key)


@pytest.fixture(scope="module")
def backed_up(site: Site, words: tuple[str, str]) -> Iterator[Site]:
    """The site with backups switched on, and off again for the tests after these."""
    play = site.play(*words)
    assert play.code == 0, play.output[-4000:]
    yield site
    assert site.play().code == 0


def secrets(site: Site, host: str) -> list[str]:
    """Every line of every secret of a host."""
    text = site.on(host, "sh", "-c", "cat /etc/dss/credentials/* /etc/dss/pki/*.key")
    return [line for line in text.splitlines() if line and not line.startswith("-----")]


def test_the_timer_stands_and_what_it_starts_writes_a_backup(backed_up: Site) -> None:
    assert backed_up.on(MAIN, "systemctl", "is-active", "dss-backup.timer").strip() == "active"
    backed_up.on(MAIN, "systemctl", "start", "dss-backup.service")
    assert newest(backed_up, MAIN).startswith(f"{FOLDER}/{MAIN}_")
    assert backed_up.on(MAIN, "stat", "-c", "%a", newest(backed_up, MAIN)).strip() == "600"


def test_only_the_newest_backups_stay_and_foreign_files_too(backed_up: Site, words: tuple[str, str]) -> None:
    backed_up.on(MAIN, "touch", f"{FOLDER}/somebody-else.tar")
    for _ in range(3):
        play = backed_up.play(*words, playbook="playbooks/backup.yml")
        assert play.code == 0, play.output[-4000:]
    listed = backed_up.on(MAIN, "ls", FOLDER).split()
    assert len([name for name in listed if name.startswith(MAIN)]) == 2
    assert "somebody-else.tar" in listed


def test_no_secret_can_be_read_in_a_backup_and_all_are_in_it(
    backed_up: Site, key: Path, tmp_path: Path
) -> None:
    file = fetch(backed_up, MAIN, newest(backed_up, MAIN), tmp_path / "main.dssbackup")
    raw = file.read_bytes()
    assert not [secret for secret in secrets(backed_up, MAIN) if secret.encode() in raw]
    listed = "\n".join(backup.check(file, backup.private_key(key)))
    for name in ("etc/credentials/site-key", "etc/pki/ca.key", "etc/release.json", "database.sql"):
        assert name in listed


def test_a_full_disk_leaves_the_older_backups_and_says_so(backed_up: Site, words: tuple[str, str]) -> None:
    before = backed_up.on(SUB, "sh", "-c", f"ls {FOLDER}")
    backed_up.on(SUB, "sh", "-c", f"mount -t tmpfs -o size=4k none {FOLDER}")
    try:
        play = backed_up.play(*words, "--limit", SUB, playbook="playbooks/backup.yml")
    finally:
        backed_up.on(SUB, "umount", FOLDER)
    assert play.code != 0
    assert "No space left on device" in play.output
    assert backed_up.on(SUB, "sh", "-c", f"ls {FOLDER}") == before


def test_the_support_bundle_holds_no_secret(backed_up: Site, tmp_path: Path) -> None:
    for host in (MAIN, SUB):
        path = backed_up.on(host, "dss", "support").strip()
        file = fetch(backed_up, host, path, tmp_path / f"{host}.tar.gz")
        with tarfile.open(fileobj=io.BytesIO(file.read_bytes())) as archive:
            parts = {m.name.partition("/")[2]: archive.extractfile(m) for m in archive.getmembers()}
            texts = {name: part.read().decode() for name, part in parts.items() if part}
        leaked = {name for name, text in texts.items() for s in secrets(backed_up, host) if s in text}
        assert leaked == set()
        assert "Running" in texts["dss/status"]
        assert "proxy_pass" in texts["files/etc/dss/engines/nginx.conf"]
        assert texts["logs/dss-smc.service"]


def test_replacing_data_needs_the_name_of_the_site(
    backed_up: Site, words: tuple[str, str], key: Path, tmp_path: Path
) -> None:
    file = fetch(backed_up, MAIN, newest(backed_up, MAIN), tmp_path / "main.dssbackup")
    told = ["-e", f"dss_backup={file}", "-e", f"dss_backup_private={key}"]
    play = backed_up.play(*words, *told, playbook="playbooks/restore.yml")
    assert play.code != 0
    assert "is not the site's name" in " ".join(play.output.split())


def test_a_damaged_backup_is_refused_before_any_change(
    backed_up: Site, words: tuple[str, str], key: Path, tmp_path: Path
) -> None:
    file = fetch(backed_up, MAIN, newest(backed_up, MAIN), tmp_path / "main.dssbackup")
    file.write_bytes(file.read_bytes()[:-40])
    told = ["-e", f"dss_backup={file}", "-e", f"dss_backup_private={key}", "-e", "dss_confirm=Demo"]
    play = backed_up.play(*words, *told, playbook="playbooks/restore.yml")
    assert play.code != 0
    assert "The backup cannot be used" in play.output
    assert "dss_suite" not in play.output


def test_main_comes_back_on_a_fresh_host(
    backed_up: Site, admin: Admin, words: tuple[str, str], key: Path, tmp_path: Path
) -> None:
    site = backed_up
    scenario.add_cameras(admin)
    assert site.play(*words, playbook="playbooks/backup.yml").code == 0
    file = fetch(site, MAIN, newest(site, MAIN), tmp_path / "main.dssbackup")
    authority = site.on(MAIN, "cat", "/etc/dss/pki/ca.pem")
    lose(site, MAIN)
    assert site.on(MAIN, "sh", "-c", "ls /etc/dss /srv/dss 2>/dev/null || true") == ""

    started = time.monotonic()
    told = ["-e", f"dss_backup={file}", "-e", f"dss_backup_private={key}"]
    play = site.play(*words, *told, playbook="playbooks/restore.yml")
    assert play.code == 0, play.output[-4000:]
    fresh = site.admin()
    fresh.login(scenario.USER, PASSWORD)
    assert {device["state"] for device in scenario.add_cameras(fresh)} == {"online"}
    assert {n["name"]: n["state"] for n in fresh.get("/nodes")}[SUB] == "enabled"
    assert time.monotonic() - started <= RESTORE_SECONDS
    assert site.on(MAIN, "cat", "/etc/dss/pki/ca.pem") == authority
    assert site.on(MAIN, "sh", "-c", "ls /var/lib/dss/restore.tar 2>/dev/null || true") == ""
    until(20, "the sub is heard", lambda: not fresh.get(f"/nodes/{SUB}")["stale"])
    for device in scenario.add_cameras(fresh):
        assert scenario.look(fresh, device, 3).frames > 0
