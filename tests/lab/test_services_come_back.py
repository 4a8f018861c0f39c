"""A killed service is shown at once and comes back by itself; a power cut needs no hand."""

import json
import time
from typing import Any

import pytest

from lab import scenario
from lab.admin import Admin, until
from lab.fixtures import PASSWORD
from lab.site import MAIN, SUB, Site

UNITS = {
    MAIN: (
        *("nginx", "mariadb", "redis-server", "nats-server"),
        *("dss-portal", "dss-dms", "dss-mts", "dss-ars", "dss-ss"),
    ),
    SUB: ("nginx", "nats-server", "dss-dms", "dss-mts", "dss-ars", "dss-ss"),
}
SERVICE = {
    "mariadb": "mysql",
    "redis-server": "redis",
    "nats-server": "mq",
    "dss-portal": "smc",
    "dss-dms": "dms",
    "dss-mts": "mts",
    "dss-ars": "ars",
    "dss-ss": "ss",
    "nginx": "nginx",
}
PAIRS = [(host, unit) for host, units in UNITS.items() for unit in units]


def state(site: Site, host: str, service: str) -> str:
    """The state the node's agent reports: what portal, CLI and API show."""
    return next(str(row["state"]) for row in site.agent(host, "/services") if row["id"] == service)


def everything_runs(site: Site, host: str) -> bool:
    """Whether every service the agent knows is Running; an agent that does not answer counts as not."""
    try:
        return all(row["state"] == "Running" for row in site.agent(host, "/services"))
    except Exception:
        return False


@pytest.mark.parametrize(("host", "unit"), PAIRS)
def test_a_killed_service_is_shown_within_two_seconds_and_comes_back(
    site: Site, host: str, unit: str
) -> None:
    until(30, f"everything runs on {host}", lambda: everything_runs(site, host))
    before = site.on(host, "systemctl", "show", "--value", "--property=MainPID", unit).strip()
    # The engines and services are quick to return: what is sampled is every state in between.
    program = (
        "import json, subprocess, time, urllib.request as u\n"
        "token = open('/etc/dss/credentials/node-token').read().strip()\n"
        "ask = u.Request('http://127.0.0.1:9000/services')\n"
        "ask.add_header('Authorization', 'Bearer ' + token)\n"
        f"subprocess.run(['systemctl', 'kill', '--kill-whom=main', '--signal=KILL', '{unit}'], check=True)\n"
        "start, seen = time.monotonic(), []\n"
        "while time.monotonic() - start < 3:\n"
        "    rows = json.load(u.urlopen(ask, timeout=2))\n"
        f"    state = next(r['state'] for r in rows if r['id'] == '{SERVICE[unit]}')\n"
        "    seen.append((round(time.monotonic() - start, 2), state))\n"
        "    time.sleep(0.02)\n"
        "print(json.dumps(seen))\n"
    )
    seen = json.loads(site.python(host, program))
    shown = [at for at, what in seen if what in {"Unavailable", "Starting"}]
    assert shown, f"never shown as down: {seen[:5]} … {seen[-5:]}"
    assert shown[0] <= 2
    until(30, f"{unit} runs again on {host}", lambda: everything_runs(site, host))
    after = site.on(host, "systemctl", "show", "--value", "--property=MainPID", unit).strip()
    assert after not in {"0", before}


@pytest.mark.parametrize("host", [MAIN, SUB])
def test_the_killed_node_agent_comes_back(site: Site, host: str) -> None:
    before = site.on(host, "systemctl", "show", "--value", "--property=MainPID", "dss-smc").strip()
    site.on(host, "systemctl", "kill", "--kill-whom=main", "--signal=KILL", "dss-smc")
    until(30, "the agent answers again", lambda: everything_runs(site, host))
    assert site.on(host, "systemctl", "show", "--value", "--property=MainPID", "dss-smc").strip() != before


@pytest.mark.parametrize("host", [SUB, MAIN])
def test_after_a_power_cut_everything_returns_at_boot_with_no_hand(
    site: Site, admin: Admin, host: str
) -> None:
    site.lab.poweroff(host)
    if host == SUB:
        until(5, "main shows the sub as lost", lambda: lost(admin, SUB))
    site.lab.boot(host)
    until(90, f"everything runs on {host}", lambda: everything_runs(site, host))
    devices = until(60, "all devices online", lambda: devices_online(site))
    fresh = site.admin()
    fresh.login(scenario.USER, PASSWORD)
    for device in devices or []:
        assert scenario.look(fresh, device, 3).frames > 50


def lost(admin: Admin, name: str) -> bool:
    """Whether main says that it does not hear a node."""
    return next(node for node in admin.get("/nodes") if node["name"] == name)["reach"] == "unreachable"


def devices_online(site: Site) -> list[dict[str, Any]] | None:
    """All devices once they and their nodes are there; sessions end with Redis, so each try logs in anew."""
    try:
        admin = site.admin()
        admin.login(scenario.USER, PASSWORD)
        devices = list(admin.get("/devices"))
        heard = not any(lost(admin, device["node"]) for device in devices)
    except Exception:
        time.sleep(1)
        return None
    online = all(device["state"] == "online" for device in devices)
    return devices if devices and heard and online else None


def test_a_playbook_stops_and_starts_the_services_of_all_nodes(site: Site) -> None:
    stopped = site.play("-e", "dss_action=stop", "-e", "dss_service=mts", playbook="playbooks/services.yml")
    assert stopped.code == 0, stopped.output[-2000:]
    assert [state(site, host, "mts") for host in (MAIN, SUB)] == ["Stopped", "Stopped"]
    started = site.play("-e", "dss_action=start", playbook="playbooks/services.yml")
    assert started.code == 0, started.output[-2000:]
    until(30, "everything runs", lambda: all(everything_runs(site, host) for host in (MAIN, SUB)))
    for told in (["dss_action=explode"], ["dss_action=stop", "dss_service=mtz"]):
        words = [word for one in told for word in ("-e", one)]
        refused = site.play(*words, playbook="playbooks/services.yml")
        assert refused.code != 0
        assert "Nothing was done" in refused.output or "There is no service" in refused.output
        assert everything_runs(site, MAIN)
