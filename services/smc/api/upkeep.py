"""Releases, backups and tasks of the nodes."""

from services.smc import backups, releases, tasks
from services.smc.api.route import Call, operation
from services.smc.api.services import AWAY, Started
from services.smc.backups import NodeBackups
from services.smc.releases import NodeReleases
from services.smc.tasks import History, TaskRecord


@operation("GET", "/releases", answer=list[NodeReleases], permission="nodes.view")
def list_releases(call: Call) -> list[NodeReleases]:
    """The releases on every node, and when they were changed."""
    return releases.listing(call.session)


@operation("GET", "/backups", answer=list[NodeBackups], permission="nodes.view")
def list_backups(call: Call) -> list[NodeBackups]:
    """Schedule, last runs and kept files of every node."""
    return backups.listing(call.session)


@operation("POST", "/nodes/<name>/backups", answer=Started, status=202, permission=backups.PERMISSION,
           problems=(409, *AWAY))  # fmt: skip
def make_backup(call: Call, name: str) -> Started:
    """Make a backup of a node now."""
    return Started(backups.make(call.session, name, call.account))


@operation("GET", "/tasks", answer=History, permission="nodes.view")
def list_tasks(call: Call) -> History:
    """What was done on the nodes, by whom, when and how it went."""
    return tasks.listing(call.session)


@operation("GET", "/tasks/<name>/<kind>/<id>", answer=TaskRecord, permission="nodes.view", problems=AWAY)
def get_task_record(call: Call, name: str, kind: str, id: str) -> TaskRecord:
    """One task with its log."""
    return tasks.get(call.session, name, kind, id)
