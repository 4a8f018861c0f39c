"""Recording on real nodes: planned on main, done where the camera is, and whole after every fault."""

import json
import time
import urllib.request
from itertools import pairwise

import pytest

from lab.admin import Admin, RefusedError, until
from lab.site import MAIN, SUB, Site
from lab.viewer import decode

pytestmark = [pytest.mark.full, pytest.mark.timeout(900)]

BOUND = 7.0
"""Seconds of a GOP, and five more."""
CHECK = """
import json, pathlib, sqlite3, sys
sys.path.insert(0, "/opt/dss/current/venv/lib/python3.11/site-packages")
from services.ss import boxes, storage
base = sqlite3.connect("file:/var/lib/dss/ss/index.db?mode=ro", uri=True)
rows = {(c, s): (z, r) for c, s, z, r in base.execute("SELECT channel, seq, size, root FROM files")}
torn, files = [], {}
for path in pathlib.Path("/srv/dss/recordings").glob("*/*/*.mp4"):
    with storage.found(path) as file:
        found = boxes.scan(file)
    key = (path.parents[1].name, int(path.name[:8]))
    files[key] = path.stat().st_size
    if found.size != files[key]:
        torn.append(path.name)
open_now = {}
for channel, seq in files:
    open_now[channel] = max(seq, open_now.get(channel, 0))
wrong = [k for k in files if k not in rows and open_now[k[0]] != k[1]]
wrong += [k for k, (size, _) in rows.items() if files.get(k) != size]
print(json.dumps({"torn": torn, "wrong": wrong, "files": len(files)}))
"""


@pytest.fixture
def channels(site: Site, admin: Admin) -> dict[str, str]:
    """The channel of each node's camera, planned and being written."""
    return recorded(admin, 60, 6, 1)


def recorded(admin: Admin, patience: float, seconds: float, enough: float) -> dict[str, str]:
    """The channel of each node's camera, once more than `enough` of its last seconds are recorded."""
    found = {d["node"]: str(d["channels"][0]["id"]) for d in admin.get("/devices")}
    for channel in found.values():
        admin.post(f"/channels/{channel}/recording", plan="continuous")
    for channel in found.values():
        until(patience, f"{channel} is recorded", lambda c=channel: covered(admin, c, seconds) > enough)
    return found


def covered(admin: Admin, channel: str, seconds: float) -> float:
    """How many of the last seconds are recorded."""
    now = int(time.time() * 1000)
    try:
        found = admin.get(f"/channels/{channel}/timeline?start={now - int(seconds * 1000)}&end={now}")
    except RefusedError:
        return 0.0
    return float(found["covered"]) / 1000


def clip(admin: Admin, channel: str, start: float, end: float) -> bytes:
    """The recording from `start` to `end`, seconds since 1970, as a browser downloads it."""
    way = admin.post(f"/channels/{channel}/playback")["clip"]
    url = f"{admin.base}{way}&from={int(start * 1000)}&to={int(end * 1000)}"
    with urllib.request.urlopen(url, context=admin.trust, timeout=60) as answer:
        data = bytes(answer.read())
        assert len(data) == int(answer.headers["Content-Length"])
        return data


def holes(data: bytes) -> list[int]:
    """Pictures missing at each place where some are; negative ones are there twice."""
    found = decode(data)
    return [b - a - 1 for a, b in pairwise(found) if b != a + 1]


def look(site: Site, admin: Admin, host: str, channel: str, at: float) -> None:
    """The small picture of a moment, made on its node by a process that steps back behind the recorder."""
    way = admin.post(f"/channels/{channel}/playback")["thumbnail"]
    url = f"{admin.base}{way}&at={int(at * 1000)}"
    with urllib.request.urlopen(url, context=admin.trust, timeout=20) as answer:
        assert answer.headers["Content-Type"] == "image/jpeg"
        assert answer.read(3) == b"\xff\xd8\xff"
    rows = [row.split() for row in site.on(host, "ps", "-eo", "ni,args").splitlines()]
    (recorder,) = [int(row[0]) for row in rows if row[-1] == "services.ss"]
    (helper,) = [int(row[0]) for row in rows if "services.media.picture" in row]
    assert helper == min(19, recorder + 15)


def check(site: Site, host: str) -> dict[str, object]:
    """What a look at every file of a host says."""
    found: dict[str, object] = json.loads(site.on(host, "/opt/dss/current/venv/bin/python", "-c", CHECK))
    assert found["torn"] == found["wrong"] == [], found
    return found


def test_main_and_sub_record_every_picture(site: Site, admin: Admin, channels: dict[str, str]) -> None:
    began = time.time()
    time.sleep(90)
    for host, channel in channels.items():
        data = clip(admin, channel, began, began + 80)
        counters = decode(data)
        print(f"{host}: {len(counters)} pictures, {len(data) / 1e6:.1f} MB, missing {holes(data)}")
        assert len(counters) >= 25 * 78
        assert holes(data) == []
        look(site, admin, host, channel, began + 40)
        check(site, host)


@pytest.mark.parametrize("unit", ["dss-ss", "dss-mts"])
def test_a_killed_service_costs_no_more_than_a_gop_and_five_seconds(
    site: Site, admin: Admin, channels: dict[str, str], unit: str
) -> None:
    began = time.time()
    time.sleep(10)
    site.on(SUB, "systemctl", "kill", "--kill-whom=main", "--signal=KILL", unit)
    time.sleep(25)
    missing = holes(clip(admin, channels[SUB], began, began + 32))
    print(f"{unit} killed: pictures missing {missing}")
    assert all(0 < one <= 25 * BOUND for one in missing)
    check(site, SUB)


def test_a_power_cut_costs_no_more_than_a_gop_and_five_seconds(
    site: Site, admin: Admin, channels: dict[str, str]
) -> None:
    time.sleep(20)
    site.lab.poweroff(SUB)
    cut = time.time()
    site.lab.boot(SUB)
    until(120, "the sub records again", lambda: covered(admin, channels[SUB], time.time() - cut - 1) > 1)
    found = admin.get(
        f"/channels/{channels[SUB]}/timeline?start={int(cut * 1000) - 60_000}&end={int(cut * 1000)}"
    )
    lost = cut - found["intervals"][-1]["end"] / 1000
    print(f"power cut: the last {lost:.1f} s before it are missing")
    assert lost <= BOUND
    assert holes(clip(admin, channels[SUB], cut - 20, cut - 8)) == []
    check(site, SUB)


def test_a_camera_without_power_is_told_on_the_home_page_and_is_no_fault_of_the_service(
    site: Site, admin: Admin, channels: dict[str, str]
) -> None:
    site.lab.poweroff("cam-2")
    try:
        row = until(60, "the alarm", lambda: silent(site))
        assert row["state"] == "Running"
    finally:
        site.lab.boot("cam-2")
    until(90, "the alarm ends", lambda: not silent(site))
    assert covered(admin, channels[SUB], 3600) > 0


def silent(site: Site) -> dict[str, str] | None:
    """The row of DSS_SS in the sub's beat while it says that nothing is written."""
    row = next(dict(one) for one in site.agent(SUB, "/services") if one["id"] == "ss")
    return row if "Nothing of" in row["reason"] else None


def test_recording_needs_little_memory_and_is_well_confined(site: Site, channels: dict[str, str]) -> None:
    for host in (MAIN, SUB):
        pid = site.on(host, "systemctl", "show", "--value", "--property=MainPID", "dss-ss").strip()
        rollup = site.on(host, "cat", f"/proc/{pid}/smaps_rollup")
        pss = next(int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Pss:")) / 1024
        exposure = site.on(host, "systemd-analyze", "security", "--no-pager", "dss-ss.service")
        level = float(exposure.rpartition("level for ")[2].split()[1])
        print(f"{host}: DSS_SS weighs {pss:.1f} MB, exposure {level}")
        assert pss <= 60
        assert level <= 2.0
