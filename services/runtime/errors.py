"""One error type for everything a user or another service may be told."""

from typing import Any


class Problem(Exception):  # noqa: N818 - RFC 9457 calls it a problem
    """Something a caller has to know: what happened, why, and what to do (RFC 9457).

    `code` is a stable kebab-case word for programs, `status` the HTTP status.
    """

    def __init__(self, code: str, what: str, why: str = "", remedy: str = "", status: int = 400) -> None:
        super().__init__(what)
        self.code = code
        self.what = what
        self.why = why
        self.remedy = remedy
        self.status = status

    def __str__(self) -> str:
        return " ".join(part for part in (self.what, self.why, self.remedy) if part)

    def as_dict(self) -> dict[str, Any]:
        """The RFC 9457 body: type, title, status, detail, and our what, why, remedy."""
        return {
            "type": f"urn:dss:problem:{self.code}",
            "title": self.what,
            "status": self.status,
            "detail": " ".join(part for part in (self.why, self.remedy) if part),
            "code": self.code,
            "what": self.what,
            "why": self.why,
            "remedy": self.remedy,
        }
