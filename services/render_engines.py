"""Configuration of the engines: nginx, MariaDB, Redis, NATS."""

import zlib
from typing import Any

from services.facts import PORTAL_CERTIFICATE
from services.manifest import Manifest
from services.render_context import File, NodeView, bracket
from services.render_node import as_text

ENGINES = "/etc/dss/engines"


def files(view: NodeView) -> dict[str, File]:
    """Files of the engines that run on this node."""
    found: dict[str, File] = {}
    for service in view.services:
        if make := MAKERS.get(service.engine):
            found |= make(view)
    return found


def nginx(view: NodeView) -> dict[str, File]:
    """The whole configuration of DSS_NGINX, with a route for every service that has one."""
    affects = ("nginx.service",)
    imported = portal_certificate(view)
    built = [s for s in view.services if s.id != "nginx"]
    text = view.text(
        "nginx.conf.j2",
        listen={name: view.listen(f"nginx.{name}") for name in ("http", "https", "tls10")},
        kinds=[
            "own",
            *(["legacy"] if view.host.get("dss_tls10") is True else []),
            *(["customer"] if imported else []),
        ],
        portal_certificate=imported,
        routes=[_route(view, s, r) for s in built for r in s.routes if view.role in r.role],
        cluster=_cluster(view, built),
        health=_health(view, built),
    )
    found = {f"{ENGINES}/nginx.conf": File(text, affects=affects)}
    for part in ("caller", "stream", "static"):
        found[f"{ENGINES}/nginx-{part}.conf"] = File(view.text(f"nginx-{part}.conf.j2"), affects=affects)
    # It holds a secret, and nginx reads it as root.
    found[f"{ENGINES}/nginx-node.conf"] = File(view.text("nginx-node.conf.j2"), "0600", affects=affects)
    found[f"{ENGINES}/nginx-reload.sh"] = File(view.text("nginx-reload.sh.j2"))
    if imported:
        found["/etc/dss/portal-certificate.json"] = File(as_text(imported), affects=affects)
    if center := view.host.center:
        port = "" if center.https_port == 443 else f":{center.https_port}"
        url = f"https://{bracket(center.client)}{port}/"
        page = view.text("page.html.j2", topology_site=view.site, main_url=url)
        found[f"{ENGINES}/page/index.html"] = File(page)
    return found


def portal_certificate(view: NodeView) -> dict[str, Any] | None:
    """The certificate imported for the portal and the names it is shown for: none that nodes use."""
    found = view.host.get(PORTAL_CERTIFICATE)
    if not found or view.role != "main":
        return None
    own = {view.host.name.lower(), "localhost"}
    names = [name for name in found["names"] if name not in own and not name.endswith(".dss")]
    return {"fingerprint": found["fingerprint"], "names": names} if names else None


def _number(view: NodeView, service: str, port: str) -> int:
    return view.host.ports[f"{service}.{port}"]


def _route(view: NodeView, service: Manifest, route: object) -> dict[str, object]:
    return vars(route) | {"number": _number(view, service.id, getattr(route, "port"))}  # noqa: B009


def _cluster(view: NodeView, built: list[Manifest]) -> list[dict[str, object]]:
    """What other nodes reach below /cluster/: our own services, and the portal's part for nodes."""
    found: list[dict[str, object]] = [
        {"id": s.id, "number": _number(view, s.id, "http"), "path": "/"}
        for s in built
        if s.engine == "python" and any(p.name == "http" for p in s.ports_on(view.role))
    ]
    if view.role == "main":
        found.append({"id": "portal", "number": _number(view, "smc", "portal"), "path": "/cluster/"})
    return found


def _health(view: NodeView, built: list[Manifest]) -> list[dict[str, object]]:
    found: list[dict[str, object]] = [
        {"id": s.id, "number": _number(view, s.id, s.health.port), "path": s.health.path}
        for s in built
        if s.health
    ]
    if view.role == "main":
        found.append({"id": "portal", "number": _number(view, "smc", "portal"), "path": "/health"})
    return found


def mariadb(view: NodeView) -> dict[str, File]:
    """Debian's MariaDB reads our file last."""
    number = zlib.crc32(view.host.name.encode()) or 1
    text = view.text("mariadb.cnf.j2", server_id=number)
    return {"/etc/mysql/mariadb.conf.d/90-dss.cnf": File(text, affects=("mariadb.service",))}


def redis(view: NodeView) -> dict[str, File]:
    """It holds a secret, and Redis reads it as the user redis."""
    text = view.text("redis.conf.j2")
    return {f"{ENGINES}/redis.conf": File(text, "0640", group="redis", affects=("redis-server.service",))}


def nats(view: NodeView) -> dict[str, File]:
    """Messages: clients on loopback, leaf nodes to or from the centre; it holds secrets."""
    # It listens once: on the address for other nodes, or on every address.
    text = view.text("nats.conf.j2", leaf_address=view.listen("mq.leaf")[-1])
    return {f"{ENGINES}/nats.conf": File(text, "0640", group="nats", affects=("nats-server.service",))}


MAKERS = {"nginx": nginx, "mariadb": mariadb, "redis": redis, "nats": nats}
