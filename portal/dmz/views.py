"""The five steps: who is outside, which address, what becomes reachable, does it answer, set it."""

from typing import Any

from flask import Blueprint, Response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from portal import guard, work
from portal.dmz.forms import Answers, wrong
from portal.tasks import changing
from services.runtime import config
from services.runtime.errors import Problem
from services.smc import changes, dmz, nodes

blueprint = Blueprint("dmz", __name__)
STEPS = (
    ("scenario", "Scenario"),
    ("address", "Address"),
    ("listing", "List and router"),
    ("test", "Test"),
    ("apply", "Apply"),
)
TITLES = {
    "nftables": "Linux with nftables",
    "openwrt": "OpenWrt",
    "mikrotik": "MikroTik RouterOS 7",
    "cisco": "Cisco IOS",
    "opnsense": "OPNsense",
    "pfsense": "pfSense",
}


@blueprint.app_context_processor
def _words() -> dict[str, Any]:
    return {"dmz_steps": STEPS, "dmz_vendors": TITLES} if request.blueprint == "dmz" else {}


@blueprint.get("/dmz")
def scenario() -> ResponseReturnValue:
    """Step 1: who is outside."""
    return _shown("scenario", _answers())


@blueprint.get("/dmz/address")
def address() -> ResponseReturnValue:
    """Step 2: the outside address, and the router."""
    answers = _answers()
    if not answers.scopes:
        return _shown("scenario", answers, _nobody())
    return _shown("address", answers)


@blueprint.get("/dmz/list")
def listing() -> ResponseReturnValue:
    """Step 3: what becomes reachable, and the configuration for each kind of router."""
    return _planned("listing")


@blueprint.get("/dmz/files/<name>")
def file(name: str) -> ResponseReturnValue:
    """One file of step 3, to be saved."""
    plan = dmz.plan(work.session(), _answers().wish)
    found = plan.files | plan.removal
    if name not in found:
        raise Problem("file-unknown", "There is no such file.", f"This router needs no {name!r}.",
                      "Use the links of the page.", 404)  # fmt: skip
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return Response(found[name], mimetype="text/plain", headers=headers)


@blueprint.get("/dmz/test")
def test() -> ResponseReturnValue:
    """Step 4, before anything was tried."""
    return _planned("test")


@blueprint.post("/dmz/test")
def attempt() -> ResponseReturnValue:
    """Step 4: try every mapped port from here."""
    try:
        return _planned("test", results=dmz.test(work.session(), _answers().wish, guard.account()))
    except Problem as problem:
        return _shown("address", _answers(), problem)


@blueprint.get("/dmz/apply")
def apply() -> ResponseReturnValue:
    """Step 5: set the mapping IP here, and what to run for the router."""
    return _planned("apply")


@blueprint.post("/dmz/apply")
def order() -> ResponseReturnValue:
    """Set the mapping IP; it is undone unless it is kept."""
    answers, session = _answers(), work.session()
    try:
        wish = dmz.checked(session, answers.wish)
        changing.order(session, wish.node, {"mapping_ip": wish.address}, guard.account())
    except Problem as problem:
        return _planned("apply", refused=problem)
    return redirect(url_for("dmz.apply", **answers.query), code=303)


def _answers() -> Answers:
    return Answers.read(config.load_node().name)


def _planned(step: str, **more: Any) -> tuple[str, int]:  # noqa: ANN401 - a template takes anything
    answers = _answers()
    try:
        plan = dmz.plan(work.session(), answers.wish)
    except Problem as problem:
        if problem.code == "dmz-interface" and answers.vendor != answers.kind:
            # Another vendor is looked at: its router may well have an interface of another name.
            return _shown(step, answers, plan=None, unnamed=problem)
        return _shown("address" if answers.scopes else "scenario", answers, problem)
    page, status = _shown(step, answers, plan=plan, **more)
    return page, more["refused"].status if "refused" in more else status


def _shown(step: str, answers: Answers, problem: Problem | None = None, **more: Any) -> tuple[str, int]:  # noqa: ANN401
    servers = nodes.listing(work.session())
    page = render_template(
        f"dmz/{step}.html", step=step, answers=answers, servers=servers,
        chosen=next((one for one in servers if one.name == answers.node), None),
        wrong=wrong(problem) if problem else {},
        may=changes.PERMISSION in guard.account().permissions, **more,
    )  # fmt: skip
    return page, problem.status if problem else 200


def _nobody() -> Problem:
    return Problem("dmz-scopes", "The mapping cannot be planned.", "Nobody outside was chosen.",
                   "Choose clients, devices, or both.", 422)  # fmt: skip
