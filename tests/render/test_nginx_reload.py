"""When the reload of nginx ends, its old configuration answers nobody any more."""

import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from services.render import File

WORKERS = 16
"""So many take nginx a while to replace."""


class Nginx:
    """A real nginx that answers one word."""

    def __init__(self, folder: Path, port: int) -> None:
        self.folder = folder
        self.port = port
        self.answer("0")
        command = ["nginx", "-c", folder / "nginx.conf", "-p", folder, "-g", "daemon off;"]
        self.process = subprocess.Popen(command)

    def answer(self, word: str) -> None:
        """Write the configuration that answers `word`."""
        (self.folder / "nginx.conf").write_text(
            f"pid nginx.pid; error_log stderr; worker_processes {WORKERS}; events {{}}\n"
            f"http {{ access_log off; server {{ listen 127.0.0.1:{self.port}; return 200 {word}; }} }}\n"
        )

    def said(self) -> str:
        """What it answers now, empty while it does not."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/", timeout=5) as answer:
                return str(answer.read().decode())
        except urllib.error.URLError:
            return ""


@pytest.fixture
def nginx(tmp_path: Path, free_port: Callable[[], int]) -> Iterator[Nginx]:
    found = Nginx(tmp_path, free_port())
    try:
        until = time.monotonic() + 10
        while not found.said() and time.monotonic() < until:
            time.sleep(0.05)
        yield found
    finally:
        found.process.terminate()
        found.process.wait(10)


@pytest.fixture
def script(rendered: Callable[[str, str], dict[str, File]]) -> str:
    """What systemd runs for a reload."""
    return rendered("standalone", "main-a")["/etc/dss/engines/nginx-reload.sh"].text


def test_nobody_is_answered_by_the_old_configuration(nginx: Nginx, script: str) -> None:
    assert nginx.said() == "0"
    for turn in range(1, 11):
        nginx.answer(str(turn))
        subprocess.run(["sh", "-c", script], env={"MAINPID": str(nginx.process.pid)}, check=True, timeout=20)
        assert {nginx.said() for _ in range(WORKERS)} == {str(turn)}


@pytest.mark.full
def test_a_configuration_that_nginx_does_not_take_is_told(nginx: Nginx, script: str) -> None:
    (nginx.folder / "nginx.conf").write_text("nonsense;")
    done = subprocess.run(
        ["sh", "-c", script], env={"MAINPID": str(nginx.process.pid)},
        check=False, capture_output=True, text=True, timeout=30,
    )  # fmt: skip
    assert done.returncode == 1
    assert "has not replaced its workers" in done.stderr
    assert nginx.said() == "0"
