"""A recording cut into stretches of time: every row in one of them, none changed, sorted names sorted times."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from trajnet.errors import InputError
from trajnet.scenes.cut import stretches
from trajnet.types import Lane, ObjectClass, Scene

#: Frames every 0.5 s; which tracks are in each, by name.
PRESENT = ("ab", "ab", "b", "", "", "", "c", "cb")
START_NS = 1_700_000_000_000_000_000
LANE = Lane("lane", left_m=np.zeros((2, 2)), right_m=np.ones((2, 2)), centre_m=np.full((2, 2), 0.5))


def scene(present: tuple[str, ...] = PRESENT) -> Scene:
    rows = [(frame, "abc".index(name)) for frame, names in enumerate(present) for name in sorted(names)]
    frame, track = np.array(rows, np.int64).reshape(-1, 2).T
    return Scene(
        scene_id="day",
        timestamp_ns=START_NS + np.arange(len(present)) * 500_000_000,
        frame_number=np.arange(len(present)) + 7,
        track_id=("a", "b", "c"),
        object_class=np.array([ObjectClass.CAR, ObjectClass.BUS, ObjectClass.PEDESTRIAN], np.int8),
        size_m=np.array([[4.0, 2.0], [12.0, 2.5], [0.5, 0.5]]),
        row_frame=frame,
        row_track=track,
        position_m=np.stack([frame, 10.0 * track], 1),
        yaw_rad=np.full(len(frame), 0.5),
        yaw_valid=np.ones(len(frame), np.bool_),
        velocity_mps=np.ones((len(frame), 2)),
        velocity_valid=frame % 2 == 0,
        is_target=track == 0,
        source="a mast",
        licence="ours",
        lanes=(LANE,),
    )


def told(one: Scene) -> set[tuple[object, ...]]:
    """Return what the rows of a scene say, without indices."""
    track, frame = one.row_track.tolist(), one.row_frame.tolist()
    return {
        (
            int(one.timestamp_ns[f]), int(one.frame_number[f]), one.track_id[t], int(one.object_class[t]),
            *one.size_m[t].tolist(), *one.position_m[row].tolist(), bool(one.velocity_valid[row]),
            bool(one.is_target[row]),
        )
        for row, (f, t) in enumerate(zip(frame, track, strict=True))
    }  # fmt: skip


def test_every_row_is_in_one_stretch_unchanged() -> None:
    whole, cut = scene(), list(stretches(scene(), 1.0))
    assert [one.scene_id for one in cut] == ["day-000", "day-001", "day-003"]  # nobody is there in the third second
    assert [one.track_id for one in cut] == [("a", "b"), ("b",), ("b", "c")]
    assert sum(len(one.row_frame) for one in cut) == len(whole.row_frame)
    assert set().union(*map(told, cut)) == told(whole)
    assert all(one.lanes == whole.lanes and one.licence == "ours" and one.source == "a mast" for one in cut)


def test_a_stretch_is_as_long_as_it_says_to_the_nanosecond() -> None:
    whole = replace(scene(("a",) * 70), timestamp_ns=START_NS + np.arange(70) * 100_000_000)
    assert [one.frame_count for one in stretches(whole, 1.1)] == [11, 11, 11, 11, 11, 11, 4]


def test_frames_without_rows_stay_in_their_stretch() -> None:
    assert [one.frame_count for one in stretches(scene(), 2.0)] == [4, 4]


def test_sorted_names_are_sorted_times() -> None:
    names = [one.scene_id for one in stretches(replace(scene(), timestamp_ns=np.arange(8) * 400_000_000_000), 1.0)]
    assert names == sorted(names)
    assert names[-1] == "day-2800"


def test_nothing_comes_of_a_scene_without_rows() -> None:
    assert list(stretches(scene(("", "")), 1.0)) == []


@pytest.mark.parametrize("length_s", [0.0, -1.0, 0.5, float("nan"), float("inf")])
def test_other_lengths_are_refused(length_s: float) -> None:
    with pytest.raises(InputError, match=r"cut: expected stretches of 1 s or more, got"):
        list(stretches(scene(), length_s))
