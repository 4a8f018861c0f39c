"""`./dss dmz` lists, prints and writes the mapping of a router, and says what is missing."""

from pathlib import Path

import pytest

from services.cli.__main__ import main

ROOT = Path(__file__).resolve().parents[2]
SITE = str(ROOT / "inventories/lan_wan")
BACKUP = "<opnsense><nat><rule><descr>Web server</descr></rule></nat></opnsense>"


def test_the_check_lists_what_becomes_reachable_and_warns(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["dmz", "-i", SITE, "--check"]) == 0
    said = capsys.readouterr().out
    assert "203.0.113.22:443/tcp" in said
    assert "WARNING" in said


@pytest.mark.parametrize("vendor", ["nftables", "openwrt", "mikrotik", "cisco", "opnsense", "pfsense"])
def test_files_are_written_for_their_owner_alone(
    vendor: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for more in ([], ["--remove"]):
        assert main(["dmz", "-i", SITE, "--vendor", vendor, "--out", str(tmp_path), *more]) == 0
    assert "WARNING" in capsys.readouterr().out
    assert len(list(tmp_path.iterdir())) >= 2
    assert {path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {0o600}


def test_a_backup_gets_our_rules_and_keeps_the_others(tmp_path: Path) -> None:
    backup = tmp_path / "config.xml"
    backup.write_text(BACKUP)
    words = ["dmz", "-i", SITE, "--vendor", "opnsense", "-c", str(backup), "--out", str(tmp_path)]
    assert main(words) == 0
    merged = (tmp_path / "config-edge.xml").read_text()
    assert "Web server" in merged
    assert "dss:factory/main-a/nginx.https" in merged


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["-i", SITE, "--router", "gate"], "It has: edge"),
        (["-i", str(ROOT / "inventories/demo")], "stands in the group router"),
        (["-i", SITE, "-c", "config.xml"], "for opnsense and pfsense"),
        (["-i", SITE, "--vendor", "pfsense", "-c", "nowhere.xml"], "nowhere.xml"),
        (["-i", "nowhere"], "There is no inventory here"),
    ],
)
def test_what_cannot_be_done_says_why_and_what_to_do(
    words: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["dmz", *words]) == 1
    assert says in capsys.readouterr().err


def test_a_file_that_others_could_read_is_closed_when_it_is_written_again(tmp_path: Path) -> None:
    words = ["dmz", "-i", SITE, "--vendor", "openwrt", "--out", str(tmp_path)]
    assert main(words) == 0
    (script,) = tmp_path.iterdir()
    script.chmod(0o644)
    assert main(words) == 0
    assert script.stat().st_mode & 0o777 == 0o600
