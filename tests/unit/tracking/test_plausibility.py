"""Displacements that class, time and velocity explain, and those that they do not: by hand."""

from __future__ import annotations

import numpy as np
import pytest

from trajnet.tracking.plausibility import deviation, max_speed_mps, out_of_line, unexplained
from trajnet.types import ObjectClass

CAR, WALKER = ObjectClass.CAR, ObjectClass.PEDESTRIAN


def refused(
    displacement_m: tuple[float, float],
    *,
    dt_s: float = 0.1,
    steady_mps: tuple[float, float] | None = None,
    measured_mps: tuple[float, float] | None = None,
    object_class: ObjectClass = CAR,
) -> bool:
    """Return whether one displacement is left unexplained."""
    found = unexplained(
        np.array([displacement_m], float),
        np.array([dt_s]),
        np.array([object_class], np.int8),
        measured_mps=np.array([measured_mps or (0.0, 0.0)], float),
        measured=np.array([measured_mps is not None]),
        steady_mps=np.array([steady_mps or (0.0, 0.0)], float),
        steady=np.array([steady_mps is not None]),
    )
    assert found.shape == (1,)
    return bool(found[0])


def test_a_car_may_differ_from_its_velocity_by_jitter_and_acceleration_and_no_more() -> None:
    # 10 m/s for 0.1 s: 1 m. The gate is 1.5 + 0.1 * (8 + 0.5 * 10 * 0.1) = 2.35 m.
    assert not refused((1.0, 0.0), steady_mps=(10, 0))
    assert not refused((3.3, 0.0), steady_mps=(10, 0))
    assert refused((3.4, 0.0), steady_mps=(10, 0))
    assert refused((1.0, 2.4), steady_mps=(10, 0))
    assert refused((11.0, 0.0), steady_mps=(10, 0))  # the leap of 10 m that made paths of 153 m


def test_the_gate_grows_with_the_time_that_was_missed() -> None:
    # 1.5 + 0.9 * (8 + 0.5 * 10 * 0.9) = 12.75 m.
    assert not refused((9.0, 12.7), dt_s=0.9, steady_mps=(10, 0))
    assert refused((9.0, 12.8), dt_s=0.9, steady_mps=(10, 0))


def test_either_velocity_may_explain_a_displacement() -> None:
    assert not refused((7.5, 0.0), dt_s=0.5, steady_mps=(0, 0), measured_mps=(15, 0))
    assert not refused((7.5, 0.0), dt_s=0.5, steady_mps=(15, 0), measured_mps=(0, 0))  # a source that reports zeros
    assert refused((30.0, 0.0), dt_s=0.5, steady_mps=(15, 0), measured_mps=(15, 0))


def test_without_a_velocity_the_speed_of_the_class_is_the_limit() -> None:
    # A car: 1.5 + 100 * 0.1 = 11.5 m; a pedestrian: 0.8 + 12 * 0.1 = 2 m.
    assert not refused((11.4, 0.0))
    assert refused((11.6, 0.0))
    assert not refused((1.9, 0.0), object_class=WALKER)
    assert refused((2.1, 0.0), object_class=WALKER)


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e300])
def test_what_is_no_displacement_is_not_explained(value: float) -> None:
    assert refused((value, 0.0), steady_mps=(0, 0))
    assert refused((value, 0.0))


def test_every_class_has_a_highest_speed() -> None:
    every = np.arange(len(ObjectClass), dtype=np.int8)
    assert max_speed_mps(every).tolist() == [100, 100, 45, 45, 100, 25, 12]


def leapt(
    off_m: float,
    *,
    dt_s: float = 0.1,
    wobble_m: float = 0.0,
    steps: int = 10,
    object_class: ObjectClass = CAR,
    measured: bool = False,
) -> bool:
    """Return whether one step is out of its track's line."""
    found = out_of_line(
        np.array([off_m]),
        np.array([dt_s]),
        np.array([object_class], np.int8),
        wobble_m=np.array([wobble_m]),
        steps=np.array([float(steps)]),
        measured=np.array([measured]),
    )
    return bool(found[0])


def test_a_steady_track_is_left_by_less_than_a_wobbling_one() -> None:
    # A car at 10 Hz: 0.5 + 10 * 0.1 * (0.4 + 0.05) = 0.95 m, and twice the wobble; a pedestrian: 0.35 + 0.18 m.
    assert not leapt(0.94)
    assert leapt(0.96)
    assert not leapt(1.9, wobble_m=0.5)
    assert leapt(2.0, wobble_m=0.5)
    assert not leapt(0.52, object_class=WALKER)
    assert leapt(0.54, object_class=WALKER)
    # At 2 Hz: 0.5 + 10 * 0.5 * (0.4 + 0.25) = 3.75 m.
    assert not leapt(3.7, dt_s=0.5)
    assert leapt(3.8, dt_s=0.5)


def test_a_measured_velocity_does_not_lag() -> None:
    # At 2 Hz: 0.5 + 10 * 0.5 * 0.25 = 1.75 m; at 5 Hz: 0.5 + 10 * 0.2 * 0.1 = 0.7 m.
    assert not leapt(1.7, dt_s=0.5, measured=True)
    assert leapt(1.8, dt_s=0.5, measured=True)
    assert not leapt(0.69, dt_s=0.2, measured=True)
    assert leapt(0.71, dt_s=0.2, measured=True)


def test_a_track_without_a_past_is_not_judged_by_it() -> None:
    assert not leapt(2.0, steps=3)
    assert leapt(2.0, steps=4)


def test_the_deviation_is_from_the_velocity_that_fits_better() -> None:
    moved_m, dt_s, off_steady_m = np.array([[1.0, 0.0], [3.0, 0.0]]), np.full(2, 0.1), np.array([0.0, 2.0])
    off_m = deviation(
        off_steady_m,
        moved_m,
        dt_s,
        measured_mps=np.array([[0.0, 0.0], [25.0, 0.0]]),
        measured=np.array([False, True]),
    )
    np.testing.assert_allclose(off_m, [0.0, 0.5])
