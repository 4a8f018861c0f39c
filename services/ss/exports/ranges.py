"""Which bytes of a result are sent, and what is said of them (RFC 9110 §14), where no plain file is."""

from aiohttp import web


def give(
    answer: web.StreamResponse, request: web.BaseRequest, size: int, tag: str, changed: float | None = None
) -> tuple[int, int]:
    """The bytes that `Range` asks for, none with status 416; all where `If-Range` names another result.

    `changed`: seconds since 1970, of which `If-Range` may speak too.
    """
    answer.etag, answer.last_modified = tag, changed
    answer.headers["Accept-Ranges"] = "bytes"
    first, last = 0, size
    if "Range" in request.headers and _same(request, tag, changed):
        first, last = _span(request, size)
        answer.set_status(206 if last else 416)
        told = f"{first}-{last - 1}" if last else "*"
        answer.headers["Content-Range"] = f"bytes {told}/{size}"
    answer.content_length = last - first
    return first, last


def _same(request: web.BaseRequest, tag: str, changed: float | None) -> bool:
    """Whether it is still the result of which the other bytes are there (RFC 9110 §13.1.5)."""
    since = request.if_range
    known = request.headers.get("If-Range", f'"{tag}"') == f'"{tag}"'
    return known or (since is not None and changed is not None and int(changed) <= since.timestamp())


def _span(request: web.BaseRequest, size: int) -> tuple[int, int]:
    try:
        first, last, _ = request.http_range.indices(size)
    except ValueError:
        return 0, 0
    return (first, last) if first < last else (0, 0)
