"""Everything this node was told to do, or did by itself, of which it remembers who, when and how it went."""

from dataclasses import asdict, dataclass

from aiohttp import web

from services.smc.agent.backups import Backups
from services.smc.agent.changes import Changes
from services.smc.agent.releases import Releases
from services.smc.agent.tasks import Tasks


@dataclass
class History:
    """The route of interfaces.md §5; each part keeps its own, over restarts and power cuts."""

    tasks: Tasks
    changes: Changes
    backups: Backups
    releases: Releases

    def routes(self) -> list[web.RouteDef]:
        """All routes."""
        return [web.get("/history", self.show)]

    async def show(self, _: web.Request) -> web.Response:
        """`services`, `changes`, `backups` and `releases`, each newest first, with their logs."""
        return web.json_response(
            {
                "services": [asdict(task) for task in self.tasks.listing()],
                "changes": self.changes.known(),
                "backups": (await self.backups.state())["runs"],
                "releases": self.releases.switches(),
            }
        )
