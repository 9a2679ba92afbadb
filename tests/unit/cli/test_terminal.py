"""Tables keep every digit, whatever the width."""

from __future__ import annotations

import io

import pytest
from rich import box
from rich.table import Table

from trajnet.cli.evaluate_tables import table
from trajnet.cli.replay_tables import that_fit
from trajnet.cli.terminal import Console, stacked

FIGURES = [f"{10.25 * k:.3f}" for k in range(1, 9)]


def wide() -> Table:
    """A table that needs about 150 columns."""
    made = table("error in m", [f"model-{k}-of-eight" for k in range(8)])
    made.add_row("minADE_6 [m]", *FIGURES)
    made.add_row("minFDE_6", *FIGURES[::-1])
    return made


@pytest.mark.parametrize(("terminal", "width"), [(False, 80), (True, 80), (True, 40), (True, 200)])
def test_no_digit_is_cut(terminal: bool, width: int) -> None:
    file = io.StringIO()
    Console(file=file, force_terminal=terminal, width=width, color_system=None).print(wide())
    shown = file.getvalue()
    assert "…" not in shown
    for figure in FIGURES:
        assert shown.count(figure) == 2
    if terminal:
        assert max(len(line) for line in shown.splitlines()) <= width


@pytest.mark.parametrize("width", [30, 40, 50, 60, 80])
def test_a_cell_of_several_words_is_not_cut_either(width: int) -> None:
    made = table("error in m", ["most probable", "best of 6"])
    made.add_row("all objects", "10.88 / 12.24", "[bold]10.38 / 10.79[/]")
    file = io.StringIO()
    Console(file=file, force_terminal=True, width=width, color_system=None).print(made)
    for words in ("all objects", "10.88 / 12.24", "10.38 / 10.79"):
        assert words in file.getvalue()


@pytest.mark.parametrize("length", range(20, 90, 7))
def test_a_long_path_is_wrapped_and_not_cut(length: int) -> None:
    made = Table(show_header=False)
    made.add_row("measured velocity", "/" + "x" * length + " (0.85 MB)")
    file = io.StringIO()
    Console(file=file, force_terminal=True, width=80, color_system=None).print(made)
    assert "…" not in file.getvalue()
    assert file.getvalue().count("x") == length


def test_into_a_pipe_a_row_stays_a_line() -> None:
    file = io.StringIO()
    console = Console(file=file, width=80)
    console.print(wide())
    assert any(all(figure in line for figure in FIGURES) for line in file.getvalue().splitlines())
    assert console.width == 80


@pytest.mark.parametrize("terminal", [False, True])
def test_a_title_that_is_longer_than_its_table_stays_a_line(terminal: bool) -> None:
    title = "the default model, recorded, without a map: going and staying"
    made = Table("site", "worse", box=box.SIMPLE_HEAD, title=title)
    made.add_row("mini", "0/5")
    file = io.StringIO()
    Console(file=file, force_terminal=terminal, width=80, color_system=None).print(made)
    assert file.getvalue().splitlines()[0].rstrip() == title


def test_a_narrow_terminal_has_a_line_for_each_cell() -> None:
    made = Table("stage", "p50\nms", box=box.SIMPLE_HEAD, title="latency")
    made.add_row("[bold]total[/]", "1.25")
    assert stacked(made).plain == "latency\nstage total\n  p50 ms: 1.25"


def test_other_things_print_as_ever() -> None:
    file = io.StringIO()
    Console(file=file, width=80).print("a", "b", 7)
    assert file.getvalue() == "a b 7\n"


@pytest.mark.parametrize(("terminal", "width"), [(True, 40), (True, 200), (False, 80)])
def test_no_digit_of_a_table_in_markdown_is_cut(terminal: bool, width: int) -> None:
    row = "| trajnet-urban |" + "".join(f" {figure} |" for figure in FIGURES)
    text = f"# Card\n\n| model |{'number |' * len(FIGURES)}\n|{'---|' * (1 + len(FIGURES))}\n{row}\n"
    file = io.StringIO()
    Console(file=file, force_terminal=terminal, width=width, color_system=None).print_markdown(text)
    for words in ("trajnet-urban", *FIGURES):
        assert words in file.getvalue()


def test_a_line_has_the_parts_that_fit() -> None:
    assert that_fit(("frame 1/9", "now 1.25 ms", "max 2.50"), 22) == "frame 1/9  now 1.25 ms"
    assert that_fit(("frame 1/9", "now 1.25 ms"), 21) == "frame 1/9"
    assert that_fit(("frame 1/9",), 5) == ""
