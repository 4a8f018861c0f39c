"""`./dss services`: the 25 services of the product."""

import argparse
import json

from services import catalog
from services.manifest import Manifest
from services.render_node import entry

HELP = "list the services of the product, and which of them are built"
EXAMPLE = "./dss services --json"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """--json."""
    parser.add_argument("--json", action="store_true", help="everything, for programs")


def run(args: argparse.Namespace) -> int:
    """Print the catalogue."""
    found = catalog.load().ordered
    if args.json:
        print(json.dumps([entry(m) for m in found], indent=1, ensure_ascii=False))
        return 0
    rows = [("CODE", "STATUS", "ROLE", "MEMORY", "PORTS", "LABEL"), *map(row, found)]
    widths = [max(len(r[i]) for r in rows) for i in range(len(rows[0]))]
    for one in rows:
        print("  ".join(word.ljust(width) for word, width in zip(one, widths, strict=True)).rstrip())
    return 0


def row(service: Manifest) -> tuple[str, ...]:
    """One line of the table."""
    ports = ", ".join(f"{p.port}/{p.proto}" for p in service.ports if p.direction == "in")
    return (service.code, service.status, "+".join(service.role), service.memory, ports, service.label)
