"""CPU of recording four 4 Mbit/s cameras, beside one `ffmpeg -c copy` for each, in the same minutes."""

import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from mts_rack import PASSWORD, Camera
from ss_rack import Store

CAMERAS = 4
ROUNDS = 3
SECONDS = 8.0
WARM_UP = 3.0
BOUND = 0.60


def cpu(pid: int) -> float:
    """Seconds on a processor of all threads of a process, to the nanosecond."""
    tasks = Path(f"/proc/{pid}/task").glob("*/schedstat")
    return sum(int(task.read_text().split()[0]) for task in tasks) / 1e9


def spent(pids: list[int]) -> list[float]:
    """CPU seconds of each process during one measurement."""
    time.sleep(WARM_UP)
    before = [cpu(pid) for pid in pids]
    time.sleep(SECONDS)
    return [cpu(pid) - was for pid, was in zip(pids, before, strict=True)]


def ffmpeg(camera: Camera, folder: Path) -> "subprocess.Popen[bytes]":
    """One camera copied to files of a minute."""
    folder.mkdir(exist_ok=True)
    url = camera.url.replace("rtsp://", f"rtsp://admin:{PASSWORD}@")
    words = ["ffmpeg", "-v", "error", "-nostdin", "-rtsp_transport", "tcp", "-i", url, "-map", "0:v"]
    words += ["-c", "copy", "-f", "segment", "-segment_time", "60", "-segment_format", "mp4"]
    words += ["-segment_format_options", "movflags=frag_keyframe+empty_moov"]
    return subprocess.Popen([*words, "-y", str(folder / "%d.mp4")], stderr=subprocess.DEVNULL)


def plan(store: Store, kind: str) -> None:
    """Have all channels recorded, or none, and wait until it is so."""
    for row in list(store.channels):
        store.record(row["id"], kind)
    until = time.monotonic() + 20
    wanted = CAMERAS if kind == "continuous" else 0
    while len(store.ask("/state")["recorders"]) != wanted:
        assert time.monotonic() < until
        time.sleep(0.2)


@pytest.mark.timeout(300)
def test_recording_costs_less_than_a_copying_ffmpeg_for_each_camera(
    tmp_path: Path, record_ratio: Callable[[str, str, float, str], None]
) -> None:
    ours, relay, alone, theirs = 0.0, 0.0, 0.0, 0.0
    with Store(tmp_path) as store:
        cameras = [store.camera(f"cam{n}", "640x360", "4000") for n in range(CAMERAS)]
        assert store.process
        assert store.recorder
        pids = [store.recorder.pid, store.process.pid]
        for _ in range(ROUNDS):
            alone += spent(pids)[1]
            plan(store, "continuous")
            found = spent(pids)
            ours, relay = ours + found[0], relay + found[1]
            plan(store, "off")
            peers = [ffmpeg(one, tmp_path / f"f{n}") for n, one in enumerate(cameras)]
            try:
                theirs += sum(spent([one.pid for one in peers]))
            finally:
                for one in peers:
                    one.kill()
                    one.wait()
        size = sum(path.stat().st_size for path in store.recordings.glob("*/*/*.mp4"))
    assert size > 1_000_000
    each = 100 / (ROUNDS * SECONDS * CAMERAS)
    print(f"% of a core for each camera: recorder {ours * each:.3f}, relay {relay * each:.3f} (without "
          f"recording {alone * each:.3f}), ffmpeg {theirs * each:.3f}")  # fmt: skip
    record_ratio("ss_record", "ffmpeg", ours / theirs, "recorder alone")
    record_ratio("ss_record", "ffmpeg", (ours + relay - alone) / theirs, "what recording adds to live view")
    record_ratio("ss_record", "ffmpeg", (ours + relay) / theirs, "camera to disk, relay included")
    # Each camera is pulled once for live view already; an ffmpeg pulls it again.
    assert (ours + relay - alone) / theirs <= BOUND
