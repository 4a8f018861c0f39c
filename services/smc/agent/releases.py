"""Releases on this node: which are there, which runs, what they take on the disk, and when it changed."""

import asyncio
import os
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from aiohttp import web

from services.node import release_record
from services.node.release_record import Switch

PROGRAMS, TREES = Path("/opt/dss"), Path("/var/lib/dss/trees")
UNFINISHED = (".new", ".old")


class Releases:
    """The route of interfaces.md §5; what a release takes on the disk is counted once, it never changes."""

    def __init__(self, programs: Path = PROGRAMS, trees: Path = TREES) -> None:
        self.programs, self.trees = programs, trees
        self._sizes: dict[tuple[str, float], int] = {}

    def routes(self) -> list[web.RouteDef]:
        """All routes."""
        return [web.get("/releases", self.show)]

    async def show(self, _: web.Request) -> web.Response:
        """Every release on this node, and its last changes, newest first."""
        return web.json_response(await asyncio.to_thread(self.state))

    def switches(self) -> list[dict[str, Any]]:
        """The last changes of the release, newest first."""
        return [asdict(_concluded(one, self.installed())) for one in release_record.load().switches]

    def state(self) -> dict[str, Any]:
        """`releases`: version, date, active, previous, returnable, bytes; `switches` as they were noted."""
        dates, runs, switches = release_record.load().dates, self.installed(), self.switches()
        last = next((one for one in switches if one["state"] == "done" and one["new"] == runs), None)
        places = sorted(p for p in (self.programs / "releases").glob("*") if not p.name.endswith(UNFINISHED))
        return {
            "releases": [
                {
                    "version": place.name,
                    "date": dates.get(place.name, ""),
                    "active": place.name == runs,
                    "previous": bool(last and last["old"] == place.name),
                    "returnable": place.name != runs and (self.trees / place.name).is_dir(),
                    "bytes": self._size(place),
                }
                for place in places
            ],
            "switches": switches,
        }

    def installed(self) -> str:
        """The release this node runs; "" where the link is missing."""
        try:
            return (self.programs / "current").readlink().name
        except OSError:
            return ""

    def _size(self, place: Path) -> int:
        try:
            key = place.name, place.stat().st_mtime
        except OSError:
            return 0
        if key not in self._sizes:
            self._sizes[key] = _bytes(place)
        return self._sizes[key]


def _bytes(place: Path) -> int:
    """What a folder takes on the disk; a file with two names counts once."""
    found: dict[tuple[int, int], int] = {}
    for folder, _, names in os.walk(place):
        for name in names:
            try:
                state = Path(folder, name).lstat()
            except OSError:
                continue
            found[state.st_dev, state.st_ino] = state.st_blocks * 512
    return sum(found.values())


def _concluded(one: Switch, runs: str) -> Switch:
    """A change that a power cut ended is over, although nobody could note it."""
    if one.state != "running" or release_record.UNDER_WAY.exists():
        return one
    state = "done" if runs == one.new else "undone"
    return replace(one, state=state, ended=one.log[-1]["at"] if one.log else one.began,
                   why=f"It was cut off; the node runs {runs}.")  # fmt: skip
