"""The portal as it runs on a node: gunicorn by its own configuration, nginx, the web assets."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING

import pytest
import requests

from services.bundle.web import ensure_web

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.portal.site import Site

ROOT = Path(__file__).resolve().parents[2]
NGINX = """
daemon off; pid {folder}/nginx.pid; error_log {folder}/nginx.log; worker_processes 1;
events {{ worker_connections 512; }}
http {{
  access_log off; types {{ text/css css; text/javascript js; image/svg+xml svg; }}
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/f;
  uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  server {{
    listen 127.0.0.1:{port} ssl;
    ssl_certificate {pki}/node.pem; ssl_certificate_key {key};
    location /assets/ {{ alias {assets}/; }}
    location /mts/ {{
      proxy_pass http://127.0.0.1:{mts}/; proxy_http_version 1.1; proxy_buffering off;
      proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection upgrade;
    }}
    location /ss/ {{
      proxy_pass http://127.0.0.1:{ss}/; proxy_http_version 1.1; proxy_buffering off;
      proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection upgrade;
    }}
    location / {{
      proxy_pass http://127.0.0.1:{portal}; proxy_set_header Host $http_host;
      proxy_set_header X-Forwarded-For $remote_addr; proxy_set_header X-Forwarded-Proto https;
      proxy_set_header X-Forwarded-Host $http_host;
    }}
  }}
}}
"""


@dataclass
class Portal:
    """The portal as it runs on a node: gunicorn by its own configuration behind nginx with the web assets."""

    url: str
    ca: Path
    gunicorn: subprocess.Popen[bytes]
    site: Site
    log: Path


@contextmanager
def started(words: list[str], out: IO[bytes]) -> Iterator[subprocess.Popen[bytes]]:
    """A program that ends with the block."""
    process = subprocess.Popen(words, cwd=ROOT, stdout=out, stderr=out)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(20)


def _wait(portal: Portal) -> None:
    for _ in range(200):
        assert portal.gunicorn.poll() is None, portal.log.read_text()
        with suppress(requests.ConnectionError):
            if requests.get(f"{portal.url}/health", verify=portal.ca, timeout=5).status_code == 200:
                return
        time.sleep(0.1)
    pytest.fail(f"the portal did not start:\n{portal.log.read_text()}")


@contextmanager
def running(site: Site, folder: Path, port: int) -> Iterator[Portal]:
    """gunicorn, and nginx on `port` of loopback, with their files in `folder`."""
    _configure(site, folder, port)
    log = folder / "portal.log"
    gunicorn = [sys.executable, "-m", "gunicorn", "--config", "python:portal.gunicorn", "portal.wsgi:app"]
    with (
        log.open("wb") as out,
        started(gunicorn, out) as process,
        started(["nginx", "-p", str(folder), "-c", str(folder / "nginx.conf")], out),
    ):
        ca = site.platform.files.etc / "pki" / "ca.pem"
        made = Portal(f"https://127.0.0.1:{port}", ca, process, site, log)
        _wait(made)
        yield made


def _configure(site: Site, folder: Path, port: int) -> None:
    files = site.platform.files
    ports = {
        name: json.loads((files.etc / "services" / f"{name}.json").read_text())["ports"]
        for name in ("smc", "mts", "ss")
    }
    settings = {"folder": folder, "port": port, "pki": files.etc / "pki", "assets": ensure_web(),
                "key": files.credentials / "node.key", "portal": ports["smc"]["portal"],
                "mts": ports["mts"]["http"], "ss": ports["ss"]["http"]}  # fmt: skip
    (folder / "nginx.conf").write_text(NGINX.format(**settings))
