"""UDP on both sides of the relay: cameras that refuse TCP, and players that ask for it."""


import pytest
from mts_rack import Rack
from test_mts_players import decoded


@pytest.fixture(scope="module")
def camera(rack: Rack) -> str:
    rack.camera("udp", "udp", "aac", "640x360", "2000")
    return "udp"


def test_a_camera_that_refuses_tcp_is_pulled_by_udp_without_loss(rack: Rack, camera: str) -> None:
    assert len(decoded(rack.rtsp(camera), 75, "-rtsp_transport", "tcp")) == 75
