"""One database session per request, opened at first use and closed at the end whatever happened."""

from flask import Flask, g
from sqlalchemy.orm import Session

from services.smc import store


def session() -> Session:
    """This request's session. The functions of `services.smc` commit by themselves."""
    if "session" not in g:
        g.session = Session(store.engine(), expire_on_commit=False)
    return g.session  # type: ignore[no-any-return]


def _close(_error: BaseException | None) -> None:
    one: Session | None = g.pop("session", None)
    if one is not None:
        one.close()


def install(app: Flask) -> None:
    """Close the session when a request of `app` ends."""
    app.teardown_request(_close)
