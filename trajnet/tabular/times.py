"""Times of a table as integer nanoseconds, only ever by a unit that the table or the user states."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trajnet.errors import InputError
from trajnet.tabular.columns import numbers
from trajnet.tabular.options import FRAME_NUMBERS, TIME_NS, frame_rate_hz
from trajnet.types import IntArray

#: Periods between frames that recordings have, in s; a unit that gives another is not suggested.
USUAL_PERIOD_S = (0.005, 5.0)


def timestamps(name: str, values: NDArray[Any], unit: str | None) -> tuple[IntArray, str]:
    """Return the times (R,) in ns and the unit in words.

    unit: s, ms, us, ns; 25hz: the values are numbers of frames, 25 a second; None: as the column's type (stamps with a
    date) or the end of its name says, such as time_ms. Raises InputError where no unit is stated, for missing values,
    and for fractions of a nanosecond.
    """
    if values.dtype.kind == "M":
        return _dates(name, values, unit), "dates"
    as_numbers = numbers(name, values)
    bad = ~np.isfinite(as_numbers)
    if bad.any():
        raise InputError(f"column {name}: expected a time in every row, got none in row {int(bad.argmax())}")
    ending = re.search(r"_(ns|us|ms|s)$", name.lower())
    known = unit or (ending.group(1) if ending else None)
    if known is None:
        raise InputError(
            f"column {name}: expected the unit of the times, got none; state it{_suggestion(as_numbers, name)}"
        )
    if rate_hz := frame_rate_hz(known):
        return _at_rate(name, as_numbers, rate_hz), f"numbers of frames, {rate_hz:g} a second"
    if values.dtype.kind in "iu":
        whole = values.astype(np.int64)
        if len(whole) and np.abs(as_numbers).max() * TIME_NS[known] >= 2**63:
            raise InputError(f"column {name}: expected times in {known} that fit 64 bits as ns, got larger ones")
        return whole * TIME_NS[known], known
    if known == "ns" and (as_numbers != np.rint(as_numbers)).any():
        raise InputError(
            f"column {name}: expected whole nanoseconds, got {as_numbers[(as_numbers % 1 != 0).argmax()]}; state the "
            f"unit{_suggestion(as_numbers, name)}"
        )
    # whole seconds apart, so that no digit of an epoch in seconds is lost in the product
    whole_s, rest = np.divmod(as_numbers * (TIME_NS[known] / 1e9) if known != "s" else as_numbers, 1.0)
    if len(whole_s) and np.abs(whole_s).max() >= 2**63 / 1e9:
        raise InputError(f"column {name}: expected times in {known} that fit 64 bits as ns, got larger ones")
    return whole_s.astype(np.int64) * 1_000_000_000 + np.rint(rest * 1e9).astype(np.int64), known


def _dates(name: str, values: NDArray[Any], unit: str | None) -> IntArray:
    """Return dates (R,) in ns. Raises InputError where numbers of frames are stated, and for missing ones."""
    if unit and frame_rate_hz(unit):
        raise InputError(f"column {name}: expected numbers of frames, for time={unit}, got dates")
    if np.isnat(values).any():
        raise InputError(f"column {name}: expected a time in every row, got {int(np.isnat(values).sum())} without")
    return values.astype("datetime64[ns]").astype(np.int64)


def _at_rate(name: str, frame: NDArray[np.float64], rate_hz: float) -> IntArray:
    """Return the times (R,) in ns of these numbers of frames. Raises InputError for what is no number of a frame."""
    if (odd := frame[frame != np.rint(frame)]).size:
        raise InputError(f"column {name}: expected whole numbers of frames, got {odd[0]}")
    if len(frame) and np.abs(frame).max() / rate_hz >= 2**63 / 1e9:
        raise InputError(f"column {name}: expected times that fit 64 bits as ns, got frame {np.abs(frame).max():g}")
    return np.rint(frame * (1e9 / rate_hz)).astype(np.int64)


def _suggestion(values: NDArray[np.float64], name: str) -> str:
    """Return which unit gives a usual rate, as a hint; an example if none or several do."""
    steps = np.diff(np.unique(values))
    if not len(steps):
        return " with units, for example time=s"
    period = float(np.median(steps))
    if period == 1.0 or name.lower() in FRAME_NUMBERS:
        return (
            f" with units; their steps of {period:g} look like numbers of frames: time=25hz for 25 a second; "
            "time=s for seconds"
        )
    low, high = USUAL_PERIOD_S
    fitting = [unit for unit, ns in TIME_NS.items() if low <= period * ns * 1e-9 <= high]
    if len(fitting) != 1:
        return " with units, for example time=s"
    return f" with units; their steps of {period:g} look like time={fitting[0]}"
