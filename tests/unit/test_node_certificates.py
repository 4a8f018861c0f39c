"""Certificates are renewed in time, and the authority is replaced in steps that a power cut cannot tear."""

from __future__ import annotations

import json
import subprocess
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from cryptography import x509

from services.node import __main__ as command
from services.node import authority, certificate, change_record, files, held, holders, pending, pki, trust
from services.runtime.errors import Problem
from services.smc import nodes
from services.smc.accounts import Account

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Platform

MAIN, SUB = pki.Names.of("main-a", ["127.0.0.1"]), pki.Names.of("sub-1", ["198.18.0.21"])
ADMIN = Account(1, "Admin", "administrator", "192.0.2.1")


class PowerCutError(BaseException):
    """Ends a write before anything of it reached its name; no handler of the code catches it."""


def moved(monkeypatch: pytest.MonkeyPatch, days: float) -> None:
    """Let the certificate module believe that so many days have gone by."""

    class Later(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> datetime:  # type: ignore[override]  # noqa: ANN401
            return datetime.now(tz) + timedelta(days=days)

    monkeypatch.setattr(pki, "datetime", Later)


@pytest.mark.parametrize(("days", "due"), [(0, False), (263, False), (266, True), (396, True)])
def test_a_leaf_is_due_when_a_third_of_its_life_is_left(
    monkeypatch: pytest.MonkeyPatch, days: int, due: bool
) -> None:
    key, ca = pki.make_ca("City Hall")
    leaf = pki.sign(key, ca, pki.new_key().public_key(), SUB)
    moved(monkeypatch, days)
    assert pki.ends_soon(leaf, ca) is due


def test_a_leaf_that_ends_with_its_authority_is_not_renewed_every_day() -> None:
    key, ca = pki.make_ca("City Hall")
    leaf = pki.sign(key, ca, pki.new_key().public_key(), SUB, days=99999)
    assert leaf.not_valid_after_utc == ca.not_valid_after_utc
    assert not pki.ends_soon(leaf, ca)


def cut_at(monkeypatch: pytest.MonkeyPatch, place: int) -> None:
    """Let the power go at the `place`th write of a file from now on."""
    real, count = files.write, 0

    def write(path: Path, content: str | bytes, mode: int = 0o644) -> None:
        nonlocal count
        count += 1
        if count > place:
            raise PowerCutError
        real(path, content, mode)

    monkeypatch.setattr(files, "write", write)


def fits(store: pki.Store) -> bool:
    """Whether key, certificate and trusted authorities go together."""
    own = store.certificate()
    assert own is not None
    matches = own.public_key() == store.key().public_key()
    return matches and pki.issuer_of(own, store.authorities()) is not None


@pytest.mark.parametrize("place", range(4))
def test_a_power_cut_at_any_write_of_a_renewal_leaves_a_pair_that_works(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: int
) -> None:
    old_key, old = pki.make_ca("City Hall")
    new_key, new = pki.make_ca("City Hall", 2)
    store = pki.Store(tmp_path)
    store.save_issued(pki.sign(old_key, old, store.key().public_key(), SUB), [old])
    made = pki.sign(new_key, new, store.key().public_key(), SUB)
    with monkeypatch.context() as patch:
        cut_at(patch, place)
        try:
            store.save_issued(made, [new])
        except PowerCutError:
            assert place < 3
    assert fits(store)
    store.save_issued(made, [new])
    assert (store.certificate(), store.authorities()) == (made, [new])


class Site:
    """A main with its database and Redis, and one sub that beats what it holds."""

    def __init__(self, platform: Platform) -> None:
        self.platform = platform
        self.store = pki.Store(platform.files.etc / "pki")
        self.sub = pki.Store(platform.files.etc / "sub-pki")
        trust.ensure_main(self.store.folder, "Test", MAIN)
        self.join()
        with platform.session() as session:
            nodes.register(session, "main-a", "main", "127.0.0.1", None, "1")
            nodes.register(session, "sub-1", "sub", "198.18.0.21", None, "1")

    def join(self) -> None:
        """The sub gets a certificate from whoever signs, and trusts what main trusts."""
        key, ca = self.store.signer()
        leaf = pki.sign(key, ca, self.sub.key().public_key(), SUB)
        self.sub.save_issued(leaf, self.store.authorities())
        self.beat()

    def trust(self) -> None:
        """The sub trusts what main trusts."""
        self.sub.save_authorities(self.store.authorities())
        self.beat()

    def beat(self, **more: object) -> None:
        """What the sub tells now."""
        own, trusted = self.sub.certificate(), self.sub.authorities()
        assert own
        rows = [held.about("node", own, trusted), *(held.about("authority", one, trusted) for one in trusted)]
        with self.platform.redis.client() as redis:
            redis.set("beat:sub-1", json.dumps({"certificates": rows} | more), ex=30)

    def silence(self) -> None:
        """The sub is away."""
        with self.platform.redis.client() as redis:
            redis.delete("beat:sub-1")


@pytest.fixture
def site(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> Site:
    folder = platform.files.etc / "pki"
    monkeypatch.setattr(certificate, "FOLDER", folder)
    monkeypatch.setattr(change_record, "RECORDS", platform.files.state / "changes")
    # Whoever holds a certificate is told by systemd: tests/lab proves that on real hosts.
    monkeypatch.setattr(holders, "tell", list)
    return Site(platform)


def test_the_authority_is_replaced_step_by_step(site: Site) -> None:
    (old,) = site.store.authorities()
    new = x509.load_pem_x509_certificates(str(authority.begin(0).data["bundle"]).encode())[1]
    assert site.store.signer()[1] == old
    site.trust()
    authority.issue(0)
    assert site.store.ca() == site.store.signer()[1] == new
    site.join()
    authority.drop(0)
    assert site.store.authorities() == [new]
    with pytest.raises(Problem, match="sub-1 still trusts the old authority"):
        authority.finish(0)
    site.trust()
    authority.finish(0)
    assert not authority.under_way()
    assert fits(site.store)
    assert fits(site.sub)
    assert held.common_name(new.subject) == "Test DSS CA 2"


def test_every_step_can_be_repeated_and_changes_nothing_then(site: Site) -> None:
    for step, follow in (
        (authority.begin, site.trust),
        (authority.issue, site.join),
        (authority.drop, site.trust),
    ):
        assert step(0).changes
        follow()
        before = {p.name: p.read_bytes() for p in site.store.folder.iterdir()}
        assert step(0).changes == []
        assert authority.begin(0).changes == [], "what is under way is not begun again"
        assert {p.name: p.read_bytes() for p in site.store.folder.iterdir()} == before
    assert authority.finish(0).changes
    assert authority.finish(0).changes == []


@pytest.mark.parametrize("place", range(4))
@pytest.mark.parametrize("step", ["begin", "issue", "drop"])
def test_a_power_cut_at_any_write_of_a_step_is_made_up_for_by_its_repetition(
    site: Site, monkeypatch: pytest.MonkeyPatch, step: str, place: int
) -> None:
    follow = {"begin": site.trust, "issue": site.join, "drop": site.trust}
    for name in ("begin", "issue", "drop"):
        if name == step:
            with monkeypatch.context() as patch:
                cut_at(patch, place)
                with suppress(PowerCutError):
                    authority.STEPS[name](0)
            assert fits(site.store)
            assert site.store.signer()[1] in site.store.authorities()
        authority.STEPS[name](0)
        follow[name]()
    authority.finish(0)
    assert len(site.store.authorities()) == 1


@pytest.mark.parametrize("step", ["issue", "drop", "finish"])
def test_a_node_that_is_away_is_named_and_blocks_the_step(site: Site, step: str) -> None:
    for name, follow in (("begin", site.trust), ("issue", site.join), ("drop", site.trust), ("finish", None)):
        if name == step:
            before = {p.name: p.read_bytes() for p in site.store.folder.iterdir()}
            site.silence()
            with pytest.raises(Problem) as refusal:
                authority.STEPS[name](0)
            assert "sub-1 is away" in refusal.value.why
            assert "run playbooks/rotate_ca.yml again" in refusal.value.remedy
            assert {p.name: p.read_bytes() for p in site.store.folder.iterdir()} == before
            return
        authority.STEPS[name](0)
        assert follow
        follow()


def test_a_node_behind_and_one_of_an_older_release_block_too(site: Site) -> None:
    authority.begin(0)
    with pytest.raises(Problem, match="sub-1 does not trust the new authority yet"):
        authority.issue(0)
    site.beat(certificates=None)
    with pytest.raises(Problem, match="sub-1 runs a release that does not tell"):
        authority.issue(0)


def test_a_disabled_node_is_left_out_and_named(site: Site) -> None:
    with site.platform.session() as session:
        nodes.disable(session, "sub-1", ADMIN)
    site.silence()
    authority.begin(0)
    assert authority.issue(0).data["left_out"] == ["sub-1"]


def test_steps_out_of_order_say_which_one_is_missing(site: Site) -> None:
    with pytest.raises(Problem, match="No change of the authority is under way"):
        authority.issue(0)
    authority.begin(0)
    with pytest.raises(Problem, match="does not sign yet"):
        authority.drop(0)


def test_a_node_never_trusts_what_would_cut_it_off(site: Site) -> None:
    _, foreign = pki.make_ca("Elsewhere")
    leaf = site.store.certificate()
    assert leaf
    for text in (pki.pem(foreign), pki.pem(leaf), b"nonsense"):
        with pytest.raises(Problem, match="were not taken over"):
            certificate.rely_on(text.decode())
    assert fits(site.store)


def test_an_open_change_keeps_certificates_as_they_are(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    from services.node import change_lock

    monkeypatch.setattr(change_lock, "LOCK_SECONDS", 0.0)
    with change_lock.alone() as mine:
        assert mine
        with pytest.raises(Problem, match="not confirmed yet"):
            certificate.renew()


def test_what_is_held_is_told_without_any_key(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "ETC", site.platform.files.etc)
    (site.store.folder / "node.key").unlink()
    rows = held.listing()
    assert [row["purpose"] for row in rows] == ["node", "authority"]
    assert rows[0]["names"] == ["main-a", "main-a.node.dss", "localhost", "127.0.0.1"]
    assert rows[0]["signed_by"] == rows[1]["fingerprint"]
    assert datetime.fromisoformat(rows[0]["not_after"]) > datetime.now(UTC)


@pytest.fixture
def held_here(platform: Platform, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A main on which nginx, NATS and DSS_SMC hold the certificate, and nothing waits for a restart."""
    trust.ensure_main(platform.files.etc / "pki", "Test", MAIN)
    monkeypatch.setattr(holders, "FOLDER", platform.files.etc / "pki")
    monkeypatch.setattr(holders, "TOLD", tmp_path / "told")
    monkeypatch.setattr(holders, "CREDENTIALS", tmp_path / "run")
    monkeypatch.setattr(pending, "FOLDER", tmp_path / "pending")
    monkeypatch.setattr(
        holders, "_running", lambda: ["nginx.service", "nats-server.service", "dss-smc.service"]
    )
    monkeypatch.setattr(holders.units, "systemctl", lambda *_: "")


@pytest.mark.usefixtures("held_here")
def test_an_engine_that_is_restarted_anyway_is_not_asked_to_reload_before() -> None:
    pending.note("nginx.service", "restart")
    pending.note("nats-server.service", "reload")
    assert holders.tell() == ["reload nats-server.service"]


@pytest.mark.usefixtures("held_here")
def test_an_engine_that_cannot_reload_is_restarted(monkeypatch: pytest.MonkeyPatch) -> None:
    def systemctl(verb: str, name: str) -> str:
        if (verb, name) == ("reload", "nginx.service"):
            raise subprocess.CalledProcessError(1, verb)
        return ""

    monkeypatch.setattr(holders.units, "systemctl", systemctl)
    assert holders.tell() == ["restart nginx.service", "reload nats-server.service"]


@pytest.mark.usefixtures("held_here")
def test_whoever_holds_a_certificate_is_told_once(tmp_path: Path) -> None:
    assert holders.tell() == ["reload nginx.service", "reload nats-server.service"]
    assert holders.tell() == []
    unit = tmp_path / "run" / "dss-smc.service"
    unit.mkdir(parents=True)
    (unit / "node.key").write_text("another key")
    assert holders.tell()[-1] == "restart dss-smc.service"


def test_a_node_that_never_joined_is_told_to(site: Site) -> None:
    center = {"name": "main-a", "address": "127.0.0.1", "https_port": 443}
    site.platform.files.node(name="sub-1", role="sub", center=center)
    (site.store.folder / "node.pem").unlink()
    with pytest.raises(Problem, match="Run the deployment"):
        certificate.renew()


@pytest.mark.parametrize(("days", "says"), [(40, "good for 40 days"), (-3, "ended 3 days ago")])
def test_the_status_tells_a_certificate_that_has_ended(
    monkeypatch: pytest.MonkeyPatch, days: int, says: str
) -> None:
    monkeypatch.setattr(pki.Store, "days_left", lambda _: days)
    assert says in command._certificate()
