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


def test_a_kill_while_it_fetches_loses_nothing_and_doubles_nothing(tmp_path: Path) -> None:
    with Store(tmp_path, SETTINGS) as store:
        recorded(store, "one", camera := CardCamera(str(tmp_path / "card")))
        interrupted(store, camera)
        until = time.monotonic() + 60
        while not any(b'"source": "camera"' in path.read_bytes()[:4096] for path in store.files("one")):
            assert time.monotonic() < until
            time.sleep(0.05)
        time.sleep(3)
        store.stop_ss(signal.SIGKILL)
        store.start_ss()
        assert fetched(store)["gaps"] == []
        store.stop_ss()
        assert losses(shown(store)) == []


def test_a_camera_without_storage_is_asked_once_and_the_gap_says_why(tmp_path: Path) -> None:
    with Store(tmp_path, SETTINGS) as store:
        recorded(store, "one", camera := CardCamera(""))
        interrupted(store, camera, 12)
        (gap,) = fetched(store)["gaps"]
        assert gap["state"] == "gave up"
        assert gap["why"] == "The camera has no storage that can be searched."
        assert "stays: The camera has no storage" in store.ask("/health", public=True)["alarms"]["fetch"]
        assert [one["after"] for one in whole(store)["intervals"]] == ["gap", "gap"]


def test_a_plan_that_fetches_nothing_leaves_the_camera_alone(tmp_path: Path) -> None:
    with Store(tmp_path, SETTINGS) as store:
        recorded(store, "one", camera := CardCamera(str(tmp_path / "card")), fetch=False)
        interrupted(store, camera, 12)
        time.sleep(8)
        state = store.ask("/recording/one")["fetch"]
        assert (state["state"], state["gaps"]) == ("off", [])
        assert all("source" not in one for one in whole(store)["intervals"])


def test_what_the_camera_forgot_stays_a_gap_and_the_rest_is_fetched(tmp_path: Path) -> None:
    with Store(tmp_path, SETTINGS) as store:
        recorded(store, "one", camera := CardCamera(str(tmp_path / "card"), 0, 2))
        interrupted(store, camera, 60)
        (gap,) = fetched(store, 120)["gaps"] or [None]
        assert gap is None or gap["why"] == "The camera has no recording of it."
        found = whole(store)["intervals"]
        assert [one.get("source", "") for one in found] == ["", "camera", ""]
        assert [one["after"] for one in found] == ["gap", "gap", "join"]
        store.stop_ss()
        (missing,) = losses(shown(store))
        assert missing > 100
