"""Servers and devices are changed by the pages, with every mistake said at its field."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from services.smc import devices, nodes

if TYPE_CHECKING:
    from tests.portal.site import Site
    from tests.portal.visitor import Visitor

DAHUA = {
    "name": "Hall", "node": "main-a", "kind": "dahua", "host": "198.18.0.105", "port": "80",
    "rtsp_port": "554", "channels": "2", "username": "admin", "password": "Camera.2468",
}  # fmt: skip
REGISTER = {
    "name": "Ferry", "node": "sub-1", "kind": "register", "register_id": "GATE-7", "register_channels": "2",
    "username": "admin", "password": "Camera.2468",
}  # fmt: skip
RTSP = {"name": "Roof", "node": "sub-1", "kind": "rtsp", "url": "rtsp://198.18.0.106/s", "username": "u",
        "password": "Camera.2468"}  # fmt: skip


def listed(site: Site) -> dict[str, devices.Device]:
    """All devices by name."""
    with site.platform.session() as session:
        return {one.name: one for one in devices.listing(session)}


def test_a_camera_is_added_by_host_and_ports(admin: Visitor, site: Site) -> None:
    done = admin.post("/devices/add", DAHUA)
    made = listed(site)["Hall"]
    assert done.headers["Location"] == f"/devices/{made.id}"
    assert (made.host, made.port, len(made.channels), made.state) == ("198.18.0.105", 80, 2, "checking")
    text = admin.get(f"/devices/{made.id}").get_data(as_text=True)
    assert "Checking" in text
    assert "Camera.2468" not in text


def test_a_stream_is_added_by_its_url_on_a_sub(admin: Visitor, site: Site) -> None:
    admin.post("/devices/add", RTSP)
    assert (listed(site)["Roof"].node, listed(site)["Roof"].url) == ("sub-1", "rtsp://198.18.0.106/s")


def test_a_device_that_registers_is_added_and_says_that_it_has_no_picture(admin: Visitor, site: Site) -> None:
    admin.post("/devices/add", REGISTER)
    made = listed(site)["Ferry"]
    assert (made.kind, made.register_id, len(made.channels)) == ("register", "GATE-7", 2)
    text = admin.get(f"/devices/{made.id}").get_data(as_text=True)
    assert "No pictures." in text
    assert "GATE-7" in text
    assert "/live?" not in text
    assert "registers as GATE-7" in admin.get("/devices").get_data(as_text=True)
    for path in ("/live", "/playback"):
        assert made.channels[0].id not in admin.get(path).get_data(as_text=True)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"register_id": ""}, "1 to 64 visible ASCII"),
        ({"register_channels": "0"}, "not between 1 and 64"),
        ({"register_channels": "x"}, "is not a whole number"),
        ({"password": ""}, "An id alone proves nothing"),
    ],
)
def test_a_registration_that_cannot_be_used_is_told_at_its_field(
    admin: Visitor, site: Site, change: dict[str, str], words: str
) -> None:
    answer = admin.post("/devices/add", REGISTER | change)
    assert answer.status_code == 422
    assert words in answer.get_data(as_text=True)
    assert "Ferry" not in listed(site)


def test_who_asks_to_register_is_shown_as_text_and_leads_to_a_filled_form(admin: Visitor, site: Site) -> None:
    assert admin.get("/devices/asking").get_data(as_text=True).strip() == ""
    row = {"device_class": "<b>NVR</b>", "address": "203.0.113.60", "first": "x", "last": "y", "count": 3}
    site.agents["main-a"].asking = [row | {"register_id": "A&B"}]
    site.agents["sub-1"].asking = [row | {"register_id": "GATE-8"}, {"garbled": True}]
    text = admin.get("/devices/asking").get_data(as_text=True)
    assert "&lt;b&gt;NVR" in text
    assert "A&amp;B" in text
    assert "GATE-8" not in text, "an answer that cannot be read is left out"
    site.agents["sub-1"].asking.pop()
    assert "GATE-8" in admin.get("/devices/asking").get_data(as_text=True)
    form = admin.get("/devices/add?node=sub-1&register_id=GATE-8").get_data(as_text=True)
    assert 'value="GATE-8"' in form
    assert '<option value="register" selected>' in form


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"name": ""}, "1 to 64 visible characters"),
        ({"host": "300.1.1.1"}, "neither a host name nor an IP address"),
        ({"port": "eighty"}, "is not a whole number"),
        ({"port": "70000"}, "not between 1 and 65535"),
        ({"channels": "65"}, "not between 1 and 64"),
        ({"node": "sub-2"}, "Enable it on the Servers page"),
        ({"host": "198.18.0.101"}, "It was added as"),
        ({"kind": "rtsp", "url": "http://x/"}, "does not begin with rtsp://"),
    ],
)
def test_what_is_wrong_is_said_and_nothing_is_added(
    admin: Visitor, site: Site, change: dict[str, str], words: str
) -> None:
    before = set(listed(site))
    answer = admin.post("/devices/add", DAHUA | change)
    text = answer.get_data(as_text=True)
    assert answer.status_code == 422
    assert words in text
    assert "Camera.2468" not in text
    assert set(listed(site)) == before


def test_a_device_is_moved_checked_and_removed(admin: Visitor, site: Site) -> None:
    id = listed(site)["Gate east"].id
    admin.post(f"/devices/{id}/move", {"node": "sub-1"})
    assert listed(site)["Gate east"].node == "sub-1"
    admin.post(f"/devices/{id}/check")
    assert listed(site)["Gate east"].state == "checking"
    assert admin.post(f"/devices/{id}/remove").headers["Location"] == "/devices"
    assert "Gate east" not in listed(site)
    assert admin.get(f"/devices/{id}").status_code == 404


def test_names_of_devices_are_text_wherever_they_stand(admin: Visitor, site: Site) -> None:
    admin.post("/devices/add", DAHUA | {"name": "<img src=x onerror=alert(1)>"})
    id = next(one.id for name, one in listed(site).items() if "img" in name)
    for path in ("/devices", f"/devices/{id}", "/live", "/servers/main-a"):
        text = admin.get(path).get_data(as_text=True)
        assert "<img" not in text
        assert "&lt;img" in text


def test_a_waiting_server_is_enabled_and_one_is_disabled_by_its_name(admin: Visitor, site: Site) -> None:
    def state(name: str) -> str:
        with site.platform.session() as session:
            return nodes.get(session, name).state

    admin.post("/servers/sub-2/enable")
    assert state("sub-2") == "enabled"
    assert admin.post("/servers/sub-1/disable", {"confirm": "sub-2"}).status_code == 422
    assert state("sub-1") == "enabled"
    admin.post("/servers/sub-1/disable", {"confirm": "sub-1"})
    assert state("sub-1") == "disabled"
    assert admin.post("/servers/main-a/disable", {"confirm": "main-a"}).status_code == 409


def test_a_join_token_is_shown_once(admin: Visitor) -> None:
    text = admin.post("/servers/token", {"name": "sub-9"}).get_data(as_text=True)
    token = text.split('id="token">')[1].split("<")[0]
    assert len(token) == 64
    assert token not in admin.get("/servers").get_data(as_text=True)
    assert admin.post("/servers/token", {"name": "Sub 9"}).status_code == 422


def test_quick_jump_knows_pages_servers_and_devices(admin: Visitor) -> None:
    entries = admin.get("/jump.json").get_json()["entries"]
    assert {"Topology", "sub-1", "Services of sub-1", "Gate east"} <= {one["name"] for one in entries}
    for one in entries:
        assert admin.get(one["href"]).status_code in {200, 302}, one
