"""Figures, ports and logs are the ones of this very machine."""

import getpass
import json
import os
import shlex
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest

from lab.admin import until
from services.smc.agent import figures, logs, ports
from services.smc.agent.figures import Meter

if TYPE_CHECKING:
    from tests.conftest import NodeFiles

BUSY = "import time\nuntil = time.monotonic() + 20\nwhile time.monotonic() < until: pass"


def test_usage_counts_a_main_process_with_its_children() -> None:
    parent = subprocess.Popen(["sh", "-c", f"{shlex.quote(sys.executable)} -c '{BUSY}'; true"])
    try:
        until(5, "the shell has its child", lambda: len(figures.family(figures.processes(), parent.pid)) == 2)
        meter, child = Meter(Path("/")), psutil.Process(parent.pid).children()[0]
        meter.services({"x": [parent.pid]})
        before, begun = child.cpu_times().user, time.monotonic()
        time.sleep(1)
        usage = meter.services({"x": [parent.pid]})["x"]
        expected = 100 * (child.cpu_times().user - before) / (time.monotonic() - begun)
    finally:
        for process in figures.family(figures.processes(), parent.pid):
            os.kill(process.pid, 9)
        parent.wait()
    # The shell only waits; what its child got, on a machine with other work too, the kernel tells.
    assert usage.cpu == pytest.approx(expected, abs=8)
    assert expected > 1
    assert 1_000_000 < usage.memory < 50_000_000
    assert usage.fds is not None
    assert usage.fds >= 3


def test_a_service_without_process_uses_nothing() -> None:
    usage = Meter(Path("/")).services({"x": [0]})["x"]
    assert (usage.cpu, usage.memory, usage.fds) == (0.0, 0, 0)


def test_host_figures_have_the_form_of_a_beat() -> None:
    host = Meter(Path("/")).host()
    assert set(host) == {"uptime", "cpu", "memory", "disk", "network"}
    assert 0 < host["memory"]["available"] <= host["memory"]["total"]
    assert 0 < host["disk"]["free"] < host["disk"]["total"]
    assert Meter(Path("/nowhere")).host()["disk"] == {"total": 0, "free": 0}


def test_a_port_is_listening_exactly_while_someone_listens(node_files: "NodeFiles") -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        text = '[{"port": %d, "protocol": "%s", "direction": "%s"}]'
        found = {}
        for key in (("tcp", "in"), ("udp", "in"), ("tcp", "out")):
            (node_files.etc / "ports.json").write_text(text % (port, *key))
            found[key] = ports.matrix()[0]["listening"]
    assert found == {("tcp", "in"): True, ("udp", "in"): False, ("tcp", "out"): False}
    (node_files.etc / "ports.json").write_text(text % (port, "tcp", "in"))
    assert ports.matrix()[0]["listening"] is False


def test_what_listens_beside_the_matrix_is_told_with_how_far_it_is_heard(node_files: "NodeFiles") -> None:
    with socket.create_server(("127.0.0.1", 0)) as near, socket.create_server(("", 0)) as far:
        own, open_ = near.getsockname()[1], far.getsockname()[1]
        (node_files.etc / "ports.json").write_text("[]")
        found = {row["port"]: row for row in ports.unlisted()}
        assert (found[own]["local"], found[open_]["local"]) == (True, False)
        assert found[own]["user"] == getpass.getuser()
        row = {"port": own, "protocol": "tcp", "direction": "in", "status": "built"}
        (node_files.etc / "ports.json").write_text(json.dumps([row]))
        left = {row["port"] for row in ports.unlisted()}
        assert open_ in left
        assert own not in left


def test_log_lines_are_readable_whatever_the_journal_holds() -> None:
    ours = '{"message": "it failed", "trace": "Traceback\\n  x\\nKeyError: 1"}'
    entries = {
        ours: "it failed (KeyError: 1)",
        "{not json": "{not json",
        "plain": "plain",
    }
    for message, text in entries.items():
        entry = {"__REALTIME_TIMESTAMP": "1769853600123000", "PRIORITY": "4", "MESSAGE": message}
        assert logs._line(entry) == f"2026-01-31T10:00:00.123Z warning {text}"
    entry = {"__REALTIME_TIMESTAMP": "1769853600000000", "MESSAGE": [104, 105, 255]}
    assert logs._line(entry).startswith("2026-01-31T10:00:00.000Z info hi")
