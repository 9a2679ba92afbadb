"""A prediction on other times: within the horizon, past its end, the short way round."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trajnet.geometry import wrap_angle
from trajnet.inference.resample import POINT_COLUMNS, Resampler, continued, fields_of, on_times, points_of
from trajnet.types import FloatArray, Prediction, Source

TIME_S: FloatArray = np.array([0.5, 1.0, 1.5, 2.0])
EYE = np.eye(2)


def steady(time_s: FloatArray = TIME_S, speed_mps: float = 4.0, turn_radps: float = 0.0) -> Prediction:
    """Return one object's two modes along +x from x = 10 m, the second at half speed; variances are the time in m^2."""
    x_m = 10.0 + np.outer([speed_mps, speed_mps / 2], time_s)
    position_m = np.stack([x_m, np.full_like(x_m, 3.0)], axis=-1)
    yaw_rad = np.broadcast_to(turn_radps * time_s, x_m.shape)
    covariance_m2 = np.broadcast_to(time_s[:, None, None] * EYE, (2, len(time_s), 2, 2))
    return Prediction(
        0, ("a",), time_s, position_m[None], yaw_rad[None], covariance_m2[None], np.array([[0.7, 0.3]]),
        np.full(1, Source.MODEL, np.int8), np.zeros(1),
    )  # fmt: skip


def resampled(time_s: list[float], prediction: Prediction) -> tuple[FloatArray, FloatArray, FloatArray]:
    at = Resampler(prediction.time_s, np.array(time_s))
    return (
        at.positions(np.array([[10.0, 3.0]]), prediction.position_m),
        at.yaws(np.zeros(1), prediction.yaw_rad),
        at.covariances(np.zeros((1, 2, 2)), prediction.covariance_m2),
    )


@given(st.lists(st.floats(0.0, 2.0), min_size=1, max_size=6))
def test_steady_motion_is_kept_at_every_time_within_the_horizon(ask_s: list[float]) -> None:
    position_m, yaw_rad, covariance_m2 = resampled(ask_s, steady(turn_radps=0.3))
    time_s = np.array(ask_s)
    np.testing.assert_allclose(position_m[0, 0, :, 0], 10.0 + 4.0 * time_s, atol=1e-5)
    np.testing.assert_allclose(position_m[0, 1, :, 0], 10.0 + 2.0 * time_s, atol=1e-5)
    np.testing.assert_allclose(position_m[..., 1], 3.0, atol=1e-9)
    np.testing.assert_allclose(yaw_rad[0, 1], 0.3 * time_s, atol=1e-5)
    np.testing.assert_allclose(covariance_m2[0, 0], time_s[:, None, None] * EYE, atol=1e-5)


@pytest.mark.parametrize("ask_s", [[0.5, 1.0, 1.5, 2.0], [0.0, 0.5, 1.0, 1.5, 2.0], [1.0, 2.0], [2.0, 0.0]])
def test_own_times_give_the_very_points(ask_s: list[float]) -> None:
    prediction = steady(speed_mps=1.0 / 3.0, turn_radps=0.1)
    place = [[0.0, *TIME_S].index(t) for t in ask_s]
    position_m, yaw_rad, covariance_m2 = resampled(ask_s, prediction)
    led_m = np.concatenate([np.full((1, 2, 1, 2), [10.0, 3.0]), prediction.position_m], axis=2)
    np.testing.assert_array_equal(position_m, led_m[:, :, place])
    np.testing.assert_array_equal(yaw_rad, np.pad(prediction.yaw_rad, ((0, 0), (0, 0), (1, 0)))[:, :, place])
    assert covariance_m2[0, 0, -1, 0, 0] == ask_s[-1]


def test_a_spline_passes_through_the_points_and_covariances_are_linear() -> None:
    prediction = steady()
    prediction.position_m[0, 0, :, 0] = [11.0, 14.0, 15.0, 19.0]
    position_m, _, covariance_m2 = resampled([0.75, 1.0, 1.25], prediction)
    assert position_m[0, 0, 1, 0] == pytest.approx(14.0)
    # Catmull-Rom half-way between 11 and 14 with 10 before and 15 behind: (9 * (11 + 14) - 10 - 15) / 16.
    assert position_m[0, 0, 0, 0] == pytest.approx(12.5)
    assert position_m[0, 0, 2, 0] == pytest.approx((9 * (14 + 15) - 11 - 19) / 16)
    assert covariance_m2[0, 0, 0].tolist() == [[0.75, 0.0], [0.0, 0.75]]


def test_times_beyond_the_horizon_are_refused() -> None:
    with pytest.raises(ValueError, match="expected times within"):
        Resampler(TIME_S, np.array([0.7, 2.1]))


def test_headings_turn_the_short_way_round() -> None:
    at = Resampler(np.array([1.0, 2.0]), np.array([0.5, 1.5]))
    path_rad = np.array([[[-3.0, 3.0]]])
    turned = at.yaws(np.array([3.0]), path_rad)[0, 0]
    np.testing.assert_allclose(wrap_angle(turned - np.pi), 0.0, atol=1e-9)
    points = np.zeros((1, 3, 1, 3))
    points[0, :, 0, 2] = [3.0, -3.0, 3.0]
    moved = continued(points, np.array([0]), np.array([0.0, 1.0, 2.0]), np.array([[0.5, 1.5]]))
    np.testing.assert_allclose(wrap_angle(moved[0, 0, :, 2] - np.pi), 0.0, atol=1e-9)


def at_times(points: FloatArray, ask_s: Any) -> FloatArray:
    """Continue one path, whose points are 0, 0.5, ... 2 s apart from now."""
    return continued(points, np.array([0]), np.array([0.0, *TIME_S]), np.atleast_2d(ask_s))[0, 0]


def test_past_the_end_the_last_velocity_goes_on_and_the_rest_holds() -> None:
    points = np.zeros((1, 5, 1, POINT_COLUMNS))
    points[0, :, 0, 0] = [0.0, 1.0, 2.0, 3.0, 6.0]  # 6 m/s at the end
    points[0, :, 0, 2] = [0.0, 0.1, 0.2, 0.3, 0.4]
    points[0, :, 0, 3] = [1.0, 2.0, 3.0, 4.0, 5.0]
    moved = at_times(points, [0.25, 2.0, 3.0])
    assert moved[:, 0].tolist() == pytest.approx([0.5, 6.0, 12.0])
    assert moved[:, 2].tolist() == pytest.approx([0.05, 0.4, 0.4])
    assert moved[:, 3].tolist() == pytest.approx([1.5, 5.0, 5.0])


@given(st.floats(0.0, 2.0), st.floats(0.0, 2.0))
def test_moving_on_twice_is_moving_on_once_while_motion_is_steady(first_s: float, second_s: float) -> None:
    points = np.zeros((1, 5, 1, 2))
    points[0, :, 0, 0] = 5.0 * np.array([0.0, *TIME_S])
    once = at_times(points, first_s + np.array([0.0, *TIME_S]))
    twice = at_times(once[None, :, None], second_s + TIME_S)
    np.testing.assert_allclose(twice, at_times(points, first_s + second_s + TIME_S), atol=1e-9)


def test_every_row_has_its_own_path_and_times() -> None:
    points = np.zeros((3, 2, 2, 2))
    points[:, 1, :, 0] = [[1.0, 10.0], [2.0, 20.0], [3.0, 30.0]]
    moved = continued(points, np.array([2, 0]), np.array([0.0, 1.0]), np.array([[0.5], [2.0]]))
    assert moved[..., 0].tolist() == [[[1.5], [15.0]], [[2.0], [20.0]]]


def test_points_are_a_predictions_fields_in_columns() -> None:
    prediction = steady(turn_radps=0.2)
    prediction.covariance_m2[0, 1, 2] = [[5.0, 1.0], [1.0, 6.0]]
    points = points_of(prediction, slice(None))
    assert points.shape == (1, 4, 2, POINT_COLUMNS)
    for got, expected in zip(
        fields_of(points.swapaxes(1, 2)),
        (prediction.position_m, prediction.yaw_rad, prediction.covariance_m2), strict=True,
    ):  # fmt: skip
        np.testing.assert_array_equal(got, expected)


def test_a_whole_prediction_is_put_on_other_times() -> None:
    prediction = steady(turn_radps=0.2)
    assert on_times(prediction, TIME_S.copy()) is prediction
    other = on_times(prediction, np.array([0.25, 1.25, 3.0]))
    np.testing.assert_allclose(other.position_m[0, 0, :, 0], [11.0, 15.0, 22.0])
    np.testing.assert_allclose(other.yaw_rad[0, 0], [0.1, 0.25, 0.4])
    np.testing.assert_allclose(other.covariance_m2[0, 1, :, 0, 0], [0.5, 1.25, 2.0])
    assert (other.probability, other.track_id) == (prediction.probability, prediction.track_id)


def test_a_path_of_one_point_stays_there() -> None:
    other = on_times(steady(np.array([1.0])), np.array([0.5, 1.0, 3.0]))
    assert other.position_m[0, 0, :, 0].tolist() == [14.0, 14.0, 14.0]
    assert other.covariance_m2[0, 0, :, 1, 1].tolist() == [1.0, 1.0, 1.0]
