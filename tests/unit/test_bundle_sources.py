"""Package sources of another release come from the machine's own archives, and from Debian's only."""

from pathlib import Path

import pytest

from services.bundle import sources
from services.runtime.errors import Problem

DEB822 = """\
Types: deb deb-src
URIs: http://mirror.example/debian/
Suites: bookworm bookworm-updates bookworm-backports
Components: main contrib
Signed-By: /usr/share/keyrings/debian.gpg

# a comment
Types: deb
URIs: http://mirror.example/security
Suites: bookworm-security
Components: main

Types: deb
URIs: http://off.example/debian
Suites: bookworm
Components: main
Enabled: no

Types: deb
URIs: http://vendor.example/debian
Suites: nodistro
Components: main
"""


@pytest.fixture
def apt(tmp_path: Path) -> Path:
    """An empty /etc/apt."""
    (tmp_path / "sources.list.d").mkdir()
    return tmp_path


def lines(apt: Path, suite: str) -> list[str]:
    return [source.line(suite) for source in sources.find(apt)]


def test_stanzas_keep_archive_pocket_and_keyring(apt: Path) -> None:
    (apt / "sources.list.d/debian.sources").write_text(DEB822)
    assert lines(apt, "trixie") == [
        "deb [signed-by=/usr/share/keyrings/debian.gpg] http://mirror.example/debian trixie main",
        "deb [signed-by=/usr/share/keyrings/debian.gpg] http://mirror.example/debian trixie-updates main",
        "deb http://mirror.example/security trixie-security main",
    ]


def test_one_line_sources_are_read_too(apt: Path) -> None:
    (apt / "sources.list").write_text(
        "# deb http://old.example/debian bookworm main\n"
        "deb-src http://mirror.example/debian bookworm main\n"
        "deb [arch=amd64 signed-by=/k.gpg] http://mirror.example/debian/ stable main non-free # ours\n"
        "deb http://mirror.example/debian bookworm contrib\n"
    )
    (apt / "sources.list.d/vendor.list").write_text("deb http://vendor.example/apt sdk-bookworm main\n")
    assert lines(apt, "bookworm") == ["deb [signed-by=/k.gpg] http://mirror.example/debian bookworm main"]


def test_hosts_are_made_from_the_archive_of_whole_releases(apt: Path) -> None:
    (apt / "sources.list").write_text(
        "deb http://mirror.example/security bookworm-security main\n"
        "deb [signed-by=/k.gpg] http://mirror.example/debian bookworm main\n"
    )
    assert sources.archive(apt) == sources.Source("http://mirror.example/debian", "", "/k.gpg")


def test_same_archive_named_twice_counts_once(apt: Path) -> None:
    (apt / "sources.list").write_text("deb http://mirror.example/debian bookworm main\n" * 2)
    assert len(sources.find(apt)) == 1


def test_list_of_mirrors_as_in_cloud_images_is_followed(apt: Path) -> None:
    listed = apt / "debian.list"
    listed.write_text("# nearest first\nhttp://near.example/debian\tpriority:1\nhttp://far.example/debian\n")
    (apt / "sources.list.d/debian.sources").write_text(
        f"Types: deb\nURIs: mirror+file://{listed}\nSuites: bookworm\nComponents: main\n"
    )
    assert lines(apt, "bookworm") == ["deb http://near.example/debian bookworm main"]


def test_machine_without_debian_archive_is_told_what_to_add(apt: Path) -> None:
    (apt / "sources.list").write_text("deb http://vendor.example/ubuntu jammy main\n")
    with pytest.raises(Problem) as caught:
        sources.find(apt)
    assert caught.value.code == "bundle-no-source"
    assert "sources.list" in caught.value.remedy
