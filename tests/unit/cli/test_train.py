"""Options of `trajnet train`: weights by name, epochs and maps that change the configuration."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.tiny_training import tiny_config
from trajnet import models
from trajnet.cli import main as cli
from trajnet.cli.train import checkpoint_file, how_to_go_on, with_epochs, with_map
from trajnet.config import load_yaml
from trajnet.errors import ConfigError, InputError
from trajnet.training.config import TrainConfig

URBAN = models.FOLDER / "trajnet-urban.ckpt"
SHIPPED = Path(__file__).resolve().parents[3] / "configs" / "urban.yaml"


@pytest.mark.parametrize("name", ["urban", "trajnet-urban", str(URBAN)])
def test_weights_are_found_as_model_files_are(name: str) -> None:
    assert checkpoint_file(name) == URBAN


def test_the_bundled_models_with_a_checkpoint_have_names() -> None:
    assert models.checkpoint_names() == ["urban", "nuscenes", "universal"]


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("suburban", "expected urban or nuscenes or universal, .* got 'suburban': no such file"),
        (str(models.default_model()), "a model file, which has no weights to train on"),
    ],
)
def test_other_weights_are_refused_with_the_names_there_are(name: str, told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        checkpoint_file(name)


def test_a_refused_name_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--config", str(SHIPPED), "--data", str(tmp_path), "--out", str(tmp_path / "out"), "--init", "suburban"]
    monkeypatch.setattr(sys, "argv", ["trajnet", "train", *words])
    with pytest.raises(SystemExit) as stopped:
        cli.main()
    assert stopped.value.code == 2
    assert capsys.readouterr().err.startswith("trajnet: init: expected urban or nuscenes or universal")
    assert not (tmp_path / "out").exists()


def test_epochs_take_the_place_of_the_configuration_s(tmp_path: Path) -> None:
    config = load_yaml(TrainConfig, tiny_config(tmp_path, epochs=3, batch=16))
    assert with_epochs(config, None) == config
    assert with_epochs(config, 7).optimizer.epochs == 7
    with pytest.raises(ConfigError, match=r"optimizer\.epochs: expected a number above 0, got 0"):
        with_epochs(config, 0)


def test_a_map_is_that_of_the_scenes_that_have_none_of_their_own(tmp_path: Path) -> None:
    config, path = load_yaml(TrainConfig, SHIPPED), tmp_path / "map.osm"
    path.write_text("")
    mapped = with_map(config, path)
    for source in (*mapped.train, *mapped.validation):
        takes = source.kind == "scenes" and not source.without_map
        assert source.map == (str(path.resolve()) if takes else "")
    assert with_map(config, None) == config
    with pytest.raises(ConfigError, match="expected a source of kind scenes without a map"):
        with_map(mapped, path)
    with pytest.raises(InputError, match=r"none\.osm"):
        with_map(config, tmp_path / "none.osm")


def test_a_run_without_an_epoch_begins_anew(tmp_path: Path) -> None:
    assert how_to_go_on(tmp_path, 12).startswith("no epoch was finished; run the same command again")
