"""What the lab's own tools promise: sources, processes, forwards, keys of layers, the camera's digest."""

import asyncio
import hashlib
import signal
import socket
from pathlib import Path

import pytest

from lab import forward, layers, needs
from lab.device.digest import Digest
from lab.rack import Lab
from lab.tools import LabError, Process, launch, until


def test_a_launched_process_outlives_its_starter_and_is_told_from_a_namesake(tmp_path: Path) -> None:
    process = launch(["sleep", "60"], tmp_path)
    assert process.alive
    assert Process.load(tmp_path / "process.json") == process
    assert not Process(process.pid, process.started - 1).alive
    process.kill(signal.SIGKILL)
    assert until(lambda: not process.alive, 5)
    assert Process.load(tmp_path / "process.json") is None


def test_a_program_that_is_not_there_is_not_noted_as_running(tmp_path: Path) -> None:
    launch(["/nonexistent"], tmp_path)
    assert until(lambda: Process.load(tmp_path / "process.json") is None, 5)


async def test_a_forward_carries_both_ways_and_passes_the_end_on() -> None:
    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(await reader.read())
        writer.close()
        await writer.wait_closed()

    inner = await asyncio.start_server(echo, "127.0.0.1", 0)
    outer = socket.create_server(("127.0.0.1", 0))
    address, target = outer.getsockname(), inner.sockets[0].getsockname()
    serving = asyncio.create_task(forward.serve(outer, *target))
    reader, writer = await asyncio.open_connection(*address)
    payload = b"x" * 300_000
    writer.write(payload)
    writer.write_eof()
    assert await asyncio.wait_for(reader.read(), 10) == payload
    writer.close()
    await writer.wait_closed()
    serving.cancel()
    await asyncio.gather(serving, return_exceptions=True)
    inner.close()
    await inner.wait_closed()


@pytest.mark.parametrize("text", ["8443", "host:", "host:0", "host:70000", ":1"])
def test_a_wrong_address_to_forward_is_refused(text: str) -> None:
    with pytest.raises(LabError, match="HOST:PORT"):
        forward.split(text)


@pytest.mark.parametrize("key", ["", "../../etc", "a/b", "a b"])
def test_a_layer_key_cannot_leave_the_cache(key: str) -> None:
    with pytest.raises(LabError):
        layers.baked(key)


def test_a_lab_that_is_not_there_says_how_to_make_one(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("DSS_CACHE", str(tmp_path))
    with pytest.raises(LabError, match="lab up"):
        Lab("nowhere").run(["true"])
    with pytest.raises(LabError, match="no host"):
        Lab("nowhere").host("main-a")


def test_a_user_without_root_learns_what_still_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    with pytest.raises(LabError, match=r"test lint unit render portal"):
        needs.check()


def digest_header(challenge: str, password: str, uri: str = "/x") -> str:
    realm, nonce = (challenge.partition(f'{key}="')[2].partition('"')[0] for key in ("realm", "nonce"))

    def md5(text: str) -> str:
        return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()

    response = md5(f"{md5(f'admin:{realm}:{password}')}:{nonce}:00000001:abc:auth:{md5(f'GET:{uri}')}")
    fields = f'username="admin", realm="{realm}", nonce="{nonce}", uri="{uri}", response="{response}"'
    return f'Digest {fields}, qop=auth, nc=00000001, cnonce="abc"'


def test_the_cameras_digest_takes_the_right_password_only() -> None:
    digest = Digest("Login to 1", "admin", "right")
    challenge = digest.challenge()
    assert digest.accepts("GET", digest_header(challenge, "right"))
    assert not digest.accepts("GET", digest_header(challenge, "wrong"))
    assert not digest.accepts("POST", digest_header(challenge, "right"))
    assert not digest.accepts("GET", digest_header(challenge.replace('nonce="', 'nonce="f'), "right"))
    assert not digest.accepts("GET", None)
    assert not digest.accepts("GET", "Basic YWRtaW46cmlnaHQ=")
