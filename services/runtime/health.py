"""What a service says about itself: named checks, all of which must be well."""

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Check:
    """One named check: well or not, and why not."""

    ok: bool
    reason: str = ""


@dataclass
class Health:
    """The checks of one service. `dead` holds why only a restart can help; empty while alive.

    `alarms` are what a person must look at although the service itself is well.
    """

    checks: dict[str, Check] = field(default_factory=dict)
    alarms: dict[str, str] = field(default_factory=dict)
    dead: str = ""

    def set(self, check: str, ok: bool, reason: str = "") -> None:
        """Record the newest result of `check`; a well one may carry a remark as its reason."""
        self.checks[check] = Check(ok, reason)

    def alarm(self, name: str, text: str) -> None:
        """Raise an alarm, or end it with an empty text."""
        if text:
            self.alarms[name] = text
        else:
            self.alarms.pop(name, None)

    def give_up(self, reason: str) -> None:
        """Say that only a restart can help: the watchdog is no longer fed."""
        self.dead = self.dead or reason

    @property
    def ok(self) -> bool:
        """True when alive and every check is well."""
        return not self.dead and all(check.ok for check in self.checks.values())

    def reasons(self) -> str:
        """What is not well, in one line; empty if all is well."""
        failing = [f"{name}: {check.reason}" for name, check in self.checks.items() if not check.ok]
        return "; ".join([self.dead, *failing] if self.dead else failing)

    def as_dict(self) -> dict[str, Any]:
        """`{"status": "ok"|"failing", "checks": {name: {"ok": bool, "reason": str}}}`, `alarms` if any."""
        checks = {name: {"ok": check.ok, "reason": check.reason} for name, check in self.checks.items()}
        if self.dead:
            checks["alive"] = {"ok": False, "reason": self.dead}
        alarms = {"alarms": dict(self.alarms)} if self.alarms else {}
        return {"status": "ok" if self.ok else "failing", "checks": checks, **alarms}
