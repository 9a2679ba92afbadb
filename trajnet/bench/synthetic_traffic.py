"""Synthetic traffic: any number of objects for any time, to load a predictor."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from trajnet.context.map_field import FIELD_PIXELS_PER_M, INT8_MAX, MapField
from trajnet.context.surroundings import InputRequirements
from trajnet.types import DEFAULT_SIZE_M, ObjectClass, TrackFrame

#: Lifetime of a track before a new one replaces it, so that benchmarks include births and deaths.
LIFETIME_S = 10.0

#: Half the side of the synthetic map, m.
MAP_REACH_M = 350.0


def synthetic_frames(agents: int, *, hz: float = 10.0) -> Iterator[TrackFrame]:
    """Yield endless frames of exactly this many objects of all classes, on circles of 20 to 100 m.

    They go at up to 15 m/s, pedestrians at up to 3 m/s. Tracks end one after the other, each after LIFETIME_S. The cost
    of a step does not depend on their positions.
    """
    draw = np.random.default_rng(0)
    radius_m, speed_mps = draw.uniform(20.0, 100.0, agents), draw.uniform(0.0, 15.0, agents)
    centre_m, phase_rad = draw.uniform(-200.0, 200.0, (agents, 2)), draw.uniform(0.0, 2.0 * np.pi, agents)
    object_class = draw.integers(1, len(ObjectClass), agents).astype(np.int8)
    speed_mps[object_class == ObjectClass.PEDESTRIAN] *= 0.2
    born_s = draw.uniform(0.0, LIFETIME_S, agents)
    known, size_m = np.ones(agents, dtype=np.bool_), DEFAULT_SIZE_M[object_class]
    index = 0
    while True:
        now_s = index / hz
        angle_rad = phase_rad + speed_mps / radius_m * now_s
        outward = np.stack([np.cos(angle_rad), np.sin(angle_rad)], axis=1)
        ahead = np.stack([-outward[:, 1], outward[:, 0]], axis=1)
        generation = ((now_s + born_s) // LIFETIME_S).astype(np.int64)
        yield TrackFrame(
            round(now_s * 1e9),
            tuple(f"{agent}-{lived}" for agent, lived in enumerate(generation.tolist())),
            object_class,
            centre_m + radius_m[:, None] * outward,
            np.arctan2(ahead[:, 1], ahead[:, 0]),
            known,
            speed_mps[:, None] * ahead,
            known,
            size_m,
        )
        index += 1


def synthetic_map(requirements: InputRequirements) -> MapField | None:
    """Return a map of the size of a city district for predictors that use one, else None.

    Its values are random: the cost of sampling it does not depend on them.
    """
    if requirements.view is None:
        return None
    side_m, pixels_per_m = 2.0 * MAP_REACH_M, FIELD_PIXELS_PER_M
    pixels = round(side_m * pixels_per_m)
    distance = np.random.default_rng(0).integers(-INT8_MAX, INT8_MAX + 1, (pixels, pixels, 4)).astype(np.int8)
    distance[..., 3] = 0
    return MapField(np.full(2, -MAP_REACH_M), pixels_per_m, distance, distance[..., :2].copy())
