"""Variables about addresses, networks and ports of a node, and about who reaches it."""

from services.topology_key import NODES, row

PRIVATE_NETWORKS = [
    "10.0.0.0/8",
    "172.16.0.0/12",
    "192.168.0.0/16",
    "169.254.0.0/16",
    "198.18.0.0/15",
    "fd00::/8",
    "fe80::/10",
]
KEYS = (
    row(
        "dss_address",
        "ip",
        f"{NODES} router",
        None,
        "Service address of the node, where it has more than one; of a router, its inside address. "
        "Otherwise `ansible_host`.",
        "198.18.0.21",
    ),
    row(
        "dss_networks",
        "networks",
        NODES,
        {},
        "Networks by what they are for: `management`, `cluster`, `client`, `device`. Each has "
        "`network` and `interface`; if it has a `vlan`, the deployment makes that VLAN on the interface. "
        "`gateway`, `gateway_mac` and `allow` mean what `dss_gateway`, `dss_gateway_mac` and `dss_allow` "
        "mean, for this network alone. A purpose that is not named stays on the service address. "
        "See networks.md.",
        "{device: {network: 198.18.3.0/24, interface: eth0, vlan: 30}}",
    ),
    row(
        "dss_addresses",
        "address map",
        NODES,
        {},
        "The node's address in each of its `dss_networks`.",
        "{device: 198.18.3.10}",
    ),
    row(
        "dss_mapping_ip",
        "ip",
        NODES,
        None,
        "Address on the router's outside that leads to this node.",
        "203.0.113.22",
    ),
    row(
        "dss_ports",
        "port map",
        NODES,
        {},
        "Port numbers that differ from the matrix, by `service.port`: 1024 to 65535, 80 or 443.",
        "{mts.rtsp: 19100}",
    ),
    row(
        "dss_tls10",
        "bool",
        NODES,
        False,
        "TLS 1.0 and 1.1 for very old clients, on the port `nginx.tls10`. Insecure; leave it off.",
        "false",
    ),
    row(
        "dss_lan_networks",
        "network list",
        f"{NODES} router",
        PRIVATE_NETWORKS,
        "Networks that count as local: they reach SSH, the other nodes and local services. A router lets "
        "their clients use the outside address too.",
        "[198.18.0.0/24]",
    ),
    row(
        "dss_gateway",
        "ip",
        NODES,
        None,
        "Address of the gateway whose MAC address is bound. With `dss_networks`, this is the one of the "
        "service address.",
        "198.18.0.1",
    ),
    row(
        "dss_gateway_mac",
        "mac",
        NODES,
        None,
        "MAC address of `dss_gateway`. Packets from there or from outside with another one are dropped.",
        "02:00:5e:10:00:01",
    ),
    row(
        "dss_allow",
        "allow list",
        NODES,
        [],
        "If given, only these and the node's centre may reach the node: addresses, networks, "
        "MAC addresses, or an address with its MAC address. Name other nodes and the deploying machine.",
        "[198.18.0.0/28, 198.18.0.77 02:00:5e:10:00:77]",
    ),
)
