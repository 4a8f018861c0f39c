"""Initialisation happens once and first; login and logout do what they say."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from services.smc import sessions

if TYPE_CHECKING:
    from tests.portal.visitor import Visitor

FORM = {
    "name": "admin", "password": "Correct.Horse7", "again": "Correct.Horse7",
    "question-1": "A?", "answer-1": "a", "question-2": "B?", "answer-2": "b",
    "question-3": "C?", "answer-3": "c",
}  # fmt: skip


def test_until_initialised_every_page_leads_to_initialisation(first_visitor: Visitor) -> None:
    for path in ("/", "/login", "/servers", "/devices/add", "/no-such-page"):
        answer = first_visitor.get(path)
        assert (answer.status_code, answer.headers["Location"]) == (302, "/initialise"), path


def test_initialisation_creates_the_account_logs_in_and_is_over(first_visitor: Visitor) -> None:
    done = first_visitor.post("/initialise", FORM, "/initialise")
    assert (done.status_code, done.headers["Location"]) == (303, "/")
    assert first_visitor.get("/").status_code == 200
    assert "already" in first_visitor.get("/initialise").get_data(as_text=True)


def test_initialisation_cannot_be_done_twice(stranger: Visitor) -> None:
    again = stranger.post("/initialise", FORM | {"name": "second"}, "/login")
    assert again.status_code == 409
    assert stranger.login("second", FORM["password"]).status_code == 401


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"again": "Other.Horse7"}, "The two passwords differ"),
        ({"password": "short1", "again": "short1"}, "8 to 32 characters"),
        ({"password": "Correct;Horse7", "again": "Correct;Horse7"}, "must not hold any of"),
        ({"name": "7up"}, "begins with a letter"),
        ({"answer-2": " "}, "different questions"),
        ({"question-2": "A?"}, "different questions"),
    ],
)
def test_what_is_wrong_stands_at_its_field_and_nothing_is_lost(
    first_visitor: Visitor, change: dict[str, str], words: str
) -> None:
    answer = first_visitor.post("/initialise", FORM | change, "/initialise")
    text = answer.get_data(as_text=True)
    assert answer.status_code == 422
    assert words in text
    assert 'value="c"' in text
    assert "Horse7" not in text
    assert first_visitor.get("/").headers["Location"] == "/initialise"


def test_rules_of_the_password_are_judged_while_typing(first_visitor: Visitor) -> None:
    def broken(password: str) -> set[str]:
        form = {"name": "admin", "password": password}
        answer = first_visitor.post("/password-rules", form, "/initialise")
        return set(answer.get_json()["broken"])

    assert broken("Correct.Horse7") == set()
    assert broken("nimda") >= {"length", "account-name"}
    assert broken("abcdddd;") >= {"run", "repeat", "barred"}


def test_login_goes_on_to_the_page_that_was_asked_for(stranger: Visitor) -> None:
    there = stranger.get("/services/sub-1?log=mts").headers["Location"]
    form = {"name": "admin", "password": "Correct.Horse7", "next": "/services/sub-1?log=mts"}
    assert "next=" in there
    assert stranger.post("/login", form, "/login").headers["Location"] == "/services/sub-1?log=mts"


@pytest.mark.parametrize(
    "onward", ["//evil.example/", "https://evil.example/", "/\\evil.example", "javascript:1"]
)
def test_login_never_leads_to_another_site(stranger: Visitor, onward: str) -> None:
    form = {"name": "admin", "password": "Correct.Horse7", "next": onward}
    assert stranger.post("/login", form, "/login").headers["Location"] == "/"


def test_wrong_password_says_so_and_the_sixth_try_is_locked(stranger: Visitor) -> None:
    texts = [stranger.login(password="Wrong.Horse7").get_data(as_text=True) for _ in range(6)]
    assert "name or the password is wrong" in texts[0]
    assert 'value="admin"' in texts[0]
    assert "Wrong.Horse7" not in texts[0]
    assert "This account is locked" in texts[5]
    assert "Wait 15 min" in texts[5]
    assert stranger.login().status_code == 429


def test_logout_ends_the_session_on_the_server_too(admin: Visitor) -> None:
    cookie = admin.client.get_cookie(sessions.COOKIE, "127.0.0.1")
    assert cookie is not None
    assert admin.post("/logout").headers["Location"] == "/login?left=1"
    assert sessions.get(cookie.value) is None
    assert admin.get("/").status_code == 302


def test_logging_in_again_leaves_one_session(admin: Visitor) -> None:
    form = {"name": "admin", "password": "Correct.Horse7"}
    admin.post("/login", form, "/")
    assert len(sessions.listing()) <= 1
