"""Our reading of an inventory is Ansible's reading of it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from services import catalog, topology
from services.topology_inventory import expand, read

ROOT = Path(__file__).resolve().parents[2]
KNOWN = catalog.load()
INVENTORIES = ("cascade", "lan_wan")


def ansible(path: Path, home: Path) -> dict[str, dict[str, object]]:
    """Variables of every host as `ansible-inventory` merges them."""
    command = [Path(sys.executable).with_name("ansible-inventory"), "-i", path, "--list"]
    environment = os.environ | {"LC_ALL": "C.UTF-8", "ANSIBLE_HOME": str(home)}
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment, cwd=path)
    found: dict[str, dict[str, object]] = json.loads(done.stdout)["_meta"]["hostvars"]
    return found


def ours(path: Path) -> dict[str, dict[str, object]]:
    """The same by our reader."""
    found = read(path)
    assert found.mistakes == []
    merged = found.merged(found.members())
    return {host: {name: entry.value for name, entry in own.items()} for host, own in merged.items() if own}


@pytest.mark.parametrize("name", INVENTORIES)
def test_ansible_reads_the_examples_as_we_do(name: str, tmp_path: Path) -> None:
    assert ours(ROOT / "inventories" / name) == ansible(ROOT / "inventories" / name, tmp_path)


FILES = {
    "hosts.yml": """
all:
  vars: {who: all in file, only_all: yes, dss_site: A}
  hosts: {lonely: {ansible_host: 10.0.0.9}}
  children:
    sub:
      vars: {who: sub in file, sub_file: 1}
      children:
        north: {hosts: {"sub-[01:03]": {own: 7}}}
        west: {vars: {who: west in file}}
    west: {hosts: {sub-02: {own: 8}, sub-04: }}
    main: {hosts: {main-a: {who: main-a in file}}}
""",
    "more.yaml": "sub:\n  hosts: {sub-05: }\n  vars: {sub_file: 2}\n",
    "notes.txt": "nothing that is read",
    "group_vars/all.yml": "who: all in group_vars\nlist: [1, 2]\n",
    "group_vars/sub/one.yml": "who: sub in group_vars\ndeep: {a: 1}\n",
    "group_vars/sub/two.yml": "deep: {b: 2}\n",
    "group_vars/west.yaml": "who: west in group_vars\n",
    "host_vars/sub-02.yml": "own: 9\nflag: off\n",
    "host_vars/main-a/extra.yml": "who: main-a in host_vars\n",
}


def test_ansible_merges_variables_as_we_do(tmp_path: Path) -> None:
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    assert ours(tmp_path) == ansible(tmp_path, tmp_path / "home")


def test_a_single_file_is_an_inventory_too(tmp_path: Path) -> None:
    (tmp_path / "site.yml").write_text("all: {children: {main: {hosts: {main-a: {ansible_host: 10.0.0.1}}}}}")
    assert topology.load(tmp_path / "site.yml", catalog=KNOWN).main.address == "10.0.0.1"


def test_vaulted_values_and_files_are_tolerated(tmp_path: Path) -> None:
    (tmp_path / "group_vars/all").mkdir(parents=True)
    (tmp_path / "group_vars/all/vault.yml").write_text("$ANSIBLE_VAULT;1.1;AES256\n6162\n")
    (tmp_path / "hosts.yml").write_text(
        "all:\n  vars: {become_password: !vault 'x'}\n"
        "  children: {main: {hosts: {main-a: {ansible_host: 10.0.0.1}}}}"
    )
    assert topology.load(tmp_path, catalog=KNOWN).main.name == "main-a"


def test_variables_of_the_command_line_win(tmp_path: Path) -> None:
    (tmp_path / "hosts.yml").write_text(
        "all: {children: {main: {hosts: {main-a: {ansible_host: 10.0.0.1, dss_site: A}}}}}"
    )
    assert topology.load(tmp_path, {"dss_site": "B"}, KNOWN).site == "B"


def test_ranges_keep_their_leading_zeros() -> None:
    assert expand("sub-[08:10]") == ["sub-08", "sub-09", "sub-10"]
    assert expand("r[1:2]-s[1:2]") == ["r1-s1", "r1-s2", "r2-s1", "r2-s2"]
    assert expand("main-a") == ["main-a"]
