"""Devices and live view."""

from dataclasses import dataclass
from typing import Annotated, Literal

from services.smc import devices, live, registrations
from services.smc.api.route import Call, operation
from services.smc.api.schema import Number, Text
from services.smc.devices import Device
from services.smc.live import LiveAnswer, SnapshotAnswer
from services.smc.registrations import Asking

Name = Annotated[str, Text(1, 64)]
User = Annotated[str, Text(0, 64)]
Password = Annotated[str, Text(0, 128, secret=True)]
Port = Annotated[int, Number(1, 65535)]


@dataclass(frozen=True)
class RtspDevice:
    """A camera given by its RTSP URL."""

    kind: Literal["rtsp"]
    name: Name
    node: Annotated[str, Text(1, 63)]
    url: Annotated[str, Text(8, 512)]
    username: User = ""
    password: Password = ""


@dataclass(frozen=True)
class DahuaDevice:
    """A camera or recorder that speaks the Dahua HTTP API."""

    kind: Literal["dahua"]
    name: Name
    node: Annotated[str, Text(1, 63)]
    host: Annotated[str, Text(1, 253)]
    username: User
    password: Password
    port: Port = 80
    rtsp_port: Port = 554
    channels: Annotated[int, Number(1, devices.MOST_CHANNELS)] = 1


@dataclass(frozen=True)
class RegisterDevice:
    """A device that dials in by itself (auto register); `register_id` is its DeviceID."""

    kind: Literal["register"]
    name: Name
    node: Annotated[str, Text(1, 63)]
    register_id: Annotated[str, Text(1, 64)]
    username: Annotated[str, Text(1, 64)]
    password: Annotated[str, Text(1, 128, secret=True)]
    channels: Annotated[int, Number(1, devices.MOST_CHANNELS)] = 1


@dataclass(frozen=True)
class Move:
    """The node that shall serve the device."""

    node: Annotated[str, Text(1, 63)]


@dataclass(frozen=True)
class LiveRequest:
    """Which stream; a channel without a sub stream gives its main stream, `converted` is small H.264."""

    stream: Literal["main", "sub", "converted"] = "main"


@operation("GET", "/devices", answer=list[Device], permission="devices.view")
def list_devices(call: Call) -> list[Device]:
    """All devices with their state."""
    return devices.listing(call.session)


@operation("POST", "/devices", body=RtspDevice | DahuaDevice | RegisterDevice, answer=Device, status=201,
           permission="devices.manage", problems=(404,))  # fmt: skip
def add_device(call: Call) -> Device:
    """Add a device; its state follows when its node has checked it."""
    return devices.add(call.session, _new(call.body), call.account)


@operation("GET", "/registrations", answer=list[Asking], permission="devices.manage")
def list_registrations(call: Call) -> list[Asking]:
    """Devices that ask to register under an id that nobody added; nothing of it is proved."""
    return registrations.asking(call.session)


@operation("GET", "/devices/<id>", answer=Device, permission="devices.view")
def get_device(call: Call, id: str) -> Device:
    """One device with its state."""
    return devices.get(call.session, id)


@operation("DELETE", "/devices/<id>", status=204, permission="devices.manage")
def remove_device(call: Call, id: str) -> None:
    """Remove a device and its channels."""
    devices.remove(call.session, id, call.account)


@operation("POST", "/devices/<id>/test", answer=Device, permission="devices.manage")
def test_device(call: Call, id: str) -> Device:
    """Have the device checked again."""
    return devices.test(call.session, id, call.account)


@operation("POST", "/devices/<id>/move", body=Move, answer=Device, permission="devices.manage")
def move_device(call: Call, id: str) -> Device:
    """Give the device to another node."""
    return devices.move(call.session, id, call.body.node, call.account)


@operation("POST", "/channels/<id>/live", body=LiveRequest, answer=LiveAnswer, permission="live.view")
def open_live(call: Call, id: str) -> LiveAnswer:
    """Get a one-time token to see a channel, and where to go with it."""
    return live.open(call.session, id, call.account, "api", call.body.stream)


@operation("POST", "/channels/<id>/snapshot", body=LiveRequest, answer=SnapshotAnswer, permission="live.view")
def open_snapshot(call: Call, id: str) -> SnapshotAnswer:
    """Get a one-time token for one picture of a channel as JPEG, and where to get it."""
    return live.snapshot(call.session, id, call.account, "api", call.body.stream)


def _new(body: RtspDevice | DahuaDevice | RegisterDevice) -> devices.New:
    if isinstance(body, RtspDevice):
        return devices.NewRtsp(body.name, body.node, body.url, body.username, body.password)
    if isinstance(body, RegisterDevice):
        return devices.NewRegister(
            body.name, body.node, body.register_id, body.username, body.password, body.channels
        )
    return devices.NewDahua(
        body.name,
        body.node,
        body.host,
        body.username,
        body.password,
        body.port,
        body.rtsp_port,
        body.channels,
    )
