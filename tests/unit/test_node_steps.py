"""The steps of a deployment on a node can be repeated, previewed and interrupted."""

import json
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from services.node import activate, credentials, files, packages, pending, release, units
from services.runtime.errors import Problem

ROW: dict[str, Any] = {"status": "built", "role": ["main", "sub"], "after": []}


def test_credentials_are_made_once_for_root_alone(tmp_path: Path) -> None:
    made = credentials.make_missing(tmp_path / "c", main=True)
    assert len(made.changes) == len(credentials.wanted(main=True))
    first = {p.name: p.read_text() for p in (tmp_path / "c").iterdir()}
    assert credentials.make_missing(tmp_path / "c", main=True).changes == []
    assert {p.name: p.read_text() for p in (tmp_path / "c").iterdir()} == first
    assert {p.stat().st_mode & 0o777 for p in (tmp_path / "c").iterdir()} == {0o600}


def test_a_sub_holds_no_secret_of_main(tmp_path: Path) -> None:
    credentials.make_missing(tmp_path / "c", main=False)
    assert {p.name for p in (tmp_path / "c").iterdir()} == {"node-token", "recording-keys"}


def test_credentials_have_the_form_their_readers_expect(tmp_path: Path) -> None:
    credentials.make_missing(tmp_path / "c", main=True)
    assert len(bytes.fromhex((tmp_path / "c" / "site-key").read_text())) == 32
    assert isinstance(
        load_pem_private_key((tmp_path / "c" / "media-key").read_bytes(), None), Ed25519PrivateKey
    )


def test_an_empty_credential_is_made_and_an_open_one_is_closed(tmp_path: Path) -> None:
    (tmp_path / "node-token").touch()
    files.write(tmp_path / "recording-keys", "kept", 0o600)
    assert credentials.make_missing(tmp_path, main=False).changes == ["credential node-token"]
    (tmp_path / "node-token").chmod(0o644)
    assert credentials.make_missing(tmp_path, main=False).changes == ["mode of credential node-token"]
    assert (tmp_path / "node-token").stat().st_mode & 0o777 == 0o600


def test_a_preview_of_credentials_makes_none(tmp_path: Path) -> None:
    assert credentials.make_missing(tmp_path / "c", main=True, check=True).changes
    assert not (tmp_path / "c").exists()


def test_an_acceptance_keeps_its_person_and_time_until_the_agreement_changes(tmp_path: Path) -> None:
    path = tmp_path / "release.json"
    wish = {"version": "1.0", "date": "20260101", "agreement": "1", "by": "Jo"}
    release.record(path, wish)
    first = json.loads(path.read_text())["accepted_agreement"]
    assert release.record(path, wish).changes == []
    release.record(path, wish | {"version": "1.1", "by": "Ann"})
    assert json.loads(path.read_text())["accepted_agreement"] == first
    release.record(path, wish | {"agreement": "2", "by": "Ann"})
    assert json.loads(path.read_text())["accepted_agreement"]["by"] == "Ann"


def test_a_restart_owed_is_not_weakened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pending, "FOLDER", tmp_path / "pending")
    pending.note("nginx.service", "restart")
    pending.note("nginx.service", "reload")
    pending.note("dss-mts.service", "reload")
    assert pending.units() == {"nginx.service": "restart", "dss-mts.service": "reload"}
    pending.done(["nginx.service"])
    assert pending.units() == {"dss-mts.service": "reload"}


def test_a_failed_write_leaves_the_old_file_and_no_rest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.json"
    files.write(path, "old")

    def cut(_: int) -> None:
        raise OSError("power cut")

    monkeypatch.setattr(files.os, "fsync", cut)
    with pytest.raises(OSError, match="power cut"):
        files.write(path, "new")
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["a.json"]


def test_apt_is_left_with_the_bundle_as_its_only_source(tmp_path: Path) -> None:
    words = packages.options(Path("/var/lib/dss/bundle/repo"), tmp_path)
    assert "Dir::Etc::sourceparts=/dev/null" in words
    assert f"Dir::Etc::sourcelist={tmp_path}/sources.list" in words
    lines = (tmp_path / "sources.list").read_text().splitlines()
    assert lines == ["deb [trusted=yes] file:/var/lib/dss/bundle/repo ./"]


def test_states_are_told_in_the_five_words_of_the_manual() -> None:
    def block(name: str, active: str, sub: str = "running", load: str = "loaded") -> str:
        state = f"LoadState={load}\nActiveState={active}\nSubState={sub}"
        return f"Id={name}\n{state}\nResult=success\nNRestarts=2\n"

    text = "\n".join(
        [
            block("a", "active"),
            block("b", "activating", "start"),
            block("c", "deactivating"),
            block("d", "inactive"),
            block("e", "failed"),
            block("f", "inactive", load="not-found"),
        ]
    )
    found = [(u.name, u.state) for u in units.parse(text)]
    assert found == [
        ("a", "Running"),
        ("b", "Starting"),
        ("c", "Stopping"),
        ("d", "Stopped"),
        ("e", "Unavailable"),
        ("f", "Unavailable"),
    ]


def test_services_are_ordered_after_what_they_need() -> None:
    rows = [
        ROW | {"id": "mts", "after": ["dms"]},
        ROW | {"id": "dms", "after": ["mq"]},
        ROW | {"id": "mq"},
    ]
    assert [r["id"] for r in units.in_order(rows)] == ["mq", "dms", "mts"]


def test_an_unknown_service_is_answered_with_the_known_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [ROW | {"id": "mts", "code": "DSS_MTS", "units": [{"name": "dss-mts.service", "role": ["sub"]}]}]
    monkeypatch.setattr(files, "ETC", tmp_path)
    (tmp_path / "catalog.json").write_text(json.dumps(rows))
    (tmp_path / "node.json").write_text('{"role": "sub"}')
    with pytest.raises(Problem, match="This node runs: mts"):
        activate.act("restart", "mtz")
