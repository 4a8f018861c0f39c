"""Recordings as files to take along."""

from portal.exports.views import blueprint

__all__ = ["blueprint"]
