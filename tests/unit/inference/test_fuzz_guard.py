"""A model whose outputs are random: what leaves the guard may go out, whatever the model gave."""

from __future__ import annotations

import logging

import pytest

from tests.fuzz_guard import run


@pytest.mark.parametrize(("seed", "budget_s"), [(0, None), (1, None), (2, 60.0)])
def test_whatever_a_model_gives_what_leaves_may_go_out(
    seed: int, budget_s: float | None, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.ERROR)
    broken, happened = run(1500, seed, budget_s)
    assert broken == []
    for way in ("truth", "numbers", "covariances", "probabilities", "paths", "columns", "types", "rows", "header"):
        assert happened[way] > 5, way
    assert min(happened["of model"], happened["refused"], happened["failures"]) > 50
