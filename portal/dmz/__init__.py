"""The wizard for clients or devices outside: list, configuration of the router, test, mapping IP."""

from portal.dmz.views import blueprint

__all__ = ["blueprint"]
