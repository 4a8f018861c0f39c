"""Programs that the agent runs come to an end, whatever they do."""

import os
import sys
import time
from pathlib import Path

import pytest

from services.smc.agent import certificates, child


async def test_input_output_and_errors_are_passed_on() -> None:
    script = "import sys; print(input()[::-1]); print('no good', file=sys.stderr); sys.exit(3)"
    ended = await child.run((sys.executable, "-c", script), 10, b"abc\n")
    assert (ended.status, ended.out, ended.errors) == (3, b"cba\n", "no good")


async def test_a_program_that_takes_too_long_is_ended(tmp_path: Path) -> None:
    noted = tmp_path / "pid"
    script = f"echo $$ > {noted}; exec sleep 60"
    with pytest.raises(TimeoutError):
        await child.run(("/bin/sh", "-c", script), 0.5)
    with pytest.raises(ProcessLookupError):
        os.kill(int(noted.read_text()), 0)


async def test_what_it_has_started_is_ended_with_it_and_not_waited_for(tmp_path: Path) -> None:
    noted = tmp_path / "pid"
    began = time.monotonic()
    with pytest.raises(TimeoutError):
        await child.run(("/bin/sh", "-c", f"sleep 60 & echo $! > {noted}; wait"), 0.5)
    assert time.monotonic() - began < 10
    assert not Path(f"/proc/{noted.read_text().strip()}/fd/1").exists()


@pytest.mark.parametrize(
    ("script", "seconds", "words"),
    [
        ("echo no JSON", 10, "Expecting value"),
        ("echo the key is unreadable >&2; exit 1", 10, "the key is unreadable"),
        ("sleep 60", 0.2, "took more than"),
    ],
)
async def test_certificates_that_cannot_be_read_are_told_in_the_log_and_asked_again(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, script: str, seconds: float, words: str
) -> None:
    monkeypatch.setattr(certificates, "COMMAND", ("/bin/sh", "-c", script))
    monkeypatch.setattr(certificates, "SECONDS", seconds)
    assert await certificates._ask() is None
    assert words in caplog.text
