"""Training refuses, before it reads anything, data that must not be trained on."""

from __future__ import annotations

from pathlib import Path

import pytest

from trajnet.errors import ConfigError
from trajnet.training.config import SourceConfig, TrainConfig
from trajnet.training.train import train


@pytest.mark.parametrize(
    ("source", "non_commercial", "told"),
    [
        (SourceConfig("apolloscape", split="train"), False, "got apolloscape"),
        (SourceConfig("scenes", path="apolloscape/prediction_train"), False, "got apolloscape"),
        (SourceConfig("scenes", path="nuscenes_mini"), True, "nuscenes_mini, which is held out"),
    ],
)
def test_data_that_must_not_be_trained_on_is_refused(
    source: SourceConfig, non_commercial: bool, told: str, tmp_path: Path
) -> None:
    config = TrainConfig("made", "none", non_commercial, (source,), (source,))
    with pytest.raises(ConfigError, match=told):
        train(config, [tmp_path], tmp_path / "out", progress=False)
    assert not (tmp_path / "out").exists()
