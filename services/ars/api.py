"""What the services of this node ask: who is registered, who asks to, and questions to registered devices."""

from dataclasses import asdict, dataclass

from aiohttp import web

from services.ars import doorman
from services.ars.registry import Registry
from services.runtime import auth
from services.runtime.errors import Problem

_PASSED_ON = ("content-type",)
_ENDLESS = ("attach", "getAudio", "postAudio", "getStream")


@dataclass
class Api:
    """`/cgi-bin/…` is a device's own HTTP interface, for any client that can do digest."""

    registry: Registry

    def routes(self) -> list[web.RouteDef]:
        """All routes."""
        return [
            web.get("/devices", self.devices),
            web.get("/devices/{device}", self.device),
            web.get("/asking", self.asking),
            web.route("GET", "/cgi-bin/{tail:.*}", self.bridge),
            web.route("POST", "/cgi-bin/{tail:.*}", self.bridge),
        ]

    async def devices(self, _: web.Request) -> web.Response:
        """The state of every known device, and how many connections were turned away, by reason."""
        known = [one.device for one in (self.registry.known or {}).values()]
        rows = [self.registry.state(device) for device in known]
        return web.json_response({"devices": rows, "counts": dict(self.registry.counts)})

    async def device(self, request: web.Request) -> web.Response:
        """One device; 404 for one that may not register here (yet)."""
        device = request.match_info["device"]
        self._need_known(device)
        return web.json_response(self.registry.state(device))

    async def asking(self, _: web.Request) -> web.Response:
        """Unknown ids that register, newest first."""
        rows = [asdict(one) for one in self.registry.who_asks()]
        return web.json_response([{k: v for k, v in row.items() if k != "at"} for row in rows])

    @auth.public
    async def bridge(self, request: web.Request) -> web.Response:
        """Pass a question on to the device that the digest's user names, and its answer back."""
        device = doorman.user(request.method, request.raw_path, request.headers.get("Authorization", ""))
        if device is None:
            return web.Response(status=401, headers={"WWW-Authenticate": doorman.challenge()})
        self._need_known(device)
        _need_end(request.query.get("action", ""))
        link = self.registry.links.get(device)
        if link is None or link.ended:
            raise _offline(str(self.registry.state(device)["reason"]))
        kept = tuple((name, request.headers[name]) for name in _PASSED_ON if name in request.headers)
        answer = await link.ask(request.method, request.raw_path, kept, await request.read())
        found = {name: value for name, value in answer.headers if name in _PASSED_ON}
        return web.Response(status=answer.status, body=answer.body, headers=found)

    def _need_known(self, device: str) -> None:
        if device not in {one.device for one in (self.registry.known or {}).values()}:
            raise Problem(
                "device-unknown",
                "No such device registers here.",
                "DSS_DMS of this node has not told of it.",
                "See whether the device belongs to this node.",
                status=404,
            )


def _offline(reason: str) -> Problem:
    return Problem(
        "device-offline",
        "The device is not registered.",
        reason,
        "See whether it has power and network, and whether it registers with this node.",
        status=503,
    )


def _need_end(action: str) -> None:
    if action.startswith(_ENDLESS):
        raise Problem(
            "device-endless",
            "This question cannot be asked through the registered connection.",
            "Its answer has no end, and nothing else could be asked meanwhile.",
            "Ask for something that ends.",
            status=501,
        )
