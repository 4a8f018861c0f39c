"""The certificates page, and importing a certificate for the portal."""

from typing import Any

from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from portal import guard, work
from portal.tasks import changing
from services.runtime import config
from services.runtime.errors import Problem
from services.smc import certificates, changes, nodes

blueprint = Blueprint("certificates", __name__)
LOOKS = {
    "good": ("ok", "check", "Good"),
    "ending": ("warn", "clock", "Ends soon"),
    "critical": ("bad", "alert", "Ends within days"),
    "expired": ("bad", "alert", "Ended"),
}
PURPOSES = {"node": "Server", "authority": "Authority of the site", "portal": "Portal, imported"}
LARGEST = 32 * 1024


@blueprint.get("/certificates")
def page() -> ResponseReturnValue:
    """Every certificate, and the form to import one."""
    return _page()


@blueprint.post("/certificates/import")
def add() -> ResponseReturnValue:
    """Take a certificate and its key, and show the portal with it until somebody keeps or undoes that."""
    try:
        pair = {name: _text(name) for name in ("certificate", "key")}
        warnings = _warnings(pair)
        _ask(pair)
    except Problem as problem:
        return _page(problem=problem), problem.status
    return _page(warnings=warnings) if warnings else redirect(url_for("certificates.page"), code=303)


@blueprint.post("/certificates/remove")
def remove() -> ResponseReturnValue:
    """Go back to the certificate of the site's own authority."""
    try:
        _ask(None)
    except Problem as problem:
        return _page(problem=problem), problem.status
    return redirect(url_for("certificates.page"), code=303)


def _page(**more: Any) -> str:  # noqa: ANN401 - whatever the template shows beside
    listed = nodes.listing(work.session())
    shown: dict[str, Any] = {"problem": None, "warnings": []} | more
    return render_template(
        "certificates/page.html",
        rows=certificates.of_nodes(listed),
        silent=certificates.silent(listed),
        imported=certificates.imported(),
        looks=LOOKS,
        purposes=PURPOSES,
        **shown,
    )


def _text(name: str) -> str:
    """The file that was chosen; Problem when there is none, or it is no text."""
    file = request.files.get(f"{name}_file")
    data = file.read(LARGEST + 1) if file else b""
    if not data.strip() or len(data) > LARGEST or not data.isascii():
        raise Problem(
            f"{name}-missing",
            "The certificate was not imported.",
            f"The {'private key' if name == 'key' else name} is missing, not PEM text, or larger than 32 KB.",
            "Choose its PEM file.",
            status=422,
        )
    return data.decode()


def _warnings(pair: dict[str, str]) -> tuple[str, ...]:
    # Rarely needed, and what it loads would stay in the memory of every worker.
    from services.node import portal_certificate

    node = config.load_node()
    own = tuple(dict.fromkeys(filter(None, (node.name, node.address, node.mapping_ip, guard.host()))))
    return portal_certificate.check(pair["certificate"], pair["key"], own).warnings


def _ask(value: dict[str, str] | None) -> None:
    node = config.load_node().name
    changing.order(work.session(), node, {changes.CERTIFICATE: value}, guard.account())
