"""Whether a value of the inventory has the form that its key asks for."""

import re
from collections.abc import Callable, Iterator
from difflib import get_close_matches
from typing import Any
from zoneinfo import available_timezones

from services import topology_network_types
from services.catalog import Catalog
from services.media.plans import zone_of
from services.topology_key import Key
from services.topology_words import MAC, Complaint, is_address, is_allowed, is_network, suggest
from services.topology_yaml import Secret

INTERFACE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:/@-]{0,31}")
HOST_KEY = re.compile(r"(ssh-ed25519|ssh-rsa|ecdsa-sha2-nistp(256|384|521)) [A-Za-z0-9+/]{40,}={0,2}")
TIME = re.compile(r"([01]\d|2[0-3]):[0-5]\d")
SEAL_KEY = re.compile(r"x25519:[A-Za-z0-9+/]{43}=")
LOW, HIGH, PRIVILEGED = 1024, 65535, (80, 443)


def complaints(key: Key, value: object, catalog: Catalog) -> Iterator[Complaint]:
    """Everything wrong with `value` in itself; relations between hosts are not looked at."""
    if value is None:
        return
    if isinstance(value, Secret):
        yield (
            None,
            "It is encrypted.",
            "Nothing in it is secret; write it plainly, so that it can be checked.",
        )
    elif isinstance(value, str) and "{{" in value:
        yield (
            None,
            "It holds a template.",
            "Write the value itself; the inventory is also read without Ansible.",
        )
    else:
        yield from CHECKS[key.type](key, value, catalog)


def _text(key: Key, value: object, _: Catalog) -> Iterator[Complaint]:
    if not isinstance(value, str) or not value.strip():
        yield None, f"{value!r} is not a text.", f"Write for example {key.name}: {key.example}."
    elif any(ord(c) < 32 for c in value):
        yield None, "It holds a line break or a control character.", "Write it on one line."


def _bool(key: Key, value: object, _: Catalog) -> Iterator[Complaint]:
    if not isinstance(value, bool):
        yield (
            None,
            f"{value!r} is neither true nor false.",
            f"Write {key.name}: true or {key.name}: false, unquoted.",
        )


def _number(key: Key, value: object, _: Catalog) -> Iterator[Complaint]:
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        yield (
            None,
            f"{value!r} is not a whole number above 0.",
            f"Write for example {key.name}: {key.example}.",
        )


def _token_seconds(key: Key, value: object, catalog: Catalog) -> Iterator[Complaint]:
    yield from (wrong := list(_number(key, value, catalog)))
    if not wrong and not 60 <= int(str(value)) <= 30 * 24 * 3600:
        yield (
            None,
            f"{value!r} is less than a minute or more than 30 days.",
            f"Write for example {key.name}: {key.example}.",
        )


def _path(key: Key, value: object, _: Catalog) -> Iterator[Complaint]:
    if not isinstance(value, str) or not re.fullmatch(r"(/[A-Za-z0-9_.-]+)+", value) or "/.." in value:
        yield (
            None,
            f"{value!r} is not an absolute path of letters, digits, '_', '.', '-'.",
            f"Write for example {key.name}: {key.default or '/srv/pictures'}.",
        )


def _ip(key: Key, value: object, _: Catalog) -> Iterator[Complaint]:
    if not is_address(value):
        yield None, f"{value!r} is not an IP address.", f"Write for example {key.name}: {key.example}."


def _host(key: Key, value: object, _: Catalog) -> Iterator[Complaint]:
    if not isinstance(value, str):
        yield None, f"{value!r} is not the name of a host.", f"Write for example {key.name}: {key.example}."


def _choice(key: Key, value: object, _: Catalog) -> Iterator[Complaint]:
    if value not in key.choices:
        yield None, f"{value!r} is unknown.", f"Write one of: {', '.join(key.choices)}."


def _network(key: Key, value: object, _: Catalog) -> Iterator[Complaint]:
    if not is_network(value):
        yield (
            None,
            f"{value!r} is not a network.",
            "Write for example 198.18.0.0/24; the host part must be zero.",
        )


def _allowed(key: Key, value: object, _: Catalog) -> Iterator[Complaint]:
    if not is_allowed(value):
        yield (
            None,
            f"{value!r} is neither an address, a network, a MAC address nor an address with its MAC address.",
            f"Write for example {key.example}.",
        )


def _service(key: Key, value: object, _: Catalog) -> Iterator[Complaint]:
    match = re.fullmatch(r"(\d{1,5})/(tcp|udp)", str(value))
    if not match or not 0 < int(match[1]) <= HIGH:
        yield None, f"{value!r} is not a port with its protocol.", "Write for example 51820/udp."


def _zone(key: Key, value: object, _: Catalog) -> Iterator[Complaint]:
    try:
        zone_of(str(value))
    except ValueError:
        near = get_close_matches(str(value), available_timezones(), 1)
        like = near[0] if near else key.example
        yield None, f"{value!r} is no time zone.", f"Write its IANA name, for example {key.name}: {like}."


Check = Callable[[Key, Any, Catalog], Iterator[Complaint]]


def _form(pattern: re.Pattern[str], what: str, remedy: str) -> Check:
    """The check of a text that `pattern` matches; `remedy` may name {key.name} and {key.example}."""

    def whole(key: Key, value: object, _: Catalog) -> Iterator[Complaint]:
        if not isinstance(value, str) or not pattern.fullmatch(value):
            yield None, f"{value!r} is not {what}.", remedy.format(key=key)

    return whole


def _each(check: Check) -> Check:
    """The check of a list whose items pass `check`."""

    def whole(key: Key, value: Any, catalog: Catalog) -> Iterator[Complaint]:  # noqa: ANN401
        if not isinstance(value, list):
            yield None, f"{value!r} is not a list.", f"Write for example {key.name}: {key.example}."
            return
        for index, item in enumerate(value):
            yield from ((index, wrong, remedy) for _, wrong, remedy in check(key, item, catalog))

    return whole


def _ports(key: Key, value: object, catalog: Catalog) -> Iterator[Complaint]:
    if not isinstance(value, dict):
        yield None, f"{value!r} is not a list of `service.port: number`.", f"Write for example {key.example}."
        return
    for name, number in value.items():
        if not catalog.port(str(name)):
            yield (
                name,
                "There is no such port.",
                suggest(str(name), catalog.port_keys) + " ./dss services lists them.",
            )
        elif not isinstance(number, int) or isinstance(number, bool) or not allowed(number):
            yield (
                name,
                f"{number!r} is not a port number that may be used.",
                f"Take one from {LOW} to {HIGH}.",
            )


def allowed(number: int) -> bool:
    """Whether an integrator may give this port number to a service."""
    return LOW <= number <= HIGH or number in PRIVILEGED


CHECKS: dict[str, Check] = {
    "text": _text,
    "bool": _bool,
    "number": _number,
    "time": _form(
        TIME, "a time of day", 'Write for example {key.name}: "{key.example}", with the quotation marks.'
    ),
    "time zone": _zone,
    "seal key": _form(
        SEAL_KEY,
        "the public half of a backup key",
        "Copy the whole word that `./dss backup key` prints, beginning with x25519:.",
    ),
    "token seconds": _token_seconds,
    "path": _path,
    "path list": _each(_path),
    "ip": _ip,
    "ip list": _each(_ip),
    "interface": _form(
        INTERFACE, "the name of an interface or zone", "Write for example {key.name}: {key.example}."
    ),
    "service list": _each(_service),
    "host key": _form(
        HOST_KEY, "an SSH host key", "Write type and key on one line, for example {key.example}."
    ),
    "mac": _form(MAC, "a MAC address", 'Write for example {key.name}: "{key.example}".'),
    "network list": _each(_network),
    "choice": _choice,
    "choice list": _each(_choice),
    "host": _host,
    "host list": _each(_host),
    "allow list": _each(_allowed),
    "port map": _ports,
    "wan map": _ports,
    "networks": lambda _key, value, _: topology_network_types.networks(value),
    "address map": lambda _key, value, _: topology_network_types.addresses(value),
}
