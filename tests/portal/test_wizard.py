"""The new pages by keyboard alone, in Chromium, as a person without a mouse walks them."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from tests.portal.test_browser import opened

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, Page

    from tests.portal.process import Portal


@pytest.fixture
def page(portal: Portal, chromium: Browser, log_in: Callable[[Page, str], None]) -> Iterator[Page]:
    """A page of somebody who is logged in."""
    with opened(chromium, "desk", "light") as context:
        context.grant_permissions(["clipboard-read", "clipboard-write"])
        one = context.new_page()
        log_in(one, portal.url)
        yield one


def typed(page: Page, label: str, text: str) -> None:
    """Reach a field with Tab and type into it, over what stands there."""
    field = page.get_by_label(label, exact=True)
    for _ in range(60):
        if field.evaluate("element => element === document.activeElement"):
            break
        page.keyboard.press("Tab")
    expect(field).to_be_focused()
    page.keyboard.press("Control+A")
    page.keyboard.type(text)


def enter(page: Page, name: str) -> None:
    """Reach a button or link with Tab and press Enter."""
    wanted = page.get_by_role("button", name=name, exact=True).or_(
        page.get_by_role("link", name=name, exact=True)
    )
    for _ in range(120):
        if wanted.first.evaluate("element => element === document.activeElement"):
            break
        page.keyboard.press("Tab")
    expect(wanted.first).to_be_focused()
    page.keyboard.press("Enter")


def test_the_wizard_is_walked_by_keyboard_and_forgets_nothing(
    page: Page, portal: Portal, tmp_path: Path
) -> None:
    page.goto(f"{portal.url}/dmz")
    page.get_by_label("Clients in the WAN").focus()
    enter(page, "Next: the address")
    page.wait_for_url("**/dmz/address?**")
    typed(page, "Mapping IP", "203.0.113.999")
    typed(page, "Address inside", "198.18.0.1")
    typed(page, "Outside interface", "wan0")
    enter(page, "Next: the list")
    expect(page.get_by_label("Mapping IP")).to_have_attribute("aria-invalid", "true")
    expect(page.get_by_label("Outside interface")).to_have_value("wan0")
    page.get_by_label("Server", exact=True).focus()
    typed(page, "Mapping IP", "203.0.113.10")
    enter(page, "Next: the list")
    page.wait_for_url("**/dmz/list?**")
    enter(page, "Copy dmz.nft")
    expect(page.get_by_label("Copy dmz.nft")).to_contain_text("✓")
    assert "table inet dss_dmz" in page.evaluate("() => navigator.clipboard.readText()")
    with page.expect_download() as saved:
        enter(page, "Download dmz.nft")
    assert saved.value.suggested_filename == "dmz.nft"
    enter(page, "Next: the test")
    page.wait_for_url("**/dmz/test?**")
    enter(page, "Next: apply")
    page.wait_for_url("**/dmz/apply?**")
    enter(page, "Set the mapping IP")
    expect(page.locator("#strip")).to_contain_text("mapping IP 203.0.113.10 on main-a")
    assert portal.site.agents["main-a"].changes[0]["request"]["mapping_ip"] == "203.0.113.10"


def test_the_log_of_a_task_grows_while_it_is_watched(page: Page, portal: Portal) -> None:
    page.goto(f"{portal.url}/backups")
    enter(page, "Back up now: main-a")
    log = page.get_by_role("log", name="Log of this task")
    expect(log).to_contain_text("Begun for admin.")
    run = portal.site.agents["main-a"].upkeep.runs[0]
    run.log.append({"at": time.time(), "text": "The database is dumped: 912340 bytes."})
    expect(log).to_contain_text("The database is dumped")
    run.state, run.ended = "done", time.time()
    expect(page.locator("#task")).to_contain_text("Done")
    expect(page.locator("#strip")).to_contain_text("Backup of main-a")


def test_the_matrix_prints_as_a_table_without_the_frame(page: Page, portal: Portal) -> None:
    page.goto(f"{portal.url}/ports")
    page.emulate_media(media="print")
    expect(page.locator("header.bar")).to_be_hidden()
    expect(page.locator("#strip")).to_be_hidden()
    expect(page.locator("#matrix thead")).to_be_visible()
    assert page.pdf(prefer_css_page_size=True).startswith(b"%PDF")
    page.emulate_media(media="screen")
    page.evaluate("() => { window.print = () => { document.title = 'printed'; }; }")
    enter(page, "Print")
    expect(page).to_have_title("printed")
