"""The service manager: every service of every server, its state, and the buttons that change it."""

from portal.manager.views import blueprint

__all__ = ["blueprint"]
