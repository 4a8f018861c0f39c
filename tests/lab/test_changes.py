"""Changes at run time on real hosts: only what is concerned restarts, and what nobody confirms is undone."""

import json
import random
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lab.admin import Admin, RefusedError, until
from lab.fixtures import PASSWORD
from lab.scenario import USER
from lab.site import MAIN, SUB, Site

# Every edit is waited for and answered: minutes, which a run for every day does not have.
pytestmark = pytest.mark.full

ROOT = Path(__file__).resolve().parents[2]
CONFIRM = 20
MOVED = "127.0.0.1:18445"
SECONDS = json.dumps({"dss_confirm_seconds": CONFIRM})
TREE = "find /etc/dss -type f -not -path '*/pki/*' -exec sha256sum {} +"
SETTLED = {"waiting", "kept", "undone", "failed", "refused"}
# Service.port, the node, and every unit that may restart: the service's own and those that read its number.
EDITS = {
    "mts.rtsp": (SUB, 19100, {"dss-mts.service"}),
    "mts.rtsps": (SUB, 19102, {"dss-mts.service"}),
    "mts.http": (SUB, 19101, {"dss-mts.service"}),
    "mts.webrtc": (SUB, 19103, {"dss-mts.service"}),
    "dms.http": (SUB, 19200, {"dss-dms.service", "dss-mts.service", "dss-ars.service"}),
    "smc.http": (SUB, 19000, {"dss-smc.service"}),
    "smc.portal": (MAIN, 19001, {"dss-smc.service", "dss-portal.service"}),
    "nginx.http": (SUB, 18080, set()),
    "redis.redis": (MAIN, 16379, {"redis-server.service", "dss-smc.service", "dss-portal.service"}),
    "mysql.mysql": (MAIN, 13306, {"mariadb.service", "dss-smc.service", "dss-portal.service"}),
    "mq.monitor": (
        SUB,
        18222,
        {"nats-server.service", "dss-smc.service", "dss-dms.service", "dss-mts.service"},
    ),
}


@pytest.fixture(scope="module")
def patient(site: Site) -> Iterator[Site]:
    """The site with a short time to confirm, so that a test can wait for it to pass."""
    played = site.play("-e", SECONDS)
    assert played.code == 0, played.output[-4000:]
    yield site
    for node in (MAIN, SUB):
        site.on(node, "sh", "-c", "dss change undo 2>/dev/null || true")
    assert site.play("-e", "dss_take=inventory").code == 0


def settled(admin: Admin, node: str, id: str, *, wanted: set[str] = SETTLED, seconds: float = 60) -> Any:  # noqa: ANN401
    """The change once it is in one of the wanted states; the portal may be away meanwhile."""

    def ask() -> Any:  # noqa: ANN401
        try:
            found = admin.get(f"/nodes/{node}/changes/{id}")
        except RefusedError as refusal:
            if refusal.status == 401:
                # A session lives in Redis: whoever moves that one logs in again.
                admin.login(USER, PASSWORD)
            return None
        except (OSError, ValueError):
            return None
        return found if found["state"] in wanted else None

    return until(seconds, f"the change on {node} in {wanted}", ask)


def change(admin: Admin, node: str, **asked: object) -> Any:  # noqa: ANN401
    """Ask for a change and wait until it waits for confirmation."""
    found = settled(admin, node, admin.post(f"/nodes/{node}/changes", **asked)["id"])
    assert found["state"] == "waiting", found
    return found


def end(admin: Admin, found: Any, word: str) -> None:  # noqa: ANN401
    """Confirm or undo it, and wait until that is done."""
    admin.post(f"/nodes/{found['node']}/changes/{found['id']}/{word}")
    wanted = {"kept"} if word == "confirm" else {"undone"}
    settled(admin, found["node"], found["id"], wanted=wanted)


def starts(site: Site, node: str) -> dict[str, str]:
    """Each unit's start on the node's own monotonic clock."""
    names = [u["name"] for u in json.loads(site.on(node, "dss", "status", "--json"))]
    text = site.on(node, "systemctl", "show", "-p", "Id,ExecMainStartTimestampMonotonic", *names)
    blocks = [dict(line.split("=", 1) for line in b.splitlines()) for b in text.split("\n\n") if b.strip()]
    return {b["Id"]: b["ExecMainStartTimestampMonotonic"] for b in blocks}


def agree(site: Site, node: str) -> None:
    """Listeners, port matrix and firewall say the same; everything is well."""
    site.on(node, "dss", "verify", "--wait", "10")
    rows = json.loads(site.on(node, "cat", "/etc/dss/ports.json"))
    rules = json.loads(site.on(node, "nft", "-j", "list", "chain", "inet", "dss", "open"))["nftables"]
    opened = set()
    for rule in (one["rule"] for one in rules if "rule" in one):
        for part in (e["match"] for e in rule["expr"] if "match" in e):
            if part["left"].get("payload", {}).get("field") == "dport":
                opened.add((part["left"]["payload"]["protocol"], part["right"]))
    inward = [r for r in rows if r["direction"] == "in" and r["status"] == "built" and r["zone"] != "local"]
    assert opened == {(r["protocol"], r["port"]) for r in inward}


@pytest.mark.parametrize("key", EDITS)
def test_a_port_edit_restarts_its_service_and_its_readers_only(patient: Site, admin: Admin, key: str) -> None:
    node, number, allowed = EDITS[key]
    before = starts(patient, node)
    found = change(admin, node, ports={key: number})
    after = starts(patient, node)
    restarted = {name for name in before if before[name] != after[name]}
    assert restarted == allowed
    assert found["healthy_after"] <= 10
    agree(patient, node)
    end(admin, found, "undo")
    agree(patient, node)


def test_moving_the_access_port_ends_no_service_and_the_subs_follow(patient: Site, admin: Admin) -> None:
    before, at_sub = starts(patient, MAIN), starts(patient, SUB)
    asked = admin.post(f"/nodes/{MAIN}/changes", ports={"nginx.https": 10443})
    patient.lab.forward(MOVED, "198.18.0.10:10443")
    moved = Admin(f"https://{MOVED}", patient.on(MAIN, "cat", "/etc/dss/pki/ca.pem"))
    moved.token = admin.token
    found = settled(moved, MAIN, asked["id"])
    assert found["state"] == "waiting", found
    assert starts(patient, MAIN) == before
    end(moved, found, "confirm")

    def told() -> bool:
        return '"https_port": 10443' in patient.on(SUB, "cat", "/etc/dss/node.json")

    until(20, "the sub knows the new port", told)
    assert {n for n, s in starts(patient, SUB).items() if s != at_sub[n]} <= {"dss-dms.service"}
    until(20, "the sub is heard", lambda: not moved.get(f"/nodes/{SUB}")["stale"])
    back = moved.post(f"/nodes/{MAIN}/changes", ports={"nginx.https": 443})
    end(admin, settled(admin, MAIN, back["id"]), "confirm")
    until(20, "the sub knows the old port", lambda: not told())
    patient.lab.close(MOVED)


def test_a_taken_a_privileged_and_an_occupied_port_are_refused_by_name(patient: Site, admin: Admin) -> None:
    listener = "import socket,time; s=socket.socket(); s.bind(('', 7777)); s.listen(); time.sleep(60)"
    patient.on(SUB, "systemd-run", "--unit", "squatter", "python3", "-c", listener)
    until(10, "the squatter listens", lambda: "7777" in patient.on(SUB, "ss", "-tln"))
    cases = {9102: "DSS_MTS (rtsps)", 22: "below 1024", 8000: "", 7777: "squatter.service"}
    del cases[8000]
    try:
        for number, words in cases.items():
            with pytest.raises(RefusedError) as refusal:
                admin.post(f"/nodes/{SUB}/changes", ports={"mts.rtsp": number})
            assert words in refusal.value.body["why"], refusal.value.body
            assert refusal.value.body["remedy"]
    finally:
        patient.on(SUB, "systemctl", "stop", "squatter")
    assert json.loads(patient.on(SUB, "cat", "/etc/dss/services/mts.json"))["ports"]["rtsp"] == 9100


def test_a_second_change_waits_for_the_answer_to_the_first(patient: Site, admin: Admin) -> None:
    found = change(admin, SUB, ports={"mts.rtsp": 19100})
    with pytest.raises(RefusedError) as refusal:
        admin.post(f"/nodes/{SUB}/changes", ports={"mts.rtsps": 19102})
    assert refusal.value.body["code"] == "change-open"
    end(admin, found, "undo")


def test_what_nobody_confirms_is_undone(patient: Site, admin: Admin) -> None:
    before = patient.on(SUB, "sh", "-c", "cat /etc/dss/ports.json /etc/dss/firewall.nft")
    found = change(admin, SUB, ports={"mts.rtsp": 19100})
    settled(admin, SUB, found["id"], wanted={"undone"}, seconds=CONFIRM + 20)
    assert patient.on(SUB, "sh", "-c", "cat /etc/dss/ports.json /etc/dss/firewall.nft") == before
    agree(patient, SUB)


def test_a_power_cut_while_nobody_confirmed_ends_with_the_old_numbers(patient: Site, admin: Admin) -> None:
    found = change(admin, SUB, ports={"mts.rtsp": 19100})
    patient.lab.poweroff(SUB)
    time.sleep(CONFIRM)
    patient.lab.boot(SUB)
    settled(admin, SUB, found["id"], wanted={"undone"}, seconds=60)
    agree(patient, SUB)
    assert json.loads(patient.on(SUB, "cat", "/etc/dss/services/mts.json"))["ports"]["rtsp"] == 9100


def test_a_mapping_ip_reaches_certificate_and_answers_and_nothing_else_restarts(
    patient: Site, admin: Admin
) -> None:
    channel = next(d for d in admin.get("/devices") if d["node"] == SUB)["channels"][0]["id"]
    before = starts(patient, SUB)
    found = change(admin, SUB, mapping_ip="203.0.113.21")
    assert found["healthy_after"] <= 15
    after = starts(patient, SUB)
    assert before == after
    names = patient.on(
        SUB, "openssl", "x509", "-noout", "-ext", "subjectAltName", "-in", "/etc/dss/pki/node.pem"
    )
    assert "203.0.113.21" in names

    def answered() -> Any:  # noqa: ANN401
        urls = admin.post(f"/channels/{channel}/live")["rtsps"]
        return urls if urls["wan"] else None

    urls = until(10, "the answers carry the mapping IP", answered)
    assert urls["lan"].startswith("rtsps://198.18.0.21:9102/")
    assert urls["wan"].startswith("rtsps://203.0.113.21:9102/")
    end(admin, found, "undo")
    names = patient.on(
        SUB, "openssl", "x509", "-noout", "-ext", "subjectAltName", "-in", "/etc/dss/pki/node.pem"
    )
    assert "203.0.113.21" not in names


def test_a_run_of_the_deployment_reports_drift_and_leaves_it(patient: Site, admin: Admin) -> None:
    end(admin, change(admin, SUB, ports={"mts.rtsp": 19100}), "confirm")
    kept = patient.play("--limit", SUB, "-e", SECONDS)
    assert kept.code == 0, kept.output[-3000:]
    assert kept.changed == {SUB: 0}
    assert "sub-1: ports.mts.rtsp is 19100 at run time, 9100 in the inventory." in kept.output
    taken = patient.play("--limit", SUB, "-e", SECONDS, "-e", "dss_take=inventory")
    assert taken.code == 0, taken.output[-3000:]
    assert json.loads(patient.on(SUB, "cat", "/etc/dss/services/mts.json"))["ports"]["rtsp"] == 9100
    agree(patient, SUB)


def handshakes(site: Site, port: int) -> dict[str, bool]:
    """Which TLS versions a port of the sub accepts, asked from another host."""
    found = {}
    for version in ("tls1", "tls1_1", "tls1_2", "tls1_3"):
        ask = f"openssl s_client -connect 198.18.0.21:{port} -{version} -cipher ALL:@SECLEVEL=0"
        line = f"timeout 10 {ask} </dev/null >/dev/null 2>&1 && echo yes || echo no"
        found[version] = "yes" in site.on(MAIN, "sh", "-c", line)
    return found


def test_a_sub_may_stand_behind_mains_own_outside_address_with_other_numbers(
    patient: Site, admin: Admin
) -> None:
    outside = {"mapping_ip": "203.0.113.10"}
    own = {"nginx.http": 10080, "nginx.https": 10443, "mts.rtsp": 19100, "mts.rtsps": 19102,
           "mts.webrtc": 19103, "ss.rtsp": 19320, "ss.rtsps": 19322, "ars.register": 19500}  # fmt: skip
    end(admin, change(admin, MAIN, **outside), "confirm")
    with pytest.raises(RefusedError, match="would both be"):
        change(admin, SUB, **outside)
    end(admin, change(admin, SUB, ports=own), "confirm")
    end(admin, change(admin, SUB, **outside), "confirm")
    certificate = patient.on(SUB, "openssl", "x509", "-in", "/etc/dss/pki/node.pem", "-noout", "-text")
    assert "IP Address:203.0.113.10" in certificate
    assert patient.on(SUB, "dss", "certificate", "renew")
    play = patient.play("-e", "dss_take=inventory", "-e", SECONDS)
    assert play.code == 0, play.output[-3000:]
    agree(patient, SUB)


def test_tls10_is_spoken_only_while_it_is_switched_on_and_only_on_its_port(
    patient: Site, admin: Admin
) -> None:
    modern = {"tls1": False, "tls1_1": False, "tls1_2": True, "tls1_3": True}
    never = dict.fromkeys(modern, False)
    before = starts(patient, SUB)
    assert (handshakes(patient, 443), handshakes(patient, 8443)) == (modern, never)
    found = change(admin, SUB, tls10=True)
    assert starts(patient, SUB) == before
    assert (handshakes(patient, 443), handshakes(patient, 8443)) == (modern, dict.fromkeys(modern, True))
    agree(patient, SUB)
    end(admin, found, "undo")
    assert (handshakes(patient, 443), handshakes(patient, 8443)) == (modern, never)


def test_what_was_changed_goes_back_into_the_inventory_and_ends_the_drift(
    patient: Site, admin: Admin, tmp_path: Path
) -> None:
    hosts = tmp_path / "hosts.yml"
    hosts.write_text((patient.inventory / "hosts.yml").read_text())
    for asked in ({"ports": {"mts.rtsp": 19100}}, {"mapping_ip": "203.0.113.21"}):
        end(admin, change(admin, SUB, **asked), "confirm")
    told = {one["path"]: one["now"] for one in admin.get(f"/nodes/{SUB}/drift")}
    assert told == {"ports.mts.rtsp": "19100", "mapping_ip": "203.0.113.21"}
    done = patient.lab.run([str(ROOT / "dss"), "export", "-i", str(hosts)], capture=True, seconds=300)
    assert done.returncode == 0, done.stdout + done.stderr
    text = hosts.read_text()
    assert "dss_ports: {mts.rtsp: 19100}" in text
    assert "dss_mapping_ip: 203.0.113.21" in text
    assert "# the lab's hosts are small" in text
    before = patient.on(SUB, "sh", "-c", TREE)
    again = Site(patient.lab, hosts, patient.listen).play("--limit", SUB, "-e", SECONDS)
    assert again.code == 0, again.output[-3000:]
    assert "at run time" not in again.output
    assert admin.get(f"/nodes/{SUB}/drift") == []
    patient.on(SUB, "sh", "-c", "test ! -e /etc/dss/overrides.json")
    after = patient.on(SUB, "sh", "-c", TREE)
    own = {"/etc/dss/host.json", "/etc/dss/overrides.json", "/etc/dss/installed.json"}
    assert {x for x in before.splitlines() if x.split()[1] not in own} == {
        x for x in after.splitlines() if x.split()[1] not in own
    }
    back = patient.play("--limit", SUB, "-e", SECONDS)
    assert back.code == 0, back.output[-3000:]


@pytest.mark.timeout(1500)
def test_twenty_random_edits_leave_listeners_matrix_and_firewall_equal(patient: Site, admin: Admin) -> None:
    dice = random.Random(20)  # noqa: S311 - the same edits in each run
    keys = ["mts.rtsp", "mts.rtsps", "mts.http", "dms.http", "nginx.http", "mq.client", "mq.monitor"]
    for _ in range(20):
        chosen = {key: dice.randrange(20000, 30000) for key in dice.sample(keys, dice.randint(1, 2))}
        end(admin, change(admin, SUB, ports=chosen), "confirm")
        agree(patient, SUB)
