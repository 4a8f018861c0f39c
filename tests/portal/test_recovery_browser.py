"""The first visit of the profile modern and a forgotten password in both profiles, in real Chromium."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from services.smc import models
from tests.portal.site import NAME

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from playwright.sync_api import Browser, Page

    from tests.portal.process import Portal

SHOTS = Path(__file__).resolve().parents[2] / ".cache" / "screenshots"
PASSWORD, FRESH = "gq7 mwu zrk ptb", "a quite new one, 15 long"


@pytest.fixture(params=["light", "dark"])
def page(chromium: Browser, request: pytest.FixtureRequest) -> Iterator[Page]:
    """A fresh browser on a narrow screen, in light or dark, whose console has to stay silent."""
    SHOTS.mkdir(parents=True, exist_ok=True)
    options = {"viewport": {"width": 390, "height": 844}, "color_scheme": request.param}
    rights = ["clipboard-read", "clipboard-write"]
    with chromium.new_context(ignore_https_errors=True, permissions=rights, **options) as context:
        one, noise = context.new_page(), []
        one.on("console", lambda message: noise.append(message.text) if message.type == "error" else None)
        yield one
        assert noise == []


def examine(page: Page, findings: Callable[[Page], list[str]], name: str) -> None:
    """The page has no accessibility finding and is not wider than the screen."""
    page.screenshot(path=SHOTS / f"{name}.png", full_page=True)
    assert findings(page) == []
    wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert wide <= 0


def first_visit(portal: Portal, page: Page, findings: Callable[[Page], list[str]]) -> list[str]:
    """Initialise by the form; the recovery codes that are shown."""
    page.goto(f"{portal.url}/initialise")
    rule, field = page.locator("[data-rule=known]"), page.get_by_label("Password", exact=True)
    page.get_by_label("Account name").fill(NAME)
    field.fill("short")
    expect(page.locator("[data-rule=length]")).to_have_attribute("data-met", "no")
    expect(rule).to_have_attribute("data-met", "")
    field.fill("P4ssw0rdP4ssw0rd")
    expect(rule).to_have_attribute("data-met", "no")
    field.fill(PASSWORD)
    expect(page.locator("[data-rule][data-met=yes]")).to_have_count(2)
    examine(page, findings, "initialise-modern")
    page.get_by_label("Password again").fill(PASSWORD)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Keep these recovery codes")).to_be_visible()
    return page.locator("#codes code").all_inner_texts()


def test_modern_from_the_first_visit_to_a_password_that_was_forgotten(
    portal: Portal, page: Page, findings: Callable[[Page], list[str]]
) -> None:
    portal.site.platform.files.setting("smc", password_profile="modern")
    with portal.site.platform.session() as session:
        for table in (models.ProtectionAnswer, models.Account, models.Setting):
            session.query(table).delete()
        session.commit()
    codes = first_visit(portal, page, findings)
    assert len(set(codes)) == 10
    examine(page, findings, "recovery-codes")
    page.get_by_role("button", name="Copy").click()
    expect(page.get_by_role("status")).to_have_text("Copied.")
    assert page.evaluate("navigator.clipboard.readText()").split("\n") == codes
    with page.expect_download() as download:
        page.get_by_role("button", name="Download").click()
    assert Path(download.value.path()).read_text().split("\n\n")[1].split() == codes
    page.get_by_role("button", name="Go on").click()
    expect(page.get_by_role("heading", name="Keep these recovery codes")).to_be_visible()
    page.get_by_label("I have kept the ten codes").check()
    page.get_by_role("button", name="Go on").click()
    expect(page.get_by_role("heading", name="Home")).to_be_visible()
    page.goto(f"{portal.url}/account/recovery")
    expect(page.get_by_text("10 of your recovery codes")).to_be_visible()
    examine(page, findings, "recovery-own")
    page.context.clear_cookies()
    forget_modern(portal, page, findings, codes[7])


def forget_modern(portal: Portal, page: Page, findings: Callable[[Page], list[str]], code: str) -> None:
    """From the login page to a new password by a code, while nothing of the code leaves the page early."""
    sent: list[str] = []
    page.on("request", lambda one: sent.append(one.post_data or "") if "rules" in one.url else None)
    page.goto(f"{portal.url}/login")
    page.get_by_role("link", name="Password forgotten?").click()
    page.get_by_label("Account").fill(NAME)
    page.get_by_label("Recovery code").fill(code)
    page.get_by_label("New password", exact=True).fill(FRESH)
    expect(page.locator("[data-rule][data-met=yes]")).to_have_count(2)
    assert sent
    assert not any(code in one for one in sent)
    examine(page, findings, "forgotten-modern")
    page.get_by_label("New password again").fill(FRESH)
    page.get_by_role("button", name="Set the new password").click()
    expect(page.get_by_text("Your password was changed.")).to_be_visible()
    page.get_by_label("Account").fill(NAME)
    page.get_by_label("Password").fill(FRESH)
    page.get_by_role("button", name="Log in").click()
    page.wait_for_url(f"{portal.url}/")
    log = portal.log.read_text()
    assert not any(secret in log for secret in (code, FRESH, PASSWORD))


def test_classic_asks_its_questions(
    portal: Portal, page: Page, findings: Callable[[Page], list[str]]
) -> None:
    page.goto(f"{portal.url}/login")
    page.get_by_role("link", name="Password forgotten?").click()
    examine(page, findings, "forgotten-account")
    page.get_by_label("Account").fill(NAME)
    page.keyboard.press("Enter")
    for number in (1, 2, 3):
        page.get_by_label(f"Question {number}?").fill(f"answer {number}")
    page.get_by_label("New password", exact=True).fill("Fresh#9753")
    expect(page.locator("[data-rule][data-met=yes]")).to_have_count(7)
    examine(page, findings, "forgotten-classic")
    page.get_by_label("New password again").fill("Fresh#9753")
    page.keyboard.press("Enter")
    expect(page.get_by_text("Your password was changed.")).to_be_visible()
