"""What a node with a network for each purpose gets: where it listens, what it lets in, what it makes."""

import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from services import ports, topology
from services.catalog import Catalog
from services.render import File, render
from services.router import mapping
from services.topology import Topology

ROOT = Path(__file__).resolve().parents[2]
UNIT = "/etc/systemd/system/dss-networks.service"
Render = Callable[[str, str], dict[str, File]]
PARTLY = """\
all:
  vars:
    dss_gateway: 198.18.0.1
    dss_gateway_mac: "02:00:5e:10:00:01"
    dss_networks: {device: {network: "fd00:3::/64", interface: eth0, vlan: 30}}
  children:
    main: {hosts: {main-a: {ansible_host: 198.18.0.10, dss_addresses: {device: "fd00:3::10"}}}}
"""


@pytest.fixture
def sub(rendered: Render) -> dict[str, File]:
    """The sub of inventories/networks."""
    return rendered("networks", "sub-1")


@pytest.fixture
def partly(tmp_path: Path, catalog: Catalog) -> dict[str, File]:
    """A main whose devices alone have a network of their own, by IPv6."""
    (tmp_path / "hosts.yml").write_text(PARTLY)
    return render(catalog, topology.load(tmp_path, catalog=catalog), "main-a")


def listens(text: str) -> set[str]:
    return set(re.findall(r"^\s+listen:? \"?([\d.]+:\d+)", text, re.MULTILINE))


def test_every_listener_is_bound_to_the_networks_of_its_port(sub: dict[str, File], rendered: Render) -> None:
    assert listens(sub["/etc/dss/engines/nginx.conf"].text) == {
        "127.0.0.1:443",
        "198.18.0.21:443",
        "198.18.1.21:443",
        "198.18.2.21:443",
        "127.0.0.1:80",
        "198.18.0.21:80",
        "198.18.2.21:80",
    }
    assert json.loads(sub["/etc/dss/services/mts.json"].text)["listen"] == {
        "rtsp": ["198.18.2.21"],
        "rtsps": ["198.18.2.21"],
        "webrtc": ["198.18.2.21"],
    }
    nats = rendered("networks", "main-a")["/etc/dss/engines/nats.conf"].text
    assert 'listen: "198.18.1.10:7422"' in nats


def test_other_addresses_restart_nginx_and_other_numbers_reload_it(rendered: Render) -> None:
    drop_in = "/etc/systemd/system/nginx.service.d/dss.conf"
    texts = {
        host: rendered(*host)[drop_in].text for host in (("networks", "sub-1"), ("distributed", "sub-1"))
    }
    assert "198.18.0.21, 198.18.1.21, 198.18.2.21" in texts["networks", "sub-1"]
    assert "198.18" not in texts["distributed", "sub-1"]


def test_nodes_meet_on_the_cluster_network_and_users_are_sent_to_mains_client_address(
    sub: dict[str, File],
) -> None:
    assert "tls://198.18.1.10:7422" in sub["/etc/dss/engines/nats.conf"].text
    node = json.loads(sub["/etc/dss/node.json"].text)
    assert (node["address"], node["center"]["address"]) == ("198.18.1.21", "198.18.1.10")
    assert "https://198.18.2.10/" in sub["/etc/dss/engines/page/index.html"].text


def test_the_firewall_opens_a_port_on_the_networks_of_its_matrix_rows(
    sub: dict[str, File], catalog: Catalog, site: Callable[[str], Topology]
) -> None:
    text = sub["/etc/dss/firewall.nft"].text
    rows = ports.matrix(catalog, site("networks"), site("networks").hosts["sub-1"])
    for name in ("management", "cluster", "client", "device"):
        chain = re.search(rf"chain open_{name} {{(.*?)\n    }}", text, re.DOTALL)
        opened = set(map(int, re.findall(r"dport (\d+)", chain.group(1) if chain else "")))
        told = {r.port for r in rows if (r.network, r.direction, r.status) == (name, "in", "built")}
        assert opened == told
    assert 'iifname "eth2" ip daddr 198.18.2.21 jump open_client' in text
    assert 'iifname "eth0" ip daddr 198.18.0.21 ip saddr 198.18.0.64/27 jump open_management' in text


def test_only_the_router_facing_rows_must_be_mapped(
    catalog: Catalog, site: Callable[[str], Topology]
) -> None:
    rows = ports.matrix(catalog, site("networks"))
    assert {row.network for row in rows if row.must_map and row.status == "built"} == {"client", "device"}
    head = ports.as_csv(rows).splitlines()[0].split(",")
    assert head[-2:] == ["network", "address"]


def test_what_has_no_network_is_served_at_the_service_address_on_every_other_interface(
    partly: dict[str, File],
) -> None:
    text = partly["/etc/dss/firewall.nft"].text
    assert 'iifname != { "eth0.30" } ip daddr 198.18.0.10 jump open_service' in text
    assert 'iifname != { "eth0.30" } ip saddr 198.18.0.1 ether saddr != 02:00:5e:10:00:01 drop' in text
    assert 'iifname != { "eth0.30" } arp saddr ip 198.18.0.1' in text
    assert "198.18.0.10:9100" not in partly["/etc/dss/engines/nginx.conf"].text
    assert json.loads(partly["/etc/dss/services/mts.json"].text)["listen"]["rtsp"] == ["198.18.0.10"]


def test_a_router_maps_to_the_network_of_whoever_is_outside(tmp_path: Path, catalog: Catalog) -> None:
    text = (ROOT / "inventories/networks/hosts.yml").read_text()
    sub = "ansible_host: 198.18.0.21\n"
    text = text.replace(sub, f"{sub}          dss_mapping_ip: 203.0.113.22\n")
    edge = "{ansible_host: 198.18.2.254, dss_wan_ip: 203.0.113.22, dss_wan_interface: wan0, "
    edge += "dss_dmz: [clients, devices]}"
    (tmp_path / "hosts.yml").write_text(f"{text}    router:\n      hosts:\n        edge: {edge}\n")
    site = topology.load(tmp_path, catalog=catalog)
    dmz = mapping.rules(catalog, site, site.hosts["edge"])
    inside = {one.key: one.lan for one in (*dmz.mappings, *dmz.planned)}
    assert (inside["nginx.https"], inside["mts.rtsp"]) == ("198.18.2.21", "198.18.2.21")
    assert inside["ars.register"] == "198.18.3.21"


def test_a_vlan_is_made_on_its_parent_and_taken_away_again(sub: dict[str, File]) -> None:
    text = sub[UNIT].text
    assert "ip link add link eth0 name eth0.30 type vlan id 30" in text
    assert "ip address replace 198.18.3.21/24 dev eth0.30" in text
    assert "ExecStop=-/usr/sbin/ip link delete dev eth0.30" in text
    assert "Name=eth0.30" in sub["/etc/systemd/network/05-dss-eth0.30.network"].text
    assert "198.18.2.21/24" not in text, "the address of a real card is the host's own affair"


def test_a_node_with_one_network_has_no_such_unit(rendered: Render) -> None:
    assert UNIT not in rendered("distributed", "sub-1")


def test_a_gateway_of_ipv6_is_bound_in_neighbour_discovery_too(tmp_path: Path, catalog: Catalog) -> None:
    bound = ", gateway: 'fd00:3::1', gateway_mac: '02:00:5e:10:03:01'}}"
    (tmp_path / "hosts.yml").write_text(PARTLY.replace(", vlan: 30}}", bound))
    text = render(catalog, topology.load(tmp_path, catalog=catalog), "main-a")["/etc/dss/firewall.nft"].text
    number = "0xfd000003000000000000000000000001"
    assert f'iifname "eth0" icmpv6 type nd-neighbor-advert @th,64,128 {number} ether saddr !=' in text
    (tmp_path / "rules.nft").write_text(text)
    done = subprocess.run(
        ["unshare", "--user", "--map-root-user", "--net", "nft", "-c", "-f", tmp_path / "rules.nft"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
