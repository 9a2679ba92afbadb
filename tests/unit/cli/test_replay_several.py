"""trajnet replay with several models, and with a folder of scenes: tables, pages, documents, exit codes."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tests.replay_scenes import crossing_scene
from trajnet.cli.main import build
from trajnet.errors import ConfigError, InputError
from trajnet.replay.compare import compared
from trajnet.scenes import write_scene


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two scenes, one of them in a folder below, and a file that is broken."""
    folder = tmp_path_factory.mktemp("scenes")
    (folder / "below").mkdir()
    write_scene(crossing_scene(7.0, scene_id="one"), folder / "one.parquet")
    write_scene(crossing_scene(7.0, scene_id="two"), folder / "below" / "one.parquet")
    (folder / "broken.parquet").write_bytes(b"PAR1 no")
    return folder


def test_two_models_of_one_scene_in_one_table_one_page_and_one_document(scenes: Path, tmp_path: Path) -> None:
    files = tmp_path / "both.json", tmp_path / "both.html"
    arguments = ["replay", str(scenes / "one.parquet"), "--rate", "max", "--model", "ctrv", "--model", "kalman"]
    result = CliRunner().invoke(build(), [*arguments, "--json", str(files[0]), "--report", str(files[1])])
    assert result.exit_code == 0, result.output
    found = json.loads(files[0].read_text(encoding="utf-8"))
    assert [run["model"]["name"] for run in found["runs"]] == ["ctrv", "kalman"]
    ade = [f"{run['errors_m']['model']['groups']['all']['minADE_1']:.2f}" for run in found["runs"]]
    cv = f"{found['runs'][0]['errors_m']['cv']['groups']['all']['minADE_1']:.2f}"
    line = next(line for line in result.output.splitlines() if "all, top ADE" in line)
    assert line.split()[-3:] == [*ade, cv]
    page = files[1].read_text(encoding="utf-8")
    data = json.loads(re.search(r'id="data">(.*?)</script>', page, re.S)[1])  # type: ignore[index]
    assert data["document"]["model"]["name"] == "ctrv"
    assert data["others"][0]["document"]["model"]["name"] == "kalman"
    assert data["compared"]["models"] == ["ctrv", "kalman", "constant velocity"]
    assert {"point_low", "point_low@1", "latency_us@1"} < set(data["block"])
    assert "row_cm@1" not in data["block"]  # the scene is there once


def test_the_same_model_twice_is_one(scenes: Path) -> None:
    arguments = ["replay", str(scenes / "one.parquet"), "--rate", "max", "--model", "cv", "--model", "cv"]
    result = CliRunner().invoke(build(), arguments)
    assert result.exit_code == 0, result.output
    assert "Service time in ms" in result.output


def test_a_folder_goes_on_past_a_broken_scene_and_ends_with_1(scenes: Path, tmp_path: Path) -> None:
    pages, document = tmp_path / "pages", tmp_path / "all.json"
    arguments = ["replay", str(scenes), "--rate", "max", "--model", "cv", "--report", str(pages)]
    result = CliRunner().invoke(build(), [*arguments, "--json", str(document)])
    assert result.exit_code == 1, result.output
    assert "broken.parquet: " in result.output
    assert "1 of 3 scenes failed" in result.output
    found = json.loads(document.read_text(encoding="utf-8"))
    assert found["failed"] == 1
    assert {each["file"]: len(each["runs"]) for each in found["scenes"]} == {
        "below/one.parquet": 1, "broken.parquet": 0, "one.parquet": 1,
    }  # fmt: skip
    index = (pages / "index.html").read_text(encoding="utf-8")
    links = re.findall(r'href="([^"]+\.html)"', index)
    assert links == ["below/one.parquet.html", "one.parquet.html"]
    for link in links:
        assert (pages / link).is_file()
    assert "broken.parquet" in index
    assert "http" not in index.replace("http-equiv", "").replace("http://www.w3.org", "")


def test_a_folder_without_faults_ends_with_0(scenes: Path) -> None:
    result = CliRunner().invoke(build(), ["replay", str(scenes / "below"), "--rate", "max", "--model", "cv"])
    assert result.exit_code == 0, result.output
    assert [line.split()[:2] for line in result.output.splitlines() if "parquet" in line] == [["one.parquet", "cv"]]


def test_what_does_not_fit_a_folder_is_refused(scenes: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "empty").mkdir()
    for arguments, message in (
        ([str(scenes), "--report", str(tmp_path / "file")], "report: expected a folder for the pages"),
        ([str(tmp_path / "empty")], "expected scene files"),
    ):
        result = CliRunner().invoke(build(), ["replay", "--model", "cv", *arguments])
        assert isinstance(result.exception, InputError)
        assert message in str(result.exception)


def test_models_of_one_name_are_told_apart_and_unequal_horizons_are_named() -> None:
    def found(model_id: str | None, horizon_s: float) -> dict[str, object]:
        errors = {"horizon_s": horizon_s, "modes": 1, "groups": {"all": {"count": 1, "minADE_1": 1.0, "minFDE_1": 2.0}}}
        return {
            "model": {"name": "lstm", "model_id": model_id},
            "errors_m": {"model": errors, "cv": errors},
            "consistency": {"model": {}},
            "latency_ms": {"total": {"p50": 1.0, "p99": 2.0}},
            "guard": {"model_rows": 3, "physics_rows": 4},
        }

    alike = compared([found("aa", 6.0), found(None, 6.0)])
    assert alike["models"] == ["lstm aa", "lstm model 2", "constant velocity"]
    assert all(len(values) == 3 for _, values, _ in alike["rows"])
    assert {label: values for label, values, _ in alike["rows"]}["jump, m"] == [None, None, None]
    unequal = compared([found("aa", 6.0), found("bb", 4.0)])
    assert unequal["models"] == ["lstm aa", "lstm bb"]
    assert unequal["rows"][0] == ("compared up to, s", [6.0, 4.0], None)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--worst", "3"], "worst: expected --report with a file for the page"),
        (["--worst", "-1", "--report", "x.html"], "worst: expected a number of objects, got -1"),
    ],
)
def test_the_worst_need_a_page_and_a_number(scenes: Path, arguments: list[str], message: str) -> None:
    base = ["evaluate", "--dataset", "scenes", "--data", str(scenes / "one.parquet"), "--jobs", "1"]
    result = CliRunner().invoke(build(), [*base, *arguments])
    assert isinstance(result.exception, ConfigError)
    assert message in str(result.exception)
