"""What the nodes say of the parts of exports."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from services.runtime.errors import Problem
from services.smc import nodes, peers
from services.smc.everywhere import Answer
from services.smc.releases import moment_or_none

OPEN = ("running", "verifying", "queued")
ORDER = (*OPEN, "away", "failed", "gone", "cancelled", "done")
"""The whole is what comes first here among its parts."""


@dataclass(frozen=True)
class ExportPart:
    """What one node makes: `written` of about `total` bytes; the file `name` once it is done, else `why` not.

    `missing`: seconds of the span that were not recorded, of its channels together.
    """

    node: str
    state: str
    written: int = 0
    total: int = 0
    files: int = 0
    missing: float = 0.0
    name: str = ""
    size: int = 0
    sha256: str = ""
    why: str = ""
    ended: datetime | None = None


Said = Mapping[str, Answer[dict[str, ExportPart]]]


def of(channels: Iterable[Mapping[str, str]]) -> list[str]:
    """The nodes that have channels of an export, each once."""
    return list(dict.fromkeys(one["node"] for one in channels))


def all_of(node: nodes.Node, said: Any) -> dict[str, ExportPart]:  # noqa: ANN401 - JSON
    """Every part that a node has, by the id of its export."""
    return {str(one["id"]): read(node.name, one) for one in said}


def read(node: str, said: Mapping[str, Any]) -> ExportPart:
    """A part as its node tells it."""
    return ExportPart(
        node, str(said["state"]), int(said["written"]), int(said["total"]), int(said["files"]),
        float(said["missing"]), str(said["name"]), int(said["size"]), str(said["sha256"]), str(said["why"]),
        moment_or_none(said["ended"]),
    )  # fmt: skip


def parts(id: str, channels: Sequence[Mapping[str, str]], said: Said) -> list[ExportPart]:
    """The parts of an export; one that its node has forgotten is gone, one that cannot be asked is away."""
    return [_part(name, id, said.get(name)) for name in of(channels)]


def together(states: Sequence[str]) -> str:
    """The state of the whole."""
    if "queued" in states and set(states) & {"done", "running", "verifying"}:
        return "running"
    return next((one for one in ORDER if one in states), "away")


def tell(node: nodes.Node, method: str, path: str, data: object = None) -> Problem | None:
    """Have a node end or drop its part, which it may have forgotten; why it cannot be told."""
    try:
        peers.call(peers.of(node), method, path, data, "ss")
    except Problem as problem:
        return None if problem.status == 404 else problem
    return None


def _part(name: str, id: str, answer: Answer[dict[str, ExportPart]] | None) -> ExportPart:
    if answer is None:
        return ExportPart(name, "gone", why="The server is no longer part of this site.")
    if answer.value is None:
        return ExportPart(name, "away", why=str(answer.problem))
    gone = "Its time was over, or the server's disk was replaced. Order it again."
    return answer.value.get(id) or ExportPart(name, "gone", why=gone)
