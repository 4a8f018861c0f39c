"""Recording for long: every picture that the cameras sent stands once in the files, by the number it carries.

`DSS_BENCH_MINUTES=60 ./dss bench endurance` records for an hour; without it, for one minute.
"""

import os
import re
import time
from collections.abc import Iterator
from itertools import chain, pairwise
from pathlib import Path

import pytest
from media_clip import MARK, RATE
from media_node import Node
from media_results import Figure, record
from media_rig import Cameras, progress

MINUTES = float(os.environ.get("DSS_BENCH_MINUTES", "1"))
CAMERAS = 4
_NUMBER = re.compile(re.escape(MARK) + rb"[0-9a-f]{16}([0-9a-f]{8})")


def numbers(files: list[Path]) -> Iterator[int]:
    """The number of every picture in the files of a channel, in the order in which they stand there."""
    found = (_NUMBER.findall(path.read_bytes()) for path in files)
    return (int(one, 16) for one in chain.from_iterable(found))


def count(files: list[Path]) -> tuple[int, int, int]:
    """How many pictures are there, are missing between the first and the last, and are there again."""
    there = missing = again = 0
    for before, after in pairwise(numbers(files)):
        there += 1
        missing += max(0, after - before - 1)
        again += after <= before
    return there + 1, missing, again


@pytest.mark.timeout(MINUTES * 60 + 300)
def test_no_picture_is_missing_or_twice_after_long_recording(tmp_path: Path) -> None:
    with Cameras(tmp_path, CAMERAS, size="small") as cameras, Node(tmp_path) as node:
        node.assign_all(cameras)
        node.plan("continuous")
        for minute in range(int(MINUTES)):
            time.sleep(60)
            progress(f"{minute + 1} of {MINUTES:g} minutes")
        node.stop_ss()
        found = [count(node.files(f"cam{n}")) for n in range(CAMERAS)]
    there, missing, again = (sum(one) for one in zip(*found, strict=True))
    progress(f"  {there} pictures of {CAMERAS} cameras in {MINUTES:g} minutes")
    record(Figure("endurance: pictures missing", missing, "must", 0))
    record(Figure("endurance: pictures twice", again, "must", 0))
    assert (missing, again) == (0, 0)
    # The end of the last GOP is still with DSS_MTS when DSS_SS is told to end.
    assert there >= CAMERAS * RATE * (MINUTES * 60 - 5)
