"""Heeding others, held against the definition: one object after the other, as docs/self-judging.md says it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.frames import frame, observed
from trajnet.inference.judging import company, following, leaders
from trajnet.inference.judging.company import Company
from trajnet.inference.judging.experts import velocity_of
from trajnet.inference.judging.following import Following
from trajnet.tracking.plausibility import max_speed_mps
from trajnet.tracking.store import Observations
from trajnet.types import BoolArray, FloatArray, IntArray, ObjectClass, Prediction, Source

GRIDS: tuple[FloatArray, ...] = (
    0.5 * np.arange(1, 13, dtype=np.float64),
    np.array([0.3, 1.0, 1.1, 2.5, 6.0]),
    np.array([0.5]),
    np.array([2.0, 8.0]),
)
VEHICLES = (ObjectClass.CAR, ObjectClass.TRUCK, ObjectClass.BUS)
ON_FOOT = (ObjectClass.PEDESTRIAN, ObjectClass.UNKNOWN)
SCENES = 240


class Made:
    """A frame of objects in a street, what a model says of them, and which rows it answered."""

    def __init__(self, seed: int) -> None:
        rng = np.random.default_rng(seed)
        self.time_s: FloatArray = GRIDS[seed % len(GRIDS)]
        count, self.modes, times = int(rng.integers(2, 24)), int(rng.integers(1, 4)), len(self.time_s)
        place_m = np.stack([rng.uniform(-50, 50, count), rng.uniform(-4, 4, count)], 1)
        place_m += np.array([6.7e5, 5.4e6]) * (seed % 2)
        kinds = rng.choice([1, 1, 1, 2, 3, 4, 5, 6, 6, 6, 0], count).astype(np.int8)
        yaw = rng.normal(0, 0.3, count) + np.pi * rng.choice([0, 0, 0, 1], count)
        on_foot = np.isin(kinds, ON_FOOT)
        speed = np.where(on_foot, rng.uniform(0, 2, count), rng.uniform(0, 25, count)) * rng.choice([0, 1, 1, 1], count)
        velocity = speed[:, None] * np.stack([np.cos(yaw), np.sin(yaw)], 1)
        size = np.stack([rng.uniform(1, 12, count), rng.uniform(0.5, 3, count)], 1)
        tracks = {str(i): (float(x), float(y)) for i, (x, y) in enumerate(place_m)}
        seen = observed(frame(0.0, tracks, yaw=yaw, velocity=velocity, kind=kinds, size=size))
        known: BoolArray = rng.random(count) < 0.8
        self.observations: Observations = replace(
            seen, heading_known=known, direction_known=known | (rng.random(count) < 0.5)
        )
        # Paths that bend, brake until they stop, and go round.
        bend, brake = rng.normal(0, 0.2, (count, self.modes, 1)), rng.uniform(0, 4, (count, self.modes, 1))
        step_s = np.diff(self.time_s, prepend=0.0)
        goes = np.maximum(speed[:, None, None] * rng.uniform(0.5, 1.5, (count, self.modes, 1)) - brake * self.time_s, 0)
        angle = yaw[:, None, None] + bend * self.time_s
        gone_m = np.cumsum(np.stack([np.cos(angle), np.sin(angle)], -1) * (goes * step_s)[..., None], axis=2)
        self.model: BoolArray = rng.random(count) < 0.8
        self.prediction = Prediction(
            0, seen.track_id, self.time_s, place_m[:, None, None] + gone_m, np.zeros((count, self.modes, times)),
            np.tile(np.eye(2), (count, self.modes, times, 1, 1)), rng.dirichlet(np.ones(self.modes), count),
            np.full(count, Source.MODEL, np.int8), np.zeros(count),
        )  # fmt: skip
        self.top: IntArray = self.prediction.probability.argmax(axis=1)
        self.velocity_mps = velocity_of(self.observations)
        self.speed_mps = np.hypot(*self.velocity_mps.T)
        #: With their beginning, from there: (N, T + 1, 2).
        self.paths_m = np.concatenate([np.zeros((count, 1, 2)), gone_m[np.arange(count), self.top]], axis=1)
        self.passed_m = np.linalg.norm(np.diff(self.paths_m, axis=1), axis=-1).cumsum(axis=1)

    def with_top(self, gone_m: dict[int, FloatArray]) -> FloatArray:
        """The positions (N, K, T, 2) with other most probable paths (T, 2) of these rows, from where they begin."""
        position_m = self.prediction.position_m.copy()
        for row, path_m in gone_m.items():
            position_m[row, self.top[row]] = self.observations.position_m[row] + path_m
        return position_m


def unit(vector: FloatArray) -> FloatArray:
    found: FloatArray = vector / max(float(np.hypot(*vector)), 1e-6)
    return found


def leader_of(made: Made, row: int) -> tuple[int, float] | None:
    """Look at everybody: the nearest one ahead, with the gap."""
    seen, path_m = made.observations, made.paths_m[row]
    seconds = np.arange(following.COARSE_S, made.time_s[-1], following.COARSE_S)
    coarse = sorted({*np.searchsorted(made.time_s, seconds - 1e-9).tolist(), len(made.time_s) - 1})
    points_m = path_m[[0, *(1 + np.array(coarse))]]
    steps_m = np.diff(points_m, axis=0)
    lengths_m = np.hypot(*steps_m.T)
    ways = [unit(points_m[-1] if length < 0.1 else step) for step, length in zip(steps_m, lengths_m, strict=True)]
    pieces = list(zip(points_m[:-1], ways, lengths_m.tolist(), strict=True))
    pieces.append((points_m[-1], ways[-1], max(leaders.REACH_M - float(lengths_m.sum()), 0.0)))
    found: list[tuple[float, int]] = []
    for other in range(len(seen)):
        leads = seen.wheeled[other] and seen.direction_known[other] and other != row
        rel_m, before_m, nearest = seen.position_m[other] - seen.position_m[row], 0.0, (np.inf, 0.0, ways[0])
        for start_m, way, length_m in pieces:
            along_m = min(max(float((rel_m - start_m) @ way), 0.0), float(length_m))
            aside_m = float(np.hypot(*(rel_m - start_m - along_m * way)))
            if aside_m < nearest[0]:
                nearest = (aside_m, before_m + along_m, way)
            before_m += float(length_m)
        aside_m, ahead_m, way = nearest
        points = np.array([np.cos(seen.yaw_rad[other]), np.sin(seen.yaw_rad[other])])
        same_way = not seen.heading_known[other] or way @ points > leaders.SAME_WAY
        touches = aside_m < leaders.OVERLAP * 0.5 * (seen.size_m[row, 1] + seen.size_m[other, 1])
        if leads and same_way and touches and ahead_m > leaders.AHEAD_M:
            found.append((ahead_m, other))
    if not found:
        return None
    ahead_m, other = min(found)
    return other, ahead_m - 0.5 * float(seen.size_m[row, 0] + seen.size_m[other, 0])


def point_at(path_m: FloatArray, progress_m: float) -> FloatArray:
    """The point of a path (T + 1, 2) after so many metres, beyond its end straight on."""
    for index, (start_m, step_m) in enumerate(zip(path_m, np.diff(path_m, axis=0), strict=False)):
        length_m = float(np.hypot(*step_m))
        if progress_m <= length_m or index == len(path_m) - 2:
            way = unit(path_m[-1]) if length_m < 0.1 else unit(step_m)
            found: FloatArray = start_m + way * progress_m
            return found
        progress_m -= length_m
    raise AssertionError


@pytest.mark.parametrize("first", range(0, SCENES, 40))
def test_followers_are_drawn_as_defined(first: int) -> None:
    led = 0
    for seed in range(first, first + 40):
        made = Made(seed)
        time_s, own_m, kinds = made.time_s, made.passed_m, made.observations.object_class
        share = np.interp(time_s, following.HORIZONS_S, following.SHARE)
        found = {
            row: leader_of(made, row)
            for row in range(len(kinds))
            if kinds[row] in VEHICLES and made.model[row] and own_m[row, -1] >= 0.5
        }
        now_m = own_m.copy()
        for _ in range(2):
            next_m = now_m.copy()
            for row, one in found.items():
                if one is None:
                    continue
                leader, gap_m = one
                weight = share * np.exp(-max(gap_m, 0.0) / (15.0 + 0.5 * made.speed_mps[row]))
                ahead_m = now_m[leader] - own_m[row]
                sets_off = min(own_m[row, -1] / following.SETS_OFF_M, 1.0)
                ahead_m *= np.where(ahead_m < 0, weight, weight * sets_off)
                reach_m = np.maximum(max_speed_mps(kinds[row : row + 1]) * time_s - own_m[row], 0.0)
                most_m = np.minimum(following.FASTER_MPS2 * 0.5 * time_s**2, reach_m)
                next_m[row] = own_m[row] + np.clip(ahead_m, -following.SLOWER_MPS2 * 0.5 * time_s**2, most_m)
            now_m = next_m
        wanted = {
            row: np.array([point_at(made.paths_m[row], s) for s in np.maximum.accumulate(now_m[row])])
            for row, one in found.items()
            if one is not None
        }
        wanted_m = made.with_top(wanted)
        Following(time_s).draw(made.observations, made.prediction, made.speed_mps, made.model)
        np.testing.assert_allclose(made.prediction.position_m, wanted_m, atol=1e-6, err_msg=f"seed {seed}")
        led += len(wanted)
    assert led > 10


@pytest.mark.parametrize("first", range(0, SCENES, 40))
def test_who_walks_is_drawn_as_defined(first: int) -> None:
    moved = 0
    for seed in range(first, first + 40):
        made = Made(seed)
        place_m, gone_m = made.observations.position_m, made.paths_m[:, 1:]
        walks = made.observations.object_class == ObjectClass.PEDESTRIAN
        walks &= (made.speed_mps > company.WALKS_MPS) & made.model
        share = np.interp(made.time_s, company.HORIZONS_S, company.SHARE)[:, None]
        wanted = {}
        for row in np.flatnonzero(walks).tolist():
            others = [other for other in np.flatnonzero(walks).tolist() if other != row]
            apart_m = np.linalg.norm(place_m[others] - place_m[row], axis=1)
            unlike_mps = np.linalg.norm(made.velocity_mps[others] - made.velocity_mps[row], axis=1)
            counts = np.exp(-((apart_m / company.NEAR_M) ** 2) - (unlike_mps / company.ALIKE_MPS) ** 2)
            if len(others):
                towards_m = np.einsum("j,jtx->tx", counts, gone_m[others] - gone_m[row]) / (counts.sum() + company.HALF)
                wanted[row] = gone_m[row] + share * towards_m
        wanted_m = made.with_top(wanted)
        Company(made.time_s).draw(made.observations, made.prediction, made.velocity_mps, made.speed_mps, made.model)
        np.testing.assert_allclose(made.prediction.position_m, wanted_m, atol=1e-6, err_msg=f"seed {seed}")
        moved += len(wanted)
    assert moved > 10
