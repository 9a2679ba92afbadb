"""ApolloScape files: what is read, how they are split, and one clear sentence for each kind of bad input."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.datasets.text_files import apolloscape_line, write
from trajnet.datasets import apolloscape
from trajnet.datasets.apolloscape import APOLLOSCAPE
from trajnet.datasets.files import load_scene, scene_kind
from trajnet.datasets.folders import part_files
from trajnet.datasets.own_split import OWN_SPLITS
from trajnet.errors import InputError
from trajnet.types import ObjectClass


def test_apolloscape_columns_and_classes(tmp_path: Path) -> None:
    lines = [
        apolloscape_line(200, 10001, 4, 429.917, 146.423, 0.841),
        apolloscape_line(201, 10001, 4, 431.0, 147.0, 9.9),
    ]
    lines += [apolloscape_line(200, track, kind) for track, kind in ((1, 1), (2, 2), (3, 3), (5, 5))]
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


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (apolloscape_line(0, 1) + "\n0 2 1 5 5", "line 2: expected 10 columns, got 5"),
        (apolloscape_line(0, 1, kind=6), r"line 1: expected a class of 1 to 5 \(column 2\), got 6"),
        (
            apolloscape_line(0, 1).replace("39.4", "x").replace("0.0 0.0", "x 0.0", 1),
            r"expected a number as x \(column 3\), got 'x'",
        ),
        (apolloscape_line(0, 1, y=float("nan")), r"line 1: expected a finite y \(column 4\)"),
        (apolloscape_line(0, 1, length=0.0), "line 1: expected a length and width above 0 m, got 0.0 x 1.8"),
        (apolloscape_line(0, 1) + "\n" + apolloscape_line(0, 1), "'1' twice in frame 0"),
        (b"\x00\x01\xff\xfe", "expected a number first"),
        (apolloscape_line(0, 1).encode() + b"\n0 2 \xff", "expected UTF-8 text, got byte 0xff"),
    ],
)
def test_bad_apolloscape_files_are_one_clear_sentence(tmp_path: Path, content: str | bytes, said: str) -> None:
    path = write(tmp_path / "result.txt", content)
    with pytest.raises(InputError, match=said) as raised:
        load_scene(path)
    assert str(path) in str(raised.value) or "result" in str(raised.value)
    assert "\n" not in str(raised.value)


def test_apolloscape_is_split_by_recording(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "apolloscape" / "prediction_train"
    names = [f"result_{recording}_{piece}_frame.txt" for recording in range(20) for piece in (1, 2, 11)]
    for name in names:
        write(folder / name, apolloscape_line(0, 1))
    with pytest.raises(InputError, match="expected the 53 files of the data set, got 60"):
        part_files(APOLLOSCAPE, [tmp_path], "train")
    monkeypatch.setattr(apolloscape, "FILES", 60)
    parts = {split: [f.name for f in part_files(APOLLOSCAPE, [tmp_path], split)] for split in OWN_SPLITS}
    assert sorted(name for part in parts.values() for name in part) == sorted(names)
    recordings = [{name.split("_")[1] for name in part} for part in parts.values()]
    assert [len(r) for r in recordings] == [14, 2, 4]
    assert sum(map(len, recordings)) == len(set.union(*recordings))
    assert parts["test"] == [
        f.name for f in part_files(APOLLOSCAPE, [tmp_path / "apolloscape"], "test")
    ]  # always the same
    with pytest.raises(InputError, match="expected one of train, val, test, got 'dev'"):
        part_files(APOLLOSCAPE, [tmp_path], "dev")
