"""What every page is given, and the entries of the quick jump."""

from dataclasses import dataclass
from typing import Any

from flask import Blueprint, current_app, g, jsonify, url_for
from flask.typing import ResponseReturnValue

from portal import figures, guard, work
from portal.shell import attention
from portal.shell.names import service_code
from portal.shell.navigation import pages_for
from services.smc import devices, nodes, recovery, topology

blueprint = Blueprint("shell", __name__)
blueprint.add_app_template_global(service_code)


@dataclass(frozen=True)
class Site:
    """What most pages need: the servers with their live state, and the graph with device counts."""

    nodes: list[nodes.Node]
    graph: topology.Graph


@blueprint.record_once
def _filters(state: Any) -> None:  # noqa: ANN401 - Flask's setup state has no narrower public type
    figures.install(state.app)


@blueprint.app_context_processor
def _frame() -> dict[str, Any]:
    found: dict[str, Any] = {
        "site_name": current_app.config["SITE"],
        "version": current_app.config["VERSION"],
    }
    account = g.get("account")
    if account is not None:
        found |= {"account": account, "navigation": pages_for(account.permissions), "to_look_at": to_look_at}
    return found


def to_look_at() -> list[attention.Item]:
    """What needs a person, for the chip; empty for an account that may not see the servers."""
    if "nodes.view" not in guard.account().permissions:
        return []
    found = site()
    own = recovery.of_account(work.session(), guard.account())
    return attention.items(found.nodes, found.graph) + attention.of_recovery(own)


def site() -> Site:
    """The servers and their devices, read once per request."""
    if "site" not in g:
        g.site = Site(nodes.listing(work.session()), topology.graph(work.session()))
    found: Site = g.site
    return found


@blueprint.get("/jump.json")
def jump() -> ResponseReturnValue:
    """Pages, servers and devices this account may open, for Ctrl+K."""
    account, session = guard.account(), work.session()
    entries = [
        {"name": link.name, "kind": "page", "href": url_for(link.endpoint)}
        for _, links in pages_for(account.permissions)
        for link in links
    ]
    if "nodes.view" in account.permissions:
        for node in nodes.listing(session):
            entries.append(
                {"name": node.name, "kind": "server", "href": url_for("servers.card", name=node.name)}
            )
            entries.append({"name": f"Services of {node.name}", "kind": "page",
                            "href": url_for("manager.page", node=node.name)})  # fmt: skip
    if "devices.view" in account.permissions:
        entries += [
            {"name": one.name, "kind": "device", "href": url_for("devices.card", id=one.id)}
            for one in devices.listing(session)
        ]
    return jsonify(entries=entries)
