"""One prediction from the rows of a predictor and those of physics, and arrays that may be written into."""

from __future__ import annotations

import numpy as np
import pytest

from tests.frames import frame, observed
from tests.unit.inference.judging.fakes import TIME_S, Says, bytes_of, driving
from trajnet.inference import ConstantVelocity, GuardOptions
from trajnet.inference.assembly import assembled, others_than
from trajnet.inference.guard import Guard
from trajnet.tracking.store import Observations
from trajnet.types import Prediction, Source

SEEN = observed(frame(0.0, {"a": (0.0, 0.0), "b": (5.0, 0.0), "c": (9.0, 0.0), "d": (12.0, 0.0)}, velocity=(1.0, 0.0)))


def test_the_other_rows_are_those_that_are_not_named() -> None:
    assert others_than(np.array([2, 0]), 4).tolist() == [1, 3]
    assert others_than(np.array([], np.int64), 2).tolist() == [0, 1]


def test_rows_of_a_predictor_and_of_physics_are_put_in_order() -> None:
    """The predictor was shown b, c and d; its answer for c is of no use."""
    model, physics = driving().predict(SEEN), ConstantVelocity(TIME_S).predict(SEEN)
    shown, fine = np.array([1, 2, 3]), np.array([True, False, True])
    left = np.array([0, 2])
    answer = assembled(SEEN, shown[fine], model.select(shown), fine, left, physics.select(left))
    assert answer.track_id == ("a", "b", "c", "d")
    assert answer.source.tolist() == [Source.PHYSICS, Source.MODEL, Source.PHYSICS, Source.MODEL]
    assert bytes_of(answer.select(np.array([1, 3]))) == bytes_of(model.select(np.array([1, 3])))
    assert bytes_of(answer.select(left)) == bytes_of(physics.with_modes(3).select(left))
    answer.validate()


def test_physics_of_several_modes_keeps_them() -> None:
    model = driving().predict(SEEN)
    two = Says([(1.0, 0.0), (2.0, 0.0)], [0.7, 0.3]).predict(SEEN)
    left, fine = np.array([0, 1, 2]), np.ones(1, np.bool_)
    answer = assembled(SEEN, np.array([3]), model.select(np.array([3])), fine, left, two.select(left))
    assert answer.probability.tolist() == [[0.7, 0.3, 0.0]] * 3 + [[0.6, 0.3, 0.1]]
    np.testing.assert_array_equal(answer.position_m[:3, 2], two.position_m[:3, 0])


class Keeps(Says):
    """Returns the arrays that it keeps."""

    said: Prediction

    def predict(self, observations: Observations) -> Prediction:
        self.said = super().predict(observations)
        return self.said


@pytest.mark.parametrize("fails", [False, True])
def test_arrays_that_a_predictor_or_a_fallback_keeps_do_not_change(fails: bool) -> None:
    class Fails(Says):
        def predict(self, observations: Observations) -> Prediction:
            raise RuntimeError

    keeps = Keeps([(1.0, 0.0)], [1.0])
    guard = Guard(Fails([(1.0, 0.0)], [1.0]), GuardOptions(fallback=keeps)) if fails else Guard(keeps)
    answer = guard.answer(SEEN)
    assert bytes_of(answer) == bytes_of(keeps.said)
    answer.position_m[:] = answer.yaw_rad[:] = answer.covariance_m2[:] = answer.probability[:] = 7.0
    answer.source[:] = Source.JUDGED
    assert bytes_of(keeps.said) == bytes_of(Says([(1.0, 0.0)], [1.0]).predict(SEEN))
