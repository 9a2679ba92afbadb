"""The command line: every mistake of a user is one sentence on stderr and exit code 2, never a traceback."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from trajnet import __version__
from trajnet.cli import main as cli
from trajnet.cli.info import neighbours_of, view_of
from trajnet.context.map_field import MapView
from trajnet.context.surroundings import InputRequirements
from trajnet.inference.contract import CONTRACT_VERSION
from trajnet.models import default_model, nuscenes_model
from trajnet.training.checkpoint import CHECKPOINT_VERSION

ROOT = Path(__file__).resolve().parents[3]
SCENE = ROOT / "sim" / "scenes" / "crossing_small.parquet"
CONFIG = ROOT / "configs" / "nuscenes.yaml"


def run(monkeypatch: pytest.MonkeyPatch, *words: object) -> int:
    monkeypatch.setattr(sys, "argv", ["trajnet", *map(str, words)])
    with pytest.raises(SystemExit) as stopped:
        cli.main()
    return int(stopped.value.code or 0)


def test_help_and_version(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(monkeypatch, "--version") == 0
    assert capsys.readouterr().out.strip() == f"trajnet {__version__}"
    assert run(monkeypatch, "--help") == 0
    shown = capsys.readouterr().out
    for command in ("train", "export", "info", "evaluate", "replay", "bench", "convert", "demo"):
        assert command in shown


COMMANDS = (
    "train", "export", "info", "evaluate", "replay", "bench", "convert", "check", "predict", "demo", "play",
    "bag import", "bag export", "bag info", "benchmark eth-ucy",
)  # fmt: skip


@pytest.mark.parametrize("option", ["-h", "--help"])
@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(
    command: str, option: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, *command.split(), option) == 0
    assert "Usage" in capsys.readouterr().out


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_shells_complete_commands(
    shell: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, "--completion", shell) == 0
    assert "_TRAJNET_COMPLETE=complete_" in capsys.readouterr().out


def test_the_completion_lists_what_could_come_next() -> None:
    asked = {"_TRAJNET_COMPLETE": "complete_bash", "COMP_WORDS": "trajnet con", "COMP_CWORD": "1"}
    done = subprocess.run(
        [sys.executable, "-m", "trajnet"], cwd=ROOT, capture_output=True, text=True, check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT), **asked},
    )  # fmt: skip
    assert done.stdout.split() == ["convert"], done.stderr


def test_an_unknown_shell_is_refused(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(monkeypatch, "--completion", "tcsh") == 2
    assert "expected bash, zsh or fish, got 'tcsh'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (PermissionError(13, "Permission denied", "/x/y"), "trajnet: /x/y: Permission denied"),
        (OSError("odd"), "trajnet: a file: OSError: odd"),
        (UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte"), "trajnet: expected text in UTF-8: "),
    ],
)
def test_a_file_that_cannot_be_read_is_one_sentence(
    error: Exception, said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def build() -> None:
        raise error

    monkeypatch.setattr(cli, "build", build)
    assert run(monkeypatch) == 2
    assert capsys.readouterr().err.startswith(said)


BAD = {
    "an output that is a folder": (
        ("replay", SCENE, "--report", "tests"),
        "report: expected a file, got the folder tests",
    ),
    "no such model": (("info", "nowhere"), "nowhere: expected a bundled model (urban, nuscenes, universal) or a file"),
    "no such model file": (("bench", "--model", "nowhere.onnx"), "got no such file"),
    "no such model card": (
        ("export", "trajnet/models/trajnet-urban.ckpt", "--out", "{tmp}/m.onnx", "--card", "{tmp}/no.md"),
        "--card: expected a Markdown file in UTF-8",
    ),
    "not the metrics of an evaluation": (
        ("export", "trajnet/models/trajnet-urban.ckpt", "--out", "{tmp}/m.onnx", "--metrics", "README.md"),
        "--metrics: expected the JSON of `trajnet evaluate`",
    ),
    "not a model": (("info", "README.md"), "expected a model that ONNX Runtime can load"),
    "no such checkpoint": (("export", "nowhere.ckpt", "--out", "{tmp}/m.onnx"), "got no such file"),
    "not a checkpoint": (("export", "README.md", "--out", "{tmp}/m.onnx"), "expected a checkpoint"),
    "no such configuration": (
        ("train", "--config", "no.yaml", "--data", "{tmp}", "--out", "{tmp}/o"),
        "got no such file",
    ),
    "unknown key": (
        ("train", "--config", "{tmp}/key.yaml", "--data", "{tmp}", "--out", "{tmp}/o"),
        "did you mean 'epochs'",
    ),
    "no data": (
        ("train", "--config", CONFIG, "--data", "{tmp}", "--out", "{tmp}/o"),
        "expected a folder 'nuscenes_pred",
    ),
    "unknown model": (("replay", SCENE, "--model", "lstm"), "expected cv, ctrv, kalman"),
    "no such scene": (("replay", "nowhere.parquet", "--model", "cv"), "nowhere.parquet"),
    "corrupt table": (("replay", "{tmp}/bad.parquet", "--model", "cv"), "bad.parquet"),
    "wrong split": (
        ("evaluate", "--dataset", "nuscenes", "--data", "{tmp}", "--split", "tset", "--model", "cv"),
        "tset",
    ),
    "wrong data set": (
        ("evaluate", "--dataset", "waymo", "--data", "{tmp}", "--model", "cv"),
        "scenes, bag, got 'waymo'",
    ),
    "nothing to convert": (("convert", "{tmp}/none", "{tmp}/out"), "none"),
    "no GPU here": (("replay", SCENE, "--model", default_model(), "--provider", "quantum"), "expected one of cpu"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input(
    case: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    words, expected = BAD[case]
    (tmp_path / "key.yaml").write_text(CONFIG.read_text().replace("epochs:", "epoch:"))
    (tmp_path / "bad.parquet").write_bytes(b"PAR1" + bytes(200))
    monkeypatch.chdir(ROOT)
    code = run(monkeypatch, *(str(w).replace("{tmp}", str(tmp_path)) for w in words))
    error = capsys.readouterr().err
    assert code == 2, error
    assert "Traceback" not in error
    assert expected in " ".join(error.split())
    assert len(error.strip().splitlines()) == 1


def test_checkpoint_of_another_version(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    torch.save({"trajnet": {"version": 99}}, tmp_path / "old.ckpt")
    assert run(monkeypatch, "export", tmp_path / "old.ckpt", "--out", tmp_path / "m.onnx") == 2
    assert f"this trajnet reads {CHECKPOINT_VERSION}, got 99" in capsys.readouterr().err


def test_contract_as_json(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["trajnet", "info", str(default_model()), "--json", "-"])
    with pytest.raises(SystemExit) as stopped:
        cli.main()
    assert not stopped.value.code
    contract = json.loads(capsys.readouterr().out)
    assert contract["version"] == CONTRACT_VERSION
    assert contract["parity_max_error_m"] <= 1e-3


@pytest.mark.parametrize(
    ("model", "words"),
    [
        (nuscenes_model(), "never trained on: unknown, motorcycle, bicycle, pedestrian"),
        (nuscenes_model(), "2 Hz (50,735); served from 1 to 4.8 Hz (from 0.75 Hz with"),
    ],
)
def test_info_says_what_a_model_was_trained_on(
    model: Path, words: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "400")
    monkeypatch.setattr(sys, "argv", ["trajnet", "info", str(model)])
    with pytest.raises(SystemExit):
        cli.main()
    assert words in capsys.readouterr().out


@pytest.mark.parametrize(
    ("requirements", "words"),
    [
        (InputRequirements(neighbours=8), "not used"),
        (InputRequirements(MapView()), "used where there is one: 60 m ahead, 12 m behind, 24 m aside, every 2 m"),
        (InputRequirements(replace(MapView(), directions=True)), "every 2 m, with directions of traffic"),
    ],
)
def test_the_view_of_a_model_in_words(requirements: InputRequirements, words: str) -> None:
    assert view_of(requirements).endswith(words)


def test_the_neighbours_of_a_model_in_words() -> None:
    assert neighbours_of(InputRequirements()) == "not used"
    assert neighbours_of(InputRequirements(neighbours=8)) == "the 8 nearest"
    assert neighbours_of(InputRequirements(neighbours=16, all_agents=True)) == "the 16 nearest, of all agents"


def test_without_an_extra_the_command_names_it() -> None:
    """A Python that finds nothing of the extras: what a bare `pip install trajnet` has."""
    code = (
        "import sys\n"
        "class Nothing:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name.partition('.')[0] in ('typer', 'rich'):\n"
        "            raise ModuleNotFoundError(f'No module named {name!r}', name=name)\n"
        "sys.meta_path.insert(0, Nothing())\n"
        "sys.argv = ['trajnet', 'demo']\n"
        "from trajnet.cli.main import main\n"
        "main()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert done.returncode == 2, done.stderr
    assert "typer is needed for this" in done.stderr
    assert "pip install 'trajnet-av[tools]'" in done.stderr
    assert "Traceback" not in done.stderr
