"""Memory: the gate at start, and what an idle node costs."""

import json
from collections.abc import Iterator

import pytest

from lab.admin import until
from lab.site import MAIN, SUB, Site

GB = 1024 * 1024
BASIC = {"mq", "dms", "mts", "ars", "ss"}
PSS_OF_PROCESSES = """
import json, pathlib
found = []
for process in pathlib.Path("/proc").glob("[0-9]*"):
    try:
        groups = (process / "cgroup").read_text().splitlines()
        lines = (process / "smaps_rollup").read_text().splitlines()
    except OSError:
        continue
    unit = next((g.rsplit("/", 1)[-1] for g in groups if "name=systemd" in g or g.startswith("0:")), "")
    found.append([unit, sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))])
print(json.dumps(found))
"""


@pytest.fixture
def short_of_memory(site: Site) -> Iterator[Site]:
    """A sub whose /proc/meminfo can be laid over, as a host with that much memory would show it."""
    yield site
    site.on(SUB, "sh", "-c", "while umount /proc/meminfo 2>/dev/null; do :; done")
    site.on(SUB, "dss", "start", "all")
    until(30, "everything runs again", lambda: set(states(site).values()) == {"Running"})


def available(site: Site, kilobytes: int) -> None:
    """Let the sub believe that this much memory is available."""
    text = f"MemTotal: 16000000 kB\nMemFree: {kilobytes} kB\nMemAvailable: {kilobytes} kB\n"
    site.on(SUB, "sh", "-c", f"printf '{text}' >/run/meminfo && mount --bind /run/meminfo /proc/meminfo")


def states(site: Site) -> dict[str, str]:
    """State by service, as the sub's agent reports it."""
    return {row["id"]: row["state"] for row in site.agent(SUB, "/services")}


def test_below_two_and_a_half_gigabytes_no_video_service_starts_and_status_says_why(
    short_of_memory: Site,
) -> None:
    site = short_of_memory
    site.on(SUB, "dss", "stop", "all")
    available(site, int(2.4 * GB))
    site.lab.execute(SUB, ["dss", "start", "all"], capture=True)
    until(20, "the services are withheld", lambda: all(states(site)[s] == "Stopped" for s in BASIC))
    rows = {row["id"]: row for row in site.agent(SUB, "/services")}
    assert all("2.4" in rows[s]["reason"] and "2.5" in rows[s]["reason"] for s in BASIC), rows
    assert states(site)["smc"] == "Running", "the service manager stays, to say why the rest does not run"


def test_between_both_limits_basic_video_runs_and_the_rest_is_withheld(short_of_memory: Site) -> None:
    site = short_of_memory
    available(site, int(3.1 * GB))
    site.on(SUB, "dss", "restart", "all")
    until(30, "basic video runs", lambda: all(states(site)[s] == "Running" for s in BASIC))
    # No built service is in the class `full` yet, so a unit with that class's own start condition stands in.
    gate = "+/opt/dss/current/venv/bin/python -I -m services.node.gate full full-class-probe.service"
    site.lab.execute(
        SUB,
        [
            "systemd-run",
            "--unit=full-class-probe",
            f"--property=ExecCondition={gate}",
            "--wait",
            "touch",
            "/run/started",
        ],
        capture=True,
    )
    assert site.on(SUB, "sh", "-c", "ls /run/started 2>/dev/null || true") == ""
    withheld = site.on(SUB, "sh", "-c", "cat /run/dss/withheld/*full*")
    assert "3.1" in withheld
    assert "4" in withheld


def test_an_idle_main_stays_within_its_memory_budget(site: Site) -> None:
    found = [(unit, kilobytes / 1024) for unit, kilobytes in json.loads(site.python(MAIN, PSS_OF_PROCESSES))]
    own = [(unit, round(mb, 1)) for unit, mb in found if unit.startswith("dss-")]
    print("PSS in MB:", own, "in total", round(sum(mb for _, mb in found)))
    assert {
        "dss-smc.service",
        "dss-portal.service",
        "dss-dms.service",
        "dss-mts.service",
        "dss-ars.service",
        "dss-ss.service",
    } <= {u for u, _ in own}
    # gunicorn's supervisor and its worker are two processes of one unit.
    assert [one for one in own if one[1] > 60] == []
    assert sum(mb for _, mb in found) <= 700
