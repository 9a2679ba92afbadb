"""The scene table: lossless, genuine Argoverse 2 files as they are, and one clear sentence for each broken file."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from trajnet.datasets.files import load_scene
from trajnet.errors import InputError
from trajnet.scenes import write_scene
from trajnet.scenes.table import AV2_COLUMNS
from trajnet.types import DEFAULT_SIZE_M, Lane, ObjectClass, RasterMap, Scene

#: The columns and types of Argoverse 2's own files, written out here so that the reader cannot change both.
ARGOVERSE_SCHEMA = pa.schema(
    [
        ("observed", pa.bool_()),
        ("track_id", pa.string()),
        ("object_type", pa.string()),
        ("object_category", pa.int64()),
        ("timestep", pa.int64()),
        ("position_x", pa.float64()),
        ("position_y", pa.float64()),
        ("heading", pa.float64()),
        ("velocity_x", pa.float64()),
        ("velocity_y", pa.float64()),
        ("scenario_id", pa.string()),
        ("start_timestamp", pa.int64()),
        ("end_timestamp", pa.int64()),
        ("num_timestamps", pa.int64()),
        ("focal_track_id", pa.string()),
        ("city", pa.string()),
    ]
)
START_NS = 315_969_904_359_876_000
END_NS = START_NS + 10_900_000_000


def argoverse_rows() -> list[dict[str, Any]]:
    """Four tracks at 10 Hz: the focal one over all 110 timesteps, a scored one to 60, a fragment, something static."""
    tracks = [("89320", "vehicle", 3, range(110)), ("AV", "vehicle", 1, range(110)), ("7", "cyclist", 2, range(30, 60))]
    tracks += [("12", "pedestrian", 2, range(40)), ("99", "riderless_bicycle", 0, range(5, 110, 2))]
    rows = []
    for identity, kind, category, steps in tracks:
        for step in steps:
            rows.append(
                {
                    "observed": step < 50,
                    "track_id": identity,
                    "object_type": kind,
                    "object_category": category,
                    "timestep": step,
                    "position_x": 1500.25 + step,
                    "position_y": -320.5 - 0.5 * step,
                    "heading": -0.4636476090008061,
                    "velocity_x": 10.0,
                    "velocity_y": -5.0,
                    "scenario_id": "0a1e6f0a-1817-4a98-b02e-db8c9327d151",
                    "start_timestamp": START_NS,
                    "end_timestamp": END_NS,
                    "num_timestamps": 110,
                    "focal_track_id": "89320",
                    "city": "austin",
                }
            )
    return rows


def save(rows: list[dict[str, Any]], path: Path, schema: pa.Schema = ARGOVERSE_SCHEMA) -> Path:
    pq.write_table(pa.Table.from_pylist(rows, schema=schema), path)
    return path


def assert_same(left: Scene, right: Scene) -> None:
    for name in (f.name for f in fields(Scene) if f.name not in ("lanes", "raster")):
        a, b = getattr(left, name), getattr(right, name)
        assert np.array_equal(a, b) if isinstance(a, np.ndarray) else a == b, name
    assert [lane.lane_id for lane in left.lanes] == [lane.lane_id for lane in right.lanes]
    for one, other in zip(left.lanes, right.lanes, strict=True):
        assert all(np.array_equal(getattr(one, n), getattr(other, n)) for n in ("left_m", "right_m", "centre_m"))
        assert one.drivable is other.drivable
    assert (left.raster is None) == (right.raster is None)
    if left.raster is not None and right.raster is not None:
        for name in ("drivable", "road_divider", "lane_divider", "direction"):
            a, b = getattr(left.raster, name), getattr(right.raster, name)
            assert np.array_equal(a, b) if b is not None else a is None, name
        assert left.raster.origin_m.tolist() == right.raster.origin_m.tolist()
        assert left.raster.pixels_per_m == right.raster.pixels_per_m


@pytest.fixture
def scene() -> Scene:
    """Three frames, the middle one empty; a track without rows; missing yaw and velocity; every scene-level field."""
    drivable, lane_divider, road_divider = (np.arange(35).reshape(5, 7) % n == 0 for n in (3, 4, 5))
    return Scene(
        scene_id="süd/1",
        timestamp_ns=np.array([1_700_000_000_123_456_789, 1_700_000_000_223_456_789, 1_700_000_000_323_456_790]),
        frame_number=np.array([780, 790, 810]),
        track_id=("never seen", "b", "a"),
        object_class=np.array([ObjectClass.BUS, ObjectClass.TRUCK, ObjectClass.PEDESTRIAN]),
        size_m=np.array([[12.0, 2.9], [8.25, 2.5], [0.5, 0.6]]),
        row_frame=np.array([0, 0, 2]),
        row_track=np.array([1, 2, 2]),
        position_m=np.array([[1 / 3, 4_649_776.1234567], [-0.0, 2.0], [5.5, 1e-9]]),
        yaw_rad=np.array([np.pi / 7, 0.0, 0.0]),
        yaw_valid=np.array([True, False, False]),
        velocity_mps=np.array([[0.1, 0.2], [0.3, -0.4], [0.0, 0.0]]),
        velocity_valid=np.array([True, True, False]),
        is_target=np.array([True, False, False]),
        source="a test",
        licence="Apache-2.0",
        lanes=(
            Lane("7", np.array([[0, 1.1], [9, 1]]), np.array([[0, -1], [4, -1.3], [9, -1]]), np.array([[0.0, 0]])),
            Lane("8", np.array([[0, 1.1], [9, 1]]), np.array([[0, 3.0], [9, 3]]), np.array([[0.0, 0]]), drivable=False),
        ),
        raster=RasterMap(
            np.array([3.5, -1.0]),
            3.0,
            drivable,
            lane_divider,
            road_divider,
            np.arange(-35, 35, dtype=np.int8).reshape(5, 7, 2),
        ),
    )


def test_a_table_read_back_is_the_same_scene(scene: Scene, tmp_path: Path) -> None:
    write_scene(scene, tmp_path / "new folder" / "scene.parquet")
    assert_same(load_scene(tmp_path / "new folder" / "scene.parquet"), scene)
    assert [p.name for p in (tmp_path / "new folder").iterdir()] == ["scene.parquet"]


def test_a_table_keeps_a_map_that_has_no_dividers(scene: Scene, tmp_path: Path) -> None:
    assert scene.raster is not None
    bare = dataclasses.replace(scene, raster=RasterMap(np.zeros(2), 3.0, scene.raster.drivable))
    write_scene(bare, tmp_path / "scene.parquet")
    assert_same(load_scene(tmp_path / "scene.parquet"), bare)


def test_what_is_written_has_argoverse_columns_first_and_null_for_the_unknown(scene: Scene, tmp_path: Path) -> None:
    write_scene(scene, tmp_path / "scene.parquet")
    table = pq.read_table(tmp_path / "scene.parquet")
    assert table.schema.names[:16] == list(ARGOVERSE_SCHEMA.names) == list(AV2_COLUMNS)
    assert [table.schema.field(n).type for n in ARGOVERSE_SCHEMA.names] == list(ARGOVERSE_SCHEMA.types)
    rows = table.to_pylist()
    assert [r["track_id"] for r in rows] == ["b", "a", "a"]
    assert [r["timestep"] for r in rows] == [0, 0, 2]
    assert [r["object_type"] for r in rows] == ["vehicle", "pedestrian", "pedestrian"]
    assert [r["object_category"] for r in rows] == [3, 1, 1]
    assert [r["observed"] for r in rows] == [True, True, False]
    assert [r["heading"] is None for r in rows] == [False, True, True]
    assert [r["velocity_x"] is None for r in rows] == [False, False, True]
    assert {r["focal_track_id"] for r in rows} == {"b"}


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(data=st.data())
def test_any_scene_survives_the_table(data: st.DataObject, tmp_path: Path) -> None:
    frames, tracks = data.draw(st.integers(1, 6)), data.draw(st.integers(1, 5))
    pairs = sorted(
        data.draw(st.sets(st.tuples(st.integers(0, frames - 1), st.integers(0, tracks - 1)), min_size=1, max_size=20))
    )
    rows = len(pairs)
    number = st.floats(-1e7, 1e7, allow_nan=False)
    flags = st.lists(st.booleans(), min_size=rows, max_size=rows)
    yaw_valid, velocity_valid = np.array(data.draw(flags)), np.array(data.draw(flags))
    numbers = np.array(data.draw(st.lists(number, min_size=5 * rows, max_size=5 * rows))).reshape(rows, 5)
    times = data.draw(st.sets(st.integers(-(2**62), 2**62), min_size=frames, max_size=frames))
    numbered = data.draw(st.sets(st.integers(-(2**40), 2**40), min_size=frames, max_size=frames))
    ids = data.draw(st.sets(st.text(st.characters(codec="utf-8"), max_size=5), min_size=tracks, max_size=tracks))
    original = Scene(
        scene_id=data.draw(st.text(st.characters(codec="utf-8"), max_size=5)),
        timestamp_ns=np.array(sorted(times)),
        frame_number=np.array(sorted(numbered)),
        track_id=tuple(sorted(ids, reverse=True)),
        object_class=np.array(data.draw(st.lists(st.integers(0, 6), min_size=tracks, max_size=tracks))),
        size_m=np.array(data.draw(st.lists(st.floats(0.01, 50), min_size=2 * tracks, max_size=2 * tracks))).reshape(
            -1, 2
        ),
        row_frame=np.array([f for f, _ in pairs]),
        row_track=np.array([t for _, t in pairs]),
        position_m=numbers[:, :2],
        yaw_rad=np.where(yaw_valid, numbers[:, 2], 0.0),
        yaw_valid=yaw_valid,
        velocity_mps=np.where(velocity_valid[:, None], numbers[:, 3:], 0.0),
        velocity_valid=velocity_valid,
        is_target=np.array(data.draw(flags)),
        source=data.draw(st.text(max_size=5)),
    )
    write_scene(original, tmp_path / "any.parquet")
    assert_same(load_scene(tmp_path / "any.parquet"), original)


def test_a_genuine_argoverse_2_scenario_loads_as_it_is(tmp_path: Path) -> None:
    path = save(argoverse_rows(), tmp_path / "scenario_0a1e6f0a-1817-4a98-b02e-db8c9327d151.parquet")
    scene = load_scene(path)
    assert scene.scene_id == "0a1e6f0a-1817-4a98-b02e-db8c9327d151"
    assert scene.frame_number.tolist() == list(range(110))
    assert scene.timestamp_ns[[0, 1, 109]].tolist() == [START_NS, START_NS + 100_000_000, END_NS]
    assert scene.track_id == ("89320", "AV", "7", "12", "99")
    kinds = [ObjectClass.CAR, ObjectClass.CAR, ObjectClass.BICYCLE, ObjectClass.PEDESTRIAN, ObjectClass.UNKNOWN]
    assert scene.object_class.tolist() == kinds
    assert scene.size_m.tolist() == DEFAULT_SIZE_M[kinds].tolist()
    targets = np.flatnonzero(scene.is_target)
    assert scene.row_frame[targets].tolist() == [49, 49]
    assert [scene.track_id[t] for t in scene.row_track[targets]] == ["89320", "7"]
    assert scene.yaw_valid.all()
    assert scene.velocity_valid.all()
    frame = scene.frame(49)
    assert frame.track_id == ("89320", "AV", "7", "99")
    assert frame.position_m[0].tolist() == [1549.25, -345.0]
    assert frame.velocity_mps[0].tolist() == [10.0, -5.0]
    assert "Argoverse 2" in scene.source
    assert "austin" in scene.source
    assert "non-commercial" in scene.licence


def test_start_and_end_as_doubles_and_unsorted_rows_load_too(tmp_path: Path) -> None:
    schema = ARGOVERSE_SCHEMA.set(11, pa.field("start_timestamp", pa.float64()))
    schema = schema.set(12, pa.field("end_timestamp", pa.float64()))
    rows = argoverse_rows()
    floats = [row | {n: float(row[n]) for n in ("start_timestamp", "end_timestamp")} for row in rows]
    whole = load_scene(save(rows, tmp_path / "scenario_a.parquet"))
    loose = load_scene(save(floats[::-1], tmp_path / "scenario_b.parquet", schema))
    assert loose.timestamp_ns[-1] == pytest.approx(END_NS, abs=64)
    assert sorted(loose.frame(49).track_id) == sorted(whole.frame(49).track_id)


def test_argoverse_2_through_our_table_stays_the_same_scene(tmp_path: Path) -> None:
    scene = load_scene(save(argoverse_rows(), tmp_path / "scenario_x.parquet"))
    write_scene(scene, tmp_path / "ours.parquet")
    assert_same(load_scene(tmp_path / "ours.parquet"), scene)


def edited(**changes: Any) -> Callable[[list[dict[str, Any]]], None]:
    """Change these columns of row 3."""

    def change(rows: list[dict[str, Any]]) -> None:
        rows[3].update(changes)

    return change


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (edited(position_x=float("nan")), r"column position_x: expected finite numbers, got nan in row 3"),
        (edited(position_y=float("inf")), r"column position_y: expected finite numbers, got inf in row 3"),
        (edited(position_x=None), r"column position_x: expected a value in every row, got 1 empty, first in row 3"),
        (edited(heading=float("nan")), r"column heading: expected finite numbers.*write null"),
        (edited(track_id=None), r"column track_id: expected a value in every row"),
        (edited(timestep=2), r"'89320' twice in frame 2"),
        (edited(timestep=110), r"row 3: expected 0 <= timestep < num_timestamps .* got timestep 110 of 110"),
        (edited(start_timestamp=END_NS), r"start_timestamp < end_timestamp"),
        (edited(object_type="hovercraft"), r"column object_type: expected one of vehicle, .*, got 'hovercraft'"),
        (edited(scenario_id="another"), r"column scenario_id: expected one value in a file, got 2"),
        (lambda rows: rows.clear(), "got an empty table"),
    ],
)
def test_bad_rows_are_one_clear_sentence(
    change: Callable[[list[dict[str, Any]]], None], said: str, tmp_path: Path
) -> None:
    rows = argoverse_rows()
    change(rows)
    path = save(rows, tmp_path / "scenario_bad.parquet")
    with pytest.raises(InputError, match=said) as raised:
        load_scene(path)
    assert "scenario_bad.parquet" in str(raised.value)
    assert "\n" not in str(raised.value)


def test_missing_columns_are_named(tmp_path: Path) -> None:
    table = pa.Table.from_pylist(argoverse_rows(), schema=ARGOVERSE_SCHEMA).drop_columns(["heading", "position_x"])
    pq.write_table(table, tmp_path / "x.parquet")
    with pytest.raises(InputError, match="a table without position_x, heading"):
        load_scene(tmp_path / "x.parquet")


#: The least that a table has: two tracks at 2 Hz, the second one frame later and without heading and velocity.
OWN_ROWS: list[dict[str, Any]] = [
    {"timestamp_ns": t, "track_id": i, "object_class": kind, "position_x": x, "position_y": y, "heading": yaw,
     "velocity_x": vx, "velocity_y": vy}
    for t, i, kind, x, y, yaw, vx, vy in [
        (1_000_000_000, "7", "car", 0.0, 1.0, 0.5, 8.0, -2.0),
        (1_500_000_000, "7", "car", 4.0, 0.0, 0.25, 8.0, -2.0),
        (1_500_000_000, "p", "pedestrian", -3.0, 2.0, None, None, None),
    ]
]  # fmt: skip


def test_eight_columns_are_a_scene(tmp_path: Path) -> None:
    pq.write_table(pa.Table.from_pylist(OWN_ROWS), tmp_path / "drive.parquet")
    scene = load_scene(tmp_path / "drive.parquet")
    assert scene.scene_id == "drive"
    assert scene.timestamp_ns.tolist() == [1_000_000_000, 1_500_000_000]
    assert scene.frame_number.tolist() == [0, 1]
    assert scene.track_id == ("7", "p")
    assert scene.object_class.tolist() == [ObjectClass.CAR, ObjectClass.PEDESTRIAN]
    assert scene.size_m.tolist() == DEFAULT_SIZE_M[[ObjectClass.CAR, ObjectClass.PEDESTRIAN]].tolist()
    assert (scene.row_frame.tolist(), scene.row_track.tolist()) == ([0, 1, 1], [0, 0, 1])
    assert scene.position_m.tolist() == [[0.0, 1.0], [4.0, 0.0], [-3.0, 2.0]]
    assert (scene.yaw_rad.tolist(), scene.yaw_valid.tolist()) == ([0.5, 0.25, 0.0], [True, True, False])
    assert scene.velocity_mps.tolist() == [[8.0, -2.0], [8.0, -2.0], [0.0, 0.0]]
    assert scene.velocity_valid.tolist() == [True, True, False]
    assert not scene.is_target.any()
    assert (scene.source, scene.licence) == ("", "")
    write_scene(scene, tmp_path / "written.parquet")
    assert_same(load_scene(tmp_path / "written.parquet"), scene)


def test_timestep_and_size_of_an_own_table_are_taken(tmp_path: Path) -> None:
    steps = (10, 11, 11)
    rows = [row | {"timestep": n, "length": 5.0, "width": 2.0} for row, n in zip(OWN_ROWS, steps, strict=True)]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "drive.parquet")
    scene = load_scene(tmp_path / "drive.parquet")
    assert scene.frame_number.tolist() == [10, 11]
    assert scene.size_m.tolist() == [[5.0, 2.0], [5.0, 2.0]]


@pytest.mark.parametrize("name", OWN_ROWS[0])
def test_each_of_the_eight_columns_is_needed(name: str, tmp_path: Path) -> None:
    pq.write_table(pa.Table.from_pylist(OWN_ROWS).drop_columns([name]), tmp_path / "drive.parquet")
    with pytest.raises(InputError, match=f"drive.parquet: expected the columns timestamp_ns, .* without {name};"):
        load_scene(tmp_path / "drive.parquet")


def test_nan_timestamps_are_refused(scene: Scene, tmp_path: Path) -> None:
    write_scene(scene, tmp_path / "x.parquet")
    table = pq.read_table(tmp_path / "x.parquet")
    place = table.schema.get_field_index("timestamp_ns")
    for values, said in (
        (pa.array([float("nan"), 1.0, 2.0]), "column timestamp_ns: expected int64, got double"),
        (pa.array([None, 1, 2], pa.int64()), "column timestamp_ns: expected a value in every row"),
        (pa.array(["x", "1", "2"]), "column timestamp_ns: expected int64, got string"),
        (pa.array([1, 2, 3]), "expected one time per frame, got 1 and 2 ns in frame 780"),
        (pa.array([1, 1, 1]), "expected strictly increasing times"),
    ):
        pq.write_table(table.set_column(place, "timestamp_ns", values), tmp_path / "bad.parquet")
        with pytest.raises(InputError, match=said) as raised:
            load_scene(tmp_path / "bad.parquet")
        assert "bad.parquet" in str(raised.value)
        assert "\n" not in str(raised.value)


def test_files_that_are_no_parquet_are_refused(scene: Scene, tmp_path: Path) -> None:
    path = tmp_path / "x.parquet"
    write_scene(scene, path)
    whole = path.read_bytes()
    damaged = bytearray(whole)
    damaged[-200:-100] = b"\xff" * 100
    for content, said in (
        (b"", "got an empty file"),
        (b"frame,x,y\n1,2,3\n", "expected a Parquet table"),
        (whole[: len(whole) // 2], "expected a Parquet table"),
        (bytes(damaged), "expected a Parquet table"),
    ):
        path.write_bytes(content)
        with pytest.raises(InputError, match=said) as raised:
            load_scene(path)
        assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("metadata", "said"),
    [
        (b"{", "expected scene metadata"),
        (b'{"version": 99}', "expected scene metadata of version 1, got 99"),
        (b'{"version": 1}', "expected scene metadata"),
        (b"[]", "expected scene metadata"),
    ],
)
def test_broken_metadata_is_refused(scene: Scene, tmp_path: Path, metadata: bytes, said: str) -> None:
    write_scene(scene, tmp_path / "x.parquet")
    table = pq.read_table(tmp_path / "x.parquet").replace_schema_metadata({b"trajnet": metadata})
    pq.write_table(table, tmp_path / "x.parquet")
    with pytest.raises(InputError, match=said):
        load_scene(tmp_path / "x.parquet")


def test_a_scene_without_rows_and_a_place_that_cannot_be_written(scene: Scene, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="cannot be written"):
        write_scene(scene, tmp_path / "file" / "x.parquet")
    nothing = replace(
        scene,
        row_frame=np.zeros(0, np.int64),
        row_track=np.zeros(0, np.int64),
        position_m=np.zeros((0, 2)),
        yaw_rad=np.zeros(0),
        yaw_valid=np.zeros(0, np.bool_),
        velocity_mps=np.zeros((0, 2)),
        velocity_valid=np.zeros(0, np.bool_),
        is_target=np.zeros(0, np.bool_),
    )
    with pytest.raises(InputError, match="at least one row"):
        write_scene(nothing, tmp_path / "x.parquet")
