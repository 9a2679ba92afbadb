"""What a guard may serve: one row is broken in one way, and only that row is refused."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tests.frames import frame, observed
from trajnet.inference import ConstantVelocity, validity
from trajnet.inference.validity import REACH_SLACK_M, STEP_SLACK_M, servable_rows
from trajnet.types import FloatArray, ObjectClass, Prediction, Source

TIME_S = np.array([1.0, 2.0])
PLACES = {"a": (0.0, 0.0), "b": (5e5, 4e6), "c": (20.0, 0.0)}
KINDS = [ObjectClass.CAR, ObjectClass.PEDESTRIAN, ObjectClass.BUS]
SEEN = observed(frame(0.0, PLACES, velocity=(3.0, 1.0), kind=KINDS))
GOOD = ConstantVelocity(TIME_S).predict(SEEN)


def changed(name: str, value: Any) -> Prediction:
    """Return the good prediction with one field of its second row replaced (or shifted, where value is callable)."""
    values = getattr(GOOD, name).copy()
    values[1] = value(values[1]) if callable(value) else value
    return replace(GOOD, **{name: values})


def test_a_good_prediction_is_served() -> None:
    assert servable_rows(GOOD, SEEN).tolist() == [True, True, True]
    nothing = observed(frame(0.0, {}))
    assert servable_rows(ConstantVelocity(TIME_S).predict(nothing), nothing).shape == (0,)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("covariance_m2", [[1.0, 5.0], [5.0, 1.0]]),  # indefinite
        ("covariance_m2", [[1.0, 0.5], [-0.5, 1.0]]),  # asymmetric
        ("covariance_m2", [[0.0, 0.0], [0.0, 0.0]]),
        ("covariance_m2", [[-1.0, 0.0], [0.0, -1.0]]),
        ("covariance_m2", [[1e300, 0.0], [0.0, np.inf]]),
        ("covariance_m2", [[1e200, 0.0], [0.0, 1e-200]]),  # float32 holds neither
        ("covariance_m2", [[1.0, 0.0], [0.0, 1e200]]),
        ("covariance_m2", [[1e-30, 0.0], [0.0, 1e-30]]),
        ("position_m", 1e300),
        ("position_m", np.nan),
        ("position_m", lambda place: place + 100.0),
        ("yaw_rad", np.inf),
        ("probability", 0.5),
        ("source", 77),
        ("source", Source.JUDGED),
        ("source", -1),
        ("age_s", np.nan),
        ("age_s", np.inf),
        ("age_s", -5.0),
    ],
)
def test_one_broken_row_is_refused(name: str, value: Any) -> None:
    assert servable_rows(changed(name, value), SEEN).tolist() == [True, False, True]


def test_a_path_reaches_as_far_as_its_class_can_get() -> None:
    """A pedestrian: 12 m/s for 1 and 2 s, with 10 m to spare, in whatever direction."""
    for direction in (np.array([1.0, 0.0]), np.array([0.6, -0.8])):
        for far_m, served in ((12.0 + REACH_SLACK_M - 0.1, True), (12.0 + REACH_SLACK_M + 0.1, False)):
            path_m = np.array([[[far_m], [24.0]]]) * direction + SEEN.position_m[1]
            assert bool(servable_rows(changed("position_m", path_m), SEEN)[1]) is served


def test_a_path_moves_from_point_to_point_as_fast_as_its_class_can() -> None:
    """Within reach of the pedestrian at 1 and at 2 s, but between the points lie 12 m/s for 1 s and a little noise."""
    for direction in (np.array([1.0, 0.0]), np.array([0.6, -0.8])):
        for back_m, served in ((12.0 + STEP_SLACK_M - 0.1, True), (12.0 + STEP_SLACK_M + 0.1, False)):
            path_m = np.array([[[10.0], [10.0 - back_m]]]) * direction + SEEN.position_m[1]
            assert servable_rows(changed("position_m", path_m), SEEN).tolist() == [True, served, True]


def test_no_step_after_the_first_is_faster_than_the_class_by_more_than_noise() -> None:
    """A path that jumps to and fro by 22 m in 0.5 s, always within reach of the present place of who walks."""
    time_s: FloatArray = np.linspace(0.5, 8.0, 16)
    jumps_m = np.where(np.arange(16) % 2, 7.9, -7.9)[:, None] * np.ones(2)
    plain = ConstantVelocity(time_s).predict(SEEN)
    for share, served in ((1.0, False), (0.5, False), (0.28, True)):  # 0.28: 6.3 m in 0.5 s
        answer = replace(plain, position_m=np.where(np.arange(3)[:, None, None, None] == 1,
            SEEN.position_m[:, None, None] + share * jumps_m, plain.position_m))  # fmt: skip
        assert servable_rows(answer, SEEN).tolist() == [True, served, True]


def test_symmetric_to_the_last_digit_of_float32_is_symmetric() -> None:
    almost = [[1.0, 0.3], [0.3 * (1 + 2.0**-24), 1.0]]
    assert servable_rows(changed("covariance_m2", almost), SEEN).all()


@np.errstate(over="ignore", invalid="ignore")  # as in servable_rows
def test_the_quick_look_serves_nothing_that_the_careful_one_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    draw, slow = np.random.default_rng(0), 0
    quick, sizes_m = validity._all_within_reach, (1.0, 10.0, 30.0, 100.0, np.inf)
    for size_m in sizes_m * 40:
        path_m = draw.normal(0.0, 1.0, GOOD.position_m.shape) * draw.choice([1.0, size_m], (3, 1, 1, 1))
        answer = replace(GOOD, position_m=SEEN.position_m[:, None, None] + path_m)
        found = servable_rows(answer, SEEN)
        slow += not quick(answer, SEEN)
        with monkeypatch.context() as patched:
            patched.setattr(validity, "_all_within_reach", lambda *_: False)
            np.testing.assert_array_equal(found, servable_rows(answer, SEEN))
    assert 20 < slow < 180  # both ways were taken
