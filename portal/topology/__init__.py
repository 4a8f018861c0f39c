"""The site as a picture and as a table."""

from portal.topology.views import blueprint

__all__ = ["blueprint"]
