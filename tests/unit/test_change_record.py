"""What a node remembers of a change survives interruptions, and files of others are not trusted."""

import time
from pathlib import Path

import pytest

from services.node import change_record
from services.node.change_record import Record


@pytest.fixture(autouse=True)
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(change_record, "RECORDS", tmp_path / "records")
    monkeypatch.setattr(change_record, "ASKED", tmp_path / "asked")
    (tmp_path / "asked").mkdir()
    return tmp_path


def test_a_record_is_read_back_as_it_was_written() -> None:
    record = Record("a" * 32, {"tls10": True}, began=time.time())
    record.say("waiting", "All is well.")
    assert change_record.load("a" * 32) == record
    assert list(change_record.listing()) == [record]


def test_a_damaged_record_hides_no_other_one(folders: Path) -> None:
    Record("a" * 32, {}, began=1).say("kept", "")
    (folders / "records" / f"{'b' * 32}.json").write_text("{half")
    assert [one.id for one in change_record.listing()] == ["a" * 32]


def test_time_is_over_when_it_passed_and_when_the_clock_went_back() -> None:
    now = time.time()
    assert not Record("a", {}, began=now, ends=now + 60).expired
    assert Record("a", {}, began=now - 90, ends=now - 30).expired
    assert Record("a", {}, began=now + 1000, ends=now + 1300).expired


def test_a_link_in_the_place_of_a_request_is_not_followed(folders: Path) -> None:
    (folders / "secret").write_text('{"tls10": true}')
    (folders / "asked" / "x.json").symlink_to(folders / "secret")
    with pytest.raises(ValueError, match="no such request"):
        change_record.request_of("x")
    (folders / "asked" / "y.json").write_text("[]")
    with pytest.raises(ValueError, match="no JSON object"):
        change_record.request_of("y")


def test_only_two_words_are_an_answer(folders: Path) -> None:
    assert change_record.answer("x") == ""
    (folders / "asked" / "x.answer").write_text("keep\n")
    assert change_record.answer("x") == "keep"
    (folders / "asked" / "x.answer").write_text("rm -rf /")
    assert change_record.answer("x") == ""


def test_old_records_are_forgotten_and_open_ones_never() -> None:
    Record("open".ljust(32, "0"), {}, began=0).say("waiting", "")
    for number in range(change_record.KEPT + 5):
        Record(f"{number:032x}", {}, began=number + 1).say("kept", "")
    change_record.forget_old()
    left = list(change_record.listing())
    assert len(left) == change_record.KEPT + 1
    assert left[-1].state == "waiting"
