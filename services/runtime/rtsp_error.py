"""Why a camera cannot be used by RTSP."""

REFUSED = "refused"
UNREACHABLE = "unreachable"
GARBLED = "garbled"
NOT_FOUND = "not_found"


class RtspError(Exception):
    """The camera cannot be used now: `code` is one of the four above; the text says why.

    `status` is the camera's answer where that was the reason, else 0.
    """

    def __init__(self, code: str, text: str, status: int = 0) -> None:
        super().__init__(text)
        self.code = code
        self.status = status
