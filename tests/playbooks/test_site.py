"""The playbooks are valid for every example, small, and few tasks whatever the number of services."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
INVENTORIES = sorted(p.parent.name for p in (ROOT / "inventories").glob("*/hosts.yml"))
BUDGET, LONGEST = 45, 60
TASK = re.compile(r"^\s+\S.*TAGS: \[")
PLAY = re.compile(r"^\s+play #\d+ \((\S+)\)")


def playbook(*words: str, config: str = str(ROOT / "ansible.cfg")) -> str:
    environment = {**os.environ, "ANSIBLE_CONFIG": config, "ANSIBLE_NOCOLOR": "1"}
    command = [sys.executable, "-m", "ansible", "playbook", *words]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("inventory", INVENTORIES)
def test_the_site_is_valid_for_every_example(inventory: str) -> None:
    playbook("-i", f"inventories/{inventory}", "site.yml", "--syntax-check")


def test_the_site_is_valid_without_our_configuration(tmp_path: Path) -> None:
    empty = tmp_path / "ansible.cfg"
    empty.write_text("")
    playbook("-i", "inventories/demo", "site.yml", "--syntax-check", config=str(empty))


def test_every_playbook_is_valid_alone() -> None:
    for path in sorted((ROOT / "playbooks").glob("*.yml")):
        playbook("-i", "inventories/demo", str(path), "--syntax-check")


def tasks_of(group: str) -> int:
    """Tasks that a host of a group runs in site.yml, those of every included file counted as run."""
    count, ours = 0, False
    for line in playbook("-i", "inventories/demo", "site.yml", "--list-tasks").splitlines():
        if play := PLAY.match(line):
            ours = group in play[1].split(":")
        elif TASK.match(line):
            count += ours
    included = (ROOT / "playbooks" / "roles").glob("*/tasks/*.yml")
    return count + sum(len(yaml.safe_load(p.read_text())) for p in included if p.name != "main.yml")


@pytest.mark.parametrize("group", ["main", "sub"])
def test_a_node_stays_within_the_budget_of_tasks(group: str) -> None:
    assert 5 < tasks_of(group) <= BUDGET


def test_no_task_is_repeated_for_each_file_or_service() -> None:
    for path in (ROOT / "playbooks").rglob("*.yml"):
        assert not re.search(r"^\s*(loop|with_\w+):", path.read_text(), re.MULTILINE), path


def test_task_files_are_short() -> None:
    long = {
        p: n for p in (ROOT / "playbooks").rglob("*.yml") if (n := len(p.read_text().splitlines())) > LONGEST
    }
    assert not long


def test_every_variable_carries_the_prefix_of_the_product() -> None:
    for path in (ROOT / "playbooks" / "roles").rglob("*.yml"):
        text = path.read_text()
        names = re.findall(r"register: (\w+)", text)
        if path.parent.name == "defaults":
            names += re.findall(r"^(\w+):", text, re.MULTILINE)
        assert all(name.startswith("dss_") for name in names), path
