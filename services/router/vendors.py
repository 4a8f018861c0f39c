"""The routers we can write for, one row each."""

from collections.abc import Callable
from dataclasses import dataclass

from services.router import cisco, mikrotik, nftables, openwrt, opnsense
from services.router.cli import Dialect, Lines
from services.router.mapping import Dmz

Texts = dict[str, str]


@dataclass(frozen=True)
class Vendor:
    """How one kind of router is configured.

    `files` and `removal` give name → text. `wanted` and `dialect` are there for routers with a command line
    that is driven over SSH; `hairpin` says what local clients get when they use the outside address.
    """

    title: str
    files: Callable[[Dmz], Texts]
    removal: Callable[[Dmz], Texts]
    hairpin: str = "Local clients may use the outside addresses too (hairpin NAT)."
    wanted: Callable[[Dmz], Lines] | None = None
    dialect: Callable[[str], Dialect] | None = None


PF_HAIRPIN = (
    "Local clients may use the outside addresses once the automatic outbound NAT for reflection is "
    "switched on in the router's advanced firewall settings."
)
CISCO_HAIRPIN = (
    "Local clients cannot use the outside addresses: inside/outside NAT of IOS does not turn traffic round. "
    "They use the nodes' own addresses."
)
VENDORS: dict[str, Vendor] = {
    "nftables": Vendor("Linux with nftables", nftables.files, nftables.removal),
    "openwrt": Vendor(
        "OpenWrt", openwrt.files, openwrt.removal, wanted=openwrt.wanted, dialect=openwrt.OpenWrt
    ),
    "mikrotik": Vendor(
        "MikroTik RouterOS 7",
        mikrotik.files,
        mikrotik.removal,
        wanted=mikrotik.wanted,
        dialect=mikrotik.MikroTik,
    ),
    "cisco": Vendor(
        "Cisco IOS",
        cisco.files,
        cisco.removal,
        CISCO_HAIRPIN,
        cisco.wanted,
        cisco.Cisco,
    ),
    "opnsense": Vendor("OPNsense", opnsense.files, opnsense.removal, PF_HAIRPIN),
    "pfsense": Vendor("pfSense", opnsense.files, opnsense.removal, PF_HAIRPIN),
}
