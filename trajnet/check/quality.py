"""How well a scene is recorded: rate, gaps, noise, leaps, duplicates, sizes."""

from __future__ import annotations

import numpy as np

from trajnet.check.finding import Finding, Severity
from trajnet.check.scale import MAX_SPEED_MPS
from trajnet.check.steps import Pairs
from trajnet.tracking.policy import TrackPolicy
from trajnet.types import WHEELED, FloatArray, ObjectClass, Scene

#: Positions of different tracks that are one place, m.
SAME_PLACE_M = 0.1
#: Noise above which half a second's displacement says little about a walker's speed, m.
MUCH_NOISE_M = 0.3
#: From this share of the time after which a track is forgotten on, a late frame ends it.
NEAR_TIMEOUT = 0.9
#: More than this share of the steps, and at least so many, are no slip of a tracker. Public recordings have one at
#: most.
MANY_LEAPS, FEWEST_LEAPS = 0.05, 3
#: So many objects do not all stand still by chance.
CROWD = 3


def position_noise_m(steps: Pairs, period_s: float) -> float | None:
    """Return the standard deviation of a position around its neighbours in time; None where no track shows it.

    From second differences of even steps, whose standard deviation is sqrt(6) times that of white noise; the median
    of both axes is robust against real accelerations, which count in full at low rates.
    """
    even = np.abs(steps.dt_s - period_s) < 0.2 * period_s
    follows = even[:-1] & even[1:] & (steps.last[:-1] == steps.first[1:])
    moving = steps.distance_m[:-1] + steps.distance_m[1:] > 0
    second_m = (steps.move_m[1:] - steps.move_m[:-1])[follows & moving]
    if len(second_m) < 20:
        return None
    return float(np.median(np.abs(second_m)) / (0.6745 * np.sqrt(6.0)))


def rate_findings(scene: Scene, steps: Pairs, period_s: float) -> list[Finding]:
    """Return stamps that differ for each object, rates too low for tracks, uneven rates and gaps in tracks."""
    found = []
    alive = _alive(scene)
    seen = np.bincount(scene.row_frame, minlength=scene.frame_count)
    if scene.frame_count > 10 and np.median(alive) >= 3 and np.median(seen) <= 0.4 * np.median(alive):
        sentence = f"a frame has {np.median(seen):g} of the {np.median(alive):g} objects that are there"
        cause = "Each object has stamps of its own: bin them to a rate (convert --rate)"
        found.append(Finding("doubt", "asynchronous", sentence, cause))
        return found
    timeout_s = TrackPolicy().timeout_s
    if period_s > NEAR_TIMEOUT * timeout_s:
        sentence = (
            f"a track is observed every {period_s:.3g} s, and one that is missing for {timeout_s:g} s is forgotten"
        )
        cause = "Objects are predicted as if just seen: allow more (TrackPolicy.timeout_s, track_timeout_s of the node)"
        found.append(Finding("doubt", "timeout", sentence, cause))
    if len(steps.dt_s) >= 20:
        uneven = float((np.abs(steps.dt_s / period_s - 1) > 0.3).mean())
        gaps = float((steps.dt_s > 1.6 * period_s).mean())
        if gaps > 0.1:
            sentence = f"{gaps:.0%} of the steps of tracks skip a frame or more"
            found.append(Finding("doubt", "gaps", sentence, "Objects are lost often, or two rates are mixed"))
        elif uneven > 0.1:
            sentence = f"{uneven:.0%} of the steps are more than 30 % off the usual {period_s:.3g} s"
            found.append(Finding("doubt", "uneven", sentence, "Stamps are those of arrival, or rates are mixed"))
    return found


def _alive(scene: Scene) -> FloatArray:
    """Return for each frame (F,) the number of tracks between their first and last row."""
    first = np.full(len(scene.track_id), scene.frame_count)
    last = np.full(len(scene.track_id), -1)
    np.minimum.at(first, scene.row_track, scene.row_frame)
    np.maximum.at(last, scene.row_track, scene.row_frame)
    shown = last >= 0
    change = np.zeros(scene.frame_count + 1)
    np.add.at(change, first[shown], 1)
    np.add.at(change, last[shown] + 1, -1)
    alive: FloatArray = np.cumsum(change)[:-1]
    return alive


def noise_findings(noise_m: float | None) -> list[Finding]:
    """Return noise that hides slow motion."""
    if noise_m is None or noise_m <= MUCH_NOISE_M:
        return []
    sentence = f"positions are off their neighbours in time by {noise_m:.2f} m"
    return [Finding("doubt", "noise", sentence, "The tracker does not filter, or ids are mixed up")]


def leap_findings(steps: Pairs) -> list[Finding]:
    """Return steps that no such object can make."""
    far = steps.distance_m > 2.0 + 1.5 * MAX_SPEED_MPS[steps.object_class] * steps.dt_s
    if not far.any():
        return []
    share, count = float(far.mean()), int(far.sum())
    row = steps.first[int(far.argmax())]
    name = steps.scene.track_id[steps.scene.row_track[row]]
    sentence = f"{count:,} steps are leaps, the first of track {name!r} by {steps.distance_m[far.argmax()]:.1f} m"
    cause = "Ids are used for several objects, or detections are wrong"
    zero = (steps.scene.position_m == 0.0).any(axis=1)
    of_zero = int((far & (zero[steps.first] | zero[steps.last])).sum())
    if of_zero > 0.5 * count:
        cause = (
            f"{of_zero:,} of them to or from a place with a coordinate of 0: it looks like a placeholder; leave out "
            "what is not measured"
        )
    severity: Severity = "mistake" if share > MANY_LEAPS and count >= FEWEST_LEAPS else "doubt"
    return [Finding(severity, "leaps", sentence, cause)]


def duplicate_findings(scene: Scene) -> list[Finding]:
    """Return objects that are in the scene twice, and frames that repeat the one before."""
    cell = np.rint(scene.position_m / SAME_PLACE_M).astype(np.int64)
    order = np.lexsort((cell[:, 1], cell[:, 0], scene.row_frame))
    key = np.column_stack([scene.row_frame, cell])[order]
    same = (np.diff(key, axis=0) == 0).all(axis=1)
    first, second = scene.row_track[order[:-1][same]], scene.row_track[order[1:][same]]
    both = np.sort(np.stack([first, second]), axis=0)
    pairs, times = np.unique(both, axis=1, return_counts=True)
    rows = np.bincount(scene.row_track, minlength=len(scene.track_id))
    twice = times >= np.maximum(5, 0.5 * rows[pairs].min(axis=0))
    found = []
    if twice.any():
        a, b = (scene.track_id[i] for i in pairs[:, int(twice.argmax())])
        sentence = f"{int(twice.sum())} pairs of tracks are at one place most of the time, the first {a!r} and {b!r}"
        found.append(Finding("doubt", "duplicates", sentence, "The same object is in the table under two ids"))
    return found + _frozen(scene)


def _frozen(scene: Scene) -> list[Finding]:
    steps = np.flatnonzero(np.diff(scene.timestamp_ns) > 0)
    frozen = moving = 0
    before: tuple[bytes, bytes] | None = None
    for frame in range(scene.frame_count):
        rows = scene.rows_of_frame(frame)
        now = (scene.row_track[rows].tobytes(), scene.position_m[rows].tobytes())
        if before is not None and rows.stop - rows.start >= CROWD:
            frozen += now == before
            moving += now[1] != before[1]
        before = now
    if not (moving and frozen > 0.05 * len(steps)):
        return []
    sentence = f"{frozen:,} of {len(steps):,} frames repeat the one before, place for place"
    return [Finding("doubt", "repeated_frames", sentence, "The recording repeats frames: its true rate is lower")]


def size_findings(scene: Scene) -> list[Finding]:
    """Return swapped lengths and widths, and sizes in another unit."""
    wheeled = np.array(WHEELED)[scene.object_class]
    if not wheeled.any():
        return []
    length_m, width_m = scene.size_m[wheeled].T
    wider = float((width_m > length_m).mean())
    found = []
    if wider > 0.5:
        sentence = f"{wider:.0%} of the vehicles are wider than long"
        found.append(Finding("mistake", "size", sentence, "length and width are swapped"))
    cars = scene.object_class == ObjectClass.CAR
    middle = float(np.median(scene.size_m[cars, 0])) if cars.sum() >= 5 else 4.6
    if not 1.5 < middle < 12 and wider <= 0.5:
        sentence = f"half of the cars are longer than {middle:.3g} m"
        cause = "The sizes are in another unit (units length=ft, cm or mm), or of parts of the cars"
        found.append(Finding("mistake" if middle >= 12 else "doubt", "size", sentence, cause))
    return found


def class_findings(scene: Scene) -> list[Finding]:
    """Return a scene in which no class is known."""
    if len(scene.track_id) and (scene.object_class == ObjectClass.UNKNOWN).all():
        sentence = f"all {len(scene.track_id)} objects are of unknown class"
        cause = "Map the table's classes (convert --classes), as models treat walkers and cars differently"
        return [Finding("doubt", "classes", sentence, cause)]
    return []
