"""No more than one wrong password in ten minutes, or the device locks its account; kept over restarts."""

import hashlib
import json
import logging
import time
from dataclasses import dataclass, field
from pathlib import Path

from services.node import files

LOG = logging.getLogger(__name__)

WAIT_SECONDS = 600.0


@dataclass
class Refusals:
    """When each device record was refused last; a changed record, of whatever type, may be tried at once."""

    file: Path
    until: dict[str, float] = field(default_factory=dict)

    def recall(self) -> None:
        """Take up what the last run knew."""
        try:
            kept = json.loads(self.file.read_text())
            self.until = {str(key): float(value) for key, value in kept.items()}
        except FileNotFoundError:
            return
        except (OSError, ValueError, TypeError, AttributeError) as error:
            LOG.warning("earlier refusals are not known: %s", error)

    def note(self, device: object) -> None:
        """The device refused its user or password just now."""
        now = time.time()
        self.until = {key: until for key, until in self.until.items() if until > now}
        self.until[fingerprint(device)] = now + WAIT_SECONDS
        files.write(self.file, json.dumps(self.until), 0o600)

    def wait(self, device: object) -> float:
        """Seconds until the device may be tried again; 0 if it may now."""
        left = self.until.get(fingerprint(device), 0.0) - time.time()
        # A clock that was set back must not silence a device for longer than meant.
        return min(max(0.0, left), WAIT_SECONDS)


def fingerprint(device: object) -> str:
    """The same for the same record, which includes the moment of its last change."""
    return hashlib.sha256(repr(device).encode()).hexdigest()
