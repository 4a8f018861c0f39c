"""Commands inside a throw-away copy of a Debian base: what they write is kept as a layer of its own."""

import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from services.bundle.releases import problem

# The mounts live in a mount namespace of this one command, so that even kill -9 leaves none behind.
MOUNT = """
set -e
lower=$1 upper=$2 work=$3 root=$4; shift 4
mount -t overlay -o "lowerdir=$lower,upperdir=$upper,workdir=$work" overlay "$root"
mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"
while [ "$1" != -- ]; do
    mkdir -p "$root$2"
    mount --bind "$1" "$root$2"
    shift 2
done
shift
exec chroot "$root" "$@"
"""
ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "LC_ALL": "C.UTF-8",
    "HOME": "/root",
    "DEBIAN_FRONTEND": "noninteractive",
}


@dataclass(frozen=True)
class Chroot:
    """Layers from the top one down to the base; `shown`: {path inside: folder of this machine}.

    Unless `online`, there is no network inside: what works here works on an air-gapped host.
    """

    layers: Sequence[Path]
    shown: Mapping[str, Path] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
    online: bool = False

    def run(self, scratch: Path, *command: str) -> str:
        """Run a command; what it writes is in `scratch`/upper afterwards. Returns its output.

        Raises Problem with the command's own message when it fails.
        """
        for name in ("upper", "work", "root"):
            (scratch / name).mkdir(exist_ok=True)
        words, environment = self._words(scratch, command), {**ENVIRONMENT, **self.environment}
        done = subprocess.run(words, capture_output=True, text=True, check=False, env=environment)
        if done.returncode:
            raise problem(
                "command",
                f"`{' '.join(command)[:200]}` failed while the bundle was built.",
                f"It said: {(done.stderr.strip() or done.stdout.strip())[-2000:]}",
                "Correct the cause and run it again; nothing was changed.",
            )
        return done.stdout

    def _words(self, scratch: Path, command: Sequence[str]) -> list[str]:
        """The whole command line: a namespace of its own, then MOUNT with its arguments."""
        alone = ["unshare", "--mount", *([] if self.online else ["--net"]), "--fork"]
        lower = ":".join(str(layer) for layer in self.layers)
        places = [str(scratch / name) for name in ("upper", "work", "root")]
        binds = [word for inside, folder in self.shown.items() for word in (str(folder), inside)]
        return [*alone, "sh", "-c", MOUNT, "sh", lower, *places, *binds, "--", *command]
