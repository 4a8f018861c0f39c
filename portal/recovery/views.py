"""A new password for whoever forgot it, before login; the own recovery codes, after it."""

from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from portal import guard, work
from portal.recovery.forms import ResetForm
from portal.recovery.pages import codes_page
from services.runtime.errors import Problem
from services.smc import passwords, recovery

blueprint = Blueprint("recovery", __name__)


@blueprint.get("/forgotten")
@blueprint.post("/forgotten")
def forgotten() -> ResponseReturnValue:
    """Ask for account, proof and new password; with protection questions, for the account first."""
    form = ResetForm.read(request.form)
    if passwords.profile() == passwords.CLASSIC and not form.name:
        return render_template("recovery/account.html")
    return _form(form)


@blueprint.post("/forgotten/reset")
def reset() -> ResponseReturnValue:
    """Set the new password if the proof is right."""
    form = ResetForm.read(request.form)
    try:
        if form.complete() and _reset(form):
            return redirect(url_for("account.login", reset=1), code=303)
    except Problem as problem:
        return _form(form, problem), problem.status
    return _form(form), 422


@blueprint.get("/account/recovery")
def own() -> ResponseReturnValue:
    """How the own account comes back from a forgotten password."""
    return _own(None)


@blueprint.post("/account/recovery")
def renew() -> ResponseReturnValue:
    """Ten new codes, for the own password."""
    try:
        password = request.form.get("password", "")
        return codes_page(recovery.new_codes(work.session(), guard.account(), password))
    except Problem as problem:
        return _own(problem), problem.status


@blueprint.post("/account/recovery/kept")
def kept() -> ResponseReturnValue:
    """The user says that the codes are kept."""
    if request.form.get("kept") == "yes":
        recovery.keep(work.session(), guard.account())
    return redirect(url_for("home.page"), code=303)


def _reset(form: ResetForm) -> bool:
    try:
        if passwords.profile() == passwords.CLASSIC:
            recovery.by_answers(work.session(), form.name, form.answers, form.password, guard.source())
        else:
            recovery.by_code(work.session(), form.name, form.code, form.password, guard.source())
    except Problem as problem:
        form.take(problem)
    return not form.wrong


def _form(form: ResetForm, problem: Problem | None = None) -> str:
    classic = passwords.profile() == passwords.CLASSIC
    asked = recovery.questions(work.session(), form.name) if classic else []
    return render_template("recovery/forgotten.html", form=form, problem=problem, questions=asked,
                           rules=passwords.rules("", form.name))  # fmt: skip


def _own(problem: Problem | None) -> str:
    found = recovery.of_account(work.session(), guard.account())
    return render_template("recovery/own.html", recovery=found, problem=problem)
