"""Scene files of every format: which is told from what, and what a folder of them holds."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.datasets.text_files import VRU_LINE, apolloscape_line, nuscenes_line, write
from trajnet.datasets.files import find_scenes, load_map, load_scene, scene_kind
from trajnet.errors import InputError


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "an empty file"),
        (" \n\n", "an empty file"),
        ("1 2 3\n", "got 3 columns"),
        ("frame ped x y\n", "expected a number first .* got 4 columns, the first of them 'frame'"),
        (b"\x00\x01\xff\xfe", "expected a number first"),
    ],
)
def test_text_of_no_known_format_says_what_was_expected(tmp_path: Path, content: str | bytes, said: str) -> None:
    path = write(tmp_path / "scene-0042.txt", content)
    with pytest.raises(InputError, match=said) as raised:
        load_scene(path)
    assert "scene-0042" in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "expected a recording, got an empty file"),
        ("time_s,track_id,foo,y\n0,a,1,2\n", "expected x, got a table with .*foo, y; state them with columns x=NAME"),
        ("time_s;track_id;pos_e;pos_n\n", "expected x, y, got a table with time_s, track_id, pos_e, pos_n; state"),
        ("time_s,track_id,x,y\n".encode("utf-16"), "expected text in UTF-8, got UTF-16; save the file as UTF-8"),
        ("1,2,3\n", "got 3 columns, the first of them '1', in its first row"),
    ],
)
def test_a_table_with_other_columns_says_which_are_missing(tmp_path: Path, content: str | bytes, said: str) -> None:
    with pytest.raises(InputError, match=said) as raised:
        load_scene(write(tmp_path / "tracks.csv", content))
    assert len(str(raised.value)) < 1200


def test_keys_of_json_lines_are_columns_too(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="expected x, got a table with time_s, track_id, y; state them"):
        load_scene(write(tmp_path / "tracks.jsonl", '{"time_s": 0, "track_id": "a", "y": 1}\n'))


def test_missing_files_and_folders_are_said(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        load_scene(tmp_path / "none.txt")
    with pytest.raises(InputError, match="got a folder"):
        load_scene(tmp_path)
    with pytest.raises(InputError, match="no such file or folder"):
        find_scenes(tmp_path / "none")
    with pytest.raises(InputError, match="found none"):
        find_scenes(tmp_path)


def test_kinds_are_told_by_content_and_named_when_wrong(tmp_path: Path) -> None:
    assert scene_kind(write(tmp_path / "a.txt", "0 1 2 3\n")) == "eth_ucy"
    assert scene_kind(write(tmp_path / "a.txt", "\n" + nuscenes_line(0, 0, "Car", 1, 2))) == "nuscenes"
    names = "table, nuscenes, eth_ucy, apolloscape, vru, .*, sind, .*commonroad, own"
    with pytest.raises(InputError, match=f"expected auto, {names}, got 'csv'"):
        load_scene(write(tmp_path / "a.txt", "0 1 2 3\n"), kind="csv")
    with pytest.raises(InputError, match="expected 18 columns, got 4"):
        load_scene(write(tmp_path / "a.txt", "0 1 2 3\n"), kind="nuscenes")
    other = tmp_path / "scene.json"
    other.write_text("{}")
    with pytest.raises(InputError, match=r"expected a scene as \.parquet, \.txt, \.csv, .*\.xml"):
        load_scene(other)


def test_find_scenes_sorts_and_passes_over_notes(tmp_path: Path) -> None:
    for name in ("b/2.txt", "b/10.txt", "a.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("0 1 2 3\n")
    (tmp_path / "NOTES.txt").write_text("where this comes from\n")
    (tmp_path / "c.txt").write_text(nuscenes_line(0, 0, "Car", 1, 2))
    names = [str(f.relative_to(tmp_path)) for f in find_scenes(tmp_path)]
    assert names == ["a.txt", "b/10.txt", "b/2.txt", "c.txt"]
    assert [f.name for f in find_scenes(tmp_path, "nuscenes")] == ["c.txt"]


def test_find_scenes_knows_both_and_leaves_hidden_folders_out(tmp_path: Path) -> None:
    write(tmp_path / "pedestrians" / "moving" / "1_1.csv", VRU_LINE + "0,0.0,1,2\n")
    write(tmp_path / "pedestrians" / ".svn" / "format.csv", VRU_LINE)
    write(tmp_path / "other.csv", "a,b\n1,2\n")
    write(tmp_path / "a.txt", apolloscape_line(0, 1))
    assert [f.name for f in find_scenes(tmp_path)] == ["a.txt", "1_1.csv"]
    assert [f.name for f in find_scenes(tmp_path, "vru")] == ["1_1.csv"]


def test_a_scene_without_a_map_is_no_map(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="expected a map, got a scene without lanes and without a raster"):
        load_map(write(tmp_path / "a.txt", "0 1 2 3\n"))
