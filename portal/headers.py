"""Response headers of every page: what the browser may load, frame, keep and tell others."""

from flask import Flask, Response, request

# connect-src 'self' covers wss: to the own origin (CSP3, section 6.7.2.8), so media needs no further word.
CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data: blob:",
        "font-src 'self'",
        "connect-src 'self'",
        "media-src 'self' blob:",
        "frame-ancestors 'none'",
        "base-uri 'none'",
        "form-action 'self'",
    )
)

HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": (
        "camera=(), microphone=(self), geolocation=(), payment=(), usb=(), fullscreen=(self)"
    ),
    "Strict-Transport-Security": "max-age=31536000",
}
A_YEAR = "public, max-age=31536000, immutable"


def add(response: Response) -> Response:
    """Set the headers; what a view set itself stays."""
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    if request.endpoint == "static" and request.args.get("v") and response.status_code == 200:
        response.headers["Cache-Control"] = A_YEAR
    elif "Cache-Control" not in response.headers:
        response.headers["Cache-Control"] = "no-store"
    return response


def install(app: Flask) -> None:
    """Every response of `app` gets the headers."""
    app.after_request(add)
