"""Certificates of the site: how long each is good, and the customer's own one for the portal."""

from portal.certificates.views import blueprint

__all__ = ["blueprint"]
