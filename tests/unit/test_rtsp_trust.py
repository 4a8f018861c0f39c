"""Which certificate an rtsps camera must show: any, a pinned one, or one of the host's authorities."""

import asyncio
import hashlib
import ssl
import subprocess
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from services.runtime import rtsp, rtsp_trust
from services.runtime.errors import Problem
from services.runtime.rtsp import RtspError
from services.smc import addresses


@dataclass
class Camera:
    """Answers every request with 200, and keeps what it was asked."""

    certificate: Path
    port: int
    asked: list[str]

    @property
    def pin(self) -> str:
        der = ssl.PEM_cert_to_DER_cert(self.certificate.read_text())
        return hashlib.sha256(der).hexdigest()

    async def ask(self, fragment: str, host: str = "localhost") -> set[str]:
        async with rtsp.Client(f"rtsps://a:b@{host}:{self.port}/cam#{fragment}") as client:
            return await client.options()


@pytest.fixture
def trusting() -> Iterator[None]:
    rtsp_trust.context.cache_clear()
    yield
    rtsp_trust.context.cache_clear()


@pytest.fixture
async def camera(tmp_path: Path) -> AsyncIterator[Camera]:
    pem, key = tmp_path / "cam.pem", tmp_path / "cam.key"
    words = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    words += [
        "-keyout",
        str(key),
        "-out",
        str(pem),
        "-subj",
        "/CN=cam",
        "-addext",
        "subjectAltName=DNS:localhost",
    ]
    subprocess.run(words, check=True, capture_output=True)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(pem, key)
    asked: list[str] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                asked.append(head.decode())
                writer.write(b"RTSP/1.0 200 OK\r\nCSeq: 1\r\nPublic: OPTIONS\r\n\r\n")
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context) as server:
        yield Camera(pem, server.sockets[0].getsockname()[1], asked)


async def test_a_pinned_certificate_is_accepted_and_the_pin_is_not_sent(camera: Camera) -> None:
    for fragment in (
        "",
        f"sha256={camera.pin}",
        "sha256=" + ":".join(camera.pin.upper()[i : i + 2] for i in range(0, 64, 2)),
    ):
        assert await camera.ask(fragment) == {"OPTIONS"}
    assert "#" not in "".join(camera.asked)


async def test_another_certificate_than_the_pinned_one_is_refused_before_anything_is_asked(
    camera: Camera,
) -> None:
    with pytest.raises(RtspError, match=camera.pin) as caught:
        await camera.ask("sha256=" + "0" * 64)
    assert caught.value.code == rtsp.GARBLED
    assert camera.asked == []


@pytest.mark.usefixtures("trusting")
async def test_the_hosts_authorities_decide_where_they_are_asked_for(
    camera: Camera, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(RtspError, match="did not prove"):
        await camera.ask("ca")
    rtsp_trust.context.cache_clear()
    monkeypatch.setattr(rtsp_trust, "AUTHORITIES", str(camera.certificate))
    assert await camera.ask("ca") == {"OPTIONS"}
    with pytest.raises(RtspError, match="did not prove"):
        await camera.ask("ca", "127.0.0.1")


@pytest.mark.usefixtures("trusting")
async def test_a_host_without_authorities_proves_nothing(
    camera: Camera, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rtsp_trust, "AUTHORITIES", "/nonexistent")
    with pytest.raises(RtspError) as caught:
        await camera.ask("ca")
    assert caught.value.code == rtsp.UNREACHABLE


def test_an_address_keeps_its_pin_and_only_rtsps_has_one() -> None:
    pin = "ab" * 32
    assert addresses.rtsp(f"rtsps://u:p@cam/x#SHA256={pin.upper()}").url == f"rtsps://cam/x#sha256={pin}"
    assert addresses.rtsp("rtsps://cam/x#ca").url == "rtsps://cam/x#ca"
    for bad in (f"rtsp://cam/x#sha256={pin}", "rtsps://cam/#sha256=12", "rtsps://cam/#x"):
        with pytest.raises(Problem):
            addresses.rtsp(bad)
