"""Watching one device: is it there, does it accept the password, does it offer its stream."""

import asyncio
import logging
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from services.dms import dahua, registered
from services.dms.devices import Device
from services.dms.refusals import Refusals
from services.runtime import clock, rtsp

LOG = logging.getLogger(__name__)

PERIOD, DESCRIBE_SECONDS, INFO_SECONDS = 5.0, 60.0, 3600.0
ANSWER_SECONDS = 4.0
AT_ONCE = 128

ONLINE, OFFLINE, REFUSED = "online", "offline", "refused"
UNREACHABLE, GARBLED = "unreachable", "garbled"
STATES = {
    rtsp.REFUSED: REFUSED,
    rtsp.UNREACHABLE: UNREACHABLE,
    rtsp.GARBLED: GARBLED,
    rtsp.NOT_FOUND: OFFLINE,
}


@dataclass(frozen=True)
class State:
    """What is known of a device: one of the five states, why, and what the device told about itself."""

    state: str
    reason: str = ""
    info: dict[str, Any] = field(default_factory=dict)


Report = Callable[[Device, State], None]


@dataclass
class Checker:
    """Checks one device record every five seconds, over one kept connection while all is well."""

    device: Device
    refusals: Refusals
    report: Report
    gate: asyncio.Semaphore
    state: State | None = None
    _client: rtsp.Client | None = None
    _described_at: float = float("-inf")
    _asked_at: float = float("-inf")
    _info: dict[str, Any] = field(default_factory=dict)
    _remark: str = ""

    async def run(self) -> None:
        """Check for ever; reports the first result and every change."""
        try:
            # Many devices assigned at once must not all be asked in the same moment, every five seconds.
            await asyncio.sleep(random.uniform(0, 0.5))  # noqa: S311 - spreads the load only
            while True:
                self._tell(await self._check())
                await asyncio.sleep(PERIOD)
        finally:
            self._drop()

    async def _check(self) -> State:
        if self.device.kind == "register":
            return await self._check_registered()
        wait = self.refusals.wait(self.device)
        if wait > 0:
            return self._refused()
        try:
            await self._ask_stream()
            await self._ask_info()
        except rtsp.RtspError as error:
            self._drop()
            if error.code == rtsp.REFUSED:
                return await self._note_refusal()
            return State(STATES[error.code], str(error), self._info)
        return State(ONLINE, self._remark, self._info)

    async def _check_registered(self) -> State:
        state, reason = await registered.state(self.device.id)
        if state != ONLINE:
            self._asked_at = float("-inf")
            return State(state, reason, self._info)
        await self._ask_info()
        return State(ONLINE, self._remark, self._info)

    async def _ask_stream(self) -> None:
        if not await self._kept_answers():
            async with self.gate:
                await self._ask_anew()

    async def _kept_answers(self) -> bool:
        if self._client is None:
            return False
        try:
            await self._ask_on(self._client)
        except rtsp.RtspError as error:
            if error.code == rtsp.REFUSED:
                raise
            # Cameras close idle connections as they like: only a fresh one tells the truth.
            self._drop()
            return False
        return True

    async def _ask_anew(self) -> None:
        url = self.device.source(self.device.channels[0], "main")
        client = rtsp.Client(url, self.device.username, self.device.password, timeout=ANSWER_SECONDS)
        self._client = client
        self._described_at = float("-inf")
        await client.connect()
        await self._ask_on(client)

    async def _ask_on(self, client: rtsp.Client) -> None:
        await client.options()
        if clock.monotonic() - self._described_at < DESCRIBE_SECONDS:
            return
        description = await client.describe()
        if not any(media.kind in ("video", "audio") for media in description.media):
            raise rtsp.RtspError(
                rtsp.NOT_FOUND, "The device offers neither picture nor sound at this address."
            )
        self._described_at = clock.monotonic()

    async def _ask_info(self) -> None:
        device = self.device
        if device.kind == "rtsp" or clock.monotonic() - self._asked_at < INFO_SECONDS:
            return
        self._asked_at = clock.monotonic()
        try:
            self._info = await dahua.info(*registered.way(device))
            self._remark = ""
        except (dahua.RefusedError, dahua.SilentError) as error:
            self._remark = f"{error}." if device.kind == "register" else f"{error}; its picture is available."

    async def _note_refusal(self) -> State:
        await asyncio.to_thread(self.refusals.note, self.device)
        return self._refused()

    def _refused(self) -> State:
        return State(
            REFUSED,
            "The device refuses this user or password. It is tried again ten minutes after the last refusal, "
            "or at once when the device is edited or tested: more tries would lock the account.",
            self._info,
        )

    def _tell(self, state: State) -> None:
        if state == self.state:
            return
        LOG.info("device %s is %s %s", self.device.id, state.state, state.reason)
        self.report(self.device, state)
        self.state = state

    def _drop(self) -> None:
        if self._client is not None:
            self._client.close()
            self._client = None
