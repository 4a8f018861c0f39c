"""Which release may follow which on a node."""

import tomllib
from pathlib import Path

import pytest

from services import version
from services.runtime.errors import Problem


def test_the_tree_says_its_version_itself() -> None:
    text = (Path(__file__).resolve().parents[2] / "pyproject.toml").read_text()
    assert version.own() == tomllib.loads(text)["project"]["version"]


@pytest.mark.parametrize(
    ("installed", "wanted"),
    [("1.2.0", "1.2.0"), ("1.2.0", "1.2.7"), ("1.2.7", "1.3.0"), ("1.9.3", "2.0.0"), ("0.1.0", "0.2.0")],
)
def test_a_release_follows_the_minor_release_before_it(installed: str, wanted: str) -> None:
    version.need_next(installed, wanted)


@pytest.mark.parametrize(
    ("installed", "wanted", "code"),
    [
        ("1.2.0", "1.4.0", "skipped-release"),
        ("1.9.0", "2.1.0", "skipped-release"),
        ("1.0.0", "3.0.0", "skipped-release"),
        ("1.2.1", "1.2.0", "downgrade"),
        ("2.0.0", "1.9.0", "downgrade"),
        ("", "1.0.0", "nothing-to-upgrade"),
        ("1.0", "1.1.0", "no-version"),
    ],
)
def test_other_releases_are_refused_with_a_way_out(installed: str, wanted: str, code: str) -> None:
    with pytest.raises(Problem) as refused:
        version.need_next(installed, wanted)
    assert refused.value.code == code
    assert refused.value.remedy


@pytest.mark.parametrize(
    ("installed", "wanted"), [("1.3.0", "1.2.9"), ("1.3.2", "1.3.1"), ("2.0.0", "1.9.0")]
)
def test_a_node_goes_back_one_minor_release(installed: str, wanted: str) -> None:
    version.need_previous(installed, wanted)


@pytest.mark.parametrize(
    ("installed", "wanted"), [("1.3.0", "1.1.0"), ("1.3.0", "1.4.0"), ("1.3.0", "1.3.0")]
)
def test_a_node_goes_back_no_further_and_never_forward(installed: str, wanted: str) -> None:
    with pytest.raises(Problem):
        version.need_previous(installed, wanted)


def test_deploying_meets_only_its_own_release() -> None:
    version.need_same("", "1.0.0")
    version.need_same("1.0.0", "1.0.0")
    with pytest.raises(Problem, match=r"upgrade\.yml"):
        version.need_same("1.0.0", "1.1.0")
    with pytest.raises(Problem, match=r"rollback\.yml"):
        version.need_same("1.1.0", "1.0.0")
