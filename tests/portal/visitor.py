"""Somebody who uses the portal without scripts, by the application's own test client."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from portal import create_app
from tests.portal.site import NAME, PASSWORD

if TYPE_CHECKING:
    from flask.testing import FlaskClient
    from werkzeug.test import TestResponse


CONFIGURATION = {
    "TESTING": True,
    "SECRET": "test-secret",
    "VERSION": "1.2.3",
    "SITE": "City Hall",
    "NODE": "main-a",
}


@dataclass
class Visitor:
    """A browser without scripts: keeps cookies, finds the token of a page and sends it with a form."""

    client: FlaskClient

    def get(self, path: str, **headers: str) -> TestResponse:
        """Open a page."""
        return self.client.get(path, base_url="https://127.0.0.1", headers=_names(headers))

    def token(self, path: str) -> str:
        """The form token of a page."""
        text: str = self.get(path).get_data(as_text=True)
        return text.split('name="csrf" value="')[1].split('"')[0]

    def post(
        self, path: str, form: dict[str, str] | None = None, page: str = "/", **headers: str
    ) -> TestResponse:
        """Send a form with the token of `page`."""
        data = {"csrf": self.token(page)} | (form or {})
        return self.client.post(path, data=data, base_url="https://127.0.0.1", headers=_names(headers))

    def login(self, name: str = NAME, password: str = PASSWORD) -> TestResponse:
        """Log in by the form."""
        return self.post("/login", {"name": name, "password": password}, "/login")


def _names(headers: dict[str, str]) -> dict[str, str]:
    return {name.replace("_", "-"): value for name, value in headers.items()}


def newcomer() -> Visitor:
    """Somebody who has not been at the portal before."""
    return Visitor(create_app(CONFIGURATION).test_client())
