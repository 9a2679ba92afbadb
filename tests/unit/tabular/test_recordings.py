"""Tables of several recordings: how a clock that begins anew shows, and which column tells the recordings apart."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from trajnet.errors import InputError
from trajnet.tabular import TableOptions, scene_of_columns, split_columns
from trajnet.tabular.recordings import begin_anew

Rows = list[tuple[float, str, str]]


def recording(name: str, ids: list[str], count: int = 20, start_s: float = 0.0) -> Rows:
    """Rows sorted by time: (time, id, recording)."""
    return [(start_s + 0.1 * step, track, name) for step in range(count) for track in ids]


def columns(rows: Rows, **more: list[Any]) -> dict[str, Any]:
    time, track, name = zip(*rows, strict=True)
    found = {"time_s": time, "track_id": track, "x": np.arange(len(rows)), "y": np.zeros(len(rows)), **more}
    return {key: np.asarray(values) for key, values in {**found, "recordingId": name}.items()}


def restarts(rows: Rows) -> list[int]:
    time, track, _ = zip(*rows, strict=True)
    _, number = np.unique(np.array(track), return_inverse=True)
    return [int(row) for row in begin_anew(np.rint(np.array(time) * 1e9).astype(np.int64), number.ravel())]


def test_ids_that_come_back_with_an_earlier_time_begin_anew() -> None:
    assert restarts(recording("1", ["a", "b"], 40) + recording("2", ["a", "b"], 30)) == [80, 81]


def test_other_ids_begin_anew_where_rows_are_sorted_by_time() -> None:
    assert restarts(recording("1", ["a", "b"], 40) + recording("2", ["c", "d"], 30)) == [80]


@pytest.mark.parametrize(
    "rows",
    [
        recording("1", ["a", "b", "c"], 50),
        sorted(recording("1", ["a", "b", "c"], 50), key=lambda row: row[1]),  # by track
        [recording("1", ["a", "b"], 40)[i] for i in np.random.default_rng(0).permutation(80)],
        recording("1", ["a", "b"], 40)[::-1],
        recording("1", ["a"], 40) + [(1.0, "a", "1")],  # one row that is late
        recording("1", ["a", "b"], 20) + recording("2", ["a", "b"], 20, start_s=1.5),  # back by less than 1 s
        [],
    ],
    ids=["by time", "by track", "shuffled", "backwards", "a late row", "a short step back", "none"],
)
def test_one_clock_is_left_alone(rows: Rows) -> None:
    assert begin_anew(np.zeros(0, np.int64), np.zeros(0, np.int64)).tolist() == [] if not rows else restarts(rows) == []


def test_the_error_names_the_row_and_the_column_that_tells_them_apart() -> None:
    rows = recording("1", ["a", "b"], 40) + recording("2", ["a", "b"], 30)
    weather = ["dry"] * 80 + ["wet"] * 30 + ["dry"] * 30
    message = r"time_s: expected one clock, got times that begin anew in row 80 \(id a\) and in 1 others.* recordingId,"
    with pytest.raises(InputError, match=message):
        scene_of_columns(columns(rows, weather=weather), TableOptions())
    unnamed = columns(rows)
    del unnamed["recordingId"]
    with pytest.raises(InputError, match="convert --split-by COLUMN, else sort the rows by time"):
        scene_of_columns(unnamed, TableOptions())


def test_a_table_is_split_by_the_values_of_a_column_as_they_come() -> None:
    rows = recording("b", ["x", "y"], 5) + recording("a", ["x"], 6) + recording("b", ["z"], 2, start_s=3.0)
    parts = list(split_columns(columns(rows), "recordingId"))
    assert [value for value, _ in parts] == ["b", "a"]
    assert [len(part["x"]) for _, part in parts] == [12, 6]
    assert "recordingId" not in parts[0][1]
    scene, _ = scene_of_columns(parts[0][1], TableOptions(scene_id="b"))
    assert scene.track_id == ("x", "y", "z")
    assert (scene.frame_count, scene.position_m[:, 0].sum()) == (7, sum(range(10)) + 16 + 17)


def test_what_cannot_be_split_is_refused() -> None:
    table = columns(recording("1", ["a"], 3))
    with pytest.raises(InputError, match="split-by: expected one of time_s, track_id, x, y, recordingId, got 'scene'"):
        list(split_columns(table, "scene"))
    table["recordingId"] = np.array(["1", None, "1"], dtype=object)
    with pytest.raises(InputError, match="split-by: expected a value of recordingId in every row, got none in row 1"):
        list(split_columns(table, "recordingId"))
