"""What becomes reachable from outside, in words for the one who decides about it."""

from services.router.mapping import Dmz, Mapping
from services.router.vendors import VENDORS

WARNING = (
    "WARNING: a mapped port is open to everyone who reaches the outside address, day and night. Where users "
    "or sites can be connected by VPN, do that and map nothing. Map only the scope that is needed, keep the "
    "platform up to date, and use strong passwords on it and on every device."
)
SCOPE = {"clients": "clients outside", "devices": "devices outside that register by themselves"}


def listing(dmz: Dmz) -> str:
    """Every port with the address outside and the node inside; what is still closed; and the warning."""
    vendor = VENDORS[dmz.vendor]
    if not dmz.scopes:
        return f"{dmz.router.name}: dss_dmz is empty; nothing is mapped.\n"
    lines = [f"{dmz.router.name} ({vendor.title}) maps for: {', '.join(SCOPE[s] for s in dmz.scopes)}", ""]
    lines += _table(dmz.mappings) or ["  nothing"]
    if dmz.planned:
        lines += ["", "Not mapped, because the service is planned and not built yet:"]
        lines += _table(dmz.planned)
    lines += [
        "",
        f"Outside addresses the router must have: {', '.join(dmz.wan_addresses) or 'none'}",
        vendor.hairpin,
    ]
    if dmz.vendor == "nftables":
        own = ", ".join(dmz.router.get("dss_wan_services")) or "none"
        lines += [f"The rest is closed to the outside; services of the router itself that stay open: {own}."]
    else:
        lines += ["What else this router lets in is up to its own rules; nothing of them is changed."]
    return "\n".join([*lines, "", WARNING, ""])


def _table(rows: tuple[Mapping, ...]) -> list[str]:
    cells = [
        (m.row, f"{m.lan}:{m.port}", m.node, m.key, "TLS" if m.tls else "not encrypted", m.purpose)
        for m in rows
    ]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return [
        "  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in cells
    ]
