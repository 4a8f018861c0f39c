"""At start: make files and index agree, and cut back what a power cut left to its last whole frame."""

import logging
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from services.ss import boxes, storage
from services.ss.boxes import TornError
from services.ss.entry import CHANNEL, PER_FOLDER, SECOND, Entry, named, numbered
from services.ss.index import LONGEST, Index
from services.ss.sealing import DamagedError, KeyMissingError

LOG = logging.getLogger(__name__)


def newest(index: Index, roots: list[str]) -> None:
    """Check the newest folder of every channel, so that recording can go on at once."""
    for root, channel, folders in _channels(roots):
        check_folder(index, root, channel, folders[-1])


def rest(index: Index, roots: list[str]) -> None:
    """Check all older folders, and forget files that are no longer there."""
    for root, channel, folders in _channels(roots):
        for folder in folders[:-1]:
            check_folder(index, root, channel, folder)
    _forget_folders(index, roots)


def check_folder(index: Index, root: str, channel: str, folder: str) -> None:
    """Put in what the index does not know, take out what is gone."""
    try:
        found = _files(Path(root) / channel / folder)
    except OSError as error:
        LOG.error("%s of %s cannot be read in %s: %s", folder, channel, root, error)
        return
    low = int(folder) * PER_FOLDER
    known = {seq for seq, where in index.numbers(channel, low, low + PER_FOLDER).items() if where == root}
    fresh = [
        entry
        for seq, name in sorted(found.items())
        if seq not in known
        and (facts := named(name))
        and (entry := restored(Path(root) / channel / folder / name, root, channel, *facts))
    ]
    if fresh:
        LOG.info("%d files of %s were not in the index", len(fresh), channel)
        index.put(fresh)
    if gone := known - found.keys():
        LOG.warning("%d files of %s are gone from %s", len(gone), channel, root)
        index.drop((channel, seq) for seq in gone)


def _files(folder: Path) -> dict[int, str]:
    """Name of every recorded file of a folder, by its number: all that is wanted of most of them."""
    return {seq: one.name for one in folder.iterdir() if (seq := numbered(one.name)) is not None}


def restored(path: Path, root: str, channel: str, seq: int, start: int, join: str) -> Entry | None:
    """The entry of a file, read from the file; cut back to whole frames, or taken away if there are none."""
    bare = Entry(channel, seq, start, start, 0, root, join, 1, ())
    try:
        with storage.found(path, write=True) as file:
            found = boxes.scan(file)
            if not found.gops:
                raise TornError("it holds no whole picture")
            if file.cut(found.size):
                LOG.warning("%s is cut back to its last whole picture", path)
            parts = file.parts
    except (KeyMissingError, DamagedError) as reason:
        return _unreadable(path, bare, reason)
    except TornError as reason:
        LOG.warning("%s is taken away: %s", path, reason)
        with suppress(OSError):
            path.unlink()
        return None
    except OSError as error:
        LOG.error("%s cannot be read: %s", path, error)
        return None
    last = found.gops[-1]
    end = last.at + (found.end_tick - last.tick) * SECOND // found.head.timescale
    head = found.head
    return replace(bare, end=end, size=found.size, timescale=head.timescale, gops=found.gops, kind=head.kind,
                   parts=parts, source=head.source)  # fmt: skip


def _unreadable(path: Path, bare: Entry, reason: Exception) -> Entry | None:
    """By this entry an encrypted file that cannot be read counts, is locked, and goes when it is the oldest.

    It may last as long as any.
    """
    LOG.error("%s is kept, and cannot be read: %s", path, reason)
    try:
        return replace(bare, end=bare.start + LONGEST, size=path.stat().st_size, parts=storage.key_id(path))
    except OSError as error:
        LOG.error("%s cannot be read: %s", path, error)
        return None


def _channels(roots: list[str]) -> Iterator[tuple[str, str, list[str]]]:
    for root in roots:
        try:
            channels = sorted(one.name for one in Path(root).iterdir() if CHANNEL.fullmatch(one.name))
        except OSError as error:
            LOG.error("%s cannot be read: %s", root, error)
            continue
        for channel in channels:
            if folders := _folders(Path(root) / channel):
                yield root, channel, folders


def _folders(place: Path) -> list[str]:
    try:
        return sorted(one.name for one in place.iterdir() if one.name.isdecimal())
    except NotADirectoryError:
        return []
    except OSError as error:
        LOG.error("%s cannot be read: %s", place, error)
        return []


def _forget_folders(index: Index, roots: list[str]) -> None:
    """Whole folders that are gone: their files stand in the index only."""
    for channel in index.channels():
        last = index.last(channel)
        for number in range((last.seq if last else 0) // PER_FOLDER + 1):
            low = number * PER_FOLDER
            known = index.numbers(channel, low, low + PER_FOLDER)
            gone = [
                (channel, seq)
                for seq, root in known.items()
                if root in roots
                and Path(root).is_dir()
                and not (Path(root) / channel / f"{number:05d}").is_dir()
            ]
            index.drop(gone)
