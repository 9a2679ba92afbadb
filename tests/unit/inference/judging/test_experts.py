"""The covariances of the experts beside the model."""

from __future__ import annotations

import numpy as np

from tests.frames import frame, observed
from trajnet.inference.judging.experts import Spreads, velocity_of
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


def test_what_is_not_measured_is_steadied() -> None:
    """One odd last step counts as it does for the stand-in: 1 - exp(-dt / 0.4 s)."""
    places_m = [0.2 * i for i in range(40)]
    places_m.append(places_m[-1] + 0.3)
    frames = [frame(0.1 * i, {"a": (x_m, 0.0)}, yaw=None) for i, x_m in enumerate(places_m)]
    np.testing.assert_allclose(velocity_of(observed(*frames)), [[3.0 - np.exp(-0.25), 0.0]], rtol=1e-6)
