"""A package taken from another Debian release is really the one that is shipped."""

from pathlib import Path

import pytest

from services.bundle import debs
from services.bundle.releases import RELEASES
from services.runtime.errors import Problem


@pytest.fixture
def borrowed(tmp_path: Path) -> Path:
    """An archive of one borrowed package."""
    (tmp_path / "nats-server_2.10.27-1_amd64.deb").touch()
    return tmp_path


def test_older_package_of_the_release_itself_is_refused(borrowed: Path) -> None:
    with pytest.raises(Problem) as caught:
        debs._check_borrowed(RELEASES["12"], borrowed, {"nats-server_2.9.10-1_amd64.deb"})
    assert caught.value.code == "bundle-borrowed"
    assert "nats-server_2.10.27-1_amd64.deb" in caught.value.what


def test_borrowed_package_among_the_chosen_ones_is_accepted(borrowed: Path) -> None:
    debs._check_borrowed(RELEASES["12"], borrowed, {"nats-server_2.10.27-1_amd64.deb", "other_1_all.deb"})


def test_packages_come_from_the_manifests() -> None:
    assert {"nginx-light", "mariadb-server", "redis-server", "nats-server", "python3-apt"} <= set(
        debs.wanted()
    )
