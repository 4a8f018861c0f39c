"""Players that open the same address again and again, by name and secret: real ones, and DSS_MTS."""

import re
import socket
import subprocess
import time
from collections.abc import Iterator
from typing import Any

import pytest
from mts_rack import Rack

from services.media import digest

SECRET = "s3cret-of_a-decoder"
FRAMES = 10


def account(name: str = "wall", **changes: Any) -> dict[str, Any]:  # noqa: ANN401
    """An account as DSS_DMS tells it."""
    row = {"name": name, "hashes": digest.hashes(name, SECRET), "channels": None, "recordings": False}
    return row | {"ends": None} | changes


def know(rack: Rack, *rows: dict[str, Any]) -> None:
    """Have DSS_MTS know these accounts; it asks for them every two seconds."""
    rack.players = list(rows)
    time.sleep(2.6)


@pytest.fixture(scope="module")
def one(rack: Rack) -> Iterator[Rack]:
    rack.camera("one", "h264", "aac")
    know(rack, account(), account("other", channels=["two"]), account("past", ends=time.time() - 1))
    yield rack
    rack.players = []


def address(rack: Rack, who: str = f"wall:{SECRET}", tls: bool = False, channel: str = "one") -> str:
    return rack.rtsp(channel, tls=tls, token="").partition("?")[0].replace("://", f"://{who}@")


def ffmpeg(url: str, transport: str = "tcp", seconds: int = 20) -> subprocess.Popen[str]:
    words = ["ffmpeg", "-v", "error", "-nostdin", "-rtsp_transport", transport, "-i", url, "-map", "0:v"]
    words += ["-t", str(seconds), "-f", "framecrc", "-"]
    return subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def seen(rack: Rack, transport: str = "tcp", **changes: Any) -> tuple[int, str]:  # noqa: ANN401
    """How many pictures ffmpeg decodes in a second of the camera's, and what it complains of."""
    out, wrong = ffmpeg(address(rack, **changes), transport, 1).communicate(timeout=30)
    return sum(line.startswith("0,") for line in out.splitlines()), wrong


def asked(rack: Rack, head: str = "", path: str = "one/main") -> str:
    """The answer to a DESCRIBE that was written by hand."""
    url = f"rtsp://127.0.0.1:{rack.ports['rtsp']}/live/{path}"
    with socket.create_connection(("127.0.0.1", rack.ports["rtsp"]), 5) as connection:
        connection.sendall(f"DESCRIBE {url} RTSP/1.0\r\nCSeq: 1\r\n{head}\r\n".encode())
        return connection.recv(4096).decode()


@pytest.mark.parametrize("transport", ["tcp", "udp", "tls"])
def test_ffmpeg_is_let_in_by_name_and_secret(one: Rack, transport: str) -> None:
    tls = transport == "tls"
    assert seen(one, "tcp" if tls else transport, tls=tls)[0] >= FRAMES


@pytest.mark.full
@pytest.mark.parametrize("protocols", ["tcp", "udp", "tcp+tls"])
def test_gstreamer_is_let_in_by_name_and_secret(one: Rack, protocols: str) -> None:
    where = address(one, tls="tls" in protocols)
    line = f"rtspsrc location={where} protocols={protocols} tls-validation-flags=0 ! rtph264depay ! "
    line += f"h264parse ! identity eos-after={FRAMES + 1} silent=false ! fakesink"
    done = subprocess.run(["gst-launch-1.0", "-v", *line.split()], capture_output=True, text=True, timeout=30,
                          check=False)  # fmt: skip
    assert done.stdout.count("chain   ***") >= FRAMES, done.stderr


def test_mpv_is_let_in_by_name_and_secret(one: Rack) -> None:
    words = ["mpv", "--no-config", "--vo=null", "--ao=null", f"--frames={FRAMES}", "--rtsp-transport=tcp"]
    done = subprocess.run([*words, address(one)], capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0, done.stdout


def test_who_has_no_right_secret_or_is_for_other_cameras_sees_nothing(one: Rack) -> None:
    for who in ("wall:wrong", f"nobody:{SECRET}", f"past:{SECRET}"):
        frames, wrong = seen(one, who=who)
        assert (frames, "401" in wrong) == (0, True), (who, wrong)
    frames, wrong = seen(one, who=f"other:{SECRET}")
    assert (frames, "403" in wrong) == (0, True), wrong
    assert "403 Forbidden" in asked(one, path="one/main?token=no")


def test_a_proof_opens_once(one: Rack) -> None:
    url = f"rtsp://127.0.0.1:{one.ports['rtsp']}/live/one/main"
    nonce = re.search('nonce="([0-9a-f]+)"', asked(one))
    assert nonce
    known = digest.hashes("wall", SECRET)["MD5"]
    hashed = digest.HASHES["MD5"]
    answer = hashed(
        f"{known}:{nonce[1]}:{hashed(f'DESCRIBE:{url}'.encode()).hexdigest()}".encode()
    ).hexdigest()
    said = f'username="wall", realm="DSS", nonce="{nonce[1]}", uri="{url}", response="{answer}"'
    assert asked(one, f"Authorization: Digest {said}\r\n").startswith("RTSP/1.0 200")
    again = asked(one, f"Authorization: Digest {said}\r\n")
    assert again.startswith("RTSP/1.0 401")
    assert "stale=true" in again


def test_an_account_that_is_switched_off_loses_its_picture_and_gets_it_back(one: Rack) -> None:
    before = one.players
    with ffmpeg(address(one), seconds=60) as player:
        assert player.stdout
        while not player.stdout.readline().startswith("0,"):
            assert player.poll() is None
        know(one)
        player.communicate(timeout=10)
        # Without any account a token is needed, as ever.
        assert asked(one).startswith("RTSP/1.0 403")
    know(one, *before)
    assert seen(one)[0] >= FRAMES


@pytest.mark.full
def test_the_same_address_works_after_a_kill_while_main_says_nothing(one: Rack) -> None:
    assert one.process
    one.process.kill()
    one.process.wait()
    one.start()
    one.wait_for("one", "online")
    assert seen(one)[0] >= FRAMES
