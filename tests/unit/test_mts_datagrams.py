"""Which tracks of a camera that sends by UDP are played."""

from typing import Any, cast

import pytest

from services.mts import source
from services.runtime import rtsp, sdp
from services.runtime.rtsp import RtspError, Track

OFFER = sdp.parse(
    "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=x\r\nt=0 0\r\nm=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\n"
    "m=audio 0 RTP/AVP 8\r\na=rtpmap:8 PCMA/8000/1\r\n"
)


class Camera:
    """A client of a camera that refuses its connection, and of its tracks those that are not `taken`."""

    ends = ("127.0.0.1", "127.0.0.1")

    def __init__(self, *taken: str) -> None:
        self.taken = taken
        self.tracks: list[Track] = []

    async def setup(self, media: sdp.Media) -> Track:
        raise RtspError(rtsp.GARBLED, f"no {media.kind} over TCP", 461)

    async def setup_udp(self, media: sdp.Media, port: int) -> tuple[Track, int]:
        if media.kind not in self.taken:
            raise RtspError(rtsp.GARBLED, f"no {media.kind} to {port}", 455)
        self.tracks.append(Track(media, 2 * len(self.tracks)))
        return self.tracks[-1], 0


@pytest.mark.parametrize("taken", [("video", "audio"), ("video",)])
async def test_a_camera_by_udp_plays_what_it_did_not_refuse(taken: tuple[str, ...]) -> None:
    camera = Camera(*taken)
    found = await source._set_up(cast(Any, camera), OFFER)
    assert found
    await found.begin(lambda _: None)
    found.close()
    assert [track.media.kind for track in camera.tracks] == list(taken)
