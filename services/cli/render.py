"""`./dss render`: every file that a node would get, written to a folder."""

import argparse
from pathlib import Path

from services import catalog
from services.cli.ports import host, load
from services.cli.verb import CannotError
from services.render import File, render

HELP = "write the files that a node would get into a folder, without touching any host"
EXAMPLE = "./dss render -i inventories/distributed --host sub-1 --out /tmp/sub-1"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """-i, --host or --all, --out."""
    parser.add_argument("-i", "--inventory", required=True, help="folder or file of the inventory")
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--host", help="this host")
    which.add_argument("--all", action="store_true", help="every node, each in a folder of its name")
    parser.add_argument("--out", required=True, type=Path, help="folder to write to; it must be new or empty")


def run(args: argparse.Namespace) -> int:
    """Write the tree and say how much it is."""
    known = catalog.load()
    site = load(args.inventory, known)
    if args.out.exists() and (not args.out.is_dir() or any(args.out.iterdir())):
        raise CannotError(
            f"{args.out} is not an empty folder. Name a new one, so that no old file stays in it."
        )
    for node in site.nodes if args.all else [host(site, args.host)]:
        files = render(known, site, node)
        if not files:
            raise CannotError(
                f"{node.name} is in the group {node.role}: it runs no service and gets no files."
            )
        folder = args.out / node.name if args.all else args.out
        write(folder, files)
        print(f"{node.name}: {len(files)} files in {folder}")
    return 0


def write(folder: Path, files: dict[str, File]) -> None:
    """The files below `folder`, at their paths and with their modes."""
    for path, file in files.items():
        place = folder / path.lstrip("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(file.text, encoding="utf-8")
        place.chmod(int(file.mode, 8))
