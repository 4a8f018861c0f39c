"""What a verb of the front door is, and how a verb tells its user that it cannot go on."""

import argparse
from pathlib import Path
from typing import Protocol

ROOT = Path(__file__).resolve().parents[2]


class CannotError(Exception):
    """A verb cannot go on: what happened, why, and what to do next, in one text for the user."""


class Verb(Protocol):
    """A module in this folder; its name is the verb's name."""

    HELP: str
    EXAMPLE: str

    def add_arguments(self, parser: argparse.ArgumentParser) -> None: ...

    def run(self, args: argparse.Namespace) -> int: ...
