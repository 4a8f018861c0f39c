"""The pages before the shell: initialisation (once) and login; and the way out."""

from urllib.parse import urlsplit

from flask import Blueprint, Response, g, jsonify, make_response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from werkzeug.wrappers import Response as BaseResponse

from portal import guard, work
from portal.account.forms import InitialiseForm
from portal.recovery.pages import codes_page
from services.runtime.errors import Problem
from services.smc import accounts, passwords, recovery, recovery_codes, sessions

blueprint = Blueprint("account", __name__)


def safe_next(text: str) -> str:
    """A page of this portal to go to after login; the home page for anything else."""
    parts = urlsplit(text)
    inside = text.startswith("/") and not text.startswith(("//", "/\\")) and not parts.netloc
    return text if inside and text.isprintable() else url_for("home.page")


@blueprint.get("/initialise")
@blueprint.post("/initialise")
def initialise() -> ResponseReturnValue:
    """Make the first administrator; afterwards this page says that it is done."""
    if accounts.initialised(work.session()):
        return render_template("account/done.html"), 200 if request.method == "GET" else 409
    form = InitialiseForm.read(request.form) if request.method == "POST" else InitialiseForm.blank()
    codes = recovery_codes.draw() if passwords.profile() == passwords.MODERN else []
    if request.method == "POST" and form.complete() and _initialise(form, codes):
        opened = _open(form.name, form.password)
        return _with_cookie(codes_page(codes) if codes else redirect(url_for("home.page"), code=303), opened)
    rules = passwords.rules("", form.name)
    page = render_template("account/initialise.html", form=form, rules=rules, suggested=recovery.SUGGESTED,
                           profile=passwords.profile())  # fmt: skip
    return page, 422 if form.wrong else 200


@blueprint.post("/password-rules")
def password_rules() -> ResponseReturnValue:
    """Which rules the typed password breaks: the page shows it while typing, the platform judges again."""
    password = request.form.get("password", "")[:200]
    rules = passwords.rules(password, request.form.get("name", "")[:200])
    broken = [one.rule for one in rules if one.kept is False]
    return jsonify(broken=broken, open=[one.rule for one in rules if one.kept is None], empty=not password)


@blueprint.get("/login")
@blueprint.post("/login")
def login() -> ResponseReturnValue:
    """Name and password in, session cookie out."""
    onward = safe_next(request.values.get("next", "/"))
    name = request.form.get("name", "").strip()
    if request.method == "GET":
        return render_template("account/login.html", name="", onward=onward, problem=None)
    try:
        return _welcome(name, request.form.get("password", ""), onward)
    except Problem as problem:
        page = render_template("account/login.html", name=name, onward=onward, problem=problem)
        return page, problem.status


@blueprint.post("/logout")
def logout() -> ResponseReturnValue:
    """End the session and forget the cookie."""
    accounts.logout(work.session(), guard.token() or "")
    response = redirect(url_for("account.login", left=1), code=303)
    response.delete_cookie(sessions.COOKIE, path="/", secure=True, httponly=True, samesite="Strict")
    # Pictures and pages of the account must not stay in the browser's caches.
    response.headers["Clear-Site-Data"] = '"cache"'
    return response


def _initialise(form: InitialiseForm, codes: list[str]) -> bool:
    try:
        accounts.initialise(work.session(), form.name, form.password, form.answers, guard.source(), codes)
    except Problem as problem:
        form.take(problem)
    return not form.wrong


def _welcome(name: str, password: str, onward: str) -> ResponseReturnValue:
    return _with_cookie(redirect(onward, code=303), _open(name, password))


def _open(name: str, password: str) -> accounts.Login:
    result = accounts.login(work.session(), name, password, guard.source())
    # Whoever logs in again in this browser leaves no second session behind.
    if old := guard.token():
        sessions.end(old)
    g.pop("visit", None)
    # A form on the page that answers this request belongs to the new session.
    g.login = result.session
    return result


def _with_cookie(page: str | BaseResponse, opened: accounts.Login) -> Response:
    response = make_response(page)
    response.set_cookie(sessions.COOKIE, opened.token, **guard.COOKIE_FLAGS)  # type: ignore[arg-type]
    return response
