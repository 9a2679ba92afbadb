"""trajnet replay from the command line: what it prints and writes, and what it refuses."""

from __future__ import annotations

import io
import json
import math
from pathlib import Path
from typing import Any

import pytest
import typer
from rich.console import Console
from typer.testing import CliRunner

from tests.replay_scenes import crossing_scene
from trajnet.cli.demo import demo
from trajnet.cli.replay import replay
from trajnet.cli.replay_options import parse_rate
from trajnet.cli.replay_tables import show
from trajnet.errors import ConfigError, ContractError, InputError
from trajnet.models import nuscenes_model
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


def test_replay_says_what_was_outside_of_the_domain_unless_it_is_ignored(scene: Path) -> None:
    arguments = ["replay", str(scene), "--model", str(nuscenes_model()), "--rate", "max"]
    checked, ignored = (CliRunner().invoke(app, [*arguments, *more]) for more in ([], ["--ignore-domain"]))
    assert "domain     trajnet-nuscenes was not asked about" in checked.output, checked.output
    assert " at a rate" in checked.output
    assert ignored.exit_code == 0, ignored.output
    assert "was not asked about" not in ignored.output


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
        (["--warmup", "-1"], ConfigError, "warmup_frames: expected a whole number from 0 on, got -1"),
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
    model = [] if "--model" in arguments else ["--model", "cv"]
    result = CliRunner().invoke(app, ["replay", str(scene), *model, "--rate", "max", *arguments])
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


def played() -> dict[str, Any]:
    """The document of a replay, as far as it is printed."""
    errors = {"count": 1200, "minADE_1": 0.5, "minFDE_1": 1.25, "minADE_6": 0.25, "minFDE_6": 0.75}
    figures = {"p50": 1.0, "p95": 2.0, "p99": 3.0, "max": 4.0, "count": 95}
    return {
        "model": {"name": "lstm", "modes": 6},
        "load": {
            "rate": "max", "warmup_frames": 5, "agents_asked": None, "agents_per_frame_min": 2,
            "agents_per_frame_max": 9, "agents_per_frame_mean": 4.25,
        },
        "latency_ms": {"tracks": figures, "total": figures},
        "errors_m": {who: {"horizon_s": 6.0, "groups": {"all": errors}} for who in ("model", "cv")},
        "deadline": {"misses": 3, "frames": 95, "budget_ms": 50.0},
        "frames": {"served": 100, "dropped": 1, "late": 2, "backlog_max": 7},
        "guard": {
            "model_rows": 90, "physics_rows": 6, "stale_rows": 4, "outside_domain_rows": 0, "failures": 1,
            "non_finite_rows": 0, "last_failure": "boom",
        },
        "self_judging": {"on": True, "evident_rows": 60, "velocity_rows": 7, "standing_rows": 8},
        "consistency": {
            "model": {"all": {"jump_m": 0.5, "flips_per_object_minute": 1.5}}, "cv": {"all": {"jump_m": 0.25}},
        },
        "hardware": {
            "cpu": "A CPU", "cores": 8, "cores_usable": 2, "provider": "CPUExecutionProvider", "threads": 1, "gpus": [],
            "board": None, "engine_cache": None, "cuda_graph": False, "onnxruntime": "1.20", "stolen_s": 0.0,
        },
    }  # fmt: skip


def printed_lines(found: dict[str, Any]) -> list[str]:
    console = Console(file=io.StringIO(), width=120)
    show(found, console)
    assert isinstance(console.file, io.StringIO)
    return [line.rstrip() for line in console.file.getvalue().splitlines() if line.strip()]


def test_what_is_printed_of_a_replay_word_for_word() -> None:
    found = played()
    lines = printed_lines(found)
    assert lines[0] == "Service time in ms"
    assert [line.split() for line in lines[3:5]] == [
        ["track", "update", "1.00", "2.00", "3.00", "4.00", "95"],
        ["total", "1.00", "2.00", "3.00", "4.00", "95"],
    ]
    assert lines[5] == "Error against the recorded future in m, 6 s ahead"
    assert lines[9].split() == ["all", "1,200", "0.50", "/", "1.25", "0.25", "/", "0.75", "0.50", "/", "1.25"]
    jumps = "the best path jumps 0.50 m between frames (constant velocity 0.25)"
    assert lines[10:] == [
        "deadline   3 of 95 frames over 50 ms",
        "frames     100 served, 1 dropped, 2 late",
        "backlog    at most 7 frames",
        "warm-up    the first 5 frames are not counted",
        "agents     2 to 9 per frame, 4.2 on average",
        "paths      90 lstm, 6 fall-back, 4 stale",
        "judged     60 rows by their own past errors: constant velocity led 7, standing 8",
        f"steadiness {jumps}, the best mode flips 1.5 times per object and minute",
        "failures   1 calls, 0 paths not finite",
        "hardware   A CPU, 2 of 8 cores",
        "runtime    CPUExecutionProvider, 1 thread(s), ONNX Runtime 1.20",
        "           the last: boom",
    ]
    found["load"]["rate"], found["errors_m"]["model"]["groups"] = 1.0, {}
    assert printed_lines(found)[0] == "Latency in ms from the scheduled time of each frame"
    nothing = "no object is recorded in a frame and for 6 s after it, at least every 1 s"
    assert any(nothing in line for line in printed_lines(found))
