"""A site grows by one sub without any other node being touched."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.fixtures import alone
from lab.site import MAIN, SUB, Site

LISTEN = "127.0.0.1:18444"
FIRST = """
all:
  vars: {dss_site: Growing, dss_accept_agreement: true, dss_lab_limits: true}
  children:
    main: {hosts: {main-a: {ansible_host: 198.18.0.10}}}
    sub:
      hosts:
        sub-1: {ansible_host: 198.18.0.21, dss_enabled: true}
"""
SECOND = FIRST + "        sub-2: {ansible_host: 198.18.0.22, dss_enabled: true}\n"
# What a run could leave behind on a node that it should not touch.
UNITS = "nginx mariadb redis-server nats-server dss-smc dss-portal dss-dms dss-mts dss-ss"
TRACES = (
    "find /etc/dss /etc/systemd/system /opt/dss -type f -printf '%p %T@ %s\\n' | sort | sha256sum; "
    f"systemctl show -p InvocationID --value {UNITS}"
)


@pytest.fixture
def growing(tmp_path: Path, bundle: Path) -> Iterator[Site]:
    """main-a and sub-1 deployed, sub-2 bare, in a lab of their own."""
    for name, text in (("first", FIRST), ("second", SECOND)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "hosts.yml").write_text(text)
    with alone("growing") as lab:
        lab.up(tmp_path / "second")
        site = Site(lab, tmp_path / "first", LISTEN)
        play = site.play()
        assert play.code == 0, play.output[-4000:]
        yield Site(lab, tmp_path / "second", LISTEN)


def test_a_second_sub_joins_and_leaves_main_and_the_first_untouched(growing: Site) -> None:
    before = {host: growing.on(host, "sh", "-c", TRACES) for host in (MAIN, SUB)}
    added = growing.play("--limit", "sub-2")
    assert added.code == 0, added.output[-4000:]
    assert {host: growing.on(host, "sh", "-c", TRACES) for host in (MAIN, SUB)} == before
    assert set(added.changed) == {"sub-2"}
    assert "sub-2" in growing.on(MAIN, "dss", "node", "list")
    again = growing.play()
    assert again.code == 0, again.output[-4000:]
    assert set(again.changed.values()) == {0}, again.output[-4000:]
