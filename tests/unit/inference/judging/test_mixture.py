"""Which modes give way to other experts."""

from __future__ import annotations

import numpy as np

from trajnet.inference.judging.mixture import places

ALL = np.ones(1, np.bool_)


def entered(share: list[float], others: list[float], allowed: np.ndarray = ALL) -> list[tuple[int, int]]:
    """Mode and expert of each place."""
    _, mode, expert, _ = places(np.array([share]), np.array([others]), allowed)
    return list(zip(mode.tolist(), expert.tolist(), strict=True))


def test_an_expert_takes_the_place_of_the_least_probable_mode_if_its_weight_is_larger() -> None:
    assert entered([0.5, 0.1, 0.2], [0.15, 0.05]) == [(1, 1)]
    assert entered([0.5, 0.1, 0.2], [0.05, 0.15]) == [(1, 2)]
    assert entered([0.5, 0.2, 0.2], [0.05, 0.05]) == []


def test_the_heavier_one_comes_first_and_the_lighter_must_beat_the_next_mode() -> None:
    assert entered([0.1, 0.15, 0.2], [0.25, 0.3]) == [(0, 2), (1, 1)]
    assert entered([0.05, 0.3, 0.4], [0.15, 0.1]) == [(0, 1)]  # the lighter beats the least mode, which is gone


def test_one_mode_gives_way_to_one_expert() -> None:
    assert entered([0.3], [0.4, 0.3]) == [(0, 1)]
    assert entered([0.5], [0.3, 0.2]) == []


def test_rows_that_may_not_change_do_not() -> None:
    assert entered([0.1, 0.1], [0.4, 0.4], np.zeros(1, np.bool_)) == []


def test_it_is_the_k_most_probable_paths_that_leave() -> None:
    rng = np.random.default_rng(0)
    for modes in (1, 2, 3, 6):
        every = rng.dirichlet(np.ones(modes + 2), 200)
        share, others = every[:, :modes], every[:, modes:]
        row, mode, expert, rows = places(share, others, np.ones(200, np.bool_))
        left = share.copy()
        left[row, mode] = others[row, expert - 1]
        if modes > 1:
            np.testing.assert_allclose(np.sort(left), np.sort(every)[:, 2:])
        else:
            np.testing.assert_allclose(left[:, 0], every.max(axis=1))
        assert sorted(set(row.tolist())) == row[:rows].tolist()
