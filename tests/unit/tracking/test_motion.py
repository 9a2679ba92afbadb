"""Steady velocities and headings from motion, computed by hand."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from trajnet.tracking.motion import MAX_STEADY_MPS, STEADY_TIME_S, causal_heading, steady_velocity


def test_causal_heading_moves_the_anchor_only_when_it_was_used() -> None:
    position = np.array([[0.3, 0.0], [0.29, 0.0], [0.0, 0.1]])
    found = causal_heading(
        position,
        np.array([9.0, 9.0, 2.0]),
        np.array([False, False, True]),
        np.zeros((3, 2)),
        displacement_m=np.array([[0.0, 5.0]] * 3),  # no hint is asked for
        last_yaw_rad=np.array([1.0, 1.0, 1.0]),
        known_before=np.array([True, True, False]),
        anchor_m=np.zeros((3, 2)),
        step_m=0.3,
    )
    assert found.yaw_rad.tolist() == [0.0, 1.0, 2.0]
    assert found.known.all()
    assert found.directed.all()
    np.testing.assert_array_equal(found.anchor_m, [[0.3, 0.0], [0.0, 0.0], [0.0, 0.1]])


def test_causal_heading_takes_the_best_hint_while_there_is_no_heading() -> None:
    """The measured velocity, the way from the anchor, the last displacement, in this order; else there is none."""
    found = causal_heading(
        np.array([[0.1, 0.0], [0.1, 0.0], [0.0, 0.0], [0.0, 0.0]]),
        np.full(4, 9.0),
        np.zeros(4, np.bool_),
        np.array([[-1.0, 0.0], [0.0, 0.0], [0.0, 0.0], [0.0, 0.0]]),
        displacement_m=np.array([[0.0, 0.1], [0.0, 0.1], [0.0, -0.1], [0.0, 0.0]]),
        last_yaw_rad=np.full(4, 7.0),
        known_before=np.zeros(4, np.bool_),
        anchor_m=np.zeros((4, 2)),
        step_m=0.3,
    )
    assert found.yaw_rad.tolist() == pytest.approx([np.pi, 0.0, -np.pi / 2, 0.0])
    assert found.directed.tolist() == [True, True, True, False]
    assert not found.known.any()
    assert not found.anchor_m.any()


def steady(displacement_m: list[float], dt_s: list[float], first_mps: float | None = None) -> list[float]:
    """x of the steady velocity of one object after each of these displacements along x."""
    last, known, found = np.zeros((1, 2)), np.array([first_mps is not None]), []
    if first_mps is not None:
        last[0, 0] = first_mps
    for way_m, time_s in zip(displacement_m, dt_s, strict=True):
        way = np.array([[way_m, 0.0]])
        last = steady_velocity(way, np.array([time_s]), np.zeros((1, 2)), last_mps=last, known=known)
        known = np.ones(1, dtype=np.bool_)
        assert last[0, 1] == 0.0
        found.append(float(last[0, 0]))
    return found


def test_the_steady_velocity_is_an_average_that_forgets() -> None:
    kept = np.exp(-0.1 / STEADY_TIME_S)
    assert steady([0.5, 0.7], [0.1, 0.1]) == pytest.approx([5.0, 7.0 - 2.0 * kept])  # the first displacement is all
    assert steady([0.5], [0.1], first_mps=9.0) == pytest.approx([5.0 + 4.0 * kept])  # a measured one counts before it
    # The same way in one step or in ten: what it has forgotten depends on the time alone.
    assert steady([4.0], [1.0], first_mps=9.0) == pytest.approx(steady([0.4] * 10, [0.1] * 10, first_mps=9.0)[-1:])
    noise_m = np.random.default_rng(0).normal(scale=0.05, size=2000)
    found = np.array(steady(list(0.1 + np.diff(noise_m, prepend=0.0)), [0.08] * 2000))
    alone = (0.1 + np.diff(noise_m, prepend=0.0)) / 0.08
    assert found[100:].std() < 0.2 * alone.std()
    assert found[100:].mean() == pytest.approx(0.1 / 0.08, rel=0.02)


def test_a_leap_of_the_tracker_does_not_last() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = steady([1e308, *[0.1] * 30], [1e-3, *[0.1] * 30])
    assert found[0] == MAX_STEADY_MPS
    assert found[-1] == pytest.approx(1.0, abs=0.1)
