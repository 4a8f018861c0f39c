"""What systemd itself says about the rendered units."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from services.render import File

OWN, ENGINES, CHANGERS = 2.0, 4.5, 4.5
# Steps that an administrator would take as root, and not a service that listens to anybody.
STEPS = {"dss-recover.service", "dss-backup.service"}
HOSTS = [("distributed", "main-a"), ("distributed", "sub-1"), ("networks", "sub-1")]
Render = Callable[[str, str], dict[str, File]]
Build = Callable[[dict[str, File]], Path]


def units_of(files: dict[str, File]) -> dict[str, float]:
    """Each unit with the highest exposure that it may have."""
    names = [
        p.rpartition("/")[2]
        for p in files
        if p.startswith("/etc/systemd/system/dss-") and p.endswith(".service") and "/dss-change" not in p
    ]
    # They write below /etc as root, for the time of a change only.
    changing = ("dss-change@1.service", "dss-change-resume.service", "dss-certificate.service")
    changers = dict.fromkeys(changing, CHANGERS)
    engines = [p.split("/")[4].removesuffix(".d") for p in files if p.endswith(".service.d/dss.conf")]
    return dict.fromkeys(names, OWN) | dict.fromkeys(engines, ENGINES) | changers


@pytest.mark.parametrize(("inventory", "host"), HOSTS)
def test_systemd_accepts_every_unit(rendered: Render, node_root: Build, inventory: str, host: str) -> None:
    files = rendered(inventory, host)
    root = node_root(files)
    command = ["systemd-analyze", "verify", f"--root={root}", "--man=no", "dss.target", *units_of(files)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(("inventory", "host"), HOSTS)
def test_exposure_of_every_unit_is_low(rendered: Render, node_root: Build, inventory: str, host: str) -> None:
    files = rendered(inventory, host)
    root = node_root(files)
    wanted = {unit: level for unit, level in units_of(files).items() if unit not in STEPS}
    assert len(wanted) == {"main-a": 15, "sub-1": 11}[host] + (inventory == "networks")
    assert {unit: level for unit in wanted if (level := exposure(root, unit)) > wanted[unit]} == {}


def exposure(root: Path, unit: str) -> float:
    """The overall level that `systemd-analyze security` gives to a unit file."""
    command = ["systemd-analyze", "security", "--offline=true", f"--root={root}", "--no-pager", unit]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return float(done.stdout.rpartition("level for ")[2].split()[1])


def test_only_the_core_is_spared_the_memory_gate(rendered: Render) -> None:
    files = rendered("distributed", "main-a")
    gated = {p.split("/")[4].removesuffix(".d") for p, f in files.items() if "ExecCondition=" in f.text}
    own = {f"dss-{name}.service" for name in ("dms", "mts", "ars", "ss", "mgw")}
    assert gated == {"nats-server.service", *own}


def test_no_secret_is_written_into_a_unit_or_a_readable_file(rendered: Render) -> None:
    secret = {
        path: file for path, file in rendered("distributed", "main-a").items() if "@@credential:" in file.text
    }
    assert {path: (file.mode, file.group) for path, file in secret.items()} == {
        "/etc/dss/engines/nats.conf": ("0640", "nats"),
        "/etc/dss/engines/nginx-node.conf": ("0600", "root"),
        "/etc/dss/engines/redis.conf": ("0640", "redis"),
    }
