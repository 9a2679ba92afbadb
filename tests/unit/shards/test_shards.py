"""Shards hold what was put in, in bounded files; groups are built once, and again only where they are not complete."""

from __future__ import annotations

import fcntl
import json
import os
import pickle
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from tests.unit.shards.makers import arrays, make, make_and_die_once
from trajnet.engine import InProcess, ProcessPool
from trajnet.errors import InputError
from trajnet.shards import Group, Shard, ShardReader, build_groups, store, write_shards


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> int:
    """Shards of at most five rows."""
    size = store.record_type(arrays(0, 1)).itemsize
    monkeypatch.setattr(store, "SHARD_BYTES", 5 * size + 3)
    return size


def test_rows_come_back_in_any_order(tmp_path: Path, small: int) -> None:
    written = write_shards([arrays(0, 7), arrays(7, 0), arrays(7, 6)], tmp_path / "a")
    assert written == [("a-0000.npy", 5), ("a-0001.npy", 5), ("a-0002.npy", 3)]
    assert max((tmp_path / name).stat().st_size for name, _ in written) <= 5 * small + 512
    reader = ShardReader([Shard(tmp_path / name, rows) for name, rows in written])
    rows = np.array([12, 0, 4, 5, 9, 10, 4])
    got = pickle.loads(pickle.dumps(reader)).read(rows)
    for name, values in arrays(0, 13).items():
        np.testing.assert_array_equal(got[name], values[rows], err_msg=name)
        assert got[name].dtype == values.dtype
    reader.read(rows)
    copy = pickle.loads(pickle.dumps(reader))
    np.testing.assert_array_equal(copy.read(rows), got)
    del copy  # closes files of its own
    np.testing.assert_array_equal(reader.read(rows), got)
    assert len(reader) == 13
    assert len(reader.read(rows[:0])) == 0
    np.testing.assert_array_equal(np.load(tmp_path / "a-0001.npy", mmap_mode="r")["place_m"], arrays(5, 5)["place_m"])


def test_more_files_than_a_process_may_open(tmp_path: Path, small: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trajnet.shards.reader.OPEN_FILES", 2)
    written = write_shards([arrays(0, 23)], tmp_path / "a")
    reader = ShardReader([Shard(tmp_path / name, rows) for name, rows in written])
    before = len(list(Path("/proc/self/fd").iterdir()))
    got = reader.read(np.arange(23)[::-1])
    np.testing.assert_array_equal(got["place_m"], arrays(0, 23)["place_m"][::-1])
    assert len(list(Path("/proc/self/fd").iterdir())) <= before + 2


def test_what_does_not_fit_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="expected the same arrays"):
        write_shards([arrays(0, 2), {"valid": np.ones(2, bool)}], tmp_path / "a")
    with pytest.raises(InputError, match="expected at least one, got none"):
        ShardReader([])
    (tmp_path / "text.npy").write_text("no array")
    with pytest.raises(InputError, match=r"text\.npy: expected a shard"):
        ShardReader([Shard(tmp_path / "text.npy", 3)])
    name, rows = write_shards([arrays(0, 4)], tmp_path / "cut")[0]
    reader = ShardReader([Shard(tmp_path / name, rows)])
    with pytest.raises(IndexError, match="expected 0 to 3, got 4"):
        reader.read(np.array([4]))
    others, _ = write_shards([{**arrays(4, 2), "valid": np.ones(2)}], tmp_path / "others")[0]
    mixed = ShardReader([Shard(tmp_path / name, rows), Shard(tmp_path / others, 2)])
    with pytest.raises(InputError, match=r"others-0000\.npy: expected records as in cut-0000\.npy, got others"):
        mixed.read(np.array([rows]))
    os.truncate(tmp_path / name, (tmp_path / name).stat().st_size - 1)
    with pytest.raises(InputError, match="ends before row 3"):
        reader.read(np.array([3]))


def groups(folder: Path | None, count: int = 5) -> list[Group]:
    return [Group(f"g{n}", (10 * n, 8, "" if folder is None else str(folder))) for n in range(count)]


def test_a_worker_that_is_killed_leaves_no_half_group(tmp_path: Path) -> None:
    (tmp_path / "notes").mkdir()
    one = build_groups(groups(None), tmp_path / "one", make, InProcess())
    many = build_groups(groups(tmp_path / "notes"), tmp_path / "many", make_and_die_once, ProcessPool(2))
    assert (tmp_path / "notes" / "died").exists()
    assert [[shard.path.name for shard in group] for group in one] == [[s.path.name for s in group] for group in many]
    for file in sorted((tmp_path / "one").iterdir()):
        assert file.read_bytes() == (tmp_path / "many" / file.name).read_bytes()
    assert not [file for file in (tmp_path / "many").iterdir() if file.name.startswith(".")]


def test_only_what_is_not_complete_is_built(tmp_path: Path) -> None:
    (tmp_path / "notes").mkdir()
    told: list[tuple[int, int]] = []
    build_groups(groups(tmp_path / "notes", 2), tmp_path / "s", make, InProcess())
    (tmp_path / "s" / "g1.json").unlink()  # as if it had been killed before the last step
    got = build_groups(
        groups(tmp_path / "notes"), tmp_path / "s", make, InProcess(), progress=lambda *done: told.append(done)
    )
    assert sorted(file.name.split("-")[1] for file in (tmp_path / "notes").iterdir()) == ["0", "10", "20", "30", "40"]
    assert told == [(2, 5), (3, 5), (4, 5), (5, 5)]
    assert [shard.rows for group in got for shard in group] == [8] * 5
    (tmp_path / "s" / "g3-0000.npy").unlink()
    with pytest.raises(InputError, match=r"g3-0000\.npy: is missing; remove g3\.json"):
        build_groups(groups(None), tmp_path / "s", make, InProcess())
    (tmp_path / "s" / "g3.json").write_text("[[")
    with pytest.raises(InputError, match=r"g3\.json: expected a list of shards"):
        build_groups(groups(None), tmp_path / "s", make, InProcess())


def test_a_group_that_another_command_builds_is_waited_for(tmp_path: Path) -> None:
    folder, notes = tmp_path / "s", tmp_path / "notes"
    folder.mkdir()
    notes.mkdir()
    other = os.open(folder / ".g1.lock", os.O_RDWR | os.O_CREAT)
    fcntl.flock(other, fcntl.LOCK_EX)

    def finish() -> None:
        """What the other command does: it completes its group once all the others are there, and lets go."""
        while not all((folder / f"g{n}.json").is_file() for n in (0, 2, 3, 4)):
            time.sleep(0.01)
        (folder / "g1.json").write_text(json.dumps(write_shards(make((10, 8, "")), folder / "g1")))
        os.close(other)

    beside = threading.Thread(target=finish)
    beside.start()
    got = build_groups(groups(notes), folder, make, InProcess())
    beside.join()
    assert [shard.rows for group in got for shard in group] == [8] * 5
    assert sorted(file.name.split("-")[1] for file in notes.iterdir()) == ["0", "20", "30", "40"]
