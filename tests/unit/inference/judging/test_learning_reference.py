"""Learning of the traffic next to a slow second implementation of it, vehicle by vehicle, on random traffic."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.unit.inference.judging.fakes import LEARN_ONLY
from trajnet.inference import JudgingOptions, Stream
from trajnet.inference.base import BasePredictor
from trajnet.inference.judging import learning
from trajnet.inference.judging.learning import Learning
from trajnet.inference.judging.speed_change import carried_s2
from trajnet.tracking.plausibility import max_speed_mps
from trajnet.tracking.store import Observations
from trajnet.types import BoolArray, FloatArray, ObjectClass, Prediction, Source, TrackFrame

VEHICLES = (ObjectClass.CAR, ObjectClass.TRUCK, ObjectClass.BUS)
MANY_MODES = 3


class Curves(BasePredictor):
    """Paths that bend, stop, go nowhere or are broken, at random."""

    name = "curves"

    def __init__(self, time_s: FloatArray, modes: int, random: np.random.Generator) -> None:
        self.time_s, self.modes, self._random = time_s, modes, random

    def predict(self, observations: Observations) -> Prediction:
        count, modes, random = len(observations), self.modes, self._random
        speed_mps = np.hypot(*observations.velocity_mps.T)[:, None] * random.uniform(0.3, 1.2, (count, modes))
        gone_m = speed_mps[..., None] * self.time_s
        gone_m = np.where(random.random((count, modes, 1)) < 0.3, np.minimum(gone_m, 5.0), gone_m)
        gone_m[random.random(count) < 0.05] = 0.0
        curvature_per_m = random.normal(0.0, 0.02, (count, modes, 1)) * (random.random((count, modes, 1)) < 0.7)
        course = observations.yaw_rad[:, None, None] + curvature_per_m * gone_m
        path_m = gone_m[..., None] * np.stack([np.cos(course), np.sin(course)], axis=-1)
        path_m[random.random(count) < 0.05] = np.nan  # the guard answers for these
        return Prediction(
            observations.timestamp_ns, observations.track_id, self.time_s,
            observations.position_m[:, None, None] + path_m, np.zeros(gone_m.shape),
            np.tile(0.04 * np.eye(2), (*gone_m.shape, 1, 1)), random.dirichlet(np.ones(modes), count),
            np.full(count, Source.MODEL, np.int8), np.zeros(count),
        )  # fmt: skip


class Answer(NamedTuple):
    """A kept answer: when, how much it counts, and of each age the point, the direction, the speed, the features."""

    made_ns: int
    counts: float
    point_m: FloatArray
    direction: FloatArray
    speed_mps: FloatArray
    feature: FloatArray


@dataclass
class Track:
    """What is known of a slot. judged: of each answer, the last age at which it was judged."""

    answers: list[Answer] = field(default_factory=list)
    judged: list[int] = field(default_factory=list)


class Reference:
    """The same as Learning, from its description in docs/self-judging.md."""

    def __init__(self, time_s: FloatArray) -> None:
        self.time_s = time_s
        after = [np.flatnonzero(time_s >= age_s - 1e-9) for age_s in learning.HORIZONS_S]
        self.place = sorted({int(found[0]) for found in after if len(found)})
        self.weight: FloatArray = np.zeros(8)
        self.squares, self.products = np.zeros((8, 8)), np.zeros(8)
        self.tracks: dict[int, Track] = {}
        self.taken, self.last_ns = 0, 0

    def observe(self, observations: Observations) -> None:
        now_ns, found = observations.timestamp_ns, list[tuple[FloatArray, float, float]]()
        for row, slot in enumerate(observations.slot.tolist()):
            if observations.reset[row] or slot not in self.tracks:
                self.tracks[slot] = Track()
            track = self.tracks[slot]
            for index, answer in enumerate(track.answers):
                age_s = (now_ns - answer.made_ns) * 1e-9
                reached = [j for j, i in enumerate(self.place) if age_s >= self.time_s[i] - 1e-3]
                if not reached or reached[-1] <= track.judged[index]:
                    continue
                age = track.judged[index] = reached[-1]
                if age_s > self.time_s[self.place[-1]] + 1.0 + 1e-3:
                    continue
                off_m = observations.position_m[row] - answer.point_m[age]
                error_m = off_m @ answer.direction[age]
                error_m -= answer.speed_mps[age] * (age_s - self.time_s[self.place[age]])
                found.append((answer.feature[age], float(np.clip(error_m / age_s, -3.0, 3.0)), answer.counts))
        if found:
            fade = math.exp(-max(now_ns - self.last_ns, 0) * 1e-9 / 300.0)
            self.squares, self.products, self.last_ns = fade * self.squares, fade * self.products, now_ns
            for feature, value, count in found:
                error = max(abs(value - float(feature @ self.weight)), 1e-9)
                share = count * min(0.5 / error, 1.0)
                self.squares = self.squares + share * np.outer(feature, feature)
                self.products = self.products + share * value * feature
            self.weight[...] = np.linalg.solve(self.squares + 30.0 * np.eye(8), self.products)
            self.taken += len(found)

    def drawn(
        self, observations: Observations, prediction: Prediction, speed_mps: FloatArray, change_mps2: FloatArray,
        pull_m: FloatArray | None, model: BoolArray,
    ) -> FloatArray:  # fmt: skip
        """Return the positions of all modes after drawing."""
        wanted: FloatArray = prediction.position_m.copy()
        for row, slot in enumerate(observations.slot.tolist()):
            if observations.object_class[row] not in VEHICLES or not model[row] or speed_mps[row] < 8.0:
                continue
            mode, begin_m = int(prediction.probability[row].argmax()), observations.position_m[row]
            path_m = prediction.position_m[row, mode] - begin_m
            step_m = np.diff(path_m, axis=0, prepend=0.0)
            length_m = np.hypot(*step_m.T)
            passed_m = length_m.cumsum()
            if passed_m[-1] < 0.5:
                continue
            whole = path_m[-1] / max(np.hypot(*path_m[-1]), 1e-6)
            direction = np.array([whole if n < 0.1 else s / n for n, s in zip(length_m, step_m, strict=True)])
            mean_m = np.tensordot(prediction.probability[row], prediction.position_m[row] - begin_m, 1)
            constant = np.stack([
                np.zeros_like(passed_m) if pull_m is None else pull_m[:, row],
                speed_mps[row] * self.time_s - passed_m,
                0.05 * passed_m,
                0.5 * carried_s2(self.time_s)[0] * change_mps2[row],
                ((mean_m - path_m) * direction).sum(axis=1),
                self.time_s,
            ])  # fmt: skip
            known_s = np.minimum(self.time_s, self.time_s[self.place[-1]])
            feature = np.concatenate([constant, constant[:2] * (known_s / 6.0 - 0.5)])
            self._keep(self.tracks[slot], observations.timestamp_ns, begin_m + path_m, direction, length_m, feature)
            if self.taken:
                limit_m = 0.6 * self.time_s**2
                class_m = max_speed_mps(observations.object_class[row : row + 1])[0] * self.time_s
                most_m = np.minimum(limit_m, np.maximum(class_m - passed_m, 0.0))
                moved_m = np.clip(self.weight @ feature, -limit_m, most_m)
                progress_m = np.maximum.accumulate(np.maximum(passed_m + moved_m, 0.0))
                wanted[row, mode] = [begin_m + _along(step_m, length_m, direction, m) for m in progress_m]
        return wanted

    def _keep(
        self, track: Track, now_ns: int, point_m: FloatArray, direction: FloatArray, length_m: FloatArray,
        feature: FloatArray,
    ) -> None:  # fmt: skip
        since_s = (now_ns - track.answers[-1].made_ns) * 1e-9 if track.answers else math.inf
        if since_s < 0.95:
            return
        speed_mps = length_m / np.diff(self.time_s, prepend=0.0)
        track.answers.append(
            Answer(
                now_ns,
                min(since_s, 2.0) if track.answers else 1.0,
                point_m[self.place],
                direction[self.place],
                speed_mps[self.place],
                (feature / self.time_s)[:, self.place].T,
            )
        )
        track.judged.append(-1)


def _along(step_m: FloatArray, length_m: FloatArray, direction: FloatArray, progress_m: float) -> FloatArray:
    """Return the point so far along a path: on the piece that it lies on, beyond the last one straight on."""
    begun_m = length_m.cumsum() - length_m
    piece = int(np.count_nonzero(begun_m[1:] < progress_m))
    point: FloatArray = step_m[:piece].sum(axis=0) + direction[piece] * (progress_m - begun_m[piece])
    return point


def random_frames(random: np.random.Generator, count: int) -> list[TrackFrame]:
    """Traffic of all classes whose frames are irregular, with ids that come and go and values that are missing."""
    objects = 40
    kind: NDArray[np.int8] = random.choice(np.array(ObjectClass, np.int8), objects)
    kind[: objects // 2] = ObjectClass.CAR
    speed_mps, yaw_rad = random.uniform(4.0, 20.0, objects), random.uniform(-3.0, 3.0, objects)
    position_m, time_s = random.uniform(-500.0, 500.0, (objects, 2)), 1000.0
    names, frames = [f"{row}" for row in range(objects)], list[TrackFrame]()
    for number in range(count):
        dt_s = float(random.choice([0.1, 0.1, 0.25, 0.5, 1.1]))
        time_s += dt_s
        yaw_rad = yaw_rad + random.normal(0.0, 0.05, objects)
        speed_mps = np.clip(speed_mps + random.normal(0.0, 0.5, objects), 0.0, 22.0)
        heading = np.stack([np.cos(yaw_rad), np.sin(yaw_rad)], axis=1)
        position_m = position_m + (speed_mps * random.uniform(0.8, 1.3) * dt_s)[:, None] * heading
        if random.random() < 0.1:
            names[random.integers(objects)] = f"new {number}"
        row = np.flatnonzero(random.random(objects) < 0.9)
        known, points = random.random(objects) < 0.9, random.random(objects) < 0.9
        velocity_mps = np.where(known[:, None], speed_mps[:, None] * heading, np.nan)
        frames.append(
            TrackFrame(
                round(time_s * 1e9),
                tuple(names[r] for r in row),
                kind[row],
                position_m[row],
                np.where(points, yaw_rad, np.nan)[row],
                points[row],
                velocity_mps[row],
                known[row],
                np.tile([4.0, 2.0], (len(row), 1)),
            )
        )
    return frames


@pytest.mark.parametrize("options", [LEARN_ONLY, JudgingOptions()], ids=["alone", "with everything"])
@pytest.mark.parametrize(
    "time_s",
    [
        np.arange(1, 13) * 0.5, np.append(0.1, 0.1 + 0.4 * np.arange(1, 15)), np.arange(1, 4) * 0.4,
        np.arange(1, 31) * 0.5, np.cumsum(np.full(60, 0.1)),
    ],
    ids=["6 s", "uneven", "1.2 s", "15 s", "rounded"],
)  # fmt: skip
def test_it_does_what_its_description_says(time_s: FloatArray, options: JudgingOptions) -> None:
    random = np.random.default_rng(len(time_s))
    stream = Stream(Curves(time_s, MANY_MODES, random), judging=options)
    assert stream.judge is not None
    found = stream.judge.learning
    assert found is not None
    reference, moved = Reference(time_s), 0

    def observe(observations: Observations, of: Callable[[Observations], None] = found.observe) -> None:
        of(observations)
        reference.observe(observations)
        assert found.regression.taken == reference.taken
        np.testing.assert_allclose(found.regression.weight, reference.weight, atol=1e-9)

    def draw(
        observations: Observations, prediction: Prediction, speed_mps: FloatArray, change_mps2: FloatArray,
        pull_m: FloatArray | None, model: BoolArray,
    ) -> None:  # fmt: skip
        nonlocal moved
        before_m = prediction.position_m.copy()
        wanted_m = reference.drawn(observations, prediction, speed_mps, change_mps2, pull_m, model)
        Learning.draw(found, observations, prediction, speed_mps, change_mps2, pull_m, model)
        np.testing.assert_allclose(prediction.position_m, wanted_m, atol=1e-8)
        moved += int(np.count_nonzero((prediction.position_m != before_m).any(axis=(1, 2, 3))))

    found.observe, found.draw = observe, draw  # type: ignore[method-assign]
    for number, one in enumerate(random_frames(random, 100)):
        if number == 60:
            stream.reset()
        stream.update(one, one.timestamp_ns)
    assert reference.taken > 50
    assert moved > 50
