"""The first page after login: figures of the whole site, and what needs a person."""

from portal.home.views import blueprint

__all__ = ["blueprint"]
