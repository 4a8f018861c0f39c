"""The agent's HTTP interface for main's portal and for this node's command line."""

import asyncio
from dataclasses import asdict, dataclass

from aiohttp import web

from services.runtime.errors import Problem
from services.smc.agent import logs, ports
from services.smc.agent.center import only_main, requester
from services.smc.agent.monitor import Monitor
from services.smc.agent.tasks import Tasks

LINES = 50


@dataclass
class Api:
    """Routes of interfaces.md §5; the frame lets in only callers with the node token."""

    monitor: Monitor
    tasks: Tasks

    def routes(self) -> list[web.RouteDef]:
        """All routes of the agent."""
        return [
            web.get("/services", self.services),
            web.post("/services/{id}/{verb}", self.act),
            web.get("/tasks", self.listing),
            web.get("/tasks/{id}", self.task),
            web.get("/logs/{id}", self.logs),
            web.get("/ports", self.ports),
            web.get("/listeners", self.listeners),
        ]

    async def services(self, _: web.Request) -> web.Response:
        """The beat's list of services, as of now."""
        return web.json_response(self.monitor.as_list())

    async def act(self, request: web.Request) -> web.Response:
        """202 and the id of the task that carries the order out."""
        only_main(request)
        task = self.tasks.order(
            request.match_info["id"], request.match_info["verb"], requester(await request.text())
        )
        return web.json_response({"task": task.id}, status=202)

    async def listing(self, _: web.Request) -> web.Response:
        """The last tasks, newest first."""
        return web.json_response([asdict(task) for task in self.tasks.listing()])

    async def task(self, request: web.Request) -> web.Response:
        """How far a task is."""
        return web.json_response(asdict(self.tasks.get(request.match_info["id"])))

    async def logs(self, request: web.Request) -> web.Response:
        """The last lines of a service's log, `?lines=` of them."""
        id, lines = request.match_info["id"], request.query.get("lines", str(LINES))
        units = next((entry.units for entry in self.monitor.entries if entry.id == id), None)
        if units is None:
            raise Problem("unknown", f"There is no service {id!r} on this node.", status=404)
        if not lines.isdecimal() or len(lines) > 6:
            raise Problem(
                "bad-lines", "The number of lines cannot be used.", "", "Use 1 to 1000.", status=422
            )
        return web.json_response({"lines": await logs.last(units, int(lines))})

    async def ports(self, _: web.Request) -> web.Response:
        """This node's port matrix with what really listens."""
        return web.json_response(await asyncio.to_thread(ports.matrix))

    async def listeners(self, _: web.Request) -> web.Response:
        """What listens on this node although its port matrix lacks it."""
        return web.json_response(await asyncio.to_thread(ports.unlisted))
