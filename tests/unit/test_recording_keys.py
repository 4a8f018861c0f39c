"""Keys of encrypted recordings on a node: made once, renewed without losing one, kept by a restore."""

import io
import tarfile
from pathlib import Path

import pytest

from services import recording_keys
from services.node import __main__ as command
from services.node import backup, credentials, files, lock, units
from services.node import recording_keys as keys
from services.runtime.errors import Problem


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where a node that was just deployed has them."""
    folder = tmp_path / "credentials"
    monkeypatch.setattr(files, "ETC", tmp_path)
    monkeypatch.setattr(keys, "PATH", folder / recording_keys.NAME)
    monkeypatch.setattr(keys, "LOCK", tmp_path / "lock")
    credentials.make_missing(folder, main=False)
    return folder / recording_keys.NAME


def test_a_new_key_comes_first_and_the_service_is_told_after_it_is_kept(
    path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (first,) = recording_keys.read(path.read_text())
    seen: list[tuple[str, int]] = []
    monkeypatch.setattr(units, "systemctl", lambda *words: seen.append((" ".join(words), held(path))))
    assert command.main(["recording-key", "new"]) == 0
    second, kept = recording_keys.read(path.read_text())
    assert kept == first != second
    assert seen == [("try-restart dss-ss.service", 2)]
    assert path.stat().st_mode & 0o777 == 0o600
    capsys.readouterr()
    assert command.main(["recording-key", "list"]) == 0
    assert capsys.readouterr().out.split() == [second.id.hex(), first.id.hex()]
    assert credentials.make_missing(path.parent, main=False).changes == []


def test_while_somebody_adds_a_key_nobody_else_does(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keys, "LOCK_SECONDS", 0.0)
    before = path.read_text()
    with lock.alone(keys.LOCK, 1), pytest.raises(Problem, match="No key was added"):
        keys.renew()
    assert path.read_text() == before


def held(path: Path) -> int:
    return len(recording_keys.read(path.read_text()))


@pytest.mark.parametrize("text", ["", "no key", "ab" * 31, "ab" * 32 + "\n" + "cd" * 33])
def test_a_file_that_holds_no_keys_is_left_alone_and_named(path: Path, text: str) -> None:
    path.write_text(text)
    for order in (keys.listing, keys.renew):
        with pytest.raises(Problem, match="cannot be read") as caught:
            order()
        assert str(path) in caught.value.why
    assert path.read_text() == text


def test_a_restore_adds_the_keys_of_the_backup_to_those_of_the_host(path: Path, tmp_path: Path) -> None:
    (own,) = recording_keys.read(path.read_text())
    older, archive = recording_keys.new(), tmp_path / "restore.tar"
    data = recording_keys.written([older]).encode()
    with tarfile.open(archive, "w") as target:
        member = tarfile.TarInfo(f"etc/credentials/{recording_keys.NAME}")
        member.size, member.mode = len(data), 0o600
        target.addfile(member, io.BytesIO(data))
    for _ in range(2):
        backup.restore_files(archive)
        assert recording_keys.read(path.read_text()) == (own, older)
    path.unlink()
    backup.restore_files(archive)
    assert recording_keys.read(path.read_text()) == (older,)
