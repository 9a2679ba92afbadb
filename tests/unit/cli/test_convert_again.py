"""trajnet convert, a second time: what is left as it is, and what must not be."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from trajnet.cli.conversion import DONE
from trajnet.cli.main import build

WALK = "0 1 0.0 0.0\n10 1 0.5 0.0\n20 1 1.0 0.0\n"
OWN = "t,id,x,y\n0.0,1,0.0,0.0\n0.1,1,0.5,0.0\n0.2,1,1.0,0.0\n"


@pytest.fixture
def folders(tmp_path: Path) -> tuple[str, str]:
    """Two files, and where their tables go."""
    (tmp_path / "in").mkdir()
    for name in "ab":
        (tmp_path / "in" / f"{name}.txt").write_text(WALK)
    return str(tmp_path / "in"), str(tmp_path / "out")


def convert(*arguments: str) -> Result:
    result = CliRunner().invoke(build(), ["convert", *arguments], env={"COLUMNS": "400"})
    assert result.exit_code in (0, 1), result.output
    return result


def before(*arguments: str) -> int:
    """Convert; return how many tables were left as they are."""
    lines = convert(*arguments).output.splitlines()
    told = [line for line in lines if "of these tables are from before" in line]
    return int(told[0].split()[0]) if told else 0


def test_a_table_that_is_not_as_it_was_left_is_made_again(folders: tuple[str, str]) -> None:
    assert [before(*folders), before(*folders)] == [0, 2]
    table = Path(folders[1]) / "a.parquet"
    whole = table.read_bytes()
    table.write_bytes(whole + b"1")
    assert before(*folders) == 1
    assert table.read_bytes() == whole
    os.utime(table, ns=(0, 1))
    assert before(*folders) == 1
    assert table.stat().st_mtime_ns != 1


def test_again_is_noted_too(folders: tuple[str, str]) -> None:
    assert [before(*folders, "--again"), before(*folders), before(*folders, "--again"), before(*folders)] == [
        0,
        2,
        0,
        2,
    ]


def test_other_options_make_other_tables(folders: tuple[str, str]) -> None:
    assert [before(*folders), before(*folders, "--from", "eth_ucy"), before(*folders)] == [0, 0, 0]
    for name in "ab":
        (Path(folders[0]) / f"{name}.txt").rename(Path(folders[0]) / f"{name}.csv").write_text(OWN)
    own = *folders, "--no-check", "--units", "time=s"
    assert [before(*own), before(*own), before(*own, "--rate", "5")] == [0, 2, 0]


def test_with_map_is_never_from_before(folders: tuple[str, str]) -> None:
    assert [before(*folders, "--with-map"), before(*folders, "--with-map")] == [0, 0]
    assert not (Path(folders[1]) / DONE).exists()


def test_what_the_check_found_is_told_again_of_tables_from_before(folders: tuple[str, str]) -> None:
    """A doubt about every table, such as unknown classes, must not make an interrupted run begin anew."""
    leaps = "".join(f"{10 * n} 1 {500.0 * (n % 2)} 0.0\n" for n in range(20))
    (Path(folders[0]) / "a.txt").write_text(leaps)
    first, second = convert(*folders), convert(*folders)
    assert (first.exit_code, second.exit_code) == (1, 1)
    assert "mistake: " in first.output
    assert set(first.output.splitlines()) == set(second.output.splitlines()) - {
        "2 of these tables are from before: their files have not changed"
    }
    with (Path(folders[1]) / DONE).open() as lines:
        noted = [json.loads(line) for line in lines if line.strip()]
    (Path(folders[1]) / DONE).write_text("".join(json.dumps([n, s, about[:3]]) + "\n" for n, s, about in noted))
    assert before(*folders) == 0  # noted by another version


def test_scenes_of_one_file_with_the_same_id_are_refused(tmp_path: Path) -> None:
    pytest.importorskip("google.protobuf")
    from tests.unit.scenes import womd_files

    same = [womd_files.scenario("a"), womd_files.scenario("a")]
    womd_files.write_shard(tmp_path / "in" / "training.tfrecord-00000-of-01000", *same)
    result = convert(str(tmp_path / "in"), str(tmp_path / "out"))
    assert result.exit_code == 1
    assert "expected scenes with ids of their own, got 'a' twice" in result.output
