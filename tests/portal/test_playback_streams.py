"""Many recordings at once show sub streams, few of them main ones, and each the other one where it has to."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.portal import recordings
from tests.portal.recordings import BEGIN, address, ss_archive, standing, states, until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from playwright.sync_api import Page

    from tests.portal.process import Portal
    from tests.portal.site import Site

SECONDS = 30
WIDTHS = "[...document.querySelectorAll('#desk video')].map((one) => one.videoWidth).filter(Boolean)"
STREAMS = "[...document.querySelectorAll('#desk video')].map((one) => one.dataset.stream).filter(Boolean)"


def shoot(root: Path, channels: list[str], seconds: int) -> None:
    """The main stream lacks the middle third of each camera but the first; the sub stream has all of it."""
    main = ss_archive.footage(BEGIN * 1000, seconds, 1280, 720)
    sub = ss_archive.footage(BEGIN * 1000, seconds)
    for n, channel in enumerate(channels):
        ss_archive.write(root, f"{channel}.sub", sub)
        seq = ss_archive.write(root, channel, main, 0, seconds // 3 if n else 0)
        if n:
            ss_archive.write(root, channel, main, seconds * 2 // 3, seconds, seq)


@pytest.fixture
def channel(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A camera with some seconds of both streams."""
    made = recordings.store(site, tmp_path, monkeypatch, {})
    (found,) = recordings.cameras(site, 1)
    shoot(made.recordings, [found], 6)
    with made:
        yield found


@pytest.fixture
def channels(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Nine cameras with both streams."""
    made = recordings.store(site, tmp_path, monkeypatch, {})
    found = recordings.cameras(site, 9)
    shoot(made.recordings, found, SECONDS)
    with made:
        yield found


def test_nine_pictures_show_the_sub_stream_and_one_the_main_stream(
    channel: str, page: Page, portal: Portal
) -> None:
    for size, width, stream in ((9, 640, "sub"), (1, 1280, "main")):
        page.goto(address(portal.url, [channel], 2, size))
        until(page, lambda: standing(page)[0] == 2.0, "it stands")
        assert (page.evaluate(WIDTHS), page.evaluate(STREAMS)) == ([width], [stream])


@pytest.mark.full
def test_nine_small_pictures_play_and_four_large_ones_go_on_with_the_sub_stream_in_a_gap(
    channels: list[str], page: Page, portal: Portal, findings: Callable[[Page], list[str]]
) -> None:
    page.goto(address(portal.url, channels, 2, 9))
    until(page, lambda: standing(page) == [2.0] * 9, "nine stand")
    assert (page.evaluate(WIDTHS), page.evaluate(STREAMS)) == ([640] * 9, ["sub"] * 9)
    page.goto(address(portal.url, channels[:4], 7, 4))
    until(page, lambda: standing(page) == [7.0] * 4, "four stand")
    assert page.evaluate(WIDTHS) == [1280] * 4
    # The bar has no gap, and says which third is small.
    until(page, lambda: page.locator("#recorded .kept").count() == 1 + 3 * 3, "the thirds stand on the bar")
    assert page.locator("#recorded .gap-edge").count() == 4  # where each begins
    page.keyboard.press("Space")
    until(page, lambda: page.evaluate(WIDTHS) == [1280, 640, 640, 640], "the gap is filled", 30)
    seen: set[str] = set()
    until(page, lambda: seen.update(states(page)) or page.evaluate(WIDTHS) == [1280] * 4, "main again", 30)
    assert "gap" not in seen
    page.keyboard.press("k")
    until(page, lambda: len(set(standing(page))) == 1, "all stand at one picture")
    assert findings(page) == []
