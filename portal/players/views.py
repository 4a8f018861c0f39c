"""The list of accounts of RTSP players, their form, and the one page that shows a secret."""

import time
from typing import Any

from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from portal import guard, work
from portal.players.forms import PlayerForm
from services.runtime.errors import Problem
from services.smc import devices, player_accounts
from services.smc.player_accounts import PlayerAccount, PlayerSecret

blueprint = Blueprint("players", __name__)


@blueprint.get("/players")
def page() -> ResponseReturnValue:
    """All accounts by name."""
    names = {one.id: one.name for one in devices.pictures(work.session())}
    players = player_accounts.listing(work.session(), guard.account())
    cameras = {one.name: [names[id] for id in one.channels or () if id in names] for one in players}
    return render_template("players/page.html", players=players, cameras=cameras, now=time.time() * 1000)


@blueprint.get("/players/add")
def add_form() -> ResponseReturnValue:
    """The empty form."""
    return _form(PlayerForm(), new=True)


@blueprint.post("/players/add")
def add() -> ResponseReturnValue:
    """Make an account and show its secret."""
    form = PlayerForm.read(request.form, request.form.getlist("c"))
    try:
        made = player_accounts.add(work.session(), form.name, form.rights(), guard.account())
    except (ValueError, Problem) as error:
        return _again(form, error, new=True)
    return _secret(made)


@blueprint.get("/players/<name>")
def card(name: str) -> ResponseReturnValue:
    """The form of an account."""
    return _form(PlayerForm.of(_one(name)))


@blueprint.post("/players/<name>")
def change(name: str) -> ResponseReturnValue:
    """Give an account other rights."""
    form = PlayerForm.read(request.form, request.form.getlist("c"))
    form.name = name
    try:
        player_accounts.change(work.session(), name, form.rights(), guard.account())
    except (ValueError, Problem) as error:
        return _again(form, error)
    return redirect(url_for("players.page"), code=303)


@blueprint.post("/players/<name>/secret")
def renew(name: str) -> ResponseReturnValue:
    """Make another secret and show it."""
    return _secret(player_accounts.renew(work.session(), name, guard.account()))


@blueprint.post("/players/<name>/remove")
def remove(name: str) -> ResponseReturnValue:
    """Forget an account."""
    player_accounts.remove(work.session(), name, guard.account())
    return redirect(url_for("players.page"), code=303)


def _one(name: str) -> PlayerAccount:
    return player_accounts.get(work.session(), name, guard.account())


def _form(form: PlayerForm, new: bool = False) -> str:
    return render_template("players/form.html", form=form, new=new, channels=devices.pictures(work.session()))


def _again(form: PlayerForm, error: Exception, new: bool = False) -> ResponseReturnValue:
    """The form once more, with what is wrong; a Problem that is not about it is shown as everywhere."""
    if isinstance(error, Problem) and error.code not in ("account-name", "player-wrong", "channel-unknown"):
        raise error
    form.wrong = f"{error.why} {error.remedy}" if isinstance(error, Problem) else str(error)
    return _form(form, new), 422


def _secret(made: PlayerSecret) -> str:
    known = _one(made.name)
    told: list[dict[str, Any]] = [
        {"name": channel.name, "lan": _with(urls.lan, made), "wan": urls.wan and _with(urls.wan, made)}
        for channel, urls in player_accounts.addresses(work.session(), known.channels)
    ]
    return render_template("players/secret.html", made=made, addresses=told)


def _with(url: str, made: PlayerSecret) -> str:
    return url.replace("://", f"://{made.name}:{made.secret}@", 1)
