"""Files appear whole or not at all: errors in the middle, a disk that is full, a process that is killed."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from trajnet.errors import InputError
from trajnet.whole_file import only_process, publish, scratch_folder, whole_file, write_text


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
    write_text(path, "new")
    assert path.read_text() == "new"
    assert [file.name for file in tmp_path.iterdir()] == ["report.json"]  # what was left is gone


ROOT = Path(__file__).resolve().parents[2]

#: Holds a part of a target and says so, until its input ends; then it finishes.
HOLDER = """
import sys
from pathlib import Path
from trajnet.whole_file import only_process, scratch_folder, whole_file
kind, path = sys.argv[1], Path(sys.argv[2])
lock = lambda path: only_process(path, "is training here")
with {"file": whole_file, "folder": scratch_folder, "lock": lock}[kind](path) as part:
    if kind == "file":
        part.write_text("of the other process")
    if kind == "folder":
        (part / "file").write_text("of the other process")
    print("holds", flush=True)
    sys.stdin.read()
"""


def holder(kind: str, path: Path) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, kind, str(path)],
        cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stdout.readline() == "holds\n"
    return process


def test_two_processes_that_write_one_file_have_parts_of_their_own(tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    other = holder("file", path)
    write_text(path, "mine")
    assert path.read_text() == "mine"
    other.communicate("")
    assert other.returncode == 0
    assert path.read_text() == "of the other process"
    assert [file.name for file in tmp_path.iterdir()] == ["report.json"]


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_parts_of_killed_processes_are_removed_and_those_of_living_ones_are_not(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "bag.db3"
    killed, living, killed_later = holder(kind, path), holder(kind, path), holder(kind, path)
    killed.kill()
    killed.wait()
    killed_later.kill()
    killed_later.wait()
    assert len(list(tmp_path.iterdir())) == 3
    with scratch_folder(path) if kind == "folder" else whole_file(path) as part:
        assert sorted(part.iterdir()) == [] if kind == "folder" else part.read_text() == ""
        assert len(list(tmp_path.iterdir())) == 2
    living.communicate("")
    assert living.returncode == 0
    assert [file.name for file in tmp_path.iterdir()] == ([] if kind == "folder" else ["bag.db3"])


def test_an_error_does_not_remove_the_part_that_another_process_began_meanwhile(tmp_path: Path) -> None:
    path = tmp_path / "report.json"

    def renamed_and_then_wrong() -> None:
        with whole_file(path) as part:
            part.rename(tmp_path / "elsewhere")
            part.write_text("of another process")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        renamed_and_then_wrong()
    assert sorted(file.name for file in tmp_path.iterdir()) == [".report.0.part.json", "elsewhere"]


def test_where_nothing_can_be_locked_parts_have_names_of_their_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_locks(handle: int, operation: int) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr("fcntl.flock", no_locks)
    path = tmp_path / "report.json"
    with whole_file(path) as one, whole_file(path) as two:
        assert one != two
        one.write_text("one")
        two.write_text("two")
    assert path.read_text() == "one"
    with scratch_folder(tmp_path / "bag"):
        pass
    assert [file.name for file in tmp_path.iterdir()] == ["report.json"]
    with only_process(tmp_path / "lock", "trains"):
        pass


def test_a_folder_is_published_whole(tmp_path: Path) -> None:
    with scratch_folder(tmp_path / "bag") as part:
        (part / "made/deep").mkdir(parents=True)
        (part / "made/deep/file").write_text("content")
        publish(part / "made", tmp_path / "bag")
    assert (tmp_path / "bag/deep/file").read_text() == "content"
    assert [file.name for file in tmp_path.iterdir()] == ["bag"]


def test_a_folder_has_one_writer_until_it_ends_or_is_killed(tmp_path: Path) -> None:
    lock = tmp_path / "out" / ".lock"
    other = holder("lock", lock)

    def begin() -> str:
        with only_process(lock, "is training here"):
            return lock.read_text()

    with pytest.raises(InputError, match=rf"out: another process \({other.pid} on .*\) is training here"):
        begin()
    other.kill()
    other.wait()
    assert begin().startswith(f"{os.getpid()} on ")
    assert begin().startswith(f"{os.getpid()} on ")


@pytest.mark.parametrize("path", ["/", "."])
def test_a_path_without_a_name_is_refused(path: str) -> None:
    with pytest.raises(InputError, match="expected the name of a file to write, got none"), whole_file(Path(path)):
        pass


def test_a_pipe_or_a_device_is_not_replaced_by_a_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    expected = "pipe: expected a file to write, got a device, pipe or socket"
    with pytest.raises(InputError, match=expected), whole_file(tmp_path / "pipe") as part:
        part.write_text("nothing may be written")
    assert (tmp_path / "pipe").is_fifo()
    assert [file.name for file in tmp_path.iterdir()] == ["pipe"]
