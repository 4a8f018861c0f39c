"""Encrypted recordings on real nodes: unreadable on the disk, whole after a power cut and a restore."""

import json
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from test_recordings import BOUND, clip, covered, holes, recorded

from lab import release, scenario
from lab.admin import Admin, until
from lab.backup import fetch, lose, newest, options
from lab.fixtures import PASSWORD
from lab.host import Host
from lab.site import MAIN, SUB, Site
from lab.viewer import decode

pytestmark = [pytest.mark.full, pytest.mark.timeout(1200)]

ON = ("-e", json.dumps({"dss_recording_encryption": True}))
FOLDER, KEPT = "/srv/dss/recordings", "/var/tmp/footage.tar"  # noqa: S108
SIGNS = "ftypiso|video/mp4|timescale"
STATE = """
import json, os, pathlib, sys, urllib.request
os.environ["CREDENTIALS_DIRECTORY"] = "/etc/dss/credentials"
sys.path.insert(0, "/opt/dss/current/venv/lib/python3.11/site-packages")
from services.ss import boxes, storage
torn, files = [], sorted(pathlib.Path("/srv/dss/recordings").glob("*/*/*.sealed"))
for path in files:
    with storage.found(path) as file:
        if boxes.scan(file).size != file.size:
            torn.append(path.name)
token = open("/etc/dss/credentials/node-token").read().strip()
port = json.load(open("/etc/dss/services/ss.json"))["ports"]["http"]
ask = urllib.request.Request(f"http://127.0.0.1:{port}/state", headers={"Authorization": "Bearer " + token})
state = json.load(urllib.request.urlopen(ask, timeout=5))["encryption"]
print(json.dumps({"torn": torn, "count": len(files), **state}))
"""


@pytest.fixture(scope="module")
def words(key: Path) -> tuple[str, ...]:
    """What the inventory says, as it stands on a command line."""
    return (*ON, *options(key))


@pytest.fixture(scope="module")
def encrypted(site: Site, words: tuple[str, ...]) -> Iterator[Site]:
    """The site with encryption switched on while it records, and off again for the tests after these."""
    admin = site.admin()
    admin.login(scenario.USER, PASSWORD)
    recorded(admin, 60, 6, 1)
    play = site.play(*words)
    assert play.code == 0, play.output[-4000:]
    yield site
    assert site.play().code == 0


def state(site: Site, host: str) -> dict[str, object]:
    """What DSS_SS says of encryption, and what a look at every encrypted file says."""
    found: dict[str, object] = json.loads(site.on(host, "/opt/dss/current/venv/bin/python", "-c", STATE))
    return found


def keys_of(site: Site, host: str) -> list[str]:
    return site.on(host, "dss", "recording-key", "list").split()


def test_a_second_run_changes_nothing_and_what_was_there_stays_readable(
    encrypted: Site, admin: Admin, words: tuple[str, ...]
) -> None:
    again = encrypted.play(*words)
    assert again.code == 0, again.output[-4000:]
    assert set(again.changed.values()) == {0}, again.output[-4000:]
    channels = recorded(admin, 60, 10, 8)
    for host, channel in channels.items():
        told = state(encrypted, host)
        assert (told["on"], told["torn"], told["damaged"]) == (True, [], [])
        assert told["key"] == keys_of(encrypted, host)[0]
        end = time.time() - 4
        assert holes(clip(admin, channel, end - 5, end)) == []
        plain = encrypted.on(host, "sh", "-c", f"ls {FOLDER}/{channel}/*/*.mp4").split()
        start = int(encrypted.on(host, "stat", "-c", "%Y", plain[0]).strip()) - 4
        assert decode(clip(admin, channel, start, start + 3))
        found = f"grep -rlaE '{SIGNS}' {FOLDER} --include=*.sealed || true"
        assert encrypted.on(host, "sh", "-c", found) == ""


def test_a_power_cut_tears_nothing(encrypted: Site, admin: Admin) -> None:
    channel = recorded(admin, 60, 6, 4)[SUB]
    time.sleep(8)
    encrypted.lab.poweroff(SUB)
    cut = time.time()
    encrypted.lab.boot(SUB)
    until(120, "the sub records again", lambda: covered(admin, channel, time.time() - cut - 1) > 1)
    span = f"start={int(cut * 1000) - 60_000}&end={int(cut * 1000)}"
    lost = cut - admin.get(f"/channels/{channel}/timeline?{span}")["intervals"][-1]["end"] / 1000
    print(f"power cut: the last {lost:.1f} s before it are missing")
    assert lost <= BOUND
    assert holes(clip(admin, channel, cut - 14, cut - 8)) == []
    told = state(encrypted, SUB)
    assert (told["torn"], told["damaged"]) == ([], [])


def test_an_upgrade_and_the_way_back_keep_footage_readable(
    encrypted: Site, admin: Admin, words: tuple[str, ...], tmp_path: Path
) -> None:
    newer = release.make(tmp_path / "project", release.next_minor())
    channels = recorded(admin, 60, 10, 8)
    end, keys = time.time() - 3, keys_of(encrypted, MAIN)
    back = ("-e", f"dss_release={release.own()}")
    for play in (
        lambda: encrypted.play(*words, playbook="playbooks/upgrade.yml", tree=newer),
        lambda: encrypted.play(*words, *back, playbook="playbooks/rollback.yml", tree=newer),
    ):
        done = play()
        assert done.code == 0, done.output[-4000:]
        fresh = encrypted.admin()
        fresh.login(scenario.USER, PASSWORD)
        recorded(fresh, 60, 6, 1)
        for host, channel in channels.items():
            assert holes(clip(fresh, channel, end - 5, end)) == []
            told = state(encrypted, host)
            assert (told["on"], told["damaged"], keys_of(encrypted, MAIN)) == (True, [], keys)


def test_a_new_key_is_used_at_once_and_a_restore_on_a_fresh_host_reads_what_both_encrypted(
    encrypted: Site, admin: Admin, words: tuple[str, ...], key: Path, tmp_path: Path
) -> None:
    site, channel = encrypted, recorded(admin, 60, 6, 4)[MAIN]
    began, (first,) = time.time() - 5, keys_of(site, MAIN)
    play = site.play(*words, "--limit", MAIN, playbook="playbooks/renew_recording_keys.yml")
    assert play.code == 0, play.output[-4000:]
    newest_key, older = keys_of(site, MAIN)
    assert older == first
    time.sleep(12)
    told = state(site, MAIN)
    assert told["key"] == newest_key
    site.on(MAIN, "systemctl", "stop", "dss-ss")
    ended = time.time() - 1
    site.on(MAIN, "tar", "-C", FOLDER, "-cf", KEPT, ".")
    footage = fetch(site, MAIN, KEPT, tmp_path / "footage.tar")
    assert site.play(*words, "--limit", MAIN, playbook="playbooks/backup.yml").code == 0
    file = fetch(site, MAIN, newest(site, MAIN), tmp_path / "main.dssbackup")
    lose(site, MAIN)

    given = ["-e", f"dss_backup={file}", "-e", f"dss_backup_private={key}"]
    play = site.play(*words, *given, playbook="playbooks/restore.yml")
    assert play.code == 0, play.output[-4000:]
    assert keys_of(site, MAIN) == [newest_key, first]
    site.on(MAIN, "systemctl", "stop", "dss-ss")
    site.on(MAIN, "sh", "-c", f"rm -rf {FOLDER}/* /var/lib/dss/ss/index.db*")
    put(site, footage)
    site.on(MAIN, "systemctl", "start", "dss-ss")
    fresh = site.admin()
    fresh.login(scenario.USER, PASSWORD)
    until(60, "the old footage", lambda: covered(fresh, channel, time.time() - began) > ended - began - 9)
    counters = decode(clip(fresh, channel, began, ended))
    assert len(counters) >= 25 * (ended - began - 9)
    assert state(site, MAIN)["damaged"] == []


def put(site: Site, footage: Path) -> None:
    """Bring the disk with the recordings back."""
    machine = site.lab.host(MAIN)
    assert isinstance(machine, Host)
    words = machine.command("sh", "-c", f"tar -C {FOLDER} -xf - && chown -R --reference={FOLDER} {FOLDER}")
    with footage.open("rb") as stream:
        subprocess.run(words, stdin=stream, check=True)
