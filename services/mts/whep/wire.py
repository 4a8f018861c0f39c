"""What DSS_MTS writes to the process that speaks WebRTC, and what comes back.

To it go messages: a head and so many bytes. From it come lines of JSON, each with the `number` of a session:
`answer` (SDP), `refused` (the fields of a Problem) or `ended` (why).
"""

import struct

HEAD = struct.Struct(">BII")
"""Kind, number of the session, bytes that follow."""
OPEN = 1
"""JSON: `offer`, `hosts`, `port`, and the camera's `tracks`, as `track` writes them."""
CLOSE = 2
FRAME = 3
"""One chunk of the camera as it came."""
EARLIER = 4
"""As FRAME, from before the session began: it is shown at once."""
MAX_BODY = 9 * 1024 * 1024
MAX_OFFER = 64 * 1024


def message(kind: int, number: int, body: bytes = b"") -> bytes:
    """One message."""
    return HEAD.pack(kind, number, len(body)) + body
