"""The port matrix: who connects to what on each host, from the data that firewall and units are made from."""

import csv
import html
import io
import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, fields, replace

from services.catalog import Catalog
from services.manifest import OUTSIDE_NETWORK, PEERS, Manifest, Port
from services.networks import Network
from services.topology import Host, Topology

SSH = 22
SEEN_FROM = {
    "management": "administrators",
    "cluster": "other nodes",
    "client": "clients",
    "device": "devices",
}


@dataclass(frozen=True)
class Row:
    """One kind of connection. `direction` is seen from the host: in = it listens, out = it connects.

    `network` and `address` say on which of the host's networks; they are empty where it has only one.
    """

    host: str
    role: str
    service: str
    name: str
    port: int
    protocol: str
    direction: str
    from_: str
    to: str
    purpose: str
    tls: bool
    zone: str
    must_map: bool
    status: str
    network: str = ""
    address: str = ""

    def as_dict(self) -> dict[str, str | int | bool]:
        """The row as JSON has it; the key of `from_` is "from", and nothing is said of an only network."""
        said = asdict(self).items()
        return {key.rstrip("_"): value for key, value in said if value != "" or key not in NETWORK_COLUMNS}


NETWORK_COLUMNS = ("network", "address")
COLUMNS = tuple(f.name.rstrip("_") for f in fields(Row) if f.name not in NETWORK_COLUMNS)


def matrix(catalog: Catalog, topology: Topology, host: Host | None = None) -> list[Row]:
    """All rows of a host, or of all nodes of the site; planned services are listed with that status."""
    return [row for one in ([host] if host else topology.nodes) for row in rows_of(catalog, one)]


def rows_of(catalog: Catalog, host: Host) -> list[Row]:
    """Rows of one node; they depend on nothing but the node itself."""
    role = host.catalogue_role
    if role is None:
        return []
    rows = list(_placed(_ssh(host), host, ("management",)))
    for service in catalog.ordered:
        for port in service.ports if role in service.role else ():
            if role in port.role and host.offers(port):
                rows += _placed(_row(service, port, host), host, port.purposes, port)
    return rows


def _placed(row: Row, host: Host, purposes: tuple[str, ...], port: Port | None = None) -> Iterator[Row]:
    """The row once for each network of the host that it belongs to."""
    mine = [(n, set(n.purposes) & set(purposes)) for n in host.networks]
    mine = [(network, served) for network, served in mine if served]
    for network, served in mine:
        yield _on(row, host, network, served if len(mine) > 1 else set(), port)
    if not mine:
        yield row


def _on(row: Row, host: Host, network: Network, served: set[str], port: Port | None) -> Row:
    """The row for one network; `served` names its purposes where the others are seen on other networks."""
    place = f"{host.name} ({network.address})"
    found = replace(row, network=network.name, address=network.address)
    if row.direction == "out":
        return replace(found, from_=place)
    peers = " and ".join(SEEN_FROM[one] for one in SEEN_FROM if one in served) or row.from_
    outside = {OUTSIDE_NETWORK[one] for one in port.outside} if port else set()
    return replace(
        found,
        to=place,
        from_=peers,
        must_map=row.must_map and bool(outside & set(network.purposes)),
    )


def ssh_port(host: Host) -> int:
    """The port of the host's SSH server, by which it is deployed."""
    return int(host.get("ansible_port") or SSH)


def _ssh(host: Host) -> Row:
    place = f"{host.name} ({host.address})"
    return Row(
        host=host.name,
        role=host.role,
        service="ssh",
        name="ssh",
        port=ssh_port(host),
        protocol="tcp",
        direction="in",
        from_="local network",
        to=place,
        purpose="administration and deployment of the host; not a service of DSS",
        tls=True,
        zone="lan",
        must_map=False,
        status="built",
    )


def _row(service: Manifest, port: Port, host: Host) -> Row:
    inward = port.direction == "in"
    place = f"{host.name} ({host.address})"
    peer, number = port.peer or PEERS[port.zone], port.port
    if inward:
        number = host.ports[f"{service.id}.{port.name}"]
    elif port.center and host.center:
        peer, number = f"{host.center.name} ({host.center.address})", host.center.ports[port.center]
    return Row(
        host=host.name,
        role=host.role,
        service=service.id,
        name=port.name,
        port=number,
        protocol=port.proto,
        direction=port.direction,
        from_=peer if inward else place,
        to=("this node" if port.zone == "local" else place) if inward else peer,
        purpose=port.purpose,
        tls=port.tls,
        zone=port.zone,
        must_map=inward and port.zone == "wan",
        status=service.status,
    )


def as_json(rows: Iterable[Row]) -> str:
    """A JSON list with one object a row."""
    return json.dumps([row.as_dict() for row in rows], indent=1, ensure_ascii=False) + "\n"


def as_csv(rows: Iterable[Row]) -> str:
    """RFC 4180, with a heading."""
    rows, text = list(rows), io.StringIO()
    writer = csv.DictWriter(text, _columns(rows))
    writer.writeheader()
    writer.writerows(
        {k: _word(v) if isinstance(v, bool) else v for k, v in r.as_dict().items()} for r in rows
    )
    return text.getvalue()


def _columns(rows: list[Row]) -> tuple[str, ...]:
    """The columns of a table, with those about networks where a host has several."""
    return COLUMNS + (NETWORK_COLUMNS if any(row.network for row in rows) else ())


def _cells(rows: list[Row]) -> list[list[str]]:
    columns = _columns(rows)
    return [[_word(row.as_dict().get(name, "")) for name in columns] for row in rows]


def as_markdown(rows: Iterable[Row]) -> str:
    """A table that is readable as it is."""
    rows = list(rows)
    columns = _columns(rows)
    lines = [f"| {' | '.join(columns)} |", f"|{'---|' * len(columns)}"]
    lines += [f"| {' | '.join(word.replace('|', '/') for word in line)} |" for line in _cells(rows)]
    return "\n".join(lines) + "\n"


def as_html(rows: Iterable[Row]) -> str:
    """A page with one table and nothing to load."""
    rows = list(rows)
    head = "".join(f"<th>{name}</th>" for name in _columns(rows))
    body = "\n".join(
        f'<tr class="{row.status}">' + "".join(f"<td>{html.escape(word)}</td>" for word in line) + "</tr>"
        for row, line in zip(rows, _cells(rows), strict=True)
    )
    style = (
        "table{border-collapse:collapse;font:14px sans-serif}"
        "td,th{border:1px solid #ccc;padding:4px 8px}.planned{color:#767676}"
    )
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>Port matrix</title>'
        f"<style>{style}</style></head>"
        f"\n<body><table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody></table></body></html>\n"
    )


def _word(value: str | int | bool) -> str:
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)
