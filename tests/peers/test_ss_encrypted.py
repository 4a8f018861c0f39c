"""Encryption of a real DSS_SS: unreadable on the disk, and for viewers as if it were not there."""

import hashlib
import json
import signal
import subprocess
import time
import urllib.request
import zipfile
from collections.abc import Iterator
from http.client import IncompleteRead
from pathlib import Path
from urllib.error import HTTPError

import pytest
from ss_rack import Store, losses, numbers
from test_ss_exports import ended, fetched, order, probed, url

from services import recording_keys

RECORDED, SETTLED = 3, 0.5
LOST = 25 * (2 + 5)
"""Pictures of one GOP and five seconds."""
SIGNS = (b"ftypiso", b"video/mp4", b"timescale", b"manifest.json", b"\0\0\0\1\x65", b"x264 - core")
SHORT = (b"ftyp", b"moov", b"moof", b"mdat", b"avcC", b"avc1", b"PK\3\4")
CHANCE = 2
"""How often four given bytes may stand among some megabytes of random ones."""


class Sealed(Store):
    """A store that encrypts."""

    def files(self, channel: str) -> list[Path]:
        return sorted((self.recordings / channel).glob("*/*.sealed"))

    def readable(self) -> list[bytes]:
        """What of pictures can be seen on the disk; the notes of exports hold none."""
        found = (path for path in self.recordings.rglob("*") if path.is_file() and path.suffix != ".json")
        raw = b"".join(path.read_bytes() for path in found)
        return [one for one in SIGNS if one in raw] + [one for one in SHORT if raw.count(one) > CHANCE]

    def clip(self, channel: str) -> bytes:
        """All of a channel, downloaded once main's key is known."""
        until = time.monotonic() + 10
        while time.monotonic() < until:
            try:
                return self._clip(channel)
            except HTTPError as error:
                if error.code != 503:
                    raise
            time.sleep(0.1)
        raise AssertionError("DSS_SS does not learn main's key")

    def _clip(self, channel: str) -> bytes:
        now = int(time.time() * 1000)
        query = f"from={now - 3_600_000}&to={now}&token={self.pass_for(channel)}"
        with urllib.request.urlopen(f"http://127.0.0.1:{self.ss_port}/clip/{channel}?{query}") as answer:
            return bytes(answer.read())

    def health(self) -> dict[str, str]:
        """The alarms of DSS_SS."""
        return dict(self.ask("/health", public=True).get("alarms", {}))


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sealed]:
    """A channel in files of about two seconds."""
    with Sealed(tmp_path_factory.mktemp("ss"), {"file_seconds": 1, "encryption": True}) as started:
        started.counting("cam")
        started.wait_bytes("cam")
        time.sleep(RECORDED)
        started.record("cam", "off")
        time.sleep(SETTLED)
        yield started


def test_the_disk_tells_nothing_and_viewers_get_every_picture(store: Sealed, tmp_path: Path) -> None:
    assert len(store.files("cam")) >= 2
    assert store.readable() == []
    data = store.clip("cam")
    found = numbers(data)
    assert (losses(found), len(found) >= 25 * RECORDED) == ([], True)
    (tmp_path / "clip.mp4").write_bytes(data)
    assert probed(tmp_path / "clip.mp4")[0] == len(found)
    at = int(time.time() * 1000) - 4000
    query = f"at={at}&token={store.pass_for('cam')}"
    with urllib.request.urlopen(f"http://127.0.0.1:{store.ss_port}/thumbnail/cam?{query}") as answer:
        assert answer.read(3) == b"\xff\xd8\xff"
    words = ["ffmpeg", "-v", "error", "-rtsp_transport", "tcp", "-i", store.playback("cam"), "-c", "copy"]
    subprocess.run([*words, "-frames:v", "30", str(tmp_path / "rtsp.mp4")], check=True, timeout=30)
    assert losses(numbers(tmp_path / "rtsp.mp4")) == []


def test_an_export_is_encrypted_on_the_disk_and_plain_in_the_download(store: Sealed, tmp_path: Path) -> None:
    for form in ("mp4", "fmp4"):
        job = ended(store, order(store, "cam", form=form)["id"])
        assert (job["state"], job["why"]) == ("done", "")
        path = fetched(store, job, tmp_path)
        parts = [path]
        if path.suffix == ".zip":
            with zipfile.ZipFile(path) as archive:
                parts = [Path(archive.extract(one, tmp_path)) for one in archive.namelist() if ".mp4" in one]
        found = [number for one in parts for number in numbers(one)]
        # What is younger than three seconds at the order is not exported.
        assert found == numbers(store.clip("cam"))[: len(found)]
        assert sum(probed(one)[0] for one in parts) == len(found) >= 50
        part = tmp_path / "part"
        for words in (["-r", "0-70000"], ["-C", "-"]):
            subprocess.run(["curl", "-fsS", *words, "-o", str(part), url(store, job["id"])], check=True)
        assert hashlib.sha256(part.read_bytes()).hexdigest() == job["sha256"]
        part.unlink()
    assert store.readable() == []


def test_an_altered_byte_is_named_and_a_lost_key_too_and_the_rest_goes_on(store: Sealed) -> None:
    whole, files = numbers(store.clip("cam")), store.files("cam")
    data = bytearray(files[1].read_bytes())
    data[len(data) // 2] ^= 1
    files[1].write_bytes(data)
    with pytest.raises(IncompleteRead):
        store.clip("cam")
    assert str(files[1]) in store.ask("/state")["encryption"]["damaged"]
    data[len(data) // 2] ^= 1
    files[1].write_bytes(data)
    (kept,) = recording_keys.read(store.keys.read_text())
    store.stop_ss()
    store.hold(recording_keys.new())
    store.start_ss()
    with pytest.raises(HTTPError) as caught:
        store.clip("cam")
    assert kept.id.hex() in json.loads(caught.value.read())["why"]
    until = time.monotonic() + 10
    while kept.id.hex() not in store.health().get("recording keys", ""):
        assert time.monotonic() < until, store.health()
        time.sleep(0.1)
    assert json.dumps(store.ask("/state")["encryption"]).count(kept.id.hex()) == 1
    store.stop_ss()
    store.hold(recording_keys.new(), kept)
    store.start_ss()
    assert numbers(store.clip("cam")) == whole


@pytest.mark.full
def test_a_killed_recorder_loses_no_more_than_a_gop_and_five_seconds_and_tears_nothing(
    tmp_path: Path,
) -> None:
    with Sealed(tmp_path, {"encryption": True}) as store:
        store.counting("cam")
        store.wait_bytes("cam", 300_000)
        for _ in range(3):
            store.stop_ss(signal.SIGKILL)
            store.start_ss()
            store.wait_bytes("cam", 300_000)
        missing = losses(numbers(store.clip("cam")))
        print("missing pictures after each kill:", missing)
        assert all(0 < one <= LOST for one in missing)
        assert store.ask("/state")["encryption"]["damaged"] == []
        assert len(store.files("cam")) == 4
