"""A certificate is replaced under running services: new connections use it, open ones stay."""

from __future__ import annotations

import asyncio
import ssl
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from services.node import pki
from services.runtime import tls
from services.runtime.errors import Problem

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.conftest import NodeFiles

NAMES = pki.Names.of("main-a", ["127.0.0.1"])


class Authority:
    """Signs node certificates into the files of a node."""

    def __init__(self, files: NodeFiles) -> None:
        self.files, self.store = files, pki.Store(files.etc / "pki")
        self.key, self.ca = pki.make_ca("Test")
        self.store.save_authorities([self.ca])
        self.issue()

    def issue(self, days: int = 100) -> x509.Certificate:
        """A new certificate for the same key."""
        own = self.store.key()
        self.files.credential("node.key", pki.key_pem(own).decode())
        made = pki.sign(self.key, self.ca, own.public_key(), NAMES, days)
        self.store.save_certificate(made)
        return made


@pytest.fixture
def authority(node_files: NodeFiles) -> Authority:
    return Authority(node_files)


def test_the_same_context_serves_until_a_file_changes(authority: Authority) -> None:
    first = tls.client_context()
    assert tls.client_context() is first
    authority.issue()
    second = tls.client_context()
    assert second is not first
    _, other = pki.make_ca("Test", 2)
    authority.store.save_authorities([authority.ca, other])
    assert len(tls.client_context().get_ca_certs()) == 2
    assert len(second.get_ca_certs()) == 1


def test_files_that_do_not_fit_leave_the_one_before_in_use(authority: Authority) -> None:
    first = tls.client_context()
    stranger = pki.sign(authority.key, authority.ca, pki.new_key().public_key(), NAMES)
    authority.store.save_certificate(stranger)
    assert tls.client_context() is first
    authority.issue()
    assert tls.client_context() is not first


def test_without_any_good_pair_the_problem_says_so(node_files: NodeFiles) -> None:
    with pytest.raises(Problem, match="certificate cannot be used"):
        tls.client_context()
    node_files.credential("node.key", "nonsense")
    with pytest.raises(Problem, match="certificate cannot be used"):
        tls.server_context()


@asynccontextmanager
async def connected(
    port: int, trust: ssl.SSLContext
) -> AsyncIterator[tuple[bytes, asyncio.StreamReader, asyncio.StreamWriter]]:
    """A connection, with the certificate that it was shown."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=trust)
    yield writer.get_extra_info("ssl_object").getpeercert(binary_form=True), reader, writer
    writer.close()
    await writer.wait_closed()


async def shown(port: int, trust: ssl.SSLContext) -> bytes:
    """What a new connection is shown."""
    async with connected(port, trust) as (certificate, _, _):
        return certificate


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Send back what comes."""
    while data := await reader.read(16):
        writer.write(data)
    writer.close()


async def test_a_listener_shows_the_new_certificate_and_keeps_who_is_connected(
    authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tls, "LOOK_SECONDS", 0.05)
    context, trust = tls.server_context(), tls.client_context()
    server = await asyncio.start_server(echo, "127.0.0.1", 0, ssl=context)
    port = server.sockets[0].getsockname()[1]
    following = asyncio.create_task(tls.keep_current(context))
    async with connected(port, trust) as (before, reader, writer):
        made = authority.issue(days=50).public_bytes(Encoding.DER)
        await asyncio.sleep(0.3)
        assert before != await shown(port, trust) == made
        wrong = pki.sign(authority.key, authority.ca, pki.new_key().public_key(), NAMES)
        authority.store.save_certificate(wrong)
        await asyncio.sleep(0.3)
        assert await shown(port, trust) == made, "a pair that does not fit is not used"
        writer.write(b"still here")
        assert await reader.read(16) == b"still here"
    following.cancel()
    server.close()
    await asyncio.sleep(0.1)
