"""The program that puts a floor under early covariances changes these alone, and refuses what does not fit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from tools.early_spread import main
from trajnet.config import to_dict
from trajnet.models import default_model
from trajnet.training.checkpoint import checkpoint_model, read_checkpoint, save_whole

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """The shipped weights as if they were without a floor, and a configuration for them with the bundled scene."""
    shipped = default_model().with_suffix(".ckpt")
    _, config, _ = checkpoint_model(shipped)
    path = tmp_path_factory.mktemp("weights") / "before.ckpt"
    stored = read_checkpoint(shipped)
    stored["trajnet"]["config"]["model"]["early_knots"] = 0
    save_whole(stored, path)
    scene = {"kind": "scenes", "path": "scenes/crossing_small.parquet", "history_s": 1.0, "stride": 5}
    settings: dict[str, Any] = to_dict(config)
    settings["model"]["early_knots"] = 2
    return path, settings | {"train": [scene], "validation": [scene]}


def run(path: Path, settings: dict[str, Any], folder: Path) -> int:
    (folder / "config.yaml").write_text(yaml.safe_dump(settings))
    given = ("--config", folder / "config.yaml", "--data", ROOT / "sim", "--out", folder / "after.ckpt")
    return main([str(path), *map(str, given)])


def test_the_floor_and_the_first_factors_are_new_and_everything_else_is_the_same(
    before: tuple[Path, dict[str, Any]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, settings = before
    assert run(path, settings, tmp_path) == 0
    assert len(capsys.readouterr().out.splitlines()) == 1 + 2  # a row for each knot
    (old, _, _), (new, config, about) = checkpoint_model(path), checkpoint_model(tmp_path / "after.ckpt")
    assert config.model.early_knots == 2
    assert about["domain"] == read_checkpoint(path)["trajnet"]["domain"]
    weights, changed = old.state_dict(), new.state_dict()
    assert [name for name in weights if not torch.equal(weights[name], changed[name])] == ["spread"]
    assert torch.equal(weights["spread"][2:], changed["spread"][2:])
    assert not torch.equal(weights["spread"][:2], changed["spread"][:2])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": "another"}, "expected the configuration of trajnet-urban but for model.early_knots, got another"),
        ({"early_knots": 0}, "expected a configuration with model.early_knots above 0, got 0"),
        ({"hidden": 64}, "expected the configuration of trajnet-urban but for model.early_knots, got another"),
    ],
)
def test_what_does_not_fit_is_refused(
    before: tuple[Path, dict[str, Any]],
    changes: dict[str, Any],
    message: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    path, settings = before
    name = {key: value for key, value in changes.items() if key == "name"}
    model = {key: value for key, value in changes.items() if key != "name"}
    assert run(path, settings | name | {"model": settings["model"] | model}, tmp_path) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "after.ckpt").exists()
