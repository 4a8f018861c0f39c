"""playbooks/router.yml brings a router with a command line to the inventory, as an integrator runs it."""

import os
import subprocess
from pathlib import Path

import pytest
from router_cisco import ENABLE, Cisco
from router_mikrotik import MikroTik
from router_server import PASSWORD, USER, Server

ROOT = Path(__file__).resolve().parents[2]
VAULT = "vault-words"
INVENTORY = """\
all:
  vars: {dss_site: Harbour}
  children:
    main: {hosts: {main-a: {ansible_host: 198.18.0.10, dss_mapping_ip: 203.0.113.10}}}
    router:
      hosts:
        edge:
          ansible_host: 127.0.0.1
          dss_address: 198.18.0.1
          ansible_port: PORT
          ansible_user: USER
          ansible_password: !vault |
SECRET
          ansible_become_password: "{{ 'Enable' }}.1357"
          dss_router: VENDOR
          dss_router_host_key: HOST_KEY
          dss_wan_ip: 203.0.113.10
          dss_dmz: [clients]
"""


def run(words: list[str]) -> str:
    environment = {**os.environ, "ANSIBLE_FORCE_COLOR": "0", "ANSIBLE_NOCOLOR": "1"}
    done = subprocess.run(
        words, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    return f"{done.stdout}{done.stderr}exit {done.returncode}"


def inventory(folder: Path, server: Server, vendor: str) -> Path:
    """The site with the emulated router, its password in a vault."""
    (folder / "vault").write_text(VAULT)
    words = ["ansible-vault", "encrypt_string", "--vault-password-file", str(folder / "vault"), PASSWORD]
    secret = run(words).partition("!vault |\n")[2]
    lines = "\n".join(" " * 12 + line.strip() for line in secret.splitlines() if line.startswith(" "))
    text = INVENTORY.replace("SECRET", lines).replace("HOST_KEY", server.host_key).replace("VENDOR", vendor)
    (folder / "hosts.yml").write_text(text.replace("PORT", str(server.port)).replace("USER", USER))
    return folder


def play(folder: Path, *options: str) -> str:
    words = ["ansible-playbook", "-i", str(folder / "hosts.yml"), "playbooks/router.yml"]
    return run([*words, "--vault-password-file", str(folder / "vault"), *options])


@pytest.mark.parametrize("vendor", ["cisco", "mikrotik"])
def test_preview_apply_repeat_and_remove(tmp_path: Path, vendor: str) -> None:
    assert ENABLE == "Enable.1357"
    device = Cisco() if vendor == "cisco" else MikroTik()
    with Server(device) as server:
        site = inventory(tmp_path, server, vendor)

        def state() -> str:
            return device.running() if isinstance(device, Cisco) else repr(device.rules)

        before = state()
        preview = play(site, "--check", "--diff")
        assert "changed=1" in preview, preview
        assert "198.18.0.10" in preview.partition("TASK")[2]
        assert state() == before

        applied = play(site)
        assert "changed=1" in applied, applied
        assert "203.0.113.10:443/tcp" in applied
        assert "WARNING" in applied
        assert state() != before

        assert "changed=0" in play(site)
        removed = play(site, "-e", '{"dss_dmz": []}')
        assert "changed=1" in removed, removed
        assert state() == before
        assert PASSWORD not in preview + applied + removed


def test_a_refusal_is_told_in_the_routers_own_words(tmp_path: Path) -> None:
    device = MikroTik()
    device.refuse = "dst-port=9102"
    with Server(device) as server:
        refused = play(inventory(tmp_path, server, "mikrotik"))
    assert "failed=1" in refused, refused
    assert "not allowed by device-mode" in refused
    assert "again as it was before" in refused.replace("\n", " ").replace("    ", "")
