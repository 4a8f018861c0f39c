"""The strip at the bottom of every page: what the service manager is doing, for whoever ordered it."""

from portal.tasks.views import blueprint

__all__ = ["blueprint"]
