"""Synthetic traffic: any number of objects for any time, to load a predictor."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from trajnet.context.lane_paths import LanePaths, lane_paths_of
from trajnet.context.map_field import FIELD_PIXELS_PER_M, INT8_MAX, MapField
from trajnet.context.surroundings import InputRequirements
from trajnet.types import DEFAULT_SIZE_M, FloatArray, Lane, ObjectClass, TrackFrame

#: Lifetime of a track before a new one replaces it, so that benchmarks include births and deaths.
LIFETIME_S = 10.0

#: Half the side of the synthetic map, m.
MAP_REACH_M = 350.0
#: Points of half a circle of lanes, and the length of the lanes that leave it (m).
HALF_CIRCLE_POINTS, EXIT_M = 40, 100.0


def synthetic_frames(agents: int, *, hz: float = 10.0) -> Iterator[TrackFrame]:
    """Yield endless frames of exactly this many objects of all classes, on circles of 20 to 100 m.

    They go at up to 15 m/s, pedestrians at up to 3 m/s. Tracks end one after the other, each after LIFETIME_S. The cost
    of a step does not depend on their positions.
    """
    draw = np.random.default_rng(0)
    centre_m, radius_m = _circles(agents)
    speed_mps, phase_rad = draw.uniform(0.0, 15.0, agents), draw.uniform(0.0, 2.0 * np.pi, agents)
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


def _circles(agents: int) -> tuple[FloatArray, FloatArray]:
    """Return the centres (agents, 2) and radii (agents,) of the circles on which objects go."""
    draw = np.random.default_rng(1)
    return draw.uniform(-200.0, 200.0, (agents, 2)), draw.uniform(20.0, 100.0, agents)


def synthetic_lanes(agents: int) -> LanePaths | None:
    """Return lanes along the circles of as many objects, which fork at both ends of each half; None for none.

    So every vehicle is on a lane with a fork ahead, which costs the most.
    """
    lanes = []
    angle_rad = np.linspace(0.0, np.pi, HALF_CIRCLE_POINTS)
    for number, (centre_m, radius_m) in enumerate(zip(*_circles(agents), strict=True)):
        for half in (0.0, np.pi):
            outward = np.stack([np.cos(angle_rad + half), np.sin(angle_rad + half)], axis=1)
            end_m, ahead = centre_m + radius_m * outward[-1], np.array([-outward[-1, 1], outward[-1, 0]])
            for name, centre_line_m in (
                ("on", centre_m + radius_m * outward),
                ("off", np.stack([end_m, end_m + EXIT_M * ahead])),
            ):
                lanes.append(Lane(f"{number} {half:.0f} {name}", centre_line_m, centre_line_m, centre_line_m))
    return lane_paths_of(lanes)


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
