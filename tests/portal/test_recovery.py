"""A forgotten password by the pages, in both profiles, without scripts."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from services.smc import accounts, recovery_codes
from tests.portal.site import ANSWERS, NAME
from tests.portal.visitor import newcomer

if TYPE_CHECKING:
    from tests.conftest import Platform
    from tests.portal.visitor import Visitor

PASSWORD, FRESH = "gq7 mwu zrk ptb", "a quite new one, 15 long"
CODE = re.compile(r"<code>((?:[0-9A-Z]{4}-){3}[0-9A-Z]{4})</code>")
FORM = {"name": "admin", "password": PASSWORD, "again": PASSWORD}


@pytest.fixture
def modern(platform: Platform) -> list[str]:
    """A platform of the profile modern, and its administrator's codes."""
    platform.files.setting("smc", password_profile="modern")
    codes = recovery_codes.draw()
    with platform.session() as session:
        accounts.initialise(session, NAME, PASSWORD, [], "127.0.0.1", codes)
    return codes


def test_modern_shows_ten_codes_once_and_asks_whether_they_are_kept(platform: Platform) -> None:
    platform.files.setting("smc", password_profile="modern")
    visitor = newcomer()
    assert "Protection questions" not in visitor.get("/initialise").get_data(as_text=True)
    done = visitor.post("/initialise", FORM, "/initialise")
    text = done.get_data(as_text=True)
    assert done.status_code == 200
    assert len(set(CODE.findall(text))) == 10
    assert "no-store" in done.headers["Cache-Control"]
    assert "Nobody said" in visitor.get("/").get_data(as_text=True)
    token = text.split('name="csrf" value="')[1].split('"')[0]
    data = {"csrf": token, "kept": "yes"}
    kept = visitor.client.post("/account/recovery/kept", data=data, base_url="https://127.0.0.1")
    assert kept.headers["Location"] == "/"
    home = visitor.get("/").get_data(as_text=True)
    assert "Nobody said" not in home
    assert not CODE.findall(home + visitor.get("/account/recovery").get_data(as_text=True))


def test_a_code_leads_to_a_new_password(modern: list[str]) -> None:
    visitor = newcomer()
    form = {"name": NAME, "code": modern[0].lower(), "password": FRESH, "again": FRESH}
    done = visitor.post("/forgotten/reset", form, "/forgotten")
    assert (done.status_code, done.headers["Location"]) == (303, "/login?reset=1")
    assert visitor.login(password=PASSWORD).status_code == 401
    assert visitor.login(password=FRESH).status_code == 303
    page = visitor.get("/account/recovery").get_data(as_text=True)
    assert "9 of your recovery codes" in page


@pytest.mark.parametrize(
    ("change", "status", "words"),
    [
        ({"again": "other"}, 422, "The two passwords differ"),
        ({"password": "short", "again": "short"}, 422, "15 to 128 characters"),
        ({"password": "passwordpassword", "again": "passwordpassword"}, 422, "known password"),
        ({"code": "0000-0000-0000-0000"}, 401, "The name or the code is wrong"),
    ],
)
def test_what_is_wrong_is_told_and_the_code_stays_typed(
    modern: list[str], change: dict[str, str], status: int, words: str
) -> None:
    form = {"name": NAME, "code": modern[0], "password": FRESH, "again": FRESH} | change
    answer = newcomer().post("/forgotten/reset", form, "/forgotten")
    text = answer.get_data(as_text=True)
    assert answer.status_code == status
    assert words in text
    assert f'value="{form["code"]}"' in text
    assert f'value="{form["password"]}"' not in text


def test_the_sixth_wrong_code_is_locked(modern: list[str]) -> None:
    visitor = newcomer()
    form = {"name": NAME, "code": "0000-0000-0000-0000", "password": FRESH, "again": FRESH}
    texts = [visitor.post("/forgotten/reset", form, "/forgotten").get_data(as_text=True) for _ in range(6)]
    assert "This account is locked" in texts[5]
    assert visitor.login(password=PASSWORD).status_code == 429


def test_new_codes_are_shown_for_the_own_password(modern: list[str]) -> None:
    visitor = newcomer()
    visitor.login(password=PASSWORD)
    wrong = visitor.post("/account/recovery", {"password": "x"}, "/account/recovery")
    assert (wrong.status_code, CODE.findall(wrong.get_data(as_text=True))) == (401, [])
    right = visitor.post("/account/recovery", {"password": PASSWORD}, "/account/recovery")
    fresh = CODE.findall(right.get_data(as_text=True))
    assert len(fresh) == 10
    assert not set(fresh) & set(modern)


def test_classic_asks_the_three_questions(stranger: Visitor) -> None:
    assert "Recovery code" not in stranger.get("/forgotten").get_data(as_text=True)
    asked = stranger.post("/forgotten", {"name": NAME}, "/forgotten").get_data(as_text=True)
    assert all(one.question in asked for one in ANSWERS)
    form = {"name": NAME, "password": "Fresh#9753", "again": "Fresh#9753"}
    form |= {f"answer-{n}": f" ANSWER {n}" for n in (1, 2, 3)}
    wrong = stranger.post("/forgotten/reset", form | {"answer-2": "x"}, "/forgotten")
    assert wrong.status_code == 401
    assert 'value=" ANSWER 1"' in wrong.get_data(as_text=True)
    assert stranger.post("/forgotten/reset", form, "/forgotten").headers["Location"] == "/login?reset=1"
    assert stranger.login(password="Fresh#9753").status_code == 303


def test_an_unknown_name_is_asked_questions_as_well(stranger: Visitor) -> None:
    asked = stranger.post("/forgotten", {"name": "nobody"}, "/forgotten")
    assert asked.status_code == 200
    assert "What was the name of your first pet?" in asked.get_data(as_text=True)


def test_before_initialisation_nothing_can_be_recovered(first_visitor: Visitor) -> None:
    assert first_visitor.get("/forgotten").headers["Location"] == "/initialise"
