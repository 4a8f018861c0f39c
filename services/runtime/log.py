"""One JSON object per log line on stderr; systemd's journal keeps them."""

import json
import logging
import os
import sys

from services.runtime import clock

# RFC 5424 severities, understood by journald as a line prefix (sd-daemon(3)).
_SEVERITY = {logging.DEBUG: 7, logging.INFO: 6, logging.WARNING: 4, logging.ERROR: 3, logging.CRITICAL: 2}
_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class JsonLines(logging.Formatter):
    """`{"at", "level", "service", "logger", "message", …extra, "trace"?}` on one line."""

    def __init__(self, service_id: str, severity_prefix: bool) -> None:
        super().__init__()
        self.service_id = service_id
        self.severity_prefix = severity_prefix

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "at": clock.iso(clock.now()),
            "level": record.levelname.lower(),
            "service": self.service_id,
            "logger": record.name,
            "message": record.getMessage(),
            **{key: value for key, value in vars(record).items() if key not in _STANDARD},
        }
        if record.exc_info:
            line["trace"] = self.formatException(record.exc_info)
        text = json.dumps(line, default=str, ensure_ascii=False)
        return f"<{_SEVERITY.get(record.levelno, 6)}>{text}" if self.severity_prefix else text


def setup(service_id: str) -> None:
    """Send every logger's lines to stderr as JSON; `DSS_LOG_LEVEL` (default INFO) sets how much."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines(service_id, severity_prefix="JOURNAL_STREAM" in os.environ))
    logging.basicConfig(level=os.environ.get("DSS_LOG_LEVEL", "INFO"), handlers=[handler], force=True)
    logging.getLogger("aiohttp.access").setLevel(logging.WARNING)
