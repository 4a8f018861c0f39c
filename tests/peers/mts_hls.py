"""A player of HLS that checks what it reads against the MUSTs of draft-ietf-hls-rfc8216bis."""

import re
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from urllib.parse import urljoin, urlsplit

from mts_rack import Rack

ATTRIBUTE = re.compile(r'([A-Z-]+)=("[^"]*"|[^,]*)')


def get(url: str) -> tuple[int, bytes, dict[str, str]]:
    """Status, body and headers."""
    try:
        with urllib.request.urlopen(url, timeout=20) as answer:
            return answer.status, answer.read(), dict(answer.headers)
    except urllib.error.HTTPError as refusal:
        with refusal:
            return refusal.code, refusal.read(), dict(refusal.headers)


def opened(rack: Rack, channel: str = "one", more: str = "") -> str:
    """The URL of the media playlist of a new session, from a checked multivariant playlist."""
    url = rack.http(f"/hls/{channel}/main/index.m3u8{more}", channel)
    status, body, headers = get(url)
    assert status == 200, body
    assert headers["Content-Type"].startswith("application/vnd.apple.mpegurl")
    assert headers["Cache-Control"] == "no-store"
    lines = body.decode().splitlines()
    assert lines[0] == "#EXTM3U"
    variant = dict(ATTRIBUTE.findall(next(one for one in lines if one.startswith("#EXT-X-STREAM-INF:"))))
    assert int(variant["BANDWIDTH"]) > 0
    assert variant["CODECS"].strip('"').startswith(("avc1.", "hvc1."))
    assert relative(lines[-1])
    return urljoin(url, lines[-1])


def relative(uri: str) -> bool:
    parts = urlsplit(uri)
    return not parts.scheme and not parts.netloc and not parts.path.startswith("/")


@dataclass
class Row:
    """One segment as listed."""

    number: int
    map: str
    broken: bool = False
    date: str = ""
    seconds: float | None = None
    uri: str = ""
    parts: list[dict[str, str]] = field(default_factory=list)


@dataclass
class Playlist:
    """A media playlist that keeps the rules one playlist can break by itself."""

    tags: dict[str, str]
    rows: list[Row]
    hint: str

    @property
    def part_target(self) -> float:
        return float(dict(ATTRIBUTE.findall(self.tags["EXT-X-PART-INF"]))["PART-TARGET"])

    @property
    def whole(self) -> list[Row]:
        return [row for row in self.rows if row.seconds is not None]

    def next(self) -> str:
        """The query of a blocking reload."""
        last = self.rows[-1]
        done = last.seconds is not None
        number, part = (last.number + 1, 0) if done else (last.number, len(last.parts))
        return f"?_HLS_msn={number}&_HLS_part={part}"


def read(text: str) -> Playlist:
    lines = text.splitlines()
    assert lines[0] == "#EXTM3U"
    tags: dict[str, str] = {}
    rows: list[Row] = []
    row, shown, hint = None, "", ""
    for line in lines[1:]:
        name, _, value = line.lstrip("#").partition(":")
        if row is None and line.startswith("#") and name in ONCE:
            assert name not in tags
            tags[name] = value
            continue
        number = int(tags["EXT-X-MEDIA-SEQUENCE"]) + len(rows)
        row = row or Row(number, shown)
        if name == "EXT-X-DISCONTINUITY":
            assert not row.parts
            row.broken = True
        elif name == "EXT-X-MAP":
            shown = row.map = dict(ATTRIBUTE.findall(value))["URI"].strip('"')
        elif name == "EXT-X-PROGRAM-DATE-TIME":
            row.date = value
        elif name == "EXT-X-PART":
            assert not hint
            row.parts.append({key: one.strip('"') for key, one in ATTRIBUTE.findall(value)})
        elif name == "EXTINF":
            row.seconds = float(value.split(",")[0])
        elif name == "EXT-X-PRELOAD-HINT":
            hint = dict(ATTRIBUTE.findall(value))["URI"].strip('"')
        else:
            assert not line.startswith("#"), line
            assert row.seconds is not None
            row.uri = line
            rows.append(row)
            row = None
    if row is not None and row.parts:
        rows.append(row)
    found = Playlist(tags, rows, hint)
    _check(found)
    return found


ONCE = {"EXT-X-VERSION", "EXT-X-TARGETDURATION", "EXT-X-SERVER-CONTROL", "EXT-X-PART-INF",
        "EXT-X-MEDIA-SEQUENCE", "EXT-X-DISCONTINUITY-SEQUENCE"}  # fmt: skip


def _check(found: Playlist) -> None:
    assert set(found.tags) == ONCE
    # EXT-X-MAP without I-FRAMES-ONLY wants 6.
    assert int(found.tags["EXT-X-VERSION"]) >= 6
    control = dict(ATTRIBUTE.findall(found.tags["EXT-X-SERVER-CONTROL"]))
    assert control["CAN-BLOCK-RELOAD"] == "YES"
    assert float(control["PART-HOLD-BACK"]) >= 2 * found.part_target
    assert all(row.map and row.date for row in found.rows)
    assert all(relative(row.uri) for row in found.whole)
    assert all(row.seconds is not None for row in found.rows[:-1])
    for row in found.whole:
        assert round(row.seconds or 0) <= int(found.tags["EXT-X-TARGETDURATION"])
        assert abs(sum(float(part["DURATION"]) for part in row.parts) - (row.seconds or 0)) < 0.01
    for row in found.rows:
        for part in row.parts:
            assert float(part["DURATION"]) <= found.part_target + 0.0005
        # All but the last part of a segment fill most of the target.
        for part in row.parts[:-1]:
            assert float(part["DURATION"]) >= 0.85 * found.part_target
    assert found.hint


def follows(before: Playlist, after: Playlist) -> None:
    """What one playlist said may not be changed by the next one."""
    assert after.tags["EXT-X-TARGETDURATION"] == before.tags["EXT-X-TARGETDURATION"]
    old, new = ({row.number: row for row in one.rows} for one in (before, after))
    assert min(new) >= min(old)
    assert max(new) >= max(old)
    for number in old.keys() & new.keys():
        was, now = old[number], new[number]
        assert (was.map, was.broken, was.date) == (now.map, now.broken, now.date)
        assert now.parts[: len(was.parts)] == was.parts
        assert was.seconds in (None, now.seconds)
    gone = sum(row.broken for number, row in old.items() if number < min(new))
    key = "EXT-X-DISCONTINUITY-SEQUENCE"
    assert int(after.tags[key]) == int(before.tags[key]) + gone
    if min(new) > min(old):
        target = int(after.tags["EXT-X-TARGETDURATION"])
        assert sum(row.seconds or 0 for row in after.whole) >= 3 * target
