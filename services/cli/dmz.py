"""`./dss dmz`: what a router must map, in its own words."""

import argparse
from dataclasses import replace
from pathlib import Path

from services import catalog
from services.cli.ports import load
from services.cli.verb import CannotError
from services.node import files
from services.router import opnsense
from services.router.cli import RouterError
from services.router.mapping import Dmz, rules
from services.router.report import WARNING, listing
from services.router.vendors import VENDORS
from services.topology import Host, Topology

HELP = "write the port mapping of a router, or list what becomes reachable"
EXAMPLE = """
  ./dss dmz -i inventories/lan_wan --check
  ./dss dmz -i inventories/lan_wan --vendor mikrotik --out /tmp/edge
  ./dss dmz -i inventories/lan_wan --remove
  ./dss dmz -i inventories/lan_wan --vendor opnsense -c config.xml --out /tmp/edge"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """-i, --router, --vendor, --remove or --check, --config, --out."""
    parser.add_argument("-i", "--inventory", required=True, help="folder or file of the inventory")
    parser.add_argument("--router", metavar="NAME", help="which router, where the site has several")
    parser.add_argument("--vendor", choices=VENDORS, help="for this kind of router; default: its dss_router")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--check", action="store_true", help="only list what becomes reachable")
    what.add_argument("--remove", action="store_true", help="what takes the mapping away again")
    parser.add_argument(
        "-c", "--config", type=Path, help="configuration backup of an OPNsense or pfSense to merge into"
    )
    parser.add_argument("--out", type=Path, metavar="DIR", help="write files there instead of printing them")


def run(args: argparse.Namespace) -> int:
    """Print or write the mapping."""
    known = catalog.load()
    site = load(args.inventory, known)
    chosen = router(site, args.router)
    if args.vendor and args.vendor != chosen.get("dss_router"):
        # Names of interfaces belong to the router that the inventory describes.
        names = {"dss_wan_interface": None, "dss_lan_interface": None}
        chosen = replace(chosen, vars={**chosen.vars, **names, "dss_router": args.vendor})
    dmz = rules(known, site, chosen)
    if args.check:
        print(listing(dmz), end="")
    elif args.out:
        write(args.out, texts(dmz, args))
        print(WARNING)
    else:
        for name, text in texts(dmz, args).items():
            print(f"### {name}\n{text}", end="")
    return 0


def router(site: Topology, name: str | None) -> Host:
    """The router of that name, or the only one."""
    having = {host.name: host for host in site.of("router")}
    if name is None and len(having) == 1:
        return next(iter(having.values()))
    if name not in having:
        raise CannotError(
            f"name a router of the site by --router. It has: {', '.join(having) or 'none'}.\n"
            "A router stands in the group router; docs/guide/router.md shows an example."
        )
    return having[name]


def texts(dmz: Dmz, args: argparse.Namespace) -> dict[str, str]:
    """Name → text of what was asked for."""
    vendor = VENDORS[dmz.vendor]
    if args.config:
        return {f"config-{dmz.router.name}.xml": merged(dmz, args)}
    if args.remove:
        return vendor.removal(dmz)
    if dmz.vendor == "nftables" and not dmz.router.get("dss_wan_interface"):
        raise CannotError(
            f"nftables closes the outside interface: add dss_wan_interface to {dmz.router.name}."
        )
    if not dmz.mappings:
        raise CannotError(f"{dmz.router.name} maps nothing. Set dss_dmz, for example dss_dmz: [clients].")
    return vendor.files(dmz)


def merged(dmz: Dmz, args: argparse.Namespace) -> str:
    """The given backup with our rules in it, or without them."""
    if dmz.vendor not in opnsense.ROOTS:
        raise CannotError(f"--config is for opnsense and pfsense; {dmz.router.name} is a {dmz.vendor}.")
    try:
        return opnsense.merge(dmz, args.config.read_bytes(), args.remove)
    except (RouterError, OSError) as reason:
        raise CannotError(f"{args.config}: {reason}") from None


def write(folder: Path, texts: dict[str, str]) -> None:
    """The files, readable for their owner only: a configuration backup holds secrets."""
    for name, text in texts.items():
        files.write(folder / name, text, 0o600)
        print(folder / name)
