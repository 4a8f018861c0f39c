"""Run the node's own `dss` command and understand its answer; its input goes in by standard input."""

import json
import shlex
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from playbooks.plugin_utils.dss_action import Action, Answer

PROGRAMS = "/opt/dss"
MISSING = 127
# What changes the release goes on when the connection breaks, and is undone when it is killed.
DETACHED = [
    "systemd-run", "--quiet", "--wait", "--pipe", "--collect", "--unit=dss-switch", "--setenv=PATH",
    '--property=ExecStopPost=-/bin/sh -c "[ ! -e /var/lib/dss/switch/journal.json ] || exec /var/lib/dss/switch/old/venv/bin/python -I -m services.node release recover >/dev/null"',  # noqa: E501
]  # fmt: skip


class ActionModule(Action):
    """Arguments: words (the command line after `dss`), input (text, or data that becomes JSON), check (bool),
    release (run that release's `dss` instead of the current one's), detached (go on without a connection).

    In check mode a step runs with --check, so that it can tell what it would change; on a host where nothing
    is installed yet it is skipped. When `dss` fails, its what, why and what to do are the task's message.
    """

    def work(self) -> Answer:
        args = self.args
        words = [str(word) for word in args["words"]]
        if self._task.check_mode:
            if not args.get("check", False):
                return {"skipped": True, "msg": "This step would change something."}
            words.append("--check")
        release = args.get("release")
        python = f"{PROGRAMS}/{f'releases/{release}' if release else 'current'}/venv/bin/python"
        before = DETACHED if args.get("detached", False) else []
        command = shlex.join([*before, python, "-I", "-m", "services.node", *words])
        guarded = f"test -x {python} || exit {MISSING}; exec {command}"
        done = self._low_level_execute_command(guarded, in_data=self._input(args.get("input")))
        return self._understood(done)

    @staticmethod
    def _input(value: Any) -> bytes:  # noqa: ANN401 - JSON
        text = value if isinstance(value, str) else json.dumps(value)
        return (text + "\n").encode() if value is not None else b"\n"

    def _understood(self, done: Answer) -> Answer:
        if done["rc"] == MISSING and self._task.check_mode:
            return {"skipped": True, "msg": "The release is not installed on this host yet."}
        answer = self._json(done["stdout"])
        if done["rc"] == 0:
            return {"changed": bool(answer.pop("changed", False)), **answer}
        reason = done["stderr"].strip() or done["stdout"].strip() or f"exit code {done['rc']}"
        return {"failed": True, "rc": done["rc"], "msg": reason, **answer}

    @staticmethod
    def _json(text: str) -> Answer:
        try:
            answer = json.loads(text.strip().splitlines()[-1])
        except (ValueError, IndexError):
            return {}
        return answer if isinstance(answer, dict) else {"answer": answer}
