"""`./dss test`: lint, then one pytest run over the chosen kinds of tests."""

import argparse
import os
import sys
from typing import NoReturn

from lab import needs
from services.cli import debian, lint
from services.cli.verb import ROOT, CannotError

HELP = "run the tests; without a kind, everything CI runs"
EXAMPLE = "./dss test lint unit render portal"

# In the order they run: what fails quickly comes first.
KINDS = ("unit", "render", "playbooks", "portal", "peers", "lab", "e2e", "bench")
EVERYDAY = ("lint", "unit", "render", "playbooks", "portal", "peers", "lab", "e2e")

ENGINES = ("mariadb-server", "nats-server", "nftables", "nginx-light", "openssl", "redis-server", "systemd")
BROWSER = ("chromium", "fonts-dejavu-core", "npm")
PLAYERS = ("ffmpeg", "gstreamer1.0-tools", "mpv", "vlc-bin", "vlc-plugin-base")
# Linux as a program, for what this machine's own kernel may lack.
KERNEL = ("kmod", "user-mode-linux")
LAB = (*needs.PACKAGES, "npm")
# Kinds that boot hosts.
HOSTS = {"lab", "e2e"}
PACKAGES: dict[str, tuple[str, ...]] = {
    "lint": (),
    "unit": ("ffmpeg", "mariadb-server", "openssl", "redis-server"),
    "render": (*ENGINES, *KERNEL),
    "playbooks": (),
    "portal": (*ENGINES, *BROWSER, *needs.CAMERAS),
    "peers": (*ENGINES, "iproute2", *BROWSER, *needs.CAMERAS, *PLAYERS),
    "lab": (*ENGINES, *PLAYERS, *LAB),
    "e2e": (*ENGINES, *BROWSER, *PLAYERS, *LAB),
    "bench": (*ENGINES, *needs.CAMERAS, *PLAYERS, "libnginx-mod-rtmp"),
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The kinds to run and what to hand on to pytest."""
    parser.add_argument("kinds", nargs="*", metavar="KIND", help=", ".join(["lint", *KINDS]))
    parser.add_argument("--full", action="store_true", help="also what is too long for CI")
    parser.add_argument("-k", metavar="EXPRESSION", help="only tests whose name matches, as in pytest")
    parser.add_argument("-x", action="store_true", help="stop at the first failure")


def install(kinds: list[str]) -> None:
    """Install what the chosen kinds need; a machine that cannot boot hosts is refused at once."""
    if HOSTS & set(kinds):
        needs.check()
    debian.install({package for kind in kinds for package in PACKAGES[kind]}, instead=still())


def still() -> str:
    """What runs on this machine as it is."""
    ready = [kind for kind in ("lint", *KINDS) if not HOSTS & {kind} and not debian.missing(PACKAGES[kind])]
    return f"These run without: ./dss test {' '.join(ready)}"


def chosen(args: argparse.Namespace) -> list[str]:
    """The kinds asked for, checked, in running order."""
    asked = args.kinds or [*EVERYDAY, *(["bench"] if args.full else [])]
    unknown = sorted(set(asked) - {"lint", *KINDS})
    if unknown:
        raise CannotError(
            f"there are no tests of kind {', '.join(unknown)}. Known: lint, {', '.join(KINDS)}."
        )
    return [kind for kind in ("lint", *KINDS) if kind in asked]


def pytest(kinds: list[str], args: argparse.Namespace) -> NoReturn:
    """Become one pytest run over the folders of these kinds; its summary is the last thing printed.

    No child process: at Ctrl-C a parent would kill it before it has taken down hosts and servers.
    """
    words = ["python", "-m", "pytest", *(f"tests/{kind}" for kind in kinds)]
    # In a checkout of somebody else, pytest could not remember what failed.
    words += [] if os.access(ROOT, os.W_OK) else ["-p", "no:cacheprovider"]
    words += ["--full"] if args.full else []
    words += ["-k", args.k] if args.k else []
    words += ["-x"] if args.x else []
    os.chdir(ROOT)
    sys.stdout.flush()
    os.execvp(words[0], words)  # noqa: S606 - no shell is wanted


def run(args: argparse.Namespace) -> int:
    """Lint first; a run with lint findings fails at once, before anything slow starts."""
    kinds = chosen(args)
    install(kinds)
    if "lint" in kinds:
        if lint.failing():
            return 1
        kinds.remove("lint")
    if kinds:
        pytest(kinds, args)
    return 0
