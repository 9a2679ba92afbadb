"""Units of time and place: what no road user can do, whatever it is."""

from __future__ import annotations

import numpy as np

from trajnet.check.finding import Finding
from trajnet.check.steps import Pairs
from trajnet.tabular.options import TIME_NS
from trajnet.types import CLASS_NAMES, FloatArray, Scene

#: Periods of recordings, s: 200 Hz to one frame in 5 s.
PERIOD_S = (0.005, 5.0)
TIME_UNITS = {"s": "seconds", "ms": "milliseconds", "us": "microseconds", "ns": "nanoseconds"}
#: No map projection of the earth has places farther from its origin, m.
FARTHEST_M = 1e8
#: Metres of one degree, of longitude up to 60 degrees north: what positions in degrees make of speeds.
DEGREE_M = (50_000.0, 120_000.0)
#: The speed in m/s that 95 % of a class's moves stay under.
MAX_SPEED_MPS: FloatArray = np.array([70.0, 70.0, 45.0, 40.0, 80.0, 20.0, 10.0])
MIN_MOVES = 20


def time_findings(period_s: float) -> list[Finding]:
    """Return what is wrong with the unit of times, from the median time between a track's observations."""
    low, high = PERIOD_S
    if low <= period_s <= high or not np.isfinite(period_s):
        return []
    fitting = [factor for factor in (1e9, 1e6, 1e3, 1e-3, 1e-6, 1e-9) if low <= period_s * factor <= high]
    sentence = f"a track is observed every {period_s:.3g} s"
    if not fitting:
        return [Finding("doubt", "time_unit", sentence, "Is the unit of the times right?")]
    best = min(fitting, key=lambda factor: abs(np.log10(period_s * factor / 0.1)))
    return [Finding("mistake", "time_unit", sentence, _time_cause(best))]


def _time_cause(factor: float) -> str:
    """Return which units were taken for each other where times must be multiplied by this; any may have been read."""
    taken = [
        f"{name} taken as {other} (units time={unit})"
        for unit, name in TIME_UNITS.items()
        for wrong, other in TIME_UNITS.items()
        if np.isclose(TIME_NS[unit] / TIME_NS[wrong], factor)
    ]
    return f"The times look like {', or '.join(taken)}"


def far_findings(scene: Scene) -> list[Finding]:
    """Return positions that are nowhere on the earth."""
    far = np.asarray((np.abs(scene.position_m) > FARTHEST_M).any(axis=1))
    if not far.any():
        return []
    row = int(far.argmax())
    name, (x, y) = scene.track_id[scene.row_track[row]], scene.position_m[row]
    sentence = (
        f"{int(far.sum()):,} of {len(far):,} positions are more than {FARTHEST_M / 1000:,.0f} km from the origin, "
        f"the first of track {name!r} at ({x:.3g}, {y:.3g}) m"
    )
    cause = "They look like a placeholder (leave out what is not measured), or another unit (units length=cm or mm)"
    return [Finding("mistake", "far", sentence, cause)]


def degree_findings(scene: Scene, steps: Pairs) -> list[Finding]:
    """Return whether positions are latitude and longitude that were taken as metres."""
    if not len(scene.row_frame):
        return []
    extent = np.ptp(scene.position_m, axis=0)
    largest = np.abs(scene.position_m).max(axis=0)
    if not (largest.max() <= 360 and largest.min() <= 90 and extent.max() < 2.0):
        return []
    signs = [_speeds_of_degrees(steps), _heap(scene), _creeping(steps)]
    if not any(signs):
        return []
    sentence = (
        f"all {len(scene.track_id)} objects are within {extent[0]:.2g} x {extent[1]:.2g} m "
        f"at ({scene.position_m[0, 0]:.5g}, {scene.position_m[0, 1]:.5g})" + next(f", {s}" for s in signs if s)
    )
    cause = "The positions look like longitude and latitude taken as metres (crs EPSG:4326)"
    return [Finding("mistake", "degrees", sentence, cause)]


def _speeds_of_degrees(steps: Pairs) -> str:
    """Return a sign in words: measured speeds are those of metres, implied ones those of degrees."""
    valid = steps.scene.velocity_valid[steps.first] & (steps.distance_m > 0)
    speed = np.hypot(*steps.scene.velocity_mps[steps.first].T)
    moving = valid & (speed > 0.5)
    if moving.sum() < MIN_MOVES:
        return ""
    ratio = float(np.median(speed[moving] / steps.speed_mps[moving]))
    return f"measured speeds are {ratio:,.0f} times the implied ones" if DEGREE_M[0] < ratio < 2 * DEGREE_M[1] else ""


def _heap(scene: Scene) -> str:
    """Return a sign in words: three objects or more stand inside each other."""
    counts = np.bincount(scene.row_frame, minlength=scene.frame_count)
    frame = int(counts.argmax())
    rows = scene.rows_of_frame(frame)
    spread_m = np.ptp(scene.position_m[rows], axis=0).max()
    size_m = float(np.median(scene.size_m[scene.row_track[rows], 0]))
    return f"where {counts[frame]} are inside each other" if counts[frame] >= 3 and spread_m < 0.5 * size_m else ""


def _creeping(steps: Pairs) -> str:
    """Return a sign in words: everything moves all the time, and nothing gets anywhere."""
    if len(steps.first) < MIN_MOVES:
        return ""
    moving = (steps.distance_m > 0).mean()
    fastest = float(np.percentile(steps.speed_mps, 99))
    return f"and move all the time, but never faster than {fastest:.2g} m/s" if moving > 0.5 and fastest < 0.01 else ""


def speed_findings(legs: Pairs) -> list[Finding]:
    """Return the classes whose objects are faster than such objects are."""
    found = []
    for index, name in enumerate(CLASS_NAMES):
        moves = legs.where((legs.object_class == index) & (legs.speed_mps > 0.2))
        if len(moves.first) < MIN_MOVES:
            continue
        usual, fast = np.percentile(moves.speed_mps, [50, 95])
        if fast <= MAX_SPEED_MPS[index]:
            continue
        wild = usual > 2 * MAX_SPEED_MPS[index]
        sentence = (
            f"5 % of the moves of {name} objects are faster than {fast:.3g} m/s, half are faster than {usual:.3g} m/s"
        )
        cause = (
            "The unit of positions or times is wrong"
            if wild
            else "Is the class right, or are ids used for several objects?"
        )
        found.append(Finding("mistake" if wild else "doubt", "speed", sentence, cause))
    return found
