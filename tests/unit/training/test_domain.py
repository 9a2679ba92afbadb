"""The domain that a training set gives: counted by hand on a few made-up windows."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from trajnet.columns import NEIGHBOUR_COLUMNS
from trajnet.errors import ConfigError
from trajnet.training.config import AugmentConfig, SourceConfig, TrainConfig
from trajnet.training.domain import rates, speeds, training_domain
from trajnet.training.training_set import TrainingSet, joined
from trajnet.types import ObjectClass

SOURCE = SourceConfig("scenes", path="scenes")


def windows(
    speed_mps: list[float], *, period_s: float = 0.1, steps: int = 5, kind: ObjectClass = ObjectClass.CAR
) -> TrainingSet:
    """Windows of objects that go along x at these speeds, none of them measured, without map and neighbours."""
    count = len(speed_mps)
    time_s = np.tile((np.arange(steps) - (steps - 1)) * period_s, (count, 1)).astype(np.float32)
    position_m = np.zeros((count, steps, 2), np.float32)
    position_m[..., 0] = time_s * np.array(speed_mps)[:, None]
    return TrainingSet(
        time_s=time_s,
        observed=np.ones((count, steps), np.bool_),
        position_m=position_m,
        yaw_rad=np.zeros((count, steps), np.float32),
        yaw_valid=np.ones((count, steps), np.bool_),
        velocity_mps=np.zeros((count, steps, 2), np.float32),
        velocity_valid=np.zeros((count, steps), np.bool_),
        object_class=np.full(count, kind, np.int8),
        size_m=np.ones((count, 2), np.float32),
        future_m=np.zeros((count, 2, 2), np.float32),
        future_valid=np.ones((count, 2), np.bool_),
        map_distance=np.zeros((count, 0, 0, 0, 4), np.int8),
        map_valid=np.zeros(count, np.bool_),
        neighbours=np.zeros((count, 1, len(NEIGHBOUR_COLUMNS)), np.float32),
    )


def test_speeds_are_measured_ones_where_there_are_else_those_of_the_motion() -> None:
    data = windows([3.0, 4.0, 5.0])
    data.velocity_mps[0, -1], data.velocity_valid[0, -1] = (0.0, 7.0), True
    data.observed[1, 1:4] = False  # a gap changes nothing for steady motion
    data.observed[2, :-1] = False  # one observation without a velocity
    assert speeds(data) == pytest.approx([7.0, 4.0, np.nan], nan_ok=True, abs=1e-5)


def test_the_domain_counts_windows_by_class_speed_side_and_surroundings() -> None:
    cars, walkers = windows([0.0, 0.2, 12.0, 45.0]), windows([1.2], kind=ObjectClass.PEDESTRIAN)
    cars.map_valid[:3] = True
    cars.neighbours[0, 0, NEIGHBOUR_COLUMNS.valid] = 1.0
    walkers.velocity_valid[:, -1] = True
    walkers.velocity_mps[:, -1] = (0.0, 1.2)
    left = replace(SOURCE, driving_side="left")
    augment = AugmentConfig(pace=0.2, drop=0.3, position_noise_m=0.25)
    config = TrainConfig("made", "none", False, (left, SOURCE), (SOURCE,), augment=augment)
    got = training_domain([cars, walkers], config, [4, 1])
    assert list(got.classes) == ["car", "pedestrian"]
    assert (got.classes["car"].windows, got.classes["pedestrian"].windows) == (4, 1)
    counts = dict(zip(got.speed_edges_mps, got.classes["car"].speed_windows, strict=True))
    assert {edge: count for edge, count in counts.items() if count} == {0.0: 2, 10.0: 1, 40.0: 1}
    assert got.classes["pedestrian"].speed_mps == (1.2, 1.2)
    assert got.driving_sides == {"left": 4, "unknown": 1}
    assert (got.map_share, got.neighbours_share, got.velocity_share) == (0.6, 0.2, 0.2)
    assert (got.pace, got.drop, got.position_noise_m) == (1.2, 0.3, 0.25)


def test_one_leap_among_thousands_does_not_widen_the_range() -> None:
    data = windows([10.0] * 5_000 + [80.0])
    config = TrainConfig("made", "none", False, (SOURCE,), (SOURCE,))
    assert training_domain([data], config, [5_001]).classes["car"].speed_mps == (10.0, 10.0)


def test_rates_are_those_after_the_strides_for_windows_that_are_long_enough() -> None:
    data = joined([windows([1.0] * 8, steps=6), windows([1.0] * 4, period_s=0.5, steps=2)])
    data.observed[0, :-1] = False  # no rate
    # 7 windows at 10 Hz reach 0.5 s: strides 1 and 5, weighted 1 and 3. 4 windows at 2 Hz have no room for stride 5.
    assert rates(data, AugmentConfig(strides=(1, 5, 5, 5))) == ((2.0, 6), (10.0, 2))
    assert rates(data, AugmentConfig()) == ((2.0, 4), (10.0, 7))


def test_a_source_may_say_on_which_side_its_traffic_drives() -> None:
    from trajnet import config

    values = {"kind": "scenes", "path": "scenes", "driving_side": "left"}
    assert config.from_dict(SourceConfig, values, "made").driving_side == "left"
    with pytest.raises(ConfigError, match="driving_side"):
        config.from_dict(SourceConfig, {**values, "driving_side": "middle"}, "made")
