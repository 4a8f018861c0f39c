"""What was changed at run time goes back into an inventory without harming what people wrote there."""

from pathlib import Path

import pytest
import yaml

from services import export, topology
from services.drift import Drift
from services.export import Changed
from services.runtime.errors import Problem

TEXT = """\
# The site of the city.
all:
  vars:
    dss_ports: {mts.rtsps: 19102}          # for every node
  children:
    main:
      hosts:
        main-a: {ansible_host: 198.18.0.10}
    sub:
      hosts:
        sub-1: {ansible_host: 198.18.0.21, dss_ports: {mts.http: 19101}}   # the attic
        sub-2:
          ansible_host: 198.18.0.22
        "sub-[5:6]": {}
"""
PORT = Drift("ports.mts.rtsp", 19100, 9100)


@pytest.fixture
def inventory(tmp_path: Path) -> Path:
    """A folder with one file."""
    (tmp_path / "hosts.yml").write_text(TEXT)
    return tmp_path


def test_values_stand_at_their_host_and_comments_stay(inventory: Path) -> None:
    export.export(inventory, {"sub-1": Changed([PORT, Drift("mapping_ip", "203.0.113.21", None)], {})})
    text = (inventory / "hosts.yml").read_text()
    wanted = TEXT.replace(
        "{mts.http: 19101}}   # the attic",
        "{mts.http: 19101, mts.rtsp: 19100}, dss_mapping_ip: 203.0.113.21} # the attic",
    )
    assert [line.split("#")[0].rstrip() for line in text.splitlines()] == [
        line.split("#")[0].rstrip() for line in wanted.splitlines()
    ]
    assert text.count("#") == TEXT.count("#")


def test_a_host_without_ports_of_its_own_keeps_those_of_its_groups(inventory: Path) -> None:
    (inventory / "hosts.yml").write_text(TEXT.replace('        "sub-[5:6]": {}\n', ""))
    export.export(inventory, {"sub-2": Changed([PORT], {"mts.rtsps": 19102})})
    ports = topology.load(inventory).hosts["sub-2"].ports
    assert (ports["mts.rtsp"], ports["mts.rtsps"]) == (19100, 19102)


def test_a_file_of_the_host_is_written_before_the_list_of_hosts(inventory: Path) -> None:
    own = inventory / "host_vars" / "sub-1.yml"
    own.parent.mkdir()
    own.write_text("dss_ports: {}\n")
    export.export(inventory, {"sub-1": Changed([PORT], {})})
    assert yaml.safe_load(own.read_text()) == {"dss_ports": {"mts.rtsp": 19100}}
    assert (inventory / "hosts.yml").read_text() == TEXT


def test_what_follows_from_the_centre_is_not_written(inventory: Path) -> None:
    assert (
        export.export(inventory, {"sub-1": Changed([Drift("center.ports.nginx.https", 10443, 443)], {})})
        == []
    )
    assert (inventory / "hosts.yml").read_text() == TEXT


def test_a_host_of_a_range_is_refused_with_the_way_out(inventory: Path) -> None:
    with pytest.raises(Problem) as refusal:
        export.export(inventory, {"sub-5": Changed([PORT], {})})
    assert "sub-5" in refusal.value.what
    assert refusal.value.remedy
