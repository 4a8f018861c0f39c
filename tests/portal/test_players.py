"""Accounts of RTSP players, as an administrator makes them in the portal."""

from __future__ import annotations

import html
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from services.media import digest
from services.smc import models, player_accounts

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Page

    from tests.portal.process import Portal
    from tests.portal.site import Site
    from tests.portal.visitor import Visitor

SHOTS = Path(__file__).resolve().parents[2] / ".cache" / "screenshots"


def told(site: Site) -> list[dict[str, object]]:
    """What nodes are told."""
    with site.platform.session() as session:
        return player_accounts.assignment(session, None)


def secret(page: str, name: str) -> str:
    """The secret in the addresses of a page."""
    found = re.search(rf"rtsp://{name}:([A-Za-z0-9_-]+)@", html.unescape(page))
    assert found
    return found[1]


def test_an_account_is_made_changed_and_removed_and_its_secret_shown_once(
    admin: Visitor, site: Site, channel: str
) -> None:
    typed = {"name": "wall", "which": "some", "c": channel, "enabled": "on"}
    made = admin.post("/players/add", typed, "/players/add")
    assert made.status_code == 200, made.text
    first = secret(made.text, "wall")
    (row,) = told(site)
    assert (row["hashes"], row["channels"]) == (digest.hashes("wall", first), [channel])
    for page in ("/players", "/players/wall"):
        text = admin.get(page).text
        assert "wall" in text
        assert first not in text
    assert secret(admin.post("/players/wall/secret").text, "wall") != first
    changed = {"which": "all", "recordings": "on", "enabled": "on", "ends": "2999-01-31"}
    assert admin.post("/players/wall", changed).status_code == 303
    (row,) = told(site)
    assert (row["channels"], row["recordings"]) == (None, True)
    assert "Live and recordings" in admin.get("/players").text
    assert 'value="2999-01-31"' in admin.get("/players/wall").text
    assert admin.post("/players/wall/remove").status_code == 303
    assert told(site) == []
    assert admin.get("/players/wall").status_code == 404


def test_what_cannot_be_is_said_above_the_form_and_nothing_is_lost(admin: Visitor, site: Site) -> None:
    for typed, why in (
        ({"name": "a b", "which": "all"}, "letters, digits"),
        ({"name": "wall", "which": "some"}, "Choose its cameras"),
        ({"name": "wall", "which": "all", "ends": "soon"}, "no day such as"),
    ):
        answer = admin.post("/players/add", typed, "/players/add")
        assert (answer.status_code, why in answer.text) == (422, True), answer.text
        assert f'value="{typed["name"]}"' in answer.text
    assert told(site) == []


def test_an_operator_does_not_see_accounts_of_players(admin: Visitor, site: Site) -> None:
    with site.platform.session() as session:
        session.query(models.Account).update({"role": "operator"})
        session.commit()
    assert admin.get("/players").status_code == 403
    assert "/players" not in admin.get("/live").text


@pytest.mark.full
@pytest.mark.parametrize(("width", "scheme"), [(1440, "light"), (390, "dark")])
def test_the_pages_of_an_account_are_clean_in_a_browser(
    portal: Portal, page: Page, findings: Callable[[Page], list[str]], width: int, scheme: str
) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    page.goto(f"{portal.url}/players/add")
    page.get_by_label("Name").fill("monitor-wall")
    page.get_by_label("Only these").check()
    page.get_by_label("Gate east").check()
    page.get_by_label("Last day").fill("2999-01-31")
    for button in ("Add and show the secret", "I have kept it", "Change the account monitor-wall"):
        page.get_by_role("button", name=button).or_(page.get_by_role("link", name=button)).click()
        page.wait_for_load_state()
        shot = SHOTS / f"players-{button.split()[0].lower()}-{width}-{scheme}.png"
        page.screenshot(path=shot, full_page=True)
        assert findings(page) == []
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
