"""The port matrix: who connects to what on each host, from the data that firewall and units are made from."""

import csv
import html
import io
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields

from services.catalog import Catalog
from services.manifest import PEERS, Manifest, Port
from services.topology import Host, Topology

SSH = 22


@dataclass(frozen=True)
class Row:
    """One kind of connection. `direction` is seen from the host: in = it listens, out = it connects."""

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

    def as_dict(self) -> dict[str, str | int | bool]:
        """The row as JSON has it; the key of `from_` is "from"."""
        return {key.rstrip("_"): value for key, value in asdict(self).items()}


COLUMNS = tuple(f.name.rstrip("_") for f in fields(Row))


def matrix(catalog: Catalog, topology: Topology, host: Host | None = None) -> list[Row]:
    """All rows of a host, or of all nodes of the site; planned services are listed with that status."""
    return [row for one in ([host] if host else topology.nodes) for row in rows_of(catalog, one)]


def rows_of(catalog: Catalog, host: Host) -> list[Row]:
    """Rows of one node; they depend on nothing but the node itself."""
    role = host.catalogue_role
    if role is None:
        return []
    rows = [_ssh(host)]
    for service in catalog.ordered:
        if role in service.role:
            rows += [
                _row(service, port, host) for port in service.ports if role in port.role and host.offers(port)
            ]
    return rows


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
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS)
    writer.writeheader()
    writer.writerows(
        {k: _word(v) if isinstance(v, bool) else v for k, v in r.as_dict().items()} for r in rows
    )
    return text.getvalue()


def as_markdown(rows: Iterable[Row]) -> str:
    """A table that is readable as it is."""
    lines = [f"| {' | '.join(COLUMNS)} |", f"|{'---|' * len(COLUMNS)}"]
    lines += [f"| {' | '.join(_word(v).replace('|', '/') for v in r.as_dict().values())} |" for r in rows]
    return "\n".join(lines) + "\n"


def as_html(rows: Iterable[Row]) -> str:
    """A page with one table and nothing to load."""
    head = "".join(f"<th>{name}</th>" for name in COLUMNS)
    body = "\n".join(
        f'<tr class="{r.status}">'
        + "".join(f"<td>{html.escape(_word(v))}</td>" for v in r.as_dict().values())
        + "</tr>"
        for r in rows
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
