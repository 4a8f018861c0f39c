"""What all recorders share: storage folders, index, search, and the work that is done now and then."""

import asyncio
import logging
import sqlite3
import threading
from pathlib import Path
from typing import Any

from services.runtime.health import Health
from services.ss import recovery, sealing, tracks
from services.ss.disks import Disks
from services.ss.index import Index
from services.ss.library import Library
from services.ss.locks import Lock, Locks
from services.ss.retention import Quota, Retention
from services.ss.standing import Standing

LOG = logging.getLogger(__name__)

SYNC_SECONDS = 4.0
"""A power cut may take five seconds; DSS_MTS leaves what came last with the kernel for up to one of them."""


class Store:
    """The recordings of one node; a file is cut at the first key frame after `file_seconds`."""

    file_seconds = 60.0

    def __init__(self, roots: list[str], state: Path, kept: Quota, health: Health) -> None:
        self.disks = Disks(roots, health)
        self.locks = Locks(roots)
        self.standing = Standing(state)
        self.index = Index(state / "index.db", self.locks.covers)
        self.library = Library(self.index, self.locks)
        self.retention = Retention(self.disks, self.index, kept, self.locks)
        self.checked = asyncio.Event()
        self._marking = threading.Lock()
        self._roots = roots
        self._health = health

    def recover(self) -> None:
        """Before recording begins: the locks, and the newest files; blocking."""
        self.locks.load()
        for channel in {tracks.channel_of(key) for key in self.index.channels()}:
            self._mark(channel)
        recovery.newest(self.index, self._roots)

    async def check_all(self) -> None:
        """The index and the older files, beside recording; then keep room until cancelled."""
        try:
            await asyncio.to_thread(self.index.check)
        except sqlite3.DatabaseError as error:
            self._health.give_up(f"The list of recordings is damaged ({error}) and is made anew.")
        await asyncio.to_thread(recovery.rest, self.index, self._roots)
        LOG.info("the index agrees with the files")
        self._tell_missing(await asyncio.to_thread(self.index.by_key))
        self.checked.set()
        await self.retention.run()

    async def sync_often(self) -> None:
        """Make what is written survive a power cut, every few seconds, until cancelled."""
        while True:
            await asyncio.sleep(SYNC_SECONDS)
            self._tell_damaged()
            for one in self.library.segments():
                disk = self.disks.of(one.entry.root)
                if disk is None:
                    continue
                try:
                    await disk.run(one.sync)
                except OSError as error:
                    self.disks.failed(disk, error)

    def facts(self) -> dict[str, Any]:
        """Storage folders as `GET /state` shows them."""
        return {
            disk.root: {"used": disk.used, "locked": disk.locked, "resting": disk.resting}
            for disk in self.disks.all
        }

    def encryption(self) -> dict[str, Any]:
        """Whether new files are encrypted, the ids of the keys, files by the id of their key; blocking."""
        key = sealing.writing()
        return {
            "on": key is not None, "key": key.id.hex() if key else "", "keys": sealing.held(),
            "files": self.index.by_key(), "damaged": sealing.damaged(),
        }  # fmt: skip

    def _tell_missing(self, files: dict[str, int]) -> None:
        lost = {id: count for id, count in files.items() if id and id not in sealing.held()}
        text = ", ".join(f"{count} files need the key {id}" for id, count in lost.items())
        told = f"Recordings cannot be read: {text}, which this node lacks. Restore its keys from a backup."
        self._health.alarm("recording keys", told if lost else "")

    def _tell_damaged(self) -> None:
        found = sealing.damaged()
        if found:
            text = f"{len(found)} files were altered or damaged on their disk, the last one is {found[-1]}."
            self._health.alarm("damaged", text)

    def lock(self, channel: str, start: int, end: int, note: str, by: str) -> Lock:
        """Keep a span (microseconds since 1970) from being deleted; blocking. Problem if it cannot be."""
        made = self.locks.add(channel, start, end, note, by)
        self._mark(channel)
        return made

    def unlock(self, channel: str, id: str) -> Lock:
        """Let a span be deleted again when its time comes; blocking. Problem 404 if there is no such lock."""
        gone = self.locks.remove(channel, id)
        self._mark(channel)
        return gone

    def _mark(self, channel: str) -> None:
        """Have the index know what is locked now; whoever comes last sees what all others locked."""
        try:
            with self._marking:
                for key in tracks.keys(channel):
                    self.index.mark(key, self.locks.spans(key))
        except sqlite3.Error as error:
            # Nothing locked is deleted even so: that asks the locks themselves.
            LOG.error("the index knows the locks of %s from the next start on: %s", channel, error)

    def close(self) -> None:
        """The last thing: everything is written."""
        self.disks.close()
        self.index.close()
