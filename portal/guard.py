"""Who may come in: all is closed except what stands in OPEN, and every write proves where it came from."""

import hmac
import ipaddress
import secrets
from hashlib import sha256
from urllib.parse import urlsplit

from flask import Flask, Response, current_app, g, redirect, request, url_for
from flask.typing import ResponseReturnValue

from portal import work
from portal.shell.navigation import NEEDS
from services.runtime.errors import Problem
from services.smc import accounts, certificates, sessions
from services.smc.accounts import Account

# The whole list of what opens without a login. Nothing else does.
OPEN = frozenset(
    {"static", "about.health", "account.login", "account.initialise", "account.password_rules",
     "recovery.forgotten", "recovery.reset"}
)  # fmt: skip
# These prove their callers themselves: by Bearer token, and by the node certificate that nginx checked.
OWN_PROOF = frozenset({"api", "cluster"})
# What may be opened before the first account exists.
BEFORE_FIRST_ACCOUNT = OPEN - {"account.login", "recovery.forgotten", "recovery.reset"}

VISIT = "__Host-dss-visit"
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
COOKIE_FLAGS = {"secure": True, "httponly": True, "samesite": "Strict", "path": "/"}


def token() -> str | None:
    """The session token of this request's cookie."""
    return request.cookies.get(sessions.COOKIE)


def account() -> Account:
    """Who makes this request; only for pages that are not open."""
    found: Account = g.account
    return found


def source() -> str:
    """The caller's address, as our nginx saw it."""
    return request.remote_addr or "unknown"


def host() -> str:
    """The name or address by which the browser opened the portal, without port and brackets."""
    return urlsplit(f"//{request.host}").hostname or ""


def csrf_token() -> str:
    """What a form must bring back: bound to the session, or before login to this browser's visit."""
    one: sessions.Session | None = g.get("login")
    return one.csrf if one else _visit_token(_visit())


def _visit() -> str:
    if "visit" not in g:
        known = request.cookies.get(VISIT, "")
        g.visit = known if len(known) == 43 else secrets.token_urlsafe(32)
    return str(g.visit)


def _visit_token(visit: str) -> str:
    return hmac.new(current_app.config["SECRET"].encode(), f"form {visit}".encode(), sha256).hexdigest()


def _check_host() -> None:
    name = host()
    try:
        # Only names can be pointed at us by others (DNS rebinding); an address cannot.
        ipaddress.ip_address(name)
    except ValueError:
        if name not in current_app.config["HOSTS"] | {"localhost"} and not certificates.stands_for(name):
            raise Problem(
                "unknown-host", "This portal is not known by that name.",
                f"{name!r} is none of this server's names.",
                "Open the portal by the server's address, or add the name to its /etc/hosts.", status=421,
            ) from None  # fmt: skip


def _check_form() -> None:
    if request.method in SAFE:
        return
    given = request.headers.get("X-CSRF-Token") or request.form.get("csrf", "")
    foreign = request.headers.get("Sec-Fetch-Site", "same-origin") not in {"same-origin", "none"}
    if foreign or not hmac.compare_digest(given.encode(), csrf_token().encode()):
        raise Problem(
            "form-expired", "Nothing was changed.",
            "The form did not come from this session: it is too old, or was sent by another site.",
            "Open the page again and repeat the last step.", status=403,
        )  # fmt: skip


def _initialised() -> bool:
    # It never becomes false again, so a yes is remembered for the life of the process.
    if not current_app.extensions.get("dss-initialised"):
        current_app.extensions["dss-initialised"] = accounts.initialised(work.session())
    return bool(current_app.extensions["dss-initialised"])


def _to_login() -> ResponseReturnValue:
    if request.headers.get("HX-Request"):
        return Response(status=401, headers={"HX-Redirect": url_for("account.login", ended=1)})
    if request.method not in SAFE or request.accept_mimetypes.best == "application/json":
        sessions.needed(None)
    here = request.full_path.rstrip("?")
    return redirect(url_for("account.login", next=here if here != "/" else None))


def _admit() -> ResponseReturnValue | None:
    if request.blueprint in OWN_PROOF:
        return None
    if request.endpoint not in {"static", "about.health"}:
        _check_host()
        if request.endpoint not in BEFORE_FIRST_ACCOUNT and not _initialised():
            return redirect(url_for("account.initialise"))
    if request.endpoint in OPEN:
        _check_form()
        return None
    return _admit_account()


def _admit_account() -> ResponseReturnValue | None:
    known = token()
    # A page that refreshes itself is not use: an unattended screen must time out.
    polls = request.args.get("poll") == "1"
    g.login = sessions.get(known, touch=not polls) if known else None
    if g.login is None:
        return _to_login()
    g.account = accounts.account_of(work.session(), known, source(), touch=not polls)
    if request.blueprint in NEEDS and (permission := NEEDS[request.blueprint]):
        g.account.need(permission)
    _check_form()
    return None


def _keep_visit(response: Response) -> Response:
    if "visit" in g and request.cookies.get(VISIT) != g.visit:
        response.set_cookie(VISIT, g.visit, **COOKIE_FLAGS)  # type: ignore[arg-type]
    return response


def install(app: Flask) -> None:
    """Every request of `app` passes here first, including those for addresses that do not exist."""
    app.before_request(_admit)
    app.after_request(_keep_visit)
    app.add_template_global(csrf_token)
