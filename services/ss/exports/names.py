"""Names of exported files: the same everywhere, and readable by every system that unpacks them."""

import re
import unicodedata
from datetime import UTC, datetime

from services.ss.entry import SECOND

_FOREIGN = re.compile(r"[^A-Za-z0-9._-]+")
_LONGEST = 48


def plain(name: str, otherwise: str) -> str:
    """A name of letters, digits and `._-`, without accents; `otherwise` where nothing of it is left."""
    bare = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    return _FOREIGN.sub("_", bare).strip("._-")[:_LONGEST] or otherwise


def of_piece(number: int, channel: str, name: str, start: int) -> str:
    """A recorded file: counted, with its camera and its first moment (microseconds since 1970) in UTC."""
    return f"{number:04d}-{plain(name, channel)}-{_moment(start)}.mp4"


def of_single(channel: str, name: str, start: int) -> str:
    """A recorded file that is the whole result."""
    return f"{plain(name, channel)}-{_moment(start)}.mp4"


def of_archive(platform: str, start: int, folder: str = "") -> str:
    """A result of several files; that of one folder is named after it too."""
    return "-".join(filter(None, (plain(platform, "export"), folder, _moment(start)))) + ".zip"


def inside(folder: str, name: str) -> str:
    """A file in an archive, whose names are separated by / on every system (APPNOTE 4.4.17)."""
    return f"{folder}/{name}" if folder else name


def _moment(at: int) -> str:
    return datetime.fromtimestamp(at // SECOND, UTC).strftime("%Y%m%dT%H%M%SZ")
