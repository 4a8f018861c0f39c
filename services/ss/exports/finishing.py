"""What stands around the files of an export: heads, manifest, table of contents."""

import os
import zlib
from pathlib import Path

from services.runtime import clock
from services.ss.exports import archive, manifest, names, results
from services.ss.exports.archive import Member
from services.ss.exports.job import Job, Made
from services.ss.exports.shelf import Shelf


def keep(shelf: Shelf, job: Job) -> None:
    """Make the newest file of a job final: its head first, then the note that it is there; raises OSError."""
    one = job.made[-1]
    if job.zip:
        member = _member(one)
        _write(shelf.result(job.order.id), archive.head(member), one.offset - archive.room(one.name))
    shelf.save(job)


def close(shelf: Shelf, job: Job, node: str) -> None:
    """Put manifest and table of contents behind the files of an archive; raises OSError."""
    if job.zip:
        _close(shelf.result(job.order.id), job, node)


def seal(shelf: Shelf, job: Job, sha256: str) -> None:
    """Call the result done; raises OSError."""
    job.size = results.size(shelf.result(job.order.id))
    first = job.made[0]
    job.name = names.of_archive(job.order.platform, first.start, job.order.folder) if job.zip else first.name
    job.sha256, job.missing, job.total = sha256, round(manifest.missing(job), 3), job.size
    shelf.end(job, "done")


def _close(path: Path, job: Job, node: str) -> None:
    now = clock.now().timestamp()
    text = manifest.text(job, node, now)
    name = names.inside(job.order.folder, manifest.NAME)
    begin = job.end + archive.room(name)
    last = Member(name, now, begin, len(text), zlib.crc32(text))
    job.members = [*map(_member, job.made), last]
    tail = archive.tail(job.members, begin + len(text))
    _write(path, archive.head(last) + text + tail, job.end, last=True)


def _member(one: Made) -> Member:
    return Member(one.name, one.start / 1_000_000, one.offset, one.size, one.crc)


def _write(path: Path, data: bytes, place: int, last: bool = False) -> None:
    with results.opened(path) as file:
        if last:
            file.truncate(place)
        file.seek(place)
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
