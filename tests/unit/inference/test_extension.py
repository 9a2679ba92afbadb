"""Paths beyond the model's horizon, by hand."""

from __future__ import annotations

import numpy as np
import pytest

from trajnet.inference.extension import WIDENING_MPS, Extension
from trajnet.types import ObjectClass

PREDICTED_S = np.array([1.0, 2.0, 2.5])


def test_it_goes_on_at_the_velocity_of_the_end_wherever_the_scene_lies() -> None:
    path_m = np.array([[[[2.0, 0.0], [4.0, 0.0], [4.0, 3.0]], [[0.0, 0.0], [0.0, 0.0], [0.0, 0.0]]]])
    beyond = Extension(PREDICTED_S, np.array([3.0, 4.5]))
    expected = np.array([[[[4.0, 6.0], [4.0, 15.0]], [[0.0, 0.0], [0.0, 0.0]]]])  # 6 m/s along y, and standing
    assert beyond.positions(np.zeros((1, 2)), path_m) == pytest.approx(expected)
    far = np.array([691_000.0, 5_334_000.0])
    assert beyond.positions(far[None], path_m + far) == pytest.approx(expected + far)


def test_a_path_of_one_point_goes_on_from_the_present() -> None:
    beyond = Extension(np.array([0.5]), np.array([1.0]))
    assert beyond.positions(np.array([[1.0, 0.0]]), np.array([[[[2.0, 0.0]]]])) == pytest.approx(
        np.array([[[[3.0, 0.0]]]])
    )


def test_headings_stay_and_covariances_widen_by_class() -> None:
    beyond = Extension(PREDICTED_S, np.array([3.5, 4.5]))
    assert beyond.yaws(np.array([[0.3, -3.0]])).tolist() == [[[0.3, 0.3], [-3.0, -3.0]]]
    last = np.array([[4.0, 1.0], [1.0, 2.0]])
    classes = np.array([ObjectClass.CAR, ObjectClass.BICYCLE, ObjectClass.PEDESTRIAN], np.int8)
    got = beyond.covariances(np.broadcast_to(last, (3, 1, 2, 2)), classes)
    for row, rate in enumerate((1.5, 1.0, 0.5)):
        assert got[row, 0] == pytest.approx(np.stack([last + rate**2 * np.eye(2), last + (2 * rate) ** 2 * np.eye(2)]))
    assert (np.linalg.eigvalsh(got) > 0).all()


def test_nothing_beyond_is_nothing_and_every_class_widens() -> None:
    beyond = Extension(PREDICTED_S, np.zeros(0))
    assert len(beyond) == 0
    assert beyond.positions(np.zeros((2, 2)), np.zeros((2, 1, 3, 2))).shape == (2, 1, 0, 2)
    assert len(WIDENING_MPS) == len(ObjectClass)
    assert (WIDENING_MPS > 0).all()
