"""Cameras and recorders: list, card, adding, moving, removing."""

from portal.devices.views import blueprint

__all__ = ["blueprint"]
