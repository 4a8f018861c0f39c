"""Settings that change at run time, as an administrator meets them in the portal."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from services.runtime.errors import Problem
from services.smc.api import changes, schema

if TYPE_CHECKING:
    from tests.portal.site import Site
    from tests.portal.visitor import Visitor


def test_a_port_edit_is_asked_for_and_offers_to_keep_or_undo(admin: Visitor, site: Site) -> None:
    page = "/services/sub-1/mts/ports"
    answer = admin.post(page, {"rtsp": "19100", "rtsps": "9102", "webrtc": "9103", "http": "9101"}, page)
    assert answer.status_code == 303, answer.text
    made = site.agents["sub-1"].changes[0]
    assert made["request"] == {"ports": {"mts.rtsp": 19100}, "by": "admin"}
    strip = admin.get("/tasks/strip").text
    assert "mts.rtsp to port 19100 on sub-1" in strip
    assert "undone in 2" in strip
    kept = admin.post(f"/changes/sub-1/{made['id']}/confirm")
    assert kept.status_code == 303, kept.text
    assert made["state"] == "kept"
    assert "Keep" not in admin.get("/tasks/strip").text


def test_what_the_server_refuses_stands_in_the_form_with_its_reason(admin: Visitor) -> None:
    page = "/services/sub-1/mts/ports"
    answer = admin.post(page, {"rtsp": "554", "rtsps": "9102", "webrtc": "9103", "http": "9101"}, page)
    assert answer.status_code == 409
    assert "554/tcp belongs to DSS_X (rtsp)" in answer.text
    assert 'value="554"' in answer.text
    for typed in ("", "ninety", "9100"):
        wrong = admin.post(page, {"rtsp": typed, "rtsps": "9102", "webrtc": "9103", "http": "9101"}, page)
        assert wrong.status_code == 422, typed


def test_moving_the_portal_shows_where_it_went(admin: Visitor, site: Site) -> None:
    page = "/services/main-a/nginx/ports"
    answer = admin.post(page, {"https": "10443", "http": "80"}, page)
    assert answer.status_code == 200, answer.text
    assert 'href="https://127.0.0.1:10443/settings/main-a"' in answer.text
    assert site.agents["main-a"].changes[0]["request"]["ports"] == {"nginx.https": 10443}


def test_a_mapping_ip_is_set_and_taken_away(admin: Visitor, site: Site) -> None:
    page = "/settings/main-a"
    assert admin.post(f"{page}/mapping_ip", {"value": "203.0.113.10"}, page).status_code == 303
    assert site.agents["main-a"].changes[0]["request"]["mapping_ip"] == "203.0.113.10"
    assert admin.post(f"{page}/mapping_ip", {"value": ""}, page).status_code == 303
    assert site.agents["main-a"].changes[0]["request"]["mapping_ip"] is None


def test_the_page_shows_what_differs_from_the_inventory_in_words(admin: Visitor, site: Site) -> None:
    assert "main-a is as the inventory of its last deployment says" in admin.get("/settings/main-a").text
    site.agents["sub-1"].drift = [
        {"path": "ports.mts.rtsp", "value": 19100, "inventory": 9100},
        {"path": "mapping_ip", "value": None, "inventory": "203.0.113.21"},
        {"path": "tls10", "value": True, "inventory": False},
        {"path": "center.address", "value": "198.18.0.13", "inventory": "198.18.0.10"},
        {"path": "portal_certificate", "value": {"names": ["vms.example"]}, "inventory": None},
    ]
    text = admin.get("/settings/sub-1").text
    for words in ("Port mts.rtsp", "19100", "9100", "Mapping IP", ">none<", ">on<", "Address of main",
                  "vms.example", "the site&#39;s own", "./dss export"):  # fmt: skip
        assert words in text, words


def test_an_outside_address_of_two_servers_needs_different_ports(admin: Visitor) -> None:
    page = "/settings/main-a"
    answer = admin.post(f"{page}/mapping_ip", {"value": "203.0.113.21"}, page)
    assert answer.status_code == 409
    assert "of main-a and" in answer.text
    assert "of sub-1 would both be" in answer.text


def test_the_api_asks_for_exactly_one_change() -> None:
    choices = changes.PortChange | changes.MappingChange | changes.AddressChange | changes.Tls10Change
    assert schema.read(choices, {"mapping_ip": None}) == changes.MappingChange(None)
    wrong = ({}, {"ports": {}, "tls10": True}, {"ports": {"mts.rtsp": 70000}}, {"other": 1}, [])
    for body in wrong:
        with pytest.raises(Problem) as refusal:
            schema.read(choices, body)
        assert refusal.value.status == 422
