"""`./dss test`: lint, then one pytest run over the chosen kinds of tests."""

import argparse
import subprocess

from services.cli import debian, lint
from services.cli.verb import ROOT, CannotError

HELP = "run the tests; without a kind, everything CI runs"
EXAMPLE = "./dss test lint unit render portal"

# In the order they run: what fails quickly comes first.
KINDS = ("unit", "render", "playbooks", "portal", "peers", "lab", "e2e", "bench")
EVERYDAY = ("lint", "unit", "render", "playbooks", "portal", "peers", "lab", "e2e")

ENGINES = ("nginx-light", "mariadb-server", "redis-server", "nftables", "systemd", "openssl")
BROWSER = ("chromium", "fonts-dejavu-core", "npm")
CAMERAS = (
    "gir1.2-gst-rtsp-server-1.0",
    "gstreamer1.0-libav",
    "gstreamer1.0-plugins-bad",
    "gstreamer1.0-plugins-base",
    "gstreamer1.0-plugins-good",
    "gstreamer1.0-plugins-ugly",
    "gstreamer1.0-rtsp",
    "python3-gi",
)
PLAYERS = ("ffmpeg", "gstreamer1.0-tools", "mpv")
LAB = ("debootstrap", "dpkg-dev", "iproute2", "openssh-client", "systemd-container")
PACKAGES: dict[str, tuple[str, ...]] = {
    "lint": (),
    "unit": ("ffmpeg", "mariadb-server", "openssl", "redis-server"),
    "render": ENGINES,
    "playbooks": (),
    "portal": (*ENGINES, *BROWSER),
    "peers": (*ENGINES, *BROWSER, *CAMERAS, *PLAYERS),
    "lab": (*ENGINES, *CAMERAS, *PLAYERS, *LAB, "npm"),
    "e2e": (*ENGINES, *BROWSER, *CAMERAS, *PLAYERS, *LAB),
    "bench": (*ENGINES, *CAMERAS, *PLAYERS),
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The kinds to run and what to hand on to pytest."""
    parser.add_argument("kinds", nargs="*", metavar="KIND", help=", ".join(["lint", *KINDS]))
    parser.add_argument("--full", action="store_true", help="also what is too long for CI")
    parser.add_argument("-k", metavar="EXPRESSION", help="only tests whose name matches, as in pytest")
    parser.add_argument("-x", action="store_true", help="stop at the first failure")


def install(kinds: list[str]) -> None:
    """Install the Debian packages the chosen kinds of tests need."""
    debian.install(
        {package for kind in kinds for package in PACKAGES[kind]},
        instead="run the kinds that need less: ./dss test lint unit",
    )


def chosen(args: argparse.Namespace) -> list[str]:
    """The kinds asked for, checked, in running order."""
    asked = args.kinds or [*EVERYDAY, *(["bench"] if args.full else [])]
    unknown = sorted(set(asked) - {"lint", *KINDS})
    if unknown:
        raise CannotError(
            f"there are no tests of kind {', '.join(unknown)}. Known: lint, {', '.join(KINDS)}."
        )
    return [kind for kind in ("lint", *KINDS) if kind in asked]


def pytest(kinds: list[str], args: argparse.Namespace) -> int:
    """One pytest run over the folders of these kinds; its summary is the last thing printed."""
    words = ["python", "-m", "pytest", *(f"tests/{kind}" for kind in kinds)]
    words += ["--full"] if args.full else []
    words += ["-k", args.k] if args.k else []
    words += ["-x"] if args.x else []
    return subprocess.run(words, cwd=ROOT, check=False).returncode


def run(args: argparse.Namespace) -> int:
    """Lint first; a run with lint findings fails at once, before anything slow starts."""
    kinds = chosen(args)
    install(kinds)
    if "lint" in kinds:
        if lint.failing():
            return 1
        kinds.remove("lint")
    return pytest(kinds, args) if kinds else 0
