"""RTP and RTCP between RTSP messages on one connection (RFC 2326 §10.12)."""

from collections.abc import Iterator


def packets(data: bytes | bytearray | memoryview) -> Iterator[tuple[int, memoryview]]:
    """Channel and packet of every interleaved unit of some whole ones."""
    view, position = memoryview(data), 0
    while position + 4 <= len(data):
        end = position + 4 + (data[position + 2] << 8 | data[position + 3])
        yield data[position + 1], view[position + 4 : end]
        position = end
