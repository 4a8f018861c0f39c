"""Exports on real nodes: of two nodes at once, under the unit's own sandbox, over kill -9 and a power cut."""

import hashlib
import io
import json
import time
import urllib.request
import zipfile
from itertools import pairwise
from typing import Any

import pytest
from test_recordings import recorded

from lab.admin import Admin, RefusedError, until
from lab.site import SUB, Site
from lab.viewer import decode

pytestmark = [pytest.mark.full, pytest.mark.timeout(900)]


@pytest.fixture
def channels(site: Site, admin: Admin) -> dict[str, str]:
    """The channel of each node's camera, recorded for some seconds."""
    return recorded(admin, 90, 20, 15)


def order(admin: Admin, *channels: str) -> str:
    """The id of an export of the last minute."""
    now = int(time.time() * 1000)
    made = admin.post("/exports", channels=list(channels), start=now - 60_000, end=now, format="mp4")
    return str(made["id"])


def done(admin: Admin, id: str) -> Any:  # noqa: ANN401 - JSON
    """The export once all its parts are done, or False."""
    try:
        found = admin.get(f"/exports/{id}")
    except RefusedError:
        return False
    assert found["state"] not in {"failed", "cancelled", "gone"}, found
    return found if found["state"] == "done" else False


def fetched(admin: Admin, id: str, node: str, span: str) -> bytes:
    """Some bytes of a part, by a permission of their own."""
    way = admin.post(f"/exports/{id}/download", node=node)
    request = urllib.request.Request(admin.base + way["path"], headers={"Range": span})
    with urllib.request.urlopen(request, context=admin.trust, timeout=60) as answer:
        assert answer.status == 206
        return bytes(answer.read())


def whole(admin: Admin, found: Any) -> list[int]:  # noqa: ANN401
    """Pictures of each part, all of them following each other, its hash compared."""
    counts: list[int] = []
    for part in found["parts"]:
        data = fetched(admin, found["id"], part["node"], "bytes=0-99999")
        data += fetched(admin, found["id"], part["node"], "bytes=100000-")
        assert hashlib.sha256(data).hexdigest() == part["sha256"]
        if part["files"] == 1:
            archive = f"{part['node']}/manifest.json" if len(found["parts"]) > 1 else ""
            counts += unpacked(data, archive) if archive else [unbroken(data)]
    return counts


def unbroken(data: bytes) -> int:
    """How many pictures a file has; none is missing between them."""
    counters = decode(data)
    assert all(b == a + 1 for a, b in pairwise(counters))
    return len(counters)


def unpacked(data: bytes, manifest: str) -> list[int]:
    """Pictures of each file of an archive, all of them there and as its manifest says."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.testzip() is None
        files = json.loads(archive.read(manifest))["files"]
        for one in files:
            content = archive.read(one["name"])
            assert hashlib.sha256(content).hexdigest() == one["sha256"]
            assert unbroken(content) == one["frames"]
    return [one["frames"] for one in files]


def together(admin: Admin, found: Any) -> None:  # noqa: ANN401
    """All parts as one archive, in two pieces: each file is as its node's manifest says."""
    pieces = []
    for span in ("bytes=0-99999", "bytes=100000-"):
        way = admin.post(f"/exports/{found['id']}/download")
        request = urllib.request.Request(admin.base + way["path"], headers={"Range": span})
        with urllib.request.urlopen(request, context=admin.trust, timeout=60) as answer:
            pieces.append(answer.read())
    assert len(b"".join(pieces)) == way["size"]
    for part in found["parts"]:
        assert unpacked(b"".join(pieces), f"{part['node']}/manifest.json")


def test_each_node_makes_its_part_and_both_are_whole(
    site: Site, admin: Admin, channels: dict[str, str]
) -> None:
    id = order(admin, *channels.values())
    found = until(60, "both parts are done", lambda: done(admin, id))
    assert {part["node"] for part in found["parts"]} == set(channels)
    counts = whole(admin, found)
    print(f"pictures of the parts: {counts}")
    assert all(count > 25 * 12 for count in counts)
    together(admin, found)
    site.on(SUB, "systemctl", "stop", "dss-ss")
    try:
        with pytest.raises(RefusedError, match="cannot be"):
            admin.post(f"/exports/{id}/download")
    finally:
        site.on(SUB, "systemctl", "start", "dss-ss")
    site.on(SUB, "test", "-f", f"/srv/dss/recordings/_exports/{id}/result")
    allowed = site.on(SUB, "systemctl", "show", "--value", "--property=SystemCallFilter", "dss-ss")
    assert "setpriority" in allowed.split(), "exports could not give way to recording"


def test_an_export_outlives_kill_and_power_cut_of_its_node(
    site: Site, admin: Admin, channels: dict[str, str]
) -> None:
    first = order(admin, channels[SUB])
    site.on(SUB, "systemctl", "kill", "--kill-whom=main", "--signal=KILL", "dss-ss")
    whole(admin, until(90, "it is done after the kill", lambda: done(admin, first)))
    second = order(admin, channels[SUB])
    site.lab.poweroff(SUB)
    site.lab.boot(SUB)
    whole(admin, until(150, "it is done after the power cut", lambda: done(admin, second)))
    whole(admin, done(admin, first))
