"""The node's keys for recordings: which there are, and a newer one for what is recorded from now on."""

from services import recording_keys
from services.node import files, lock, units
from services.node.report import Report
from services.runtime.errors import Problem

PATH = files.ETC / "credentials" / recording_keys.NAME
UNIT = "dss-ss.service"
LOCK, LOCK_SECONDS = files.STATE / "recording-keys.lock", 5.0


def listing() -> list[str]:
    """The ids of the keys, the one in use first."""
    return [one.id.hex() for one in _held()]


def renew() -> Report:
    """Put a new key before the others and have DSS_SS use it; the others stay, for what they encrypted.

    A run that is cut off leaves the old list, or the new one, which the next start of DSS_SS reads.
    """
    made = recording_keys.new()
    # Of two at once each would leave out the key of the other, with which something may be recorded by then.
    with lock.alone(LOCK, LOCK_SECONDS) as mine:
        if not mine:
            raise _busy()
        files.write(PATH, recording_keys.written([made, *_held()]), 0o600)
    # It is handed its keys when it starts; DSS_MTS keeps what comes meanwhile.
    units.systemctl("try-restart", UNIT)
    report = Report(data={"key": made.id.hex()})
    report.add(f"recording key {made.id.hex()}")
    return report


def _held() -> tuple[recording_keys.Key, ...]:
    try:
        return recording_keys.read(PATH.read_text())
    except (OSError, ValueError) as error:
        raise Problem(
            "recording-keys", "The keys for recordings cannot be read.", f"{PATH}: {error}.",
            "Restore the file from a backup of this node; without one, run the deployment (site.yml).",
        ) from error  # fmt: skip


def _busy() -> Problem:
    return Problem(
        "recording-keys-busy", "No key was added.", "Somebody else is adding one at this moment.",
        "See with `dss recording-key list` whether it is there, before trying again.", status=409,
    )  # fmt: skip
