"""The servers of the site: list, card, enabling."""

from portal.servers.views import blueprint

__all__ = ["blueprint"]
