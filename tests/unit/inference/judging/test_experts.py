"""The covariances of the experts beside the model."""

from __future__ import annotations

import numpy as np

from trajnet.inference.judging.experts import Spreads
from trajnet.types import Expert, ObjectClass


def test_the_covariances_by_hand() -> None:
    spreads = Spreads(np.array([0.2, 1.0, 2.0]))
    experts = np.array([Expert.STANDING, Expert.CONSTANT_VELOCITY, Expert.CONSTANT_VELOCITY])
    classes = np.array([ObjectClass.CAR, ObjectClass.CAR, ObjectClass.PEDESTRIAN], np.int8)
    found = spreads.of(experts, classes)
    assert found.shape == (3, 3, 2, 2)
    np.testing.assert_allclose(found[..., 0, 1], 0.0)
    np.testing.assert_allclose(found[..., 0, 0], found[..., 1, 1])
    sigma_m = np.sqrt(found[..., 0, 0])
    np.testing.assert_allclose(sigma_m[0], [0.085, 0.105, 0.13])
    np.testing.assert_allclose(sigma_m[1, 1:], [0.3, 0.3 * 2.0**1.4])
    np.testing.assert_allclose(sigma_m[2], [0.05, 0.1, 0.1 * 2.0**1.25])  # a position is no better than 5 cm
