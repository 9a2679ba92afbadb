"""Rows come in a random order, each piece within one block."""

from __future__ import annotations

import numpy as np
import pytest

from trajnet.training import block_order
from trajnet.training.block_order import shuffled_rows


def test_each_piece_is_in_one_block_of_about_the_same_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(block_order, "BLOCK_WINDOWS", 100)
    sizes = np.random.default_rng(0).integers(1, 20, 90)
    rows = shuffled_rows(sizes, np.random.default_rng(1))
    np.testing.assert_array_equal(np.sort(rows), np.arange(sizes.sum()))
    piece = np.repeat(np.arange(90), sizes)[rows]
    place = np.arange(len(rows))
    first, last = (np.array([of(place[piece == p]) for p in range(90)]) for of in (np.min, np.max))
    blocks = -(-len(rows) // 100)
    for block in range(1, blocks):  # near each of the equal parts there is a place that no piece crosses
        near = len(rows) * block // blocks + np.arange(21)
        assert any(not ((first < at) & (last >= at)).any() for at in near)
    spread = (last - first)[sizes > 9]
    assert spread.min() > 30  # shuffled in it, not piece by piece


def test_few_rows_are_shuffled_as_a_whole() -> None:
    expected = np.arange(1000)
    np.random.default_rng(5).shuffle(expected)
    np.testing.assert_array_equal(shuffled_rows(np.full(10, 100), np.random.default_rng(5)), expected)
