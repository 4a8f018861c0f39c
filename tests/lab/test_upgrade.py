"""A newer release over the one that runs: complete on every node, or not at all, and nothing lost."""

import json
import shutil
import ssl
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

import pytest

from lab import backup, release, scenario
from lab.admin import Admin
from lab.fixtures import PASSWORD
from lab.site import MAIN, SUB, Play, Site
from lab.tools import until

pytestmark = [pytest.mark.full, pytest.mark.timeout(1800)]

OLD, NEW = release.own(), release.next_minor()
ADDED = 'op.add_column("nodes", sa.Column("note", sa.String(64), nullable=True))'
FAILS_ON_THE_REAL_ONE = """op.add_column("nodes", sa.Column("half", sa.String(64), nullable=True))
    if op.get_bind().execute(sa.text("SELECT DATABASE()")).scalar() == "dss":
        op.execute("ALTER TABLE nowhere ADD x INT")"""
AWAY_SECONDS = 20.0


@pytest.fixture(scope="module")
def newer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The next release: one column more."""
    return release.make(tmp_path_factory.mktemp("newer") / "project", NEW, add_a_column)


@pytest.fixture(scope="module", autouse=True)
def old_backup(site: Site, key: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Main's backup, made before any of these upgrades."""
    words = backup.options(key)
    for playbook in ("site.yml", "playbooks/backup.yml"):
        play = site.play(*words, playbook=playbook)
        assert play.code == 0, play.output[-4000:]
    to = tmp_path_factory.mktemp("backups") / "main.dssbackup"
    found = backup.fetch(site, MAIN, backup.newest(site, MAIN), to)
    assert site.play().code == 0
    return found


def add_a_column(place: Path) -> None:
    release.add_migration(place, ADDED)


def variant(newer: Path, place: Path) -> Path:
    shutil.copytree(newer, place, ignore=shutil.ignore_patterns("dist"))
    return place


def remembered(site: Site, host: str) -> tuple[str, ...]:
    """The last change of the release as the host's agent tells it: kind, from, to, how it ended."""
    last = site.agent(host, "/releases")["switches"][0]
    return tuple(last[key] for key in ("kind", "old", "new", "state"))


def runs(site: Site, host: str) -> str:
    """The release of a host, after all that says it was found to agree."""
    link = site.on(host, "readlink", "/opt/dss/current").strip().rpartition("/")[2]
    said = {
        json.loads(site.on(host, "cat", f"/etc/dss/{name}.json"))["version"] for name in ("node", "release")
    }
    assert said == {link}
    assert site.on(host, "sh", "-c", "ls /var/lib/dss/switch | grep -v old || true") == ""
    assert site.on(host, "dss", "verify").count("WRONG") == 0
    return link


def stored(site: Site) -> tuple[str, str]:
    """Schema revision, and what administrators entered."""
    query = "SELECT version_num FROM alembic_version; SELECT '--'; SELECT name, host FROM devices ORDER BY 1"
    revision, _, rows = site.on(MAIN, "mariadb", "-N", "dss", "-e", query).partition("--")
    return revision.strip(), rows


@contextmanager
def portal_watched(site: Site) -> Iterator[list[float]]:
    """Seconds of each time the portal did not answer."""
    away: list[float] = []
    stop = threading.Event()
    trust = ssl.create_default_context(cadata=site.on(MAIN, "cat", "/etc/dss/pki/ca.pem"))

    def look() -> None:
        gone: float | None = None
        while not stop.wait(0.2):
            try:
                urllib.request.urlopen(
                    f"https://{site.listen}/api/v1/status", context=trust, timeout=2
                ).close()
            except (OSError, urllib.error.URLError):
                gone = gone or time.monotonic()
                continue
            if gone:
                away.append(time.monotonic() - gone)
                gone = None

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield away
    finally:
        stop.set()
        thread.join(10)


class Watched:
    """A player of the sub's stream, on its RTSP port as a client or decoder has it."""

    def __init__(self, site: Site, admin: Admin) -> None:
        device = next(d for d in admin.get("/devices") if d["node"] == SUB)
        url = admin.post(f"/channels/{device['channels'][0]['id']}/live")["rtsp"]["lan"]
        words = ["ffmpeg", "-nostdin", "-v", "error", "-progress", "pipe:1", "-rtsp_transport", "tcp"]
        inside = site.lab.network.enter(*words, "-i", url, "-c", "copy", "-f", "null", "-")
        self.process = subprocess.Popen(inside, stdout=subprocess.PIPE, text=True)
        self.seen: list[tuple[float, int]] = []
        self.thread = threading.Thread(target=self._read)
        self.thread.start()
        assert until(lambda: len(self.seen) > 2, 20), "the stream does not begin"

    def _read(self) -> None:
        assert self.process.stdout
        for line in self.process.stdout:
            if line.startswith("frame="):
                self.seen.append((time.monotonic(), int(line[6:])))

    def longest_gap(self, start: float, end: float) -> float:
        times = [at for at, _ in self.seen if start - 2 < at < end + 2]
        return max(b - a for a, b in pairwise(times))

    def missing(self, start: float, end: float) -> float:
        """Frames of a camera that makes 25 a second which did not arrive in that time."""
        (t0, first), *_, (t1, last) = [one for one in self.seen if start < one[0] < end]
        return 25 * (t1 - t0) - (last - first)

    def close(self) -> None:
        self.process.terminate()
        self.thread.join(10)
        self.process.wait(10)
        assert self.process.stdout
        self.process.stdout.close()


def upgrade(site: Site, tree: Path, *options: str) -> Play:
    return site.play(*options, playbook="playbooks/upgrade.yml", tree=tree)


def stays(site: Site, play: Play, before: tuple[str, str], *words: str) -> None:
    """The run failed with these words, and both nodes run the old release with all their data."""
    assert play.code != 0, play.output[-3000:]
    flat = " ".join(play.output.split())
    for word in words:
        assert word in flat, play.output[-4000:]
    assert (runs(site, MAIN), runs(site, SUB)) == (OLD, OLD)
    assert stored(site) == before


def test_a_migration_that_fails_on_a_copy_changes_nothing(site: Site, newer: Path, tmp_path: Path) -> None:
    tree = variant(newer, tmp_path / "bad")
    release.add_migration(tree, 'op.execute("ALTER TABLE nowhere ADD x INT")')
    release.bundle(tree)
    since = site.on(MAIN, "systemctl", "show", "-p", "ActiveEnterTimestamp", "dss-portal.service")
    known = remembered(site, MAIN)
    stays(
        site, upgrade(site, tree), stored(site), "dss_trial could not be brought to this release", "nowhere"
    )
    assert site.on(MAIN, "systemctl", "show", "-p", "ActiveEnterTimestamp", "dss-portal.service") == since
    assert remembered(site, MAIN) == known


def test_a_migration_that_closes_the_way_back_is_refused(site: Site, newer: Path, tmp_path: Path) -> None:
    tree = variant(newer, tmp_path / "breaks")
    release.add_migration(tree, 'op.drop_column("nodes", "mapping_ip")')
    release.bundle(tree)
    stays(site, upgrade(site, tree), stored(site), "nodes.mapping_ip is gone")


def test_a_migration_that_fails_half_way_is_undone_with_its_data(
    site: Site, newer: Path, tmp_path: Path
) -> None:
    tree = variant(newer, tmp_path / "half")
    release.add_migration(tree, FAILS_ON_THE_REAL_ONE)
    release.bundle(tree)
    stays(site, upgrade(site, tree), stored(site), f"The node is back on {OLD}, all services run")
    assert remembered(site, MAIN) == ("upgrade", OLD, NEW, "undone")
    assert "half" not in site.on(MAIN, "mariadb", "-N", "dss", "-e", "SHOW COLUMNS FROM nodes")


def test_too_little_room_is_told_before_anything_is_brought(site: Site, newer: Path) -> None:
    before = stored(site)
    site.on(MAIN, "mount", "-t", "tmpfs", "-o", "size=50m", "none", "/var/tmp")  # noqa: S108
    try:
        play = upgrade(site, newer)
    finally:
        site.on(MAIN, "umount", "/var/tmp")  # noqa: S108
    stays(site, play, before, "The release does not fit", "Make room")


def test_a_full_disk_in_the_middle_is_undone(site: Site, newer: Path) -> None:
    before = stored(site)
    site.on(
        MAIN,
        "sh",
        "-c",
        "mkdir -p /var/lib/dss/switch && mount -t tmpfs -o size=16k none /var/lib/dss/switch",
    )
    try:
        play = upgrade(site, newer)
    finally:
        site.on(MAIN, "umount", "/var/lib/dss/switch")
    stays(site, play, before, "No space left on device")


def test_a_damaged_bundle_is_refused(site: Site, newer: Path, tmp_path: Path) -> None:
    shutil.copytree(newer / "dist" / "latest", tmp_path / "bundle")
    with (tmp_path / "bundle" / "debian-12.tar").open("r+b") as archive:
        archive.seek(1_000_000)
        archive.write(b"damage")
    play = upgrade(site, newer, "-e", json.dumps({"dss_bundle": str(tmp_path / "bundle")}))
    stays(site, play, stored(site), "debian-12.tar is not what was built")


def test_a_service_that_never_gets_healthy_sends_the_node_back(
    site: Site, newer: Path, tmp_path: Path
) -> None:
    before = stored(site)
    tree = variant(newer, tmp_path / "sick")
    (tree / "services/mts/__main__.py").write_text('raise SystemExit("this release is sick")\n')
    release.bundle(tree)
    play = upgrade(site, tree)
    # Services of the new release have run, so the schema stays; it may only have grown.
    after = stored(site)
    assert after[1] == before[1]
    stays(site, play, after, "dss-mts.service", "this release is sick", f"back on {OLD}, all services run")
    assert remembered(site, MAIN) == ("upgrade", OLD, NEW, "undone")


@pytest.mark.parametrize("phase", ["files", "started"])
def test_a_power_cut_in_the_middle_ends_on_the_old_release(site: Site, newer: Path, phase: str) -> None:
    devices = stored(site)[1]
    plays: list[Play] = []
    thread = threading.Thread(target=lambda: plays.append(upgrade(site, newer, "--limit", MAIN)))
    thread.start()
    wait = f'until grep -q \'"phase": "{phase}"\' /var/lib/dss/switch/journal.json 2>/dev/null; do :; done'
    site.on(MAIN, "timeout", "110", "sh", "-c", wait)
    site.lab.poweroff(MAIN)
    thread.join(300)
    assert plays[0].code != 0
    site.lab.boot(MAIN)
    assert until(lambda: "WRONG" not in site.on(MAIN, "dss", "verify", "--wait", "60"), 90)
    assert runs(site, MAIN) == OLD
    assert stored(site)[1] == devices
    assert remembered(site, MAIN) == ("upgrade", OLD, NEW, "undone")


def test_the_next_release_replaces_the_one_before_under_a_running_live_view(
    site: Site, admin: Admin, newer: Path
) -> None:
    before, player = stored(site), Watched(site, admin)
    try:
        with portal_watched(site) as away:
            start = time.monotonic()
            play = upgrade(site, newer, "--limit", MAIN)
            end = time.monotonic()
        assert play.code == 0, play.output[-4000:]
        assert player.longest_gap(start, end) < 2.0
        # FFmpeg tells its count twice a second.
        assert player.missing(start, end) < 13
    finally:
        player.close()
    assert (runs(site, MAIN), runs(site, SUB)) == (NEW, OLD)
    assert sum(away) <= AWAY_SECONDS, away
    assert stored(site)[1] == before[1]
    rest = upgrade(site, newer)
    assert rest.code == 0, rest.output[-4000:]
    assert runs(site, SUB) == NEW
    assert remembered(site, MAIN) == remembered(site, SUB) == ("upgrade", OLD, NEW, "done")
    fresh = site.admin()
    fresh.login(scenario.USER, PASSWORD)
    assert {d["state"] for d in scenario.add_cameras(fresh)} == {"online"}


def test_deploying_an_older_release_over_it_is_refused(site: Site) -> None:
    play = site.play()
    assert play.code != 0
    assert "site.yml never goes back" in " ".join(play.output.split())
    assert runs(site, MAIN) == NEW


def test_a_second_deployment_of_the_new_release_changes_nothing(site: Site, newer: Path) -> None:
    play = site.play(tree=newer)
    assert (play.code, set(play.changed.values())) == (0, {0}), play.output[-4000:]


def test_a_backup_of_the_release_before_is_brought_to_this_one(
    site: Site, admin: Admin, newer: Path, key: Path, old_backup: Path
) -> None:
    revision, devices = stored(site)
    admin.post("/devices", name="Younger", kind="rtsp", url="rtsp://198.18.0.251/x", node=MAIN)
    told = {"dss_backup": str(old_backup), "dss_backup_private": str(key), "dss_confirm": "Demo"}
    play = site.play("-e", json.dumps(told), playbook="playbooks/restore.yml", tree=newer)
    assert play.code == 0, play.output[-4000:]
    assert runs(site, MAIN) == NEW
    assert stored(site) == (revision, devices)


def test_an_administrator_goes_back_by_name_and_keeps_what_is_newer(site: Site, admin: Admin) -> None:
    admin.post("/devices", name="Late", kind="rtsp", url="rtsp://198.18.0.250/x", node=MAIN)
    before = stored(site)
    play = site.play("-e", f"dss_release={OLD}", playbook="playbooks/rollback.yml")
    assert play.code == 0, play.output[-4000:]
    assert (runs(site, MAIN), runs(site, SUB)) == (OLD, OLD)
    assert remembered(site, MAIN) == ("rollback", NEW, OLD, "done")
    assert stored(site) == before
    assert site.play().code == 0
