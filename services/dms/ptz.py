"""Moving cameras of the Dahua family (`ptz.cgi`), directly or through DSS_ARS."""

import math
import re
from dataclasses import dataclass
from typing import Any

from services.dms import dahua, registered
from services.dms.devices import Channel, Device
from services.runtime.errors import Problem

SECONDS = 2.0
CODES = {
    "up": "Up", "down": "Down", "left": "Left", "right": "Right", "left-up": "LeftUp", "right-up": "RightUp",
    "left-down": "LeftDown", "right-down": "RightDown", "zoom-in": "ZoomTele", "zoom-out": "ZoomWide",
    "focus-near": "FocusNear", "focus-far": "FocusFar",
}  # fmt: skip
PRESETS = {"go": "GotoPreset", "save": "SetPreset"}
MOST_PRESETS = 255
LONGEST_NAME = 64
_PRESET = re.compile(r"presets\[(\d{1,4})\]\.(Index|Name)")
_POSITION = re.compile(r"status\.Postion\[([012])\]")
"""The word is spelt so in the devices."""


@dataclass(frozen=True)
class Head:
    """A channel of a device that may be able to move."""

    device: Device
    channel: Channel

    async def start(self, code: str, speed: int) -> None:
        """Begin to move; it goes on until `stop`. Raises dahua.RefusedError or SilentError, as the others."""
        vertical = speed if "-" in code and code.startswith(("left", "right")) else 0
        await self._send("start", CODES[code], vertical, speed)

    async def stop(self, code: str) -> None:
        """End a move; harmless where none goes on."""
        await self._send("stop", CODES[code], 0, 0)

    async def preset(self, do: str, number: int) -> None:
        """`go` to a preset or `save` the present place as one."""
        await self._send("start", PRESETS[do], 0, number)

    async def position(self) -> list[float | None]:
        """Pan and tilt in degrees, zoom in the camera's own measure; None for what it does not say."""
        found: list[float | None] = [None, None, None]
        for name, value in _pairs(await self._ask("getStatus")):
            if place := _POSITION.fullmatch(name):
                found[int(place[1])] = _finite(value)
        return found

    async def presets(self) -> list[dict[str, Any]]:
        """`id` and `name` of each preset, by its number."""
        rows: dict[str, dict[str, str]] = {}
        for name, value in _pairs(await self._ask("getPresets")):
            if part := _PRESET.fullmatch(name):
                rows.setdefault(part[1], {})[part[2]] = value
        numbers = {int(row["Index"]): row for row in rows.values() if row.get("Index", "").isdecimal()}
        known = [(id, numbers[id].get("Name", "")) for id in sorted(numbers) if 0 < id <= MOST_PRESETS]
        return [{"id": id, "name": name[:LONGEST_NAME] or f"Preset {id}"} for id, name in known]

    async def _send(self, action: str, code: str, first: int, second: int) -> None:
        await self._ask(action, f"&code={code}&arg1={first}&arg2={second}&arg3=0")

    async def _ask(self, action: str, more: str = "") -> str:
        path = f"/cgi-bin/ptz.cgi?action={action}&channel={self.channel.number}{more}"
        return await dahua.order(registered.way(self.device), path, SECONDS)


def _pairs(text: str) -> list[tuple[str, str]]:
    lines = (line.partition("=") for line in text.splitlines())
    return [(name.strip(), value.strip()) for name, equals, value in lines if equals and value.isprintable()]


def _finite(value: str) -> float | None:
    try:
        found = float(value)
    except ValueError:
        return None
    return found if math.isfinite(found) else None


def unable(why: str) -> Problem:
    """The camera cannot do what was asked."""
    return Problem("ptz-unable", "The camera did not do this.", f"{why}.",
                   "See in the camera's own pages whether it can move and whether this user may do that.",
                   status=409)  # fmt: skip


def silent(why: str) -> Problem:
    """The camera gives no answer."""
    return Problem("ptz-away", "The camera cannot be moved now.", f"{why}.",
                   "Check the device on the Devices page.", status=502)  # fmt: skip
