"""The REST API as programs meet it: the real application, real MariaDB and Redis."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pymysql
import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from portal import create_app
from services.runtime import clock
from services.smc import cache, models, nodes, sessions, store
from services.smc.api import openapi, schema
from services.smc.api.route import TABLE, Operation

if TYPE_CHECKING:
    from tests.conftest import Platform

ROOT = Path(__file__).resolve().parents[2]
PASSWORD, CAMERA = "Admin.2468", "Camera.1357"
FIRST = {
    "name": "admin",
    "password": PASSWORD,
    "questions": [{"question": f"Question {n}?", "answer": "yes"} for n in range(3)],
}
RTSP = {"kind": "rtsp", "name": "Gate", "node": "main-a", "url": f"rtsp://admin:{CAMERA}@198.18.0.101/live"}
EARLY = {"/status", "/initialise", "/password-rules", "/openapi.json"}


class Api:
    """A caller with a Bearer token, or none."""

    def __init__(self, client: FlaskClient) -> None:
        self.client = client
        self.token = ""

    def call(self, method: str, path: str, body: Any = None, **more: Any) -> TestResponse:  # noqa: ANN401
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        if body is not None:
            more["json"] = body
        return self.client.open(
            f"/api/v1{path}", method=method, headers=headers | more.pop("headers", {}), **more
        )

    def get(self, path: str) -> Any:  # noqa: ANN401
        answer = self.call("GET", path)
        assert answer.status_code == 200, answer.text
        return answer.get_json()


@pytest.fixture
def api(platform: "Platform") -> Iterator[Api]:
    """The application of a fresh main; nobody is logged in."""
    app = create_app({"SECRET": "s" * 64, "HOSTS": frozenset({"main-a"})})
    with platform.session() as session:
        nodes.register(session, "main-a", "main", "127.0.0.1", None, "1.2.3")
    with platform.redis.client() as redis:
        redis.set("beat:main-a", "{}", ex=30)
    with app.test_client(use_cookies=False) as client:
        yield Api(client)


@pytest.fixture
def admin(api: Api) -> Api:
    """An initialised platform, and its administrator."""
    assert api.call("POST", "/initialise", FIRST).status_code == 201
    answer = api.call("POST", "/login", {"name": "Admin", "password": PASSWORD})
    api.token = answer.get_json()["token"]
    return api


def problem(answer: TestResponse, status: int, code: str) -> None:
    assert (answer.status_code, answer.mimetype) == (status, "application/problem+json"), answer.text
    found = answer.get_json()
    assert found["code"] == code
    assert found["what"]
    assert found["why"]
    assert found["remedy"]


def filled(one: Operation) -> str:
    return re.sub(r"<\w+>", "x", one.path)


def test_nothing_but_status_and_initialisation_opens_before_it_is_done(api: Api) -> None:
    about = {"version": "1.2.3", "site": "Test", "password_profile": "classic"}
    assert api.get("/status") == {"initialised": False, **about}
    for one in TABLE:
        if one.path not in EARLY:
            problem(api.call(one.method, filled(one)), 409, "not_initialised")


def test_initialisation_opens_the_platform_once(admin: Api) -> None:
    assert admin.get("/status")["initialised"] is True
    problem(admin.call("POST", "/initialise", FIRST), 409, "already-initialised")
    assert admin.get("/account")["role"] == "administrator"


def test_the_rules_of_the_profile_in_force_are_told_before_login(api: Api, platform: "Platform") -> None:
    def kept(password: str) -> dict[str, bool | None]:
        answer = api.call("POST", "/password-rules", {"name": "admin", "password": password})
        return {one["rule"]: one["kept"] for one in answer.get_json()}

    assert kept("abc")["run"] is False
    platform.files.setting("smc", password_profile="modern")
    assert api.get("/status")["password_profile"] == "modern"
    assert kept("abc") == {"length": False, "known": None}
    assert kept("passwordpassword") == {"length": True, "known": False}
    assert kept("correct horse battery staple") == {"length": True, "known": True}


def test_a_recovery_code_of_the_api_sets_a_new_password_once(api: Api, platform: "Platform") -> None:
    platform.files.setting("smc", password_profile="modern")
    old, new = "gq7 mwu zrk ptb", "a quite new one, 15 long"
    problem(api.call("POST", "/initialise", FIRST | {"password": old}), 422, "protection-codes")
    made = api.call("POST", "/initialise", {"name": "admin", "password": old}).get_json()
    assert len(made["recovery_codes"]) == 10
    body = {"name": "admin", "code": made["recovery_codes"][0], "password": new}
    assert api.call("POST", "/recovery/code", body).status_code == 204
    problem(api.call("POST", "/recovery/code", body), 401, "wrong-recovery")
    api.token = api.call("POST", "/login", {"name": "admin", "password": new}).get_json()["token"]
    assert api.get("/account/recovery")["codes_left"] == 9
    assert api.call("POST", "/account/recovery/kept").status_code == 204
    assert api.get("/account/recovery")["kept_at"]
    fresh = api.call("POST", "/account/recovery/codes", {"password": new}).get_json()["codes"]
    assert not set(fresh) & set(made["recovery_codes"])
    problem(api.call("POST", "/recovery/questions", {"name": "admin"}), 409, "recovery-way")


def test_protection_answers_of_the_api_set_a_new_password(admin: Api) -> None:
    assert admin.call("POST", "/recovery/questions", {"name": "admin"}).get_json()[2] == "Question 2?"
    body = {"name": "admin", "answers": ["yes", "yes", "no"], "password": "Fresh#9753"}
    problem(admin.call("POST", "/recovery/answers", body), 401, "wrong-recovery")
    assert admin.call("POST", "/recovery/answers", body | {"answers": ["yes"] * 3}).status_code == 204
    problem(admin.call("GET", "/account"), 401, "not-logged-in")
    assert admin.get("/status")["initialised"] is True


def test_every_operation_but_the_open_ones_needs_a_login(admin: Api) -> None:
    admin.token = ""
    for one in TABLE:
        if not one.open:
            answer = admin.call(one.method, filled(one))
            problem(answer, 401, "not-logged-in")
            assert answer.headers["WWW-Authenticate"] == "Bearer"


def test_an_operator_gets_exactly_the_operations_of_the_role(admin: Api, platform: "Platform") -> None:
    with platform.session() as session:
        now = clock.now()
        session.add(models.Account(id=7, key="olga", name="Olga", password_hash="", role="operator",
                                   created_at=now, password_changed_at=now))  # fmt: skip
        session.commit()
    admin.token, _ = sessions.create(7, "Olga", "operator", "127.0.0.1", "bearer")
    allowed = set(admin.get("/account")["permissions"])
    for one in TABLE:
        if one.permission and one.permission not in allowed:
            problem(admin.call(one.method, filled(one)), 403, "not-allowed")
    assert [device["name"] for device in admin.get("/devices")] == []


def test_logout_ends_the_token(admin: Api) -> None:
    assert admin.call("POST", "/logout").status_code == 204
    problem(admin.call("GET", "/nodes"), 401, "not-logged-in")


def test_a_cookie_writes_only_with_its_csrf_token(admin: Api) -> None:
    token, one = sessions.create(1, "admin", "administrator", "127.0.0.1")
    admin.token = ""
    cookie = {"Cookie": f"{sessions.COOKIE}={token}"}
    assert admin.call("GET", "/devices", headers=cookie).status_code == 200
    problem(admin.call("POST", "/devices", RTSP, headers=cookie), 403, "csrf-token")
    problem(admin.call("POST", "/devices", RTSP, headers=cookie | {"X-CSRF-Token": "x"}), 403, "csrf-token")
    good = admin.call("POST", "/devices", RTSP, headers=cookie | {"X-CSRF-Token": one.csrf})
    assert good.status_code == 201


def test_a_device_lives_from_adding_to_removing(admin: Api) -> None:
    made = admin.call("POST", "/devices", RTSP).get_json()
    assert (made["state"], made["username"], made["url"]) == ("checking", "admin", "rtsp://198.18.0.101/live")
    assert admin.get("/devices") == [made] == [admin.get(f"/devices/{made['id']}")]
    problem(admin.call("POST", "/devices", RTSP), 409, "device-exists")
    live = admin.call("POST", f"/channels/{made['channels'][0]['id']}/live", {}).get_json()
    assert live["ws"].startswith("/mts/live/")
    assert admin.call("DELETE", f"/devices/{made['id']}").status_code == 204
    problem(admin.call("GET", f"/devices/{made['id']}"), 404, "device-unknown")


def test_a_layout_is_saved_listed_and_removed(admin: Api) -> None:
    wall = {"name": "Gates", "size": 4, "tiles": [{"channel": "0123456789abcdef-1"}], "first": True}
    made = admin.call("POST", "/layouts", wall).get_json()
    assert admin.get("/layouts") == [made]
    assert [one["stream"] for one in made["tiles"]] == ["auto"] * 4
    problem(admin.call("POST", "/layouts", wall | {"size": 5}), 422, "layout-wrong")
    assert admin.call("DELETE", f"/layouts/{made['id']}").status_code == 204
    problem(admin.call("DELETE", f"/layouts/{made['id']}"), 404, "layout-unknown")


def test_a_bookmark_is_set_listed_and_removed(admin: Api) -> None:
    channel = admin.call("POST", "/devices", RTSP).get_json()["channels"][0]["id"]
    moment = {"channel": channel, "at": 1_790_000_000_123, "name": "Van"}
    made = admin.call("POST", "/bookmarks", moment).get_json()
    assert admin.get(f"/bookmarks?channel={channel}") == [made]
    assert (made["at"], made["name"], made["by"]) == (moment["at"], "Van", "admin")
    problem(admin.call("POST", "/bookmarks", moment | {"channel": "none"}), 404, "channel-unknown")
    assert admin.call("DELETE", f"/bookmarks/{made['id']}").status_code == 204
    problem(admin.call("DELETE", f"/bookmarks/{made['id']}"), 404, "bookmark-unknown")


def test_no_answer_holds_a_password(admin: Api) -> None:
    made = admin.call("POST", "/devices", RTSP)
    texts = [made.text]
    for one in TABLE:
        if one.method == "GET":
            path = one.path.replace("<id>", made.get_json()["id"]).replace("<name>", "main-a")
            texts.append(admin.call("GET", path.replace("<service>", "mts")).text)
    assert len(texts) > 10
    assert not any(secret in text for text in texts for secret in (CAMERA, PASSWORD, "argon2"))


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"colour": "red"}, "body.colour is not known"),
        ({"name": ""}, "body.name must have 1 to 64"),
        ({"name": "x" * 65}, "body.name must have 1 to 64"),
        ({"name": 5}, "body.name must be a text"),
        ({"name": "\ud800"}, "lone surrogate"),
        ({"kind": "exec"}, "body.kind must be one of rtsp, dahua"),
        ({"kind": ["rtsp"]}, "body.kind must be one of"),
        ({"url": None}, "body.url must be a text"),
    ],
)
def test_a_body_is_read_strictly_and_the_wrong_place_named(
    admin: Api, change: dict[str, Any], why: str
) -> None:
    answer = admin.call("POST", "/devices", RTSP | change)
    problem(answer, 422, "input-wrong")
    assert why in answer.get_json()["why"]


@pytest.mark.parametrize(
    ("data", "kind", "status"),
    [
        (b"{", "application/json", 400),
        (b"\xff", "application/json", 400),
        (b'{"name": NaN}', "application/json", 400),
        (b"[" * 60_000, "application/json", 400),
        (b"9" * 5000, "application/json", 400),
        (b"[]", "application/json", 422),
        (b"{}", "text/plain", 415),
        (b"{}", "", 415),
        (b'"' + b"x" * 65_536 + b'"', "application/json", 413),
    ],
)
def test_what_is_no_json_is_refused_in_the_same_form(admin: Api, data: bytes, kind: str, status: int) -> None:
    answer = admin.call("POST", "/devices", data=data, content_type=kind)
    assert (answer.status_code, answer.mimetype) == (status, "application/problem+json"), answer.text


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=501", "limit=x", "limit=1&limit=2", "before=1e3", "what=1"]
)
def test_a_query_is_read_strictly(admin: Api, query: str) -> None:
    problem(admin.call("GET", f"/audit?{query}"), 422, "input-wrong")


def test_unknown_addresses_and_methods_are_told(admin: Api) -> None:
    problem(admin.call("GET", "/nothing"), 404, "address-unknown")
    answer = admin.call("PATCH", "/devices")
    problem(answer, 405, "method-unknown")
    assert answer.headers["Allow"] == "GET, POST"


def test_the_audit_log_tells_who_did_it_and_that_it_is_whole(admin: Api) -> None:
    made = admin.call("POST", "/devices", RTSP).get_json()
    entry = admin.get("/audit?limit=1&action=device.add")[0]
    assert (entry["actor"], entry["source"]) == ("admin", "127.0.0.1")
    assert made["id"] in entry["target"]
    assert admin.get("/audit/verify")["ok"] is True


def test_a_session_can_be_seen_and_ended(admin: Api) -> None:
    token, other = sessions.create(1, "admin", "administrator", "192.0.2.9")
    assert {one["id"]: one["own"] for one in admin.get("/sessions")}[other.id] is False
    assert other.csrf not in admin.call("GET", "/sessions").text
    assert admin.call("DELETE", f"/sessions/{other.id}").status_code == 204
    assert sessions.get(token) is None
    problem(admin.call("DELETE", f"/sessions/{other.id}"), 404, "session-unknown")


def test_a_lock_can_be_seen_and_opened(admin: Api) -> None:
    wrong = {"name": "admin", "password": "Wrong.1357"}
    assert [admin.call("POST", "/login", wrong).status_code for _ in range(6)] == [401] * 5 + [429]
    assert [(one["kind"], one["subject"]) for one in admin.get("/locks")] == [("account", "admin")]
    assert admin.call("POST", "/locks/release", {"kind": "account", "subject": "admin"}).status_code == 204
    assert admin.call("POST", "/login", wrong | {"password": PASSWORD}).status_code == 200


def test_the_document_in_the_documentation_is_the_one_that_is_served(api: Api) -> None:
    written = (ROOT / "services" / "smc" / "api" / "openapi.json").read_text(encoding="utf-8")
    assert written == openapi.as_text(), (
        "run: python -m services.smc.api.openapi services/smc/api/openapi.json"
    )
    assert api.get("/openapi.json") == json.loads(written)


def test_two_parts_of_the_api_cannot_share_a_name_and_so_a_description() -> None:
    @dataclass(frozen=True)
    class RecordingPlan:
        other: str

    paths = openapi.document()["paths"]
    body = paths["/channels/{id}/plan"]["post"]["requestBody"]["content"]["application/json"]
    assert body["schema"] == {"$ref": "#/components/schemas/RecordingPlan"}
    with pytest.raises(TypeError, match="RecordingPlan"):
        schema.describe(RecordingPlan, {})


def test_every_operation_has_its_own_name(api: Api) -> None:
    names = [one["operationId"] for path in openapi.document()["paths"].values() for one in path.values()]
    assert len(set(names)) == len(names) == len(TABLE)


@pytest.mark.parametrize(("part", "code"), [("redis", "redis-away"), ("database", "database-away")])
def test_an_engine_that_is_away_is_told_as_503_and_the_api_recovers(
    admin: Api, platform: "Platform", part: str, code: str
) -> None:
    path = platform.files.etc / "services" / "smc.json"
    good = json.loads(path.read_text())
    settings = good["settings"] | {part: good["settings"][part] | {"port": 1}}
    platform.files.service("smc", good["ports"], settings)
    store.forget()
    cache.forget()
    problem(admin.call("GET", "/nodes"), 503, code)
    platform.files.service("smc", good["ports"], good["settings"])
    store.forget()
    cache.forget()
    assert [one["name"] for one in admin.get("/nodes")] == ["main-a"]


def test_connections_that_died_are_replaced_unnoticed(admin: Api, platform: "Platform") -> None:
    admin.get("/nodes")
    with pymysql.connect(unix_socket=str(platform.mariadb.socket), user="root") as connection:
        cursor = connection.cursor()
        cursor.execute("SELECT id FROM information_schema.processlist WHERE user='dss-smc'")
        for (number,) in cursor.fetchall():
            cursor.execute("KILL %s", (number,))
    with platform.redis.client() as redis:
        redis.client_kill_filter(_type="normal", skipme=True)
    assert [one["name"] for one in admin.get("/nodes")] == ["main-a"]
