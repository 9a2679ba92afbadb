"""The structs refuse what is not valid, in one sentence that names it, and give back what they were given."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tests.frames import frame, scene
from trajnet.errors import InputError
from trajnet.types import DEFAULT_SIZE_M, USUAL_LANE_M, WHEELED, Lane, ObjectClass, Prediction, RasterMap

NAN = float("nan")
TWO = frame(1.0, {"a": (1.0, 2.0), "b": (3.0, 4.0)}, yaw=[0.1, 0.2], velocity=[[1, 0], [0, 1]])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"track_id": ("a", "a")}, r"TrackFrame\.track_id: expected unique ids, got 'a' more than once"),
        ({"position_m": [[1, 2], [NAN, 4]]}, r"position_m: .* in 1 row\(s\), first at row 1"),
        ({"position_m": [[1, 2], [np.inf, 4]]}, "position_m"),
        ({"yaw_rad": [NAN, 0]}, r"yaw_rad: .* first at row 0"),
        ({"velocity_mps": [[0, 0], [0, -np.inf]]}, "velocity_mps"),
        ({"size_m": [[4, 2], [4, NAN]]}, "size_m: expected finite"),
        ({"size_m": [[4, 2], [4, 0]]}, r"size_m: expected lengths and widths above 0 m, got 0\.0"),
        ({"size_m": [[-1, 2], [4, 1]]}, r"above 0 m, got -1\.0"),
        ({"position_m": [[1, 2]]}, r"position_m: expected shape \(2, 2\), got \(1, 2\)"),
        ({"yaw_rad": [[0, 0]]}, r"yaw_rad: expected shape \(2,\), got \(1, 2\)"),
        ({"yaw_rad": 0.0}, r"yaw_rad: expected shape \(2,\), got \(\)"),
        ({"position_m": [[1, 2], ["x", 4]]}, "position_m: expected numbers of shape"),
        ({"position_m": [[1, 2], [3]]}, "position_m: expected numbers of shape"),
        ({"position_m": np.full((2, 2), 1j)}, "position_m: expected numbers of shape .* got: an array of complex128"),
        ({"position_m": [["1", "2"], ["3", "4"]]}, "position_m: expected numbers of shape .* got: an array of <U1"),
        ({"object_class": [0, len(ObjectClass)]}, r"object_class: expected 0\.\.6, got 0\.\.7"),
        ({"object_class": [-1, 0]}, r"object_class: expected 0\.\.6"),
        ({"object_class": [256, 0]}, "object_class"),
        ({"object_class": np.array([256, 0])}, "object_class: expected whole numbers that fit int8"),
        ({"object_class": [0.5, 0]}, "object_class: expected whole numbers"),
        ({"object_class": [NAN, 0]}, "object_class"),
        ({"timestamp_ns": 1.5}, r"timestamp_ns: expected whole nanoseconds, got 1\.5"),
        ({"timestamp_ns": NAN}, "timestamp_ns"),
        ({"timestamp_ns": 2**63}, "timestamp_ns: expected nanoseconds that fit 64 bits"),
    ],
)
def test_a_frame_refuses(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        replace(TWO, **changes)
    assert "\n" not in str(caught.value)


def test_one_row_is_no_scalar() -> None:
    with pytest.raises(InputError, match=r"yaw_rad: expected shape \(1,\), got \(\)"):
        replace(frame(0.0, {"a": (0, 0)}), yaw_rad=0.5)  # type: ignore[arg-type]


def test_what_is_masked_may_be_nan() -> None:
    made = frame(0.0, {"a": (0, 0)}, yaw=None, velocity=None)
    assert np.isnan(made.yaw_rad).all()
    assert np.isnan(made.velocity_mps).all()
    with pytest.raises(InputError, match="yaw_rad"):
        replace(made, yaw_valid=np.array([True]))
    with pytest.raises(InputError, match="velocity_mps"):
        replace(made, velocity_valid=np.array([True]))


def test_a_frame_holds_the_stated_types() -> None:
    given: dict[str, Any] = {"timestamp_ns": np.int64(7), "position_m": [[1, 2], [3, 4]], "yaw_valid": [1, 0]}
    made = replace(TWO, **given)
    assert type(made.timestamp_ns) is int
    arrays = (made.position_m, made.object_class, made.yaw_valid)
    assert [a.dtype.name for a in arrays] == ["float64", "int8", "bool"]
    assert len(made) == 2


def test_select_takes_masks_and_indices_in_their_order() -> None:
    for rows in (np.array([1, 0]), np.array([False, True])):
        chosen = TWO.select(rows)
        index = np.arange(2)[rows]
        assert chosen.track_id == tuple(TWO.track_id[i] for i in index)
        for name in ("object_class", "position_m", "yaw_rad", "yaw_valid", "velocity_mps", "velocity_valid", "size_m"):
            np.testing.assert_array_equal(getattr(chosen, name), getattr(TWO, name)[index])
        assert chosen.timestamp_ns == TWO.timestamp_ns
    assert len(TWO.select(np.zeros(2, dtype=np.bool_))) == 0
    with pytest.raises(InputError, match="unique"):
        TWO.select(np.array([0, 0]))


def test_every_class_has_a_size_and_a_way_of_moving() -> None:
    assert DEFAULT_SIZE_M.shape == (len(ObjectClass), 2)
    assert (DEFAULT_SIZE_M > 0).all()
    assert len(WHEELED) == len(ObjectClass)


def prediction(**changes: Any) -> Prediction:
    """Two objects, two modes, three times."""
    values: dict[str, Any] = {
        "timestamp_ns": 0,
        "track_id": ("a", "b"),
        "time_s": [1.0, 2.0, 3.0],
        "position_m": np.arange(24.0).reshape(2, 2, 3, 2),
        "yaw_rad": np.arange(12.0).reshape(2, 2, 3),
        "covariance_m2": np.tile(np.eye(2), (2, 2, 3, 1, 1)),
        "probability": [[0.4, 0.6], [0.5, 0.5]],
        "source": [0, 1],
        "age_s": [0.0, 0.5],
    }
    return Prediction(**{**values, **changes})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"time_s": []}, "time_s: expected strictly increasing"),
        ({"time_s": [0.0, 1.0, 2.0]}, "above 0 s"),
        ({"time_s": [1.0, 1.0, 2.0]}, "strictly increasing"),
        ({"time_s": [NAN, 1.0, 2.0]}, "strictly increasing"),
        ({"time_s": [1.0, NAN, 2.0]}, "strictly increasing"),
        ({"time_s": [1.0, 2.0, np.inf]}, "strictly increasing"),
        ({"probability": [0.5, 0.5]}, r"probability: expected shape \(2, K\)"),
        ({"probability": np.zeros((2, 0))}, "K above 0"),
        ({"position_m": np.zeros((2, 2, 2, 2))}, r"position_m: expected shape \(2, 2, 3, 2\), got \(2, 2, 2, 2\)"),
        ({"covariance_m2": np.zeros((2, 2, 3, 2))}, "covariance_m2: expected shape"),
        ({"age_s": [0.0]}, "age_s: expected shape"),
    ],
)
def test_a_prediction_refuses(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        prediction(**changes)


def poisoned(name: str, value: float) -> Prediction:
    made = prediction()
    getattr(made, name)[1].flat[0] = value
    return made


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("position_m", NAN),
        ("position_m", np.inf),
        ("yaw_rad", NAN),
        ("covariance_m2", NAN),
        ("covariance_m2", -0.1),
        ("probability", NAN),
        ("probability", -0.1),
        ("probability", 0.6),
    ],
)
def test_unusable_rows_are_found(name: str, value: float) -> None:
    made = poisoned(name, value)
    assert made.usable_rows().tolist() == [True, False]
    with pytest.raises(InputError, match=r"got 1 bad row\(s\), first track 'b'"):
        made.validate()


def test_a_row_is_unusable_for_a_part_that_the_others_hide() -> None:
    made = prediction(probability=[[0.4, 0.6], [-0.1, 1.1]])  # sums to 1
    assert made.usable_rows().tolist() == [True, False]
    for element in ((0, 0), (1, 1)):
        made = prediction()
        made.covariance_m2[0, 0, 1][element] = -0.1
        assert made.usable_rows().tolist() == [False, True]


def test_usable_rows_pass() -> None:
    prediction().validate()
    off = prediction(probability=[[0.4, 0.6005], [0.5, 0.5]])
    assert off.usable_rows().all()


def test_best_first_orders_every_objects_modes_and_keeps_ties() -> None:
    ordered = prediction().best_first()
    np.testing.assert_array_equal(ordered.probability, [[0.6, 0.4], [0.5, 0.5]])
    np.testing.assert_array_equal(ordered.position_m[0], prediction().position_m[0, ::-1])
    np.testing.assert_array_equal(ordered.position_m[1], prediction().position_m[1])
    np.testing.assert_array_equal(ordered.yaw_rad[0], prediction().yaw_rad[0, ::-1])
    assert ordered.source.tolist() == [0, 1]


def test_added_modes_repeat_the_first_without_probability() -> None:
    narrow = prediction()
    wide = narrow.with_modes(narrow.modes + 2)
    wide.validate()
    for name in Prediction.PER_MODE:
        np.testing.assert_array_equal(getattr(wide, name)[:, : narrow.modes], getattr(narrow, name))
    assert not wide.probability[:, narrow.modes :].any()
    np.testing.assert_array_equal(wide.position_m[:, -1], narrow.position_m[:, 0])
    assert narrow.with_modes(narrow.modes) is narrow
    with pytest.raises(InputError, match=f"modes: expected at most {narrow.modes}, got {narrow.modes + 2}"):
        wide.with_modes(narrow.modes)


def test_experts_follow_their_modes() -> None:
    made = replace(prediction(), expert=np.array([[0, 1], [2, 0]], np.int8))
    assert made.expert is not None
    ordered, wide = made.best_first(), made.with_modes(3)
    assert ordered.expert is not None
    assert ordered.expert.tolist() == [[1, 0], [2, 0]]
    assert wide.expert is not None
    assert wide.expert.tolist() == [[0, 1, 0], [2, 0, 2]]
    assert prediction().best_first().expert is None
    with pytest.raises(InputError, match=r"Prediction\.expert: expected shape \(2, 2\), got \(2,\)"):
        replace(prediction(), expert=np.zeros(2, np.int8))


def test_a_labelled_prediction_shares_its_arrays_and_only_labels_that_fit_are_taken() -> None:
    plain = prediction()
    expert = np.zeros(plain.probability.shape, np.int8)
    labelled = plain.labelled(expert)
    assert (labelled.expert is expert, plain.expert) == (True, None)
    for name, value in vars(plain).items():
        assert name == "expert" or getattr(labelled, name) is value
    with pytest.raises(InputError, match=r"Prediction\.expert"):
        plain.labelled(expert[:, :1])


def test_a_lane_is_made_of_points() -> None:
    line = [[0.0, 0.0], [1.0, 0.0]]
    assert Lane("1", line, line, line).left_m.shape == (2, 2)  # type: ignore[arg-type]
    with pytest.raises(InputError, match=r"Lane\.right_m: expected shape \(P, 2\), got \(2,\)"):
        Lane("1", line, [0.0, 1.0], line)  # type: ignore[arg-type]
    with pytest.raises(InputError, match=r"Lane\.centre_m: expected finite"):
        Lane("1", line, line, [[0.0, NAN]])  # type: ignore[arg-type]


def test_a_lane_with_a_centre_line_alone_has_sides_at_half_a_usual_width() -> None:
    centre, none = np.array([[0.0, 0.0], [10.0, 0.0], [10.0, 0.0], [10.0, 30.0]]), np.zeros((0, 2))
    left_m, right_m = Lane("1", none, centre[:1], centre).sides_m or (none, none)
    half_m = 0.5 * USUAL_LANE_M
    np.testing.assert_allclose(left_m, [[0, half_m], [10 - half_m, half_m], [10 - half_m, 30]], atol=1e-12)
    np.testing.assert_allclose(right_m, [[0, -half_m], [10 + half_m, -half_m], [10 + half_m, 30]], atol=1e-12)
    np.testing.assert_array_equal(Lane("1", none, none, centre).outline_m, [*left_m, *right_m[::-1]])


def test_the_sides_that_a_lane_has_are_its_own() -> None:
    left, right, centre = (np.array([[0.0, y], [10.0, y]]) for y in (4.0, -2.0, 0.5))
    whole = Lane("1", left, right, centre)
    assert whole.sides_m == (whole.left_m, whole.right_m)
    left_m, right_m = Lane("1", left, right[:1], centre).sides_m or (left[:0], right[:0])
    np.testing.assert_array_equal(left_m, left)
    np.testing.assert_allclose(right_m, [[0, 0.5 - 0.5 * USUAL_LANE_M], [10, 0.5 - 0.5 * USUAL_LANE_M]])
    for nowhere in (Lane("1", left[:1], right, centre[:1]), Lane("1", left[:0], right[:0], centre[[0, 0, 0]])):
        assert nowhere.sides_m is None
        assert nowhere.outline_m.shape == (0, 2)


def test_a_raster_ends_at_its_borders() -> None:
    drivable = np.ones((4, 2), dtype=np.bool_)  # x from 10 to 12 m, y from -1 to 0 m, half a metre a pixel
    drivable[0, 1] = False
    raster = RasterMap(np.array([10.0, -1.0]), 2.0, drivable)
    points = {
        (10.0, -1.0): True,
        (10.0, -0.5): False,  # the pixel that is not drivable begins here ...
        (10.0, -0.5000001): True,
        (10.5, -0.5): True,  # ... and ends there
        (9.9999999, -1.0): False,
        (11.9999999, -0.0000001): True,
        (12.0, -0.5): False,
        (11.0, 0.0): False,
        (11.0, -1.0000001): False,
        (1e300, 0.0): False,
        (NAN, -0.5): False,
        (np.inf, -0.5): False,
    }
    got = raster.is_drivable(np.array(list(points)))
    assert got.tolist() == list(points.values())
    assert raster.is_drivable(np.zeros((5, 3, 2))).shape == (5, 3)


@pytest.mark.parametrize(
    ("origin", "scale", "drivable", "message"),
    [
        ([0.0], 1.0, np.ones((2, 2), bool), "origin_m"),
        ([0.0, 0.0], 0.0, np.ones((2, 2), bool), "pixels_per_m"),
        ([0.0, 0.0], NAN, np.ones((2, 2), bool), "pixels_per_m"),
        ([0.0, 0.0], 1.0, np.ones(2, bool), "drivable: expected two dimensions"),
    ],
)
def test_a_raster_refuses(origin: Any, scale: float, drivable: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        RasterMap(origin, scale, drivable)


def test_all_channels_of_a_raster_have_one_shape() -> None:
    with pytest.raises(InputError, match=r"RasterMap\.lane_divider: expected drivable's shape \(2, 3\), got \(3, 2\)"):
        RasterMap(np.zeros(2), 1.0, np.ones((2, 3), bool), np.ones((2, 3), bool), np.ones((3, 2), bool))
    with pytest.raises(InputError, match=r"RasterMap\.drivable: expected at least one pixel, got shape \(5, 0\)"):
        RasterMap(np.zeros(2), 1.0, np.ones((5, 0), bool))
    for direction in (np.zeros((2, 3, 2)), np.zeros((2, 3), np.int8)):
        with pytest.raises(InputError, match=r"RasterMap\.direction: expected int8 of shape \(2, 3, 2\), got"):
            RasterMap(np.zeros(2), 1.0, np.ones((2, 3), bool), direction=direction)  # type: ignore[arg-type]


SCENE = scene([0.0, 0.5, 1.0], {"a": {0: (0, 0), 2: (2, 0)}, "b": {0: (5, 5), 1: (6, 5), 2: (7, 5)}})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"timestamp_ns": [0, 5, 5]}, "strictly increasing times, got a step of 0 ns"),
        ({"timestamp_ns": [0, 5, 4]}, "got a step of -1 ns"),
        ({"track_id": ("a", "a")}, "unique ids, got 'a'"),
        ({"track_id": ("a", "b\ud800")}, r"ids that are text in Unicode, got 'b\\ud800'"),
        ({"row_frame": [0, 0, 1, 2, 3]}, "point into 3 frames and 2 tracks"),
        ({"row_track": [0, 1, 1, 0, -1]}, "point into 3 frames and 2 tracks"),
        ({"row_track": [0, 0, 1, 0, 1]}, "each track once per frame, got 'a' twice in frame 0"),
        ({"row_track": [1, 0, 1, 0, 1]}, "sorted by frame and track"),
        ({"row_frame": [0, 1, 0, 2, 2]}, "sorted by frame and track"),
        ({"row_frame": [0, 0, 1, 2, 2.5]}, "row_frame: expected whole numbers"),
        ({"size_m": [[4, 2], [0, 2]]}, "above 0 m, got 0"),
        ({"object_class": [1, 9]}, "object_class"),
        ({"position_m": np.full((5, 2), NAN)}, r"position_m: .* in 5 row\(s\)"),
        ({"yaw_valid": np.ones(5, bool), "yaw_rad": np.full(5, NAN)}, "yaw_rad"),
        ({"velocity_valid": np.ones(5, bool), "velocity_mps": np.full((5, 2), NAN)}, "velocity_mps"),
        ({"is_target": [True]}, "is_target: expected shape"),
    ],
)
def test_a_scene_refuses(changes: dict[str, Any], message: str) -> None:
    values = {f: getattr(SCENE, f) for f in SCENE.__dataclass_fields__ if f != "_start"}
    with pytest.raises(InputError, match=message) as caught:
        type(SCENE)(**{**values, **changes})
    assert str(caught.value).startswith("scene 'made'")


def test_a_scene_whose_name_cannot_be_written_is_refused() -> None:
    with pytest.raises(InputError, match=r"expected ids that are text in Unicode, got '\\udfff'"):
        replace(SCENE, scene_id="\udfff")


def test_a_scene_gives_its_frames_and_tracks() -> None:
    assert SCENE.frame_count == 3
    assert SCENE.duration_s == 1.0
    assert [f.track_id for f in SCENE.frames()] == [("a", "b"), ("b",), ("a", "b")]
    np.testing.assert_array_equal(SCENE.frame(1).position_m, [[6, 5]])
    assert SCENE.frame(2).timestamp_ns == 1_000_000_000
    assert [r.tolist() for r in SCENE.rows_by_track()] == [[0, 3], [1, 2, 4]]
    assert SCENE.rows_of_frame(1) == slice(2, 3)


def test_empty_frames_and_scenes_are_legal() -> None:
    assert len(frame(0.0, {})) == 0
    gap = scene([0.0, 1.0, 2.0], {"a": {0: (0, 0), 2: (1, 0)}})
    assert [len(f) for f in gap.frames()] == [1, 0, 1]
    nothing = scene([], {})
    assert (nothing.frame_count, nothing.duration_s, nothing.rows_by_track()) == (0, 0.0, [])
    unseen = scene([0.0], {"a": {}})
    assert [r.tolist() for r in unseen.rows_by_track()] == [[]]
