"""The surroundings of recorded windows are those of the road: the same as streamed, and nothing of the future."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.frames import frame, observed
from tests.neighbours import named
from trajnet.arrays import concat
from trajnet.columns import NEIGHBOUR_COLUMNS
from trajnet.context.map_field import MapView, field_of, make_field
from trajnet.context.surroundings import InputRequirements, Surroundings
from trajnet.datasets import window_context
from trajnet.datasets.files import load_scene
from trajnet.datasets.window_context import nothing_around, scene_surroundings, window_surroundings
from trajnet.datasets.windows import sliding_windows
from trajnet.errors import InputError
from trajnet.evaluate.units import WindowUnit
from trajnet.inference import ConstantVelocity, Stream
from trajnet.inference.base import BasePredictor
from trajnet.scenes import write_scene
from trajnet.tracking.store import Observations, TrackPolicy
from trajnet.types import BoolArray, FloatArray, IntArray, Prediction, Scene

SCENES = Path(__file__).resolve().parents[3] / "sim" / "scenes"
VIEW = MapView(ahead_m=20.0, behind_m=8.0, side_m=8.0, step_m=2.0, patch=3)
REQUIREMENTS = InputRequirements(VIEW, 5)


class Onlooker(BasePredictor):
    """Constant velocity that keeps what it was shown of the surroundings."""

    name, modes, requirements = "onlooker", 1, REQUIREMENTS
    time_s: FloatArray = np.arange(1.0, 5.0) * 0.5

    def __init__(self) -> None:
        self.seen: list[Observations] = []

    def predict(self, observations: Observations) -> Prediction:
        self.seen.append(observations)
        return ConstantVelocity(self.time_s).predict(observations)


def assert_same(got: Surroundings, expected: Surroundings) -> None:
    for f in fields(Surroundings):
        np.testing.assert_array_equal(getattr(got, f.name), getattr(expected, f.name), err_msg=f.name)


@pytest.fixture(scope="module")
def scene() -> Scene:
    """A crossing with lanes, of which half of the rows lost their yaw and a third their velocity."""
    whole = load_scene(SCENES / "crossing_small.parquet", with_map=True)
    assert whole.lanes or whole.raster
    draw = np.random.default_rng(0).random((2, len(whole.row_frame)))
    return replace(
        whole, yaw_valid=whole.yaw_valid & (draw[0] < 0.5), velocity_valid=whole.velocity_valid & (draw[1] < 0.7)
    )


def test_windows_see_what_a_stream_sees(scene: Scene) -> None:
    onlooker = Onlooker()
    stream = Stream.for_scene(scene, onlooker, TrackPolicy(filter_positions=False))  # windows are as recorded
    for one in scene.frames():
        stream.update(one, one.timestamp_ns)
    draw = np.random.default_rng(1)
    rows = draw.permutation(len(scene.row_frame))[:300]
    got = scene_surroundings(scene, rows, REQUIREMENTS)
    filled = [s for s in onlooker.seen if len(s)]
    assert sum(map(len, filled)) == len(scene.row_frame)
    everyone = concat([s.surroundings for s in filled if s.surroundings is not None])
    assert_same(got, everyone.select(rows))
    assert got.map_valid.all()
    valid = named(got.neighbours).valid
    assert valid.any()
    assert not valid.all()
    assert len(np.unique(got.map_distance[..., 0])) > 50


def test_observations_see_each_other_and_the_map() -> None:
    """By hand: one whose velocity is measured, one of whom only the steady velocity is known, one that is new."""
    places = [{"a": (0.0, 0.0), "b": (4.0, 3.0)}, {"a": (1.0, 0.0), "b": (4.0, 4.0), "c": (-6.0, 0.0)}]
    first = frame(0.0, places[0], yaw=[0.0, 1.5], velocity=[(9.0, 9.0), (9.0, 9.0)])
    then = frame(0.5, places[1], yaw=[0.1, 1.6, 2.0], velocity=(5.0, 0.0), size=[(4.0, 2.0), (6.0, 3.0), (1.0, 1.0)])
    measured = np.array([True, False, False])
    then = replace(then, velocity_valid=measured, velocity_mps=np.where(measured[:, None], then.velocity_mps, np.nan))
    seen = observed(first, then)
    field = make_field(np.array([-50.0, -50.0]), 4.0, {"drivable": np.arange(400)[:, None] < np.full((400, 400), 204)})
    got = seen.make_surroundings(REQUIREMENTS, field)
    near = named(got.neighbours)
    assert near.valid.tolist() == [[True, True, False, False, False]] * 3
    assert near.offset_m[:, :2].tolist() == [[[3, 4], [-7, 0]], [[-3, -4], [-10, -4]], [[7, 0], [10, 4]]]
    assert seen.steady_velocity_mps[1].tolist() != [0.0, 2.0]  # the first velocity was measured, and still counts
    velocity_mps = [[5.0, 0.0], seen.steady_velocity_mps[1].tolist(), [0.0, 0.0]]
    for row, others in enumerate([[1, 2], [0, 2], [0, 1]]):
        for found, wanted in (
            (near.velocity_mps, velocity_mps), (near.yaw_rad, [0.1, 1.6, 2.0]), (near.size_m, [[4, 2], [6, 3], [1, 1]])
        ):  # fmt: skip
            np.testing.assert_allclose(found[row, :2], [wanted[other] for other in others], rtol=1e-5)
    assert got.map_valid.all()
    np.testing.assert_array_equal(got.map_distance, field.sample(seen.position_m, seen.yaw_rad, VIEW))
    assert len(np.unique(got.map_distance[..., 0])) > 10
    blind = seen.make_surroundings(InputRequirements(VIEW), None)
    assert blind.neighbours.shape == (3, 0, len(NEIGHBOUR_COLUMNS))
    assert not blind.map_valid.any()


def test_nothing_of_the_future_is_in_them(scene: Scene) -> None:
    """Everything after a frame is changed, taken away, or joined by others: what was seen until then stays."""
    last = scene.frame_count // 2
    rows = np.flatnonzero((scene.row_frame <= last) & (scene.row_frame > last - 20))
    expected = scene_surroundings(scene, rows, REQUIREMENTS)
    later = scene.row_frame > last
    noise_m = np.random.default_rng(2).normal(scale=9.0, size=(len(later), 2))
    shaken = replace(
        scene,
        position_m=scene.position_m + np.where(later[:, None], noise_m, 0.0),
        yaw_rad=np.where(later, scene.yaw_rad + 1.0, scene.yaw_rad),
        velocity_mps=scene.velocity_mps + np.where(later[:, None], 5.0, 0.0),
        yaw_valid=np.where(later, ~scene.yaw_valid, scene.yaw_valid) & np.isfinite(scene.yaw_rad),
    )
    assert_same(scene_surroundings(shaken, rows, REQUIREMENTS), expected)
    names = ("row_frame", "row_track", "position_m", "yaw_rad", "yaw_valid", "velocity_mps", "velocity_valid")
    cut = replace(scene, **{name: getattr(scene, name)[~later] for name in (*names, "is_target")})
    assert_same(scene_surroundings(cut, rows, REQUIREMENTS), expected)


def test_the_past_is_in_them(scene: Scene) -> None:
    """Without measurements, headings and velocities come from what was seen before."""
    blind = replace(scene, yaw_valid=np.zeros_like(scene.yaw_valid), velocity_valid=np.zeros_like(scene.velocity_valid))
    rows = np.flatnonzero(scene.row_frame == scene.frame_count // 2)
    got = scene_surroundings(blind, rows, REQUIREMENTS)
    known: BoolArray = np.all(np.isfinite(scene.velocity_mps), axis=1)
    measured = scene_surroundings(replace(scene, velocity_valid=known), rows, REQUIREMENTS)
    derived, true = named(got.neighbours), named(measured.neighbours)
    np.testing.assert_array_equal(derived.offset_m, true.offset_m)
    assert np.abs(derived.velocity_mps).max() > 2.0
    np.testing.assert_allclose(derived.velocity_mps, true.velocity_mps, atol=1.5)


def test_rows_may_be_asked_for_in_any_order_and_twice(scene: Scene) -> None:
    rows = np.array([400, 3, 3, 250, 0])
    got = scene_surroundings(scene, rows, REQUIREMENTS)
    for i, row in enumerate(rows):
        assert_same(got.select(np.array([i])), scene_surroundings(scene, np.array([row]), REQUIREMENTS))
    assert len(scene_surroundings(scene, np.zeros(0, np.int64), REQUIREMENTS)) == 0


def test_a_given_map_is_looked_at_instead_of_the_scenes(scene: Scene) -> None:
    rows = np.arange(5)
    field = make_field(np.array([-1e3, -1e3]), 0.1, {"drivable": np.ones((200, 200), np.bool_)})
    assert (scene_surroundings(scene, rows, REQUIREMENTS, field).map_distance[..., 0] == 127).all()
    bare = replace(scene, lanes=(), raster=None)
    assert not scene_surroundings(bare, rows, REQUIREMENTS).map_valid.any()
    assert scene_surroundings(bare, rows, REQUIREMENTS, field).map_valid.all()


def test_a_moved_map_is_seen_as_from_the_other_side(scene: Scene) -> None:
    rows = np.array([400, 3, 250])
    shift_m = np.array([[0.0, 0.0], [2.0, -1.0], [-1.5, 0.5]])
    moved = scene_surroundings(scene, rows, REQUIREMENTS, map_shift_m=shift_m)
    for i in range(len(rows)):
        field = field_of(scene.lanes, scene.raster)
        assert field is not None
        there = replace(field, origin_m=field.origin_m + shift_m[i])
        expected = scene_surroundings(scene, rows[i : i + 1], REQUIREMENTS, there)
        assert_same(moved.select(np.array([i])), expected)


def test_windows_of_several_scenes_keep_their_order_and_find_their_scene(scene: Scene, tmp_path: Path) -> None:
    files, parts = [], []
    (tmp_path / "town").mkdir()
    (tmp_path / "village").mkdir()
    for name, shift in (("town/a", 0.0), ("village/a", 1.0), ("town/b", 3.0)):
        one = replace(scene, scene_id=name, position_m=scene.position_m * (1.0 + shift), lanes=(), raster=None)
        files.append(tmp_path / f"{name}.parquet")
        write_scene(one, files[-1])
        parts.append(sliding_windows(one, np.linspace(-1.0, 0.0, 11), Onlooker.time_s, stride=25, min_future_s=1.0))
    windows = concat(parts)
    order = np.random.default_rng(0).permutation(len(windows))
    requirements = InputRequirements(neighbours=3)
    got = window_surroundings(windows.select(order), files[::-1], requirements)
    expected = concat(
        [scene_surroundings(load_scene(f), p.row, requirements) for f, p in zip(files, parts, strict=True)]
    )
    assert_same(got, expected.select(order))
    with pytest.raises(InputError, match="expected one file of scene 'town/b' among 2, found 0"):
        window_surroundings(windows, files[:2], requirements)
    assert_same(
        window_surroundings(windows, [], InputRequirements()), nothing_around(len(windows), InputRequirements())
    )


def test_in_lockstep_windows_are_no_neighbours_and_see_their_own_surroundings() -> None:
    path = SCENES / "crossing_small.parquet"
    scene = load_scene(path, with_map=True)
    windows = sliding_windows(scene, np.linspace(-1.0, 0.0, 11), Onlooker.time_s, stride=40, min_future_s=1.0)
    onlooker = Onlooker()
    unit = WindowUnit(windows, "", (path,))
    list(unit.run(Stream(onlooker), Onlooker.time_s))
    last = onlooker.seen[-1]
    assert last.surroundings is not None
    assert_same(last.surroundings, scene_surroundings(scene, windows.row, REQUIREMENTS))
    for seen in onlooker.seen[:-1]:
        assert seen.surroundings is not None
        assert not seen.surroundings.neighbours.any()
        assert not seen.surroundings.map_valid.any()


def test_where_all_was_measured_nothing_need_be_streamed(scene: Scene) -> None:
    """The short way must tell what a TrackStore would: with yaws of several turns, gaps, tracks that come and go."""
    draw = np.random.default_rng(3)
    everything = np.ones(len(scene.row_frame), np.bool_)
    kept = np.flatnonzero(draw.random(len(scene.row_frame)) < 0.8)
    measured = replace(
        scene, yaw_valid=everything, velocity_valid=everything,
        yaw_rad=scene.yaw_rad + 2.0 * np.pi * draw.integers(-2, 3, len(scene.row_frame)),
    )  # fmt: skip
    measured = rows_of(measured, kept)
    assert window_context._all_measured(measured)
    rows = draw.permutation(len(kept))[:200]
    others = InputRequirements(neighbours=5)
    short, long = (way(measured, rows, others) for way in (window_context._measured, window_context._streamed))
    np.testing.assert_array_equal(short[0], long[0])
    np.testing.assert_array_equal(short[1], long[1])
    assert short[1].any()
    assert len(scene_surroundings(measured, rows[:0], REQUIREMENTS)) == 0


@pytest.mark.parametrize("lost", ["yaw", "velocity", "plausible"])
def test_one_row_that_was_not_measured_is_streamed(scene: Scene, lost: str) -> None:
    everything = np.ones(len(scene.row_frame), np.bool_)
    but_one, fast = everything.copy(), scene.velocity_mps.copy()
    but_one[17] = False
    fast[17] = 500.0
    measured = replace(scene, yaw_valid=everything, velocity_valid=everything)
    changed: dict[str, dict[str, Any]] = {
        "yaw": {"yaw_valid": but_one},
        "velocity": {"velocity_valid": but_one},
        "plausible": {"velocity_mps": fast},
    }
    assert window_context._all_measured(measured)
    assert not window_context._all_measured(replace(measured, **changed[lost]))


def rows_of(scene: Scene, kept: IntArray) -> Scene:
    per_row = [name for name in vars(scene) if name.startswith("row_") or name in {
        "position_m", "yaw_rad", "yaw_valid", "velocity_mps", "velocity_valid", "is_target"}]  # fmt: skip
    return replace(scene, **{name: getattr(scene, name)[kept] for name in per_row})
