"""Tasks of all servers: the list, one with its log, and the strip at the bottom of every page."""

from portal.tasks.views import blueprint

__all__ = ["blueprint"]
