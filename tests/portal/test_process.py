"""The portal as a process: small after work, honest to systemd, honest about its health."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import requests

if TYPE_CHECKING:
    from tests.portal.process import Portal
    from tests.portal.site import Site

ROOT = Path(__file__).resolve().parents[2]
PATHS = (
    "/",
    "/servers",
    "/services/main-a",
    "/topology",
    "/devices",
    "/ports",
    "/live",
    "/about",
    "/tasks/strip",
)


def memory(pid: int) -> dict[str, float]:
    """Proportional set size in MB of the main process and of its worker."""
    main = psutil.Process(pid)
    sizes = {"main": main.memory_full_info().pss / 1e6}
    return sizes | {"worker": sum(c.memory_full_info().pss for c in main.children()) / 1e6}


def test_each_process_stays_below_sixty_megabytes_after_work(portal: Portal) -> None:
    print("PSS idle", memory(portal.gunicorn.pid))
    with requests.Session() as session:
        session.verify, session.trust_env = str(portal.ca), False
        page = session.get(f"{portal.url}/login").text
        token = page.split('name="csrf" value="')[1].split('"')[0]
        form = {"name": "admin", "password": "Correct.Horse7", "csrf": token}
        assert session.post(f"{portal.url}/login", data=form).url == f"{portal.url}/"
        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(lambda path: session.get(portal.url + path).status_code, PATHS * 12))
    found = memory(portal.gunicorn.pid)
    print("PSS", found)
    assert set(answers) == {200}
    assert max(found.values()) < 60


def test_looking_up_known_passwords_leaves_nothing_behind(portal: Portal) -> None:
    portal.site.platform.files.setting("smc", password_profile="modern")
    with requests.Session() as session:
        session.verify, session.trust_env = str(portal.ca), False
        page = session.get(f"{portal.url}/login").text
        form = {"csrf": page.split('name="csrf" value="')[1].split('"')[0], "name": "admin"}

        def look_up(number: int) -> list[str]:
            data = form | {"password": f"P4ssw0rdP4ssw0rd{number % 10}"}
            broken: list[str] = session.post(f"{portal.url}/password-rules", data=data).json()["broken"]
            return broken

        with ThreadPoolExecutor(8) as pool:
            assert list(pool.map(look_up, range(8))) == [["known"]] * 8
            before = memory(portal.gunicorn.pid)
            assert list(pool.map(look_up, range(24))) == [["known"]] * 24
    after = memory(portal.gunicorn.pid)
    print("PSS before", before, "after", after)
    assert max(after.values()) < 60
    assert after["worker"] - before["worker"] < 2


def start(site: Site, notify: Path, seconds: float) -> subprocess.Popen[bytes]:
    """gunicorn as a unit of Type=notify with a watchdog starts it."""
    words = [sys.executable, "-m", "gunicorn", "--config", "python:portal.gunicorn", "portal.wsgi:app"]
    more = {"NOTIFY_SOCKET": str(notify), "WATCHDOG_USEC": str(int(seconds * 1e6))}
    return subprocess.Popen(words, cwd=ROOT, env=os.environ | more, stderr=subprocess.DEVNULL)


def hear(listener: socket.socket, word: str, seconds: float) -> bool:
    """Whether a message with `word` comes in time."""
    until = time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0:
        listener.settimeout(left)
        try:
            if word in listener.recv(4096).decode():
                return True
        except TimeoutError:
            return False
    return False


def test_systemd_is_told_of_readiness_and_of_each_proof_of_life(site: Site, tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(tmp_path / "n"))
        process = start(site, tmp_path / "n", 1.5)
        try:
            assert hear(listener, "READY=1", 20)
            assert hear(listener, "WATCHDOG=1", 10)
            worker = psutil.Process(process.pid).children()[0]
            worker.suspend()
            while hear(listener, "WATCHDOG=1", 1.0):
                pass
            assert not hear(listener, "WATCHDOG=1", 2.0)
            worker.resume()
            assert hear(listener, "WATCHDOG=1", 10)
        finally:
            process.terminate()
            process.wait(20)


def test_health_names_what_is_away(portal: Portal) -> None:
    assert requests.get(f"{portal.url}/health", verify=portal.ca, timeout=10).json()["status"] == "ok"
    server = psutil.Process(portal.site.platform.redis.process.pid)
    portal.site.stopped.set()
    server.suspend()
    try:
        answer = requests.get(f"{portal.url}/health", verify=portal.ca, timeout=12)
    finally:
        server.resume()
    assert answer.status_code == 503
    assert answer.json()["checks"]["redis"]["ok"] is False
    assert answer.json()["checks"]["mysql"]["ok"] is True
