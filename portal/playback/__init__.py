"""Recordings in the browser."""

from portal.playback.views import blueprint

__all__ = ["blueprint"]
