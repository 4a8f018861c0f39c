"""The inventory's vocabulary: one row per key drives validation, suggestions and docs/guide/inventory.md."""

from dataclasses import dataclass
from typing import Any

NODE_GROUPS = ("main", "standby", "sub", "spare", "cascade")
GROUPS = {
    "main": "the centre of the site; exactly one host",
    "standby": "takes over from main; at most one host",
    "sub": "servers that share the load of devices",
    "spare": "idle subs that take over from the subs they cover",
    "cascade": "centres of other platforms, seen from their parent, up to three levels",
    "router": "routers between the site and the outside",
    "camera": "cameras of the lab and the demo",
}
CATALOGUE_ROLE = {"main": "main", "standby": "main", "cascade": "main", "sub": "sub", "spare": "sub"}
ROUTERS = ("nftables", "openwrt", "mikrotik", "cisco", "pfsense", "opnsense")
PRIVATE_NETWORKS = [
    "10.0.0.0/8",
    "172.16.0.0/12",
    "192.168.0.0/16",
    "169.254.0.0/16",
    "198.18.0.0/15",
    "fd00::/8",
    "fe80::/10",
]


@dataclass(frozen=True)
class Key:
    """One variable. `scope` names the groups that may have it, () is all of them.

    `type` is a key of topology_types.CHECKS.
    """

    name: str
    type: str
    scope: tuple[str, ...]
    default: Any
    meaning: str
    example: str
    choices: tuple[str, ...] = ()


def _key(
    name: str, type_: str, scope: str, default: object, meaning: str, example: str, *choices: str
) -> Key:
    return Key(name, type_, tuple(scope.split()), default, meaning, example, choices)


NODES = " ".join(NODE_GROUPS)
KEYS: dict[str, Key] = {
    key.name: key
    for key in (
        _key("dss_site", "text", "", "DSS", "Name of the site, shown on its pages.", "City Hall"),
        _key(
            "dss_accept_agreement",
            "bool",
            "",
            False,
            "Whether the licence agreement is accepted. Nothing is installed until this is true.",
            "true",
        ),
        _key(
            "dss_accepted_by",
            "text",
            "",
            "",
            "Who accepted the agreement, kept on each node.",
            "Jo Doe, City Hall",
        ),
        _key(
            "dss_install_path",
            "path",
            NODES,
            "/srv/dss",
            "Folder for what grows: database, messages, recordings. It should not be on the system disk.",
            "/srv/dss",
        ),
        _key(
            "dss_picture_paths",
            "path list",
            NODES,
            [],
            "Folders for face pictures, on neither the system disk nor the disk of the installation path.",
            "[/srv/pictures]",
        ),
        _key(
            "dss_recording_paths",
            "path list",
            NODES,
            [],
            "Folders for recordings, best one per disk; each file goes where most room is. Empty: "
            "`recordings` below the installation path.",
            "[/mnt/disk1/recordings, /mnt/disk2/recordings]",
        ),
        _key(
            "dss_recording_days",
            "number",
            NODES,
            None,
            "Days for which recordings are kept at most. If absent: as long as there is room.",
            "30",
        ),
        _key(
            "dss_recording_gigabytes",
            "number",
            NODES,
            None,
            "Gigabytes that the recordings of the node may take in all. If absent: all but a reserve of a "
            "twentieth of each disk, 10 GB at most.",
            "2000",
        ),
        _key(
            "dss_bundle",
            "text",
            "",
            "dist/latest",
            "Folder of the bundle that nodes install from.",
            "dist/latest",
        ),
        _key(
            "dss_lab_limits",
            "bool",
            "",
            False,
            "Lowers the hardware that preflight asks for, to the size of a lab. The report says so.",
            "true",
        ),
        _key(
            "dss_address",
            "ip",
            f"{NODES} router",
            None,
            "Service address of the node, where it has more than one; of a router, its inside address. "
            "Otherwise `ansible_host`.",
            "198.18.0.21",
        ),
        _key(
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
        _key(
            "dss_addresses",
            "address map",
            NODES,
            {},
            "The node's address in each of its `dss_networks`.",
            "{device: 198.18.3.10}",
        ),
        _key(
            "dss_mapping_ip",
            "ip",
            NODES,
            None,
            "Address on the router's outside that leads to this node.",
            "203.0.113.22",
        ),
        _key(
            "dss_ports",
            "port map",
            NODES,
            {},
            "Port numbers that differ from the matrix, by `service.port`: 1024 to 65535, 80 or 443.",
            "{mts.rtsp: 19100}",
        ),
        _key(
            "dss_tls10",
            "bool",
            NODES,
            False,
            "TLS 1.0 and 1.1 for very old clients, on the port `nginx.tls10`. Insecure; leave it off.",
            "false",
        ),
        _key(
            "dss_portal_certificate",
            "text",
            "main",
            None,
            "PEM file on the deploying machine: the customer's certificate for the portal and its chain. If "
            "absent, the portal shows the certificate of the site's own authority.",
            "secrets/portal-chain.pem",
        ),
        _key(
            "dss_portal_key",
            "text",
            "main",
            None,
            "PEM file with the key of `dss_portal_certificate`; it may be encrypted by ansible-vault.",
            "secrets/portal.key",
        ),
        _key(
            "dss_password_profile",
            "choice",
            "main standby cascade",
            "classic",
            "Rules for passwords. `classic`: 8 to 32 characters of two kinds, and protection questions. "
            "`modern`: 15 characters or more, none that attackers know, and recovery codes.",
            "modern",
            "classic",
            "modern",
        ),
        _key(
            "dss_confirm_seconds",
            "number",
            NODES,
            300,
            "Seconds after which a change that was made in the portal is undone unless it is confirmed.",
            "300",
        ),
        _key(
            "dss_lan_networks",
            "network list",
            f"{NODES} router",
            PRIVATE_NETWORKS,
            "Networks that count as local: they reach SSH, the other nodes and local services. A router lets "
            "their clients use the outside address too.",
            "[198.18.0.0/24]",
        ),
        _key(
            "dss_gateway",
            "ip",
            NODES,
            None,
            "Address of the gateway whose MAC address is bound. With `dss_networks`, this is the one of the "
            "service address.",
            "198.18.0.1",
        ),
        _key(
            "dss_gateway_mac",
            "mac",
            NODES,
            None,
            "MAC address of `dss_gateway`. Packets from there or from outside with another one are dropped.",
            "02:00:5e:10:00:01",
        ),
        _key(
            "dss_allow",
            "allow list",
            NODES,
            [],
            "If given, only these and the node's centre may reach the node: addresses, networks, "
            "MAC addresses, or an address with its MAC address. Name other nodes and the deploying machine.",
            "[198.18.0.0/28, 198.18.0.77 02:00:5e:10:00:77]",
        ),
        _key(
            "dss_enabled",
            "bool",
            "sub spare",
            False,
            "Whether the node is enabled at deployment. Otherwise an administrator does it in the portal.",
            "true",
        ),
        _key(
            "dss_center",
            "host",
            "sub spare",
            None,
            "Main that the node belongs to, where a site has cascaded platforms with subs of their own.",
            "district-north",
        ),
        _key(
            "dss_join_valid",
            "token seconds",
            NODES,
            900,
            "Seconds for which the token that `site.yml` makes for a node is good, once.",
            "3600",
        ),
        _key(
            "dss_backup_key",
            "seal key",
            NODES,
            None,
            "Public key for which backups are encrypted; `./dss backup key` makes it. If absent: no backups.",
            "x25519:N3sGzr7nQhjDBHCjXGkzIzJ5l9a0wU0uQkHyyc3Bv2Q=",
        ),
        _key(
            "dss_backup_path",
            "path",
            NODES,
            "/var/backups/dss",
            "Folder that backups are written to, best on another disk or machine than the data.",
            "/mnt/backups",
        ),
        _key("dss_backup_keep", "number", NODES, 14, "How many backups of a node are kept.", "14"),
        _key("dss_backup_time", "time", NODES, "02:30", "Time of day at which backups are made.", "02:30"),
        _key(
            "dss_virtual_ip",
            "ip",
            "main standby",
            None,
            "Address that main and standby share; it is always at the one in charge.",
            "198.18.0.9",
        ),
        _key(
            "dss_witness",
            "host",
            "main standby",
            None,
            "A third node, which helps to decide whether main or standby is in charge.",
            "sub-1",
        ),
        _key(
            "dss_covers",
            "host list",
            "spare",
            None,
            "Subs that this spare takes over from, the most important first. If absent: all of them.",
            "[sub-1, sub-2]",
        ),
        _key(
            "dss_parent",
            "host",
            "cascade",
            None,
            "Main or cascaded platform that sees this one. Must be given.",
            "main-a",
        ),
        _key(
            "dss_organization",
            "text",
            "cascade",
            None,
            "Place of this platform in its parent's organisation tree.",
            "City/North",
        ),
        _key("dss_router", "choice", "router", "nftables", "Kind of the router.", "nftables", *ROUTERS),
        _key("dss_wan_ip", "ip", "router", None, "Outside address of the router.", "203.0.113.10"),
        _key(
            "dss_wan_addresses",
            "ip list",
            "router",
            [],
            "Further outside addresses that the router has, for nodes with a `dss_mapping_ip` of their own.",
            "[203.0.113.22]",
        ),
        _key(
            "dss_wan_interface",
            "interface",
            "router",
            None,
            "Outside interface as the router calls it, or its zone. `nftables` needs it; else it is `wan`.",
            "wan0",
        ),
        _key(
            "dss_lan_interface",
            "interface",
            "router",
            "lan",
            "Zone of the nodes, for `openwrt`.",
            "lan",
        ),
        _key(
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
        _key(
            "dss_wan_ports",
            "wan map",
            "router",
            {},
            "Outside port numbers of a router that has its rules already. They must equal the inside ones.",
            "{nginx.https: 443}",
        ),
        _key(
            "dss_wan_services",
            "service list",
            "router",
            [],
            "Services of an `nftables` router itself that stay open to the outside; all others are closed.",
            "[51820/udp]",
        ),
        _key(
            "dss_router_host_key",
            "host key",
            "router",
            None,
            "SSH host key of the router, as `ssh-keyscan` prints it without the address. Compare it at the "
            "router's console. Otherwise the key must stand in known_hosts.",
            "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGp1c3QgYW4gZXhhbXBsZSwgbm8gcmVhbCBrZXkh",
        ),
    )
}

RENAMED = {
    "dss_agreement": "dss_accept_agreement",
    "dss_center_ip": "dss_center",
    "dss_cms_ip": "dss_address",
    "dss_data_path": "dss_install_path",
    "dss_external_ip": "dss_mapping_ip",
    "dss_mapping_address": "dss_mapping_ip",
    "dss_service_ip": "dss_address",
    "dss_standby_for": "dss_covers",
    "dss_tls_1_0": "dss_tls10",
    "dss_vip": "dss_virtual_ip",
}
"""Names from earlier drafts and from other products, each with the name that is right."""
