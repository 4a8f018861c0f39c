"""Devices that register by themselves, as DSS_ARS of this node has them."""

from typing import Any

import aiohttp

from services.dms.devices import Device
from services.runtime import auth, config

HOST, SECONDS = "127.0.0.1", 3.0
STATES = {"online", "offline", "refused", "garbled"}


async def state(device: str) -> tuple[str, str]:
    """State and reason of a device; unreachable when DSS_ARS itself gives no answer."""
    try:
        found = await _ask(device)
    except (aiohttp.ClientError, TimeoutError, ValueError, OSError) as error:
        return "unreachable", f"DSS_ARS of this node gives no answer ({type(error).__name__})."
    if found is None or found.get("state") not in STATES:
        return "offline", "It has not registered yet."
    return str(found["state"]), str(found.get("reason") or "")


def way(device: Device) -> tuple[str, int, str, str]:
    """Host, port, user and password of a device's HTTP interface, or of the way to it through DSS_ARS."""
    if device.kind == "register":
        return HOST, _port(), device.id, config.credential("node-token")
    return device.host, device.port, device.username, device.password


async def _ask(device: str) -> dict[str, Any] | None:
    url = f"http://{HOST}:{_port()}/devices/{device}"
    timeout = aiohttp.ClientTimeout(total=SECONDS)
    async with (
        aiohttp.ClientSession(timeout=timeout) as session,
        session.get(url, headers=auth.bearer()) as answer,
    ):
        if answer.status == 404:
            return None
        answer.raise_for_status()
        found: dict[str, Any] = await answer.json()
        return found


def _port() -> int:
    # Read anew each time: DSS_ARS starts after this service, and its port may change.
    return config.load_service("ars").ports["http"]
