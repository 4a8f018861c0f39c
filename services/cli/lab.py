"""`./dss lab`: boot, break and inspect the lab's hosts."""

import argparse
import sys
from pathlib import Path

from rich.console import Console
from rich.table import Table

from lab import base, needs
from lab.rack import Lab
from lab.tools import LabError

HELP = "boot real Debian hosts in this machine, and break them"
EXAMPLE = """
  ./dss lab up inventories/demo
  ./dss lab run -- ansible-playbook -i inventories/demo site.yml
  ./dss lab exec main-a -- systemctl status
  ./dss lab forward --listen 127.0.0.1:8443 --to 198.18.0.10:443
  ./dss lab down"""
ON_HOST = {
    "cut": "pull a host's network cables; it sees its carrier go",
    "heal": "undo cut and partition",
    "partition": "take a host off its switches; its carrier stays",
    "poweroff": "power loss: peers see silence, unwritten data is gone with the host's memory",
    "boot": "switch a host on and wait until it answers",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    does = parser.add_subparsers(dest="does", required=True, metavar="WHAT")
    up = does.add_parser("up", help="boot every host of an inventory")
    up.add_argument("inventory", type=Path, help="a folder with hosts.yml, or such a file")
    up.add_argument(
        "--release", type=int, default=12, choices=sorted(base.RELEASES), help="Debian release (default 12)"
    )
    up.add_argument("--baked", metavar="KEY", help="start from the layer kept under this key")
    does.add_parser("down", help="power everything off and forget the hosts' disks")
    does.add_parser("status", help="show hosts and forwards")
    command = does.add_parser("run", help="run a program on the controller, inside the lab's network")
    command.add_argument("words", nargs=argparse.REMAINDER, metavar="-- CMD")
    inside = does.add_parser("exec", help="run a program as root in a host")
    inside.add_argument("host")
    inside.add_argument("words", nargs=argparse.REMAINDER, metavar="-- CMD")
    for name, text in ON_HOST.items():
        does.add_parser(name, help=text).add_argument("host")
    opening = does.add_parser("forward", help="open a port of this machine onto one inside the lab")
    opening.add_argument(
        "--listen", default="127.0.0.1:8443", help="outside, HOST:PORT (default 127.0.0.1:8443)"
    )
    opening.add_argument(
        "--to", default="198.18.0.10:443", help="inside, HOST:PORT (default 198.18.0.10:443)"
    )


def run(args: argparse.Namespace) -> int:
    needs.root()
    return _run(Lab(), args)


def _run(lab: Lab, args: argparse.Namespace) -> int:
    if args.does == "up":
        return _up(lab, args)
    if args.does == "status":
        return _status(lab)
    if args.does == "run":
        return int(lab.run(_words(args)).returncode)
    if args.does == "exec":
        return int(lab.execute(args.host, _words(args)).returncode)
    if args.does == "forward":
        lab.forward(args.listen, args.to)
        print(f"{args.listen} leads to {args.to} until ./dss lab down")
    elif args.does == "down":
        lab.down()
    else:
        getattr(lab, args.does)(args.host)
    return 0


def _words(args: argparse.Namespace) -> list[str]:
    words: list[str] = args.words[1:] if args.words[:1] == ["--"] else args.words
    if not words:
        raise LabError(f"there is nothing to run. Put the program after --: ./dss lab {args.does} ... -- CMD")
    return words


def _up(lab: Lab, args: argparse.Namespace) -> int:
    console = Console(stderr=True)
    with console.status("starting the lab"):
        hosts = lab.up(args.inventory, args.release, args.baked, console.print)
    console.print(f"{len(hosts)} hosts are up. ./dss lab status shows them, ./dss lab down stops them.")
    return 0


def _status(lab: Lab) -> int:
    notes = lab.notes
    table = Table(title=f"{lab.name}: {notes['inventory']}, Debian {notes['release']}")
    for column in ("host", "groups", "address", "power", "network"):
        table.add_column(column)
    for host in lab.hosts():
        machine = host.machine
        power = "on" if host.running else "off"
        addresses = " ".join(machine.links.values())
        table.add_row(host.name, " ".join(machine.groups), addresses, power, lab.network.state(machine))
    Console(file=sys.stdout).print(table)
    for opening in lab.forwards():
        print(f"{opening.listen} leads to {opening.to}")
    return 0
