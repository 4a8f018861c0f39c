"""`./dss export`: what was changed in the portal, back into the inventory."""

import argparse
import subprocess

from services.cli.verb import ROOT

HELP = "write what was changed in the portal back into the inventory"
EXAMPLE = "./dss export -i inventories/city"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """-i."""
    parser.add_argument("-i", "--inventory", required=True, help="folder or file of the inventory")


def run(args: argparse.Namespace) -> int:
    """Ask every node by Ansible, as a deployment does; the next run of site.yml then finds no drift."""
    words = ["ansible-playbook", "-i", args.inventory, str(ROOT / "playbooks" / "export.yml")]
    return subprocess.run(words, cwd=ROOT, check=False).returncode
