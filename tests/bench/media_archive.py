"""An archive as months of recording leave it: real files, most of them links, and the product's index."""

import os
import shutil
import sqlite3
import time
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path

from media_rig import progress
from ss_archive import footage, write

from services.ss.entry import GAP, JOINED, SECOND, Entry, place
from services.ss.index import Index
from services.ss.recovery import restored

MINUTE = 60 * SECOND
_LINKS = 60_000
"""As many names as one file may have on ext4, less some."""


class Archive:
    """`days` of `channels`, a file for each minute, up to the minute before now."""

    def __init__(self, root: Path, state: Path, channels: int, days: float) -> None:
        self.root, self.state = root, state
        self.channels = [f"cam{n:03d}" for n in range(channels)]
        self.minutes = int(days * 24 * 60)
        self.start = (int(time.time()) // 60 - self.minutes - 1) * MINUTE

    @property
    def files(self) -> int:
        return len(self.channels) * self.minutes

    def make(self) -> None:
        """Write files and index."""
        self.state.mkdir(exist_ok=True)
        first = self._first()
        self._link(first)
        progress(f"  {self.files} files are there")
        self._list(first)
        progress(f"  the index has {(self.state / 'index.db').stat().st_size / 1e6:.0f} MB")

    def _first(self) -> Entry:
        """The first minute of the first channel, read as the product reads a file that it does not know."""
        write(self.root, self.channels[0], footage(self.start, 60))
        path = self.root / place(self.channels[0], 1, self.start, GAP)
        found = restored(path, str(self.root), self.channels[0], 1, self.start, GAP)
        assert found
        assert found.size == path.stat().st_size
        return found

    def _link(self, first: Entry) -> None:
        names, source, copies = self._names(), first.path, 0
        while part := list(islice(names, _LINKS)):
            copies += 1
            spare = self.root / f"_{copies}"
            shutil.copyfile(source, spare)
            for name in part:
                os.link(spare, f"{self.root}/{name}")
            spare.unlink()

    def _names(self) -> Iterator[str]:
        for channel in self.channels:
            for seq in range(1, self.minutes + 1):
                name = place(channel, seq, self.start + (seq - 1) * MINUTE, JOINED)
                folder = self.root / name.rsplit("/", 1)[0]
                if seq == 1 or seq % 1000 == 0:
                    folder.mkdir(parents=True, exist_ok=True)
                if (channel, seq) != (self.channels[0], 1):
                    yield name

    def _list(self, first: Entry) -> None:
        """One row for each channel by the product's code; SQLite repeats it for the other minutes."""
        index = Index(self.state / "index.db")
        index.put([first, *(replace(first, channel=one, join=JOINED) for one in self.channels[1:])])
        index.close()
        with sqlite3.connect(self.state / "index.db") as base:
            columns = [row[1] for row in base.execute("PRAGMA table_info(files)")]
            moved = {
                "seq": "n",
                "join": f"'{JOINED}'",
                "start": f"start + (n - 1) * {MINUTE}",
                "end": f'"end" + (n - 1) * {MINUTE}',
            }
            values = [moved.get(name, f'"{name}"') for name in columns]
            base.execute(
                f"INSERT INTO files WITH RECURSIVE count (n) AS (SELECT 2 UNION ALL SELECT n + 1 FROM count "  # noqa: S608
                f"WHERE n < {self.minutes}) SELECT {', '.join(values)} FROM files, count WHERE seq = 1"
            )
        base.close()
