"""What an administrator does first on a fresh site: initialise, enable the subs, add the cameras, look."""

import secrets
from typing import Any, cast

import aiohttp

from lab.admin import Admin, until
from lab.viewer import Watched, watch

USER = "admin"
CAMERA_LOGIN = {"username": "admin", "password": "Camera.2468"}
# One camera on main, one on the sub: both ways a picture can take.
Cameras = tuple[tuple[str, str, str], ...]
CAMERAS: Cameras = (("Entrance", "198.18.0.101", "main-a"), ("Car park", "198.18.0.102", "sub-1"))


def new_password() -> str:
    """A password that meets the rules of both profiles."""
    return f"Demo-{secrets.token_hex(5).translate(str.maketrans('0123456789', 'ghjkmnpqrt'))}-7Q"


def enter(admin: Admin, password: str) -> None:
    """Initialise the platform if nobody has yet, then log in."""
    status = admin.get("/status")
    if not status["initialised"]:
        # The profile `modern` has recovery codes in their place; the demo does not keep them.
        wanted = {"classic": "ABC", "modern": ""}[status["password_profile"]]
        questions = [{"question": f"Demo question {n}?", "answer": secrets.token_hex(8)} for n in wanted]
        admin.post("/initialise", name=USER, password=password, questions=questions)
    admin.login(USER, password)


def enable_subs(admin: Admin) -> None:
    """What an administrator does on the Servers page."""
    for node in admin.get("/nodes"):
        if node["state"] == "waiting":
            admin.post(f"/nodes/{node['name']}/enable")


def add_cameras(admin: Admin, cameras: Cameras = CAMERAS) -> list[dict[str, Any]]:
    """Add cameras, the demo's by default, where they are missing; returns the devices once all are online."""
    known = {device["name"] for device in admin.get("/devices")}
    for name, host, node in cameras:
        if name not in known:
            admin.post("/devices", name=name, kind="dahua", host=host, node=node, channels=1, **CAMERA_LOGIN)

    def online() -> list[dict[str, Any]] | None:
        devices = list(admin.get("/devices"))
        return devices if all(device["state"] == "online" for device in devices) else None

    return list(until(60, "all cameras online", online))


def look(admin: Admin, device: dict[str, Any], seconds: float) -> Watched:
    """Watch a device's first channel through the portal's own path, for `seconds` from the first picture on.

    A device is online before the node that relays it has its first picture, so this asks again for a while.
    """
    return cast(Watched, until(60, f"a picture of {device['name']}", lambda: _seen(admin, device, seconds)))


def _seen(admin: Admin, device: dict[str, Any], seconds: float) -> Watched | None:
    """What came, or None when nothing did yet; every try needs a URL of its own."""
    try:
        return watch(admin.live_url(device["channels"][0]["id"]), admin.trust, seconds)
    except (TimeoutError, aiohttp.ClientError):
        return None
