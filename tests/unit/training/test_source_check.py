"""Flags of the input do not tell the source after augmentation, and the check notices where they do."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from trajnet.columns import NEIGHBOUR_COLUMNS
from trajnet.training.config import AugmentConfig
from trajnet.training.source_check import FLAGS, augmented_flags, source_accuracy
from trajnet.training.training_set import TrainingSet

WINDOWS, STEPS = 1_500, 3
HIDDEN = AugmentConfig(hide_velocity=0.4, hide_map=0.4, hide_directions=0.2, hide_neighbours=0.2, borrow=True)


def source(*, has_map: bool, has_neighbours: bool, has_velocity: bool) -> TrainingSet:
    """Windows of an object that stands, of a source that has these things in all of its windows."""
    neighbours = np.zeros((WINDOWS, 2, len(NEIGHBOUR_COLUMNS)), np.float32)
    neighbours[:, 0, NEIGHBOUR_COLUMNS.index("valid")] = has_neighbours
    everywhere = np.ones((WINDOWS, STEPS), np.bool_)
    return TrainingSet(
        time_s=np.tile(np.array([-1.0, -0.5, 0.0], np.float32), (WINDOWS, 1)),
        observed=everywhere,
        position_m=np.zeros((WINDOWS, STEPS, 2), np.float32),
        yaw_rad=np.zeros((WINDOWS, STEPS), np.float32),
        yaw_valid=everywhere,
        velocity_mps=np.zeros((WINDOWS, STEPS, 2), np.float32),
        velocity_valid=everywhere & has_velocity,
        object_class=np.ones(WINDOWS, np.int8),
        size_m=np.ones((WINDOWS, 2), np.float32),
        future_m=np.zeros((WINDOWS, 4, 2), np.float32),
        future_valid=np.ones((WINDOWS, 4), np.bool_),
        map_distance=np.full((WINDOWS, 1, 1, 1, 4), 5 if has_map else 0, np.int8),
        map_valid=np.full(WINDOWS, has_map),
        neighbours=neighbours,
    )


EVERYTHING = source(has_map=True, has_neighbours=True, has_velocity=True)
BARE = source(has_map=False, has_neighbours=False, has_velocity=True)


def test_sources_that_borrow_what_they_lack_are_not_told_apart() -> None:
    accuracy = source_accuracy(*augmented_flags([EVERYTHING, BARE], HIDDEN))
    assert accuracy == pytest.approx(0.5, abs=0.04)


def test_a_source_without_a_map_is_found_where_nothing_is_borrowed() -> None:
    accuracy = source_accuracy(*augmented_flags([EVERYTHING, BARE], replace(HIDDEN, borrow=False)))
    assert accuracy > 0.85


def test_a_source_without_velocities_is_found_however_much_is_hidden() -> None:
    """Why sources derive their velocities: hiding cannot give what is missing."""
    without = source(has_map=True, has_neighbours=True, has_velocity=False)
    accuracy = source_accuracy(*augmented_flags([EVERYTHING, without], HIDDEN))
    assert accuracy == pytest.approx(1.0 - 0.4 / 2, abs=0.04)  # wrong only where the other's velocity is hidden


def test_flags_and_sources_belong_together() -> None:
    flags, sources = augmented_flags([EVERYTHING, BARE], AugmentConfig(mirror=False, drop=0.0, short=0.0))
    by_name = dict(zip(FLAGS, flags.T, strict=True))
    for name in ("map", "directions", "neighbours"):
        assert np.array_equal(by_name[name] > 0, sources == 0)
    assert by_name["velocity"].all()
    assert np.bincount(sources).tolist() == [WINDOWS, WINDOWS]
