"""Reading what is asked of DSS_SS: streams, and moments in milliseconds."""

from typing import Any

from services.media.plans import MAIN, SUB
from services.ss.entry import LATEST, MILLI


def stream(value: object) -> str:
    """Which stream is wanted; ValueError for what is none."""
    if value not in (MAIN, SUB):
        raise ValueError(f"{value!r:.40} is neither {MAIN} nor {SUB}")
    return str(value)


def moment(value: Any) -> int:  # noqa: ANN401 - JSON
    """Microseconds since 1970 of whole milliseconds; ValueError for what is none, or cannot be looked for."""
    try:
        found = int(value) * MILLI
    except (TypeError, OverflowError) as error:
        raise ValueError(f"{value!r:.40} is no number") from error
    if abs(found) > LATEST:
        raise ValueError("more than the index can hold")
    return found
