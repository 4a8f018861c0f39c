"""What pages do by themselves: refresh, dialogs, quick jump, theme, and the first visit."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest
from playwright.sync_api import expect

from services.smc import models, sessions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from playwright.sync_api import Browser, Page

    from tests.portal.process import Portal

SHOTS = Path(__file__).resolve().parents[2] / ".cache" / "screenshots"


@pytest.fixture
def page(chromium: Browser) -> Iterator[Page]:
    """A fresh browser."""
    with chromium.new_context(ignore_https_errors=True, viewport={"width": 1440, "height": 900}) as context:
        yield context.new_page()


def test_first_visit_initialises_with_rules_shown_while_typing(
    portal: Portal, page: Page, findings: Callable[[Page], list[str]]
) -> None:
    with portal.site.platform.session() as session:
        for table in (models.ProtectionAnswer, models.Account, models.Setting):
            session.query(table).delete()
        session.commit()
    page.goto(f"{portal.url}/servers")
    expect(page).to_have_url(f"{portal.url}/initialise")
    page.get_by_label("Account name").fill("admin")
    page.get_by_label("Password", exact=True).fill("abc")
    expect(page.locator("[data-rule=length]")).to_have_attribute("data-met", "no")
    expect(page.locator("[data-rule=run]")).to_have_attribute("data-met", "no")
    expect(page.locator("[data-rule=barred]")).to_have_attribute("data-met", "yes")
    SHOTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SHOTS / "initialise.png", full_page=True)
    assert findings(page) == []
    page.get_by_label("Password", exact=True).fill("Correct.Horse7")
    expect(page.locator("[data-rule][data-met=yes]")).to_have_count(7)
    page.get_by_label("Password again").fill("Correct.Horse7")
    for number in (1, 2, 3):
        page.get_by_label(f"Answer {number}").fill(f"answer {number}")
    page.keyboard.press("Enter")
    expect(page).to_have_url(f"{portal.url}/")
    expect(page.get_by_role("heading", name="Home")).to_be_visible()


def test_figures_change_without_reload_and_focus_stays(
    portal: Portal, page: Page, log_in: Callable[[Page, str], None]
) -> None:
    log_in(page, portal.url)
    page.evaluate("window.same = true")
    page.get_by_role("link", name="Enable it").focus()
    portal.site.agents["sub-1"].services[-1] |= {"state": "Running", "reason": ""}
    expect(page.get_by_text("MTS on sub-1")).to_have_count(0, timeout=8000)
    # What stays: a server that waits, a device out of reach, a certificate that ends soon.
    expect(page.locator("#chip")).to_contain_text("3 to look at", timeout=8000)
    expect(page.get_by_role("link", name="Enable it")).to_be_focused()
    assert page.evaluate("window.same")


def test_stop_all_needs_the_typed_name_and_escape_leaves(
    portal: Portal, page: Page, log_in: Callable[[Page, str], None]
) -> None:
    log_in(page, portal.url)
    page.goto(f"{portal.url}/services/sub-1")
    page.get_by_role("button", name="Stop all …").click()
    dialog = page.get_by_role("dialog", name="Stop all services on sub-1")
    stop = dialog.get_by_role("button", name="Stop all services")
    expect(stop).to_be_disabled()
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    page.get_by_role("button", name="Stop all …").click()
    dialog.get_by_role("textbox").fill("sub-1")
    page.screenshot(path=SHOTS / "stop-all.png")
    stop.click()
    expect(page.locator("#strip")).to_contain_text("Stop all services on sub-1")
    assert portal.site.agents["sub-1"].orders == [("all", "stop")]
    expect(page.locator("#services .state", has_text="Stopped")).to_have_count(5)


def test_quick_jump_goes_by_keyboard_alone(
    portal: Portal, page: Page, log_in: Callable[[Page, str], None]
) -> None:
    log_in(page, portal.url)
    page.keyboard.press("Control+k")
    page.keyboard.type("gate")
    expect(page.get_by_role("option", name="Gate east")).to_be_visible()
    page.screenshot(path=SHOTS / "jump.png")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Gate east")).to_be_visible()


def test_theme_is_remembered_by_this_browser(
    portal: Portal, page: Page, log_in: Callable[[Page, str], None]
) -> None:
    log_in(page, portal.url)
    page.get_by_label("Account of admin").click()
    page.get_by_role("button", name="Dark").click()
    page.goto(f"{portal.url}/devices")
    assert page.evaluate("document.documentElement.dataset.bsTheme") == "dark"
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(16, 21, 30)"


def test_rows_of_the_port_matrix_are_filtered_while_typing(
    portal: Portal, page: Page, log_in: Callable[[Page, str], None]
) -> None:
    log_in(page, portal.url)
    page.goto(f"{portal.url}/ports?node=main-a")
    page.keyboard.press("/")
    page.keyboard.type("rtsps")
    expect(page.locator("#matrix tbody tr:visible").first).to_contain_text("rtsps")
    expect(page.locator("#matrix-count")).to_contain_text("shown")
    assert page.locator("#matrix tbody tr:visible").count() < 5


def test_a_form_by_keyboard_alone_reaches_the_page_behind_it(portal: Portal, page: Page) -> None:
    page.goto(f"{portal.url}/login")
    page.keyboard.type("admin")
    page.keyboard.press("Tab")
    page.keyboard.type("Correct.Horse7")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Home")).to_be_visible()
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to content")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("main#page")).to_be_focused()


def test_a_page_left_open_goes_to_login_when_its_session_ends(
    portal: Portal, page: Page, log_in: Callable[[Page, str], None]
) -> None:
    log_in(page, portal.url)
    sessions.kick(sessions.listing()[0].id)
    expect(page).to_have_url(f"{portal.url}/login?ended=1", timeout=8000)
    expect(page.get_by_text("Your session ended.")).to_be_visible()


def test_figures_that_are_no_longer_fresh_are_said_so_until_the_portal_is_back(
    portal: Portal, page: Page, log_in: Callable[[Page, str], None]
) -> None:
    log_in(page, portal.url)
    banner = page.get_by_text("The portal does not answer.")
    expect(banner).to_be_hidden()
    worker = psutil.Process(portal.gunicorn.pid)
    for one in (*worker.children(), worker):
        one.suspend()
    page.evaluate("htmx.config.defaultTimeout = 1000")
    try:
        expect(banner).to_be_visible(timeout=15000)
        expect(page.get_by_role("heading", name="To look at")).to_be_visible()
    finally:
        for one in (worker, *worker.children()):
            one.resume()
    expect(banner).to_be_hidden(timeout=15000)
