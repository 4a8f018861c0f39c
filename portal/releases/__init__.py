"""The releases on every server: which runs, which it can go back to, and when it changed."""

from portal.releases.views import blueprint

__all__ = ["blueprint"]
