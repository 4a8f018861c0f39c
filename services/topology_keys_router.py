"""Variables about a router between the site and the outside."""

from services.topology_key import row

ROUTERS = ("nftables", "openwrt", "mikrotik", "cisco", "pfsense", "opnsense")
KEYS = (
    row("dss_router", "choice", "router", "nftables", "Kind of the router.", "nftables", *ROUTERS),
    row("dss_wan_ip", "ip", "router", None, "Outside address of the router.", "203.0.113.10"),
    row(
        "dss_wan_addresses",
        "ip list",
        "router",
        [],
        "Further outside addresses that the router has, for nodes with a `dss_mapping_ip` of their own.",
        "[203.0.113.22]",
    ),
    row(
        "dss_wan_interface",
        "interface",
        "router",
        None,
        "Outside interface as the router calls it, or its zone. `nftables` needs it; else it is `wan`.",
        "wan0",
    ),
    row(
        "dss_lan_interface",
        "interface",
        "router",
        "lan",
        "Zone of the nodes, for `openwrt`.",
        "lan",
    ),
    row(
        "dss_dmz",
        "choice list",
        "router",
        [],
        "Who is outside and must get in through the router. Empty: nothing is mapped, and what an "
        "earlier deployment mapped is taken away. Left out: the router is not touched.",
        "[clients, devices]",
        "clients",
        "devices",
    ),
    row(
        "dss_wan_ports",
        "wan map",
        "router",
        {},
        "Outside port numbers of a router that has its rules already. They must equal the inside ones.",
        "{nginx.https: 443}",
    ),
    row(
        "dss_wan_services",
        "service list",
        "router",
        [],
        "Services of an `nftables` router itself that stay open to the outside; all others are closed.",
        "[51820/udp]",
    ),
    row(
        "dss_router_host_key",
        "host key",
        "router",
        None,
        "SSH host key of the router, as `ssh-keyscan` prints it without the address. Compare it at the "
        "router's console. Otherwise the key must stand in known_hosts.",
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGp1c3QgYW4gZXhhbXBsZSwgbm8gcmVhbCBrZXkh",
    ),
)
