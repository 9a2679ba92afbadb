"""Small scenes made by hand for the tests of the replay and its report."""

from __future__ import annotations

import numpy as np

from tests.unit.inference.test_contract import CONTRACT
from trajnet.geometry import rotate
from trajnet.inference import ConstantVelocity
from trajnet.inference.base import ModelFile
from trajnet.timing.clock import VirtualClock
from trajnet.tracking.store import Observations
from trajnet.types import DEFAULT_SIZE_M, Lane, ObjectClass, Prediction, Scene, Source


def straight_scene(
    present: np.ndarray, *, hz: float = 10.0, speed_mps: float = 5.0, lanes: tuple[Lane, ...] = ()
) -> Scene:
    """Objects that drive east at one speed, 10 m apart. present (F, M): which track is in which frame."""
    frames, tracks = present.shape
    row_frame, row_track = np.nonzero(present)
    time_s = np.arange(frames) / hz
    position_m = np.stack([speed_mps * time_s[row_frame], 10.0 * row_track], axis=1)
    rows = len(row_frame)
    classes = np.array([(ObjectClass.CAR, ObjectClass.PEDESTRIAN)[i % 2] for i in range(tracks)], dtype=np.int8)
    return Scene(
        scene_id="straight",
        timestamp_ns=np.round(time_s * 1e9).astype(np.int64),
        frame_number=np.arange(frames),
        track_id=tuple(f"t{i}" for i in range(tracks)),
        object_class=classes,
        size_m=np.tile([4.0, 2.0], (tracks, 1)),
        row_frame=row_frame,
        row_track=row_track,
        position_m=position_m,
        yaw_rad=np.zeros(rows),
        yaw_valid=np.ones(rows, dtype=np.bool_),
        velocity_mps=np.tile([speed_mps, 0.0], (rows, 1)),
        velocity_valid=np.ones(rows, dtype=np.bool_),
        is_target=np.zeros(rows, dtype=np.bool_),
        source="made by hand",
        licence="none needed",
        lanes=lanes,
    )


class Costly(ConstantVelocity):
    """Constant velocity whose k-th call lets costs_ms[k] (the last one for all that follow) pass on a virtual clock."""

    name = "costly"

    def __init__(self, clock: VirtualClock, costs_ms: list[float], time_s: np.ndarray | None = None) -> None:
        super().__init__(np.array([0.5, 1.0]) if time_s is None else time_s)
        self._clock = clock
        self._costs_ms = costs_ms
        self._calls = 0

    def predict(self, observations: Observations) -> Prediction:
        self._clock.advance_ns(round(1e6 * self._costs_ms[min(self._calls, len(self._costs_ms) - 1)]))
        self._calls += 1
        return super().predict(observations)


class Fan(ConstantVelocity):
    """Three modes that turn left, go on and turn right, with covariances; what a learned model's answer looks like."""

    name = "fan"
    modes = 3
    model_file = ModelFile(CONTRACT, "# fan\n\nSpreads its paths. <b>Not</b> trained.\n", "none (numpy)")

    def predict(self, observations: Observations) -> Prediction:
        one = super().predict(observations)
        origin_m = observations.position_m[:, None, None]
        angle = np.array([0.05, 0.0, -0.08])[None, :, None] * self.time_s
        path_m = rotate(one.position_m - origin_m, angle) + origin_m
        return Prediction(
            one.timestamp_ns,
            one.track_id,
            one.time_s,
            path_m,
            one.yaw_rad + angle,
            np.repeat(0.2 * one.covariance_m2, 3, axis=1),
            np.tile([0.3, 0.6, 0.1], (len(observations), 1)),
            np.full(len(observations), Source.MODEL),
            one.age_s,
        )


def crossing_scene(seconds: float = 12.0, *, scene_id: str = "crossing") -> Scene:
    """Cars, a lorry, cyclists and pedestrians on two roads that cross, at 10 Hz, some of them turning."""
    kinds = (
        [ObjectClass.CAR] * 6
        + [ObjectClass.TRUCK, ObjectClass.BICYCLE, ObjectClass.BICYCLE]
        + [ObjectClass.PEDESTRIAN] * 3
    )
    time_s = np.arange(round(10 * seconds) + 1) / 10
    rows: list[tuple[int, int, float, float, float, float]] = []
    for track, kind in enumerate(kinds):
        heading, speed_mps = 0.5 * np.pi * (track % 4), {6: 1.4, 5: 4.5}.get(int(kind), 7.0 + track % 3)
        turn_radps = 0.12 if kind == ObjectClass.CAR and track % 3 == 0 else 0.0
        aside_m = -1.75 - 2.5 * (kind == ObjectClass.BICYCLE) - 5.0 * (kind == ObjectClass.PEDESTRIAN)
        place = rotate(np.array([-3.5 * speed_mps, aside_m]), np.float64(heading))
        for frame, now_s in enumerate(time_s):
            yaw = heading + turn_radps * now_s
            if frame:
                place = place + 0.1 * speed_mps * np.array([np.cos(yaw), np.sin(yaw)])
            if frame % 40 != 30 + track % 3:  # now and then one is not seen
                rows.append((frame, track, place[0], place[1], yaw, speed_mps))
    table = np.array(sorted(rows))
    yaw_rad = table[:, 4]
    ones = np.ones(len(table), dtype=np.bool_)
    classes = np.array(kinds, dtype=np.int8)
    return Scene(
        scene_id=scene_id,
        timestamp_ns=np.round(time_s * 1e9).astype(np.int64) + 1_700_000_000_000_000_000,
        frame_number=np.arange(len(time_s)),
        track_id=tuple(f"{kind.name.lower()}-{i}" for i, kind in enumerate(kinds)),
        object_class=classes,
        size_m=DEFAULT_SIZE_M[classes],
        row_frame=table[:, 0].astype(np.int64),
        row_track=table[:, 1].astype(np.int64),
        position_m=table[:, 2:4] + np.array([400_000.0, 5_300_000.0]),
        yaw_rad=yaw_rad,
        yaw_valid=ones,
        velocity_mps=table[:, 5:6] * np.stack([np.cos(yaw_rad), np.sin(yaw_rad)], axis=1),
        velocity_valid=ones,
        is_target=~ones,
        source="made by hand",
        licence="none needed",
        lanes=tuple(_lane(i) for i in range(4)),
    )


def _lane(quarter: int) -> Lane:
    centre_m = np.stack([np.linspace(-80.0, 80.0, 17), np.full(17, -1.75)], axis=1)
    left_m, centre_m, right_m = (
        rotate(centre_m + np.array([0.0, aside_m]), np.float64(0.5 * np.pi * quarter))
        + np.array([400_000.0, 5_300_000.0])
        for aside_m in (1.75, 0.0, -1.75)
    )
    return Lane(f"lane-{quarter}", left_m, right_m, centre_m)
