"""trajnet convert: a file, a folder, and what it refuses."""

from __future__ import annotations

from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from trajnet.cli.convert import convert
from trajnet.datasets.files import load_scene
from trajnet.errors import InputError

WALK = "0 1 0.0 0.0\n10 1 0.5 0.0\n20 1 1.0 0.0\n"

app = typer.Typer()
app.command()(convert)


def run(*arguments: str) -> str:
    result = CliRunner().invoke(app, list(arguments), env={"COLUMNS": "120"})
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.output


def test_a_folder_keeps_its_tree(tmp_path: Path) -> None:
    for name in ("zara1/a.txt", "zara1/b.txt", "eth/a.txt"):
        (tmp_path / "in" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "in" / name).write_text(WALK)
    output = run(str(tmp_path / "in"), str(tmp_path / "out"))
    made = sorted(str(p.relative_to(tmp_path / "out")) for p in (tmp_path / "out").rglob("*") if p.is_file())
    assert made == ["eth/a.parquet", "zara1/a.parquet", "zara1/b.parquet"]
    assert load_scene(tmp_path / "out" / "eth" / "a.parquet").position_m.tolist() == [[0, 0], [0.5, 0], [1, 0]]
    row = next(line for line in output.splitlines() if "eth_ucy" in line)
    assert [word for word in row.split() if word.isdigit()] == ["3", "3", "9", "9", "0", "0"]


def test_a_file_to_a_named_table_or_into_a_folder(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text(WALK)
    run(str(tmp_path / "a.txt"), str(tmp_path / "named.parquet"), "--from", "eth_ucy")
    run(str(tmp_path / "named.parquet"), str(tmp_path / "folder"))
    assert load_scene(tmp_path / "folder" / "named.parquet").scene_id == "a"


def test_what_does_not_fit_is_refused(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.txt").write_text(WALK)
    with pytest.raises(InputError, match="expected a folder as DST"):
        run(str(tmp_path / "in"), str(tmp_path / "out.parquet"))
    with pytest.raises(InputError, match=r"expected a folder or a \.parquet file as DST"):
        run(str(tmp_path / "in"), str(tmp_path / "in" / "a.txt"))
    with pytest.raises(InputError, match="got 'csv'"):
        run(str(tmp_path / "in"), str(tmp_path / "out"), "--from", "csv")
    with pytest.raises(InputError, match="no such file or folder"):
        run(str(tmp_path / "none"), str(tmp_path / "out"))
    run(str(tmp_path / "in"), str(tmp_path / "in"))
    with pytest.raises(InputError, match="two files would become this table"):
        run(str(tmp_path / "in"), str(tmp_path / "out"))
