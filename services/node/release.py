"""What is installed on a node, and who accepted the licence agreement when."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from services.node import files
from services.node.report import Report


def record(path: Path, wish: dict[str, str], check: bool = False) -> Report:
    """Write version, date and acceptance; the same agreement keeps its person and time."""
    empty: dict[str, Any] = {}
    before, report = files.read_json(path, empty), Report()
    accepted = before.get("accepted_agreement", {})
    if accepted.get("version") != wish["agreement"]:
        now = datetime.now(UTC).isoformat(timespec="seconds")
        accepted = {"version": wish["agreement"], "by": wish["by"], "at": now}
    after = {"version": wish["version"], "date": wish["date"], "accepted_agreement": accepted}
    if before != after:
        report.add(f"release {wish['version']} of {wish['date']}")
        if not check:
            files.write_json(path, after)
    return report
