"""The page of a channel's recording plan, and orders about its recording."""

from dataclasses import asdict
from typing import Any

from flask import Blueprint, jsonify, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from portal import guard, work
from portal.plans import forms
from services.media import plans
from services.runtime.errors import Problem
from services.smc import evidence, live, recordings

blueprint = Blueprint("plans", __name__)
MODES = {
    "off": ("Off", "Nothing is recorded."),
    "continuous": ("Always", "Every picture is recorded."),
    "event": ("On events", "Recorded when an event comes, with the seconds before it."),
    "manual": ("By hand", "Recorded while somebody wants it: Record now, on this page or by the API."),
    "weekly": ("By the week", "Always, on events, or not at all, as the week below says."),
}

STREAMS = {
    plans.MAIN: ("Main stream", "The full picture, for faces and number plates. The most disk."),
    plans.SUB: ("Sub stream", "The small picture alone: little disk for long, without detail to zoom into."),
    plans.BOTH: (
        "Both",
        "The small one too, for many pictures at once and where the full one is missing. Disk for both.",
    ),
}


@blueprint.get("/plans/<channel>")
def page(channel: str) -> ResponseReturnValue:
    """The plan of a channel as a week that can be changed by mouse, keys and text."""
    plan = recordings.plan(work.session(), channel, guard.account())
    shown = {
        "mode": plan.mode,
        "pre": plan.pre,
        "post": plan.post,
        "sound": plan.sound,
        "fetch": plan.fetch,
        "streams": plan.streams,
        "days": forms.rows(plan),
    }
    return render_template("plans/page.html", form=shown, wrong="", **_frame(channel, plan))


@blueprint.post("/plans/<channel>")
def change(channel: str) -> ResponseReturnValue:
    """Take the plan of the form; one that is none is shown again with what is wrong."""
    try:
        recordings.change_plan(work.session(), channel, forms.wanted(request.form), guard.account())
    except (ValueError, Problem) as error:
        if isinstance(error, Problem) and error.status not in (409, 422):
            raise
        return _again(channel, error.why if isinstance(error, Problem) else f"{error}."), 422
    return redirect(url_for("plans.page", channel=channel), code=303)


@blueprint.get("/plans/<channel>/now")
def now(channel: str) -> ResponseReturnValue:
    """What is recorded at this moment, and the button; without the frame."""
    return _fragment("plans/now.html", channel, lambda: evidence.state(*_who(channel)))


@blueprint.post("/plans/<channel>/press")
def press(channel: str) -> ResponseReturnValue:
    """Begin or end recording by hand."""
    do = "stop" if request.form.get("do") == "stop" else "start"
    evidence.press(work.session(), channel, do, guard.account())
    return redirect(url_for("plans.page", channel=channel), code=303)


@blueprint.get("/plans/<channel>/locks")
def locks(channel: str) -> ResponseReturnValue:
    """What is locked; without the frame."""
    return _fragment("plans/locks.html", channel, lambda: evidence.locks(*_who(channel)))


@blueprint.post("/plans/<channel>/locks")
def lock(channel: str) -> ResponseReturnValue:
    """Lock `start` to `end` (milliseconds since 1970): `services.smc.evidence.EvidenceLock`."""
    start, end = (request.form.get(name, -1, type=int) for name in ("start", "end"))
    note = request.form.get("note", "")[:200]
    return jsonify(asdict(evidence.lock(work.session(), channel, start, end, note, guard.account())))


@blueprint.post("/plans/<channel>/locks/<id>/remove")
def unlock(channel: str, id: str) -> ResponseReturnValue:
    """Let what was locked be deleted when its time comes."""
    evidence.unlock(work.session(), channel, id, guard.account())
    return redirect(url_for("plans.page", channel=channel), code=303)


def _who(channel: str) -> tuple[Any, str, Any]:
    return work.session(), channel, guard.account()


def _fragment(template: str, channel: str, ask: Any) -> str:  # noqa: ANN401 - one question or the other
    """A part of the page that only the channel's node knows; why not, where that cannot be asked."""
    try:
        return render_template(template, channel=channel, found=ask(), trouble=None)
    except Problem as problem:
        if problem.status not in (409, 502, 503, 504) and problem.code != "channel-not-here":
            raise
        return render_template(template, channel=channel, found=None, trouble=problem)


def _again(channel: str, why: str) -> str:
    plan = recordings.plan(work.session(), channel, guard.account())
    names = enumerate(forms.rows(plan))
    days = [
        row | {kind: request.form.get(f"{kind}-{n}", "") for kind in (plans.CONTINUOUS, plans.EVENT)}
        for n, row in names
    ]
    form: dict[str, Any] = {
        key: request.form.get(key, "") for key in ("mode", "pre", "post", "sound", "fetch", "streams")
    }
    form |= {"days": days}
    return render_template("plans/page.html", form=form, wrong=why, **_frame(channel, plan))


def _frame(channel: str, plan: plans.Plan) -> dict[str, Any]:
    return {"channel": live.known(work.session(), channel), "zone": plan.zone, "modes": MODES,
            "choices": STREAMS}  # fmt: skip
