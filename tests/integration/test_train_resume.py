"""A training run killed at any moment goes on from its last checkpoint with the result of an unbroken one."""

import csv
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from tests.tiny_training import ROOT, tiny_config, train_arguments
from trajnet.training.checkpoint import read_checkpoint
from trajnet.training.run_files import LOCK
from trajnet.whole_file import only_process

EPOCHS = 12


def command(config: Path, out: Path) -> list[str]:
    return [sys.executable, *train_arguments(config, out)]


#: With everything that has a state of its own or draws at random.
EVERYTHING = {
    "model": {
        "hidden": 8, "embedding": 8, "context": 12, "modes": 3, "sets": [1, 3], "decoder_stride": 2, "dropout": 0.2,
        "uses_velocity": True, "neighbours": 2, "attention": 6, "map_channels": [2, 3], "map_width": 10,
        "map": {"ahead_m": 16.0, "behind_m": 6.0, "side_m": 11.0, "step_m": 2.0, "patch": 3},
    },
    "augment": {
        "strides": [1, 2], "position_noise_m": 0.05, "hide_velocity": 0.5, "hide_map": 0.3, "hide_neighbours": 0.3,
    },
    "optimizer": {"epochs": EPOCHS, "batch": 16, "average": 0.95},
}  # fmt: skip


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_config(tmp_path_factory.mktemp("config"), epochs=EPOCHS, batch=16)


@pytest.mark.parametrize("changes", [{}, EVERYTHING], ids=["plain", "everything"])
def test_killed_and_resumed_equals_unbroken(config: Path, changes: dict[str, Any], tmp_path: Path) -> None:
    unbroken, broken = tmp_path / "unbroken", tmp_path / "broken"
    if changes:
        values = yaml.safe_load(config.read_text())
        config = tmp_path / "everything.yaml"
        config.write_text(yaml.safe_dump({**values, **changes}))
    subprocess.run(command(config, unbroken), check=True, cwd=ROOT, capture_output=True)
    assert stopped(config, broken, signal.SIGKILL, 1)[0] == -signal.SIGKILL
    code, said = stopped(config, broken, signal.SIGINT, 5)
    assert code == 130
    assert said.endswith(
        f"of {EPOCHS} epochs are in {broken / 'last.ckpt'}; run the same command again to go on from there\n"
    )
    assert "trajnet: interrupted; " in said
    assert "Traceback" not in said
    subprocess.run(command(config, broken), check=True, cwd=ROOT, capture_output=True)
    assert metrics(broken) == metrics(unbroken)
    assert [row["epoch"] for row in metrics(broken)] == [str(epoch) for epoch in range(1, EPOCHS + 1)]
    best, best_got = (read_checkpoint(folder / "best.ckpt") for folder in (unbroken, broken))
    assert best["trajnet"]["best"] == best_got["trajnet"]["best"]
    assert all(torch.equal(weight, best_got["state_dict"][name]) for name, weight in best["state_dict"].items())
    expected, got = (read_checkpoint(folder / "last.ckpt") for folder in (unbroken, broken))
    assert expected["trajnet"]["epochs_done"] == got["trajnet"]["epochs_done"] == EPOCHS
    assert expected["state_dict"].keys() == got["state_dict"].keys()
    assert expected["trajnet"]["domain"] == got["trajnet"]["domain"]
    assert sum(c["windows"] for c in got["trajnet"]["domain"]["classes"].values()) == got["trajnet"]["windows"]
    for name, weight in expected["state_dict"].items():
        assert torch.equal(weight, got["state_dict"][name]), name
    assert not torch.equal(got["state_dict"]["model.spread"], torch.ones_like(got["state_dict"]["model.spread"]))
    if changes:  # the average is what is kept for use; the weights that go on learning are there, too
        newest = got["current_model_state"]["model.heads.weight"]
        assert not torch.equal(newest, got["state_dict"]["model.heads.weight"])
        assert torch.equal(newest, expected["current_model_state"]["model.heads.weight"])
    # A run that is done stays as it is, however often it is called.
    subprocess.run(command(config, broken), check=True, cwd=ROOT, capture_output=True)
    again = read_checkpoint(broken / "last.ckpt")["state_dict"]
    assert all(torch.equal(weight, again[name]) for name, weight in expected["state_dict"].items())


def stopped(config: Path, out: Path, by: signal.Signals, wanted: int) -> tuple[int, str]:
    """Send the signal after this many epochs, whatever the run is doing then; return its exit code and its stderr."""
    process = subprocess.Popen(
        command(config, out), cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
        preexec_fn=answer_interrupts,
    )  # fmt: skip
    while process.poll() is None and epochs_done(out) < wanted:
        time.sleep(0.01)
    process.send_signal(by)
    said = process.communicate()[1]
    assert 1 <= epochs_done(out) < EPOCHS, "the run ended before it could be stopped: raise EPOCHS"
    return process.returncode, said


def answer_interrupts() -> None:
    """Undo what a shell does to the commands that it runs in the background: they ignore Ctrl-C."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def metrics(out: Path) -> list[dict[str, str]]:
    """Return the lines of metrics.csv without the time that epochs took."""
    with (out / "metrics.csv").open(newline="") as file:
        return [{name: value for name, value in row.items() if name != "seconds"} for row in csv.DictReader(file)]


def epochs_done(out: Path) -> int:
    path = out / "last.ckpt"
    return int(read_checkpoint(path)["trajnet"]["epochs_done"]) if path.is_file() else 0


def test_another_configuration_does_not_resume_the_run(config: Path, tmp_path: Path) -> None:
    values = yaml.safe_load(config.read_text())
    values["optimizer"]["epochs"] = 1
    first, other = tmp_path / "first.yaml", tmp_path / "other.yaml"
    first.write_text(yaml.safe_dump(values))
    other.write_text(yaml.safe_dump({**values, "seed": 5}))
    subprocess.run(command(first, tmp_path / "out"), check=True, cwd=ROOT, capture_output=True)
    refused = subprocess.run(command(other, tmp_path / "out"), cwd=ROOT, capture_output=True, text=True, check=False)
    assert refused.returncode == 2
    assert "is of another run (seed differ)" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_a_second_training_in_the_same_folder_is_refused(config: Path, tmp_path: Path) -> None:
    with only_process(tmp_path / "out" / LOCK, "is training here"):
        refused = subprocess.run(
            command(config, tmp_path / "out"), cwd=ROOT, capture_output=True, text=True, check=False
        )
    assert refused.returncode == 2
    assert refused.stderr.startswith(f"trajnet: {tmp_path / 'out'}: another process (")
    assert "is training here; wait for it or name another folder" in refused.stderr
    assert [file.name for file in (tmp_path / "out").iterdir()] == [LOCK]


def test_a_run_starts_from_the_weights_that_it_is_given(config: Path, tmp_path: Path) -> None:
    """With a rate at which nothing is learned and another seed: without --init its weights would be others."""
    values = yaml.safe_load(config.read_text())
    first, other = tmp_path / "first.yaml", tmp_path / "other.yaml"
    first.write_text(yaml.safe_dump({**values, "optimizer": {"epochs": 1, "batch": 64}}))
    still = {"epochs": 1, "batch": 64, "learning_rate": 1e-12, "weight_decay": 0.0}
    other.write_text(yaml.safe_dump({**values, "seed": 5, "optimizer": still}))
    subprocess.run(command(first, tmp_path / "first"), check=True, cwd=ROOT, capture_output=True)
    begin = tmp_path / "first" / "last.ckpt"
    words = [*command(other, tmp_path / "other"), "--init", str(begin)]
    subprocess.run(words, check=True, cwd=ROOT, capture_output=True)
    wanted, got = (read_checkpoint(tmp_path / name / "last.ckpt")["state_dict"] for name in ("first", "other"))
    for name in wanted.keys() - {"model.spread", "model.sharpness"}:
        torch.testing.assert_close(got[name], wanted[name], rtol=0.0, atol=1e-6)
