"""A service knows its node from its files, and says clearly what is wrong with them."""

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from services.runtime import config
from services.runtime.errors import Problem

if TYPE_CHECKING:
    from tests.conftest import NodeFiles


def test_node_with_its_centre_is_read(node_files: "NodeFiles") -> None:
    node_files.node(
        name="sub-1", role="sub", center={"name": "main-a", "address": "198.18.0.10", "https_port": 443}
    )
    node = config.load_node()
    assert (node.name, node.install_path) == ("sub-1", Path("/srv/dss"))
    assert node.center == config.Center("main-a", "198.18.0.10", 443)


@pytest.mark.parametrize("text", ["", "{", '{"name": "x"}', "[1]", '{"surplus": 1}'])
def test_damaged_node_file_is_a_problem_that_names_the_file(node_files: "NodeFiles", text: str) -> None:
    (node_files.etc / "node.json").write_text(text)
    with pytest.raises(Problem) as problem:
        config.load_node()
    assert "node.json" in problem.value.what
    assert "site.yml" in problem.value.remedy


def test_missing_service_file_is_a_problem(node_files: "NodeFiles") -> None:
    with pytest.raises(Problem, match=r"mts\.json"):
        config.load_service("mts")


def test_credential_loses_only_its_line_end(node_files: "NodeFiles") -> None:
    node_files.credential("redis", " secret ")
    assert config.credential("redis") == " secret "


def test_secret_that_the_unit_does_not_load_is_a_problem(node_files: "NodeFiles") -> None:
    with pytest.raises(Problem, match="site-key"):
        config.credential("site-key")
