"""Session descriptions as cameras write them."""

import pytest

from services.runtime import sdp

FULL = """v=0
o=- 2 1 IN IP4 192.0.2.4
s=Media Presentation
a=control:rtsp://192.0.2.4/cam
m=video 0 RTP/AVP 98
a=control:trackID=1
a=rtpmap:98 H265/90000
a=fmtp:98 profile-id=1;sprop-sps=QgEB;sprop-pps=RAE=;sprop-vps=QAEM
m=audio 0 RTP/AVP 97
a=rtpmap:97 mpeg4-generic/16000/2
a=fmtp:97 streamtype=5; config=1410; SizeLength=13; IndexLength=3
a=sendonly
m=audio 0 RTP/AVP 8
m=audio 0 RTP/AVP 111
a=rtpmap:111 opus/48000/2
m=application 0 RTP/AVP 107
a=rtpmap:107 vnd.onvif.metadata/90000
m=application 9 UDP/BFCP *
"""


def test_every_track_of_a_rich_camera_is_read() -> None:
    description = sdp.parse(FULL.replace("\n", "\r\n"))
    assert [m.codec for m in description.media[:4]] == ["H265", "MPEG4-GENERIC", "PCMA", "OPUS"]
    video, aac, alaw, opus = description.media[:4]
    assert video.parameter_sets == [b"\x40\x01\x0c", b"\x42\x01\x01", b"\x44\x01"]
    assert (aac.audio_config, aac.clock_rate, aac.channels) == (b"\x14\x10", 16000, 2)
    assert (alaw.clock_rate, opus.clock_rate) == (8000, 48000)
    assert description.control == "rtsp://192.0.2.4/cam"


def test_h264_parameter_sets_without_padding_are_read_and_broken_ones_left_out() -> None:
    sets = "sprop-parameter-sets=Z0IAHg,%%,aM48gA=="
    text = f"v=0\nm=video 0 RTP/AVP 96\na=rtpmap:96 h264/90000\na=fmtp:96 {sets}\n"
    assert sdp.parse(text).media[0].parameter_sets == [b"\x67\x42\x00\x1e", b"\x68\xce\x3c\x80"]


def test_first_finds_by_kind_and_codec() -> None:
    description = sdp.parse(FULL)
    aac = description.first("audio", ("MPEG4-GENERIC",))
    assert aac is not None
    assert aac.payload_type == 97
    assert description.first("video", ("H264",)) is None


@pytest.mark.parametrize(
    "text",
    ["", "hello", "<html></html>", "v=1\n", "v=0\nm=video 0 RTP/AVP 96\na=rtpmap:96 H264\n",
     "v=0\n" + "a=x\n" * 2000, "v=0\n" + "m=video 0 RTP/AVP 96\n" * 17,
     "v=0\nm=video 0 RTP/AVP 96\na=rtpmap:96 H264/0\n"],
)  # fmt: skip
def test_unusable_text_is_an_error_of_its_own_kind(text: str) -> None:
    with pytest.raises(sdp.SdpError):
        sdp.parse(text)
