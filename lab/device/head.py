"""What moves a lab camera: pan, tilt and zoom over time, and presets, by the Dahua-style `ptz.cgi`."""

import threading
import time
from dataclasses import dataclass, field

DEGREES_A_SECOND, ZOOM_A_SECOND = 3.0, 0.5
"""At speed 1; more of it is so many times faster."""
LEAST_TILT, MOST_TILT, MOST_ZOOM = -20.0, 90.0, 30.0
MOST_PRESETS, FASTEST = 255, 8
STEPS = {
    "Up": (0, 1, 0), "Down": (0, -1, 0), "Left": (-1, 0, 0), "Right": (1, 0, 0),
    "LeftUp": (-1, 1, 0), "RightUp": (1, 1, 0), "LeftDown": (-1, -1, 0), "RightDown": (1, -1, 0),
    "ZoomTele": (0, 0, 1), "ZoomWide": (0, 0, -1), "FocusNear": (0, 0, 0), "FocusFar": (0, 0, 0),
}  # fmt: skip
Place = tuple[float, float, float]


@dataclass
class Head:
    """Where the camera looks; a move goes on until it is stopped, as in the real ones."""

    place: Place = (0.0, 0.0, 1.0)
    code: str = ""
    speed: int = 0
    presets: dict[int, Place] = field(default_factory=dict)
    log: list[tuple[str, str]] = field(default_factory=list)
    _since: float = field(default_factory=time.monotonic)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def now(self) -> Place:
        """Pan and tilt in degrees, zoom as a factor."""
        with self._lock:
            return self._settled()

    def answer(self, action: str, query: dict[str, str]) -> str | None:
        """The body for a request to `ptz.cgi`; None for what the camera does not know."""
        if query.get("channel", "1") != "1":
            return None
        with self._lock:
            self._settled()
            if action in ("start", "stop"):
                return self._ordered(action, query)
            told = {"getStatus": self._status, "getPresets": self._listed}.get(action)
            return told() if told else None

    def _settled(self) -> Place:
        now = time.monotonic()
        past, self._since = now - self._since, now
        pan, tilt, zoom = self.place
        x, y, z = STEPS.get(self.code, (0, 0, 0))
        way = past * self.speed
        pan = (pan + x * way * DEGREES_A_SECOND) % 360
        tilt = min(MOST_TILT, max(LEAST_TILT, tilt + y * way * DEGREES_A_SECOND))
        zoom = min(MOST_ZOOM, max(1.0, zoom + z * way * ZOOM_A_SECOND))
        self.place = (pan, tilt, zoom)
        return self.place

    def _ordered(self, action: str, query: dict[str, str]) -> str | None:
        code, number = query.get("code", ""), query.get("arg2", "")
        if not number.isdecimal():
            return None
        done = self._preset(code, int(number)) if "Preset" in code else self._moved(action, code, int(number))
        if done:
            self.log.append((action, code))
        return "OK\r\n" if done else None

    def _moved(self, action: str, code: str, speed: int) -> bool:
        if code not in STEPS or (action == "start" and not 0 < speed <= FASTEST):
            return False
        self.code, self.speed = (code, speed) if action == "start" else ("", 0)
        return True

    def _preset(self, code: str, number: int) -> bool:
        if not 0 < number <= MOST_PRESETS or code not in ("GotoPreset", "SetPreset", "ClearPreset"):
            return False
        if code == "SetPreset":
            self.presets[number] = self.place
        elif code == "ClearPreset":
            self.presets.pop(number, None)
        else:
            self.place, self.code = self.presets.get(number, self.place), ""
        return True

    def _status(self) -> str:
        places = "".join(f"status.Postion[{n}]={value:.6f}\r\n" for n, value in enumerate(self.place))
        moving = "Moving" if self.code else "Idle"
        return f"status.MoveStatus={moving}\r\n{places}status.PresetID=0\r\nstatus.ZoomStatus=Idle\r\n"

    def _listed(self) -> str:
        rows = sorted(self.presets)
        return "".join(
            f"presets[{n}].Index={id}\r\npresets[{n}].Name=Preset{id}\r\n" for n, id in enumerate(rows)
        )
