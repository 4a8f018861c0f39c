"""Numbers and times as people read them; each is a filter of the templates."""

from datetime import UTC, datetime

from flask import Flask

NONE = "\N{EN DASH}"
BYTES = ("B", "kB", "MB", "GB", "TB", "PB")


def amount(bytes_: float | None) -> str:
    """Bytes with a unit, powers of 1024 as the memory gate counts: 6.1 GB; a dash for None."""
    if bytes_ is None:
        return NONE
    value, unit = float(bytes_), 0
    while value >= 1000 and unit < len(BYTES) - 1:
        value, unit = value / 1024, unit + 1
    return f"{_short(value) if unit > 1 else round(value)} {BYTES[unit]}"


def rate(bits: float | None) -> str:
    """Bits per second with a unit, powers of 1000: 4.2 Mbit/s."""
    if bits is None:
        return NONE
    value, unit = float(bits), 0
    while value >= 1000 and unit < 3:
        value, unit = value / 1000, unit + 1
    words = ("bit/s", "kbit/s", "Mbit/s", "Gbit/s")
    return f"{_short(value) if unit else round(value)} {words[unit]}"


def _short(value: float) -> str:
    """At most one decimal, none from 100 on or where it is zero."""
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}".removesuffix(".0")


def percent(value: float | None) -> str:
    """A percentage without decimals from 10 on."""
    if value is None:
        return NONE
    return f"{value:.0f}%" if value >= 10 or value == 0 else f"{value:.1f}%"


def span(seconds: float | None) -> str:
    """A length of time in its two largest units: 2 d 4 h."""
    if seconds is None:
        return NONE
    rest, parts = max(0, int(seconds)), list[str]()
    for word, size in (("d", 86400), ("h", 3600), ("min", 60), ("s", 1)):
        if rest >= size and len(parts) < 2:
            parts.append(f"{rest // size} {word}")
        elif parts:
            break
        rest %= size
    return " ".join(parts) or "0 s"


def since(moment: datetime | str | None) -> str:
    """How long ago `moment` (datetime or ISO text) was; a dash for none or nonsense."""
    try:
        at = datetime.fromisoformat(moment) if isinstance(moment, str) else moment
    except ValueError:
        return NONE
    if at is None:
        return NONE
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    return span((datetime.now(UTC) - at).total_seconds())


def stamp(moment: datetime | None) -> str:
    """A moment in UTC, to the second."""
    return moment.strftime("%Y-%m-%d %H:%M:%S UTC") if moment else NONE


def moment(ms: float) -> datetime | None:
    """Milliseconds since 1970 as a time; None for what lies beyond all calendars."""
    try:
        return datetime.fromtimestamp(ms / 1000, UTC)
    except (ValueError, OverflowError, OSError):
        return None


def install(app: Flask) -> None:
    """Make the functions filters of `app`'s templates."""
    for function in (amount, rate, percent, span, since, stamp, moment):
        app.add_template_filter(function)
