"""Long work shows a bar on a terminal that goes away, and elsewhere a line for each item that is done."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from trajnet.cli.progress import progress_items, progress_passes


def written(*, terminal: bool) -> str:
    file = io.StringIO()
    with progress_items(Console(file=file, force_terminal=terminal, width=100)) as report:
        for done in range(4):
            report("windows of a, files", done, 3)
        report("calibration, knots", 0, 2)
    return file.getvalue()


def test_without_a_terminal_there_is_a_line_for_each_item_that_is_done() -> None:
    assert written(terminal=False) == "windows of a, files: 3 of 3\n"


def test_on_a_terminal_there_is_a_bar() -> None:
    shown = written(terminal=True)
    assert "3/3" in shown
    assert "0/2" in shown  # of the item that was not done
    assert "3 of 3" not in shown


def test_passes_have_a_line_each(capsys: pytest.CaptureFixture[str]) -> None:
    with progress_passes("replay under faults") as done:
        done(1, 2)
        done(2, 2)
    captured = capsys.readouterr()
    assert captured.err == "replay under faults: 1 of 2\nreplay under faults: 2 of 2\n"
    assert captured.out == ""
