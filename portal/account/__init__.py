"""Initialise the platform, log in, log out."""

from portal.account.views import blueprint

__all__ = ["blueprint"]
