"""What a run over many files has finished: known by its stamp, and never by a line that is not whole."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from trajnet.engine import DoneList, stamp_of
from trajnet.errors import InputError


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "a.csv"
    path.write_text("12345")
    os.utime(path, ns=(0, 1_000))
    return path


def test_a_stamp_changes_with_name_size_time_and_settings_alone(file: Path) -> None:
    before = stamp_of([file], ("rate", 10))
    assert stamp_of([file], ("rate", 20)) != before
    assert stamp_of([file, file], ("rate", 10)) != before
    os.utime(file, ns=(0, 2_000))
    assert stamp_of([file], ("rate", 10)) != before
    file.write_text("123456")
    os.utime(file, ns=(0, 1_000))
    assert stamp_of([file], ("rate", 10)) != before
    file.write_text("54321")
    os.utime(file, ns=(5_000, 1_000))
    assert stamp_of([file], ("rate", 10)) == before  # the time that it was read says nothing
    renamed = file.rename(file.with_name("b.csv"))
    assert stamp_of([renamed], ("rate", 10)) != before
    (file.parent / "deeper").mkdir()
    moved = renamed.rename(file.parent / "deeper" / "a.csv")
    assert stamp_of([moved], ("rate", 10)) == before


def test_a_stamp_by_content_takes_every_byte_and_no_time(file: Path) -> None:
    before = stamp_of([file], None, content=True)
    os.utime(file, ns=(0, 2_000))
    assert stamp_of([file], None, content=True) == before
    file.write_text("12346")
    assert stamp_of([file], None, content=True) != before


def test_a_file_that_is_not_there_has_no_stamp(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.csv: cannot be read: No such file"):
        stamp_of([tmp_path / "none.csv"], None)


def test_what_is_noted_is_found_by_its_stamp_the_newest_of_a_name(tmp_path: Path) -> None:
    path = tmp_path / "done.jsonl"
    noted = DoneList(path)
    assert noted.get("a", "s1") is None
    noted.add("a", "s1", {"rows": 3})
    noted.add("a", "s2", {"rows": 4})
    for found in (noted, DoneList(path)):
        assert found.get("a", "s2") == {"rows": 4}
        assert found.get("a", "s1") is None
        assert found.get("b", "s2") is None


@pytest.mark.parametrize("broken", ['["b", "s", {"ro', "null", "7", '["b"]', "[[], 1, 2]", '"abc"', "\\xff"])
def test_lines_that_are_not_whole_are_ignored_and_cost_no_other(tmp_path: Path, broken: str) -> None:
    path = tmp_path / "done.jsonl"
    DoneList(path).add("a", "s", 1)
    with path.open("a") as file:
        file.write(broken)
    DoneList(path).add("c", "s", 3)
    found = DoneList(path)
    assert (found.get("a", "s"), found.get("c", "s"), found.get("b", "s")) == (1, 3, None)


def test_a_list_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    (tmp_path / "done.jsonl").mkdir()
    with pytest.raises(InputError, match=r"done\.jsonl: cannot be written: Is a directory"):
        DoneList(tmp_path / "done.jsonl").add("a", "s", 1)
