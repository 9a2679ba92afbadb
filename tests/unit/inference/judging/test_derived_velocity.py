"""Velocities of vehicles and riders whose velocity is not measured."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.frames import frame, observed
from trajnet.inference.judging.derived_velocity import (
    BEND_RADPS,
    MEASURED_M2PS2,
    POSITION_M2,
    DerivedVelocity,
    goes_by_filter,
)
from trajnet.inference.physics import SPARSE_S, KalmanConstantVelocity, steadied_velocity
from trajnet.tracking.store import TrackStore
from trajnet.types import FloatArray, ObjectClass, TrackFrame


def velocities(frames: list[TrackFrame]) -> dict[str, list[FloatArray]]:
    """The filter's velocity and the steadied one, (N, 2) for each frame."""
    store, derived = TrackStore(), DerivedVelocity()
    found: dict[str, list[FloatArray]] = {"filter": [], "steadied": []}
    for one in frames:
        seen = store.update(one, one.timestamp_ns)[1]
        assert seen is not None
        found["filter"].append(derived.observed(seen).copy())
        found["steadied"].append(steadied_velocity(seen))
    return found


def swaying(kind: ObjectClass, step_s: float = 0.1, count: int = 40, noise_m: float = 0.1) -> list[TrackFrame]:
    rng = np.random.default_rng(1)
    places = [(4.0 * step_s * i, 0.0) + rng.normal(0.0, noise_m, 2) for i in range(count)]
    return [frame(step_s * i, {"a": (x_m, y_m)}, kind=kind, yaw=None) for i, (x_m, y_m) in enumerate(places)]


@pytest.mark.parametrize("kind", [ObjectClass.CAR, ObjectClass.BICYCLE])
def test_it_is_the_velocity_of_the_baselines_kalman_filter(kind: ObjectClass) -> None:
    """Both start without any velocity; the baseline's path after 1 s less its position is the velocity."""
    frames = swaying(kind)
    store, derived = TrackStore(), DerivedVelocity()
    now, soon = (KalmanConstantVelocity(np.array([t])) for t in (1.0, 2.0))
    for index, one in enumerate(frames):
        seen = store.update(one, one.timestamp_ns)[1]
        assert seen is not None
        wanted = soon.predict(seen).position_m[:, 0, 0] - now.predict(seen).position_m[:, 0, 0]
        found = derived.observed(seen)
        if index > 0:
            np.testing.assert_allclose(found, wanted, atol=1e-9)


def test_it_is_steadier_than_the_steady_velocity() -> None:
    found = velocities(swaying(ObjectClass.BICYCLE))
    off = {name: np.std(np.concatenate(found[name])[20:], axis=0) for name in ("filter", "steadied")}
    assert (off["filter"] < 0.8 * off["steadied"]).all()
    np.testing.assert_allclose(found["filter"][-1], [[4.0, 0.0]], atol=0.3)


@pytest.mark.parametrize(
    ("kind", "step_s"), [(ObjectClass.PEDESTRIAN, 0.1), (ObjectClass.UNKNOWN, 0.1), (ObjectClass.CAR, 0.5)]
)
def test_of_people_and_in_sparse_frames_it_is_the_steadied_one(kind: ObjectClass, step_s: float) -> None:
    found = velocities(swaying(kind, step_s))
    np.testing.assert_array_equal(found["filter"], found["steadied"])


def test_where_velocities_are_measured_now_and_then_the_filter_goes_on_from_the_measured_ones() -> None:
    """15 cm of noise on the positions, every second velocity measured: no displacement is taken for a velocity."""
    rng = np.random.default_rng(4)
    frames = []
    for index in range(60):
        place = tuple((0.5 * index, 0.0) + rng.normal(0.0, 0.15, 2))
        frames.append(frame(0.1 * index, {"a": place}, velocity=(5.0, 0.0) if index % 2 else None, yaw=None))
    found = np.concatenate(velocities(frames)["filter"])
    np.testing.assert_array_equal(found[1::2], np.tile([5.0, 0.0], (30, 1)))
    assert np.abs(found[2::2] - [5.0, 0.0]).max() < 1.5


def test_after_a_measured_velocity_it_is_that_of_the_baseline_that_was_told_it() -> None:
    """Measured by one object while others are not, and by all of them."""
    for beside in ({}, {"b": (90.0, 0.0)}):
        store, derived = TrackStore(), DerivedVelocity()
        for index in range(12):
            tracks = {"a": (0.5 * index, 0.2 * (index % 2))} | beside
            one = frame(0.1 * index, tracks, velocity=(5.0, 1.0), yaw=None)
            one = replace(one, velocity_valid=np.array([index < 10, *[False] * len(beside)]))
            seen = store.update(one, one.timestamp_ns)[1]
            assert seen is not None
            found = derived.observed(seen)[0]
            if index < 10:
                np.testing.assert_array_equal(found, [5.0, 1.0])
        # by hand, from a velocity of variance 0.25 at the place of the tenth frame
        mean, variance = np.array([0.0, 5.0]), np.diag([POSITION_M2, MEASURED_M2PS2])
        ahead, noise = np.array([[1.0, 0.1], [0.0, 1.0]]), np.array([[1e-3 / 3, 5e-3], [5e-3, 0.1]])
        for moved_m in (0.5, 1.0):
            mean, variance = ahead @ mean, ahead @ variance @ ahead.T + noise
            gain = variance[:, 0] / (variance[0, 0] + POSITION_M2)
            mean, variance = mean + gain * (moved_m - mean[0]), variance - np.outer(gain, variance[0])
        assert found[0] == pytest.approx(mean[1], abs=1e-9)


def test_a_class_that_changes_for_a_while_makes_the_filter_begin_anew() -> None:
    """What was a pedestrian in between has no state of before."""
    kinds = [ObjectClass.CAR] * 20 + [ObjectClass.PEDESTRIAN] * 20 + [ObjectClass.CAR] * 3
    places = [(1.0 * i, 0.0) for i in range(20)] + [(20.0, 0.1 * i) for i in range(20)]
    places += [(20.0, 2.0 + 0.1 * i) for i in range(3)]
    frames = [
        frame(0.1 * i, {"a": place}, kind=kind, yaw=None)
        for i, (place, kind) in enumerate(zip(places, kinds, strict=True))
    ]
    found = velocities(frames)["filter"]
    np.testing.assert_allclose(np.concatenate(found[40:]), np.tile([0.0, 1.0], (3, 1)), atol=0.2)


@pytest.mark.parametrize(
    ("kind", "rate_radps", "step_s", "wanted"),
    [
        (ObjectClass.BICYCLE, 0.0, 0.1, True),
        (ObjectClass.MOTORCYCLE, -0.9 * BEND_RADPS, 0.1, True),
        (ObjectClass.BICYCLE, -1.1 * BEND_RADPS, 0.1, False),
        (ObjectClass.BICYCLE, 0.0, SPARSE_S, False),
        (ObjectClass.CAR, 0.0, 0.1, False),
        (ObjectClass.PEDESTRIAN, 0.0, 0.1, False),
    ],
)
def test_who_goes_by_the_filter(kind: ObjectClass, rate_radps: float, step_s: float, wanted: bool) -> None:
    frames = [frame(step_s * i, {"a": (step_s * i, 0.0)}, kind=kind) for i in range(2)]
    assert goes_by_filter(observed(*frames), np.array([rate_radps])).tolist() == [wanted]
    assert goes_by_filter(observed(frames[0]), np.zeros(1)).tolist() == [False]


def test_objects_do_not_depend_on_each_other_and_a_new_track_in_an_old_slot_begins_anew() -> None:
    draw = np.random.default_rng(5)
    steps_m = {name: np.cumsum(draw.normal(0.4, 0.1, (30, 2)), axis=0) for name in "abc"}

    def of(names: str) -> dict[str, FloatArray]:
        frames = [frame(0.1 * i, {n: tuple(steps_m[n][i]) for n in names}, yaw=None) for i in range(30)]
        last = velocities(frames)["filter"][-1]
        return dict(zip(names, last, strict=True))

    together = of("abc")
    for name in "abc":
        np.testing.assert_allclose(of(name)[name], together[name], atol=1e-12)
    gone = [frame(0.1 * i, {"a": (2.0 * i, 0.0)}, yaw=None) for i in range(20)]
    gone += [frame(30.0 + 0.1 * i, {"b": (0.0, 0.3 * i)}, yaw=None) for i in range(2)]
    np.testing.assert_allclose(velocities(gone)["filter"][-1], [[0.0, 3.0]], atol=0.3)


def test_where_an_object_is_does_not_matter() -> None:
    """Far from the origin of the map as near it."""
    near = [frame(0.1 * i, {"a": (0.4 * i, 0.1 * (i % 2))}, yaw=None) for i in range(30)]
    far = [frame(0.1 * i, {"a": (1e6 + 0.4 * i, 1e6 + 0.1 * (i % 2))}, yaw=None) for i in range(30)]
    np.testing.assert_allclose(velocities(far)["filter"], velocities(near)["filter"], atol=1e-6)


def test_a_leap_within_a_steady_track_is_no_velocity() -> None:
    """The store moves the track to its new place; the filter's velocity stays."""
    places = [(1.0 * i, 0.0) for i in range(40)] + [(40.0 + 1.0 * i, 1.5) for i in range(5)]
    found = velocities([frame(0.1 * i, {"a": place}, yaw=None) for i, place in enumerate(places)])["filter"]
    np.testing.assert_allclose(np.concatenate(found[30:]), np.tile([10.0, 0.0], (15, 1)), atol=0.5)


def test_no_object_is_faster_than_its_class() -> None:
    """A leap sideways in the second frame is no bicycle at 60 m/s."""
    frames = [
        frame(0.0, {"a": (0.0, 0.0)}, kind=ObjectClass.BICYCLE),
        frame(0.02, {"a": (0.9, 0.9)}, kind=ObjectClass.BICYCLE),
    ]
    found = velocities(frames)["filter"][-1]
    np.testing.assert_allclose(np.hypot(*found[0]), 25.0)


def test_more_objects_come_with_measured_velocities() -> None:
    """The slots of the later ones are beyond those that the filter has seen."""
    crowd = {f"b{i}": (50.0 * i, 0.0) for i in range(200)}
    frames = [frame(0.0, {"a": (0.0, 0.0)}), frame(0.1, {"a": (0.3, 0.0)})]
    frames += [frame(0.2 + 0.1 * i, {"a": (0.0, 9.0)} | crowd, velocity=(0.0, 0.0)) for i in range(2)]
    frames += [frame(0.4, {"a": (0.0, 9.0)} | crowd)]
    found = velocities(frames)["filter"]
    assert [len(velocity) for velocity in found] == [1, 1, 201, 201, 201]


def test_the_filtered_positions_are_those_of_the_baselines_filter() -> None:
    store, derived, kalman = TrackStore(), DerivedVelocity(), KalmanConstantVelocity(np.array([1.0, 2.0]))
    for one in swaying(ObjectClass.BICYCLE):
        seen = store.update(one, one.timestamp_ns)[1]
        assert seen is not None
        derived.observed(seen)
        path_m = kalman.predict(seen).position_m[:, 0]
        np.testing.assert_allclose(derived.position_m(seen), 2.0 * path_m[:, 0] - path_m[:, 1], atol=1e-9)
