"""A deployed site in a lab, as the demo and the tests use it."""

import json
import re
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab.admin import Admin
from lab.rack import Lab
from lab.tools import LabError

MAIN = "main-a"
SUB = "sub-1"
RECAP = re.compile(r"^(\S+)\s+: ok=\d+\s+changed=(\d+)\s+unreachable=(\d+)\s+failed=(\d+)", re.MULTILINE)


@dataclass(frozen=True)
class Play:
    """What one run of a playbook did: exit code, seconds, tasks changed by host, and all it printed."""

    code: int
    seconds: float
    changed: dict[str, int]
    output: str


class Site:
    """The site of one inventory on the hosts of one lab."""

    def __init__(self, lab: Lab, inventory: Path, listen: str) -> None:
        self.lab = lab
        self.inventory = inventory
        self.listen = listen
        self.first: Play | None = None

    def play(self, *options: str, playbook: str = "site.yml", tree: Path | None = None) -> Play:
        """Run a playbook on the site as an integrator does, and wait for its end.

        `tree` is the copy of the project whose playbook it is, of another release for instance.
        """
        started = time.monotonic()
        words = ["ansible-playbook", "-i", str(self.inventory.resolve()), playbook, *options]
        if tree:
            words = ["env", "-C", str(tree), f"PYTHONPATH={tree}", *words]
        done = self.lab.run(words, capture=True, env={"ANSIBLE_FORCE_COLOR": "0"}, seconds=900)
        output = done.stdout + done.stderr
        changed = {host: int(count) for host, count, _lost, _failed in RECAP.findall(output)}
        return Play(done.returncode, time.monotonic() - started, changed, output)

    def on(self, host: str, *words: str) -> str:
        """Run a command as root on a host and return its output; LabError with its message when it fails."""
        done = self.lab.execute(host, list(words), capture=True, seconds=120)
        if done.returncode:
            raise LabError(
                f"{host}: {' '.join(words)} failed ({done.returncode}): {done.stderr or done.stdout}"
            )
        return done.stdout

    def python(self, host: str, program: str) -> str:
        """Run a few lines of Python on a host."""
        return self.on(host, "python3", "-c", program)

    def agent(self, host: str, path: str) -> Any:  # noqa: ANN401
        """Ask a host's own node agent, past the portal."""
        program = (
            "import urllib.request as u\n"
            "token = open('/etc/dss/credentials/node-token').read().strip()\n"
            f"ask = u.Request('http://127.0.0.1:9000{path}')\n"
            "ask.add_header('Authorization', 'Bearer ' + token)\n"
            "print(u.urlopen(ask, timeout=3).read().decode())"
        )
        return json.loads(self.python(host, program))

    def admin(self) -> Admin:
        """An administrator at the forwarded portal, not yet logged in."""
        return Admin(f"https://{self.listen}", self.on(MAIN, "cat", "/etc/dss/pki/ca.pem"))
