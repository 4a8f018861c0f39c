"""Backups of every server: schedule, last runs, kept files, and one to be made now."""

from portal.backups.views import blueprint

__all__ = ["blueprint"]
