"""Outputs never replace an input, nor one output another, and end as what is in them: refused before the work."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.replay_scenes import straight_scene
from trajnet.cli import main as cli
from trajnet.cli.files import require_outputs, require_unread
from trajnet.errors import InputError
from trajnet.models import default_model
from trajnet.scenes import write_scene

ROOT = Path(__file__).resolve().parents[3]
Run = Callable[..., tuple[int, str]]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Run:
    """Run a command in tmp_path; return its exit code and what it says on stderr."""

    def runner(*words: str) -> tuple[int, str]:
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(sys, "argv", ["trajnet", *words])
        with pytest.raises(SystemExit) as stopped:
            cli.main()
        return int(stopped.value.code or 0), " ".join(capsys.readouterr().err.split())

    return runner


@pytest.fixture
def inputs(tmp_path: Path) -> dict[str, bytes]:
    """Make a scene under several names, a map, a model and a table; return what is in each of them."""
    write_scene(straight_scene(np.ones((25, 2), np.bool_)), tmp_path / "scene.parquet")
    (tmp_path / "scenes").mkdir()
    shutil.copy(tmp_path / "scene.parquet", tmp_path / "scenes")
    shutil.copy(tmp_path / "scene.parquet", tmp_path / "map.parquet")
    shutil.copy(default_model(), tmp_path / "m.onnx")
    (tmp_path / "t.csv").write_text("time_s,track_id,x,y\n" + "".join(f"{k / 10},a,{k},0\n" for k in range(30)))
    (tmp_path / "link.parquet").symlink_to("scene.parquet")
    os.link(tmp_path / "scene.parquet", tmp_path / "hard.parquet")
    shutil.copy(ROOT / "sim" / "faults" / "demo.yaml", tmp_path / "faults.yaml")
    return {str(f): f.read_bytes() for f in sorted(tmp_path.rglob("*")) if f.is_file()}


EVALUATE = "evaluate --dataset scenes --data scenes --model cv --horizon 1"
REFUSED = {
    "predict t.csv --out t.csv": "out: expected a file that is not read, got t.csv",
    "predict scene.parquet --at 1 --picture scene.parquet": "picture: ",
    "predict scene.parquet --model m.onnx --at 1 --picture m.onnx": "picture: ",
    "predict scene.parquet --map map.parquet --out map.parquet": "out: ",
    "predict scene.parquet --out link.parquet": "out: ",
    "predict scene.parquet --out hard.parquet": "out: ",
    "predict scene.parquet --out scenes/../scene.parquet": "out: ",
    "predict scenes --out scenes/scene.parquet": "out: ",
    "predict scene.parquet --at 1 --picture new.png": "picture: expected a file that ends in .svg, got new.png",
    "bench --picture new.png": "picture: expected a file that ends in .svg",
    "replay scene.parquet --rate max --report new.txt": "report: expected a file that ends in .html or .htm",
    "replay scene.parquet --rate max --gif new.mp4": "gif: expected a file that ends in .gif",
    f"{EVALUATE} --save new.csv": "save: expected a file that ends in .parquet",
    f"{EVALUATE} --objects new.csv": "objects: expected a file that ends in .parquet",
    "view scene.parquet --save new.mcap": "save: expected a file that ends in .rrd",
    "view scene.parquet --mcap new.rrd": "mcap: expected a file that ends in .mcap",
    "predict scene.parquet --out new.csv --picture new.csv": "out, picture: expected a file for each, got new.csv",
    "check scene.parquet --json scene.parquet": "json: ",
    "check scene.parquet --model m.onnx --json m.onnx": "json: ",
    "replay scene.parquet --rate max --json scene.parquet": "json: ",
    "replay scene.parquet --rate max --report link.parquet": "report: ",
    "replay scene.parquet --rate max --gif hard.parquet": "gif: ",
    "replay scene.parquet --rate max --faults faults.yaml --json faults.yaml": "json: ",
    "replay scenes --rate max --json scenes/scene.parquet": "json: ",
    "info m.onnx --json m.onnx": "json: ",
    f"{EVALUATE} --json scenes/scene.parquet": "json: ",
    f"{EVALUATE} --save scenes/scene.parquet": "save: ",
    f"{EVALUATE} --objects scenes/scene.parquet": "objects: ",
    f"{EVALUATE} --report scenes/scene.parquet": "report: ",
    f"{EVALUATE} --map map.parquet --report map.parquet": "report: ",
    f"{EVALUATE} --resume new --json new": "json, resume: ",
    "bench --model m.onnx --json m.onnx": "json: ",
    "bench --model m.onnx --soak 1 --picture m.onnx": "picture: ",
    "benchmark sites --site own=scenes --sites own --model cv --json scenes/scene.parquet": "json: ",
    "benchmark sites --site own=scenes --sites own --model m.onnx --report m.onnx": "report: ",
    "benchmark eth-ucy --data scenes --out o --config faults.yaml --json faults.yaml": "json: ",
    "convert scene.parquet scene.parquet": "DST: ",
    "convert scene.parquet link.parquet": "DST: ",
    "convert scenes scenes": "DST: ",
    "convert scenes scenes --cut 1": "cut: expected another folder as DST",
    "convert t.csv map.parquet --map map.parquet": "DST: ",
    "export m.onnx --out m.onnx": "out: ",
    "bag import scenes --out map.parquet --map map.parquet": "out: ",
    "view scene.parquet --save scene.parquet": "save: ",
    "view scene.parquet --mcap map.parquet --map map.parquet": "mcap: ",
}  # fmt: skip


@pytest.mark.parametrize("words", REFUSED)
def test_what_cannot_be_an_output_is_refused(
    words: str, run: Run, inputs: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TRAJNET_DATA", raising=False)
    code, said = run(*words.split())
    assert code == 2
    assert f"trajnet: {REFUSED[words]}" in said
    assert {name: Path(name).read_bytes() for name in inputs} == inputs
    assert not list(Path().glob("new*"))


def test_weights_of_a_run_are_not_trained_into_their_own_folder(run: Run, tmp_path: Path) -> None:
    (tmp_path / "best.ckpt").write_bytes(b"weights")
    (tmp_path / "c.yaml").write_text("name: x\n")
    code, said = run("train", "--config", "c.yaml", "--data", ".", "--out", ".", "--init", "best.ckpt")
    assert (code, "out: expected a file that is not read, got best.ckpt" in said) == (2, True)


def test_a_file_that_belongs_to_an_input_counts_as_one(tmp_path: Path) -> None:
    (tmp_path / "scenario_0.parquet").write_bytes(b"")
    beside = tmp_path / "log_map_archive_0.json"
    beside.write_text("{}")
    with pytest.raises(InputError, match="json: expected a file that is not read"):
        require_outputs([tmp_path / "scenario_0.parquet"], json=beside)


def test_a_report_in_a_folder_that_is_read_may_be_written_again(tmp_path: Path) -> None:
    for name in ("report.json", "report.html", "notes.csv"):
        (tmp_path / name).write_text("a\n")
        require_outputs([tmp_path, "urban", None], json=tmp_path / name)
    (tmp_path / "nuscenes_mini").mkdir()
    table = tmp_path / "nuscenes_mini" / "log.json"
    table.write_text("[]")
    with pytest.raises(InputError, match=r"json: .*log.json, an input"):
        require_outputs([tmp_path], json=table)


def test_of_a_bag_its_recordings_are_read(tmp_path: Path) -> None:
    for name in ("drive.mcap", "metadata.yaml", "drive.parquet"):
        (tmp_path / name).write_text("a\n")
    require_unread([("out", tmp_path / "drive.parquet")], [tmp_path])
    for name in ("drive.mcap", "metadata.yaml"):
        with pytest.raises(InputError, match=name):
            require_unread([("out", tmp_path / name)], [tmp_path])


def test_a_bundled_model_is_an_input_by_its_name_too(run: Run, inputs: dict[str, bytes], tmp_path: Path) -> None:
    (tmp_path / "urban.json").symlink_to(default_model())
    code, said = run("check", "scene.parquet", "--model", "urban", "--json", "urban.json")
    assert (code, "json: expected a file that is not read, got urban.json" in said) == (2, True)


def test_standard_output_is_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("-").write_text("a file of that name")
    require_outputs([Path("-")], json=Path("-"))
