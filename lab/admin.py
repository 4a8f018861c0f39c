"""An administrator who works through the REST API, as any integrator's script would."""

import json
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Any


class RefusedError(Exception):
    """The platform answered with a problem (RFC 9457); `body` is its JSON."""

    def __init__(self, status: int, body: dict[str, Any]) -> None:
        super().__init__(f"{status}: {body.get('what', body)} {body.get('why', '')} {body.get('remedy', '')}")
        self.status = status
        self.body = body


class Admin:
    """One platform seen from outside: its address, the CA it must show, and a session once logged in."""

    def __init__(self, base: str, ca: str) -> None:
        self.base = base.rstrip("/")
        self.trust = ssl.create_default_context(cadata=ca)
        self.token = ""

    def call(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:  # noqa: ANN401
        """One request to /api/v1; returns the decoded JSON, raises RefusedError on a problem."""
        headers = {"Accept": "application/json", "Content-Type": "application/json"}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.base}/api/v1{path}", data, headers, method=method)  # noqa: S310
        try:
            with urllib.request.urlopen(request, context=self.trust, timeout=20) as answer:  # noqa: S310
                return json.loads(answer.read() or b"null")
        except urllib.error.HTTPError as refusal:
            with refusal:
                raise RefusedError(refusal.code, json.loads(refusal.read() or b"{}")) from None

    def get(self, path: str) -> Any:  # noqa: ANN401
        """GET below /api/v1."""
        return self.call("GET", path)

    def post(self, path: str, **body: object) -> Any:  # noqa: ANN401
        """POST below /api/v1 with a JSON body."""
        return self.call("POST", path, body)

    def login(self, username: str, password: str) -> None:
        """Open a session; later calls carry its token."""
        self.token = self.post("/login", name=username, password=password)["token"]

    def live_url(self, channel: str) -> str:
        """A fresh one-time WebSocket URL of a channel, on the portal's own address."""
        answer = self.post(f"/channels/{channel}/live")
        return "wss" + self.base.removeprefix("https") + str(answer["ws"])


def until(seconds: float, what: str, ready: Callable[[], Any]) -> Any:  # noqa: ANN401
    """Ask `ready` twice a second until it gives something true; TimeoutError names `what` after `seconds`."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if answer := ready():
            return answer
        time.sleep(0.5)
    raise TimeoutError(f"{what} did not happen within {seconds:.0f} s")
