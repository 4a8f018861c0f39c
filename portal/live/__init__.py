"""Live pictures in the browser."""

from portal.live.views import blueprint

__all__ = ["blueprint"]
