"""About this platform: version, services of the product, and whether the portal itself is well."""

from portal.about.views import blueprint

__all__ = ["blueprint"]
