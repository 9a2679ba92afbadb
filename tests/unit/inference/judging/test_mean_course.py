"""Where bicycles are heading on the whole."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.frames import frame
from tests.unit.inference.judging.fakes import TIME_S, GoesOn, fed
from trajnet.inference import JudgingOptions, Stream
from trajnet.inference.judging.mean_course import CURVE_RADPS, MEMORY_S, MeanCourse
from trajnet.tracking.store import TrackStore
from trajnet.types import Expert, FloatArray, ObjectClass, TrackFrame

SPEED_MPS = 5.0


def swaying(
    seconds: float, kind: ObjectClass = ObjectClass.BICYCLE, step_s: float = 0.1, amplitude_m: float = 0.2
) -> list[TrackFrame]:
    """It rides along x and sways every 2 s; the last frame is where it swings to the left the most."""
    frames = []
    for index in range(round(seconds / step_s) + 1):
        phase = np.pi * (step_s * index - seconds)
        place = (SPEED_MPS * step_s * index, amplitude_m * np.sin(phase))
        velocity = (SPEED_MPS, amplitude_m * np.pi * np.cos(phase))
        frames.append(
            frame(step_s * index, {"a": place}, kind=kind, velocity=velocity, yaw=np.arctan2(*velocity[::-1]))
        )
    return frames


def courses(frames: list[TrackFrame], rate_radps: float = 0.0) -> list[FloatArray]:
    """The course that is found in each frame, where that of the moment is 1 rad; (N,) each."""
    store, mean, found = TrackStore(), MeanCourse(), []
    for one in frames:
        seen = store.update(one, one.timestamp_ns)[1]
        assert seen is not None
        count = len(seen)
        found.append(mean.observed(seen, np.full(count, SPEED_MPS), np.ones(count), np.full(count, rate_radps)))
    return found


def test_it_is_the_direction_of_the_weighted_line_through_the_positions() -> None:
    draw = np.random.default_rng(2)
    dt_s = np.concatenate([[0.0], draw.uniform(0.05, 0.2, 20)])
    time_s, places = np.cumsum(dt_s), np.cumsum(draw.normal([0.4, 0.1], 0.1, (21, 2)), axis=0)
    frames = [frame(t, {"a": tuple(place)}, kind=ObjectClass.BICYCLE) for t, place in zip(time_s, places, strict=True)]
    stamps_s = np.array([one.timestamp_ns for one in frames]) * 1e-9
    weight = np.exp((stamps_s - stamps_s[-1]) / MEMORY_S)
    slope = [np.polyfit(stamps_s, places[:, axis], 1, w=np.sqrt(weight))[0] for axis in (0, 1)]
    np.testing.assert_allclose(courses(frames)[-1], [np.arctan2(slope[1], slope[0])], atol=1e-6)


def test_who_sways_goes_on_the_way_that_it_goes_on_the_whole() -> None:
    swing_rad = np.arctan(0.2 * np.pi / SPEED_MPS)
    assert abs(courses(swaying(8.0))[-1][0]) < 0.3 * swing_rad


@pytest.mark.parametrize(
    ("kind", "step_s", "rate_radps"),
    [
        (ObjectClass.CAR, 0.1, 0.0),
        (ObjectClass.MOTORCYCLE, 0.1, 0.0),
        (ObjectClass.PEDESTRIAN, 0.1, 0.0),
        (ObjectClass.BICYCLE, 0.5, 0.0),
        (ObjectClass.BICYCLE, 0.1, 1.1 * CURVE_RADPS),
        (ObjectClass.BICYCLE, 0.1, -1.1 * CURVE_RADPS),
    ],
)
def test_others_and_who_turns_keep_the_course_of_the_moment(
    kind: ObjectClass, step_s: float, rate_radps: float
) -> None:
    assert [found.tolist() for found in courses(swaying(4.0, kind, step_s), rate_radps)] == [[1.0]] * (
        round(4.0 / step_s) + 1
    )


def test_who_was_hardly_seen_or_hardly_moves_keeps_the_course_of_the_moment() -> None:
    found = np.concatenate(courses(swaying(2.0)))
    assert (found[:6] == 1.0).all()
    assert (found[10:] != 1.0).all()
    still = [replace(one, velocity_mps=np.zeros((1, 2)), position_m=np.zeros((1, 2))) for one in swaying(2.0)]
    store, mean = TrackStore(), MeanCourse()
    for one in still:
        seen = store.update(one, one.timestamp_ns)[1]
        assert seen is not None
        assert mean.observed(seen, np.zeros(1), np.ones(1), np.zeros(1)).tolist() == [1.0]


def test_each_bicycle_has_a_line_of_its_own_also_in_the_slot_of_another() -> None:
    one = swaying(4.0)
    beside = [
        replace(f, track_id=("b",), position_m=f.position_m[:, ::-1] + 90.0, velocity_mps=f.velocity_mps[:, ::-1])
        for f in one
    ]
    both = [
        frame(0.1 * i, {"b": tuple(b.position_m[0]), "a": tuple(a.position_m[0])}, kind=ObjectClass.BICYCLE,
              velocity=[b.velocity_mps[0], a.velocity_mps[0]])
        for i, (a, b) in enumerate(zip(one, beside, strict=True))
    ]  # fmt: skip
    np.testing.assert_allclose(courses(both)[-1], np.concatenate([courses(beside)[-1], courses(one)[-1]]), atol=1e-9)
    later = [replace(b, timestamp_ns=b.timestamp_ns + 60_000_000_000) for b in beside]
    np.testing.assert_allclose(courses(one + later)[-1], courses(beside)[-1], atol=1e-9)


def test_the_expert_of_constant_velocity_goes_where_the_bicycle_goes() -> None:
    """The model takes the course of the moment for the way, and is 3 m aside in the end."""
    last = fed(Stream(GoesOn(), judging=JudgingOptions(combine=False, adapt_spread=False)), swaying(10.0))[-1]
    best = last.best_first()
    assert best.expert is not None
    assert best.expert[0, 0] == Expert.CONSTANT_VELOCITY
    along_m = np.array([SPEED_MPS * 10.0, 0.0]) + SPEED_MPS * TIME_S[:, None] * [1.0, 0.0]
    assert np.abs(best.position_m[0, 0] - along_m)[:, 1].max() < 1.5


def test_what_was_something_else_for_a_while_has_no_line_of_before() -> None:
    """A bicycle, a motorcycle that turns left, a bicycle: its line is of the way since then."""
    kinds = [ObjectClass.BICYCLE] * 20 + [ObjectClass.MOTORCYCLE] * 20 + [ObjectClass.BICYCLE] * 15
    places = [(0.5 * i, 0.0) for i in range(20)] + [(10.0, 0.5 * i) for i in range(35)]
    frames = [
        frame(0.1 * i, {"a": place}, kind=kind, yaw=None)
        for i, (place, kind) in enumerate(zip(places, kinds, strict=True))
    ]
    np.testing.assert_allclose(np.concatenate(courses(frames))[-5:], 0.5 * np.pi, atol=1e-6)
