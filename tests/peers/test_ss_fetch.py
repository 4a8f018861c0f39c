"""What the camera kept while this node could not record is fetched: real services, counted pictures."""

import signal
import time
from pathlib import Path
from typing import Any

import pytest
from ss_card import CardCamera, recorded
from ss_rack import Store, losses, numbers

pytestmark = [pytest.mark.full]
SETTINGS = {"file_seconds": 4, "fetch_speed": 8, "fetch_retry_seconds": 1, "alarm_seconds": 60}


def fetched(store: Store, seconds: float = 90) -> dict[str, Any]:
    """What DSS_SS says once nothing is left to be fetched."""
    until, found = time.monotonic() + seconds, {}
    while time.monotonic() < until:
        found = store.ask("/recording/one")["fetch"]
        if found["state"] == "idle" and noted(store):
            return dict(found)
        time.sleep(0.3)
    raise AssertionError(f"it is not done: {found}; {(store.folder / 'ss.log').read_text()[-2000:]}")


def noted(store: Store) -> bool:
    """Whether a gap is closed or was given up."""
    sources = [one.get("source") for one in whole(store)["intervals"]]
    return "camera" in sources or bool(store.ask("/recording/one")["fetch"]["gaps"])


def whole(store: Store) -> dict[str, Any]:
    now = time.time()
    return store.timeline("one", now - 3000, now + 3000)


def shown(store: Store) -> list[int]:
    """The numbers of all recorded pictures, file by file."""
    return [number for path in store.files("one") for number in numbers(path)]


def interrupted(store: Store, camera: CardCamera, seconds: float = 20) -> None:
    """Record, lose the link, record again."""
    store.wait_bytes("one", 500_000)
    camera.cut()
    time.sleep(seconds)
    camera.mend()
    store.wait_bytes("one", 700_000, 60)


@pytest.mark.parametrize("offset", [0, 37])
def test_what_the_camera_kept_closes_the_gap_without_a_picture_missing_or_twice(
    tmp_path: Path, offset: int
) -> None:
    with Store(tmp_path, SETTINGS) as store:
        camera = recorded(store, "one", CardCamera(str(tmp_path / "card"), offset))
        interrupted(store, camera)
        assert fetched(store)["gaps"] == []
        found = whole(store)["intervals"]
        store.stop_ss()
        assert losses(shown(store)) == []
        assert [one.get("source", "") for one in found] == ["", "camera", ""]
        assert [one["after"] for one in found] == ["gap", "join", "join"]
        assert [a["end"] for a in found[:-1]] == pytest.approx([b["start"] for b in found[1:]], abs=1)
