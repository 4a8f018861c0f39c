"""`./dss bundle`: everything a node needs, in one signed folder."""

import argparse
import os
import time
from pathlib import Path

from rich.console import Console

from services.bundle import build, cache, sbom, signing
from services.bundle.releases import RELEASES
from services.cli import debian
from services.cli.verb import ROOT, CannotError

HELP = "build the signed bundle from which nodes install without any network"
EXAMPLE = "./dss bundle --release 12"
PACKAGES = ("debootstrap", "mount", "npm", "util-linux")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `./dss bundle`."""
    parser.add_argument(
        "--release", action="append", choices=sorted(RELEASES), help="a Debian release (default: all)"
    )
    parser.add_argument("--out", type=Path, default=ROOT / "dist", help="where bundles go (default: dist)")
    parser.add_argument("--key", type=Path, help=f"signing key (default: {signing.default_key()})")
    parser.add_argument(
        "--refresh", action="store_true", help="ask for newer packages, even if that was done within 12 hours"
    )


def run(args: argparse.Namespace) -> int:
    """Build it; returns 0."""
    if os.geteuid():
        raise CannotError("the parts of a bundle are built in a chroot, which needs root. Run it with sudo.")
    debian.install(PACKAGES, "Or use a bundle that was built elsewhere.")
    console = Console()
    started = time.monotonic()
    with cache.locked(), console.status("starting") as status:
        bundle = _build(args, console, status.update)
    _report(console, bundle, time.monotonic() - started)
    return 0


def _build(args: argparse.Namespace, console: Console, show: build.Say) -> build.Bundle:
    """Each step replaces the spinner's text and leaves a line with its time behind."""
    steps: list[tuple[str, float]] = []

    def say(text: str) -> None:
        _done(console, steps)
        steps.append((text, time.monotonic()))
        show(text)

    releases = [RELEASES[number] for number in sorted(set(args.release or RELEASES))]
    bundle = build.build(
        releases, args.out.resolve(), args.key or signing.default_key(), refresh=args.refresh, say=say
    )
    _done(console, steps)
    return bundle


def _done(console: Console, steps: list[tuple[str, float]]) -> None:
    if steps:
        text, since = steps[-1]
        console.print(f"  {text}: {time.monotonic() - since:.1f} s", highlight=False)


def _report(console: Console, bundle: build.Bundle, seconds: float) -> None:
    folder, manifest = bundle.folder, bundle.manifest
    bill = folder / build.SBOM
    size = sum(entry.size for entry in manifest.files.values()) / 1e6
    key = signing.read_public(folder / "signing.pub")
    lines = [
        f"bundle    {folder}{' (unchanged)' if bundle.reused else ''}",
        f"version   {manifest.version}",
        f"date      {manifest.date}",
        f"releases  {', '.join(f'Debian {number}' for number in manifest.releases)}",
        f"size      {size:.0f} MB in {len(manifest.files)} files, {seconds:.1f} s",
        f"SBOM      {bill}: {sbom.summary(bill.read_bytes())}",
        f"signed    by key {signing.fingerprint(key)}",
    ]
    console.print("\n".join(lines), highlight=False, soft_wrap=True, markup=False)
