"""The portal's process as it is deployed: gunicorn, its memory after work, and calls in parallel."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest
import requests

if TYPE_CHECKING:
    from tests.conftest import Platform

MOST_PSS = 60 * 1024 * 1024
FIRST = {
    "name": "admin",
    "password": "Admin.2468",
    "questions": [{"question": f"Question {n}?", "answer": "yes"} for n in range(3)],
}


def answers(url: str) -> bool:
    try:
        return requests.get(f"{url}/status", timeout=2).ok
    except requests.ConnectionError:
        return False


@pytest.fixture
def server(platform: "Platform", free_port: Callable[[], int]) -> Iterator[tuple[psutil.Process, str]]:
    """Gunicorn with the product's configuration, and the address of the API."""
    path = platform.files.etc / "services" / "smc.json"
    port = free_port()
    path.write_text(path.read_text().replace('"portal": 9001', f'"portal": {port}'))
    words = [sys.executable, "-m", "gunicorn", "--config", "python:portal.gunicorn", "portal.wsgi:app"]
    root = Path(__file__).resolve().parents[2]
    process = subprocess.Popen(words, cwd=root, env=os.environ | platform.files.environment())
    url, until = f"http://127.0.0.1:{port}/api/v1", time.monotonic() + 30
    try:
        while not answers(url):
            assert process.poll() is None, "gunicorn ended"
            assert time.monotonic() < until, "gunicorn did not answer"
            time.sleep(0.1)
        yield psutil.Process(process.pid), url
    finally:
        process.terminate()
        process.wait(20)


def test_the_process_stays_small_after_work(server: tuple[psutil.Process, str]) -> None:
    process, url = server
    assert requests.post(f"{url}/initialise", json=FIRST, timeout=10).status_code == 201
    login = requests.post(f"{url}/login", json={"name": "admin", "password": "Admin.2468"}, timeout=10)
    headers = {"Authorization": f"Bearer {login.json()['token']}"}
    wrong: list[int] = []

    def work() -> None:
        with requests.Session() as session:
            for path in ("nodes", "devices", "audit", "topology", "sessions", "openapi.json") * 10:
                status = session.get(f"{url}/{path}", headers=headers, timeout=20).status_code
                if status != 200:
                    wrong.append(status)

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    sizes = {one.pid: one.memory_full_info().pss for one in (process, *process.children(recursive=True))}
    print({pid: f"{size / 1024 / 1024:.1f} MiB" for pid, size in sizes.items()})
    assert max(sizes.values()) < MOST_PSS
