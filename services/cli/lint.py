"""`./dss lint`: every check that needs no host and no server; warnings are errors."""

import argparse
import subprocess

from services.cli.verb import ROOT

HELP = "check style, types and playbooks"
EXAMPLE = "./dss lint"

COMMANDS = (
    ("ruff", "check", "."),
    ("ruff", "format", "--check", "."),
    ("mypy",),
    ("ansible-lint", "--offline", "--profile", "production", "--strict"),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """No options: a lint that can be softened is not one."""


def failing() -> list[str]:
    """Run every checker and return the commands that found something."""
    failed = []
    for command in COMMANDS:
        print("+", *command, flush=True)
        if subprocess.run(command, cwd=ROOT, check=False).returncode:
            failed.append(" ".join(command))
    return failed


def run(_args: argparse.Namespace) -> int:
    """Exit 0 when every checker is content."""
    failed = failing()
    for command in failed:
        print(f"lint: {command} found problems; they are listed above.")
    return 1 if failed else 0
