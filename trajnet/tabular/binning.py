"""Stamps of their own for each object become frames at one rate."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from trajnet.types import BoolArray, FloatArray, IntArray


class Binned(NamedTuple):
    """kept (R,): the rows that remain. timestamp_ns (R,), position_m (R, 2): all rows at the time of their bin.

    words: what was done, in numbers.
    """

    kept: BoolArray
    timestamp_ns: IntArray
    position_m: FloatArray
    words: str


def bin_stamps(
    timestamp_ns: IntArray, track: IntArray, position_m: FloatArray, velocity_mps: FloatArray, rate_hz: float
) -> Binned:
    """Return rows at the times first + k / rate_hz: of each track and bin the row nearest to it, moved to its time.

    track (R,): index of each row's track. velocity_mps (R, 2): measured, NaN where it is not; the row then moves by the
    velocity since the track's row before it, which looks at nothing later, and a first row stays where it is.
    """
    start_ns = int(timestamp_ns.min())
    period_ns = 1e9 / rate_hz
    number = np.rint((timestamp_ns - start_ns) / period_ns).astype(np.int64)
    binned_ns = start_ns + np.rint(number * period_ns).astype(np.int64)
    shift_s = (binned_ns - timestamp_ns) * 1e-9
    velocity = np.where(np.isfinite(velocity_mps), velocity_mps, _velocity_before(timestamp_ns, track, position_m))
    moved_m = velocity * shift_s[:, None]
    order = np.lexsort((timestamp_ns, np.abs(shift_s), number, track))
    first = np.ones(len(order), np.bool_)
    first[1:] = (np.diff(track[order]) != 0) | (np.diff(number[order]) != 0)
    kept = np.zeros(len(order), np.bool_)
    kept[order[first]] = True
    distance_m = np.hypot(*moved_m[kept].T)
    stamps = len(np.unique(timestamp_ns))
    words = (
        f"binned {stamps:,} stamps to {len(np.unique(number[kept])):,} frames at {rate_hz:g} Hz: rows moved by at most "
        f"{np.abs(shift_s[kept]).max() * 1e3:.1f} ms and {distance_m.max():.2f} m (median "
        f"{np.median(np.abs(shift_s[kept])) * 1e3:.1f} ms), {int((~kept).sum()):,} rows left out as a "
        "track's second in one frame"
    )
    return Binned(kept, binned_ns, position_m + moved_m, words)


def _velocity_before(timestamp_ns: IntArray, track: IntArray, position_m: FloatArray) -> FloatArray:
    """Return (R, 2) the mean velocity since the row before of the same track, m/s; 0 for a track's first row."""
    order = np.lexsort((timestamp_ns, track))
    dt_s = np.diff(timestamp_ns[order]) * 1e-9
    same = (np.diff(track[order]) == 0) & (dt_s > 0)
    velocity = np.zeros_like(position_m)
    velocity[order[1:][same]] = np.diff(position_m[order], axis=0)[same] / dt_s[same, None]
    return velocity
