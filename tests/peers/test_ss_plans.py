"""A real DSS_SS by its plan: waiting for events, the button, evidence; over restarts and with a full disk."""

import json
import signal
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from mts_rack import PASSWORD
from ss_rack import CountingCamera, Store, losses, numbers

from services.media.plans import EVENT, MANUAL, Plan


def post(store: Store, path: str, data: object) -> dict[str, Any]:
    """The answer of DSS_SS to an order of its node."""
    headers = {"Authorization": f"Bearer {store.node_token}", "Content-Type": "application/json"}
    url = f"http://127.0.0.1:{store.ss_port}{path}"
    request = urllib.request.Request(url, json.dumps(data).encode(), headers)
    with urllib.request.urlopen(request, timeout=10) as answer:
        return dict(json.loads(answer.read()))


def planned(store: Store, wanted: Plan) -> None:
    """Start a camera whose channel DSS_DMS lists with its plan from the first moment on."""
    camera = CountingCamera()
    store.cameras.append(camera)
    row = {"id": "cam", "device": "d", "name": "cam", "streams": ["main"], "source": {"main": camera.url}}
    row |= {"username": "admin", "password": PASSWORD}
    store.channels = [row | {"record": wanted.old_word, "plan": wanted.as_dict()}]


def until(ready: Callable[[], object], what: str, seconds: float = 30) -> None:
    """Return once something is so."""
    end = time.monotonic() + seconds
    while not ready():
        assert time.monotonic() < end, what
        time.sleep(0.1)


def known(store: Store) -> bool:
    """Whether DSS_SS has heard of the channel."""
    try:
        return bool(store.ask("/recording/cam"))
    except urllib.error.HTTPError:
        return False


def doing(store: Store, channel: str = "cam") -> dict[str, Any]:
    """What `GET /state` says of a channel's recorder; nothing without one."""
    rows = store.ask("/state")["recorders"]
    return next((row for row in rows if row["channel"] == channel), {})


def kinds(store: Store, query: str = "") -> list[tuple[str, bool]]:
    """Kind and lock of all intervals."""
    now = int(time.time() * 1000)
    found = store.ask(f"/recorded/cam?from={now - 3_600_000}&to={now + 60_000}{query}")
    return [(one["kind"], one["locked"]) for one in found["intervals"]]


def waiting(store: Store, seconds: float) -> None:
    """A camera whose channel waits for events, and has held its pictures for so long."""
    planned(store, Plan(EVENT, pre=2, post=1))
    until(lambda: doing(store).get("held"), "nothing is held")
    time.sleep(seconds)


def test_an_event_is_recorded_from_before_it_on_to_its_end_without_a_lost_picture(tmp_path: Path) -> None:
    with Store(tmp_path) as store:
        waiting(store, 3)
        assert store.files("cam") == []
        at = time.time()
        answer = post(store, "/events/cam", {"type": "motion"})
        assert answer["accepted"]
        until(lambda: doing(store)["writes"] == EVENT, "the event is not written")
        until(lambda: doing(store)["writes"] is None, "it does not end")
        (one,) = store.timeline("cam", at - 60, at + 60)["intervals"]
        assert at - 7 < one["start"] / 1000 <= at - 2
        assert one["end"] / 1000 >= at + 1
        assert kinds(store) == [(EVENT, False)]
        found = [number for path in store.files("cam") for number in numbers(path)]
        assert len(found) >= 3 * 20
        assert losses(found) == []


@pytest.mark.full
def test_a_killed_recorder_goes_on_with_its_event_and_the_index_is_made_anew(tmp_path: Path) -> None:
    with Store(tmp_path) as store:
        waiting(store, 5)
        post(store, "/events/cam", {"type": "motion", "seconds": 20})
        until(lambda: doing(store)["writes"] == EVENT, "the event is not written")
        time.sleep(6)
        store.stop_ss(signal.SIGKILL)
        for path in (tmp_path / "state").glob("index.db*"):
            path.unlink()
        store.start_ss()
        until(lambda: doing(store).get("writes") == EVENT, "the event does not go on")
        time.sleep(3)
        store.stop_ss()
        found = [number for path in store.files("cam") for number in numbers(path)]
        assert losses(found) == []
        store.start_ss()
        assert set(kinds(store)) == {(EVENT, False)}


@pytest.mark.full
def test_the_button_holds_over_a_restart_and_locked_pictures_outlive_a_full_disk(
    tmp_path: Path,
    small_disk: Path,
) -> None:
    with Store(tmp_path, {"folders": [str(small_disk)], "file_seconds": 2}) as store:
        store.recordings = small_disk
        planned(store, Plan(MANUAL))
        until(lambda: known(store), "the plan is not followed")
        assert store.ask("/recording/cam")["writes"] is None
        post(store, "/recording/cam", {"do": "start"})
        store.wait_bytes("cam", 200_000)
        store.stop_ss(signal.SIGKILL)
        store.start_ss()
        store.wait_bytes("cam", 100_000)
        assert store.ask("/recording/cam")["manual"] is True
        first = store.timeline("cam", time.time() - 60, time.time() + 60)["intervals"][0]["start"]
        post(store, "/locks/cam", {"from": int(first), "to": int(first) + 500, "note": "n", "by": "admin"})
        kept, ballast = store.files("cam")[0], small_disk / "ballast"
        ballast.write_bytes(bytes(3_000_000))
        until(lambda: len(store.files("cam")) <= 3, "nothing is deleted")
        store.wait_bytes("cam", 100_000)
        assert kept.exists()
        assert (MANUAL, True) in kinds(store)
        assert kinds(store, "&locked=true") == [(MANUAL, True)]
        assert kinds(store, "&kind=event") == []
        until(lambda: alarm(store) == "" or "locked" in alarm(store), "it says something else")
        post(store, "/recording/cam", {"do": "stop"})
        until(lambda: not doing(store), "recording does not stop")


def alarm(store: Store) -> str:
    """What health says beside the checks."""
    return str(store.ask("/health", public=True).get("alarms", ""))
