"""Permissions to download exports: of one part, or of all parts as one archive that main puts together."""

from dataclasses import dataclass

from sqlalchemy.orm import Session

from services.runtime import config
from services.runtime.errors import Problem
from services.smc import audit, everywhere, export_parts, exports, live, nodes, peers, recordings
from services.smc.accounts import Account
from services.smc.export_parts import ExportPart


@dataclass(frozen=True)
class ExportDownload:
    """`path`, on the portal's own origin, holds the token, which works once, within `expires_in` seconds.

    Who was cut off asks for another one and goes on by `Range`. `sha256` is that of the whole file; "" where
    the parts of several nodes become one archive: the manifests in it have the hashes of its files.
    """

    token: str
    expires_in: int
    node: str
    path: str
    name: str
    size: int
    sha256: str


@dataclass(frozen=True)
class _File:
    """What is downloaded: `place` below DSS_SS of `node`."""

    node: str
    place: str
    name: str
    size: int
    sha256: str = ""


def grant(
    session: Session, id: str, account: Account, node: str | None = None, via: str = "portal"
) -> ExportDownload:
    """A token to download the part of `node`, or all parts as one file; audited.

    Problem 409 before they are done, or where the release of a node cannot have its part joined with others.
    """
    account.need(exports.PERMISSION)
    names = export_parts.of(exports.ordered(session, id).channels)
    if node and node not in names:
        raise exports.unknown()
    known = [live.ready(session, name) for name in ([node] if node else names)]
    parts = everywhere.at_once(known, lambda one: _done(one, id))
    file = _joined(id, known, parts) if len(parts) > 1 else _alone(id, parts[0])
    token = live.token_for(account.name, f"{recordings.SCOPE}{file.place}", file.node)
    audit.write(session, "export.download", id, actor=account.name, source=account.source,
                details={"via": via, "node": ", ".join(one.node for one in parts),
                         "sha256": ", ".join(one.sha256 for one in parts)})  # fmt: skip
    path = f"{live.prefix(file.node, 'ss')}/{file.place}?token={token}"
    return ExportDownload(token, live.VALID, file.node, path, file.name, file.size, file.sha256)


def _done(node: nodes.Node, id: str) -> ExportPart:
    said = peers.call(peers.of(node), "GET", f"/exports/{id}", None, "ss")
    part = peers.parsed(node.name, lambda: export_parts.read(node.name, said))
    if part.state != "done":
        why = f"The part of {node.name} is {part.state}."
        raise Problem("export-not-done", "There is nothing to download yet.", why,
                      "Wait until it is done, or order it again.", status=409)  # fmt: skip
    return part


def _alone(id: str, part: ExportPart) -> _File:
    return _File(part.node, f"export/{id}", part.name, part.size, part.sha256)


def _joined(id: str, known: list[nodes.Node], parts: list[ExportPart]) -> _File:
    """Has main's DSS_SS look at all parts and be ready to send them as one."""
    places = [peers.of(one) for one in known]
    # Each part is called after the platform, its node and its first moment.
    name = parts[0].name.replace(f"-{parts[0].node}-", "-", 1)
    own = config.load_node().name
    asked = {
        "name": name,
        "parts": [{"node": one.name, "address": one.address, "port": one.port} for one in places],
    }
    said = peers.call(peers.Peer(own, None), "POST", f"/collections/{id}", asked, "ss")
    return _File(own, f"collection/{id}", name, peers.parsed(own, lambda: int(said["size"])))
