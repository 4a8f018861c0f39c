"""Pages of docs/ that are made from the catalogue and from the inventory's vocabulary."""

from pathlib import Path

import yaml

from services.catalog import Catalog
from services.manifest import PEERS, ROLES, Manifest, Port
from services.topology_groups import GROUPS
from services.topology_key import Key
from services.topology_schema import KEYS, RENAMED

REFRESH = ".venv/bin/pytest tests/render --update-golden"
PORT_MATRIX, INVENTORY = Path("docs/reference/port-matrix.md"), Path("docs/guide/inventory.md")
ORIGIN = {"published": "the vendor's", "upstream": "the engine's", "ours": "ours"}
TYPES = {
    "text": "text",
    "bool": "true or false",
    "number": "whole number",
    "token seconds": "whole number, 60 to 2592000",
    "path": "absolute path",
    "path list": "list of absolute paths",
    "ip": "IP address",
    "ip list": "list of IP addresses",
    "interface": "name of an interface",
    "service list": "list of `port/protocol`",
    "host key": "SSH host key",
    "mac": "MAC address",
    "network list": "list of networks",
    "choice": "one of",
    "choice list": "list of",
    "port map": "`service.port: number`",
    "wan map": "`service.port: number`",
    "networks": "`purpose: {network, interface, vlan, gateway, gateway_mac, allow}`",
    "address map": "`purpose: address`",
    "host": "name of a host",
    "host list": "list of hosts",
    "allow list": "list of addresses",
    "time": "time of day",
    "time zone": "the IANA name of a time zone",
    "seal key": "public key",
}


def pages(catalog: Catalog) -> dict[Path, str]:
    """Path below the project → text."""
    return {PORT_MATRIX: port_matrix(catalog), INVENTORY: inventory()}


def table(head: list[str], rows: list[list[str]]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(word.replace('|', '/') for word in line)} |" for line in lines) + "\n"


def port_matrix(catalog: Catalog) -> str:
    """Every port of every service, by role, with default numbers."""
    text = [
        "# Port matrix\n",
        f"Generated from `services/*/service.yml` by `{REFRESH}`.\n",
        "These are the default numbers. `./dss ports -i INVENTORY` prints the matrix of a site with its "
        "hosts and its own numbers; an inventory changes a number by `dss_ports`.\n",
        "*Zone* says who may reach a port: `local` this node, `cluster` the other nodes, `lan` local "
        "networks, `wan` everyone. A port of the zone `wan` must be mapped on the router for users outside, "
        "with the same number. *Number* says where it comes from. Planned services are not deployed; nothing "
        "is opened for them.\n",
    ]
    head = ["service", "port", "direction", "from or to", "purpose", "TLS", "zone", "map", "status", "number"]
    for role in ROLES:
        rows = [_port(s, p) for s in catalog.ordered if role in s.role for p in s.ports if role in p.role]
        text += [f"## Role {role}\n", table(head, rows)]
    return "\n".join(text)


def _port(service: Manifest, port: Port) -> list[str]:
    inward = port.direction == "in"
    return [
        f"{service.code} `{service.id}.{port.name}`" if inward else service.code,
        f"{port.port}/{port.proto}",
        port.direction,
        port.peer or PEERS[port.zone],
        port.purpose,
        "yes" if port.tls else "no",
        port.zone,
        "yes" if inward and port.zone == "wan" else "no",
        service.status,
        ORIGIN[port.origin],
    ]


def inventory() -> str:
    """The inventory's groups and variables."""
    text = [
        "# Inventory\n",
        f"Generated from `services/topology_keys_*.py` by `{REFRESH}`.\n",
        "An inventory describes one site: groups say what a host is, variables say the rest. Each folder in "
        "`inventories/` is an example to copy. It is checked without touching a host, for example by "
        "`./dss ports -i INVENTORY`: every mistake is shown with its file, line, key and remedy.\n",
        "## Groups\n",
        "A host is in one of these groups. Hosts in other groups are left alone.\n",
        table(["group", "its hosts"], [[f"`{name}`", meaning] for name, meaning in GROUPS.items()]),
        "Every host needs `ansible_host`, its IP address.\n",
        "## Variables\n",
        "All of them are optional unless they say otherwise. They may stand at `all`, at a group or at a "
        "host; what is nearer to the host wins, by Ansible's own rules.\n",
    ]
    text += [_variable(key) for key in KEYS.values()]
    renamed = [[f"`{old}`", f"`{new}`"] for old, new in RENAMED.items()]
    text += ["## Names that are no longer used\n", table(["instead of", "write"], renamed)]
    return "\n".join(text)


def _variable(key: Key) -> str:
    """One variable as a section."""
    form = TYPES[key.type] + (f" {', '.join(f'`{c}`' for c in key.choices)}" if key.choices else "")
    scope = ", ".join(f"`{name}`" for name in key.scope) or "all"
    default = "none" if key.default in (None, "") else f"`{_yaml(key.default)}`"
    return (
        f"### `{key.name}`\n\n{key.meaning}\n\n"
        f"- Form: {form}\n- Groups: {scope}\n- Default: {default}\n- Example: `{key.name}: {key.example}`\n"
    )


def _yaml(value: object) -> str:
    """A value as it would stand in an inventory."""
    text: str = yaml.safe_dump(value, default_flow_style=True, width=1000)
    return text.removesuffix("\n").removesuffix("\n...").strip()
