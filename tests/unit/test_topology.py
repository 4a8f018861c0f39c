"""What a site is made of, as its inventory says."""

from pathlib import Path

from services import catalog, topology

ROOT = Path(__file__).resolve().parents[2]
KNOWN = catalog.load()


def site(name: str) -> topology.Topology:
    return topology.load(ROOT / "inventories" / name, catalog=KNOWN)


def test_a_sub_knows_its_centre_and_main_has_none() -> None:
    whole = site("distributed")
    assert whole.main.center is None
    center = whole.hosts["sub-1"].center
    assert center is not None
    assert (center.name, center.address, center.https_port) == ("main-a", "198.18.0.10", 443)


def test_a_centre_with_other_ports_is_reached_on_them(tmp_path: Path) -> None:
    text = (ROOT / "inventories/distributed/hosts.yml").read_text()
    moved = text.replace("198.18.0.10}", "198.18.0.10, dss_ports: {nginx.https: 10443, mq.leaf: 17422}}")
    (tmp_path / "hosts.yml").write_text(moved)
    center = topology.load(tmp_path, catalog=KNOWN).hosts["sub-2"].center
    assert center is not None
    assert (center.https_port, center.ports["mq.leaf"]) == (10443, 17422)


def test_a_sub_of_a_cascaded_platform_belongs_to_that_platform() -> None:
    whole = site("cascade")
    center = whole.hosts["north-1"].center
    assert center is not None
    assert center.name == "district-north"
    assert [whole.level(whole.hosts[n]) for n in ("main-a", "district-north", "village")] == [1, 2, 3]


def test_a_spare_covers_the_named_subs_in_order_or_all_of_them() -> None:
    whole = site("n_plus_m")
    assert whole.covers(whole.hosts["spare-1"]) == ("sub-1", "sub-2")
    assert whole.covers(whole.hosts["spare-2"]) == ("sub-1", "sub-2", "sub-3")


def test_groups_map_onto_the_roles_of_the_catalogue() -> None:
    roles = {
        h.role: h.catalogue_role
        for name in ("hot_standby", "n_plus_m", "cascade", "lan_wan", "demo")
        for h in site(name).hosts.values()
    }
    assert roles == {
        "main": "main",
        "standby": "main",
        "cascade": "main",
        "sub": "sub",
        "spare": "sub",
        "router": None,
        "camera": None,
    }


def test_the_service_address_wins_over_the_address_of_deployment(tmp_path: Path) -> None:
    (tmp_path / "hosts.yml").write_text(
        "all: {children: {main: {hosts: {main-a: {ansible_host: a.example, dss_address: 10.0.0.1}}}}}"
    )
    assert topology.load(tmp_path, catalog=KNOWN).main.address == "10.0.0.1"
