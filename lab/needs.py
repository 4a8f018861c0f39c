"""What the lab needs of this machine, and a clear refusal where it cannot run."""

import os
import shutil
import subprocess
from pathlib import Path

from lab.tools import LabError
from services.cli import debian

# Debian packages of the lab's cameras; bench and peer tests run cameras without a lab.
CAMERAS = (
    "gir1.2-gst-rtsp-server-1.0",
    "gstreamer1.0-libav",
    "gstreamer1.0-plugins-bad",
    "gstreamer1.0-plugins-base",
    "gstreamer1.0-plugins-good",
    "gstreamer1.0-plugins-ugly",
    "gstreamer1.0-rtsp",
    "python3-gi",
)
PACKAGES = (
    *CAMERAS,
    "debootstrap",
    "e2fsprogs",
    "iproute2",
    "mount",
    "openssh-client",
    "procps",
    "systemd-container",
)
STILL = "These still run here: ./dss test lint unit render portal"


def check() -> None:
    """Install what is missing; raises LabError, with what still runs, where a lab is impossible."""
    root()
    _namespaces()
    debian.install(PACKAGES, STILL)


def root() -> None:
    """Raise LabError for a user who could neither boot nor see a host, nor mount a disk."""
    if os.geteuid():
        raise LabError(f"the lab boots hosts and changes networks, which needs root. Use sudo. {STILL}")


def _namespaces() -> None:
    """Ask the kernel instead of guessing from its version: containers often forbid what it could do."""
    # A stock Debian kernel has these as modules; where it has not, the probe below says so.
    if shutil.which("modprobe"):
        subprocess.run(
            ["modprobe", "-qa", "overlay", "loop", "veth", "bridge"], capture_output=True, check=False
        )
    probe = ["unshare", "--net", "--mount", "--pid", "--fork", "mount", "-t", "tmpfs", "dss", "/mnt"]
    done = subprocess.run(probe, capture_output=True, text=True, check=False)
    if done.returncode or "overlay" not in Path("/proc/filesystems").read_text():
        said = done.stderr.strip() or "there is no overlay file system"
        raise LabError(
            f"this machine does not let us make hosts ({said}). Use a virtual or real Debian machine, "
            f"not an unprivileged container. {STILL}"
        )
