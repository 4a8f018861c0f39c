"""Changes at run time of one node: ports, addresses, TLS 1.0, portal certificate; undone unless confirmed."""

import re
import time
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from services.runtime import config
from services.runtime.errors import Problem
from services.smc import audit, manager, mapping_grants, models, peers, ports
from services.smc.accounts import Account

ID = re.compile(r"[0-9a-f]{32}")
PERMISSION = "network.manage"
CERTIFICATE = "portal_certificate"
UNDECIDED = {"asked", "checking"}
OPEN = {*UNDECIDED, "applying", "waiting", "undoing"}
PATIENCE, POLL = 12.0, 0.2


@dataclass(frozen=True)
class Line:
    """One line of a change's log; `at` is seconds since 1970."""

    at: float
    text: str


@dataclass(frozen=True)
class Change:
    """A change as its node has it.

    `state`: asked, checking, refused, applying, waiting (for confirmation), kept, undoing, undone, failed.
    `affected` names units with what is done to them; `parts` what else follows, in words. `seconds_left`
    counts while it waits. `healthy_after`: seconds from the first write until all was well. `began`: seconds
    since 1970.
    """

    id: str
    node: str
    by: str
    state: str
    request: dict[str, Any]
    affected: dict[str, str]
    parts: list[str]
    seconds_left: int | None
    healthy_after: float
    problem: dict[str, Any] | None
    log: list[Line] = field(default_factory=list)
    began: float = 0.0

    @property
    def words(self) -> str:
        """What was asked for, in a few words."""
        return words(self.request)


def request(session: Session, node: str, asked: dict[str, Any], account: Account) -> Change:
    """Order a change; audited. Problem when the node refuses it; else it is applied, and then waits."""
    account.need(PERMISSION)
    check_among_nodes(session, node, asked)
    entry: dict[str, Any] = {"target": node, "actor": account.name, "source": account.source}
    # Before it is sent: a power cut must not hide a change that was made.
    audit.write(session, "change.request", details=shown(asked), **entry)
    try:
        peer = manager.address(session, node)
        if asked.get("mapping_ip"):
            # The one before stays good as well: the change may be undone.
            mapping_grants.give(session, node, asked["mapping_ip"], account, alone=False)
        answer = peers.call(peer, "POST", "/changes", asked | {"by": account.name})
        return _decided(peer, node, peers.parsed(node, lambda: str(answer["id"])))
    except Problem as problem:
        details = {"code": problem.code, "why": problem.why}
        audit.write(session, "change.request", outcome="refused", details=details, **entry)
        raise


def shown(asked: dict[str, Any]) -> dict[str, Any]:
    """A request without what nobody may read again: the key of a certificate."""
    value = asked.get(CERTIFICATE)
    if not isinstance(value, dict):
        return asked
    return asked | {
        CERTIFICATE: {key: text for key, text in value.items() if key not in {"certificate", "key"}}
    }


def _decided(peer: peers.Peer, node: str, id: str) -> Change:
    """The change once its node has checked it; Problem with the node's own words when it refuses."""
    end = time.monotonic() + PATIENCE
    found = None
    while found is None or (found.state in UNDECIDED and time.monotonic() < end):
        time.sleep(POLL)
        try:
            found = read(node, peers.call(peer, "GET", f"/changes/{id}"))
        except Problem:
            # The agent or its gateway is being restarted by the change: then it was not refused.
            if found is None and time.monotonic() > end:
                raise
            if found is not None:
                return found
    if found.state == "refused" and found.problem:
        told = found.problem
        what, why, remedy = (str(told.get(key, "")) for key in ("what", "why", "remedy"))
        raise Problem(str(told.get("code")), what, why, remedy, int(told.get("status", 422)))
    return found


def listing(session: Session, node: str) -> list[Change]:
    """The last changes of a node, newest first."""
    rows = peers.call(manager.address(session, node), "GET", "/changes")
    return peers.parsed(node, lambda: [read(node, row) for row in rows])


def get(session: Session, node: str, id: str) -> Change:
    """One change; Problem 404."""
    return read(node, peers.call(manager.address(session, node), "GET", f"/changes/{_id(id)}"))


def answer(session: Session, node: str, id: str, word: str, account: Account) -> Change:
    """`confirm` or `undo` an open change; audited."""
    account.need(PERMISSION)
    peer = manager.address(session, node)
    found = read(node, peers.call(peer, "POST", f"/changes/{_id(id)}/{word}"))
    if word == "confirm" and "mapping_ip" in found.request:
        mapping_grants.give(session, node, found.request["mapping_ip"], account)
    by = {"actor": account.name, "source": account.source}
    audit.write(session, f"change.{word}", node, details=found.request, **by)
    return found


def words(asked: dict[str, Any]) -> str:
    """A request in a few words."""
    if "ports" in asked:
        return ", ".join(f"{key} to port {number}" for key, number in asked["ports"].items())
    if "mapping_ip" in asked:
        return f"mapping IP {asked['mapping_ip'] or 'none'}"
    if "address" in asked:
        return f"CMS IP {asked['address']}"
    if CERTIFICATE in asked:
        if asked[CERTIFICATE] is None:
            return "the site's own certificate for the portal"
        return f"certificate for the portal: {', '.join(asked[CERTIFICATE].get('names', [])) or 'not usable'}"
    if "tls10" in asked:
        return f"TLS 1.0 {'on' if asked['tls10'] else 'off'}"
    return "address and numbers of main" if "center" in asked else ""


def check_among_nodes(session: Session, node: str, asked: dict[str, Any]) -> None:
    """What only main can see: two nodes behind one outside address need different numbers."""
    others = [one for one in session.scalars(select(models.Node)).all() if one.name != node]
    own = session.get(models.Node, node)
    session.rollback()
    wanted = asked.get("mapping_ip", own.mapping_ip if own else None)
    if not wanted or not {"mapping_ip", "ports"} & set(asked):
        return
    if holder := next((one for one in others if one.address == wanted), None):
        raise Problem("mapping-taken", "The change was not made.",
                      f"{wanted} is the address of {holder.name}.",
                      "Enter the address outside the router that leads to this node.", 409)  # fmt: skip
    for other in (one for one in others if one.mapping_ip == wanted):
        _differ(session, node, other.name, asked.get("ports", {}))


def _differ(session: Session, node: str, other: str, new: dict[str, int]) -> None:
    own, theirs = (_mapped(session, name) for name in (node, other))
    own |= {key: (new[key], proto) for key, (_, proto) in own.items() if key in new}
    for key, place in own.items():
        if taken := next((k for k, p in theirs.items() if p == place), None):
            raise Problem(
                "mapping-clash", "The change was not made.",
                f"{key} of {node} and {taken} of {other} would both be {place[0]}/{place[1]} there.",
                "Give one of them another port, or its own mapping IP.", 409,
            )  # fmt: skip


def _mapped(session: Session, node: str) -> dict[str, tuple[int, str]]:
    rows = ports.of_node(session, node).rows
    chosen = (r for r in rows if r.get("must_map") and r["status"] == "built")
    return {f"{r['service']}.{r['name']}": (int(r["port"]), str(r["protocol"])) for r in chosen}


def read(node: str, row: dict[str, Any]) -> Change:
    """A change from the JSON of its node's agent; Problem when that lacks something."""
    return peers.parsed(node, lambda: _change(node, row))


def _change(node: str, row: dict[str, Any]) -> Change:
    left = max(0, int(row["ends"] - time.time())) if row["state"] == "waiting" else None
    affected = row["affected"]
    return Change(
        row["id"], node, row["by"], row["state"],
        shown({key: value for key, value in row["request"].items() if key not in {"id", "at", "by"}}),
        affected["units"], parts(affected["paths"], node), left, row["healthy_after"], row["problem"],
        [Line(one["at"], one["text"]) for one in row["log"]], row["began"],
    )  # fmt: skip


PARTS = {
    "/etc/dss/engines/nginx.conf": "access routes of DSS_NGINX",
    "/etc/dss/firewall.nft": "firewall",
    "/etc/dss/ports.json": "port matrix and router rules",
    "/etc/dss/node.json": "addresses in every answer",
    "/etc/dss/portal-certificate.json": "certificate of the portal",
}


def parts(paths: list[str], node: str) -> list[str]:
    """What follows a change besides units, from the files it wrote."""
    found = [word for path, word in PARTS.items() if path in paths]
    main = node == config.load_node().name
    moved = {"/etc/dss/services/nginx.json", "/etc/dss/services/mq.json", "/etc/dss/node.json"} & set(paths)
    return [*found, "the other nodes' way to main"] if main and moved else found


def _id(id: str) -> str:
    if not ID.fullmatch(id):
        raise Problem("change-unknown", "There is no such change.", "The id is wrong.",
                      "Look at the list of changes.", 404)  # fmt: skip
    return id
