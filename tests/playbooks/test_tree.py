"""dss_tree writes what differs, takes away what is no longer rendered, and forgets no restart."""

import grp
import json
import os
import pwd
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

OWNER, GROUP = pwd.getpwuid(os.getuid()).pw_name, grp.getgrgid(os.getgid()).gr_name


def file(text: str, *affects: str, mode: str = "0644") -> dict[str, Any]:
    return {"text": text, "mode": mode, "owner": OWNER, "group": GROUP, "affects": list(affects)}


def install(module: ModuleType, node: Path, files: dict[str, Any], check: bool = False) -> Any:  # noqa: ANN401
    tree = module.Tree(str(node), check)
    tree.apply(files, tree.recorded())
    return tree


def pending(node: Path) -> dict[str, str]:
    folder = node / "var/lib/dss/pending"
    return {p.name: p.read_text() for p in folder.iterdir()} if folder.is_dir() else {}


def test_a_file_is_written_with_its_mode_and_recorded(dss_tree: ModuleType, node: Path) -> None:
    tree = install(dss_tree, node, {"/etc/dss/a.json": file("{}\n", "dss-smc.service", mode="0640")})
    written = node / "etc/dss/a.json"
    assert written.read_text() == "{}\n"
    assert written.stat().st_mode & 0o7777 == 0o640
    assert tree.changed == ["/etc/dss/a.json"]
    assert json.loads((node / "etc/dss/installed.json").read_text())["files"] == {
        "/etc/dss/a.json": ["dss-smc.service"]
    }


def test_the_same_tree_again_changes_nothing(dss_tree: ModuleType, node: Path) -> None:
    files = {"/etc/dss/a.json": file("{}\n", "dss-smc.service")}
    install(dss_tree, node, files)
    before = {p: p.stat().st_mtime_ns for p in node.rglob("*") if p.is_file()}
    assert install(dss_tree, node, files).changed == []
    assert {p: p.stat().st_mtime_ns for p in node.rglob("*") if p.is_file()} == before


def test_a_mode_that_differs_is_repaired(dss_tree: ModuleType, node: Path) -> None:
    files = {"/etc/dss/a.json": file("{}\n")}
    install(dss_tree, node, files)
    (node / "etc/dss/a.json").chmod(0o666)
    assert install(dss_tree, node, files).changed == ["/etc/dss/a.json"]
    assert (node / "etc/dss/a.json").stat().st_mode & 0o7777 == 0o644


def test_a_file_no_longer_rendered_is_removed_and_its_units_restart(dss_tree: ModuleType, node: Path) -> None:
    install(dss_tree, node, {"/etc/dss/a": file("a"), "/etc/dss/b": file("b", "dss-mts.service")})
    tree = install(dss_tree, node, {"/etc/dss/a": file("a")})
    assert not (node / "etc/dss/b").exists()
    assert tree.affected == {"dss-mts.service": "restart"}


def test_a_file_that_was_never_ours_stays(dss_tree: ModuleType, node: Path) -> None:
    (node / "etc/dss/own-notes").write_text("keep")
    install(dss_tree, node, {"/etc/dss/a": file("a")})
    assert (node / "etc/dss/own-notes").read_text() == "keep"


def test_a_secret_is_put_in_and_never_shown(dss_tree: ModuleType, node: Path) -> None:
    tree = install(dss_tree, node, {"/etc/dss/r": file("pass @@credential:redis@@\n", mode="0600")})
    assert (node / "etc/dss/r").read_text() == "pass hidden-word\n"
    assert "hidden-word" not in json.dumps(tree.diffs)


def test_a_secret_in_a_file_that_everybody_reads_is_refused(dss_tree: ModuleType, node: Path) -> None:
    with pytest.raises(dss_tree.TreeError, match="0600 or 0640"):
        install(dss_tree, node, {"/etc/dss/r": file("@@credential:redis@@", mode="0644")})


def test_a_missing_secret_is_named_before_anything_is_written(dss_tree: ModuleType, node: Path) -> None:
    files = {"/etc/dss/a": file("a"), "/etc/dss/r": file("@@credential:none@@", mode="0600")}
    with pytest.raises(dss_tree.TreeError, match="credential none"):
        install(dss_tree, node, files)
    assert not (node / "etc/dss/a").exists()


def test_a_check_tells_and_writes_nothing(dss_tree: ModuleType, node: Path) -> None:
    before = sorted(node.rglob("*"))
    tree = install(dss_tree, node, {"/etc/dss/a": file("new\n", "dss-smc.service")}, check=True)
    assert tree.changed == ["/etc/dss/a"]
    assert tree.diffs[0]["after"] == "new\n"
    assert sorted(node.rglob("*")) == before


def test_a_restart_is_remembered_on_disk_and_not_weakened_to_a_reload(
    dss_tree: ModuleType, node: Path
) -> None:
    unit = "/etc/systemd/system/nginx.service.d/dss.conf"
    install(dss_tree, node, {unit: file("x", "nginx.service")})
    assert pending(node) == {"nginx.service": "restart"}
    conf = {unit: file("x", "nginx.service"), "/etc/dss/engines/nginx.conf": file("y", "nginx.service")}
    assert install(dss_tree, node, conf).affected == {"nginx.service": "reload"}
    assert pending(node) == {"nginx.service": "restart"}


def test_the_restart_is_remembered_even_if_writing_fails(
    dss_tree: ModuleType, node: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = dss_tree.write

    def full_disk(path: str, *rest: Any) -> None:  # noqa: ANN401
        if path.endswith("a.json"):
            raise OSError("No space left on device")
        real(path, *rest)

    monkeypatch.setattr(dss_tree, "write", full_disk)
    with pytest.raises(OSError, match="No space"):
        install(dss_tree, node, {"/etc/dss/a.json": file("{}", "dss-smc.service")})
    assert pending(node) == {"dss-smc.service": "restart"}
