"""Requests that players really send, and what is none."""

import pytest

from services.runtime import rtsp_message


def request(line: str) -> tuple[str, str]:
    message = rtsp_message.take(bytearray(f"{line}\r\nCSeq: 1\r\n\r\n".encode()))
    assert message
    return message.request


@pytest.mark.parametrize("method", ["OPTIONS", "PLAY", "GET_PARAMETER", "SET_PARAMETER"])
def test_every_method_of_a_player_is_read(method: str) -> None:
    # Players keep their session alive with GET_PARAMETER: refusing it ends every view after half a minute.
    assert request(f"{method} rtsp://198.18.0.21/live/a/main RTSP/1.0") == (
        method,
        "rtsp://198.18.0.21/live/a/main",
    )


@pytest.mark.parametrize("line", ["GET 1 HTTP/1.1", "P-LAY rtsp://x RTSP/1.0", "_ rtsp://x RTSP/1.0"])
def test_what_is_no_request_is_refused(line: str) -> None:
    with pytest.raises(rtsp_message.MalformedError):
        assert request(line)
