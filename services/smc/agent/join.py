"""Main's join desk: a node that shows its one-time token gets its certificate signed."""

import asyncio
import ipaddress
import json
import logging
from collections import OrderedDict, deque
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from sqlalchemy.orm import Session

from services.node import pki
from services.runtime import clock, config
from services.runtime.auth import public
from services.runtime.config import Node
from services.runtime.errors import Problem
from services.smc import audit, nodes, store

LOG = logging.getLogger(__name__)

LARGEST_REQUEST, MOST_ADDRESSES = 16 * 1024, 8
TRIES, TRY_SECONDS, MOST_SOURCES = 10, 60.0, 4096


@dataclass
class Limit:
    """At most ten tries a minute from one source; remembers the 4,096 sources seen last."""

    tries: OrderedDict[str, deque[float]] = field(default_factory=OrderedDict)

    def check(self, source: str) -> None:
        """Count a try; Problem 429 if there were too many."""
        now, recent = clock.monotonic(), self.tries.setdefault(source, deque())
        self.tries.move_to_end(source)
        while len(self.tries) > MOST_SOURCES:
            self.tries.popitem(last=False)
        while recent and recent[0] <= now - TRY_SECONDS:
            recent.popleft()
        if len(recent) >= TRIES:
            raise Problem(
                "too-many-tries",
                "The node was not let in.",
                f"There were more than {TRIES} tries from {source} within a minute.",
                "Wait a minute, then try again.",
                status=429,
            )
        recent.append(now)


@dataclass
class Desk:
    """`GET /join` shows the authority, `POST /join` signs for a token."""

    node: Node
    limit: Limit = field(default_factory=Limit)

    def routes(self) -> list[web.RouteDef]:
        """Open routes: a node that joins has nothing yet but its token."""
        show, sign = self.show, self.sign

        @public
        async def show_route(request: web.Request) -> web.Response:
            return await show(request)

        @public
        async def sign_route(request: web.Request) -> web.Response:
            return await sign(request)

        return [web.get("/join", show_route), web.post("/join", sign_route)]

    async def show(self, _: web.Request) -> web.Response:
        """`{"ca": pem}`: the caller compares its fingerprint with the one it was given."""
        return web.json_response({"ca": config.pki("ca.pem").read_text()})

    async def sign(self, request: web.Request) -> web.Response:
        """`{"name", "token", "csr"}` → `{"certificate", "ca"}`."""
        source = request.headers.get("X-Real-IP", request.remote or "unknown")
        self.limit.check(source)
        name, token, csr = _fields(await _body(request))
        return web.json_response(await asyncio.to_thread(self._admit, name, token, csr, source))

    def _admit(self, name: str, token: str, csr: str, source: str) -> dict[str, str]:
        ca = x509.load_pem_x509_certificate(config.pki("ca.pem").read_bytes())
        ca_key = pki.load_key(config.credential("ca.key").encode())
        with store.session() as session:
            try:
                names, key = self._checked(name, csr, _taken(session, name))
            except Problem as problem:
                details = {"reason": problem.code}
                audit.write(session, "node.join", name[:63], actor=name[:63], source=source,
                            outcome="refused", details=details)  # fmt: skip
                raise
            nodes.redeem_token(session, name, token, source)
        LOG.info("%s joined from %s", name, source)
        certificate = pki.sign(ca_key, ca, key, names)
        return {"certificate": pki.pem(certificate).decode(), "ca": pki.pem(ca).decode()}

    def _checked(self, name: str, csr: str, taken: set[str]) -> tuple[pki.Names, ec.EllipticCurvePublicKey]:
        nodes.check_name(name)
        names, key = read_request(csr)
        allowed = pki.Names.of(name, [])
        if name == self.node.name or names.name != name or not set(names.dns) <= set(allowed.dns):
            raise _refused("csr-names", "The request asks for names that are not this node's own.")
        own = {self.node.address, self.node.mapping_ip} | taken
        if own & set(names.addresses):
            raise _refused("csr-addresses", "The request asks for an address that another node has.")
        return pki.Names.of(name, names.addresses), key


def read_request(text: str) -> tuple[pki.Names, ec.EllipticCurvePublicKey]:
    """Names and key of a signing request (RFC 2986); Problem if it is not well-formed, signed and P-256."""
    try:
        request = x509.load_pem_x509_csr(text.encode())
        signed, key = request.is_signature_valid, request.public_key()
        names = pki.names_in(request)
        addresses = [ipaddress.ip_address(address) for address in names.addresses]
    except (ValueError, TypeError, InvalidSignature, x509.ExtensionNotFound) as error:
        raise _refused("csr-unreadable", "The signing request cannot be read.") from error
    if not signed or not isinstance(key, ec.EllipticCurvePublicKey) or key.curve.name != "secp256r1":
        raise _refused("csr-key", "The signing request is not signed by a P-256 key.")
    if len(addresses) > MOST_ADDRESSES or any(a.is_multicast or a.is_unspecified for a in addresses):
        raise _refused("csr-addresses", "The signing request asks for addresses that no node can have.")
    return names, key


async def _body(request: web.Request) -> dict[str, Any]:
    text = await request.content.read(LARGEST_REQUEST + 1)
    while text and len(text) <= LARGEST_REQUEST and (more := await request.content.read(LARGEST_REQUEST)):
        text += more
    try:
        body = json.loads(text) if len(text) <= LARGEST_REQUEST else None
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise _refused("join-body", "The request is not a JSON object of at most 16 KB.", 400)
    return body


def _fields(body: dict[str, Any]) -> tuple[str, str, str]:
    values = [body.get(key) for key in ("name", "token", "csr")]
    name, token, csr = (value if isinstance(value, str) else "" for value in values)
    if not (name and token and csr):
        raise _refused("join-body", "The request lacks name, token or csr.", 400)
    return name, token, csr


def _taken(session: Session, name: str) -> set[str]:
    others = [node for node in nodes.listing(session) if node.name != name]
    return {address for node in others for address in (node.address, node.mapping_ip) if address}


def _refused(code: str, why: str, status: int = 403) -> Problem:
    return Problem(
        code,
        "The node was not let in.",
        why,
        "Check the node's name and addresses in the inventory, then run the deployment of this node again.",
        status=status,
    )
