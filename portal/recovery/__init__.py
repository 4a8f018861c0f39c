"""A forgotten password, and the recovery codes of the own account."""

from portal.recovery.views import blueprint

__all__ = ["blueprint"]
