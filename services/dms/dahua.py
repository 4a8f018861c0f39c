"""What a device of the Dahua family tells about itself over its HTTP interface (`magicBox.cgi`)."""

import aiohttp

from services.runtime.http import join_host_port

SECONDS, LARGEST_ANSWER = 5.0, 64 * 1024
WANTED = {
    "deviceType": "type",
    "serialNumber": "serial",
    "hardwareVersion": "hardware",
    "version": "software",
}
LONGEST_VALUE = 128


class RefusedError(Exception):
    """The device does not accept this user and password."""


class SilentError(Exception):
    """The device gave no usable answer; the text says why."""


class UnknownError(SilentError):
    """The device answered that it does not know or cannot do what was asked."""


async def info(host: str, port: int, username: str, password: str) -> dict[str, str]:
    """type, serial, hardware and software, as far as the device tells.

    Raises RefusedError or SilentError. The password is sent once per question and not after a refusal.
    """
    found: dict[str, str] = {}
    async with _session(username, password, SECONDS) as session:
        for action in ("getSystemInfo", "getSoftwareVersion"):
            url = f"http://{join_host_port(host, port)}/cgi-bin/magicBox.cgi?action={action}"
            found |= parse(await _ask(session, url, action))
    return found


async def order(interface: tuple[str, int, str, str], path: str, seconds: float) -> str:
    """The answer to one request at (host, port, user, password); raises RefusedError or SilentError."""
    host, port, username, password = interface
    name = path.partition("?")[0].rpartition("/")[2]
    async with _session(username, password, seconds) as session:
        return await _ask(session, f"http://{join_host_port(host, port)}{path}", name)


def _session(username: str, password: str, seconds: float) -> aiohttp.ClientSession:
    """A device gets so long in all and 64 KB for an answer, however slowly or endlessly it talks."""
    digest = aiohttp.DigestAuthMiddleware(username, password)
    return aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=seconds), middlewares=(digest,))


async def _ask(session: aiohttp.ClientSession, url: str, action: str) -> str:
    try:
        async with session.get(url, allow_redirects=False) as answer:
            body = await _body(answer.content)
    except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
        raise SilentError(f"Its HTTP interface gives no usable answer ({_short(error)})") from error
    if answer.status in {401, 403}:
        raise RefusedError("Its HTTP interface refuses the user or the password")
    if answer.status in {502, 503, 504}:
        raise SilentError(f"The way to its HTTP interface is broken (HTTP {answer.status})")
    # Some firmware reports an error with status 200.
    if answer.status != 200 or body.startswith("Error"):
        raise UnknownError(f"Its HTTP interface does not know {action} (HTTP {answer.status})")
    return body


async def _body(content: aiohttp.StreamReader) -> str:
    data = bytearray()
    async for chunk in content.iter_chunked(4096):
        data += chunk
        if len(data) > LARGEST_ANSWER:
            raise ValueError(f"more than {LARGEST_ANSWER} bytes")
    return data.decode("utf-8", errors="replace")


def parse(text: str) -> dict[str, str]:
    """The known values of `key=value` lines, under our names."""
    found = {}
    for line in text.splitlines():
        key, equals, value = line.partition("=")
        if equals and key.strip() in WANTED and value.isprintable():
            found[WANTED[key.strip()]] = value.strip()[:LONGEST_VALUE]
    return found


def _short(error: Exception) -> str:
    return (str(error) or type(error).__name__).splitlines()[0][:120]
