"""`./dss VERB`: one module per verb in this folder, found by name, loaded only when called."""

import argparse
import importlib
import pkgutil
import sys
from typing import cast

from lab.tools import LabError
from services import cli
from services.cli.verb import CannotError, Verb
from services.runtime.errors import Problem

NOT_VERBS = {"__main__", "debian", "verb"}


def verbs() -> list[str]:
    """Names of all verbs, in alphabetical order."""
    return sorted(m.name for m in pkgutil.iter_modules(cli.__path__) if m.name not in NOT_VERBS)


def load(name: str) -> Verb:
    """The module of one verb."""
    return cast(Verb, importlib.import_module(f"services.cli.{name}"))


def overview() -> str:
    """The text of `./dss --help`."""
    lines = [f"  {name:10} {load(name).HELP}" for name in verbs()]
    return "\n".join(["usage: ./dss VERB [options]", "", *lines, "", "./dss VERB --help shows an example."])


def call(name: str, words: list[str]) -> int:
    """Run one verb with its words; returns the exit code."""
    verb = load(name)
    parser = argparse.ArgumentParser(
        prog=f"./dss {name}",
        description=verb.HELP,
        epilog=f"example: {verb.EXAMPLE}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    verb.add_arguments(parser)
    try:
        return verb.run(parser.parse_args(words))
    except (CannotError, LabError, Problem) as reason:
        print(f"dss {name}: {reason}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"\ndss {name}: stopped by Ctrl-C.", file=sys.stderr)
        return 130


def main(words: list[str]) -> int:
    """The front door itself."""
    if not words or words[0] in {"-h", "--help", "help"}:
        print(overview())
        return 0
    if words[0] not in verbs():
        print(f"dss: there is no verb {words[0]!r}. Known: {', '.join(verbs())}.", file=sys.stderr)
        return 2
    return call(words[0], words[1:])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
