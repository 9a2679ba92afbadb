"""trajnet replay from the command line: what it prints and writes, and what it refuses."""

from __future__ import annotations

import io
import json
import math
from pathlib import Path

import pytest
import typer
from rich.console import Console
from typer.testing import CliRunner

from tests.replay_scenes import crossing_scene
from trajnet.cli.demo import demo
from trajnet.cli.replay import parse_rate, replay, show
from trajnet.errors import ConfigError, ContractError, InputError
from trajnet.scenes import write_scene

app = typer.Typer()
app.command("replay")(replay)
app.command("demo")(demo)


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("scene") / "crossing.parquet"
    write_scene(crossing_scene(7.0), path)
    return path


def test_replay_prints_tables_and_writes_json_and_page(scene: Path, tmp_path: Path) -> None:
    files = tmp_path / "latency.json", tmp_path / "report.html"
    arguments = ["replay", str(scene), "--model", "ctrv", "--rate", "max", "--agents", "20"]
    result = CliRunner().invoke(app, [*arguments, "--json", str(files[0]), "--report", str(files[1])])
    assert result.exit_code == 0, result.output
    assert "as fast as possible with ctrv" in result.output
    assert "Service time in ms" in result.output
    assert "exactly 20 in every frame" in result.output
    assert "\r" not in result.output  # no live line where there is no terminal
    assert len(result.output.splitlines()) < 45
    found = json.loads(files[0].read_text(encoding="utf-8"))
    assert found["load"]["agents_asked"] == 20
    assert found["latency_ms"]["total"]["count"] == found["scene"]["frames"] - 5
    assert files[1].stat().st_size > 10_000
    for stolen_s, line in ((0.125, "stolen     0.12 s of these cores"), (0.0, ""), (None, "")):
        printed = io.StringIO()
        show({**found, "hardware": {**found["hardware"], "stolen_s": stolen_s}}, Console(file=printed))
        assert ("stolen" in printed.getvalue()) == bool(line)
        assert line in printed.getvalue()


def test_demo_writes_its_page(scene: Path, tmp_path: Path) -> None:
    arguments = ["demo", "--scene", str(scene), "--model", "cv", "--rate", "max", "--out", str(tmp_path / "demo")]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    assert (tmp_path / "demo" / "report.html").is_file()


@pytest.mark.parametrize(
    ("arguments", "kind", "message"),
    [
        (["--rate", "-1"], InputError, "rate: expected a number above 0, or max .* got '-1'"),
        (["--rate", "fast"], InputError, "rate: expected a number above 0, or max .* got 'fast'"),
        (["--budget-ms", "0"], ConfigError, "budget_ms: expected a number above 0, got 0"),
        (["--agents", "3"], InputError, "up to 12 objects in a frame, got 3; ask for 12 or more"),
        (["--warmup", "71"], InputError, "has 71 frames, got a warm-up of 71; ask for 70 or fewer"),
        (["--warmup", "-1"], ConfigError, "warmup_frames: expected 0 or more, got -1"),
        (
            ["--model", "lstm"],
            ContractError,
            "model: expected cv, ctrv, kalman or the path of an .onnx file, got 'lstm'",
        ),
        (["--provider", "cuda"], ConfigError, "cv runs in NumPy and has neither, got cuda and 1; drop them"),
        (["--cuda-graph"], ConfigError, "engine_cache, cuda_graph: cv runs in NumPy and has neither; drop them"),
        (["--threads", "2"], ConfigError, "cv runs in NumPy and has neither, got cpu and 2; drop them"),
        (["--model", "none.onnx"], ContractError, "none.onnx: expected a model file"),
        (["--json", "no/such/folder/x.json"], InputError, "json: expected a file in a folder that exists"),
        (["--report", "no/such/folder/x.html"], InputError, "report: expected a file in a folder that exists"),
    ],
)
def test_what_does_not_fit_is_refused(scene: Path, arguments: list[str], kind: type[Exception], message: str) -> None:
    result = CliRunner().invoke(app, ["replay", str(scene), "--model", "cv", "--rate", "max", *arguments])
    assert isinstance(result.exception, kind), result.output
    with pytest.raises(kind, match=message):
        raise result.exception


def test_a_missing_scene_is_refused(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["replay", str(tmp_path / "none.parquet"), "--model", "cv"])
    assert isinstance(result.exception, InputError)


@pytest.mark.parametrize(("text", "rate"), [("1.0", 1.0), ("0.5", 0.5), ("max", math.inf), ("0", math.inf)])
def test_rates(text: str, rate: float) -> None:
    assert parse_rate(text) == rate


@pytest.mark.parametrize("text", ["", "nan", "-0.1", "1x"])
def test_rates_that_are_none(text: str) -> None:
    with pytest.raises(InputError):
        parse_rate(text)
