"""The lab takes its hosts from an inventory and refuses, with a remedy, what it cannot build."""

from pathlib import Path

import pytest

from lab import inventory
from lab.tools import LabError


def read(tmp_path: Path, text: str) -> list[inventory.Machine]:
    (tmp_path / "hosts.yml").write_text(text)
    return inventory.read(tmp_path)


def test_hosts_of_nested_groups_get_their_groups_links_and_variables(tmp_path: Path) -> None:
    found = read(
        tmp_path,
        """
        all:
          vars: {site: demo}
          children:
            main: {hosts: {main-a: {ansible_host: 198.18.0.10}}}
            sub: {hosts: {far: {ansible_host: 203.0.113.9}}}
            router: {hosts: {gate: {ansible_host: 198.18.0.254, wan_address: 203.0.113.2}}}
            camera:
              vars: {lab_camera: h265}
              hosts: {cam-1: {ansible_host: 198.18.0.101}}
        """,
    )
    by_name = {machine.name: machine for machine in found}
    assert by_name["main-a"].links == {"lan": "198.18.0.10"}
    assert by_name["far"].links == {"wan": "203.0.113.9"}
    assert by_name["gate"].links == {"lan": "198.18.0.254", "wan": "203.0.113.2"}
    assert by_name["cam-1"].is_camera
    assert by_name["cam-1"].vars == {"site": "demo", "lab_camera": "h265", "ansible_host": "198.18.0.101"}


def test_a_host_of_two_groups_is_one_machine(tmp_path: Path) -> None:
    found = read(tmp_path, "main: {hosts: {a: {ansible_host: 198.18.0.10}}}\netcd: {hosts: {a: {}}}\n")
    assert [(m.name, m.groups) for m in found] == [("a", ("main", "etcd"))]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("main: {hosts: {a: {}}}", "a has no usable ansible_host"),
        ("main: {hosts: {a: {ansible_host: 10.0.0.1}}}", "198.18.0.0/24 and 203.0.113.0/24"),
        ("main: {hosts: {a: {ansible_host: 198.18.0.1}}}", "the controller"),
        ("main: {hosts: {a-very-long-name: {ansible_host: 198.18.0.9}}}", "Shorten"),
        ("m: {hosts: {a: {ansible_host: 198.18.0.9}, b: {ansible_host: 198.18.0.9}}}", "a both have"),
        ("main: [", "is not YAML"),
        ("just words", "holds no groups"),
    ],
)
def test_what_cannot_be_built_is_refused_with_the_file_and_a_remedy(
    tmp_path: Path, text: str, said: str
) -> None:
    with pytest.raises(LabError) as refused:
        read(tmp_path, text)
    assert said in str(refused.value)
    assert "hosts.yml" in str(refused.value)


def test_a_missing_inventory_is_named(tmp_path: Path) -> None:
    with pytest.raises(LabError, match="nowhere"):
        inventory.read(tmp_path / "nowhere")
