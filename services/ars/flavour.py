"""Which protocol a device that dials in speaks, by the first bytes it sends."""

CGI, DVRIP, TLS, OTHER = "cgi", "dvrip", "tls", "other"
ENOUGH = 4

REFUSALS = {
    DVRIP: "It registers by the DVRIP protocol, which this release does not speak. "
    "Choose registration by CGI (HTTP) on the device, or add it by its address.",
    TLS: "It begins with TLS, which devices are not offered here. Switch it off for registration.",
    OTHER: "It sent nothing that this release knows as registration.",
}


def of(first: bytes) -> str:
    """The flavour of at least one byte; HTTP is only what could become `POST`."""
    if b"POST".startswith(first[:4]):
        return CGI
    if first[:1] == b"\xb4":
        return DVRIP
    return TLS if first[:2] == b"\x16\x03"[: len(first[:2])] else OTHER
