"""The table of epochs is continued without double lines, and a line of the log says what is left."""

from __future__ import annotations

from pathlib import Path

import pytest

from trajnet.errors import InputError
from trajnet.training.epoch_records import duration, epoch_line, read_metrics, write_metrics
from trajnet.training.run_state import Best

ROW = {
    "epoch": 3, "cycle": 1, "train_loss": 1.5, "validation_loss": 1.25, "validation_minADE_1": 0.8,
    "validation_nll": 2.0, "seconds": 12.2,
}  # fmt: skip


def test_lines_beyond_the_last_checkpoint_are_dropped(tmp_path: Path) -> None:
    path = tmp_path / "metrics.csv"
    write_metrics(path, [{"epoch": epoch, "loss": epoch / 2} for epoch in (1, 2, 3)])
    assert path.read_text() == "epoch,loss\n1,0.5\n2,1.0\n3,1.5\n"
    rows = read_metrics(path, 2)
    write_metrics(path, [*rows, {"epoch": 3, "loss": 7.0}])
    assert path.read_text() == "epoch,loss\n1,0.5\n2,1.0\n3,7.0\n"


def test_a_new_run_begins_a_new_table(tmp_path: Path) -> None:
    (tmp_path / "metrics.csv").write_text("epoch,loss\n1,0.5\n")
    assert read_metrics(tmp_path / "metrics.csv", 0) == []
    assert read_metrics(tmp_path / "none.csv", 3) == []


@pytest.mark.parametrize("text", ["a,b\n1,2\n", "epoch\nx\n", "epoch,loss\n,1\n"])
def test_another_file_of_that_name_is_refused(text: str, tmp_path: Path) -> None:
    path = tmp_path / "metrics.csv"
    path.write_text(text)
    with pytest.raises(InputError, match="move it away"):
        read_metrics(path, 3)


def test_a_line_of_the_log_has_losses_errors_and_what_is_left() -> None:
    line = "epoch 3 of 12: loss 1.5000, validation 1.2500{}, minADE_1 0.800 m, 12 s, 1 min 50 s left"
    assert epoch_line(ROW, 12, 109.8, best=Best(3, 1.25)) == line.format(" (best)")
    assert epoch_line(ROW, 12, 109.8, best=Best(1, 1.0)) == line.format("")


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.44, "0.4 s"), (12.4, "12 s"), (59.6, "1 min 00 s"), (185, "3 min 05 s"), (7440, "2 h 04 min")],
)
def test_durations_in_words(seconds: float, words: str) -> None:
    assert duration(seconds) == words
