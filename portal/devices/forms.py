"""What the form for a new device holds, and where the platform's refusals belong in it."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from services.runtime.errors import Problem
from services.smc.devices import New, NewDahua, NewRegister, NewRtsp

# Which field a refusal of the platform is about.
PLACES = {
    "device-name": "name",
    "device-url": "url",
    "device-host": "host",
    "device-register-id": "register_id",
    "device-port": "port",
    "device-login": "username",
    "device-user": "username",
    "device-channels": "channels",
    "device-exists": "form",
    "node-not-enabled": "node",
    "node-unknown": "node",
}
KINDS = ("dahua", "rtsp", "register")
DEFAULTS = {"kind": "dahua", "port": "80", "rtsp_port": "554", "channels": "1", "register_channels": "1"}


@dataclass
class DeviceForm:
    """A device as typed; `wrong` maps a field to what is wrong with it. The password is never sent back."""

    values: dict[str, str]
    wrong: dict[str, str] = field(default_factory=dict)

    @classmethod
    def read(cls, form: Mapping[str, str]) -> "DeviceForm":
        """From the submitted form; fields that are missing are empty."""
        return cls({key: value if key == "password" else value.strip() for key, value in form.items()})

    @classmethod
    def blank(cls, node: str, register_id: str = "") -> "DeviceForm":
        """An empty form with the usual ports, for the server `node`, or for a device that registers there."""
        kind = {"kind": "register", "register_id": register_id} if register_id else {}
        return cls(DEFAULTS | {"node": node} | kind)

    @property
    def kind(self) -> str:
        """The chosen kind; the first one for what nobody knows."""
        return self.get("kind") if self.get("kind") in KINDS else KINDS[0]

    def get(self, name: str) -> str:
        """The value of a field, "" if it is not there."""
        return self.values.get(name, "")

    def new(self) -> New | None:
        """What to add; None if a number is no number, which then stands in `wrong`."""
        name, node, user, password = (self.get(key) for key in ("name", "node", "username", "password"))
        if self.get("kind") == "rtsp":
            return NewRtsp(name, node, self.get("url"), user, password)
        if self.kind == "register":
            channels = self._number("register_channels")
            return (
                None
                if self.wrong
                else NewRegister(name, node, self.get("register_id"), user, password, channels)
            )
        port, rtsp_port, channels = (self._number(key) for key in ("port", "rtsp_port", "channels"))
        if self.wrong:
            return None
        return NewDahua(name, node, self.get("host"), user, password, port, rtsp_port, channels)

    def take(self, problem: Problem) -> None:
        """Put the platform's refusal beside the field it is about."""
        place = PLACES.get(problem.code, "form")
        if place == "port" and "rtsp" in problem.what:
            place = "rtsp_port"
        if place == "channels" and self.kind == "register":
            place = "register_channels"
        self.wrong[place] = f"{problem.what} {problem.why} {problem.remedy}"

    def _number(self, name: str) -> int:
        text = self.get(name)
        if text.isascii() and text.isdigit() and len(text) <= 9:
            return int(text)
        self.wrong[name] = (
            f"{text!r} is not a whole number. Type digits only." if text else "A number is needed."
        )
        return 0
