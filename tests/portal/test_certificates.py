"""What ends is told early, and a customer's own certificate is imported for the portal."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from services.runtime.errors import Problem
from services.smc import audit, certificates
from services.smc.api import changes, schema
from tests.portal.agent import certificate
from tests.unit.test_portal_certificate import Customer

if TYPE_CHECKING:
    from werkzeug.test import TestResponse

    from tests.portal.site import Site
    from tests.portal.visitor import Visitor


@pytest.fixture
def customer(tmp_path: Path) -> Customer:
    folder = tmp_path / "customer"
    folder.mkdir()
    one = Customer(folder)
    one.leaf()
    return one


def upload(admin: Visitor, chain: str, key: str) -> TestResponse:
    """Choose two files and send the form."""
    data = {
        "csrf": admin.token("/certificates"),
        "certificate_file": (io.BytesIO(chain.encode()), "chain.pem"),
        "key_file": (io.BytesIO(key.encode()), "portal.key"),
    }
    return admin.client.post(
        "/certificates/import", data=data, base_url="https://127.0.0.1", content_type="multipart/form-data"
    )


@pytest.mark.parametrize(
    ("days", "state"),
    [
        (31, "good"),
        (29.9, "ending"),
        (7.1, "ending"),
        (6.9, "critical"),
        (0.1, "critical"),
        (-0.1, "expired"),
    ],
)
def test_the_end_is_a_warning_from_30_days_and_a_failure_from_7(
    site: Site, admin: Visitor, days: float, state: str
) -> None:
    site.agents["sub-1"].certificates = [
        certificate("portal", "gate.city.example", days, "gate.city.example")
    ]
    site.tell()
    with site.platform.session() as session:
        row = next(one for one in certificates.listing(session) if one.node == "sub-1")
    assert row.state == state
    home = admin.get("/").text
    assert ("The portal&#39;s certificate gate.city.example" in home) == (state != "good")
    mark = {"good": "", "ending": "todo-warn"}.get(state, "todo-bad")
    assert mark in home


def test_a_server_that_does_not_tell_is_named_and_a_garbled_row_is_left_out(
    site: Site, admin: Visitor
) -> None:
    site.agents["sub-1"].certificates = [{"purpose": "node"}, {}]  # type: ignore[list-item]
    site.tell()
    page = admin.get("/certificates").text
    assert "Nothing is known of sub-2" in page
    assert "main-a" in page


def test_an_authority_that_all_trust_stands_once(site: Site) -> None:
    with site.platform.session() as session:
        rows = certificates.listing(session)
    assert [one.node for one in rows if one.purpose == "authority"] == ["main-a"]


def test_an_import_is_asked_of_main_with_its_remarks_and_its_key_is_written_nowhere(
    admin: Visitor, site: Site, customer: Customer
) -> None:
    key = customer.text("leaf.key")
    answer = upload(admin, customer.text("leaf.pem", "mid.pem"), key)
    assert answer.status_code == 200, answer.text
    assert "The root Root is not known" in answer.text
    assert "make sure that the network&#39;s DNS" in answer.text
    asked = site.agents["main-a"].changes[0]["request"]["portal_certificate"]
    assert asked["key"] == key
    secret = key.splitlines()[1]
    with site.platform.session() as session:
        entry = audit.listing(session, action="change.request")[0]
    assert secret not in str(entry.details)
    for page in ("/tasks/strip", "/settings/main-a", "/certificates"):
        assert secret not in admin.get(page).text
    assert "certificate for the portal" in admin.get("/tasks/strip").text


@pytest.mark.parametrize(
    ("chain", "key", "why"),
    [
        (("leaf.pem",), "leaf.key", "Middle, is missing"),
        (("leaf.pem", "mid.pem"), "root.key", "belongs to none"),
        (("leaf.pem", "mid.pem"), None, "private key is missing"),
        ((), "leaf.key", "certificate is missing"),
    ],
)
def test_a_certificate_that_cannot_be_used_is_refused_on_the_page(
    admin: Visitor, site: Site, customer: Customer, chain: tuple[str, ...], key: str | None, why: str
) -> None:
    answer = upload(admin, customer.text(*chain), customer.text(key) if key else "")
    assert answer.status_code == 422
    assert why in answer.text
    assert site.agents["main-a"].changes == []


def test_removing_it_asks_main_for_its_own_again(admin: Visitor, site: Site) -> None:
    assert admin.post("/certificates/remove", page="/certificates").status_code == 303
    assert site.agents["main-a"].changes[0]["request"]["portal_certificate"] is None


def test_the_portal_is_known_by_the_names_of_the_imported_certificate(admin: Visitor, site: Site) -> None:
    def status(host: str) -> int:
        return admin.client.get("/login", base_url=f"https://{host}").status_code

    assert status("portal.city.example") == 421
    (site.platform.files.etc / "portal-certificate.json").write_text('{"names": ["*.city.example"]}')
    assert status("portal.city.example") == 200
    assert status("city.example") == status("portal.evil.example") == 421


def test_the_api_takes_a_pair_or_nothing() -> None:
    pair = {"certificate": "x", "key": "y"}
    read = schema.read(changes.Asked, {"portal_certificate": pair})
    assert read == changes.CertificateChange(changes.Pair("x", "y"))
    assert schema.read(changes.Asked, {"portal_certificate": None}) == changes.CertificateChange(None)
    for body in ({"portal_certificate": {"certificate": "x"}}, {"portal_certificate": "x"}):
        with pytest.raises(Problem):
            schema.read(changes.Asked, body)
