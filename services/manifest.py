"""What a manifest says: the typed form of services/<id>/service.yml."""

from dataclasses import dataclass, field
from typing import Any

from services.networks import PURPOSES

ROLES = ("main", "sub")
ZONES = ("local", "cluster", "lan", "wan")
OUTSIDE = ("clients", "devices")
MEMORY = ("core", "basic", "full")
STATUS = ("built", "planned")
OUTSIDE_NETWORK = {"clients": "client", "devices": "device"}
PEERS = {"local": "this node", "cluster": "other nodes", "lan": "local network", "wan": "everyone"}


@dataclass(frozen=True)
class Port:
    """One listener of a service (`direction` in), or one kind of connection that it opens (out).

    `zone` says who may reach it: local = this node, cluster = other nodes, lan = local networks,
    wan = everyone, so that a router must map it. `outside` says who out there needs it. `origin` says where
    the number comes from: published by the vendor of the manual, upstream (the engine's own), or ours.
    `center`: this outward connection goes to that `service.port` of the node's centre. `switch`:
    it is there only where dss_<switch> is true. `networks`: purposes of the networks on which it is
    reached, or over which it connects, where they do not follow from zone and `outside`.
    """

    name: str
    port: int
    proto: str
    zone: str
    purpose: str
    tls: bool = False
    role: tuple[str, ...] = ROLES
    direction: str = "in"
    outside: tuple[str, ...] = ()
    peer: str = ""
    origin: str = "ours"
    center: str = ""
    switch: str = ""
    networks: tuple[str, ...] = ()

    @property
    def purposes(self) -> tuple[str, ...]:
        """Purposes of the networks that this port belongs to, in their usual order; () for loopback alone."""
        usual = {"local": (), "cluster": ("cluster",), "lan": ("device",)}
        named = self.networks or usual.get(self.zone) or tuple(OUTSIDE_NETWORK[o] for o in self.outside)
        return tuple(one for one in PURPOSES if one in named)


@dataclass(frozen=True)
class Unit:
    """One systemd unit of a service.

    `kind`: python and gunicorn units are written by us, engine units are Debian's. `run` replaces the usual
    `python -m services.<id>`. `host_view`: it may see the whole host, as the node agent must. `recordings`:
    it may write to the folders of recordings.
    """

    name: str
    kind: str
    role: tuple[str, ...] = ROLES
    run: str = ""
    host_view: bool = False
    recordings: bool = False
    memory_max: str = "512M"


@dataclass(frozen=True)
class Route:
    """One path of DSS_NGINX that this service answers, on its port named `port`.

    `stream`: no buffering, WebSocket. `strip`: the path is taken off. `authorization`: the caller's header is
    passed on. `limited`: few requests per second and caller. `exact`: the path alone, nothing below it.
    """

    path: str
    port: str = "http"
    role: tuple[str, ...] = ROLES
    stream: bool = False
    strip: bool = False
    authorization: bool = False
    limited: bool = False
    exact: bool = False


@dataclass(frozen=True)
class Health:
    """Where a service answers how it is."""

    path: str
    port: str = "http"


@dataclass(frozen=True)
class Manifest:
    """One service of the product; services/README.md describes each field."""

    id: str
    code: str
    label: str
    purpose: str
    status: str
    role: tuple[str, ...]
    memory: str
    engine: str
    ports: tuple[Port, ...]
    units: tuple[Unit, ...]
    after: tuple[str, ...] = ()
    packages: tuple[str, ...] = ()
    routes: tuple[Route, ...] = ()
    health: Health | None = None
    credentials: tuple[str, ...] = ()
    credentials_main: tuple[str, ...] = ()
    settings: dict[str, Any] = field(default_factory=dict)
    settings_main: dict[str, Any] = field(default_factory=dict)

    @property
    def built(self) -> bool:
        """Whether the service exists in this release; a planned one is listed and never deployed."""
        return self.status == "built"

    def on(self, role: str) -> bool:
        """Whether a node of this catalogue role runs the service."""
        return self.built and role in self.role

    def units_on(self, role: str) -> tuple[Unit, ...]:
        """Its units on a node of this role."""
        return tuple(u for u in self.units if role in u.role) if role in self.role else ()

    def ports_on(self, role: str) -> tuple[Port, ...]:
        """What it listens on, on a node of this role."""
        return (
            tuple(p for p in self.ports if role in p.role and p.direction == "in")
            if role in self.role
            else ()
        )
