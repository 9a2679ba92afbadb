"""Waymo's metrics: the values in its own tests (motion_metrics_test.cc), and cases by hand."""

from __future__ import annotations

import numpy as np
import pytest

from trajnet.metrics import womd
from trajnet.metrics.womd import SHAPES, THRESHOLDS, Threshold

OFTEST = Threshold(0.4, 1.0, 2.0)


@pytest.mark.parametrize(
    ("confidence", "hit", "count", "expected"),
    [
        ([0.3, 0.7, 0.4, 0.8, 0.5, 0.2], [1, 1, 0, 1, 0, 0], 4, 0.65),  # ComputeMeanAveragePrecision
        ([0.8, 0.5, 0.5, 0.5, 0.5, 0.5], [1, 0, 1, 1, 0, 0], 6, 1 / 3),  # ...EqualConfidences
        ([0.8, 0.5], [0, 1], 1, 0.5),  # TwoJointPredictionsNoMiss
        ([0.5], [1], 1, 1.0),
        ([0.5], [0], 1, 0.0),
    ],
)
def test_average_precision(confidence: list[float], hit: list[int], count: int, expected: float) -> None:
    assert womd.average_precision(np.array(confidence), np.array(hit, np.bool_), count) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("end", "hit"),
    [
        ((10.0, 10.0), True),
        ((9.292, 10.708), False),  # ComputeMissRateLateral_1: 1.0013 m across
        ((9.294, 10.706), True),  # ComputeNoMissLateral_2
        ((11.415, 11.415), False),  # ComputeMissRateLongitudinal_1
        ((11.414, 11.414), True),  # ComputeNoMissLongitudinal_1
    ],
)
def test_misses_are_judged_along_the_true_heading(end: tuple[float, float], hit: bool) -> None:
    offset_m = np.array([end]) - 10.0
    assert womd.is_hit(offset_m, np.pi / 4, 28.0, OFTEST).tolist() == [hit]


@pytest.mark.parametrize(("speed_mps", "hit"), [(0.0, False), (6.19, False), (6.21, True), (11.0, True), (30.0, True)])
def test_thresholds_grow_with_the_speed(speed_mps: float, hit: bool) -> None:
    """0.75 m across, 75 % of the limit: reached half way between 1.4 and 11 m/s (ComputeVelocityScalingLatitudinal)."""
    assert womd.is_hit(np.array([[0.0, 0.75]]), 0.0, speed_mps, OFTEST).tolist() == [hit]


def test_the_thresholds_of_the_challenge() -> None:
    assert [(t.time_s, t.lateral_m, t.longitudinal_m) for t in THRESHOLDS] == [(3, 1, 2), (5, 1.8, 3.6), (8, 3, 6)]


@pytest.mark.parametrize(
    ("moved", "turn_deg", "speeds", "shape"),
    [
        ((2.0, 1.0), 90, (0.0, 1.9), "stationary"),
        ((2.0, 1.0), 0, (0.0, 2.0), "straight"),
        ((30.0, 2.4), 29, (9.0, 9.0), "straight"),
        ((30.0, 2.6), 29, (9.0, 9.0), "straight_left"),
        ((30.0, -2.6), 0, (9.0, 9.0), "straight_right"),
        ((20.0, 15.0), 90, (9.0, 9.0), "left_turn"),
        ((-1.0, 10.0), 170, (9.0, 9.0), "left_u_turn"),
        ((20.0, -15.0), -90, (9.0, 9.0), "right_turn"),
        ((-1.0, -10.0), -170, (9.0, 9.0), "right_u_turn"),
    ],
)
@pytest.mark.parametrize("yaw_rad", [0.0, 2.0])
def test_shapes(moved: tuple[float, float], turn_deg: float, speeds: tuple[float, float], shape: str,
                yaw_rad: float) -> None:  # fmt: skip
    cos, sin = np.cos(yaw_rad), np.sin(yaw_rad)
    moved_m = np.array([cos * moved[0] - sin * moved[1], sin * moved[0] + cos * moved[1]])
    assert SHAPES[womd.path_shape(moved_m, yaw_rad, yaw_rad + np.deg2rad(turn_deg), *speeds)] == shape


def test_a_second_hit_of_an_object_is_wrong_or_left_out() -> None:
    """One object, three paths: hit at 0.5, hit at 0.3, miss at 0.2. Another is hit at 0.4 only, a third not at all."""
    nan = float("nan")
    confidence = np.array([[0.5, 0.3, 0.2], [0.4, nan, nan], [0.35, nan, nan]])
    hit = np.array([[True, True, False], [True, False, False], [False, False, False]])
    shape = np.ones(3, np.int64)
    # In order: hit .5, hit .4, miss .35, (second hit .3), miss .2: both hits come at precision 1, two of three objects.
    for soft in (False, True):
        assert womd.mean_average_precision(confidence, hit, shape, soft=soft) == pytest.approx(2 / 3)
    # With the second object's confidence below the second hit: precision there is 2 of 4, softly 2 of 3.
    confidence[1, 0] = 0.25
    assert womd.mean_average_precision(confidence, hit, shape, soft=False) == pytest.approx((1 + 2 / 4) / 3)
    assert womd.mean_average_precision(confidence, hit, shape, soft=True) == pytest.approx((1 + 2 / 3) / 3)
    # Shapes count alike, however many objects they have.
    shape[2] = 4
    assert womd.mean_average_precision(confidence, hit, shape, soft=True) == pytest.approx(((1 + 1) / 2 + 0) / 2)


def test_right_u_turns_are_right_turns_and_left_ones_are_not_left_turns() -> None:
    """Two objects: hit at 0.5, missed at 0.9. Waymo's own program gives 1/4 for one bin of both, else 1/2."""
    confidence, hit = np.array([[0.5], [0.9]]), np.array([[True], [False]])
    for names, expected in ((("right_turn", "right_u_turn"), 0.25), (("left_turn", "left_u_turn"), 0.5)):
        shape = np.array([SHAPES.index(name) for name in names])
        assert womd.mean_average_precision(confidence, hit, shape, soft=False) == pytest.approx(expected)


def test_boxes_overlap_by_their_sides_not_by_their_circles() -> None:
    one = np.array([0.0, 0.0, 0.0, 4.0, 2.0])
    others = np.array(
        [
            [3.9, 0.0, 0.0, 4.0, 2.0],  # 0.1 m into it
            [4.1, 0.0, 0.0, 4.0, 2.0],  # 0.1 m before it
            [0.0, 2.1, 0.0, 4.0, 2.0],  # beside it
            [0.0, 2.9, np.pi / 2, 4.0, 2.0],  # across
            [3.2, 1.2, np.pi / 4, 2.0, 2.0],  # its corner in the corner of one: 3.2 - 1.414 < 2
            [3.3, 2.3, np.pi / 4, 2.0, 2.0],  # near the corner but apart along the diagonal: (1.3 + 1.3) / 1.414 > 1
        ]
    )
    assert womd.boxes_overlap(one, others).tolist() == [True, False, False, True, True, False]
    assert womd.boxes_overlap(one, np.zeros((0, 5))).tolist() == []


def test_headings_are_the_mean_of_the_steps_around() -> None:
    path_m = np.array([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]])
    np.testing.assert_allclose(np.rad2deg(womd.path_headings(path_m)), [0.0, 45.0, 135.0, 180.0])
