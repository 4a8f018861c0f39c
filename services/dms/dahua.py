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


async def info(host: str, port: int, username: str, password: str) -> dict[str, str]:
    """type, serial, hardware and software, as far as the device tells.

    Raises RefusedError or SilentError. The password is sent once per question and not after a refusal.
    """
    digest = aiohttp.DigestAuthMiddleware(username, password)
    # A device gets five seconds in all and 64 KB for an answer, however slowly or endlessly it talks.
    timeout = aiohttp.ClientTimeout(total=SECONDS)
    found: dict[str, str] = {}
    async with aiohttp.ClientSession(timeout=timeout, middlewares=(digest,)) as session:
        for action in ("getSystemInfo", "getSoftwareVersion"):
            found |= parse(await _ask(session, f"http://{join_host_port(host, port)}", action))
    return found


async def _ask(session: aiohttp.ClientSession, base: str, action: str) -> str:
    url = f"{base}/cgi-bin/magicBox.cgi?action={action}"
    try:
        async with session.get(url, allow_redirects=False) as answer:
            body = await _body(answer.content)
    except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
        raise SilentError(f"Its HTTP interface gives no usable answer ({_short(error)})") from error
    if answer.status in {401, 403}:
        raise RefusedError("Its HTTP interface refuses the user or the password")
    # Some firmware reports an error with status 200.
    if answer.status != 200 or body.startswith("Error"):
        raise SilentError(f"Its HTTP interface does not know {action} (HTTP {answer.status})")
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
