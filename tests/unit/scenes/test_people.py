"""ApolloScape and VRU files: what is read, how they are split, and one clear sentence for each kind of bad input."""

from __future__ import annotations

from pathlib import Path

import pytest

from trajnet.errors import InputError
from trajnet.scenes import find_scenes, load_scene, scene_kind
from trajnet.scenes import splits as splits_module
from trajnet.scenes.splits import OWN_SPLITS, apolloscape_split, vru_split
from trajnet.types import DEFAULT_SIZE_M, ObjectClass

VRU = ",timestamp,x,y\n"


def apollo(frame: int, track: int, kind: int = 1, x: float = 0.0, y: float = 0.0, length: float = 4.5) -> str:
    return f"{frame} {track} {kind} {x} {y} 39.4 {length} 1.8 1.5 -3.116"


def write(path: Path, content: str | bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def test_apolloscape_columns_and_classes(tmp_path: Path) -> None:
    lines = [apollo(200, 10001, 4, 429.917, 146.423, 0.841), apollo(201, 10001, 4, 431.0, 147.0, 9.9)]
    lines += [apollo(200, track, kind) for track, kind in ((1, 1), (2, 2), (3, 3), (5, 5))]
    scene = load_scene(write(tmp_path / "result_9048_3_frame.txt", "\n".join(lines)))
    assert (scene.scene_id, scene_kind(tmp_path / "result_9048_3_frame.txt")) == ("result_9048_3_frame", "apolloscape")
    assert scene.timestamp_ns.tolist() == [100_000_000_000, 100_500_000_000]
    kinds = dict(zip(scene.track_id, scene.object_class.tolist(), strict=True))
    assert kinds == {
        "10001": ObjectClass.BICYCLE,
        "1": ObjectClass.CAR,
        "2": ObjectClass.TRUCK,
        "3": ObjectClass.PEDESTRIAN,
        "5": ObjectClass.UNKNOWN,
    }
    assert scene.size_m[scene.track_id.index("10001")].tolist() == [0.841, 1.8]  # of the first row: no look ahead
    assert scene.frame(1).position_m.tolist() == [[431.0, 147.0]]
    assert not scene.yaw_valid.any()
    assert not scene.velocity_valid.any()
    assert "research" in scene.licence


def test_vru_columns_and_what_the_folders_say(tmp_path: Path) -> None:
    rows = "0,0.02,-2.3,1.0\n1,0.04,-2.2,1.1\n2,0.04,9.0,9.0\n4,0.08,-2.0,1.2\n"
    scene = load_scene(write(tmp_path / "pedestrians" / "starting" / "1179_4.csv", VRU + rows))
    assert (scene.scene_id, scene.track_id) == ("pedestrians/starting/1179_4", ("1179_4",))
    assert scene.timestamp_ns.tolist() == [20_000_000, 40_000_000, 80_000_000]  # no second row at one time
    assert scene.frame_number.tolist() == [0, 1, 4]
    assert scene.position_m.tolist() == [[-2.3, 1.0], [-2.2, 1.1], [-2.0, 1.2]]
    assert scene.object_class.tolist() == [ObjectClass.PEDESTRIAN]
    assert scene.size_m.tolist() == [DEFAULT_SIZE_M[ObjectClass.PEDESTRIAN].tolist()]
    assert not scene.yaw_valid.any()
    rider = load_scene(write(tmp_path / "cyclists" / "waiting" / "7.csv", VRU + "0,0.0,1,2\n"))
    assert rider.object_class.tolist() == [ObjectClass.BICYCLE]


def test_find_scenes_knows_both_and_leaves_hidden_folders_out(tmp_path: Path) -> None:
    write(tmp_path / "pedestrians" / "moving" / "1_1.csv", VRU + "0,0.0,1,2\n")
    write(tmp_path / "pedestrians" / ".svn" / "format.csv", VRU)
    write(tmp_path / "other.csv", "a,b\n1,2\n")
    write(tmp_path / "a.txt", apollo(0, 1))
    assert [f.name for f in find_scenes(tmp_path)] == ["a.txt", "1_1.csv"]
    assert [f.name for f in find_scenes(tmp_path, "vru")] == ["1_1.csv"]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (apollo(0, 1) + "\n0 2 1 5 5", "line 2: expected 10 columns, got 5"),
        (apollo(0, 1, kind=6), r"line 1: expected a class of 1 to 5 \(column 2\), got 6"),
        (
            apollo(0, 1).replace("39.4", "x").replace("0.0 0.0", "x 0.0", 1),
            r"expected a number as x \(column 3\), got 'x'",
        ),
        (apollo(0, 1, y=float("nan")), r"line 1: expected a finite y \(column 4\)"),
        (apollo(0, 1, length=0.0), "line 1: expected a length and width above 0 m, got 0.0 x 1.8"),
        (apollo(0, 1) + "\n" + apollo(0, 1), "'1' twice in frame 0"),
        (b"\x00\x01\xff\xfe", "expected a number first"),
        (apollo(0, 1).encode() + b"\n0 2 \xff", "expected UTF-8 text, got byte 0xff"),
    ],
)
def test_bad_apolloscape_files_are_one_clear_sentence(tmp_path: Path, content: str | bytes, said: str) -> None:
    path = write(tmp_path / "result.txt", content)
    with pytest.raises(InputError, match=said) as raised:
        load_scene(path)
    assert str(path) in str(raised.value) or "result" in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "an empty file"),
        ("time;x;y\n", "or the line ',timestamp,x,y', got 1 columns"),
        (VRU, "expected rows of 4 columns below the first line, got none"),
        (VRU + "0,0.0,1\n", "line 2: expected 4 columns, got 3"),
        (VRU + "0,0.0,1,2\n1,zero,1,2\n", r"line 3: expected a number as timestamp \(column 1\), got 'zero'"),
        (VRU + "0,0.0,inf,2\n", r"line 2: expected a finite x \(column 2\)"),
        (VRU + "0,0.1,1,2\n1,0.0,1,2\n", "line 3: expected rows in the order of time, got 0.0 s"),
        (VRU + "1,0.1,1,2\n1,0.2,1,2\n", "line 3: expected rows in the order of time"),
        (VRU.encode() + b"0,0.1,1,\xff\n", "expected UTF-8 text, got byte 0xff"),
    ],
)
def test_bad_vru_files_are_one_clear_sentence(tmp_path: Path, content: str | bytes, said: str) -> None:
    path = write(tmp_path / "cyclists" / "moving" / "7.csv", content)
    with pytest.raises(InputError, match=said) as raised:
        load_scene(path)
    assert str(path) in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_vru_file_elsewhere_does_not_say_what_it_shows(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"expected a file in a folder pedestrians\|cyclists/moving\|starting"):
        load_scene(write(tmp_path / "7.csv", VRU + "0,0.0,1,2\n"))
    with pytest.raises(InputError, match=r"line 1: expected the columns ',timestamp,x,y', got '0 1 2 3'"):
        load_scene(write(tmp_path / "cyclists" / "moving" / "7.csv", "0 1 2 3\n"), "vru")


def test_apolloscape_is_split_by_recording(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "apolloscape" / "prediction_train"
    names = [f"result_{recording}_{piece}_frame.txt" for recording in range(20) for piece in (1, 2, 11)]
    for name in names:
        write(folder / name, apollo(0, 1))
    with pytest.raises(InputError, match="expected the 53 files of the data set, got 60"):
        apolloscape_split(tmp_path, "train")
    monkeypatch.setattr(splits_module, "APOLLOSCAPE_FILES", 60)
    parts = {split: [f.name for f in apolloscape_split(tmp_path, split)] for split in OWN_SPLITS}
    assert sorted(name for part in parts.values() for name in part) == sorted(names)
    recordings = [{name.split("_")[1] for name in part} for part in parts.values()]
    assert [len(r) for r in recordings] == [14, 2, 4]
    assert sum(map(len, recordings)) == len(set.union(*recordings))
    assert parts["test"] == [f.name for f in apolloscape_split(tmp_path / "apolloscape", "test")]  # always the same
    with pytest.raises(InputError, match="expected one of train, val, test, got 'dev'"):
        apolloscape_split(tmp_path, "dev")


def test_vru_is_split_by_person_and_motion(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "vru_aschaffenburg"
    (folder / "pedestrians").mkdir(parents=True)
    for person in range(40):
        for motion in ("moving", "starting") if person % 2 else ("waiting",):
            write(folder / "cyclists" / motion / f"{person}_{motion[0]}.csv", VRU + "0,0.0,1,2\n")
    monkeypatch.setattr(splits_module, "VRU_FILES", {"cyclists": 60, "pedestrians": 1})
    parts = {split: vru_split(tmp_path, split, "cyclists") for split in OWN_SPLITS}
    assert sum(map(len, parts.values())) == 60
    persons = {split: {f.stem.split("_")[0] for f in files} for split, files in parts.items()}
    assert {split: len(p) for split, p in persons.items()} == {"train": 28, "val": 4, "test": 8}
    assert not persons["train"] & persons["test"]
    assert sum(int(p) % 2 for p in persons["test"]) == 4  # as many of those who wait as of the others
    with pytest.raises(InputError, match="expected one of pedestrians, cyclists, got 'dogs'"):
        vru_split(tmp_path, "train", "dogs")
    with pytest.raises(InputError, match="VRU pedestrians: expected the 1 files of the data set, got 0"):
        vru_split(tmp_path, "train", "pedestrians")
