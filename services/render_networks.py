"""A node's own networks: VLANs on its interfaces, and routes by which answers leave where they were asked.

docs/design/networks.md says why this is one unit of iproute2 commands.
"""

from dataclasses import asdict
from typing import Any

from services.networks import PURPOSES, Network
from services.render_context import NETWORKS_UNIT, UNITS, File, NodeView

FIRST_TABLE = 7340
"""Routing tables of ours, and the priorities of their rules: one for each purpose from here on."""


def files(view: NodeView) -> dict[str, File]:
    """The unit, and what keeps systemd-networkd from undoing it; nothing on a node with one network."""
    networks = [one for one in view.host.networks if one.interface]
    if not networks:
        return {}
    vlans = {one.interface: one for one in networks if one.vlan}
    text = view.text(
        "networks.service.j2",
        networks=networks,
        vlans=list(vlans.values()),
        routed=[_routed(one) for one in networks if one.gateway],
    )
    found = {
        f"{UNITS}/{NETWORKS_UNIT}": File(text, affects=(NETWORKS_UNIT,)),
        "/etc/systemd/networkd.conf.d/60-dss.conf": File(view.text("networkd.conf.j2")),
    }
    for interface in vlans:
        path = f"/etc/systemd/network/05-dss-{interface}.network"
        found[path] = File(view.text("vlan.network.j2", interface=interface))
    return found


def _routed(network: Network) -> dict[str, Any]:
    """A network with a gateway, with its table of routes and ip(8)'s word for its protocol."""
    table = FIRST_TABLE + PURPOSES.index(network.name)
    return asdict(network) | {"table": table, "ip": "-6" if ":" in network.address else "-4"}
