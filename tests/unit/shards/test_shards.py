"""Shards hold what was put in, in bounded files; groups are built once, and again only where they are not complete."""

from __future__ import annotations

import fcntl
import json
import os
import pickle
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.unit.shards.makers import arrays, make, make_and_die_once, piece
from trajnet.engine import InProcess, ProcessPool
from trajnet.errors import InputError
from trajnet.shards import Group, Piece, Shard, ShardReader, build_groups, store, write_shards
from trajnet.shards.pieces import packed, unpacked
from trajnet.types import IntArray


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> int:
    """Shards of at most two pieces."""
    size = len(packed(arrays(0, 4)))
    monkeypatch.setattr(store, "SHARD_BYTES", 2 * size + size // 2)
    return size


def shards(folder: Path, *pieces: Piece) -> list[Shard]:
    return [Shard(folder / name, tuple(contents)) for name, contents in write_shards(pieces, folder / "a")]


def read(reader: ShardReader, rows: IntArray) -> dict[str, NDArray[Any]]:
    """Return the arrays of these rows, put together in their order."""
    found = {name: np.empty((len(rows), *values.shape[1:]), values.dtype) for name, values in arrays(0, 1).items()}
    for part in reader.find(rows):
        for name, values in reader.arrays(part.piece).items():
            found[name][part.place] = values[part.inside]
    return found


def test_rows_come_back_in_any_order(tmp_path: Path, small: int) -> None:
    written = shards(tmp_path, piece(0, 4), piece(4, 4), piece(8, 4), piece(12, 1))
    assert [(shard.path.name, shard.rows) for shard in written] == [("a-0000.bin", 8), ("a-0001.bin", 5)]
    assert max(shard.path.stat().st_size for shard in written) <= 2.5 * small
    reader = ShardReader(written)
    rows = np.array([12, 0, 4, 5, 9, 10, 4])
    got = read(pickle.loads(pickle.dumps(reader)), rows)
    for name, values in arrays(0, 13).items():
        np.testing.assert_array_equal(got[name], values[rows], err_msg=name)
    assert {name: values.dtype for name, values in got.items()} == {
        name: values.dtype for name, values in arrays(0, 1).items()
    }
    read(reader, rows)
    copy = pickle.loads(pickle.dumps(reader))
    read(copy, rows)
    del copy  # closes files of its own
    np.testing.assert_array_equal(read(reader, rows)["place_m"], got["place_m"])
    assert len(reader) == 13
    assert reader.piece_rows.tolist() == [4, 4, 4, 1]
    assert [part.piece for part in reader.find(rows)] == [0, 1, 2, 3]  # each piece once, however many of its rows
    assert not list(reader.find(rows[:0]))


def test_more_files_than_a_process_may_open(tmp_path: Path, small: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trajnet.shards.reader.OPEN_FILES", 2)
    reader = ShardReader(shards(tmp_path, *(piece(4 * n, 4) for n in range(10))))
    assert len(reader.shards) == 5
    before = len(list(Path("/proc/self/fd").iterdir()))
    for rows in (np.arange(40)[::-1], np.arange(40)):
        np.testing.assert_array_equal(read(reader, rows)["place_m"], arrays(0, 40)["place_m"][rows])
    assert len(list(Path("/proc/self/fd").iterdir())) <= before + 2


def test_what_does_not_fit_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="expected at least one, got none"):
        ShardReader([])
    (shard,) = shards(tmp_path, piece(0, 4))
    reader, whole = ShardReader([shard]), shard.path.read_bytes()
    with pytest.raises(IndexError, match="expected 0 to 3, got 4"):
        read(reader, np.array([4]))
    for damaged in (whole[:-1], bytes(len(whole)), whole[:60] + bytes(len(whole) - 60)):
        shard.path.write_bytes(damaged)
        with pytest.raises(
            InputError, match=r"a-0000\.bin: expected .* got: .*remove it|a-0000\.bin: expected .* bytes"
        ):
            read(ShardReader([shard]), np.array([3]))
    shard.path.unlink()
    with pytest.raises(InputError, match=r"a-0000\.bin: expected a shard"):
        read(ShardReader([shard]), np.array([3]))


def test_every_array_comes_back_with_its_type_and_shape() -> None:
    given: dict[str, NDArray[Any]] = {
        "none": np.zeros((0, 3), np.float32),
        "one": np.array(5, np.int16),
        "turned": np.arange(12.0).reshape(3, 4).T,
        "odd": np.array([np.nan, -0.0, np.inf, 5e-324]),
        "flags": np.array([True, False]),
    }
    got = unpacked(packed(given))
    assert list(got) == list(given)
    for name, values in given.items():
        assert (got[name].dtype, got[name].shape) == (values.dtype, values.shape), name
        assert got[name].tobytes() == values.tobytes(), name


def test_a_piece_with_more_bytes_than_its_arrays_have_is_refused() -> None:
    whole = packed({"one": np.arange(4.0)})
    with pytest.raises(InputError, match="8 bytes are left"):
        unpacked(whole.replace(b"[4]", b"[3]"))


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
    (tmp_path / "s" / "g3-0000.bin").unlink()
    with pytest.raises(InputError, match=r"g3-0000\.bin: is missing; remove g3\.json"):
        build_groups(groups(None), tmp_path / "s", make, InProcess())
    for damaged in ("[[", '[["g3-0000.bin", [[1e999, 5]]]]', '[["g3-0000.bin", [[8, -5]]]]'):
        (tmp_path / "s" / "g3.json").write_text(damaged)
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
