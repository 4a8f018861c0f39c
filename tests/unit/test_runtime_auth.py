"""Only the node's services and signed, fresh live tokens get in."""

from typing import TYPE_CHECKING

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from services.runtime import app, auth, live_token
from services.runtime.errors import Problem
from services.runtime.health import Health

if TYPE_CHECKING:
    from tests.conftest import NodeFiles

TOKEN = live_token.LiveToken("admin", "ch-1", "sub-1", 1000.0, "abc")


def pair() -> tuple[str, str]:
    key = Ed25519PrivateKey.generate()
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    public = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return private.decode(), public.decode()


def test_signed_token_comes_back_whole_until_it_expires() -> None:
    private, public = pair()
    text = live_token.sign_live(private, TOKEN)
    assert live_token.verify_live(public, text, 999.9) == TOKEN
    with pytest.raises(Problem, match="expired"):
        live_token.verify_live(public, text, 1000.0)


def test_token_of_another_key_or_changed_in_any_character_is_refused() -> None:
    private, public = pair()
    text = live_token.sign_live(private, TOKEN)
    with pytest.raises(Problem) as refused:
        live_token.verify_live(pair()[1], text, 0)
    assert refused.value.status == 403
    for place in range(0, len(text), 7):
        other = text[:place] + ("A" if text[place] != "A" else "B") + text[place + 1 :]
        with pytest.raises(Problem):
            live_token.verify_live(public, other, 0)


@pytest.mark.parametrize("text", ["", ".", "a.b", "a.b.c", "é.é", "x" * 100_000])
def test_garbage_is_refused_and_not_an_accident(text: str) -> None:
    with pytest.raises(Problem, match="not valid"):
        live_token.verify_live(pair()[1], text, 0)


async def test_middleware_lets_in_the_node_token_and_public_handlers_only(node_files: "NodeFiles") -> None:
    async def inner(_: web.Request) -> web.Response:
        return web.Response(text="inner")

    @auth.public
    async def desk(_: web.Request) -> web.Response:
        return web.Response(text="desk")

    service = app.application(Health())
    service.middlewares.append(auth.node_only)
    service.router.add_get("/inner", inner)
    service.router.add_get("/desk", desk)
    async with TestClient(TestServer(service)) as client:
        answers = {path: (await client.get(path)).status for path in ("/health", "/desk", "/inner", "/none")}
        assert answers == {"/health": 200, "/desk": 200, "/inner": 401, "/none": 401}
        assert (await client.get("/inner", headers=auth.bearer())).status == 200
        assert (await client.get("/inner", headers={"Authorization": "Bearer é"})).status == 401
        body = await (await client.get("/inner")).json()
        assert body["code"] == "node-token-required"
        assert body["remedy"]
