"""The portal is closed: by default, to strangers, to forged forms, to foreign names."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from portal import create_app, guard
from portal.shell.navigation import NEEDS
from services.smc import models, sessions

if TYPE_CHECKING:
    from werkzeug.routing import Rule

    from tests.portal.site import Site
    from tests.portal.visitor import Visitor

CONFIG = {"SECRET": "x"}


def rules() -> list[Rule]:
    """Every route of the application but those that prove their callers themselves."""
    found = create_app(CONFIG).url_map.iter_rules()
    return [rule for rule in found if rule.endpoint.split(".")[0] not in guard.OWN_PROOF]


def address(rule: Rule) -> str:
    """An address that the route answers."""
    path = rule.rule
    for name in rule.arguments:
        path = path.replace(f"<{name}>", "x").replace(f"<path:{name}>", "x")
    return path


def test_the_list_of_open_endpoints_names_only_what_exists() -> None:
    assert {rule.endpoint for rule in rules()} >= guard.OPEN


def test_every_closed_page_sends_a_stranger_to_login(stranger: Visitor) -> None:
    closed = [rule for rule in rules() if rule.endpoint not in guard.OPEN and "GET" in (rule.methods or ())]
    assert len(closed) > 15
    for rule in closed:
        answer = stranger.get(address(rule))
        assert (answer.status_code, "/login" in answer.headers["Location"]) == (302, True), rule


def test_every_closed_write_is_refused_to_a_stranger(stranger: Visitor) -> None:
    closed = [rule for rule in rules() if rule.endpoint not in guard.OPEN and "POST" in (rule.methods or ())]
    assert len(closed) > 8
    for rule in closed:
        assert stranger.client.post(address(rule), base_url="https://127.0.0.1").status_code == 401, rule


def test_every_write_without_the_token_of_the_session_is_refused(admin: Visitor) -> None:
    for rule in rules():
        if "POST" in (rule.methods or ()) and rule.endpoint != "static":
            for data in ({}, {"csrf": "0" * 32}):
                answer = admin.client.post(address(rule), data=data, base_url="https://127.0.0.1")
                assert answer.status_code == 403, rule


def test_a_form_of_another_site_is_refused_even_with_the_token(admin: Visitor) -> None:
    assert admin.post("/servers/sub-2/enable", Sec_Fetch_Site="cross-site").status_code == 403
    assert admin.post("/servers/sub-2/enable", Sec_Fetch_Site="same-origin").status_code == 303


def test_an_unknown_address_tells_a_stranger_nothing(stranger: Visitor, site: Site) -> None:
    assert stranger.get("/no-such-page").status_code == 302
    assert stranger.get("/servers/sub-1").headers["Location"] == stranger.get("/servers/no").headers[
        "Location"
    ].replace("no", "sub-1")


def test_every_page_of_every_blueprint_says_which_right_it_needs() -> None:
    assert {rule.endpoint.split(".")[0] for rule in rules()} - {"static"} <= NEEDS.keys()


def test_an_operator_sees_and_opens_only_his_pages(admin: Visitor, site: Site) -> None:
    with site.platform.session() as session:
        session.query(models.Account).update({"role": "operator"})
        session.commit()
    assert admin.get("/live").status_code == 200
    assert "Port matrix" not in admin.get("/live").get_data(as_text=True)
    assert admin.get("/ports").status_code == 403
    for path in ("/servers/sub-2/enable", "/services/main-a/mts/stop", "/servers/token"):
        assert admin.post(path, page="/live").status_code == 403, path
    assert site.agents["main-a"].orders == []


def test_headers_forbid_everything_from_elsewhere(stranger: Visitor) -> None:
    headers = stranger.get("/login").headers
    policy = headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self';")
    assert "unsafe" not in policy
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
    assert headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("path", ["/login", "/", "/live?size=4", "/services/main-a?log=mts", "/topology"])
def test_no_page_holds_a_script_or_style_of_its_own(admin: Visitor, path: str) -> None:
    text = admin.get(path).get_data(as_text=True)
    assert " style=" not in text
    assert " on" + "click=" not in text
    assert "<style" not in text
    assert all(part.startswith(" src=") for part in text.split("<script")[1:])


def test_cookie_of_the_session_is_out_of_reach_of_scripts_and_sites(stranger: Visitor) -> None:
    cookie = next(
        c for c in stranger.login().headers.getlist("Set-Cookie") if c.startswith(f"{sessions.COOKIE}=")
    )
    for word in ("Secure", "HttpOnly", "SameSite=Strict", "Path=/"):
        assert word in cookie
    assert "Domain" not in cookie


@pytest.mark.parametrize(
    ("host", "status"),
    [("127.0.0.1", 200), ("[::1]:8443", 200), ("main-a.node.dss", 200), ("evil.example", 421)],
)
def test_only_own_names_and_addresses_are_answered(site: Site, host: str, status: int) -> None:
    client = create_app(CONFIG | {"HOSTS": frozenset({"main-a.node.dss"})}).test_client()
    assert client.get("/login", headers={"Host": host}).status_code == status


def test_a_page_that_refreshes_itself_does_not_keep_a_session_alive(admin: Visitor, site: Site) -> None:
    def seen() -> float:
        return sessions.listing()[0].seen

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sessions, "TOUCH_EACH", 0.0)
        before = seen()
        assert admin.get("/home/figures?poll=1", HX_Request="true").status_code == 200
        assert seen() == before
        assert admin.get("/").status_code == 200
        assert seen() > before


def test_every_part_that_refreshes_says_so_except_while_somebody_watches_live(admin: Visitor) -> None:
    pages = (
        "/",
        "/servers",
        "/servers/sub-1",
        "/services/main-a",
        "/topology",
        "/devices",
        "/tasks",
        "/backups",
    )
    for path in pages:
        parts = admin.get(path).get_data(as_text=True).split('hx-get="')[1:]
        assert len(parts) == (3 if path == "/devices" else 2), path
        assert all("poll=1" in part.split('"')[0] for part in parts), path
    assert 'hx-get="/tasks/strip"' in admin.get("/live").get_data(as_text=True)


def test_a_part_asked_for_after_the_session_ended_sends_the_whole_page_to_login(admin: Visitor) -> None:
    sessions.kick(sessions.listing()[0].id)
    answer = admin.get("/home/figures?poll=1", HX_Request="true")
    assert answer.status_code == 401
    assert answer.headers["HX-Redirect"] == "/login?ended=1"


def test_requests_that_are_too_large_are_refused(admin: Visitor) -> None:
    answer = admin.client.post("/devices/add", data={"name": "x" * 2_000_000}, base_url="https://127.0.0.1")
    assert answer.status_code == 413
    assert "too much at once" in answer.get_data(as_text=True)


@pytest.mark.parametrize(
    ("header", "host"),
    [
        ("dss.example:8443", "dss.example"),
        ("198.18.0.10", "198.18.0.10"),
        ("[2001:db8::1]:443", "2001:db8::1"),
    ],
)
def test_the_host_is_known_without_port_and_brackets(header: str, host: str) -> None:
    with create_app(CONFIG).test_request_context(headers={"Host": header}):
        assert guard.host() == host
