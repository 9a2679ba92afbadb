"""From a table of one's own to paths: convert, check, predict, and a map that is given."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from trajnet.cli import main as cli
from trajnet.datasets.files import load_map, load_scene, scene_kind
from trajnet.errors import InputError
from trajnet.scenes import write_scene
from trajnet.types import Scene

HEADER = "time_s,track_id,class,x,y,heading,vx,vy\n"


def rows(turn_rad: float = 0.3, *, degrees: bool = False) -> str:
    """Two cars of 8 m/s in a slow curve, 6 s at 10 Hz, as the lines of a CSV."""
    lines = []
    for index in range(2):
        x, y = 0.0, 10.0 * index
        for step in range(60):
            yaw = turn_rad + 0.02 * step
            x, y = x + 0.8 * np.cos(yaw), y + 0.8 * np.sin(yaw)
            heading = np.degrees(yaw) if degrees else yaw
            lines.append(
                f"{step / 10:.1f},{index},car,{x:.4f},{y:.4f},{heading:.5f},{8 * np.cos(yaw):.4f},{8 * np.sin(yaw):.4f}"
            )
    return "\n".join(lines) + "\n"


@pytest.fixture
def tracks(tmp_path: Path) -> Path:
    path = tmp_path / "tracks.csv"
    path.write_text(HEADER + rows())
    return path


class Done:
    """What a command has printed and its exit code."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    def runner(*words: object) -> Done:
        monkeypatch.setattr(sys, "argv", ["trajnet", *map(str, words)])
        with pytest.raises(SystemExit) as stopped:
            cli.main()
        found = capsys.readouterr()
        return Done(int(stopped.value.code or 0), found.out, found.err)

    return runner


def test_a_csv_becomes_a_scene_without_options(run: Any, tracks: Path, tmp_path: Path) -> None:
    done = run("convert", tracks, tmp_path / "out")
    assert done.code == 0, done.err
    scene = load_scene(tmp_path / "out" / "tracks.parquet")
    assert (scene.frame_count, len(scene.track_id), scene.source) == (60, 2, "tracks.csv")
    assert "times read as s" in done.err
    assert scene_kind(tracks) == "own"
    assert len(load_scene(tracks).row_frame) == 120


@pytest.mark.parametrize("kind", ["parquet", "jsonl", "semicolons"])
def test_other_kinds_of_tables_give_the_same_scene(run: Any, tracks: Path, tmp_path: Path, kind: str) -> None:
    lines = [line.split(",") for line in tracks.read_text().splitlines()]
    other = tmp_path / {"parquet": "o.parquet", "jsonl": "o.jsonl", "semicolons": "o.csv"}[kind]
    if kind == "semicolons":
        other.write_text(tracks.read_text().replace(",", ";"))
    else:
        numbers = [[*r[:1], *r[1:3], *r[3:]] for r in lines[1:]]
        typed = [dict(zip(lines[0], (float(r[0]), r[1], r[2], *map(float, r[3:])), strict=True)) for r in numbers]
        if kind == "jsonl":
            other.write_text("\n".join(json.dumps(row) for row in typed) + "\n")
        else:
            pq.write_table(pa.Table.from_pylist(typed), other)
    assert run("convert", other, tmp_path / "out").code == 0
    found, expected = load_scene(tmp_path / "out" / "o.parquet"), load_scene(tracks)
    np.testing.assert_array_equal(found.position_m, expected.position_m)
    assert found.track_id == expected.track_id


def test_columns_classes_and_units_are_options(run: Any, tracks: Path, tmp_path: Path) -> None:
    text = HEADER.replace("time_s", "t").replace("x,y", "pos_e,pos_n").replace("class", "kind") + rows()
    tracks.write_text(text.replace(",car,", ",Van,"))
    (tmp_path / "classes.yaml").write_text("Van: car\n")
    options = ("--columns", "x=pos_e,y=pos_n,class=kind", "--classes", tmp_path / "classes.yaml", "--units", "time=s")
    done = run("convert", tracks, tmp_path / "out", *options)
    assert done.code == 0, done.err
    assert load_scene(tmp_path / "out" / "tracks.parquet").object_class.tolist() == [1, 1]
    assert "state it with units; their steps of 0.1 look like time=s" in run(
        "convert", tracks, tmp_path / "out", "--columns", "x=pos_e,y=pos_n,class=kind", "--classes",
        tmp_path / "classes.yaml",
    ).err  # fmt: skip


def test_a_mistake_in_the_table_ends_convert_with_exit_code_1(run: Any, tracks: Path, tmp_path: Path) -> None:
    tracks.write_text(HEADER + rows(degrees=True))
    done = run("convert", tracks, tmp_path / "out")
    assert done.code == 1
    assert "mistake: " in done.err
    assert "degrees taken as radians (units angle=deg)" in done.err
    assert (tmp_path / "out" / "tracks.parquet").is_file()
    assert run("convert", tracks, tmp_path / "out", "--no-check").code == 0
    assert run("convert", tracks, tmp_path / "out", "--units", "angle=deg").code == 0


def test_check_prints_json_alone_where_it_is_asked_to(run: Any, tracks: Path) -> None:
    done = run("check", tracks, "--json", "-")
    assert done.code == 0
    found = json.loads(done.out)["scenes"][0]
    assert (found["file"], found["mistakes"], found["facts"]["tracks"]) == (str(tracks), 0, 2)
    assert "1 scenes checked: 0 mistakes, 0 doubts" in done.err


def test_predict_writes_a_row_for_each_object_mode_and_time(run: Any, tracks: Path, tmp_path: Path) -> None:
    done = run("predict", tracks, "--model", "cv", "--out", tmp_path / "p.parquet", "--picture", tmp_path / "p.svg")
    assert done.code == 0, done.err
    table = pq.read_table(tmp_path / "p.parquet")
    assert table.column_names == [
        "scene", "timestamp_ns", "track_id", "mode", "probability", "time_s", "x", "y", "yaw", "covariance_xx",
        "covariance_xy", "covariance_yy", "source", "age_s", "expert", "file",
    ]  # fmt: skip
    assert table.num_rows % 120 == 0  # all objects in all frames
    first = table.slice(0, 1).to_pylist()[0]
    assert (first["track_id"], first["mode"]) == ("0", 0)
    assert (tmp_path / "p.svg").read_text().startswith("<svg")


def test_scenes_of_one_name_are_told_apart_by_their_file(run: Any, tracks: Path, tmp_path: Path) -> None:
    files = [tmp_path / folder / "tracks.csv" for folder in ("a", "b")]
    for file in files:
        file.parent.mkdir()
        file.write_text(tracks.read_text())
    assert run("predict", *files, "--model", "cv", "--at", "2", "--out", tmp_path / "p.parquet").code == 0
    rows_of = pq.read_table(tmp_path / "p.parquet").to_pandas().groupby(["scene", "file"]).size()
    assert rows_of.index.tolist() == [("tracks", str(file)) for file in files]
    assert rows_of.nunique() == 1


def test_predict_at_one_time_and_as_csv(run: Any, tracks: Path, tmp_path: Path) -> None:
    assert run("predict", tracks, "--model", "cv", "--at", "2.04", "--out", tmp_path / "p.csv").code == 0
    lines = (tmp_path / "p.csv").read_text().splitlines()
    assert {line.split(",")[1] for line in lines[1:]} == {"2000000000"}
    bad = run("predict", tracks, "--model", "cv", "--at", "9", "--out", tmp_path / "p.csv")
    assert (bad.code, "to 5.9 after the first frame, got 9" in bad.err) == (2, True)
    assert "expected a file for the paths, or --picture" in run("predict", tracks).err
    assert "ends in .parquet or .csv" in run("predict", tracks, "--model", "cv", "--out", tmp_path / "p.xls").err


def av2_map(at: tuple[float, float]) -> dict[str, Any]:
    def line(side: float) -> list[dict[str, float]]:
        return [{"x": at[0] + s, "y": at[1] + side, "z": 0.0} for s in (0.0, 50.0)]

    lane = {"id": 7, "left_lane_boundary": line(2.0), "right_lane_boundary": line(-2.0), "lane_type": "VEHICLE"}
    crossing = {"id": 8, "edge1": line(3.0), "edge2": line(5.0)[::-1]}
    return {"lane_segments": {"7": lane}, "pedestrian_crossings": {"8": crossing}, "drivable_areas": {}}


def test_argoverse_maps_are_read_and_found_beside_their_scenario(tmp_path: Path, tracks: Path) -> None:
    path = tmp_path / "log_map_archive_abc.json"
    path.write_text(json.dumps(av2_map((0.0, 0.0))))
    lanes, raster = load_map(path)
    assert raster is None
    assert [lane.lane_id for lane in lanes] == ["7", "crossing 8"]
    assert lanes[0].centre_m.tolist() == [[0, 0], [50, 0]]
    assert lanes[1].centre_m.tolist() == [[0, 4], [50, 4]]
    assert [lane.drivable for lane in lanes] == [True, False]
    write_scene(load_scene(tracks), tmp_path / "scenario_abc.parquet")
    assert len(load_scene(tmp_path / "scenario_abc.parquet").lanes) == 2
    path.write_text("[]")
    with pytest.raises(InputError, match="expected an Argoverse 2 map"):
        load_map(path)


def test_a_map_goes_to_every_command_that_plays_a_scene(run: Any, tracks: Path, tmp_path: Path) -> None:
    path = tmp_path / "log_map_archive_abc.json"
    path.write_text(json.dumps(av2_map((-20.0, 0.0))))
    assert run("convert", tracks, tmp_path / "out", "--map", path, "--no-check").code == 0
    assert len(load_scene(tmp_path / "out" / "tracks.parquet").lanes) == 2
    for words in (
        ("predict", tracks, "--at", "1", "--out", tmp_path / "p.csv"),
        ("replay", tracks, "--rate", "max"),
        ("evaluate", "--dataset", "scenes", "--data", tracks, "--jobs", "1", "--horizon", "3"),
    ):
        model = ("--model", "urban")
        assert run(*words, *model, "--map", path).code == 0, words
        missing = run(*words, *model, "--map", tmp_path / "none.osm")
        assert (missing.code, "none.osm" in missing.err) == (2, True), words


def test_the_check_reads_the_map_that_is_given(run: Any, tracks: Path, tmp_path: Path) -> None:
    path = tmp_path / "log_map_archive_abc.json"
    path.write_text(json.dumps(av2_map((9000.0, 0.0))))
    done = run("check", tracks, "--map", path)
    assert done.code == 1
    assert "Map and objects are in different frames" in done.out


def test_what_cannot_be_read_is_one_sentence(run: Any, tmp_path: Path) -> None:
    (tmp_path / "latin.csv").write_bytes(HEADER.encode() + "0.0,Straße,car,1,2,0,0,0\n".encode("latin-1"))
    (tmp_path / "list.yaml").write_text("- car\n")
    (tmp_path / "bytes.yaml").write_bytes(b"\xff\xfe\x00")
    ok = tmp_path / "ok.csv"
    ok.write_text(HEADER + rows())
    for words in (
        ("convert", tmp_path / "latin.csv", tmp_path / "out"),
        ("convert", ok, tmp_path / "out", "--classes", tmp_path / "list.yaml"),
        ("convert", ok, tmp_path / "out", "--classes", tmp_path / "bytes.yaml"),
        ("convert", ok, tmp_path / "out", "--classes", tmp_path),
        ("convert", ok, tmp_path / "out", "--columns", "x"),
        ("check", tmp_path / "nowhere"),
        ("predict", tmp_path / "nowhere.csv", "--out", tmp_path / "p.csv"),
    ):
        done = run(*words)
        assert done.code == 2, words
        assert done.err.strip().splitlines()[-1].startswith("trajnet: "), words


def test_a_scene_without_rows_to_predict_is_refused(run: Any, tmp_path: Path) -> None:
    scene = Scene.from_dataframe({"time_s": [0.0], "id": ["a"], "x": [0.0], "y": [0.0]})
    write_scene(scene, tmp_path / "one.parquet")
    assert run("predict", tmp_path / "one.parquet", "--model", "cv", "--out", tmp_path / "p.csv").code == 0


def test_predict_says_what_is_wrong_and_goes_on(run: Any, tracks: Path, tmp_path: Path) -> None:
    tracks.write_text(HEADER + rows(degrees=True))
    done = run("predict", tracks, "--model", "cv", "--at", "1", "--out", tmp_path / "p.csv")
    assert done.code == 0
    assert "tracks: mistake: only" in done.err


@pytest.mark.parametrize(
    "words",
    [
        ("replay", "{tracks}", "--rate", "max"),
        ("evaluate", "--dataset", "scenes", "--data", "{tracks}", "--jobs", "1", "--horizon", "2"),
    ],
)
def test_json_on_stdout_stands_alone(run: Any, tracks: Path, words: tuple[str, ...]) -> None:
    done = run(*(word.format(tracks=tracks) for word in words), "--model", "cv", "--json", "-")
    assert done.code == 0, done.err
    assert json.loads(done.out)
    assert "minADE" in done.err


def test_a_folder_of_own_tables_keeps_its_tree(run: Any, tracks: Path, tmp_path: Path) -> None:
    for name in ("a/one.csv", "b/two.csv"):
        (tmp_path / "in" / name).parent.mkdir(parents=True)
        (tmp_path / "in" / name).write_text(tracks.read_text().replace("x,y,", "pos_e,pos_n,"))
    done = run("convert", tmp_path / "in", tmp_path / "out", "--columns", "x=pos_e,y=pos_n")
    assert done.code == 0, done.err
    made = sorted(str(p.relative_to(tmp_path / "out")) for p in (tmp_path / "out").rglob("*.parquet"))
    assert made == ["a/one.parquet", "b/two.parquet"]
    assert "expected own or auto with options of an own table" in run(
        "convert", tmp_path / "in", tmp_path / "out", "--columns", "x=pos_e", "--from", "vru"
    ).err  # fmt: skip


def test_a_table_of_several_recordings_becomes_a_scene_for_each(run: Any, tmp_path: Path) -> None:
    path, out = tmp_path / "all.csv", tmp_path / "out"
    lines = [f"{line},{name}\n" for name in ("7", "8/a") for line in rows().splitlines()]
    path.write_text(HEADER.strip() + ",recordingId\n" + "".join(lines))
    refused = run("convert", path, out)
    assert refused.code == 2
    assert "convert --split-by recordingId" in refused.err
    done = run("convert", path, out, "--split-by", "recordingId")
    assert done.code == 0, done.err
    assert sorted(table.name for table in out.iterdir()) == ["all-7.parquet", "all-8_a.parquet"]
    scene = load_scene(out / "all-8_a.parquet")
    assert (scene.scene_id, scene.source, scene.frame_count, scene.track_id) == ("all-8_a", "all.csv", 60, ("0", "1"))
    one = run("convert", path, tmp_path / "one.parquet", "--split-by", "recordingId")
    assert (one.code, "expected one table as SRC and a folder as DST" in " ".join(one.err.split())) == (2, True)
    none = run("convert", path, out, "--split-by", "case_id")
    assert (none.code, "split-by: expected one of time_s" in " ".join(none.err.split())) == (2, True)
    path.write_text(path.read_text().replace(",7\n", ",8_a\n"))
    same = run("convert", path, out, "--split-by", "recordingId")
    assert (same.code, "that differ as names of files" in " ".join(same.err.split())) == (2, True)


def test_rows_of_a_csv_without_an_id_are_no_object(run: Any, tmp_path: Path) -> None:
    path = tmp_path / "nameless.csv"
    path.write_text((HEADER + rows()).replace("0.2,0,", "0.2,,").replace(",1,car", ",b,car"))
    done = run("convert", path, tmp_path / "out")
    assert done.code == 2
    assert "column track_id: expected an id in every row, got none in row 2" in done.err
