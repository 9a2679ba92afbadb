"""Options of `trajnet export` that are looked at before anything is computed."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from trajnet.cli import main as cli
from trajnet.cli.export import path_times, shorter
from trajnet.errors import ConfigError


@pytest.mark.parametrize(
    ("step_s", "last_s", "told"),
    [
        (0.5, 8.0, ""),
        (0.1, 8.0, ""),
        (0.3, 7.8, "--step-s: in these steps paths reach 7.8 s of the model's 8 s"),
        (3.0, 6.0, "--step-s: in these steps paths reach 6 s of the model's 8 s"),
    ],
)
def test_steps_that_do_not_reach_the_horizon_are_told(step_s: float, last_s: float, told: str) -> None:
    time_s = path_times(step_s, 8.0)
    assert time_s is not None
    assert time_s[-1] == pytest.approx(last_s)
    assert shorter(time_s, 8.0) == told


def test_the_models_own_steps_reach_its_horizon() -> None:
    assert path_times(0.0, 8.0) is None
    assert shorter(None, 8.0) == ""
    with pytest.raises(ConfigError, match="expected at most the model's horizon of 8"):
        path_times(9.0, 8.0)


def test_eight_bits_without_recurrent_operators_are_refused_before_the_checkpoint_is_read(tmp_path: Path) -> None:
    words = ["export", str(tmp_path / "none.ckpt"), "--precision", "int8", "--flavour", "unrolled"]
    done = CliRunner().invoke(cli.build(), [*words, "--out", str(tmp_path / "a.onnx")])
    assert isinstance(done.exception, ConfigError)
    assert "expected --flavour streaming" in str(done.exception)
