"""Whatever stands in a recorded message, its paths come out usable and of a bounded size, or not at all."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from hypothesis import given, settings

from tests.ros.object_strategies import predicted
from tests.ros.random_objects import random_predicted
from trajnet.ros.bag_predictions import MAX_POINTS, prediction_of
from trajnet.ros.cdr import PredictedObjects


@settings(max_examples=200, deadline=None)
@given(predicted())
def test_whatever_was_recorded_the_prediction_is_usable(objects: PredictedObjects) -> None:
    prediction = prediction_of(objects)
    if prediction is not None:
        prediction.validate()
        assert len(prediction.time_s) <= MAX_POINTS


def test_one_absurd_step_does_not_make_a_million_points() -> None:
    objects = random_predicted(0, [1, 1, 1], [0, 0, 0], [[3], [3], [3]], special=False)
    steps_ns = np.array([1_000, 1_000, 2_000_000_000 * 10**9])
    prediction = prediction_of(replace(objects, path_step_ns=steps_ns))
    assert prediction is not None
    assert len(prediction) == 3
    assert len(prediction.time_s) == MAX_POINTS
    prediction.validate()


def test_a_path_of_absurdly_many_poses_does_not_count() -> None:
    objects = random_predicted(0, [1], [0], [[MAX_POINTS + 1]], special=False)
    assert prediction_of(replace(objects, path_step_ns=np.array([10**8]))) is None
