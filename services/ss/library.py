"""All recordings of this node: finished files from the index, and those being written now."""

import logging
import sqlite3

from services.ss.entry import Entry
from services.ss.index import Index
from services.ss.locks import Locks
from services.ss.segment import Segment

NEVER = 2**62
"""No file has a number so high."""

LOG = logging.getLogger(__name__)


class Library:
    """Answers every search; safe in any thread."""

    def __init__(self, index: Index, locks: Locks) -> None:
        self.index = index
        self.locks = locks
        self._open: dict[str, Segment] = {}

    def opened(self, channel: str, segment: Segment) -> None:
        """A file of this channel is being written."""
        self._open = {**self._open, channel: segment}

    def closed(self, entry: Entry, segment: Segment) -> None:
        """It is finished; without a picture in it, it never was."""
        if entry.gops:
            self.note(entry)
        if self._open.get(entry.channel) is segment:
            self._open = {channel: one for channel, one in self._open.items() if one is not segment}

    def note(self, entry: Entry) -> None:
        """A finished file is as `entry` says; recording goes on where the index cannot be written."""
        try:
            self.index.put([entry])
        except sqlite3.Error as error:
            LOG.error("%s is in the index from the next start on: %s", entry.path, error)

    def forget(self, entry: Entry) -> None:
        """A finished file is about to change or to go."""
        try:
            self.index.drop([(entry.channel, entry.seq)])
        except sqlite3.Error as error:
            LOG.error("%s stays in the index: %s", entry.path, error)

    def segments(self) -> list[Segment]:
        """The files being written."""
        return list(self._open.values())

    def within(self, channel: str, start: int, end: int) -> list[Entry]:
        """Files that have something of [start, end), in the order of recording."""
        found = self.index.within(channel, start, end)
        live = self._live(channel)
        if live and live.start < end and live.end > start and all(one.seq != live.seq for one in found):
            found.append(live)
        return found

    def amount(self, channel: str, start: int, end: int) -> int:
        """About how many bytes of [start, end) there are."""
        live = self._live(channel)
        more = live.size if live and live.start < end and live.end > start else 0
        return self.index.amount(channel, start, end) + more

    def find(self, channel: str, moment: int) -> Entry | None:
        """The file to play a moment from: what was recorded last of it, else what begins next after it."""
        if found := self.within(channel, moment, moment + 1):
            return found[-1]
        live = self._live(channel)
        later = self.index.next_start(channel, moment)
        return later or (live if live and live.start > moment else None)

    def following(self, channel: str, seq: int) -> Entry | None:
        """What was recorded next after file number `seq`."""
        if found := self.index.following(channel, seq):
            return found
        live = self._live(channel)
        return live if live and live.seq > seq else None

    def preceding(self, channel: str, seq: int) -> Entry | None:
        """What was recorded last before file number `seq`."""
        return self.index.preceding(channel, seq)

    def newest(self, channel: str) -> Entry | None:
        """What was recorded last of a channel."""
        return self._live(channel) or self.index.preceding(channel, NEVER)

    def again(self, entry: Entry) -> Entry | None:
        """A file as it is now; None if it was deleted."""
        live = self._live(entry.channel)
        if live and live.seq == entry.seq:
            return live
        found = self.index.following(entry.channel, entry.seq - 1)
        return found if found and found.seq == entry.seq else None

    def is_open(self, entry: Entry) -> bool:
        """Whether a file is still being written."""
        live = self._live(entry.channel)
        return live is not None and live.seq == entry.seq

    def _live(self, channel: str) -> Entry | None:
        segment = self._open.get(channel)
        entry = segment.entry if segment else None
        return entry if entry and entry.gops else None
