"""A Linux router: one nftables table of our own, the unit that loads it, and forwarding switched on."""

import hashlib
from dataclasses import dataclass

from services.ports import ssh_port
from services.render_context import UNITS, File, fill
from services.router.mapping import Dmz

UNIT = "dss-dmz.service"
RULES = "/etc/dss/dmz.nft"
DIGEST = 12


@dataclass(frozen=True)
class Own:
    """A service of the router itself that stays open to the outside."""

    proto: str
    number: int


def files(dmz: Dmz) -> dict[str, str]:
    """Name → text of what an integrator takes to the router."""
    return {
        "dmz.nft": rules(dmz),
        UNIT: fill("router/nftables.service.j2"),
        "60-dss-dmz.conf": fill("router/nftables.sysctl.j2"),
    }


def removal(dmz: Dmz) -> dict[str, str]:
    """Name → text of what takes it away again."""
    return {"dmz-remove.sh": fill("router/nftables-remove.sh.j2", dmz=dmz)}


def tree(dmz: Dmz) -> dict[str, File]:
    """Path → file on the router, as Ansible installs them; none when nobody outside is to get in."""
    if not dmz.scopes:
        return {}
    names = files(dmz)
    return {
        RULES: File(names["dmz.nft"], affects=(UNIT,)),
        f"{UNITS}/{UNIT}": File(names[UNIT], affects=(UNIT,)),
        "/etc/sysctl.d/60-dss-dmz.conf": File(names["60-dss-dmz.conf"]),
    }


def rules(dmz: Dmz) -> str:
    """What `nft -f` loads. Its comment holds `mark`, by which a loaded table is known to be this very one."""
    return _text(dmz, mark(dmz).partition(" ")[2])


def mark(dmz: Dmz) -> str:
    """Comment of the table: whose it is, and a digest of the rules."""
    digest = hashlib.sha256(_text(dmz, "").encode()).hexdigest()[:DIGEST]
    return f"{dmz.tag} {digest}"


def _text(dmz: Dmz, digest: str) -> str:
    outside = dmz.router.get("dss_wan_interface") or "wan"
    return fill("router/nftables.nft.j2", dmz=dmz, digest=digest, outside=outside, own=_own(dmz))


def _own(dmz: Dmz) -> list[Own]:
    """dss_wan_services; and SSH, where the router is deployed from outside: nobody shall lock himself out."""
    listed = [one.split("/") for one in dmz.router.get("dss_wan_services")]
    found = [Own(proto, int(number)) for number, proto in listed]
    reached = dmz.router.get("ansible_host")
    if reached in {dmz.router.get("dss_wan_ip"), *dmz.router.get("dss_wan_addresses")}:
        found.append(Own("tcp", ssh_port(dmz.router)))
    return found
