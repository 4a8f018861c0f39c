"""Accounts of RTSP players."""

from portal.players.views import blueprint

__all__ = ["blueprint"]
