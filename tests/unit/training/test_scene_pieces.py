"""Pieces give the windows back to the byte, and hold a track and a map once."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest

from trajnet.context.map_field import MapView
from trajnet.context.surroundings import InputRequirements
from trajnet.datasets.files import load_scene
from trajnet.scenes import write_scene
from trajnet.shards.pieces import packed
from trajnet.training import scene_pieces as module
from trajnet.training.config import SourceConfig
from trajnet.training.row_table import packed_columns, unpacked_columns
from trajnet.training.scene_pieces import SceneWindows, as_they_are, read_windows, scene_pieces
from trajnet.training.sources import scene_windows
from trajnet.training.training_set import TrainingSet, joined, with_derived_velocities
from trajnet.types import FloatArray, Scene

SCENES = Path(__file__).resolve().parents[3] / "sim" / "scenes"
FUTURE_S = np.array([0.5, 1.0, 1.5])
REQUIREMENTS = InputRequirements(MapView(ahead_m=16.0, behind_m=6.0, side_m=11.0, step_m=2.0, patch=3), 3)
SOURCE = SourceConfig("scenes", path="roads", history_s=2.0, stride=10, min_future_s=1.0)
BY_REFERENCE = {"map_distance", "neighbours", "position_m", "velocity_mps", "future_m"}


def made(
    folder: Path, scene: Scene, source: SourceConfig = SOURCE, requirements: InputRequirements = REQUIREMENTS
) -> SceneWindows:
    path = folder / "scene.parquet"
    write_scene(scene, path)
    found = scene_windows(source, path, None, FUTURE_S, requirements)
    assert found is not None
    return found


def stored_as_arrays(
    windows: SceneWindows, data: TrainingSet | None = None, requirements: InputRequirements = REQUIREMENTS
) -> set[str]:
    """Return the arrays of windows that pieces hold as they are, after comparing all that is read with the data."""
    data = windows.data if data is None else data
    pieces = list(scene_pieces(windows, np.arange(len(data)), data, requirements))
    again = joined([read_windows(dict(piece.arrays), np.arange(piece.rows), requirements) for piece in pieces])
    for f in fields(TrainingSet):
        there, got = getattr(data, f.name), getattr(again, f.name)
        assert there.dtype == got.dtype, f.name
        assert there.tobytes() == got.tobytes(), f.name
    return {name for piece in pieces for name in piece.arrays} & {f.name for f in fields(TrainingSet)}


@pytest.fixture(scope="module")
def crossing() -> Scene:
    return load_scene(SCENES / "crossing_small.parquet")


def test_what_differs_in_the_sign_of_zero_is_kept_as_it_is(tmp_path: Path, crossing: Scene) -> None:
    windows = made(tmp_path, crossing)
    assert "velocity_mps" not in stored_as_arrays(windows)
    velocity_mps = windows.data.velocity_mps
    signed = np.where(velocity_mps == 0, -np.zeros_like(velocity_mps), velocity_mps)
    assert "velocity_mps" in stored_as_arrays(windows, replace(windows.data, velocity_mps=signed))


@pytest.mark.parametrize("directions", [False, True])
def test_windows_of_measured_tracks_are_references_alone(crossing: Scene, tmp_path: Path, directions: bool) -> None:
    view = REQUIREMENTS.view
    assert view is not None
    wanted = replace(REQUIREMENTS, view=replace(view, directions=directions))
    windows = made(tmp_path, crossing, requirements=wanted)
    assert windows.data.map_valid.any()
    assert windows.data.neighbours.any()
    assert not stored_as_arrays(windows, requirements=wanted)


def test_a_part_of_the_windows_is_read_alone(crossing: Scene, tmp_path: Path) -> None:
    windows = made(tmp_path, crossing)
    kept = np.arange(3, len(windows.data), 7)
    (piece,) = scene_pieces(windows, kept[:200], windows.data.select(kept[:200]), REQUIREMENTS)
    inside = np.array([5, 0, 5])
    got = read_windows(dict(piece.arrays), inside, REQUIREMENTS)
    np.testing.assert_array_equal(got.future_m, windows.data.select(kept[inside]).future_m)


def test_what_references_do_not_give_is_stored(crossing: Scene, tmp_path: Path) -> None:
    blind = replace(
        crossing, yaw_valid=np.zeros_like(crossing.yaw_valid), velocity_valid=np.zeros_like(crossing.velocity_valid)
    )
    windows = made(tmp_path, blind)  # headings and neighbours are those of a track store
    assert stored_as_arrays(windows) == {"neighbours"}
    derived = with_derived_velocities(windows.data)
    assert stored_as_arrays(windows, derived) == {"neighbours", "velocity_mps", "velocity_valid"}
    between = made(tmp_path, crossing, replace(SOURCE, densify=3, stride=30, rate_hz=7.0, map_shift_m=2.0))
    assert "position_m" not in stored_as_arrays(between)
    nothing = made(tmp_path, replace(crossing, lanes=()), requirements=InputRequirements())
    assert not stored_as_arrays(nothing, requirements=InputRequirements())


def test_a_map_larger_than_what_is_seen_of_it_is_not_kept(
    crossing: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAP_TIMES", 0)
    assert {"map_distance"} <= stored_as_arrays(made(tmp_path, crossing)) <= {"map_distance", "map_valid"}


def test_references_take_a_fraction_of_the_arrays(crossing: Scene, tmp_path: Path) -> None:
    windows = made(tmp_path, crossing, replace(SOURCE, stride=2))
    by_reference = list(scene_pieces(windows, np.arange(len(windows.data)), windows.data, REQUIREMENTS))
    as_arrays = list(as_they_are(windows.data))
    assert [piece.rows for piece in by_reference] == [piece.rows for piece in as_arrays]
    sizes = [sum(len(packed(piece.arrays)) for piece in pieces) for pieces in (by_reference, as_arrays)]
    assert 3 * sizes[0] < sizes[1]


@pytest.mark.parametrize(
    "column",
    [
        [1.25, -3.5, 0.0, -0.0, 1e-3],
        [0.1 + 0.2, 0.3, 7.000000000000001],
        [np.pi, -np.e, 1e300, 5e-324, -1e-9],
        [np.nan, np.inf, -np.inf, 1.0],
        [5_000_000.123, 5_000_001.5],
        [],
    ],
)
def test_every_bit_of_a_column_comes_back(column: list[float]) -> None:
    values: FloatArray = np.array([column, np.arange(len(column)) * 0.5])
    assert unpacked_columns(packed_columns(values)).tobytes() == values.tobytes()


def test_decimals_are_kept_as_integers_alone() -> None:
    arrays = packed_columns(np.array([[10.25, 10.5, 10.0], [1.234, 1.235, 1.236]]))
    assert arrays["decimals"].tolist() == [2, 3]
    assert arrays["step"].tolist() == [[1025, 25, -50], [1234, 1, 1]]
    assert "rest" not in arrays


def test_pieces_are_the_same_however_many_windows_are_looked_up_at_once(
    crossing: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    windows = made(tmp_path, crossing, replace(SOURCE, stride=2))
    monkeypatch.setattr(module, "WINDOWS", 16)
    kept, whole = np.arange(1, len(windows.data), 2), []
    for block in (10_000, 32):
        monkeypatch.setattr(module, "BLOCK", block)
        pieces = list(scene_pieces(windows, kept, windows.data.select(kept), REQUIREMENTS))
        assert len(pieces) > 4
        whole.append([packed(piece.arrays) for piece in pieces])
        again = joined([read_windows(dict(p.arrays), np.arange(p.rows), REQUIREMENTS) for p in pieces])
        np.testing.assert_array_equal(again.neighbours, windows.data.neighbours[kept])
    assert whole[0] == whole[1]
