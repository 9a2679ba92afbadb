"""Who is scored, and each score, on tracks made by hand."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from trajnet.evaluate import manoeuvres
from trajnet.evaluate.paths import ScoredPaths
from trajnet.protocols.sites.events import calibration, events
from trajnet.protocols.sites.objects import (
    BANDS,
    Objects,
    future_times_s,
    last_second_mps,
    scored_frames,
    scored_objects,
)
from trajnet.protocols.sites.scores import Scores, knots_of, scores_of
from trajnet.types import ObjectClass, Scene

TIME_S = future_times_s(6.0)
Way = Callable[[np.ndarray], np.ndarray]


def scene_of(ways: dict[str, tuple[ObjectClass, Way, float]], *, hz: float = 10.0, seconds: float = 10.0) -> Scene:
    """Objects along x: name -> (class, metres at each time, first second that it is seen)."""
    time_s = np.arange(round(hz * seconds) + 1) / hz
    rows = [(f, t, way(time_s)[f]) for f in range(len(time_s)) for t, (_, way, first_s) in enumerate(ways.values())
            if time_s[f] >= first_s - 1e-9]  # fmt: skip
    frame, track, x_m = (np.array(column) for column in zip(*rows, strict=True))
    count = len(rows)
    return Scene(
        scene_id="made",
        timestamp_ns=np.round(time_s * 1e9).astype(np.int64),
        frame_number=np.arange(len(time_s)),
        track_id=tuple(ways),
        object_class=np.array([kind for kind, _, _ in ways.values()], np.int8),
        size_m=np.tile([2.0, 1.0], (len(ways), 1)),
        row_frame=frame.astype(np.int64),
        row_track=track.astype(np.int64),
        position_m=np.stack([x_m, np.zeros(count)], axis=1),
        yaw_rad=np.zeros(count),
        yaw_valid=np.zeros(count, np.bool_),
        velocity_mps=np.zeros((count, 2)),
        velocity_valid=np.zeros(count, np.bool_),
        is_target=np.zeros(count, np.bool_),
    )


def at(objects: Objects, track: str, seen_s: float) -> int:
    """The row of a track at so many seconds since it was first seen."""
    rows = np.flatnonzero((objects.track == track) & (np.abs(objects.seen_for_s - seen_s) < 1e-6))
    assert len(rows) == 1
    return int(rows[0])


WAYS: dict[str, tuple[ObjectClass, Way, float]] = {
    "parked": (ObjectClass.CAR, lambda t: 0.0 * t, 0.0),
    "goes at 4 s": (ObjectClass.CAR, lambda t: 2.0 * np.maximum(t - 4.0, 0.0), 0.0),
    "stops at 6 s": (ObjectClass.TRUCK, lambda t: 4.0 * np.minimum(t, 6.0), 0.0),
    "walks": (ObjectClass.PEDESTRIAN, lambda t: 1.4 * t, 3.0),
    "fast": (ObjectClass.CAR, lambda t: 12.0 * t, 0.0),
}


@pytest.mark.parametrize("hz", [10.0, 2.5, 12.0])
def test_frames_are_a_second_apart_at_every_rate(hz: float) -> None:
    scene = scene_of({"a": (ObjectClass.CAR, lambda t: t, 0.0)}, hz=hz, seconds=6.0)
    time_s = scene.timestamp_ns[scored_frames(scene, 1.0)] * 1e-9
    assert len(time_s) == 7
    assert np.all((time_s - np.arange(7) >= -0.25 / hz) & (time_s - np.arange(7) < 1.0 / hz))
    assert len(scored_frames(scene, 2.0)) == 4


def test_objects_are_those_with_a_whole_future() -> None:
    objects = scored_objects(scene_of(WAYS), 1.0, 6.0)
    assert {name: int((objects.track == name).sum()) for name in WAYS} == {
        "parked": 5, "goes at 4 s": 5, "stops at 6 s": 5, "walks": 2, "fast": 5,
    }  # fmt: skip
    assert len(scored_objects(scene_of(WAYS), 1.0, 4.0)) == len(objects) + 2 * 5
    assert np.all(np.diff(objects.row) > 0)


@pytest.mark.parametrize("hz", [10.0, 2.5])
def test_what_objects_did(hz: float) -> None:
    objects = scored_objects(scene_of(WAYS, hz=hz), 2.0 if hz < 10 else 1.0, 6.0)
    parked, goes, stops = at(objects, "parked", 4.0), at(objects, "goes at 4 s", 4.0), at(objects, "stops at 6 s", 4.0)
    young, fast = int(np.flatnonzero(objects.track == "walks")[0]), at(objects, "fast", 4.0)
    bands = [BANDS[i][0] for i in objects.band[[parked, goes, stops, young, fast]]]
    assert bands == ["stands", "stands", "3-8 m/s", "0.5-3 m/s", "from 8 m/s"]
    assert objects.stands[parked]
    assert not objects.stands[[goes, stops, young, fast]].any()
    assert not objects.stands[at(objects, "parked", 2.0)], "it has not been seen for 3 s"
    assert objects.starts[[parked, goes, stops]].tolist() == [False, True, False]
    assert objects.stops[[goes, stops, fast]].tolist() == [False, True, False]
    assert objects.goes_on[[stops, young, fast]].tolist() == [False, True, True]
    assert objects.moving_vehicle[[parked, goes, stops, young, fast]].tolist() == [False, False, True, False, True]
    assert objects.walking[[parked, young, fast]].tolist() == [False, True, False]
    assert manoeuvres.MANOEUVRES[objects.manoeuvre[stops]] == "stopping"


def test_a_path_shorter_than_a_second_is_taken_whole() -> None:
    assert last_second_mps(np.zeros((1, 2)), np.array([[[2.0, 0.0]]]), np.array([0.5])) == 4.0
    path_m = np.cumsum(np.full((1, 12, 2), [1.0, 0.0]), axis=1)
    path_m[0, -2:] = path_m[0, -3]
    assert last_second_mps(np.zeros((1, 2)), path_m, TIME_S) == 0.0


def paths(top_m: np.ndarray, other_m: np.ndarray) -> ScoredPaths:
    """Two modes of 60 and 40 %, with standard deviations of 1 m."""
    position_m = np.stack([top_m, other_m], axis=1)
    covariance = np.broadcast_to(np.eye(2), (*position_m.shape, 2))
    count = len(top_m)
    return ScoredPaths(position_m, covariance, np.tile([0.6, 0.4], (count, 1)), np.zeros(count, np.int8))


def test_scores_of_two_modes() -> None:
    truth_m = np.stack([TIME_S, 0.0 * TIME_S], axis=-1)[None]
    top_m, other_m = 2.0 * truth_m, truth_m + np.array([0.0, 0.5])
    scores = scores_of(paths(top_m, other_m), np.zeros((1, 2)), truth_m, TIME_S)
    assert scores.top_ade_m[0] == pytest.approx(TIME_S.mean())
    assert scores.top_fde_m[0] == pytest.approx(6.0)
    assert scores.best_ade_m[0] == pytest.approx(0.5)
    assert scores.best_fde_m[0] == pytest.approx(0.5)
    assert scores.top_end_m[0] == pytest.approx(12.0)
    assert scores.top_last_mps[0] == pytest.approx(2.0)
    assert scores.nll.shape == scores.share.shape == (1, 5)
    # At 6 s the first mode is 6 m away and adds nothing to the second's density there.
    second = 0.4 * np.exp(-0.125 / 1.0001) / (2 * np.pi * 1.0001)
    assert scores.nll[0, -1] == pytest.approx(-np.log(second), abs=1e-4)


def test_horizons_are_those_that_are_reached_and_the_last_one() -> None:
    assert [float(TIME_S[i]) for i in knots_of(TIME_S)] == [1.0, 2.0, 3.0, 4.0, 6.0]
    short_s = future_times_s(2.5)
    assert [float(short_s[i]) for i in knots_of(short_s)] == [1.0, 2.0, 2.5]


def filled(count: int, **values: object) -> Scores:
    fields = ("top_ade_m", "top_fde_m", "best_ade_m", "best_fde_m", "top_end_m", "top_last_mps")
    given: dict[str, np.ndarray] = {name: np.zeros(count) for name in fields}
    given |= {"share": np.zeros((count, 5)), "nll": np.zeros((count, 5))}
    return Scores(**(given | {name: np.array(value) for name, value in values.items()}))


def test_each_event_is_a_share_of_the_objects_that_it_could_happen_to() -> None:
    objects = scored_objects(scene_of(WAYS), 1.0, 6.0)
    names = ["parked", "parked", "goes at 4 s", "stops at 6 s", "walks", "fast"]
    times_s = [3.0, 4.0, 4.0, 4.0, 0.0, 0.0]
    chosen = objects.select(np.array([at(objects, *each) for each in zip(names, times_s, strict=True)]))
    scores = filled(6, top_end_m=[0.6, 2.5, 0.9, 8.0, 8.0, 8.0], top_last_mps=[0.0, 0.0, 0.0, 3.0, 0.1, 9.0])
    found = events(chosen, scores)
    assert found["all"] == {
        "false_motion_0.5m": {"objects": 2, "share": 1.0},
        "false_motion_2m": {"objects": 2, "share": 0.5},
        "missed_start": {"objects": 1, "share": 1.0},
        "false_stop": {"objects": 2, "share": 0.5},
        "missed_stop": {"objects": 1, "share": 1.0},
    }
    assert found["pedestrians"]["false_stop"] == {"objects": 1, "share": 1.0}
    assert found["vehicles"]["false_stop"] == {"objects": 1, "share": 0.0}
    assert found["pedestrians"]["missed_start"] == {"objects": 0, "share": None}


def test_coverage_counts_truths_inside_the_region() -> None:
    share = np.tile([[0.4], [0.6], [0.95], [0.2]], (1, 5))
    rows = calibration(filled(4, share=share, nll=np.full((4, 5), 1.5)), TIME_S)
    assert [row["horizon_s"] for row in rows] == [1.0, 2.0, 3.0, 4.0, 6.0]
    assert rows[0] == {"horizon_s": 1.0, "covered_50": 0.5, "covered_90": 0.75, "nll": 1.5}
