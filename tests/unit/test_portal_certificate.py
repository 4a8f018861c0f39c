"""Which customer's certificates are taken for the portal, and what the others are told."""

from __future__ import annotations

import io
import json
import os
import subprocess
import tarfile
from contextlib import nullcontext
from typing import TYPE_CHECKING

import pytest

from services.node import backup, change_record, files, import_certificate, portal_certificate
from services.runtime.errors import Problem
from services.runtime.names import covers

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

NAME = "portal.city.example"
CA = "-addext basicConstraints=critical,CA:true -addext keyUsage=critical,keyCertSign"
SERVER = f"-addext subjectAltName=DNS:{NAME},DNS:*.portal.city.example -addext extendedKeyUsage=serverAuth"
SAN = "-addext subjectAltName"
RSA, EC = "-newkey rsa:2048", "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1"


class Customer:
    """A customer's certificate authority, run with openssl as a customer does."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self("req", f"-x509 {EC} -nodes -keyout root.key -out root.pem -days 300 -subj /CN=Root {CA}")
        self("req", f"{EC} -nodes -keyout mid.key -out mid.csr -subj /CN=Middle {CA}")
        self.sign("mid", "root", 200)

    def __call__(self, verb: str, line: str) -> None:
        subprocess.run(["openssl", verb, *line.split()], cwd=self.folder, check=True, capture_output=True)

    def sign(self, name: str, by: str, days: int, more: str = "") -> None:
        """Sign NAME.csr."""
        line = f"-req -in {name}.csr -CA {by}.pem -CAkey {by}.key -out {name}.pem -copy_extensions copy"
        self("x509", f"{line} -days {days} {more}")

    def leaf(self, kind: str = EC, extensions: str = SERVER, days: int = 90, more: str = "") -> None:
        """A certificate `leaf` from the intermediate."""
        self("req", f"{kind} -nodes -keyout leaf.key -out leaf.csr -subj /CN={NAME} {extensions}")
        self.sign("leaf", "mid", days, more)

    def text(self, *names: str) -> str:
        """Several files, one after the other."""
        return "".join((self.folder / name).read_text() for name in names)


@pytest.fixture
def customer(tmp_path: Path) -> Customer:
    one = Customer(tmp_path)
    one.leaf()
    return one


@pytest.mark.parametrize("order", [("leaf", "mid", "root"), ("root", "mid", "leaf"), ("mid", "leaf", "root")])
def test_a_whole_chain_is_taken_in_any_order_and_put_into_the_right_one(
    customer: Customer, order: tuple[str, ...]
) -> None:
    pair = portal_certificate.check(
        customer.text(*(f"{name}.pem" for name in order)), customer.text("leaf.key"), (NAME,)
    )
    subjects = [one.subject.rfc4514_string() for one in pair.chain]
    assert subjects == [f"CN={NAME}", "CN=Middle", "CN=Root"]
    assert pair.warnings == ()
    assert pair.summary["names"] == [NAME, "*.portal.city.example"]


@pytest.mark.parametrize("kind", [RSA, EC, "-newkey ec -pkeyopt ec_paramgen_curve:secp384r1"])
def test_usual_keys_are_taken(customer: Customer, kind: str) -> None:
    customer.leaf(kind)
    portal_certificate.check(customer.text("leaf.pem", "mid.pem", "root.pem"), customer.text("leaf.key"))


def test_what_nobody_here_can_know_is_a_remark(customer: Customer) -> None:
    pair = portal_certificate.check(
        customer.text("leaf.pem", "mid.pem"), customer.text("leaf.key"), ("main-a", "198.18.0.10")
    )
    assert any("The root Root is not known" in line for line in pair.warnings)
    assert any("none of which is known here (main-a, 198.18.0.10)" in line for line in pair.warnings)
    customer.leaf(days=20)
    ending = portal_certificate.check(customer.text("leaf.pem", "mid.pem"), customer.text("leaf.key"))
    assert any("ends soon" in line for line in ending.warnings)


def locked(one: Customer) -> tuple[str, str]:
    one("pkey", "-in leaf.key -aes256 -passout pass:x -out locked.key")
    return one.text("leaf.pem", "mid.pem"), one.text("locked.key")


def issued(one: Customer, kind: str = EC, extensions: str = SERVER, more: str = "") -> tuple[str, str]:
    one.leaf(kind, extensions, more=more)
    return one.text("leaf.pem", "mid.pem"), one.text("leaf.key")


def expired(one: Customer) -> tuple[str, str]:
    one("req", f"{EC} -nodes -keyout leaf.key -out leaf.csr -subj /CN={NAME} {SERVER}")
    (one.folder / "ca.txt").touch()
    (one.folder / "serial").write_text("01")
    (one.folder / "ca.cnf").write_text(
        "[ca]\ndefault_ca=d\n[d]\ndatabase=ca.txt\nserial=serial\nnew_certs_dir=.\ndefault_md=sha256\n"
        "policy=p\ncopy_extensions=copy\n[p]\ncommonName=supplied\n"
    )
    dates = "-startdate 20240101000000Z -enddate 20250101000000Z"
    one(
        "ca",
        f"-config ca.cnf -batch -cert mid.pem -keyfile mid.key -in leaf.csr -out leaf.pem -notext {dates}",
    )
    return one.text("leaf.pem", "mid.pem"), one.text("leaf.key")


WRONG: list[tuple[str, Callable[[Customer], tuple[str, str]], str]] = [
    ("key-locked", locked, "protected by a password"),
    ("key-unreadable", lambda one: (one.text("leaf.pem"), "nonsense"), "cannot be read"),
    ("key-other", lambda one: (one.text("leaf.pem", "mid.pem"), one.text("root.key")), "belongs to none"),
    ("certificate-unreadable", lambda one: ("nonsense", one.text("leaf.key")), "cannot be read"),
    ("certificate-unreadable", lambda one: (one.text("leaf.key"), one.text("leaf.key")), "cannot be read"),
    ("certificate-large", lambda one: (one.text("leaf.pem") * 9, one.text("leaf.key")), "9 certificates"),
    ("chain-incomplete", lambda one: (one.text("leaf.pem"), one.text("leaf.key")), "Middle, is missing"),
    ("chain-foreign", lambda one: (one.text("leaf.pem", "root.pem"), one.text("leaf.key")), "not belong to"),
    ("certificate-expired", expired, "ended on 2025-01-01"),
    ("key-size", lambda one: issued(one, "-newkey rsa:1024"), "1024 bits"),
    ("key-curve", lambda one: issued(one, "-newkey ec -pkeyopt ec_paramgen_curve:secp521r1"), "secp521r1"),
    ("key-kind", lambda one: issued(one, "-newkey ed25519"), "neither RSA nor elliptic"),
    ("signature-weak", lambda one: issued(one, more="-sha1"), "signed with sha1"),
    ("certificate-use", lambda one: issued(one, extensions=f"-addext subjectAltName=DNS:{NAME} "
                                           "-addext extendedKeyUsage=clientAuth"), "not for servers"),
    ("certificate-names", lambda one: issued(one, extensions=f"{SAN}=IP:198.18.0.10"), "no DNS name"),
    ("certificate-names", lambda one: issued(one, extensions=f"{SAN}=DNS:main-a.node.dss"), "own"),
]  # fmt: skip


@pytest.mark.parametrize(("code", "make", "why"), WRONG)
def test_what_cannot_be_used_is_refused_with_its_reason(
    customer: Customer, code: str, make: Callable[[Customer], tuple[str, str]], why: str
) -> None:
    with pytest.raises(Problem) as refusal:
        portal_certificate.check(*make(customer))
    assert refusal.value.code == code
    assert why in refusal.value.why
    assert refusal.value.remedy
    assert "PRIVATE" not in refusal.value.why


def test_a_star_stands_for_one_label() -> None:
    assert covers("*.city.example", "Portal.city.example")
    assert not covers("*.city.example", "a.portal.city.example")
    assert not covers("*.city.example", "city.example")
    assert covers("city.example", "CITY.example")


@pytest.fixture
def node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where a node keeps what is imported."""
    etc = tmp_path / "etc"
    (etc / "pki").mkdir(parents=True)
    monkeypatch.setattr(files, "ETC", etc)
    monkeypatch.setattr(portal_certificate, "FOLDER", etc / "pki")
    monkeypatch.setattr(portal_certificate, "STATE", tmp_path / "state")
    monkeypatch.setattr(change_record, "ASKED", tmp_path / "asked")
    monkeypatch.setattr(change_record, "RECORDS", tmp_path / "records")
    return etc


def given(customer: Customer) -> dict[str, str]:
    return {"certificate": customer.text("leaf.pem", "mid.pem"), "key": customer.text("leaf.key")}


def test_the_key_of_a_request_leaves_it_whether_it_is_taken_or_refused(
    node: Path, customer: Customer
) -> None:
    asked = change_record.ASKED / f"{'a' * 32}.json"
    for pair, code in ((given(customer), ""), (given(customer) | {"certificate": "x"}, "cannot be read")):
        files.write_json(asked, {"portal_certificate": pair})
        with nullcontext() if not code else pytest.raises(Problem, match=code):
            taken = import_certificate.taken_up("a" * 32, {"portal_certificate": pair, "by": "admin"})
            assert set(taken["portal_certificate"]) == {"fingerprint", "names"}
        assert not asked.exists()
    assert import_certificate.without_key({"portal_certificate": given(customer)}) == {
        "portal_certificate": {}
    }


def test_pairs_that_nothing_names_are_removed_and_the_key_is_root_s_alone(
    node: Path, customer: Customer
) -> None:
    first = import_certificate.bring(given(customer))
    assert first.changes
    assert import_certificate.bring(given(customer)).changes == []
    kept = portal_certificate.summary_of(customer.text("leaf.pem", "mid.pem"))
    key = node / "pki" / f"portal-{kept['fingerprint']}.key"
    assert key.stat().st_mode & 0o777 == 0o600
    customer.leaf()
    import_certificate.bring(given(customer))
    assert len(list((node / "pki").glob("portal-*"))) == 4
    files.write_json(node / "overrides.json", {"portal_certificate": kept})
    assert len(import_certificate.tidy()) == 2
    assert key.is_file()
    tree = portal_certificate.STATE / "trees" / "0.1.0" / "etc" / "dss" / "portal-certificate.json"
    files.write_json(tree, kept)
    files.write_json(node / "overrides.json", {})
    assert import_certificate.tidy() == [], "a release to roll back to names it still"


def test_a_restore_brings_back_which_certificate_was_imported(node: Path, tmp_path: Path) -> None:
    archive = tmp_path / "restore.tar"
    chosen = {"fingerprint": "f" * 64, "names": [NAME]}
    content = {
        f"etc/pki/portal-{'f' * 64}.key": b"key",
        "etc/overrides.json": json.dumps({"portal_certificate": chosen, "address": "198.18.0.99"}).encode(),
    }
    with tarfile.open(archive, "w") as target:
        for name, data in content.items():
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(data), 0o600
            target.addfile(member, io.BytesIO(data))
    backup.restore_files(archive)
    assert json.loads((node / "overrides.json").read_text()) == {"portal_certificate": chosen}
    assert (node / "pki" / f"portal-{'f' * 64}.key").read_bytes() == b"key"


def test_only_requests_are_tidied_up_even_if_the_agents_folder_leads_elsewhere(node: Path) -> None:
    files.write_json(node / "node.json", {})
    files.write_json(node / f"{'b' * 32}.json", {})
    for path in node.glob("*.json"):
        os.utime(path, (0, 0))
    change_record.ASKED.symlink_to(node)
    import_certificate.tidy()
    assert [path.name for path in node.glob("*.json")] == ["node.json"]
