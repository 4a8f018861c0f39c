"""Accounts of RTSP players, as an administrator makes them in the portal."""

from __future__ import annotations

import html
import re
from typing import TYPE_CHECKING

from services.media import digest
from services.smc import models, player_accounts

if TYPE_CHECKING:
    from tests.portal.site import Site
    from tests.portal.visitor import Visitor


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
