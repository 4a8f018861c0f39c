"""A site with one device of two channels, for tests of what belongs to channels."""

from typing import TYPE_CHECKING

from services.runtime import clock
from services.smc import models

if TYPE_CHECKING:
    from tests.conftest import Platform

GATE, YARD = "0123456789abcdef-1", "0123456789abcdef-2"


def two_channels(platform: "Platform") -> "Platform":
    """Add them at main."""
    now = clock.now()
    with platform.session() as session:
        session.add(models.Node(
            name="main-a", role="main", address="127.0.0.1", version="1", state="enabled",
            registered_at=now, state_changed_at=now, state_changed_by="test",
        ))  # fmt: skip
        session.flush()
        session.add(models.Device(
            id="0123456789abcdef", name="Cam", kind="rtsp", node="main-a", identity="x", host="h", port=80,
            rtsp_port=554, username="u", secret=b"", created_at=now, created_by="test", changed_at=now,
            state=models.DeviceState(state="online", reason="", at=now, info={}),
            channels=[models.Channel(id=id, number=n, name=f"Cam {n}", streams="main")
                      for n, id in enumerate((GATE, YARD), 1)],
        ))  # fmt: skip
        session.commit()
    return platform
