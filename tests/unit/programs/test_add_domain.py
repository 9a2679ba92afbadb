"""The program that adds a domain to a model file changes nothing but the metadata, and refuses what does not fit."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import yaml

from tests.domains import DOMAIN
from tools.add_domain import main, read_model, with_domain
from trajnet.export.graph import write_model
from trajnet.inference.contract import Contract
from trajnet.inference.onnx.session import open_session
from trajnet.models import default_model

ROOT = Path(__file__).resolve().parents[3]
CONFIG: dict[str, Any] = {
    "name": "tiny",
    "licence": "none",
    "non_commercial": False,
    "train": [{"kind": "scenes", "path": "scenes/crossing_small.parquet", "history_s": 1.0, "stride": 10}],
    "validation": [{"kind": "scenes", "path": "scenes/crossing_small.parquet"}],
}


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Contract]:
    proto, shipped, _ = read_model(default_model())
    contract = replace(shipped, name="tiny", domain=None, training=replace(shipped.training, windows=2))
    path = tmp_path_factory.mktemp("model") / "tiny.onnx"
    write_model(proto, contract, "# the card", path)
    return path, contract


def test_only_the_metadata_change_and_the_answers_are_the_same_bytes(
    exported: tuple[Path, Contract], tmp_path: Path
) -> None:
    path, contract = exported
    out = tmp_path / "out.onnx"
    with_domain(path, DOMAIN, out)
    proto, stated, card = read_model(out)
    assert (stated, card) == (replace(contract, domain=DOMAIN), "# the card")
    assert proto.graph.SerializeToString(deterministic=True) == onnx.load(path).graph.SerializeToString(
        deterministic=True
    )
    inputs = {t.name: np.ones([8 if n == "N" else int(n) for n in t.shape], t.dtype) for t in contract.inputs}
    before, after = (open_session(p).run(None, inputs) for p in (path, out))
    assert [a.tobytes() for a in after] == [b.tobytes() for b in before]


def test_the_domain_is_that_of_the_configuration_and_its_data(
    exported: tuple[Path, Contract], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, contract = exported
    config = tmp_path / "tiny.yaml"
    config.write_text(yaml.safe_dump(CONFIG))
    words = ["--config", str(config), "--data", str(ROOT / "sim"), "--out", str(tmp_path / "out.onnx")]
    assert main([str(path), *words]) == 2
    said = capsys.readouterr().err
    assert "expected the 2 windows that tiny was trained on, the data give" in said
    assert "counted in each file" not in said
    found = int("".join(c for c in _windows_of(path, words, capsys) if c.isdigit()))
    proto, _, card = read_model(path)
    training = replace(contract.training, windows=found)
    write_model(proto, replace(contract, training=training), card, tmp_path / "fits.onnx")
    assert main([str(tmp_path / "fits.onnx"), *words]) == 0
    assert "10 Hz" in capsys.readouterr().out
    stated = read_model(tmp_path / "out.onnx")[1].domain
    assert stated is not None
    assert sum(c.windows for c in stated.classes.values()) == found


def test_a_count_that_thinning_may_have_changed_is_explained(
    exported: tuple[Path, Contract], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "tiny.yaml"
    config.write_text(yaml.safe_dump({**CONFIG, "train": [{**CONFIG["train"][0], "standing_every": 2}]}))
    assert main([str(exported[0]), "--config", str(config), "--data", str(ROOT / "sim")]) == 2
    assert "counted in each file" in capsys.readouterr().err


def _windows_of(path: Path, words: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """Return how many windows the data give, as the refusal says."""
    main([str(path), *words])
    return capsys.readouterr().err.rpartition("the data give ")[2]


def test_another_models_configuration_and_other_files_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "tiny.yaml"
    config.write_text(yaml.safe_dump(CONFIG))
    words = ["--config", str(config), "--data", str(ROOT / "sim")]
    assert main([str(default_model()), *words]) == 2
    assert "expected the configuration of trajnet-urban, got that of tiny" in capsys.readouterr().err
    assert main([str(ROOT / "README.md"), *words]) == 2
    assert "expected a model file" in capsys.readouterr().err
