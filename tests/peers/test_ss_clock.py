"""A node whose clock is set by an hour, while it records and while DSS_SS is away: real processes."""

import itertools
import subprocess
import time
from pathlib import Path

import pytest
from ss_rack import Store, losses, numbers

pytestmark = [pytest.mark.full]
HERE = Path(__file__).resolve().parent


@pytest.mark.parametrize("hours", [-1, 1])
def test_a_clock_that_is_set_by_an_hour_costs_no_picture_and_overwrites_nothing(
    tmp_path: Path, hours: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock, shim = tmp_path / "clock", tmp_path / "clock.so"
    subprocess.run(["gcc", "-shared", "-fPIC", "-O1", "-o", shim, HERE / "clock_shim.c"], check=True)
    clock.write_text("0")
    monkeypatch.setenv("DSS_CLOCK", str(clock))
    monkeypatch.setenv("LD_PRELOAD", str(shim))
    with Store(tmp_path, {"file_seconds": 4}) as store:
        # The camera's clock, and that of the test, stay as they are.
        monkeypatch.delenv("LD_PRELOAD")
        store.counting("one")
        store.wait_bytes("one", 400_000)
        kept = {path: path.stat().st_size for path in store.files("one")[:-1]}
        clock.write_text(str(hours * 3600))
        store.wait_bytes("one", 500_000)
        store.stop_ss()
        clock.write_text(str(hours * 7200))
        monkeypatch.setenv("LD_PRELOAD", str(shim))
        store.start_ss()
        monkeypatch.delenv("LD_PRELOAD")
        store.wait_bytes("one", 500_000)
        found = store.timeline("one", time.time() - 10_800, time.time() + 10_800)["intervals"]
        store.stop_ss()
        assert losses([number for path in store.files("one") for number in numbers(path)]) == []
        assert all(path.stat().st_size == size for path, size in kept.items())
        assert [one["after"] for one in found] == ["gap", "clock", "clock"]
        for earlier, later in itertools.pairwise(found):
            assert later["start"] - earlier["end"] == pytest.approx(hours * 3_600_000, abs=1500)
