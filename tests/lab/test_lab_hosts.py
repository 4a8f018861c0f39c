"""Lab hosts are real machines: they boot, answer, have disks and a network of their own, and no way out."""

import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from lab import layers
from lab.host import Host
from lab.rack import Lab, routes
from lab.tools import LabError


def out(lab: Lab, host: str, *words: str) -> str:
    done = lab.execute(host, list(words), capture=True, seconds=20)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_host_runs_systemd_without_a_failed_unit(lab: Lab) -> None:
    assert out(lab, "main-a", "systemctl", "is-system-running", "--wait").strip() == "running"
    assert out(lab, "main-a", "hostname").strip() == "main-a"


def test_ansible_reaches_the_hosts_with_nothing_in_the_inventory(lab: Lab) -> None:
    inventory = lab.notes["inventory"]
    done = lab.run(["ansible", "-i", inventory, "main,sub", "-m", "ping"], capture=True, seconds=90)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("pong") == 2


def test_machine_ids_and_host_keys_differ_between_hosts(lab: Lab) -> None:
    for file in ("/etc/machine-id", "/etc/ssh/ssh_host_ed25519_key.pub"):
        assert out(lab, "main-a", "cat", file) != out(lab, "sub-1", "cat", file)


def test_install_path_and_picture_disks_are_not_on_the_system_disk(lab: Lab) -> None:
    numbers = out(lab, "main-a", "stat", "-c", "%d", "/", "/srv", "/mnt/disk1", "/mnt/disk2").split()
    assert len(set(numbers)) == 4


def test_nothing_has_a_route_out(lab: Lab) -> None:
    assert "default" not in routes(lab)
    assert "default" not in out(lab, "main-a", "ip", "route")
    assert out(lab, "main-a", "cat", "/etc/resolv.conf") == ""
    forwarding = lab.run(["cat", "/proc/sys/net/ipv4/ip_forward"], capture=True)
    assert forwarding.stdout.strip() == "0"


def test_the_lan_does_not_reach_the_wan_through_the_controller(lab: Lab) -> None:
    ping = "ping -c1 -W1"
    assert "1 received" in lab.execute("main-a", ["sh", "-c", f"{ping} 198.18.0.21"], capture=True).stdout
    route = "203.0.113.0/24 via 198.18.0.1"
    words = ["sh", "-c", f"ip route add {route}; {ping} 203.0.113.99; ip route delete {route}"]
    assert "0 received" in lab.execute("main-a", words, capture=True).stdout


def test_up_again_changes_nothing(lab: Lab) -> None:
    before = out(lab, "main-a", "cat", "/proc/sys/kernel/random/boot_id")
    lab.up(Path(lab.notes["inventory"]))
    assert out(lab, "main-a", "cat", "/proc/sys/kernel/random/boot_id") == before


def test_up_refuses_another_inventory_over_a_running_lab(lab: Lab, tmp_path: Path) -> None:
    (tmp_path / "hosts.yml").write_text("main: {hosts: {x: {ansible_host: 198.18.0.77}}}")
    with pytest.raises(LabError, match=r"lab down"):
        lab.up(tmp_path)


def test_a_host_boots_to_ssh_within_seconds_and_keeps_its_disk(lab: Lab) -> None:
    out(lab, "sub-1", "sh", "-c", "echo kept > /srv/kept; echo kept > /root/kept; sync")
    host = lab.host("sub-1")
    assert isinstance(host, Host)
    host.shutdown()
    assert not host.running
    started = time.monotonic()
    lab.boot("sub-1")
    # About 1.1 s on a quiet machine; the margin is for two busy cores.
    assert time.monotonic() - started < 6
    assert out(lab, "sub-1", "cat", "/srv/kept", "/root/kept") == "kept\nkept\n"


def test_a_forward_leads_from_the_machine_into_the_lab(lab: Lab) -> None:
    listen = "127.0.0.1:18080"
    lab.forward(listen, "198.18.0.101:80")
    lab.forward(listen, "198.18.0.101:80")
    assert [f.to for f in lab.forwards()] == ["198.18.0.101:80"]
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(f"http://{listen}/cgi-bin/magicBox.cgi?action=getSerialNo", timeout=10)
    assert refused.value.code == 401
    refused.value.close()
    with pytest.raises(LabError, match="another --listen"):
        lab.forward("198.51.100.1:1", "198.18.0.101:80")


def test_a_baked_layer_starts_the_next_lab_with_what_was_installed(lab: Lab, tmp_path: Path) -> None:
    key = f"test-{lab.name}"
    out(lab, "sub-1", "sh", "-c", "mkdir -p /opt/baked; echo yes > /opt/baked/file")
    place = lab.bake("sub-1", key)
    (tmp_path / "hosts.yml").write_text("main: {hosts: {other: {ansible_host: 198.18.0.10}}}")
    second = Lab(f"{lab.name}b")
    try:
        # Two labs at once, with the same address in both.
        second.up(tmp_path, layer=key)
        assert out(second, "other", "cat", "/opt/baked/file") == "yes\n"
        assert out(second, "other", "hostname") == "other\n"
        assert out(second, "other", "cat", "/etc/machine-id") != out(lab, "sub-1", "cat", "/etc/machine-id")
        assert "198.18.0.21" not in out(second, "other", "ip", "-4", "address")
    finally:
        second.down()
        assert place == layers.baked(key)
        layers.forget(key)
    assert lab.host("main-a").running
