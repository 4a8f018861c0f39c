"""One question to a neighbour on this host. What is asked each two seconds for years has to cost little."""

import asyncio


class AnswerError(ValueError):
    """The neighbour gave no answer that can be used."""


async def get(port: int, path: str, headers: dict[str, str], seconds: float, most: int) -> bytes:
    """The body of a GET on loopback; as `whole`."""
    return (await whole(port, path, headers, seconds, most))[1]


async def whole(
    port: int, path: str, headers: dict[str, str], seconds: float, most: int
) -> tuple[str, bytes]:
    """Head, in lower case, and body of the answer to a GET on loopback, of at most `most` bytes.

    Raises TimeoutError, OSError when nobody answers, AnswerError for any status but 200 or half an answer.
    """
    lines = [f"GET {path} HTTP/1.0", f"Host: 127.0.0.1:{port}", *(f"{k}: {v}" for k, v in headers.items())]
    async with asyncio.timeout(seconds):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            writer.write("\r\n".join([*lines, "", ""]).encode())
            return await _answer(reader, path, most)
        finally:
            # All is read, or nothing more is wanted.
            writer.transport.abort()


async def _answer(reader: asyncio.StreamReader, path: str, most: int) -> tuple[str, bytes]:
    """By HTTP/1.0 the answer ends with the connection (RFC 9112 §6.3), or with the length that it tells."""
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
    except (asyncio.IncompleteReadError, asyncio.LimitOverrunError) as error:
        raise AnswerError(f"{path} is not answered by HTTP") from error
    status, told = head[9:12], header(head, "content-length")
    length = int(told) if told else None
    if not head.startswith("http/1.") or status != "200":
        raise AnswerError(f"{path} is answered with the status {status}")
    body = bytearray()
    while (length is None or len(body) < length) and (part := await reader.read(65536)):
        body += part
        if len(body) > most:
            raise AnswerError(f"{path} is longer than {most} bytes")
    if length is not None and len(body) != length:
        raise AnswerError(f"{path} is cut off")
    return head, bytes(body)


def header(head: str, wanted: str) -> str:
    """The value of a header in a head; empty without it."""
    for line in head.split("\r\n"):
        name, _, value = line.partition(":")
        if name == wanted:
            return value.strip()
    return ""
