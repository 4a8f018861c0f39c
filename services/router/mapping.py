"""Which outside address and port leads to which node: a pure function of catalogue and inventory."""

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass

from services.catalog import Catalog
from services.manifest import OUTSIDE_NETWORK, Manifest, Port
from services.topology import Host, Topology

TAG_MAX = 32


@dataclass(frozen=True)
class Mapping:
    """One port, the same number outside, at `wan`, and inside, at `lan`. `scopes`: who outside needs it."""

    node: str
    key: str
    proto: str
    port: int
    wan: str
    lan: str
    scopes: tuple[str, ...]
    tls: bool
    purpose: str

    @property
    def row(self) -> str:
        """`203.0.113.10:443/tcp`, as tables name it."""
        return f"{self.wan}:{self.port}/{self.proto}"


@dataclass(frozen=True)
class Dmz:
    """All that one router maps. `planned` would be mapped too, but the services are not built yet."""

    tag: str
    router: Host
    scopes: tuple[str, ...]
    mappings: tuple[Mapping, ...]
    planned: tuple[Mapping, ...]

    @property
    def vendor(self) -> str:
        """Kind of the router, the name of a module of this package; pfsense is kept by opnsense."""
        return str(self.router.get("dss_router"))

    @property
    def networks(self) -> list[str]:
        """Local IPv4 networks, whose clients may use outside addresses too."""
        return [n for n in self.router.get("dss_lan_networks") if ":" not in n]

    @property
    def wan_addresses(self) -> list[str]:
        """Outside addresses that the router must have for these mappings, sorted."""
        return sorted({m.wan for m in self.mappings})

    def comment(self, mapping: Mapping, part: str = "") -> str:
        """What every object of a router carries; it has no space and starts with `tag/`."""
        return "/".join(filter(None, (self.tag, mapping.node, mapping.key, part)))


def tag(site: str) -> str:
    """`dss:city-hall` for City Hall. Names that lose letters or length are kept apart by a piece of hash."""
    plain = re.sub(r"[^a-z0-9]+", "-", site.lower()).strip("-")
    if len(plain) > TAG_MAX or not plain or not site.isascii():
        plain = f"{plain[: TAG_MAX - 7]}-{hashlib.sha256(site.encode()).hexdigest()[:6]}".lstrip("-")
    return f"dss:{plain}"


def rules(catalog: Catalog, topology: Topology, router: Host) -> Dmz:
    """What `router` maps for the scopes of its dss_dmz; nothing when that is empty.

    The inventory has been checked: each outside port leads to one node, and inside it has the same number.
    """
    scopes = tuple(router.get("dss_dmz"))
    found = [
        (service.built, _mapping(node, service, port))
        for node in behind(topology, router)
        for service, port in _outside(catalog, node)
        if set(port.outside) & set(scopes)
    ]
    return Dmz(
        tag=tag(topology.site),
        router=router,
        scopes=scopes,
        mappings=tuple(m for built, m in found if built),
        planned=tuple(m for built, m in found if not built),
    )


def behind(topology: Topology, router: Host) -> list[Host]:
    """Nodes whose outside address is one of this router's."""
    own = {router.get("dss_wan_ip"), *router.get("dss_wan_addresses")}
    return [n for n in topology.nodes if n.mapping_ip and n.mapping_ip in own]


def _outside(catalog: Catalog, node: Host) -> Iterator[tuple[Manifest, Port]]:
    """(service, listener) of everything on a node that belongs to zone wan."""
    for service in catalog.ordered:
        for port in service.ports_on(node.catalogue_role or ""):
            if port.zone == "wan" and node.offers(port):
                yield service, port


def _mapping(node: Host, service: Manifest, port: Port) -> Mapping:
    key = f"{service.id}.{port.name}"
    return Mapping(
        node=node.name,
        key=key,
        proto=port.proto,
        port=node.ports[key],
        wan=str(node.mapping_ip),
        # A pair of main and standby is reached at the address of whichever is in charge.
        lan=str(node.get("dss_virtual_ip") or node.at(OUTSIDE_NETWORK[port.outside[0]])),
        scopes=port.outside,
        tls=port.tls,
        purpose=port.purpose,
    )
