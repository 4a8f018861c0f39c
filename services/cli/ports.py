"""`./dss ports`: the port matrix of a site."""

import argparse

from services import catalog, ports, topology
from services.cli.verb import CannotError
from services.topology import Host, Topology

HELP = "print the port matrix of a site"
EXAMPLE = "./dss ports -i inventories/distributed --host main-a --format md"
FORMATS = {"md": ports.as_markdown, "csv": ports.as_csv, "json": ports.as_json, "html": ports.as_html}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """-i, --format, --host."""
    parser.add_argument("-i", "--inventory", required=True, help="folder or file of the inventory")
    parser.add_argument("--format", choices=FORMATS, default="md")
    parser.add_argument("--host", help="only this host")


def run(args: argparse.Namespace) -> int:
    """Print the rows."""
    known = catalog.load()
    site = load(args.inventory, known)
    rows = ports.matrix(known, site, host(site, args.host) if args.host else None)
    print(FORMATS[args.format](rows), end="")
    return 0


def load(inventory: str, known: catalog.Catalog) -> Topology:
    """The site of an inventory; CannotError lists everything that is wrong with it."""
    try:
        return topology.load(inventory, catalog=known)
    except topology.InventoryErrors as reason:
        lines = "\n".join(f"  {mistake}" for mistake in reason.errors)
        raise CannotError(
            f"the inventory {inventory} has {len(reason.errors)} mistake(s):\n{lines}"
        ) from None


def host(site: Topology, name: str) -> Host:
    """One host of the site by its name."""
    if name not in site.hosts:
        raise CannotError(f"the site has no host {name!r}. It has: {', '.join(site.hosts)}.")
    return site.hosts[name]
