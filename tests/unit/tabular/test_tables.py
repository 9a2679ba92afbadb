"""trajnet.tabular: tables of one's own to scenes and back, and what is refused."""

from __future__ import annotations

import builtins
import sys
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from trajnet.errors import DependencyError, InputError
from trajnet.tabular import TableOptions, Units, scene_of_columns
from trajnet.tabular.frames import prediction_columns
from trajnet.types import Prediction, Scene, Source

ROWS: dict[str, Any] = {
    "time_s": [0.0, 0.1, 0.1],
    "track_id": ["b", "b", "a"],
    "x": [1.0, 2.0, 30.0],
    "y": [0.5, 0.5, 40.0],
}


def test_time_id_and_place_are_enough() -> None:
    scene = Scene.from_dataframe(ROWS)
    assert scene.timestamp_ns.tolist() == [0, 100_000_000]
    assert scene.track_id == ("b", "a")  # in the order of the table
    assert scene.position_m.tolist() == [[1, 0.5], [2, 0.5], [30, 40]]
    assert not scene.yaw_valid.any()
    assert not scene.velocity_valid.any()
    assert scene.object_class.tolist() == [0, 0]


def test_columns_classes_and_units_are_taken_as_stated() -> None:
    table = {
        "when": [1000, 1100], "number": [7, 7], "pos_e": [1.0, 2.0], "pos_n": [3.0, 4.0], "kind": ["Van", "Van"],
        "yaw": [90.0, 180.0], "vx": [36.0, 72.0], "vy": [0.0, 0.0], "length": [5.0, 5.2], "width": [2.0, 2.0],
    }  # fmt: skip
    names = {"x": "pos_e", "position_y": "pos_n", "time": "when", "id": "number", "class": "kind"}
    scene = Scene.from_dataframe(table, columns=names, classes={"van": "car"}, units="time=ms,angle=deg,speed=kmh")
    assert scene.timestamp_ns.tolist() == [1_000_000_000, 1_100_000_000]
    assert scene.track_id == ("7",)
    assert scene.object_class.tolist() == [1]
    np.testing.assert_allclose(scene.yaw_rad, [np.pi / 2, np.pi])
    np.testing.assert_allclose(scene.velocity_mps[:, 0], [10, 20])
    np.testing.assert_allclose(scene.size_m, [[5.1, 2.0]])


def test_compass_degrees_are_turned_to_the_map() -> None:
    scene = Scene.from_dataframe({**ROWS, "heading": [0.0, 90.0, 180.0]}, units="angle=compass")
    np.testing.assert_allclose(scene.yaw_rad, [np.pi / 2, 0.0, -np.pi / 2], atol=1e-12)


def test_nulls_are_unknown_and_rows_without_a_place_are_left_out() -> None:
    table = {**ROWS, "x": [1.0, np.nan, 30.0], "heading": [0.1, 0.2, np.nan]}
    scene, notes = scene_of_columns({name: np.array(v) for name, v in table.items()}, TableOptions())
    assert scene.yaw_valid.tolist() == [True, False]
    assert "left out: 1 rows without a place" in notes
    assert "not in the table, and so unknown: class, velocity, length" in notes


def test_values_that_nothing_can_have_are_counted() -> None:
    table = {
        **ROWS, "class": ["car"] * 3, "heading": [0.1, np.inf, np.nan], "vx": [-np.inf, np.inf, np.nan],
        "vy": [0.0, 0.0, 0.0], "length": [-1.0, 0.0, 4.0], "width": [2.0, np.nan, np.inf],
    }  # fmt: skip
    scene, notes = scene_of_columns({name: np.array(v) for name, v in table.items()}, TableOptions())
    assert [note for note in notes if note.startswith("mended")] == [
        "mended: 2 velocities are infinite and count as not measured",
        "mended: 2 lengths are infinite or not above 0 and count as not measured",
        "mended: 1 widths are infinite or not above 0 and count as not measured",
        "mended: 1 headings are infinite and count as not measured",
    ]
    assert not scene.velocity_valid.any()
    assert (scene.yaw_valid.sum(), scene.size_m[1, 0]) == (1, 4.0)


def test_repeated_rows_count_once_and_contradictions_are_refused() -> None:
    twice = {name: [*values, values[0]] for name, values in ROWS.items()}
    scene, notes = scene_of_columns({name: np.array(v) for name, v in twice.items()}, TableOptions())
    assert len(scene.row_frame) == 3
    assert "left out: 1 rows that repeat another" in notes
    with pytest.raises(InputError, match="each track once at a time, got 'b' twice at 0 ns"):
        Scene.from_dataframe({**twice, "x": [1.0, 2.0, 30.0, 9.0]})


def test_a_track_has_the_class_of_most_of_its_rows() -> None:
    table = {"time_s": [0, 1, 2], "id": [1, 1, 1], "x": [0.0, 0, 0], "y": [0.0, 0, 0], "class": ["car", "bus", "bus"]}
    scene, notes = scene_of_columns({name: np.array(v) for name, v in table.items()}, TableOptions())
    assert scene.object_class.tolist() == [3]
    assert any(note.startswith("mended: 1 tracks of several classes") for note in notes)


@pytest.mark.parametrize(
    ("change", "options", "message"),
    [
        ({"y": None}, {}, r"columns: expected y, got a table with .*; state them with columns y=NAME"),
        ({"time_s": None, "t": [0.0, 0.1, 0.1]}, {}, r"column t: expected the unit .*of 0.1 look like time=s"),
        ({"time_s": None, "t": [0, 100, 100]}, {}, "look like time=ms"),
        (
            {"time_s": None, "t": [3, 4, 4]},
            {},
            "steps of 1 look like numbers of frames: time=25hz for 25 a second; time=s",
        ),
        ({"time_s": None, "Frame": [3, 4, 4]}, {}, r"expected time.*with columns time=Frame and units time=25hz$"),
        ({"time_s": None, "frame": [0, 10, 10]}, {"columns": {"time": "frame"}}, "steps of 10 look like numbers of fr"),
        (
            {"time_s": [np.datetime64("2026-01-01")] * 3},
            {"units": "time=25hz"},
            "expected numbers of frames.*got dates",
        ),
        ({"time_s": [3, 4, 4.5]}, {"units": "time=25hz"}, "column time_s: expected whole numbers of frames, got 4.5"),
        ({"time_s": [3, 4, 1e13]}, {"units": "time=0.1hz"}, "fit 64 bits as ns, got frame 1e[+]13"),
        ({}, {"units": "time=0hz"}, "units: time: expected above 0 and at most 1000 Hz, got 0.0"),
        ({}, {"units": "time=-5hz"}, "or 25hz for numbers of frames, 25 a second, got '-5hz'"),
        ({"time_s": None, "timestamp_ns": [0.0, 0.1, 0.1]}, {}, "expected whole nanoseconds, got 0.1"),
        ({"time_s": [0.0, np.nan, 0.1]}, {}, "column time_s: expected a time in every row, got none in row 1"),
        ({"track_id": ["b", None, "a"]}, {}, "expected an id in every row, got none in row 1"),
        ({"track_id": ["b", "", "a"]}, {}, "expected an id in every row, got none in row 1"),
        ({"track_id": ["b", "b", "  "]}, {}, "expected an id in every row, got none in row 2"),
        ({"x": ["1", "east", "3"]}, {}, "column x, row 1: expected a number, got 'east'"),
        ({"class": ["Van", "car", "Van"]}, {}, r"got Van \(2 rows\); name them in a file for classes"),
        ({"x": [1.0]}, {}, "expected columns of one length"),
        ({}, {"columns": {"x": "east"}}, "columns: expected one of time_s, track_id, x, y, got east"),
        ({}, {"columns": {"z": "y"}}, "columns: expected one of time, id"),
        ({}, {"units": "time=h"}, "expected time in s, ms, us, ns, or 25hz for .*, got 'h'"),
        ({}, {"units": "weight=kg"}, "units: expected time, angle, speed, length, got 'weight'"),
        ({}, {"units": "ms"}, "units: expected NAME=VALUE"),
        ({}, {"classes": {"Van": "lorry"}}, "classes, Van: expected one of unknown, car"),
        ({}, {"rate_hz": 0.0}, "rate: expected above 0"),
        ({"x": [np.nan] * 3}, {}, "expected rows with x and y, got 3 rows without"),
        ({"x": None, "y": None, "lat": [1.0] * 3, "lon": [1.0] * 3}, {}, "state their coordinate system with crs"),
        ({}, {"to_crs": "EPSG:32632"}, "to-crs: expected the table's own coordinate system too"),
    ],
)
def test_what_does_not_fit_is_refused(change: dict[str, Any], options: dict[str, Any], message: str) -> None:
    table = {name: values for name, values in {**ROWS, **change}.items() if values is not None}
    with pytest.raises(InputError, match=message):
        Scene.from_dataframe(table, **options)


def test_what_is_no_table_is_refused() -> None:
    with pytest.raises(InputError, match="expected a data frame of pandas, polars or pyarrow"):
        Scene.from_dataframe(7)


def test_what_is_left_out_is_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    Scene.from_dataframe({**ROWS, "x": [1.0, np.nan, 30.0]}, scene_id="drive")
    assert [record.getMessage() for record in caplog.records] == ["drive: left out: 1 rows without a place"]


def test_others_may_be_unknown() -> None:
    scene = Scene.from_dataframe({**ROWS, "class": ["Van", "Van", "Dog"]}, classes={"Van": "car", "*": "unknown"})
    assert scene.object_class.tolist() == [1, 0]


def test_seconds_since_1970_keep_their_digits() -> None:
    scene = Scene.from_dataframe({**ROWS, "time_s": [1.7e9, 1.7e9 + 0.1, 1.7e9 + 0.1]})
    np.testing.assert_allclose(np.diff(scene.timestamp_ns), 1e8, atol=300)  # what a double of 1.7e9 s resolves


def test_asynchronous_stamps_are_binned_and_rows_move_by_their_velocity() -> None:
    table = {
        "time_s": [0.0, 0.11, 0.13, 0.02, 0.12], "id": ["a", "a", "a", "b", "b"], "x": [0.0, 1.1, 1.3, 5.0, 5.0],
        "y": [0.0] * 5,
    }  # fmt: skip
    options = TableOptions(rate_hz=10.0)
    scene, notes = scene_of_columns({name: np.array(v) for name, v in table.items()}, options)
    assert scene.timestamp_ns.tolist() == [0, 100_000_000]
    np.testing.assert_allclose(scene.position_m[:, 0], [0.0, 5.0, 1.0, 5.0])  # 1.1 m back by 10 ms of 10 m/s
    words = next(note for note in notes if note.startswith("binned"))
    assert "5 stamps to 2 frames at 10 Hz" in words
    assert "at most 20.0 ms and 0.10 m" in words
    assert "1 rows left out" in words


@pytest.mark.parametrize("library", ["pandas", "polars", "pyarrow"])
def test_a_scene_goes_to_a_data_frame_and_back(library: str) -> None:
    pytest.importorskip(library)
    heading = [0.1, np.nan, 0.3]
    columns = {**ROWS, "heading": heading, "vx": [1.0, 2, np.nan], "vy": [0.0, 0, 0], "class": ["car", "car", "bus"]}
    scene = Scene.from_dataframe(columns)
    again = Scene.from_dataframe(scene.to_dataframe(library))
    for name in ("timestamp_ns", "object_class", "size_m", "position_m", "yaw_rad", "yaw_valid", "velocity_mps",
                 "velocity_valid", "row_frame", "row_track", "frame_number", "is_target"):  # fmt: skip
        np.testing.assert_array_equal(getattr(again, name), getattr(scene, name), err_msg=name)
    assert again.track_id == scene.track_id


def prediction() -> Prediction:
    covariance = np.zeros((2, 2, 3, 2, 2))
    covariance[..., 0, 0], covariance[..., 0, 1], covariance[..., 1, 0], covariance[..., 1, 1] = 1.0, 0.2, 0.2, 2.0
    position = np.arange(24, dtype=float).reshape(2, 2, 3, 2)
    return Prediction(
        5, ("a", "b"), np.array([0.5, 1.0, 1.5]), position, np.zeros((2, 2, 3)), covariance,
        np.array([[0.7, 0.3], [0.6, 0.4]]), np.array([0, 2], np.int8), np.array([0.0, 0.4]),
    )  # fmt: skip


def test_a_prediction_has_a_row_for_each_object_mode_and_time() -> None:
    pytest.importorskip("pyarrow")
    rows = prediction().to_dataframe("pyarrow").to_pylist()
    assert len(rows) == 12
    assert rows[4] == {
        "timestamp_ns": 5, "track_id": "a", "mode": 1, "probability": 0.3, "time_s": 1.0, "x": 8.0, "y": 9.0,
        "yaw": 0.0, "covariance_xx": 1.0, "covariance_xy": 0.2, "covariance_yy": 2.0, "source": "model", "age_s": 0.0,
        "expert": None,
    }  # fmt: skip
    assert (rows[-1]["track_id"], rows[-1]["source"], rows[-1]["age_s"]) == ("b", "stale", 0.4)


def test_the_expert_of_a_mode_is_named_except_where_physics_answered() -> None:
    source, expert = np.array([Source.JUDGED, Source.PHYSICS], np.int8), np.array([[2, 1], [3, 3]], np.int8)
    columns = prediction_columns(replace(prediction(), source=source, expert=expert))
    assert columns["source"].tolist() == ["judged"] * 6 + ["physics"] * 6
    assert columns["expert"].tolist() == ["standing"] * 3 + ["constant_velocity"] * 3 + [None] * 6


def test_a_prediction_goes_to_xarray() -> None:
    pytest.importorskip("xarray")
    found = prediction().to_xarray()
    assert float(found.position_m.sel(track_id="b", mode=1, time_s=1.0, axis="y")) == 21.0
    assert found.source.values.tolist() == ["model", "stale"]
    assert found.expert.values.tolist() == [["unknown"] * 2] * 2
    judged = replace(prediction(), expert=np.array([[2, 0], [3, 3]], np.int8)).to_xarray()
    assert judged.expert.sel(track_id="a").values.tolist() == ["standing", "model"]
    assert judged.expert.sel(track_id="b").values.tolist() == ["unknown"] * 2


@pytest.mark.parametrize(
    ("library", "call"),
    [
        ("pandas", lambda: prediction().to_dataframe()),
        ("polars", lambda: Scene.from_dataframe(ROWS).to_dataframe("polars")),
        ("xarray", lambda: prediction().to_xarray()),
        ("pyproj", lambda: Scene.from_dataframe(ROWS, crs="EPSG:4326")),
    ],
)
def test_a_missing_library_is_named_with_its_extra(
    library: str, call: Callable[[], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(DependencyError, match=rf"{library}, which is not installed; run: pip install 'trajnet-av\["):
        call()


def test_an_unknown_library_is_refused() -> None:
    with pytest.raises(InputError, match="expected pandas, polars, pyarrow, got 'dask'"):
        prediction().to_dataframe("dask")


def test_pandas_without_pyarrow_is_read_too(monkeypatch: pytest.MonkeyPatch) -> None:
    pandas = pytest.importorskip("pandas")
    frame, real = pandas.DataFrame(ROWS), builtins.__import__

    def refuse(name: str, *rest: Any) -> Any:
        if name == "pyarrow":
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", refuse)
    assert len(Scene.from_dataframe(frame).row_frame) == 3


def test_stamps_with_a_date_need_no_unit() -> None:
    stamps = np.array(["2024-05-01T00:00:00", "2024-05-01T00:00:01", "2024-05-01T00:00:01"], "datetime64[ms]")
    scene = Scene.from_dataframe({**{n: v for n, v in ROWS.items() if n != "time_s"}, "time": stamps})
    assert np.diff(scene.timestamp_ns).tolist() == [1_000_000_000]


def test_degrees_become_metres_and_directions_turn_with_the_grid() -> None:
    pytest.importorskip("pyproj")
    # 0.001 deg of longitude at 60 deg north: 55.80 m on WGS84, a bearing of east
    table = {"time_s": [0, 1], "id": ["a", "a"], "lon": [24.0, 24.001], "lat": [60.0, 60.0], "heading": [0.0, 0.0]}
    scene = Scene.from_dataframe(table, crs="EPSG:4326")
    move = scene.position_m[1] - scene.position_m[0]
    assert np.hypot(*move) == pytest.approx(55.80, abs=0.05)
    assert scene.yaw_rad[0] == pytest.approx(np.arctan2(move[1], move[0]), abs=1e-4)
    swapped = {**table, "lon": [120.0, 120.0], "lat": [95.0, 95.0]}
    with pytest.raises(InputError, match="expected longitude as x and latitude as y in degrees"):
        Scene.from_dataframe(swapped, crs="EPSG:4326")
    kept = {"time_s": [0, 1], "id": ["a", "a"], "x": [500_000.0, 500_010.0], "y": [6_000_000.0] * 2}
    assert Scene.from_dataframe(kept, crs="EPSG:32635").position_m.tolist() == [[500_000, 6e6], [500_010, 6e6]]
    with pytest.raises(InputError, match="expected a coordinate system such as EPSG:4326, got 'EPSG:0'"):
        Scene.from_dataframe(kept, crs="EPSG:0")


@pytest.mark.parametrize(
    ("rate", "wanted_ns"), [("25hz", [0, 40_000_000, 4_000_000_000]), ("29.97 Hz", [0, 33_366_700, 3_336_670_003])]
)
def test_numbers_of_frames_are_times_at_the_stated_rate(rate: str, wanted_ns: list[int]) -> None:
    """No time depends on how many frames came before it: rounding does not add up."""
    table = {"frame": [0, 1, 100], "id": [1, 1, 1], "x": [0.0, 1.0, 2.0], "y": [0.0, 0.0, 0.0]}
    stated = TableOptions(columns={"time": "frame"}, units=Units(time=rate))
    scene, notes = scene_of_columns({name: np.array(v) for name, v in table.items()}, stated)
    assert scene.timestamp_ns.tolist() == wanted_ns
    assert f"times read as numbers of frames, {rate[:-2].strip()} a second" in notes


def test_units_are_parsed() -> None:
    assert Units.parse("time=us, length=ft") == Units(time="us", length="ft")
    assert Units.parse(None) == Units()
