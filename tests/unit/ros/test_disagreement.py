"""How far two predictors are apart, from messages whose distances are known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.unit.ros.predicted_lines import lines
from trajnet.ros.cdr import decode_predicted, encode_predicted
from trajnet.ros.disagreement import MAX_PATHS, Compared, compare, disagreement_records, paths_at
from trajnet.ros.ragged import joined, select_predicted


def test_single_paths_are_as_far_apart_as_their_points() -> None:
    found = compare(
        lines(0, {"a": [(10.0, 1.0)], "b": [(0.0, 1.0)]}), lines(0, {"b": [(0.0, 1.0)], "a": [(12.0, 1.0)]})
    )
    assert found.distance_m == pytest.approx(np.array([[2.0, 6.0, 10.0], [0.0, 0.0, 0.0]]))
    assert found.state.tolist() == [Compared.BOTH, Compared.BOTH]


def test_mixtures_by_hand_and_confidences_that_do_not_sum_to_1() -> None:
    ours, theirs = lines(0, {"a": [(0.0, 1.0)]}), lines(0, {"a": [(8.0, 0.1), (0.0, 0.3)]})
    # at 1 s: half the energy distance between a point at 0 and (0: 0.75, 8: 0.25) is 2 - 1.5
    assert compare(ours, theirs).distance_m[0] == pytest.approx([0.5, 1.5, 2.5])


def test_what_cannot_be_compared_is_nan_and_says_why() -> None:
    ours = lines(0, {"a": [(1.0, 1.0)], "b": [(1.0, 1.0)], "c": [(1.0, 1.0)], "d": [(1.0, 1.0)]})
    theirs = lines(0, {"a": [(1.0, 1.0)], "b": [], "d": [(1.0, 0.0)]}, poses=7)  # 3 s
    found = compare(ours, theirs)
    assert found.state.tolist() == [Compared.BOTH, Compared.WITHOUT_PATHS, Compared.ABSENT, Compared.WITHOUT_PATHS]
    assert found.distance_m[0, :2] == pytest.approx([0.0, 0.0])
    assert np.isnan(found.distance_m[0, 2])
    assert np.isnan(found.distance_m[1:]).all()


def test_other_steps_are_interpolated_and_broken_paths_left_out() -> None:
    theirs = lines(0, {"a": [(10.0, 0.5), (99.0, 0.5)]}, poses=9, step_ms=700)
    pose = theirs.path_pose.copy()
    pose[9 + 4, 0] = np.nan  # of the second path, at 2.8 s
    broken = replace(theirs, path_pose=pose)
    assert compare(lines(0, {"a": [(10.0, 1.0)]}), broken).distance_m[0] == pytest.approx([0.0, 0.0, 0.0], abs=1e-9)


def test_a_path_of_one_pose_or_without_a_step_reaches_no_horizon() -> None:
    for short in (lines(0, {"a": [(1.0, 1.0)]}, poses=1), lines(0, {"a": [(1.0, 1.0)]}, step_ms=0)):
        assert np.isnan(compare(lines(0, {"a": [(1.0, 1.0)]}), short).distance_m).all()


def test_a_horizon_that_some_path_does_not_reach_is_not_compared() -> None:
    ours = lines(0, {"a": [(1.0, 1.0)]})
    just_short = lines(0, {"a": [(1.0, 1.0)]}, poses=7, step_ms=490)
    assert np.isfinite(compare(ours, just_short).distance_m[0]).tolist() == [True, False, False]
    both = lines(0, {"a": [(1.0, 0.5), (1.0, 0.5)]}, poses=7)
    one_shorter = replace(both, pose_count=np.array([7, 3]), path_pose=both.path_pose[:10])  # 3 s and 1 s
    assert np.isfinite(compare(ours, one_shorter).distance_m[0]).tolist() == [True, False, False]


def test_paths_without_poses_or_with_negative_confidence_are_left_out_and_an_id_counts_once() -> None:
    ours = lines(0, {"a": [(10.0, 1.0)], "b": [(1.0, 1.0)]})
    theirs = lines(0, {"a": [(99.0, -0.5), (10.0, 1.0)], "b": [(1.0, 1.0)]})
    assert compare(ours, theirs).distance_m == pytest.approx(np.zeros((2, 3)))
    empty = replace(theirs, pose_count=np.array([13, 13, 0]), path_pose=theirs.path_pose[:26])
    assert compare(ours, empty).state.tolist() == [Compared.BOTH, Compared.WITHOUT_PATHS]
    twice = lines(0, {"a": [(10.0, 1.0)], "c": [(99.0, 1.0)]})
    twice = replace(twice, object_id=ours.object_id[[0, 0]])
    assert compare(ours, twice).distance_m[0] == pytest.approx([0.0, 0.0, 0.0])


def test_only_the_likeliest_paths_count_and_none_is_no_error() -> None:
    many = lines(0, {"a": [(float(i), 1.0 + i) for i in range(MAX_PATHS + 4)], "b": [(5.0, 1.0)]})
    at = paths_at(many)
    assert at.position_m.shape == (2, MAX_PATHS, 3, 2)
    assert at.position_m[0, :, 0, 0] == pytest.approx(np.arange(MAX_PATHS + 3, 3, -1))
    assert at.probability.sum(axis=1) == pytest.approx([1.0, 1.0])
    assert compare(lines(0, {}), many).distance_m.shape == (0, 3)
    assert compare(many, lines(0, {})).state.tolist() == [Compared.ABSENT] * 2


def test_the_cloud_has_a_record_for_every_object() -> None:
    records = disagreement_records(
        compare(lines(0, {"a": [(1.0, 1.0)], "b": [(1.0, 1.0)]}), lines(0, {"b": [(2.0, 1.0)]}))
    )
    assert records["y_m"].tolist() == [0.0, 10.0]
    assert records["state"].tolist() == [Compared.ABSENT, Compared.BOTH]
    assert records["distance_3s_m"][1] == pytest.approx(3.0)
    assert np.isnan(records["distance_1s_m"][0])


def test_rows_of_predicted_objects_keep_their_paths() -> None:
    whole = lines(0, {"a": [(1.0, 0.4), (2.0, 0.6)], "b": [], "c": [(3.0, 1.0)]})
    turned = select_predicted(whole, np.array([2, 0]))
    assert turned.path_count.tolist() == [1, 2]
    assert turned.path_pose.reshape(3, 13, 7)[:, 2, 0] == pytest.approx([3.0, 1.0, 2.0])
    again = decode_predicted(encode_predicted(joined(turned, select_predicted(whole, np.array([1])))))
    assert again.path_count.tolist() == [1, 2, 0]
    assert np.array_equal(again.object_id, whole.object_id[[2, 0, 1]])
