"""When a channel is recorded: its plan by the week, the record button, and what is locked."""

from portal.plans.views import blueprint

__all__ = ["blueprint"]
