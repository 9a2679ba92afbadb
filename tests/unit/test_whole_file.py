"""Files appear whole or not at all: errors in the middle, a disk that is full, a process that is killed."""

from __future__ import annotations

import errno
import subprocess
import sys
from pathlib import Path

import pytest

from trajnet.errors import InputError
from trajnet.whole_file import whole_file, write_text


def test_a_file_replaces_the_one_before_when_it_is_complete(tmp_path: Path) -> None:
    path = tmp_path / "new" / "report.json"
    write_text(path, "one")
    with whole_file(path) as part:
        part.write_text("two")
        assert path.read_text() == "one"
        assert part.suffix == ".json"
    assert path.read_text() == "two"
    assert [file.name for file in path.parent.iterdir()] == ["report.json"]


def test_a_file_that_is_being_read_is_not_written_into(tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    path.write_text("old and whole")
    with path.open() as reader:
        write_text(path, "new")
        assert reader.read() == "old and whole"
    assert path.read_text() == "new"


def test_an_error_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    path.write_text("old")

    def half() -> None:
        with whole_file(path) as part:
            part.write_text("half of the")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        half()
    assert path.read_text() == "old"
    assert [file.name for file in tmp_path.iterdir()] == ["report.json"]


def test_a_full_disk_is_one_sentence_that_names_the_file(tmp_path: Path) -> None:
    path = tmp_path / "report.json"

    def full() -> None:
        with whole_file(path) as part:
            part.write_text("half of the")
            raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(InputError, match=r"report\.json: cannot be written: No space left on device"):
        full()
    assert list(tmp_path.iterdir()) == []


def test_a_path_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=r"x\.json: cannot be written"):
        write_text(tmp_path / "file" / "x.json", "text")


def test_a_killed_process_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    path.write_text("old")
    code = (
        "import os, signal, sys\nfrom pathlib import Path\nfrom trajnet.whole_file import whole_file\n"
        "with whole_file(Path(sys.argv[1])) as part:\n"
        "    part.write_text('half of the')\n    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run([sys.executable, "-c", code, str(path)], cwd=root, check=False)
    assert done.returncode == -9
    assert path.read_text() == "old"
