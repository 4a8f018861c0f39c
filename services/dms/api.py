"""What the other services of this node ask: channels with their sources, and the key of live tokens."""

from dataclasses import dataclass
from typing import Any

from aiohttp import web

from services.dms.assignment import Poller
from services.dms.devices import Channel, Device
from services.dms.watch import Watch
from services.media.players import HEADER
from services.runtime.errors import Problem


@dataclass
class Api:
    """Routes of interfaces.md §6; only services of this node get in, as the answers hold passwords."""

    poller: Poller
    watch: Watch

    def routes(self) -> list[web.RouteDef]:
        """All routes."""
        return [
            web.get("/channels", self.channels),
            web.get("/media-key", self.media_key),
            web.get("/players", self.players),
            web.get("/registrations", self.registrations),
        ]

    async def channels(self, _: web.Request) -> web.Response:
        """All channels of this node; `state` is the device's, null until it was checked.

        A header tells when the accounts of players changed, so that they are not asked for each time.
        """
        devices, players = self.poller.current.devices, self.poller.current.players
        told = [self._channel(d, channel) for d in devices for channel in d.channels]
        return web.json_response(told, headers={HEADER: players.tag})

    async def players(self, _: web.Request) -> web.Response:
        """The accounts of RTSP players as main gave them: `services.media.players` reads them."""
        return web.json_response(self.poller.current.players.rows)

    async def registrations(self, _: web.Request) -> web.Response:
        """Devices that register by themselves, with what DSS_ARS needs to log in to them."""
        found = [one for one in self.poller.current.devices if one.kind == "register"]
        return web.json_response(
            [
                {
                    "device": one.id,
                    "register_id": one.register_id,
                    "username": one.username,
                    "password": one.password,
                    "changed_at": one.changed_at,
                }
                for one in found
            ]
        )

    async def media_key(self, _: web.Request) -> web.Response:
        """The public key that verifies live tokens, PEM."""
        if not self.poller.current.media_public_key:
            raise Problem(
                "no-media-key",
                "Live tokens cannot be checked yet.",
                "Main has not given this node its key.",
                "Check that main can be reached from this node.",
                status=503,
            )
        return web.Response(text=self.poller.current.media_public_key, content_type="application/x-pem-file")

    def _channel(self, device: Device, channel: Channel) -> dict[str, Any]:
        return {
            "id": channel.id,
            "device": device.id,
            "name": channel.name,
            "streams": list(channel.streams),
            "record": channel.record,
            "plan": channel.plan,
            "source": {stream: url for stream in channel.streams if (url := device.source(channel, stream))},
            "storage": device.storage(channel),
            "username": device.username,
            "password": device.password,
            "state": self.watch.state(device.id),
        }
