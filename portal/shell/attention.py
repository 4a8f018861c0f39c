"""What needs a person: one list, from which the chip in the header and the home page are made."""

from dataclasses import dataclass

from flask import url_for

from portal.shell.names import service_code
from services.smc import backups, certificates, passwords
from services.smc.certificates import Certificate
from services.smc.nodes import Node
from services.smc.recovery import Recovery
from services.smc.topology import Graph

FEW_CODES = 3


@dataclass(frozen=True)
class Item:
    """One thing to look at: `kind` bad or warn, what it is, and the page that mends it."""

    kind: str
    text: str
    href: str
    action: str


def items(nodes: list[Node], graph: Graph) -> list[Item]:
    """Everything about `nodes` and their devices, worst first."""
    found = [item for node in nodes for item in _of_node(node)]
    for vertex in graph.vertices:
        missing = vertex.cameras - vertex.cameras_online
        if missing:
            text = f"{missing} of {vertex.cameras} devices on {vertex.label} {_are(missing)} not online."
            found.append(Item("bad", text, url_for("devices.page", show="trouble"), "Show them"))
    found += [_of_certificate(one) for one in certificates.of_nodes(nodes) if one.state != "good"]
    return sorted(found, key=lambda item: item.kind != "bad")


def of_recovery(own: Recovery) -> list[Item]:
    """What the own account lacks to come back from a forgotten password."""
    codes = own.codes
    if own.profile == passwords.CLASSIC or (codes.kept_at and codes.left >= FEW_CODES):
        return []
    text = f"{codes.left} of your recovery codes {_are(codes.left)} left."
    if not codes.made_at:
        text = "You have no recovery codes."
    elif not codes.kept_at:
        text = "Nobody said that your recovery codes are kept."
    return [Item("warn", text, url_for("recovery.own"), "Make new ones")]


def _of_certificate(one: Certificate) -> Item:
    what = {"node": "The certificate", "portal": "The portal's certificate"}.get(one.purpose, "The authority")
    when = f"ends in {one.days_left} days" if one.days_left > 1 else "ends within two days"
    text = f"{what} {one.subject} on {one.node} {'has ended' if one.state == 'expired' else when}."
    return Item("warn" if one.state == "ending" else "bad", text, url_for("certificates.page"), "Show it")


def _of_node(node: Node) -> list[Item]:
    place = url_for("servers.card", name=node.name)
    if node.state == "waiting":
        return [
            Item(
                "warn",
                f"{node.name} has joined and waits to be enabled.",
                url_for("servers.page"),
                "Enable it",
            )
        ]
    if node.state == "disabled":
        return []
    if node.reach == "unknown":
        return [
            Item("warn", f"Nothing is known of {node.name}: DSS_REDIS does not answer.", place, "Show server")
        ]
    if node.reach == "unreachable":
        ago = f"for {node.age:.0f} s" if node.age is not None else "for more than 30 s"
        return [Item("bad", f"{node.name} has not been heard of {ago}.", place, "Show server")]
    return [*_of_services(node), *_of_backups(node)]


def _of_backups(node: Node) -> list[Item]:
    trouble = backups.trouble(node.beat.get("backup"))
    if not trouble:
        return []
    return [Item("bad", f"{node.name}: {trouble}", url_for("backups.page"), "Show backups")]


def _of_services(node: Node) -> list[Item]:
    rows = node.beat.get("services") or []
    down = [one for one in rows if one.get("state") in {"Unavailable", "Stopped"}]
    alarms = [one for one in rows if one.get("state") == "Running" and one.get("reason")]
    place = url_for("manager.page", node=node.name)
    told = [
        Item("bad", f"{service_code(one['id'])} on {node.name}: {one['reason']}", place, "Show service")
        for one in alarms
    ]
    return told + [
        Item(
            "bad" if one["state"] == "Unavailable" else "warn",
            f"{service_code(one['id'])} on {node.name} is {one['state']}{_because(one.get('reason'))}.",
            place,
            "Show service",
        )
        for one in down
    ]


def _because(reason: str | None) -> str:
    return f": {reason.rstrip('.')}" if reason else ""


def _are(count: int) -> str:
    return "is" if count == 1 else "are"
