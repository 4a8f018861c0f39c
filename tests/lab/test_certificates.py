"""Certificates and the authority itself are replaced under a running site, and nobody who watches notices."""

import json
import signal
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import av
import pytest

from lab.admin import Admin, RefusedError, until
from lab.fixtures import PASSWORD
from lab.scenario import USER, look
from lab.site import MAIN, SUB, Play, Site
from lab.viewer import Watching, decode
from tests.lab.test_changes import change, end, settled, starts

pytestmark = [pytest.mark.full, pytest.mark.timeout(1500)]

ADDRESS = {MAIN: "198.18.0.10", SUB: "198.18.0.21"}
CONFIRM = 20
SECONDS = json.dumps({"dss_confirm_seconds": CONFIRM})
PORTAL = "portal.city.example"
CAMERA = "rtsp://admin:Camera.2468@198.18.0.102:554/cam/realmonitor?channel=1&subtype=0"
KNOCK = (
    "printf 'GET /cluster/portal/assignment HTTP/1.0\\r\\nHost: main\\r\\n\\r\\n' | "
    "timeout 10 openssl s_client -quiet -connect 198.18.0.10:443 -cert {certificate} -key {key} 2>/dev/null "
    "| head -1"
)
PYTHON = "/opt/dss/current/venv/bin/python"
SHORT = """
import sys
from cryptography import x509
from pathlib import Path
from services.node import pki
store = pki.Store(Path("/etc/dss/pki"))
key, ca = store.signer()
old = x509.load_pem_x509_certificate(sys.stdin.buffer.read())
print(pki.pem(pki.sign(key, ca, old.public_key(), pki.names_in(old), days={days})).decode())
"""


def played(site: Site, *options: str) -> Play:
    """One run of the playbook that changes the authority."""
    return site.play(*options, playbook="playbooks/rotate_ca.yml")


def trust(admin: Admin, site: Site) -> None:
    """Let the administrator's program know the authorities of now."""
    admin.trust = ssl.create_default_context(cadata=site.on(MAIN, "cat", "/etc/dss/pki/ca.pem"))


def feed(site: Site, host: str, program: str, text: str) -> str:
    """Run a few lines of the node's own Python with a text as input."""
    words = site.lab.host(host).command(PYTHON, "-I", "-c", program)
    done = subprocess.run(words, input=text, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def shorten(site: Site, host: str, days: int) -> None:
    """Give a host a certificate that ends in some days, as time would have done."""
    old = site.on(host, "cat", "/etc/dss/pki/node.pem")
    made = feed(site, MAIN, SHORT.format(days=days), old)
    put = "import sys; from pathlib import Path; from services.node import files, holders\n"
    put += "files.write(Path('/etc/dss/pki/node.pem'), sys.stdin.read()); holders.tell()"
    feed(site, host, put, made)


def shown(site: Site, host: str, port: int, *more: str, name: str = "") -> dict[str, str]:
    """What openssl, a client nobody here wrote, is shown by a port: issuer, subject, end, verdict."""
    sni = ["-servername", name] if name else ["-noservername"]
    line = " ".join(["openssl s_client -connect", f"{ADDRESS[host]}:{port}", *sni, *more, "-showcerts"])
    text = site.on(MAIN if host == SUB else SUB, "sh", "-c", f"timeout 10 {line} </dev/null 2>&1 || true")
    pem = text[text.index("-----BEGIN") : text.index("-----END")] + "-----END CERTIFICATE-----\n"
    ask = ["openssl", "x509", "-noout", "-issuer", "-subject", "-enddate"]
    told = subprocess.run(ask, input=pem, capture_output=True, text=True, check=True).stdout
    found = dict(line.split("=", 1) for line in told.splitlines())
    verdict = [line for line in text.splitlines() if "Verify return code" in line or "alert" in line]
    return found | {"verdict": " ".join(verdict), "text": text}


def nats_shows(site: Site, host: str) -> str:
    """The issuer in the certificate of a host's NATS, which greets before it speaks TLS."""
    program = (
        "import socket, ssl, sys\n"
        "from cryptography import x509\n"
        "raw = socket.create_connection(('127.0.0.1', 4222)); raw.recv(4096)\n"
        "c = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)\n"
        "c.check_hostname, c.verify_mode = False, ssl.CERT_NONE\n"
        "c.load_cert_chain('/etc/dss/pki/node.pem', '/etc/dss/pki/node.key')\n"
        "der = c.wrap_socket(raw).getpeercert(True)\n"
        "print(x509.load_der_x509_certificate(der).issuer.rfc4514_string())"
    )
    return feed(site, host, program, "").strip()


def leaf_link(site: Site) -> tuple[Any, ...]:
    """The sub's message link as main's NATS tells it: the same connection as long as this is the same."""
    program = (
        "import json, urllib.request as u; "
        "rows = json.load(u.urlopen('http://127.0.0.1:8222/leafz'))['leafs']; "
        "print(json.dumps([[r.get('id'), r.get('port')] for r in rows]))"
    )
    return tuple(map(tuple, json.loads(site.python(MAIN, program))))


@contextmanager
def recorded(site: Site, url: str, file: Path) -> Iterator[None]:
    """ffmpeg takes a stream into a file from begin to end of the block."""
    words = ["ffmpeg", "-nostdin", "-v", "error", "-rtsp_transport", "tcp", "-i", url, "-c", "copy"]
    words += ["-f", "mp4", "-movflags", "frag_keyframe+empty_moov", str(file)]
    log = file.with_suffix(".log")
    with log.open("w") as out:
        ffmpeg = subprocess.Popen(site.lab.network.enter(*words), stdout=out, stderr=out)
        try:
            until(20, "ffmpeg writes", lambda: file.is_file() and file.stat().st_size > 100_000)
            yield
            assert ffmpeg.poll() is None, log.read_text()
        finally:
            ffmpeg.send_signal(signal.SIGINT)
            ffmpeg.wait(20)


@contextmanager
def watched(site: Site, admin: Admin, tmp_path: Path) -> Iterator[dict[str, int]]:
    """A picture of the sub through main's gateway and one past it by RTSPS; in the end what each lost.

    A lab camera on a busy machine gives up pictures by itself. So somebody reads the camera without the
    platform, and only what came there counts.
    """
    device = next(d for d in admin.get("/devices") if d["node"] == SUB)
    channel = device["channels"][0]["id"]
    look(admin, device, 1)
    lost: dict[str, int] = {}
    direct, file = (tmp_path / f"{name}-{time.monotonic_ns()}.mp4" for name in ("camera", "rtsps"))
    with recorded(site, CAMERA, direct):
        url = admin.post(f"/channels/{channel}/live")["rtsps"]["lan"]
        with recorded(site, url, file):
            through = Watching(admin.live_url(channel), admin.trust)
            yield lost
            time.sleep(3)
            seen = {"gateway": through.end()}
    made, seen["rtsps"] = decode(direct.read_bytes()), decode(file.read_bytes())
    for name, counters in seen.items():
        lost[name] = len({c for c in made if counters[0] <= c <= counters[-1]} - set(counters))
        print(f"{name}: {len(counters)} pictures, {lost[name]} lost")
        assert len(counters) > 100


@contextmanager
def asked(admin: Admin, site: Site) -> Iterator[list[str]]:
    """Somebody who asks the portal four times a second; the list holds what failed."""
    failures: list[str] = []
    stop = threading.Event()
    everybody = ssl.create_default_context(cadata=site.on(MAIN, "cat", "/etc/dss/pki/ca.pem"))
    caller = Admin(admin.base, site.on(MAIN, "cat", "/etc/dss/pki/ca.pem"))
    # Its own business is the outage, not who signed: that is what openssl is asked for.
    everybody.check_hostname, everybody.verify_mode = False, ssl.CERT_NONE
    caller.trust = everybody

    def ask() -> None:
        while not stop.wait(0.25):
            try:
                caller.get("/status")
            except (OSError, ValueError, RefusedError) as error:
                failures.append(f"{time.monotonic():.1f} {error}")

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    yield failures
    stop.set()
    thread.join(30)


def certificate_of(admin: Admin, node: str, purpose: str = "node") -> Any:  # noqa: ANN401
    """A row of the certificates page's data."""
    rows = [r for r in admin.get("/certificates") if (r["node"], r["purpose"]) == (node, purpose)]
    return rows[0] if rows else None


def test_a_leaf_that_ends_soon_is_told_and_renewed_without_losing_a_picture(
    site: Site, admin: Admin, tmp_path: Path
) -> None:
    shorten(site, SUB, 5)
    row = until(20, "the alarm", lambda: (r := certificate_of(admin, SUB)) and r["state"] == "critical" and r)
    assert row["days_left"] in {4, 5}
    assert site.on(SUB, "systemctl", "is-active", "dss-certificate.timer").strip() == "active"
    before, link, soon = starts(site, SUB), leaf_link(site), shown(site, SUB, 443)["notAfter"]
    until(10, "DSS_MTS shows it", lambda: shown(site, SUB, 9102)["notAfter"] == soon)
    with watched(site, admin, tmp_path) as lost:
        time.sleep(3)
        site.on(SUB, "systemctl", "start", "dss-certificate.service")
        until(10, "DSS_MTS shows it", lambda: shown(site, SUB, 9102)["notAfter"] != soon)
        assert shown(site, SUB, 443)["notAfter"] == shown(site, SUB, 9102)["notAfter"] != soon
    assert lost == {"gateway": 0, "rtsps": 0}
    assert starts(site, SUB) == before
    assert leaf_link(site) == link
    until(20, "all is good again", lambda: certificate_of(admin, SUB)["state"] == "good")


def test_main_renews_its_own_and_a_second_run_does_nothing(site: Site, admin: Admin) -> None:
    shorten(site, MAIN, 5)
    before = starts(site, MAIN)
    said = json.loads(site.on(MAIN, "dss", "certificate", "renew"))
    assert said["changed"]
    assert starts(site, MAIN) == before
    assert not json.loads(site.on(MAIN, "dss", "certificate", "renew"))["changed"]
    flushed = site.on(MAIN, "mariadb", "-N", "-e", "show global status like 'Ssl_server_not_after'")
    assert flushed.split()[1:] == shown(site, MAIN, 443)["notAfter"].split()


def test_a_node_that_is_away_is_named_and_the_old_authority_stays(site: Site, admin: Admin) -> None:
    old = site.on(MAIN, "cat", "/etc/dss/pki/ca.pem")
    site.lab.poweroff(SUB)
    try:
        _blocked(site, admin, old)
        # The power goes in the middle of it on main, too.
        site.lab.poweroff(MAIN)
    finally:
        for host in (MAIN, SUB):
            site.lab.boot(host)
    until(90, "both are back", lambda: _well(admin))
    # The lab's camera is slow to give up the connection that lost its power, and holds up all others.
    until(240, "the picture is back", lambda: _looked(admin))


def _looked(admin: Admin) -> bool:
    try:
        return look(admin, next(d for d in admin.get("/devices") if d["node"] == SUB), 1).frames > 0
    except (TimeoutError, av.FFmpegError):
        # Nothing came, or the beginning of a stream without any picture.
        return False


def _blocked(site: Site, admin: Admin, old: str) -> None:
    until(40, "the sub is missed", lambda: admin.get(f"/nodes/{SUB}")["stale"])
    play = played(site)
    assert play.code != 0
    assert f"{SUB} is away" in play.output, play.output[-3000:]
    assert "The new authority cannot sign yet" in play.output
    assert site.on(MAIN, "cat", "/etc/dss/pki/ca.pem").startswith(old)
    own = site.on(MAIN, "openssl", "x509", "-noout", "-issuer", "-in", "/etc/dss/pki/node.pem")
    assert "Demo DSS CA 2" not in own


def _well(admin: Admin) -> bool:
    try:
        admin.login(USER, PASSWORD)
        return not any(n["stale"] for n in admin.get("/nodes")) and all(
            d["state"] == "online" for d in admin.get("/devices")
        )
    except (OSError, ValueError, RefusedError):
        return False


def test_the_authority_is_replaced_without_losing_a_picture(site: Site, admin: Admin, tmp_path: Path) -> None:
    old = tmp_path / "old.pem"
    old.write_text(site.on(MAIN, "cat", "/etc/dss/pki/ca.pem").split("-----END CERTIFICATE-----")[0])
    former = {name: site.on(SUB, "cat", f"/etc/dss/pki/node.{name}") for name in ("pem", "key")}
    ca = old.read_text() + "-----END CERTIFICATE-----\n"
    before, link = {host: starts(site, host) for host in (MAIN, SUB)}, leaf_link(site)
    with watched(site, admin, tmp_path) as lost, asked(admin, site) as failures:
        play = played(site)
    assert play.code == 0, play.output[-4000:]
    print(f"authority replaced in {play.seconds:.0f} s")
    assert lost == {"gateway": 0, "rtsps": 0}
    assert failures == []
    assert leaf_link(site) == link
    restarted = {u for host, units in before.items() for u in units if starts(site, host)[u] != units[u]}
    # On main it holds the authority's key, which systemd hands out at the start alone.
    assert restarted == {"dss-smc.service"}
    assert starts(site, SUB) == before[SUB]
    for host, port in ((MAIN, 443), (SUB, 443), (SUB, 9102)):
        assert "Demo DSS CA 2" in shown(site, host, port)["issuer"]
    assert all("Demo DSS CA 2" in nats_shows(site, host) for host in (MAIN, SUB))
    _refused(site, ca, former)
    assert site.on(MAIN, "cat", "/etc/dss/pki/ca.pem") == site.on(SUB, "cat", "/etc/dss/pki/ca.pem")
    site.on(MAIN, "sh", "-c", "test ! -e /etc/dss/pki/ca-next.key")
    trust(admin, site)
    until(20, "the sub is heard", lambda: not admin.get(f"/nodes/{SUB}")["stale"])
    again = site.play()
    assert (again.code, again.changed) == (0, {MAIN: 0, SUB: 0}), again.output[-3000:]


def _refused(site: Site, ca: str, former: dict[str, str]) -> None:
    """Neither does the old authority vouch for a node any more, nor a certificate of it open a door."""
    put = "cat > /run/old-{0}"
    for name, text in {"ca": ca, **former}.items():
        words = site.lab.host(SUB).command("sh", "-c", put.format(name))
        subprocess.run(words, input=text, text=True, check=True)
    verdict = shown(site, MAIN, 443, "-CAfile /run/old-ca -verify_return_error")["text"]
    assert "verify error" in verdict
    with_old, with_new = (
        site.on(SUB, "sh", "-c", KNOCK.format(certificate=pem, key=key))
        for pem, key in (("/run/old-pem", "/run/old-key"), ("/etc/dss/pki/node.pem", "/etc/dss/pki/node.key"))
    )
    assert " 400 " in with_old
    assert " 200 " in with_new


@pytest.fixture(scope="module")
def customer(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """A customer's certificate made by openssl: root, intermediate, RSA leaf for the portal's name."""
    folder = tmp_path_factory.mktemp("customer")
    ca = "-addext basicConstraints=critical,CA:true -addext keyUsage=critical,keyCertSign"
    leaf = f"-addext subjectAltName=DNS:{PORTAL} -addext extendedKeyUsage=serverAuth"
    for line in (
        f"req -x509 -newkey rsa:2048 -nodes -keyout root.key -out root.pem -days 90 -subj /CN=Root {ca}",
        f"req -newkey rsa:2048 -nodes -keyout mid.key -out mid.csr -subj /CN=Intermediate {ca}",
        "x509 -req -in mid.csr -CA root.pem -CAkey root.key -out mid.pem -copy_extensions copy -days 80",
        f"req -newkey rsa:2048 -nodes -keyout leaf.key -out leaf.csr -subj /CN={PORTAL} {leaf}",
        "x509 -req -in leaf.csr -CA mid.pem -CAkey mid.key -out leaf.pem -copy_extensions copy -days 70",
    ):
        subprocess.run(["openssl", *line.split()], cwd=folder, check=True, capture_output=True)
    read = {name: (folder / name).read_text() for name in ("leaf.pem", "mid.pem", "root.pem", "leaf.key")}
    (folder / "chain.pem").write_text(read["leaf.pem"] + read["mid.pem"] + read["root.pem"])
    return {"certificate": (folder / "chain.pem").read_text(), "key": read["leaf.key"], "folder": str(folder)}


@pytest.fixture
def patient(site: Site, admin: Admin) -> Iterator[Site]:
    """The site with a short time to confirm, and in the end with nothing imported."""
    trust(admin, site)
    play = site.play("--limit", MAIN, "-e", SECONDS)
    assert play.code == 0, play.output[-3000:]
    yield site
    site.on(MAIN, "sh", "-c", "dss change undo 2>/dev/null || true")
    assert site.play("--limit", MAIN, "-e", "dss_take=inventory").code == 0


def imports(admin: Admin, customer: dict[str, str]) -> Any:  # noqa: ANN401
    pair = {key: customer[key] for key in ("certificate", "key")}
    return change(admin, MAIN, portal_certificate=pair)


def test_an_imported_certificate_is_shown_by_name_and_undone_unless_kept(
    patient: Site, admin: Admin, customer: dict[str, str]
) -> None:
    before = starts(patient, MAIN)
    found = imports(admin, customer)
    assert "Intermediate" in shown(patient, MAIN, 443, name=PORTAL)["issuer"]
    for name in ("", "main-a.node.dss"):
        assert "DSS CA" in shown(patient, MAIN, 443, name=name)["issuer"], "nodes keep the site's own"
    assert starts(patient, MAIN) == before
    settled(admin, MAIN, found["id"], wanted={"undone"}, seconds=CONFIRM + 20)
    assert "DSS CA" in shown(patient, MAIN, 443, name=PORTAL)["issuer"]
    assert patient.on(MAIN, "sh", "-c", "ls /etc/dss/pki").count("portal-") == 0
    records = patient.on(MAIN, "sh", "-c", "cat /var/lib/dss/changes/*.json; ls /var/lib/dss/smc/changes")
    assert customer["key"].splitlines()[1] not in records


def test_a_kept_certificate_stays_through_a_deployment_until_it_is_removed(
    patient: Site, admin: Admin, customer: dict[str, str]
) -> None:
    end(admin, imports(admin, customer), "confirm")
    again = patient.play("--limit", MAIN, "-e", SECONDS)
    assert (again.code, again.changed) == (0, {MAIN: 0}), again.output[-3000:]
    full = shown(patient, MAIN, 443, name=PORTAL)
    assert "Intermediate" in full["issuer"]
    assert full["text"].count("-----BEGIN CERTIFICATE-----") == 3
    row = until(20, "it is listed", lambda: certificate_of(admin, MAIN, "portal"))
    assert (row["subject"], row["state"]) == (PORTAL, "good")
    assert not admin.get(f"/nodes/{SUB}")["stale"]
    end(admin, change(admin, MAIN, portal_certificate=None), "confirm")
    assert "DSS CA" in shown(patient, MAIN, 443, name=PORTAL)["issuer"]


def test_the_inventory_brings_a_certificate_and_takes_it_away(
    patient: Site, admin: Admin, customer: dict[str, str], tmp_path: Path
) -> None:
    folder = customer["folder"]
    hosts = tmp_path / "hosts.yml"
    own = f"dss_portal_certificate: {folder}/chain.pem, dss_portal_key: {folder}/leaf.key"
    text = (patient.inventory / "hosts.yml").read_text()
    hosts.write_text(
        text.replace("main-a: {ansible_host: 198.18.0.10}", f"main-a: {{ansible_host: 198.18.0.10, {own}}}")
    )
    given = Site(patient.lab, hosts, patient.listen)
    first = given.play("--limit", MAIN, "-e", SECONDS)
    assert first.code == 0, first.output[-3000:]
    assert "Intermediate" in shown(patient, MAIN, 443, name=PORTAL)["issuer"]
    assert given.play("--limit", MAIN, "-e", SECONDS).changed == {MAIN: 0}
    wrong = hosts.read_text().replace("leaf.key", "mid.key")
    hosts.write_text(wrong)
    refused = given.play("--limit", MAIN, "-e", SECONDS)
    assert refused.code != 0
    assert "belongs to none of the certificates" in " ".join(refused.output.split())
    gone = patient.play("--limit", MAIN, "-e", SECONDS)
    assert gone.code == 0, gone.output[-3000:]
    assert "DSS CA" in shown(patient, MAIN, 443, name=PORTAL)["issuer"]
