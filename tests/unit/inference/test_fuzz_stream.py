"""Extreme frames and a predictor that lies in every field: every object leaves with a path that may go out."""

from __future__ import annotations

import logging

import pytest

from tests.fuzz_stream import run
from trajnet.inference import JudgingOptions


@pytest.mark.parametrize(("seed", "judging"), [(0, None), (1, JudgingOptions())])
def test_whatever_comes_in_every_object_leaves_with_a_path_that_may_go_out(
    seed: int, judging: JudgingOptions | None, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.ERROR)
    broken, happened = run(1500, seed, judging)
    assert broken == []
    for name in ("model_rows", "physics_rows", "refused", "restarted", "raise", "exit", "clock_reset", "out_of_order"):
        assert happened[name] > 50, name
