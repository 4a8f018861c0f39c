"""Exports of cameras whose pictures come in another order, or in H.265."""

import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import av
import pytest
from ss_rack import Store
from test_ss_exports import ended, fetched, order, probed

pytestmark = [pytest.mark.full, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """Two channels, recorded for ten seconds."""
    with Store(tmp_path_factory.mktemp("ss"), {"file_seconds": 3}) as started:
        for word in ("bframes", "h265"):
            started.camera(word, word)
            started.record(word)
            started.wait_bytes(word)
        time.sleep(10)
        yield started


@pytest.mark.parametrize("form", ["mp4", "fmp4"])
@pytest.mark.parametrize("word", ["bframes", "h265"])
def test_pictures_come_out_complete_and_in_their_order(
    store: Store, word: str, form: str, tmp_path: Path
) -> None:
    job = ended(store, order(store, word, form=form)["id"])
    assert (job["state"], job["files"]) == ("done", 1), job
    path = fetched(store, job, tmp_path)
    with av.open(str(path)) as made:
        times = [float(frame.time or 0) for frame in made.decode(video=0)]
        tag = made.streams.video[0].codec_context.codec_tag
    assert times == sorted(times)
    assert len(times) > 150
    assert max(b - a for a, b in pairwise(times)) < 0.2
    assert probed(path)[0] == len(times)
    assert tag == ("hvc1" if word == "h265" else "avc1")
