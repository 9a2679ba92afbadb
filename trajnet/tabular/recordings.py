"""Tables that hold several recordings: clocks that begin anew, and one table for each value of a column."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from trajnet.errors import InputError
from trajnet.tabular.columns import Columns, texts
from trajnet.types import BoolArray, IntArray

#: A clock that goes back by less is late rows, not another recording (ns).
SHORTEST_STEP_BACK_NS = 1_000_000_000
#: A stretch of rising times with fewer rows is no recording.
FEWEST_ROWS = 5


def split_columns(columns: Columns, by: str) -> Iterator[tuple[str, Columns]]:
    """Yield (value, the columns of its rows without that column) for each value of a column, as they first appear.

    Raises InputError where there is no such column, or a row without a value in it.
    """
    if by not in columns:
        raise InputError(f"split-by: expected one of {', '.join(columns)}, got {by!r}")
    rows: dict[str, list[int]] = {}
    for row, value in enumerate(texts(columns[by])):
        if value is None:
            raise InputError(f"split-by: expected a value of {by} in every row, got none in row {row}")
        rows.setdefault(value, []).append(row)
    for value, chosen in rows.items():
        yield value, {name: values[chosen] for name, values in columns.items() if name != by}


def begin_anew(timestamp_ns: IntArray, track: IntArray) -> IntArray:
    """Return the rows, in the table's order, with which a clock seems to begin anew, sorted.

    timestamp_ns (R,), track (R,): an integer for each track. Rows sorted by track do so at every track, and shuffled
    rows all the time. So it counts only where the times of one track go back after some rows that rise, or where the
    whole table's do although its tracks alternate, as they do in rows sorted by time.
    """
    order = np.argsort(track, kind="stable")
    same = np.diff(track[order]) == 0
    of_tracks = order[_restarts(timestamp_ns[order], np.concatenate([[False], same]))]
    of_table = _restarts(timestamp_ns, np.arange(len(track)) > 0)
    if len(of_table) and not all(map(_alternate, np.split(track, of_table))):
        of_table = of_table[:0]
    return np.union1d(of_tracks, of_table)


def telling_column(columns: Columns, unused: list[str], timestamp_ns: IntArray, track: IntArray) -> str | None:
    """Return the first unused column in whose every value the clock runs once and each track is once at a time."""
    for name in unused:
        _, code = np.unique(np.array([str(value) for value in texts(columns[name])]), return_inverse=True)
        _, both = np.unique(np.stack([track, code.ravel()]), axis=1, return_inverse=True)
        both = both.ravel()
        rows = np.argsort(code.ravel(), kind="stable")
        stretches = np.split(rows, np.flatnonzero(np.diff(code.ravel()[rows])) + 1)
        few = 2 <= len(stretches) <= len(track) / FEWEST_ROWS
        twice = len(np.unique(np.stack([both, timestamp_ns]), axis=1).T) < len(track)
        if few and not twice and not any(len(begin_anew(timestamp_ns[part], track[part])) for part in stretches):
            return name
    return None


def require_one_clock(
    columns: Columns, unused: list[str], name: str, timestamp_ns: IntArray, track: IntArray, names: list[str]
) -> None:
    """Raise InputError that names the row, and the column to split by, where the clock of a table begins anew.

    unused: columns without a meaning yet. name: the column of the times. names: of the tracks.
    """
    again = begin_anew(timestamp_ns, track)
    if not len(again):
        return
    by = telling_column(columns, unused, timestamp_ns, track)
    row = int(again[0])
    raise InputError(
        f"column {name}: expected one clock, got times that begin anew in row {row} (id {names[track[row]]}) and in "
        f"{len(again) - 1} others; if these are several recordings make a scene of each with "
        f"convert --split-by {by or 'COLUMN'}, else sort the rows by time"
    )


def _restarts(timestamp_ns: IntArray, joined: BoolArray) -> IntArray:
    """Return the rows at which rising times go back after and before enough rows; joined (R,): to the row before it."""
    step_ns = np.diff(timestamp_ns, prepend=timestamp_ns[:1])
    back = joined & (step_ns < 0)
    run = np.cumsum(back | ~joined)
    rows = np.bincount(run)
    found = np.flatnonzero(back & (step_ns < -SHORTEST_STEP_BACK_NS))
    enough = np.minimum(rows[run[found]], rows[run[found] - 1]) >= FEWEST_ROWS
    restarts: IntArray = found[enough]
    return restarts


def _alternate(track: IntArray) -> bool:
    """Return whether tracks come back after others: rows sorted by time, of several objects."""
    return bool(np.count_nonzero(np.diff(track)) >= len(np.unique(track)) > 1)
