"""A run is continued by the same configuration only; a finished one by more epochs, in another cycle."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from trajnet import config as configs
from trajnet.errors import InputError
from trajnet.training.config import OptimizerConfig, SourceConfig, TrainConfig
from trajnet.training.run_state import Best, RunState, continued_run, require_same_start, start_name

LAST = Path("out/last.ckpt")


def config(epochs: int, seed: int = 0) -> TrainConfig:
    source = SourceConfig("scenes", path="made")
    return TrainConfig("made", "none", False, (source,), (source,), seed, optimizer=OptimizerConfig(epochs=epochs))


def stored(state: RunState, seed: int = 0) -> dict[str, Any]:
    return {"config": configs.to_dict(config(state.epochs, seed)), **state.to_dict()}


def test_a_state_is_read_as_it_was_stored() -> None:
    state = RunState((12, 8), 15, 33.5, Best(9, 1.25), "last.ckpt 0123")
    assert RunState.of(stored(state)) == state
    assert (state.epochs, state.before, state.finished) == (20, 12, False)


def test_checkpoints_without_cycles_have_one() -> None:
    about = {"config": configs.to_dict(config(12)), "epochs_done": 7, "duration_s": 4.0}
    assert RunState.of(about) == RunState((12,), 7, 4.0)


@pytest.mark.parametrize("done", [5, 12])
def test_the_same_number_of_epochs_resumes_a_run(done: int) -> None:
    state = RunState((12,), done, 2.0, Best(3, 0.5))
    assert continued_run(stored(state), config(12), LAST) == state


def test_a_finished_run_gets_another_cycle_for_the_epochs_beyond() -> None:
    once = continued_run(stored(RunState((12,), 12)), config(20), LAST)
    assert once == RunState((12, 8), 12)
    assert not once.finished
    assert continued_run(stored(replace(once, done=20)), config(25), LAST).cycles == (12, 8, 5)


def test_an_unfinished_cycle_cannot_be_made_longer() -> None:
    with pytest.raises(InputError, match=r"has 5 of 12 epochs.*--epochs 12.*--init out/last\.ckpt"):
        continued_run(stored(RunState((12,), 5)), config(20), LAST)


def test_fewer_epochs_than_there_are_are_refused() -> None:
    with pytest.raises(InputError, match=r"has 20 epochs already, got 12.*--epochs 20"):
        continued_run(stored(RunState((12, 8), 20)), config(12), LAST)


def test_another_configuration_is_another_run() -> None:
    with pytest.raises(InputError, match="seed differ"):
        continued_run(stored(RunState((12,), 12)), config(20, seed=3), LAST)


def test_a_run_goes_on_from_the_weights_that_it_began_with(tmp_path: Path) -> None:
    one, two = tmp_path / "one.ckpt", tmp_path / "two.ckpt"
    one.write_bytes(b"1")
    two.write_bytes(b"2")
    about = stored(RunState((12,), 5, init=start_name(one)))
    require_same_start(about, one, LAST)
    require_same_start(about, None, LAST)
    with pytest.raises(InputError, match=r"it began with one\.ckpt"):
        require_same_start(about, two, LAST)
    with pytest.raises(InputError, match="it began with new weights"):
        require_same_start(stored(RunState((12,), 5)), one, LAST)
