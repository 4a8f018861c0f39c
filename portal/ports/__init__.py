"""The port matrix: what was deployed, who may connect, and whether it listens."""

from portal.ports.views import blueprint

__all__ = ["blueprint"]
