"""Main's DSS_MTS and DSS_SS beside the portal, and what Chromium shows of recordings."""

from __future__ import annotations

import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "peers"))

import ss_archive
import ss_card
import ss_rack

from services.smc import devices
from tests.portal import racks

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest
    from playwright.sync_api import Page

    from tests.portal.site import Site

SHOTS = Path(__file__).resolve().parents[2] / ".cache" / "screenshots"
BEGIN = int(datetime(2026, 10, 25, 0, 59, 40, tzinfo=UTC).timestamp()) * 1000
"""When archives begin, milliseconds since 1970; in Berlin the clocks go back 20 seconds later."""
MARKS = """() => [...document.querySelectorAll('#desk .cell')].map((cell) => {
  const video = cell.querySelector('video');
  if (cell.hasAttribute('data-vacant') || video.readyState < 2) return null;
  const [width, rows] = [video.videoWidth, Math.floor(video.videoHeight / 45) * 3];
  const canvas = new OffscreenCanvas(width, rows);
  const pen = canvas.getContext('2d', { willReadFrequently: true });
  pen.drawImage(video, 0, 0, width, rows, 0, 0, width, rows);
  const { data } = pen.getImageData(0, 0, width, rows);
  let bits = '';
  for (let row = 0; row < 3; row += 1) for (let column = 4; column < 40; column += 1) {
    const x = Math.floor((column + 0.5) * width / 40);
    const y = Math.floor((row + 0.5) * rows / 3);
    bits += data[(y * width + x) * 4] > 126 ? '1' : '0';
  }
  return parseInt(bits.slice(32, 76), 2);
})"""
"""The burnt-in clock of each picture as it stands now, milliseconds since 1970; null where there is none."""


def store(
    site: Site, folder: Path, monkeypatch: pytest.MonkeyPatch, settings: dict[str, Any]
) -> ss_rack.Store:
    """Main's DSS_MTS and DSS_SS on the ports and with the key that the portal knows; not started."""
    made = ss_rack.Store(folder / "ss", settings)
    racks.fit(made, site, monkeypatch)
    made.ss_ports = racks.ports(site, "ss")
    made.ss_port = made.ss_ports["http"]
    made.node_token = (site.platform.files.credentials / "node-token").read_text().strip()
    return made


def cameras(site: Site, count: int) -> list[str]:
    """The channels of so many more cameras of main."""
    made = []
    with site.platform.session() as session:
        for n in range(count):
            new = devices.NewRtsp(f"Camera {n + 1}", "main-a", f"rtsp://198.18.1.{n + 1}/live", "a", "b")
            made.append(devices.add(session, new, site.account).channels[0].id)
    return made


def states(page: Page) -> list[str]:
    """What each picture tells of itself."""
    found: list[str] = page.evaluate(
        "[...document.querySelectorAll('#desk video')].map((video) => video.dataset.state ?? '')"
    )
    return found


def until(page: Page, good: Callable[[], object], what: str, seconds: float = 20) -> None:
    """Return once it is good."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if good():
            return
        page.wait_for_timeout(50)
    told = page.evaluate("[...document.querySelectorAll('#desk video')].map((video) => ({...video.dataset}))")
    raise AssertionError(f"{what}: {told} {page.locator('#page').inner_text()}")


def address(url: str, channels: list[str], after: float, size: int = 4) -> str:
    """The page at a moment, seconds after the beginning."""
    at = datetime.fromtimestamp(BEGIN / 1000 + after, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    return f"{url}/playback?size={size}&at={at}" + "".join(f"&c={one}" for one in channels)


def standing(page: Page) -> list[float | None]:
    """Which picture each place shows, seconds after the beginning."""
    found: list[int | None] = page.evaluate(MARKS)
    return [one and (one - BEGIN) / 1000 for one in found]


def spreads(marks: list[list[float | None]]) -> list[float]:
    """How far the pictures of each look were apart, milliseconds, from the least on."""
    shown = [[one for one in row if one is not None] for row in marks]
    return sorted((max(row) - min(row)) * 1000 for row in shown if len(row) > 1)


def told(found: list[float]) -> str:
    """Median, 95th percentile and maximum in words."""
    places = (len(found) // 2, len(found) * 95 // 100, len(found) - 1)
    return "median {:.0f}, p95 {:.0f}, most {:.0f} ms of {} looks".format(
        *(found[place] for place in places), len(found)
    )


__all__ = ["ss_archive", "ss_card", "ss_rack"]
