"""Versions: of this tree, and which release may follow which on a node."""

import tomllib
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path

from services.runtime.errors import Problem

PROJECT = Path(__file__).resolve().parents[1] / "pyproject.toml"


@lru_cache(maxsize=1)
def own() -> str:
    """Version of the tree this code stands in; on a node, which has no tree, of the installed package."""
    if not PROJECT.is_file():
        return version("dss")
    with PROJECT.open("rb") as file:
        return str(tomllib.load(file)["project"]["version"])


def parse(text: str) -> tuple[int, int, int]:
    """(major, minor, patch); Problem when it is no version."""
    try:
        major, minor, patch = (int(word) for word in text.split("."))
    except ValueError:
        raise Problem(
            "no-version",
            f"{text!r} is no version of DSS.",
            "A version is three numbers, such as 1.4.2.",
            "Take it from `dss status` on the node, or from the name of the bundle.",
        ) from None
    return major, minor, patch


def need_same(installed: str, wanted: str) -> None:
    """Problem when site.yml meets a node with another release: changing releases needs upgrade.yml's care."""
    if not installed or installed == wanted:
        return
    newer = parse(wanted) > parse(installed)
    raise Problem(
        "other-release",
        f"This host runs release {installed}, the bundle holds {wanted}; nothing has been changed.",
        "A release is changed with a trial of the database, health gates and a way back, one node at a time."
        if newer
        else "site.yml never goes back to an older release.",
        "Run playbooks/upgrade.yml with the same inventory."
        if newer
        else f"Use the project of {installed}, or run playbooks/rollback.yml -e dss_release={wanted}.",
    )


def need_next(installed: str, wanted: str) -> None:
    """Problem unless `wanted` may be installed over `installed`: no older one, no minor release left out."""
    if not installed:
        raise Problem(
            "nothing-to-upgrade",
            "DSS is not installed on this host; nothing has been changed on any host.",
            "There is no /etc/dss/release.json.",
            "Run site.yml first.",
        )
    have, want = parse(installed), parse(wanted)
    if want < have:
        raise Problem(
            "downgrade",
            f"This host runs {installed}, the bundle holds the older {wanted}; nothing has been changed.",
            "An upgrade never goes back.",
            f"Use the bundle of {installed} or newer, or run playbooks/rollback.yml -e dss_release={wanted}.",
        )
    if _gap(have, want):
        raise Problem(
            "skipped-release",
            f"{wanted} cannot follow {installed}; nothing has been changed on any host.",
            "Each release converts the data of the minor release before it, so none may be left out.",
            f"Install the releases between them first, one after the other, beginning with {_first(have)}.",
        )


def need_previous(installed: str, wanted: str) -> None:
    """Problem unless `wanted` is a release to which `installed` can go back: at most one minor before it."""
    have, want = parse(installed), parse(wanted)
    if want < have and not _gap(want, have):
        return
    raise Problem(
        "no-way-back",
        f"{installed} cannot go back to {wanted}; nothing has been changed on this host.",
        "The data of a release can be read by the minor release before it, and by no older one."
        if want < have
        else "That is not an older release.",
        "Name the release before this one, or restore a backup of it (playbooks/restore.yml).",
    )


def _gap(have: tuple[int, int, int], want: tuple[int, int, int]) -> bool:
    if want[0] == have[0]:
        return want[1] - have[1] > 1
    return want[0] - have[0] > 1 or want[1] > 0


def _first(have: tuple[int, int, int]) -> str:
    return f"{have[0]}.{have[1] + 1}"
