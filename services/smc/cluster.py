"""What other nodes ask main: reached only through nginx, which lets in verified node certificates alone."""

import hashlib
import hmac
import json
from dataclasses import asdict
from functools import lru_cache
from typing import Any

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key
from flask import Blueprint, Response, jsonify, request
from sqlalchemy.orm import Session

from services.runtime import config
from services.runtime.errors import Problem
from services.smc import devices, models, places, player_accounts, store, talk
from services.smc.api.route import show_problem

blueprint = Blueprint("cluster", __name__, url_prefix="/cluster")
blueprint.register_error_handler(Problem, show_problem)


@blueprint.get("/assignment")
def assignment() -> Response:
    """The devices of the calling node, with passwords; 304 while nothing has changed."""
    node = _caller()
    with store.session() as session:
        body = json.dumps(_assignment(session, node), ensure_ascii=False, sort_keys=True).encode()
    answer = Response(body, content_type="application/json", headers={"Cache-Control": "no-store"})
    answer.set_etag(hashlib.sha256(body).hexdigest())
    return answer.make_conditional(request)  # type: ignore[return-value]


@blueprint.post("/where")
def where() -> Response:
    """Where a stream is, for DSS_MGW of this node: `{"channel", "stream", "asker", "user"}`, all texts.

    With a user it answers with a token, so no other node may ask.
    """
    if _caller() != config.load_node().name:
        raise Problem("main-only", "The call was refused.", "It does not come from this node.",
                      "Ask DSS_MGW of main.", status=403)  # fmt: skip
    asked = request.get_json(silent=True)
    names = ("channel", "stream", "asker", "user")
    if not isinstance(asked, dict) or not all(isinstance(asked.get(name), str) for name in names):
        raise Problem("request-unreadable", "The request cannot be read.", f"It needs the texts {names}.",
                      "Update DSS_MGW and DSS_SMC to the same version.", status=422)  # fmt: skip
    with store.session() as session:
        found = places.where(session, **{name: asked[name] for name in names})
    return jsonify(asdict(found))


@blueprint.post("/talks")
def talk_ended() -> Response:
    """A talk through the calling node's DSS_MTS is over; `services.smc.talk.ended` writes it down."""
    node = _caller()
    with store.session() as session:
        talk.ended(session, node, request.get_json(silent=True))
    return jsonify({})


def _assignment(session: Session, node: str) -> dict[str, object]:
    row = session.get(models.Node, node)
    enabled = row is not None and row.state == "enabled"
    return {
        "enabled": enabled,
        "media_public_key": public_key(config.credential("media-key")),
        "devices": (assigned := devices.assignment(session, node) if enabled else []),
        "players": _players(session, node, assigned) if enabled else [],
    }


def _players(session: Session, node: str, assigned: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The accounts of a node's channels; of all on main, whose DSS_MGW sends players to every node."""
    if node == config.load_node().name:
        return player_accounts.assignment(session, None)
    mine = frozenset(channel["id"] for device in assigned for channel in device["channels"])
    return player_accounts.assignment(session, mine)


def _caller() -> str:
    wanted = f"Bearer {config.credential('node-token')}"
    node = request.headers.get("X-DSS-Node", "")
    if not node or not hmac.compare_digest(
        request.headers.get("Authorization", "").encode(), wanted.encode()
    ):
        raise Problem(
            "node-token-required",
            "The call was refused.",
            "It does not come from a node of this site.",
            "Call it through DSS_NGINX with a node certificate.",
            status=401,
        )
    return node


@lru_cache(maxsize=2)
def public_key(private_pem: str) -> str:
    """The PEM text of the public half, by which MTS checks live tokens."""
    key = load_pem_private_key(private_pem.encode(), password=None)
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
