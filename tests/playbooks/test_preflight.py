"""Preflight measures what the kernel says and judges it against the published requirements."""

from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from services import preflight

GB = preflight.GB
GOOD: dict[str, Any] = {
    "os": {"ID": "debian", "VERSION_ID": "12"},
    "arch": "x86_64",
    "cores": 12,
    "mhz": 2200,
    "memory": int(15.5 * GB),
    "cards": [{"name": f"eth{n}", "speed": 1000} for n in range(4)],
    "disk": {
        "on_system_disk": False,
        "partitions": 3,
        "pictures": ["/srv/pictures"],
        "pictures_apart": ["/srv/pictures"],
        "total": 1000 * GB,
        "free": 600 * GB,
    },
    "installed": False,
    "synchronised": "yes",
    "zone": "Europe/Madrid",
    "taken": {},
    "address": {"present": True, "duplicate": ""},
    "skew": 0.1,
}


def levels(found: dict[str, Any], limits: preflight.Limits = preflight.PRODUCT) -> dict[str, str]:
    return {row.check: row.level for row in preflight.judge("main-a", found, limits)}


def test_a_recommended_machine_is_ok_everywhere() -> None:
    assert set(levels(GOOD).values()) == {preflight.OK}


@pytest.mark.parametrize(
    ("state", "duplicate", "level"),
    [
        ("", "", preflight.OK),
        ("not configured on this host", "", preflight.BAD),
        ("on eth7", "", preflight.BAD),
        ("", "02:00:00:00:00:01", preflight.BAD),
    ],
)
def test_each_network_has_its_address_on_its_interface(state: str, duplicate: str, level: str) -> None:
    one = {"name": "client", "interface": "eth1", "address": "198.18.2.10"}
    found = levels(GOOD | {"networks": [one | {"state": state, "duplicate": duplicate}]})
    assert found["network client"] == level


@pytest.mark.parametrize(
    ("caller", "listed", "level"),
    [
        ("198.18.0.1", ["198.18.0.0/28"], preflight.OK),
        ("198.18.0.1", ["198.18.0.200 02:00:5e:10:00:c8", "198.18.0.1"], preflight.OK),
        ("198.18.0.1", ["02:00:5e:10:00:c8"], preflight.OK),
        ("198.18.0.77", ["198.18.0.0/28", "198.18.0.21"], preflight.BAD),
        ("198.18.0.200", ["198.18.0.201 02:00:5e:10:00:c8"], preflight.BAD),
        ("fe80::1%eth0", ["198.18.0.0/28"], preflight.BAD),
        ("2001:db8::7", ["2001:db8::/32"], preflight.OK),
        ("198.18.0.77", [], None),
        ("", ["198.18.0.0/28"], None),
    ],
)
def test_an_allow_list_may_not_lock_the_deploying_machine_out(
    caller: str, listed: list[str], level: str | None
) -> None:
    assert levels(GOOD | {"caller": caller, "allowed": listed}).get("way in for deployment") == level


@pytest.mark.parametrize(
    ("check", "change", "level"),
    [
        ("operating system", {"os": {"ID": "debian", "VERSION_ID": "11"}}, preflight.BAD),
        ("operating system", {"os": {"ID": "ubuntu", "VERSION_ID": "12"}}, preflight.BAD),
        ("operating system", {"arch": "aarch64"}, preflight.BAD),
        ("processor cores", {"cores": 4}, preflight.LOW),
        ("processor cores", {"cores": 3}, preflight.BAD),
        ("processor clock", {"mhz": 1800}, preflight.LOW),
        ("processor clock", {"mhz": 0}, preflight.OK),
        ("memory", {"memory": int(7.6 * GB)}, preflight.LOW),
        ("memory", {"memory": 6 * GB}, preflight.BAD),
        ("network cards", {"cards": GOOD["cards"][:2]}, preflight.LOW),
        ("network cards", {"cards": GOOD["cards"][:1]}, preflight.BAD),
        ("network cards", {"cards": [{"name": "eth0", "speed": 100}] * 4}, preflight.BAD),
        ("network cards", {"cards": [{"name": "eth0", "speed": None}] * 4}, preflight.OK),
        ("space in install path", {"disk": GOOD["disk"] | {"free": 499 * GB}}, preflight.BAD),
        ("install disk", {"disk": GOOD["disk"] | {"on_system_disk": True}}, preflight.LOW),
        ("disk partitions", {"disk": GOOD["disk"] | {"partitions": 2}}, preflight.LOW),
        ("picture disks", {"disk": GOOD["disk"] | {"pictures_apart": []}}, preflight.LOW),
        ("clock difference", {"skew": 10.0}, preflight.LOW),
        ("clock difference", {"skew": 31.0}, preflight.BAD),
        ("clock synchronised", {"synchronised": "no"}, preflight.LOW),
        ("ports", {"taken": {"443/tcp": "apache2.service"}}, preflight.BAD),
        (
            "duplicate address",
            {"address": {"present": True, "duplicate": "02:00:00:00:00:01"}},
            preflight.BAD,
        ),
        ("service address", {"address": {"present": False, "duplicate": ""}}, preflight.BAD),
    ],
)
def test_each_shortage_is_judged(check: str, change: dict[str, Any], level: str) -> None:
    assert levels(GOOD | change)[check] == level


def test_a_running_site_is_not_stopped_by_its_own_recordings() -> None:
    full = GOOD | {"installed": True, "disk": GOOD["disk"] | {"free": 20 * GB}}
    assert levels(full)["space in install path"] == preflight.OK


def test_the_table_holds_all_hosts_and_says_when_limits_were_lowered() -> None:
    rows = [*preflight.judge("main-a", GOOD, preflight.LAB), *preflight.judge("sub-1", GOOD, preflight.LAB)]
    text = "\n".join(preflight.table(rows, preflight.LAB))
    assert "main-a" in text
    assert "sub-1" in text
    assert "dss_lab_limits" in text
    assert "dss_lab_limits" not in "\n".join(preflight.table(rows, preflight.PRODUCT))


def test_time_zones_that_differ_are_pointed_out() -> None:
    rows = [
        *preflight.judge("a", GOOD, preflight.PRODUCT),
        *preflight.judge("b", GOOD | {"zone": "UTC"}, preflight.PRODUCT),
    ]
    found = [row for row in preflight.same_zone(rows) if row.check == "time zone"]
    assert {row.level for row in found} == {preflight.LOW}


def test_listening_sockets_are_read_from_the_kernel(dss_preflight: ModuleType) -> None:
    text = (
        "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
        "   0: 0100007F:2328 00000000:0000 0A 00000000:00000000 00:00000000 00000000   999        0 4242 1\n"
    )
    assert list(dss_preflight.listening(text)) == [(9000, "0A", "4242")]


def test_release_memory_and_disks_are_parsed(dss_preflight: ModuleType) -> None:
    assert dss_preflight.release('ID=debian\nVERSION_ID="12"\n') == {"ID": "debian", "VERSION_ID": "12"}
    assert dss_preflight.memory_total("MemTotal:        8000000 kB\n") == 8_192_000_000
    rows = ("/dev/sda1 / ext4", "proc /proc proc", "/dev/sdb1 /srv xfs", "/dev/sda1 /home ext4")
    assert dss_preflight.partitions("\n".join(f"{row} rw 0 0" for row in rows)) == 2


def test_virtual_and_loopback_cards_do_not_count(dss_preflight: ModuleType, tmp_path: Path) -> None:
    for name, kind, speed in (
        ("lo", "772", ""),
        ("eth0", "1", "1000"),
        ("br0", "1", "1000"),
        ("eth1", "1", "-1"),
    ):
        (tmp_path / name).mkdir()
        (tmp_path / name / "type").write_text(kind)
        (tmp_path / name / "speed").write_text(speed)
    (tmp_path / "br0" / "bridge").mkdir()
    assert dss_preflight.cards(str(tmp_path)) == [
        {"name": "eth0", "speed": 1000},
        {"name": "eth1", "speed": None},
    ]


def test_a_port_held_by_a_process_is_found_with_its_owner(dss_preflight: ModuleType) -> None:
    import socket

    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = f"{listener.getsockname()[1]}/tcp"
        found = dss_preflight.taken([port, "1/tcp"], [])
        assert set(found) == {port}
        assert found[port] != "an unknown process"
        assert dss_preflight.taken([port], [found[port]]) == {}
