"""Archives of several nodes as one: every byte is where the common table says, whatever is asked for."""

import io
import zipfile
import zlib
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ss.exports import archive
from services.ss.exports.archive import Member
from services.ss.exports.collection import Part, join, slices

NOON = 1_790_000_000.0


def part(node: str, *contents: bytes) -> tuple[Part, bytes]:
    """An archive of some files, as a node makes it."""
    made, members = b"", []
    for number, data in enumerate(contents):
        name = f"{node}/{number:04d}.mp4"
        members.append(Member(name, NOON, len(made) + archive.room(name), len(data), zlib.crc32(data)))
        made += archive.head(members[-1]) + data
    return Part(node, node, tuple(members)), made + archive.tail(members, len(made))


FILES = st.lists(st.binary(max_size=40), min_size=1, max_size=3)


@given(st.lists(FILES, min_size=1, max_size=4), st.data())
def test_any_bytes_of_the_whole_are_found_in_the_parts(files: list[list[bytes]], data: st.DataObject) -> None:
    made = dict(part(f"sub-{number}", *contents) for number, contents in enumerate(files))
    whole = join(list(made))

    def read(start: int, end: int) -> bytes:
        pieces = slices(whole, start, end)
        return b"".join((made[one.part] if one.part else whole.tail)[one.start : one.end] for one in pieces)

    everything = read(0, whole.size)
    assert len(everything) == whole.size
    with zipfile.ZipFile(io.BytesIO(everything)) as found:
        assert [found.read(name) for name in found.namelist()] == [one for some in files for one in some]
    start = data.draw(st.integers(0, whole.size))
    end = data.draw(st.integers(start, whole.size))
    assert read(start, end) == everything[start:end]


def test_another_result_has_another_tag_and_files_of_one_name_are_not_joined() -> None:
    one, other = part("sub-1", b"a")[0], part("sub-2", b"a")[0]
    assert join([one, other]).tag == join([one, other]).tag
    assert join([one, other]).tag != join([one, replace(other, sha256="x")]).tag
    with pytest.raises(ValueError, match="same name"):
        join([one, one])
