"""RTP payloads to NAL units."""

import pytest

from services.mts import depay
from services.mts.chunk import payloads


def nals(kind: str, *parts: bytes) -> list[bytes]:
    take = depay.h264_nals if kind == "h264" else depay.h265_nals
    spans, position = [], 0
    for part in parts:
        spans.append((position, position + len(part)))
        position += len(part)
    units = take(b"".join(parts), [span for span in spans if span[0] < span[1]])
    return [b"".join(unit) for unit in units]


def test_h264_single_aggregated_and_fragmented_units() -> None:
    stap = b"\x18\x00\x03\x67ab\x00\x04\x68cde"
    fragments = [b"\x7c\x85one", b"\x7c\x05two", b"\x7c\x45end"]
    units = nals("h264", b"\x06sei", stap, *fragments)
    assert units == [b"\x06sei", b"\x67ab", b"\x68cde", b"\x65onetwoend"]


def test_h265_single_aggregated_and_fragmented_units() -> None:
    aggregate = b"\x60\x01\x00\x03\x40\x01v\x00\x04\x42\x01sp"
    fragments = [b"\x62\x01\x93one", b"\x62\x01\x53end"]
    assert nals("h265", b"\x4e\x01sei", aggregate, *fragments) == [
        b"\x4e\x01sei", b"\x40\x01v", b"\x42\x01sp", b"\x26\x01oneend",
    ]  # fmt: skip


@pytest.mark.parametrize("kind", ["h264", "h265"])
@pytest.mark.parametrize(
    "parts",
    [[b""], [b"\x7c"], [b"\x7c\x05middle without start"], [b"\x18\xff\xffshort"], [b"\x18\x00\x00"],
     [b"\x62\x01\x13no start"], [b"\x60\x01\xff"], [b"\x7c\x85start without end"], [b"\x00\x00\x00\x00"]],
)  # fmt: skip
def test_broken_packets_make_no_unit_and_no_error(kind: str, parts: list[bytes]) -> None:
    assert b"" not in nals(kind, *parts)
    for part in parts:
        if part:
            (depay.h264_kind if kind == "h264" else depay.h265_kind)(part)


@pytest.mark.parametrize(
    ("packet", "kind"),
    [(b"\x65x", 2), (b"\x41x", 1), (b"\x67x", 0), (b"\x06x", 0), (b"\x7c\x85", 2), (b"\x7c\x81", 1),
     (b"\x7c\x05", 0),
     (b"\x18\x00\x02\x67a\x00\x02\x65b", 2), (b"\x18\x00\x02\x67a\x00\x02\x68b", 0)],
)  # fmt: skip
def test_h264_pictures_are_known_by_where_they_begin(packet: bytes, kind: int) -> None:
    assert depay.h264_kind(packet) == kind


@pytest.mark.parametrize(
    ("packet", "kind"),
    [
        (b"\x26\x01x", 2),
        (b"\x02\x01x", 1),
        (b"\x40\x01x", 0),
        (b"\x62\x01\x93", 2),
        (b"\x62\x01\x81", 1),
        (b"\x62\x01\x13", 0),
    ],
)
def test_h265_pictures_are_known_by_where_they_begin(packet: bytes, kind: int) -> None:
    assert depay.h265_kind(packet) == kind


@pytest.mark.parametrize(
    ("packet", "body"),
    [(b"\x80\x60" + bytes(10) + b"body", b"body"),
     (b"\x82\x60" + bytes(10) + b"csrcCSRCbody", b"body"),
     (b"\x90\x60" + bytes(10) + b"\xbe\xde\x00\x01extnbody", b"body"),
     (b"\xa0\x60" + bytes(10) + b"body\x00\x00\x03", b"body"),
     (b"\x80", b""), (b"\x90\x60" + bytes(10), b""), (b"\xa0\x60" + bytes(10) + b"\xff", b"")],
)  # fmt: skip
def test_payload_excludes_csrc_extension_and_padding(packet: bytes, body: bytes) -> None:
    data = b"$\x00" + len(packet).to_bytes(2, "big") + packet
    other = b"$\x01\x00\x0eother channel."
    found = payloads(other + data + other + data, 0)
    assert [(other + data + other + data)[start:end] for start, end in found] == (
        [body, body] if body else []
    )
