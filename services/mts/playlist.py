"""Playlists of a packaged stream (draft-ietf-hls-rfc8216bis §4.4). All URIs are relative."""

import re
from datetime import UTC, datetime
from itertools import pairwise

from services.mts.segments import LISTED_SECONDS, TARGET_SECONDS, Packager, Segment

_CODECS = re.compile(r'codecs="([^"]*)"')


def multivariant(packager: Packager, session: str) -> str:
    """The first playlist, which names the codecs; at least one segment has to be complete."""
    whole = [one for one in packager.segments if one.complete]
    peak = max(8 * sum(part.size for part in one.parts) / max(one.seconds, 0.1) for one in whole)
    found = _CODECS.search(packager.maps[whole[-1].map].mime)
    codecs = f',CODECS="{found[1]}"' if found else ""
    lines = ["#EXTM3U", "#EXT-X-VERSION:6", f"#EXT-X-STREAM-INF:BANDWIDTH={int(1.2 * peak) + 1}{codecs}"]
    return "\n".join([*lines, f"{session}/media.m3u8", ""])


def media(packager: Packager) -> str:
    """What can be played now, and the part that comes next."""
    listed, left_out = _listed(packager)
    target = packager.part_target
    lines = [
        "#EXTM3U",
        "#EXT-X-VERSION:6",
        f"#EXT-X-TARGETDURATION:{max(TARGET_SECONDS, round(target))}",
        f"#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,PART-HOLD-BACK={3 * target:.3f}",
        f"#EXT-X-PART-INF:PART-TARGET={target:.3f}",
        f"#EXT-X-MEDIA-SEQUENCE:{listed[0].number}",
        f"#EXT-X-DISCONTINUITY-SEQUENCE:{packager.discontinuities + left_out}",
    ]
    for before, segment in pairwise([None, *listed]):
        lines += _segment(segment, before) if segment else []
    last = listed[-1]
    number, part = (last.number + 1, 0) if last.complete else (last.number, len(last.parts))
    lines.append(f'#EXT-X-PRELOAD-HINT:TYPE=PART,URI="{number}.{part}.m4s"')
    return "\n".join([*lines, ""])


def _listed(packager: Packager) -> tuple[list[Segment], int]:
    """The newest segments, long enough together; and how many discontinuities lie in those before them."""
    rows, seconds = list(packager.segments), 0.0
    first = len(rows)
    while first and seconds < LISTED_SECONDS:
        first -= 1
        seconds += rows[first].seconds if rows[first].complete else 0.0
    return rows[first:], sum(one.broken for one in rows[:first])


def _segment(segment: Segment, before: Segment | None) -> list[str]:
    at = datetime.fromtimestamp(segment.at / 1e6, UTC).isoformat(timespec="milliseconds")
    lines = ["#EXT-X-DISCONTINUITY"] if segment.broken else []
    if before is None or before.map != segment.map:
        lines.append(f'#EXT-X-MAP:URI="init-{segment.map}.mp4"')
    lines.append(f"#EXT-X-PROGRAM-DATE-TIME:{at.replace('+00:00', 'Z')}")
    for number, part in enumerate(segment.parts):
        own = ",INDEPENDENT=YES" if part.independent else ""
        lines.append(f'#EXT-X-PART:DURATION={part.seconds:.5f},URI="{segment.number}.{number}.m4s"{own}')
    if segment.complete:
        lines += [f"#EXTINF:{segment.seconds:.5f},", f"{segment.number}.m4s"]
    return lines
