"""What the lab needs of this machine, and a clear refusal where it cannot run."""

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

from lab.tools import LabError

# Debian package -> a file that shows it is there.
PACKAGES = {
    "debootstrap": "/usr/sbin/debootstrap",
    "e2fsprogs": "/usr/sbin/mkfs.ext4",
    "gir1.2-gst-rtsp-server-1.0": "/usr/lib/*/girepository-1.0/GstRtspServer-1.0.typelib",
    "gstreamer1.0-plugins-bad": "/usr/lib/*/gstreamer-1.0/libgstvideoparsersbad.so",
    "gstreamer1.0-plugins-base": "/usr/lib/*/gstreamer-1.0/libgstapp.so",
    "gstreamer1.0-plugins-good": "/usr/lib/*/gstreamer-1.0/libgstrtp.so",
    "gstreamer1.0-plugins-ugly": "/usr/lib/*/gstreamer-1.0/libgstx264.so",
    "iproute2": "/usr/sbin/ip",
    "nftables": "/usr/sbin/nft",
    "openssh-client": "/usr/bin/ssh",
    "procps": "/usr/sbin/sysctl",
    "python3-gi": "/usr/lib/python3/dist-packages/gi/__init__.py",
    "systemd-container": "/usr/bin/systemd-nspawn",
}
STILL = "These still run here: ./dss test lint unit render portal"


def missing() -> list[str]:
    """Names of Debian packages that are not there yet."""
    return [name for name, pattern in PACKAGES.items() if not any(Path("/").glob(pattern.lstrip("/")))]


def check(say: Callable[[str], None] = print) -> None:
    """Install what is missing; raises LabError, with what still runs, where a lab is impossible."""
    if os.geteuid() != 0:
        raise LabError(f"the lab boots hosts and changes networks, which needs root. Use sudo. {STILL}")
    _namespaces()
    wanted = missing()
    if not wanted:
        return
    if not shutil.which("apt-get"):
        raise LabError(f"{', '.join(wanted)} are missing and this is not a Debian machine. {STILL}")
    say(f"installing {' '.join(wanted)}")
    _install(wanted)


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


def _install(names: list[str]) -> None:
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for words in (["update", "-qq"], ["install", "-y", "-qq", "--no-install-recommends", *names]):
        done = subprocess.run(
            ["apt-get", *words], env=environment, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise LabError(
                f"apt-get {words[0]} failed: {done.stderr.strip()[-1000:]} Correct it, run the verb again."
            )
