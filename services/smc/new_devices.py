"""What an administrator enters to add a device, checked, and turned into rows."""

import secrets as random_source
from dataclasses import dataclass

from services.runtime import clock
from services.runtime.errors import Problem
from services.smc import addresses, models, secrets

MOST_CHANNELS = 64
LONGEST_ID = 64
Channels = list[tuple[int, str, str]]
"""Number, name and streams of each channel."""


@dataclass(frozen=True)
class NewRtsp:
    """A device given by one RTSP URL; user and password may stand in the URL or in their fields."""

    name: str
    node: str
    url: str
    username: str = ""
    password: str = ""


@dataclass(frozen=True)
class NewDahua:
    """A device given by host, ports and account; channels 1 to 64."""

    name: str
    node: str
    host: str
    username: str
    password: str
    port: int = 80
    rtsp_port: int = 554
    channels: int = 1


@dataclass(frozen=True)
class NewRegister:
    """A device that dials in by itself under an id of 1 to 64 visible ASCII characters; channels 1 to 64."""

    name: str
    node: str
    register_id: str
    username: str
    password: str
    channels: int = 1


New = NewRtsp | NewDahua | NewRegister


def rows(new: New) -> tuple[models.Device, Channels]:
    """The device with its password encrypted, and its channels; Problem 422 for what cannot be used."""
    if isinstance(new, NewRtsp):
        return _rtsp(new), [(1, new.name.strip(), "main")]
    return _register(new) if isinstance(new, NewRegister) else _dahua(new), _numbered(new)


def _rtsp(new: NewRtsp) -> models.Device:
    source = addresses.rtsp(new.url)
    if source.username and new.username and source.username != new.username:
        raise Problem(
            "device-user", "The user is given twice, and differently.",
            "The URL and the user field name two users.", "Leave the user out of the URL.", status=422,
        )  # fmt: skip
    return _new(
        new.name, "rtsp", new.node, source.url, source.host, source.port, source.port,
        new.username or source.username, new.password or source.password,
        f"{source.url.split('://')[0]}://{source.host}:{source.port}/{source.url.split('/', 3)[3]}",
    )  # fmt: skip


def _dahua(new: NewDahua) -> models.Device:
    host = addresses.host(new.host)
    addresses.port_number(new.port, "port")
    addresses.port_number(new.rtsp_port, "rtsp_port")
    _check_channels(new.channels)
    return _new(
        new.name, "dahua", new.node, None, host, new.port, new.rtsp_port, new.username, new.password,
        f"dahua://{host}:{new.port}",
    )  # fmt: skip


def _register(new: NewRegister) -> models.Device:
    id = new.register_id
    if not 1 <= len(id) <= LONGEST_ID or not (id.isascii() and id.isprintable()) or id != id.strip():
        raise Problem(
            "device-register-id", "This registration id cannot be used.",
            f"It needs 1 to {LONGEST_ID} visible ASCII characters, without spaces around them.",
            "Enter it exactly as it stands in the device.", status=422,
        )  # fmt: skip
    if not new.username or not new.password:
        raise Problem(
            "device-login", "User or password is missing.",
            "An id alone proves nothing: the platform logs in to every device that registers.",
            "Enter an account of the device.", status=422,
        )  # fmt: skip
    _check_channels(new.channels)
    row = _new(
        new.name, "register", new.node, None, "", 0, 0, new.username, new.password, f"register:{id}"
    )  # fmt: skip
    row.register_id = id
    return row


def _check_channels(channels: int) -> None:
    if not 1 <= channels <= MOST_CHANNELS:
        raise Problem(
            "device-channels", "The number of channels cannot be used.",
            f"{channels} is not between 1 and {MOST_CHANNELS}.", "Enter how many there are.", status=422,
        )  # fmt: skip


def _numbered(new: NewDahua | NewRegister) -> Channels:
    name = new.name.strip()
    if new.channels == 1:
        return [(1, name, "main,sub")]
    return [(number, f"{name} {number}", "main,sub") for number in range(1, new.channels + 1)]


def _new(
    name: str, kind: str, node: str, url: str | None, host: str, port: int, rtsp_port: int,
    username: str, password: str, identity: str,
) -> models.Device:  # fmt: skip
    if not 1 <= len(name.strip()) <= 64 or not name.isprintable():
        raise Problem(
            "device-name", "This device name cannot be used.", "It needs 1 to 64 visible characters.",
            "Choose another name.", status=422,
        )  # fmt: skip
    if len(username) > 64 or len(password) > 128 or not (username + password).isprintable():
        raise Problem(
            "device-login", "User or password cannot be used.",
            "At most 64 and 128 visible characters are possible.", "Correct them and try again.", status=422,
        )  # fmt: skip
    id, now = random_source.token_hex(8), clock.now()
    return models.Device(
        id=id, name=name.strip(), kind=kind, node=node, identity=identity[:640], url=url, host=host,
        port=port, rtsp_port=rtsp_port, username=username, secret=secrets.seal(password, id),
        created_at=now, changed_at=now,
    )  # fmt: skip
