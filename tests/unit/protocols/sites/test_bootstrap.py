"""Intervals by resampled tracks: their coverage, their dependence on tracks, and that nothing in them is luck."""

from __future__ import annotations

import numpy as np
import pytest

from trajnet.errors import InputError
from trajnet.protocols.sites.bootstrap import mean_interval


def tracks_with_errors(random: np.random.Generator, tracks: int = 60, each: int = 10) -> tuple[np.ndarray, np.ndarray]:
    """Values whose mean is 0 and which are alike within a track: between tracks 1, within 0.1."""
    track = np.repeat(np.arange(tracks), each)
    values = random.standard_normal(tracks)[track] + 0.1 * random.standard_normal(len(track))
    return values[:, None], track


def test_nineteen_of_twenty_intervals_hold_the_mean_and_those_of_single_objects_do_not() -> None:
    random = np.random.default_rng(1)
    by_track, by_object = 0, 0
    for _ in range(300):
        values, track = tracks_with_errors(random)
        low, high = mean_interval(values, track, resamples=200)
        by_track += bool(low[0] <= 0 <= high[0])
        low, high = mean_interval(values, np.arange(len(track)), resamples=200)
        by_object += bool(low[0] <= 0 <= high[0])
    assert 0.90 <= by_track / 300 <= 0.98
    assert by_object / 300 < 0.7  # ten objects of one track are one observation


def test_the_same_seed_gives_the_same_interval_and_another_seed_another() -> None:
    values, track = tracks_with_errors(np.random.default_rng(2))
    first, again, other = (mean_interval(values, track, seed=seed) for seed in (3, 3, 4))
    np.testing.assert_array_equal(first, again)
    assert np.all(np.array(first) != np.array(other))


def test_all_columns_see_the_same_resamples_and_names_of_tracks_do_not_matter() -> None:
    values, track = tracks_with_errors(np.random.default_rng(5))
    low, high = mean_interval(np.hstack([values, 2.0 * values + 1.0]), track)
    np.testing.assert_allclose([low[1], high[1]], [2.0 * low[0] + 1.0, 2.0 * high[0] + 1.0])
    np.testing.assert_array_equal(mean_interval(values, 7 * track + 100)[0], mean_interval(values, track)[0])


def test_blocks_of_resamples_give_as_many_means_as_one(monkeypatch: pytest.MonkeyPatch) -> None:
    values, track = tracks_with_errors(np.random.default_rng(6))
    whole = mean_interval(values, track)
    monkeypatch.setattr("trajnet.protocols.sites.bootstrap._BLOCK", 60 * 7)
    np.testing.assert_allclose(mean_interval(values, track), whole)


def test_one_value_has_an_interval_without_width_and_nothing_has_none() -> None:
    low, high = mean_interval(np.full((6, 1), 2.5), np.array([0, 0, 1, 1, 2, 3]))
    assert (low[0], high[0]) == (2.5, 2.5)
    assert np.isnan(mean_interval(np.zeros((0, 1)), np.zeros(0, np.int64))).all()
    with pytest.raises(InputError, match="expected one for each"):
        mean_interval(np.zeros((3, 1)), np.zeros(2, np.int64))
