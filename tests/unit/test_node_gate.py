"""The memory gate lets a unit start, or says in one sentence why not."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from services.node import gate

MB = 1024


def ask(
    folder: Path, kilobytes: int, memory: str, unit: str = "dss-mts.service"
) -> "subprocess.CompletedProcess[str]":
    (folder / "meminfo").write_text(f"MemTotal: 9000000 kB\nMemAvailable:   {kilobytes} kB\n")
    environment = {**os.environ, "DSS_RUN": str(folder / "run"), "DSS_MEMINFO": str(folder / "meminfo")}
    command = [sys.executable, "-I", "-m", "services.node.gate", memory, unit]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("megabytes", "allowed"),
    [
        (4096, {"core", "basic", "full"}),
        (4095, {"core", "basic"}),
        (2560, {"core", "basic"}),
        (2559, {"core"}),
        (10, {"core"}),
    ],
)
def test_classes_start_down_to_their_limits(tmp_path: Path, megabytes: int, allowed: set[str]) -> None:
    codes = {m: ask(tmp_path, megabytes * MB, m).returncode for m in ("core", "basic", "full")}
    assert codes == {m: 0 if m in allowed else 1 for m in codes}


def test_the_reason_is_said_and_left_for_others_until_the_unit_may_start(tmp_path: Path) -> None:
    refused = ask(tmp_path, 3200 * MB, "full")
    assert "withheld: 3.1 GB available, 4 GB needed" in refused.stderr
    note = tmp_path / "run" / "withheld" / "dss-mts.service.json"
    assert json.loads(note.read_text())["reason"] == "3.1 GB available, 4 GB needed"
    assert ask(tmp_path, 5000 * MB, "full").returncode == 0
    assert not note.exists()


def test_an_unknown_class_is_an_error_and_no_permission(tmp_path: Path) -> None:
    assert ask(tmp_path, 9000 * MB, "everything").returncode == 2


def test_a_reason_that_cannot_be_written_does_not_change_the_verdict(tmp_path: Path) -> None:
    (tmp_path / "run").write_text("a file where the folder should be")
    assert ask(tmp_path, 1000 * MB, "full").returncode == 1


def test_the_gate_costs_no_noticeable_time(tmp_path: Path) -> None:
    def once() -> float:
        started = time.monotonic()
        ask(tmp_path, 9000 * MB, "full")
        return time.monotonic() - started

    assert min(once() for _ in range(5)) < 0.15


def test_a_kernel_without_the_line_is_an_error() -> None:
    with pytest.raises(ValueError, match="MemAvailable"):
        gate.available("MemTotal: 1 kB\n")
