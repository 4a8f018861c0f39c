"""Routers with a command line are brought to the inventory over SSH, or left exactly as they were."""

import io
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import paramiko
import pytest
from router_cisco import ENABLE, Cisco
from router_mikrotik import MikroTik
from router_openwrt import OpenWrt
from router_server import PASSWORD, USER, Server

from services import catalog, topology
from services.router import ssh
from services.router.cli import Outcome, RouterError, settle
from services.router.mapping import Dmz, rules
from services.router.ssh import Connection, Login
from services.router.vendors import VENDORS

ROOT = Path(__file__).resolve().parents[2]
DEVICES = {"openwrt": OpenWrt, "mikrotik": MikroTik, "cisco": Cisco}
Device = OpenWrt | MikroTik | Cisco


class Rack:
    """An emulated router, and what the deployment does to it."""

    def __init__(self, vendor: str, server: Server, folder: Path) -> None:
        self.vendor, self.server, self.folder = vendor, server, folder
        device = server.device
        assert isinstance(device, OpenWrt | MikroTik | Cisco)
        self.device: Device = device

    @property
    def login(self) -> Login:
        return Login("127.0.0.1", self.server.port, USER, PASSWORD, ENABLE, host_key=self.server.host_key,
                     known_hosts=self.folder / "none")  # fmt: skip

    def bring(self, dmz: Dmz, dry: bool = False, login: Login | None = None) -> Outcome:
        vendor = VENDORS[self.vendor]
        assert vendor.dialect
        assert vendor.wanted
        with Connection(login or self.login, self.vendor) as talk:
            return settle(talk, vendor.dialect(dmz.tag), vendor.wanted(dmz), dry)

    def state(self) -> str:
        """Everything that the device runs with, and would start with."""
        if isinstance(self.device, OpenWrt):
            return repr((self.device.saved, self.device.running))
        return repr(self.device.rules) if isinstance(self.device, MikroTik) else self.device.running()


@pytest.fixture(params=DEVICES)
def rack(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Rack]:
    with Server(DEVICES[request.param]()) as server:
        yield Rack(request.param, server, tmp_path)


def dmz_of(folder: Path, change: Callable[[str], str] = lambda text: text) -> Dmz:
    """The mapping of inventories/lan_wan, after a change to its text."""
    shutil.copytree(ROOT / "inventories/lan_wan", folder / "site", dirs_exist_ok=True)
    hosts = folder / "site" / "hosts.yml"
    text = (ROOT / "inventories/lan_wan/hosts.yml").read_text().replace("wan0", "wan")
    hosts.write_text(change(text))
    known = catalog.load()
    site = topology.load(folder / "site", catalog=known)
    return rules(known, site, site.hosts["edge"])


@pytest.fixture
def dmz(tmp_path: Path) -> Dmz:
    return dmz_of(tmp_path)


def test_the_first_run_maps_and_the_second_changes_nothing(rack: Rack, dmz: Dmz) -> None:
    first = rack.bring(dmz)
    assert first.changed
    assert all(str(m.port) in rack.state() and m.lan in rack.state() for m in dmz.mappings)
    settled = rack.state()
    assert not rack.bring(dmz).changed
    assert rack.state() == settled


def test_a_dry_run_shows_the_difference_and_changes_nothing(rack: Rack, dmz: Dmz) -> None:
    before = rack.state()
    outcome = rack.bring(dmz, dry=True)
    assert outcome.changed
    assert "+++ inventory" in outcome.diff()
    assert "198.18.0.21" in outcome.diff()
    assert rack.state() == before


def test_a_changed_port_replaces_its_old_mapping(rack: Rack, dmz: Dmz, tmp_path: Path) -> None:
    rack.bring(dmz)
    moved = dmz_of(tmp_path, lambda text: text.replace("mts.rtsp: 19100", "mts.rtsp: 19200"))
    outcome = rack.bring(moved)
    assert "19100" in outcome.diff()
    assert "19200" in rack.state()
    assert "19100" not in rack.state()
    assert not rack.bring(moved).changed


def test_removal_leaves_what_the_owner_of_the_router_had(rack: Rack, dmz: Dmz) -> None:
    before = rack.state()
    rack.bring(dmz)
    rack.bring(replace(dmz, mappings=()))
    assert rack.state() == before


def test_a_mapping_of_another_site_is_left_alone(rack: Rack, dmz: Dmz) -> None:
    other = replace(
        dmz,
        tag="dss:elsewhere",
        mappings=(replace(dmz.mappings[0], wan="203.0.113.77", lan="198.18.0.77"),),
    )
    rack.bring(other)
    rack.bring(dmz)
    rack.bring(replace(dmz, mappings=()))
    assert "203.0.113.77" in rack.state()
    assert not rack.bring(other).changed


@pytest.mark.parametrize("at", ["19102", pytest.param("10443", marks=pytest.mark.full)])
def test_a_refusal_in_the_middle_leaves_everything_as_before(rack: Rack, dmz: Dmz, at: str) -> None:
    before = rack.state()
    rack.device.refuse = at
    with pytest.raises(RouterError, match="again as it was before"):
        rack.bring(dmz)
    assert rack.state() == before
    rack.device.refuse = ""
    assert rack.bring(dmz).changed


def test_a_router_with_another_host_key_gets_no_password(rack: Rack, dmz: Dmz) -> None:
    wrong = paramiko.ECDSAKey.generate()
    login = replace(rack.login, host_key=f"{wrong.get_name()} {wrong.get_base64()}")
    with pytest.raises(RouterError, match="no password was sent"):
        rack.bring(dmz, login=login)
    assert not rack.server.transports[-1].is_authenticated()


def test_an_unknown_host_key_is_never_accepted(rack: Rack, dmz: Dmz, tmp_path: Path) -> None:
    login = replace(rack.login, host_key=None)
    with pytest.raises(RouterError, match="dss_router_host_key"):
        rack.bring(dmz, login=login)
    known = tmp_path / "known_hosts"
    known.write_text(f"[127.0.0.1]:{rack.server.port} {rack.server.host_key}\n")
    assert rack.bring(dmz, login=replace(login, known_hosts=known)).changed


def test_a_wrong_password_is_told_as_such(rack: Rack, dmz: Dmz) -> None:
    with pytest.raises(RouterError, match="refused operator"):
        rack.bring(dmz, login=replace(rack.login, password="wrong"))


def test_a_router_that_hangs_is_given_up_in_bounded_time(
    dmz: Dmz, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ssh, "ANSWER_SECONDS", 0.5)

    class Hung(MikroTik):
        def execute(self, command: str, text: str) -> tuple[str, int]:
            time.sleep(3)
            return "", 0

    with Server(Hung()) as server:
        started = time.monotonic()
        with pytest.raises(RouterError, match="did not finish"):
            Rack("mikrotik", server, tmp_path).bring(dmz)
        assert time.monotonic() - started < 3


def test_an_address_where_nobody_listens_is_told_as_such(rack: Rack, dmz: Dmz) -> None:
    with pytest.raises(RouterError, match="no SSH connection"):
        rack.bring(dmz, login=replace(rack.login, port=1))


def test_a_port_that_cisco_maps_already_is_refused_with_the_entry(dmz: Dmz, tmp_path: Path) -> None:
    device = Cisco()
    device.nat.append("ip nat inside source static tcp 192.168.1.9 443 203.0.113.10 443 extendable")
    before = device.running()
    with Server(device) as server, pytest.raises(RouterError, match=r"192\.168\.1\.9 443"):
        Rack("cisco", server, tmp_path).bring(dmz)
    assert device.running() == before


def test_cisco_saves_only_what_was_verified(dmz: Dmz, tmp_path: Path) -> None:
    device = Cisco()
    with Server(device) as server:
        Rack("cisco", server, tmp_path).bring(dmz)
    assert device.startup == device.running()


@pytest.mark.parametrize("key", ["dss_wan_interface", "dss_lan_interface"])
def test_a_zone_that_openwrt_does_not_have_is_told_in_its_words(dmz: Dmz, tmp_path: Path, key: str) -> None:
    device = OpenWrt()
    before = repr(vars(device))
    wrong = replace(dmz, router=replace(dmz.router, vars={**dmz.router.vars, key: "eth9"}))
    with Server(device) as server, pytest.raises(RouterError, match=r"value 'eth9'.*as it was before"):
        Rack("openwrt", server, tmp_path).bring(wrong)
    assert repr(vars(device)) == before


def test_a_firewall_of_openwrt_that_does_not_load_is_no_success(dmz: Dmz, tmp_path: Path) -> None:
    device = OpenWrt()
    device.broken = "syntax error"
    saved = repr(device.saved)
    with Server(device) as server, pytest.raises(RouterError, match="Error: syntax error"):
        Rack("openwrt", server, tmp_path).bring(dmz)
    assert repr(device.saved) == saved


def test_uncommitted_changes_of_openwrts_owner_are_not_committed(dmz: Dmz, tmp_path: Path) -> None:
    device = OpenWrt()
    device.staged["theirs"]["src_dport"] = "8089"
    before = repr(vars(device))
    with Server(device) as server, pytest.raises(RouterError, match=r"not committed: firewall\.theirs"):
        Rack("openwrt", server, tmp_path).bring(dmz)
    assert repr(vars(device)) == before


def test_the_saved_firewall_of_openwrt_is_read_by_an_independent_parser(dmz: Dmz, tmp_path: Path) -> None:
    from uciparse.uci import UciFile

    device = OpenWrt()
    with Server(device) as server:
        Rack("openwrt", server, tmp_path).bring(dmz)
    parsed = UciFile.from_fp(io.StringIO(device.file()))
    redirects = [line for line in parsed.normalized() if line.startswith("config redirect")]
    # Ours, and the one that the router's owner had.
    assert len(redirects) == len(dmz.mappings) + 1 == 25
