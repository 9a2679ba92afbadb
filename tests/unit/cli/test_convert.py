"""trajnet convert: a file, a folder, and what it refuses."""

from __future__ import annotations

from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from tests.unit.datasets.test_drone_csv import levelx
from tests.unit.scenes import womd_files
from trajnet.cli.conversion import DONE
from trajnet.cli.convert import convert
from trajnet.datasets.files import load_scene
from trajnet.errors import InputError
from trajnet.types import ObjectClass

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
    made = sorted(
        str(p.relative_to(tmp_path / "out")) for p in (tmp_path / "out").rglob("*") if p.is_file() and p.name != DONE
    )
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


def test_a_folder_goes_on_past_a_bad_file_and_says_which(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    for name in ("a.txt", "c.txt"):
        (tmp_path / "in" / name).write_text(WALK)
    (tmp_path / "in" / "b.txt").write_text("0 1 0.0 0.0\n10 1 nan 0.0\n")
    result = CliRunner().invoke(app, [str(tmp_path / "in"), str(tmp_path / "out")], env={"COLUMNS": "120"})
    assert result.exit_code == 1
    assert sorted(file.name for file in (tmp_path / "out").iterdir() if file.name != DONE) == ["a.parquet", "c.parquet"]
    assert "left out 1 of 3 files:" in result.output
    assert f"{tmp_path / 'in' / 'b.txt'}, line 2" in result.output
    row = next(line for line in result.output.splitlines() if "eth_ucy" in line)
    assert [word for word in row.split() if word.isdigit()] == ["2", "2", "6", "6", "0", "0"]


def test_a_folder_of_bad_files_alone_lists_them(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    for name in ("a.parquet", "b.parquet"):
        (tmp_path / "in" / name).write_bytes(b"no table")
    result = CliRunner().invoke(app, [str(tmp_path / "in"), str(tmp_path / "out")])
    assert result.exit_code == 1
    assert "left out 2 of 2 files:" in result.output
    assert "written to" not in result.output


def test_a_table_that_cannot_be_written_ends_a_folder_too(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.txt").write_text(WALK)
    (tmp_path / "out" / "a.parquet").mkdir(parents=True)
    with pytest.raises(InputError, match=r"a\.parquet: cannot be written"):
        run(str(tmp_path / "in"), str(tmp_path / "out"))


def test_the_same_command_goes_on_and_looks_at_what_changed(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    for name in "abcd":
        (tmp_path / "in" / f"{name}.txt").write_text(WALK)
    folders = str(tmp_path / "in"), str(tmp_path / "out")
    assert "from before" not in run(*folders)
    made = {file.name: file.stat().st_mtime_ns for file in (tmp_path / "out").glob("*.parquet")}
    (tmp_path / "in" / "b.txt").write_text(WALK + "30 1 1.5 0.0\n")
    (tmp_path / "out" / "c.parquet").unlink()
    with (tmp_path / "out" / DONE).open("a") as noted:
        noted.write('["d.parquet", "cut o')  # killed while it noted
    output = run(*folders)
    assert "2 of these tables are from before" in output
    row = next(line for line in output.splitlines() if "eth_ucy" in line)
    assert [word for word in row.split() if word.isdigit()] == ["4", "4", "13", "13", "0", "0"]
    now = {file.name: file.stat().st_mtime_ns for file in (tmp_path / "out").glob("*.parquet")}
    assert {name for name in now if now[name] != made[name]} == {"b.parquet", "c.parquet"}
    assert "4 of these tables are from before" in run(*folders)
    assert "from before" not in run(*folders, "--no-check")
    assert "from before" not in run(*folders, "--no-check", "--again")


@pytest.mark.parametrize("beside", ["07_tracksMeta.csv", "07_recordingMeta.csv"])
def test_a_changed_file_beside_a_recording_makes_it_anew(tmp_path: Path, beside: str) -> None:
    meta = levelx(tmp_path / "in").with_name(beside)
    for file in list(meta.parent.iterdir()):
        file.with_name(file.name.replace("07_", "08_")).write_bytes(file.read_bytes())
    folders = str(tmp_path / "in"), str(tmp_path / "out"), "--no-check"
    run(*folders)
    assert "2 of these tables are from before" in run(*folders)
    meta.write_text(meta.read_text().replace("pedestrian", "bicycle").replace(",25.0,", ",50.0,"))
    assert "1 of these tables are from before" in run(*folders)
    scene = load_scene(tmp_path / "out" / "data" / "07_tracks.parquet")
    changed = ObjectClass.BICYCLE in scene.object_class, scene.timestamp_ns[1] - scene.timestamp_ns[0] == 20_000_000
    assert changed == (beside == "07_tracksMeta.csv", beside != "07_tracksMeta.csv")


def test_several_processes_write_what_one_writes(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    for number in range(6):
        (tmp_path / "in" / f"{number}.txt").write_text(WALK if number != 3 else "0 1 0.0 0.0\n10 1 nan 0.0\n")
    outputs = {}
    for jobs in ("1", "2"):
        target = str(tmp_path / f"out{jobs}")
        result = CliRunner().invoke(app, [str(tmp_path / "in"), target, "--jobs", jobs], env={"COLUMNS": "120"})
        assert result.exit_code == 1
        outputs[jobs] = result.output.replace(target, "out")
    assert outputs["1"] == outputs["2"]
    tables = [sorted((tmp_path / f"out{jobs}").glob("*.parquet")) for jobs in "12"]
    assert [one.read_bytes() for one in tables[0]] == [two.read_bytes() for two in tables[1]]
    assert len(tables[0]) == 5


def test_a_shard_becomes_a_folder_of_tables(tmp_path: Path) -> None:
    pytest.importorskip("google.protobuf")
    shards = [
        womd_files.write_shard(tmp_path / "in" / f"training.tfrecord-0000{number}-of-01000", *scenarios)
        for number, scenarios in enumerate(
            [[womd_files.scenario("a"), womd_files.scenario("b")], [womd_files.scenario("c")]]
        )
    ]
    output = run(str(tmp_path / "in"), str(tmp_path / "out"))
    made = sorted(str(p.relative_to(tmp_path / "out")) for p in (tmp_path / "out").rglob("*.parquet"))
    assert made == [f"{shards[i].name}/{name}.parquet" for i, name in ((0, "a"), (0, "b"), (1, "c"))]
    row = next(line for line in output.splitlines() if "womd" in line)
    assert [word for word in row.split() if word.isdigit()] == ["3", "9", "9", "24", "3", "6"]
    assert load_scene(tmp_path / "out" / made[1]).scene_id == "b"
    run(str(shards[1]), str(tmp_path / "one.parquet"))
    with pytest.raises(InputError, match="expected a file of one scene, got one of several"):
        run(str(shards[0]), str(tmp_path / "two.parquet"))


def test_cut_makes_several_tables_of_each_scene(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    walk = "".join(f"{10 * i} 1 {0.5 * i} 0.0\n" for i in range(8))  # 2.8 s at 2.5 Hz
    for name in "ab":
        (tmp_path / "in" / f"{name}.txt").write_text(walk)
    output = run(str(tmp_path / "in"), str(tmp_path / "out"), "--cut", "1.2")
    made = sorted(file.name for file in (tmp_path / "out").iterdir() if file.name != DONE)
    assert made == [f"{name}-00{i}.parquet" for name in "ab" for i in range(3)]
    parts = [load_scene(tmp_path / "out" / f"a-00{i}.parquet") for i in range(3)]
    assert [part.position_m[:, 0].tolist() for part in parts] == [[0.0, 0.5, 1.0], [1.5, 2.0, 2.5], [3.0, 3.5]]
    assert [part.scene_id for part in parts] == ["a-000", "a-001", "a-002"]
    row = next(line for line in output.splitlines() if "eth_ucy" in line)
    assert [word for word in row.split() if word.isdigit()] == ["6", "6", "16", "16", "0", "0"]
    # The same again is left as it is, another length is not.
    assert "of these tables are from before" in run(str(tmp_path / "in"), str(tmp_path / "out"), "--cut", "1.2")
    assert "of these tables are from before" not in run(str(tmp_path / "in"), str(tmp_path / "out"), "--cut", "2")


def test_cut_refuses_one_table_and_no_length(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text(WALK)
    with pytest.raises(InputError, match="cut: expected a folder as DST"):
        run(str(tmp_path / "a.txt"), str(tmp_path / "a.parquet"), "--cut", "60")
    with pytest.raises(InputError, match="cut: expected stretches of 1 s or more, got 0 s"):
        run(str(tmp_path / "a.txt"), str(tmp_path / "out"), "--cut", "0")
    with pytest.raises(InputError, match="cut: expected stretches"):  # once, not for each file
        run(str(tmp_path), str(tmp_path / "out"), "--cut", "0")
    assert not (tmp_path / "out").exists()
