"""Distance fields of maps and what objects sample from them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.frames import in_patches
from trajnet.context.distance import distance_px, signed_distance_px
from trajnet.context.map_field import (
    BLOCK,
    CHANNELS,
    FIELD_PIXELS_PER_M,
    HEADINGS,
    INT8_MAX,
    OUTSIDE_MAP,
    REACH_M,
    MapField,
    MapView,
    field_of,
    make_field,
)
from trajnet.context.rasterize import borders_of, draw_borders
from trajnet.datasets.files import load_scene
from trajnet.datasets.folders import part_files
from trajnet.datasets.nuscenes import NUSCENES
from trajnet.errors import ConfigError, InputError
from trajnet.geometry import rotate
from trajnet.types import BoolArray, FloatArray, Lane, RasterMap

#: 5 x 3 points: x = -2, 0, 2, 4, 6 m and y = -2, 0, 2 m.
SMALL = MapView(ahead_m=6.0, behind_m=2.0, side_m=2.0, step_m=2.0)
AHEAD, LEFT, RIGHT = (3, 1, 0), (1, 2, 0), (1, 0, 0)
#: 12 x 9 points in 4 x 3 patches.
PATCHED = MapView(ahead_m=16.0, behind_m=6.0, side_m=8.0, step_m=2.0, patch=3)


def brute_force_px(mask: BoolArray, reach: float) -> FloatArray:
    points = np.argwhere(mask)
    pixels = np.argwhere(np.ones_like(mask))
    if not len(points):
        return np.full(mask.shape, reach)
    distance = np.hypot(*(pixels[:, None] - points[None]).transpose(2, 0, 1)).min(axis=1)
    clipped: FloatArray = np.minimum(distance, reach).reshape(mask.shape)
    return clipped


@pytest.mark.parametrize("seed", range(12))
def test_distances_are_those_to_the_nearest_pixel(seed: int) -> None:
    random = np.random.default_rng(seed)
    shape = tuple(random.integers(1, 40, size=2))
    mask = random.random(shape) < random.choice([0.0, 0.005, 0.05, 0.5])
    reach = float(random.choice([0.5, 3.0, 7.3, 24.0, 150.0]))
    np.testing.assert_allclose(distance_px(mask, reach), brute_force_px(mask, reach), rtol=1e-6)
    first, every = random.integers(0, 4, 2), random.integers(1, 5, 2)
    kept = tuple(slice(a, size - 1, n) for a, size, n in zip(first.tolist(), shape, every.tolist(), strict=True))
    for measured in (distance_px, signed_distance_px):
        np.testing.assert_array_equal(measured(mask, reach, (kept[0], kept[1])), measured(mask, reach)[kept])


def small_field() -> tuple[MapField, dict[str, BoolArray]]:
    """20 m x 10 m from (100, 200) on at 2 pixels per metre: drivable for x below 110 m, a line at y = 207 m."""
    drawn = {name: np.zeros((40, 20), np.bool_) for name in CHANNELS}
    drawn["drivable"][:20] = True
    drawn["lane_divider"][:, 14] = True
    return make_field(np.array([100.0, 200.0]), 2.0, drawn, field_pixels_per_m=np.inf), drawn


@pytest.mark.parametrize("pixels_per_m", [1.0, 1.7, 2.0, 3.0, 4.0, 10.0])
@pytest.mark.parametrize("shape", [(1, 1), (2, 40), (61, 47), (403, 3)])
def test_a_field_keeps_every_nth_pixel_with_the_distances_of_the_fine_drawing(
    pixels_per_m: float, shape: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    random = np.random.default_rng(int(pixels_per_m * 10) + shape[0])
    drawn = {name: random.random(shape) < 0.1 for name in CHANNELS}
    origin_m = np.array([100.0, -200.0])
    fine = make_field(origin_m, pixels_per_m, drawn, field_pixels_per_m=np.inf)
    coarse = make_field(origin_m, pixels_per_m, drawn)
    every = int(pixels_per_m)
    assert fine.pixels_per_m == pixels_per_m
    assert coarse.pixels_per_m == pytest.approx(pixels_per_m / every)
    assert FIELD_PIXELS_PER_M <= coarse.pixels_per_m < 2 * FIELD_PIXELS_PER_M
    for axis, size in enumerate(coarse.distance.shape[:2]):
        assert size - 2 == max(1, (shape[axis] + every - 1 - every // 2) // every)
    # The middle of each of its pixels is the middle of a fine one with the same distances.
    inner = coarse.distance[1:-1, 1:-1]
    for index in np.ndindex(inner.shape[:2]):
        middle_m = coarse.origin_m + (np.array(index) + 0.5) / coarse.pixels_per_m
        pixel = (middle_m - fine.origin_m) * fine.pixels_per_m
        np.testing.assert_allclose(pixel % 1.0, 0.5, atol=1e-6)
        assert inner[index].tolist() == fine.distance[1:-1, 1:-1][tuple(np.floor(pixel).astype(int))].tolist()
    monkeypatch.setattr("trajnet.context.map_field.PART_PIXELS", 1)  # in as many parts as possible
    np.testing.assert_array_equal(make_field(origin_m, pixels_per_m, drawn).distance, coarse.distance)


def metres(samples: np.ndarray, name: str) -> FloatArray:
    return samples[..., CHANNELS.index(name)].astype(np.float64) * REACH_M / INT8_MAX


def test_a_field_holds_metres_and_is_signed_where_one_can_drive() -> None:
    field, _ = small_field()
    point = MapView(ahead_m=0.1, behind_m=0.1, side_m=0.1, step_m=1.0)
    assert point.shape == (1, 1, 1)
    place = np.array([[108.2, 203.2], [112.2, 203.2], [108.2, 206.2], [104.2, 203.2]]) + [0.1, 0.1]
    seen = field.sample(place, np.zeros(4), point)[:, 0, 0, 0]
    # Pixel 16 of 0..19 that are drivable: 4 pixels of half a metre to the first that is not; pixel 24: 5 to the last.
    np.testing.assert_allclose(metres(seen, "drivable")[:2], [2.0, -2.5], atol=0.04)
    np.testing.assert_allclose(metres(seen, "lane_divider"), [4.0, 4.0, 1.0, 4.0], atol=0.04)
    assert (metres(seen, "road_divider") == REACH_M).all()  # drawn nowhere
    assert (seen[:, 3] == 0).all()


def test_the_grid_runs_from_behind_to_ahead_and_from_right_to_left() -> None:
    assert SMALL.grid == (5, 3)
    assert SMALL.shape == (5, 3, 1)
    points_m = SMALL.points_m()
    assert points_m[0, 0, 0].tolist() == [-2.0, -2.0]
    assert points_m[AHEAD].tolist() == [4.0, 0.0]
    assert points_m[LEFT].tolist() == [0.0, 2.0]
    assert MapView().grid == (37, 25)
    assert MapView().shape == (37, 25, 1)


def test_patches_are_the_squares_of_the_grid_each_in_one_piece() -> None:
    assert PATCHED.grid == (12, 9)
    assert PATCHED.shape == (4, 3, 9)
    points_m = PATCHED.points_m()
    assert points_m.shape == (4, 3, 9, 2)
    assert points_m[0, 0].tolist() == [[x, y] for x in (-6.0, -4.0, -2.0) for y in (-8.0, -6.0, -4.0)]
    assert points_m[1, 0, 0].tolist() == [0.0, -8.0]  # the next one ahead
    assert points_m[0, 1, 0].tolist() == [-6.0, -2.0]  # the next one to the left
    assert points_m[-1, -1, -1].tolist() == [16.0, 8.0]
    np.testing.assert_array_equal(points_m, in_patches(replace(PATCHED, patch=1).points_m()[:, :, 0], 3))
    whole = MapView(ahead_m=4.0, behind_m=4.0, side_m=4.0, step_m=2.0, patch=5)
    assert whole.shape == (1, 1, 25)
    np.testing.assert_array_equal(whole.points_m().reshape(5, 5, 2), replace(whole, patch=1).points_m()[:, :, 0])


@pytest.mark.parametrize("patch", [0, -1, -3, 2, 4, 5, 9, 12])
def test_a_patch_that_does_not_divide_the_grid_is_refused(patch: int) -> None:
    message = rf"map\.patch: expected a divisor of the grid's \(12, 9\) points, got {patch}"
    with pytest.raises(ConfigError, match=message):
        replace(PATCHED, patch=patch)


@pytest.mark.parametrize("yaw_rad", [0.0, np.pi / 2, np.pi, -np.pi / 2, 0.3])
@pytest.mark.parametrize("where", [AHEAD, LEFT, RIGHT])
def test_a_dot_is_seen_where_it_lies(yaw_rad: float, where: tuple[int, int, int]) -> None:
    dots = np.zeros((200, 200), np.bool_)
    position_m = np.array([[530.05, -20.05]])
    dot_m = position_m[0] + rotate(SMALL.points_m()[where], np.float64(yaw_rad))
    origin_m = np.array([500.0, -50.0])
    dots[tuple(np.floor((dot_m - origin_m) * 3.0).astype(int))] = True
    field = make_field(origin_m, 3.0, {"road_divider": dots}, field_pixels_per_m=np.inf)
    seen = field.sample(position_m, np.array([yaw_rad]), SMALL)
    distance_m = metres(seen[0], "road_divider")
    assert tuple(map(int, np.unravel_index(distance_m.argmin(), SMALL.shape))) == where
    assert distance_m[where] < 0.5  # a pixel of a third of a metre further at most, with the nearest yaw
    opposite = {AHEAD: (0, 1, 0), LEFT: RIGHT, RIGHT: LEFT}[where]
    apart_m = np.hypot(*(SMALL.points_m()[opposite] - SMALL.points_m()[where]))
    assert distance_m[opposite] == pytest.approx(apart_m, abs=0.5)


def lane(name: str, line_m: list[list[float]], width_m: float = 3.0, *, drivable: bool = True) -> Lane:
    """A lane around a centre line."""
    centre_m = np.array(line_m, np.float64)
    along = np.gradient(centre_m, axis=0)
    normal = np.stack([-along[:, 1], along[:, 0]], axis=1) / np.hypot(*along.T)[:, None]
    half = 0.5 * width_m * normal
    return Lane(name, centre_m + half, centre_m - half, centre_m, drivable)


def a_street(angle_rad: float = 0.0, offset_m: tuple[float, float] = (0.0, 0.0)) -> list[Lane]:
    """100 m with two lanes towards +x (y = 1.5 and 4.5 m), one towards -x (7.5 m), a pavement along them (10.5 m)."""
    east, north = [[0.0, 1.5], [100.0, 1.5]], [[0.0, 4.5], [100.0, 4.5]]
    west, pavement = [[100.0, 7.5], [0.0, 7.5]], [[0.0, 10.5], [100.0, 10.5]]

    def moved(line: list[list[float]]) -> list[list[float]]:
        place_m: list[list[float]] = (rotate(np.array(line), angle_rad) + offset_m).tolist()
        return place_m

    lanes = [lane(name, moved(line)) for name, line in (("right", east), ("left", north), ("back", west))]
    return [*lanes, lane("walk", moved(pavement), drivable=False)]


def test_lanes_are_drawn_with_the_dividers_between_them() -> None:
    field = make_field(*draw_borders(borders_of(a_street())), field_pixels_per_m=np.inf)
    column = MapView(ahead_m=0.1, behind_m=0.1, side_m=12.0, step_m=0.5)
    seen = field.sample(np.array([[50.0, 5.0]]), np.zeros(1), column)[0, 0, :, 0]
    y_m = 5.0 + column.points_m()[0, :, 0, 1]
    np.testing.assert_allclose(metres(seen, "drivable"), np.clip(np.minimum(y_m, 9.0 - y_m), -8, 8), atol=0.5)
    for name, at_m in (("lane_divider", 3.0), ("road_divider", 6.0)):
        expected_m = np.clip(np.abs(y_m - at_m) - 0.33, 0.0, REACH_M)  # a line is three pixels wide
        np.testing.assert_allclose(metres(seen, name), expected_m, atol=0.4)


@pytest.mark.parametrize(
    ("angle_rad", "offset_m"), [(0.7, (0.0, 0.0)), (-2.4, (-31.3, 12.6)), (1.1, (691_234.4, 5_334_567.9))]
)
def test_who_moves_with_the_map_sees_the_same(angle_rad: float, offset_m: tuple[float, float]) -> None:
    position_m, yaw_rad = np.array([[20.0, 1.5], [70.0, 4.0], [95.0, 8.0]]), np.array([0.0, 0.2, 3.1])
    here, there = field_of(a_street(), None), field_of(a_street(angle_rad, offset_m), None)
    assert here is not None
    assert there is not None
    before = here.sample(position_m, yaw_rad, MapView())
    after = there.sample(rotate(position_m, np.float64(angle_rad)) + offset_m, yaw_rad + angle_rad, MapView())
    difference_m = np.abs(before.astype(float) - after) * REACH_M / INT8_MAX
    assert difference_m.max() < 3.0  # pixels fall otherwise at the ends of lines, and yaws between two headings
    assert difference_m.mean() < 0.2


def test_a_view_with_directions_says_which_way_traffic_goes() -> None:
    """Where it is drivable, how far the next divider of either kind is, and the direction in map axes."""
    field = make_field(*draw_borders(borders_of(a_street())))
    column = MapView(ahead_m=0.1, behind_m=0.1, side_m=12.0, step_m=0.5)
    where = (np.array([[50.0, 5.0], [-50.0, 5.0]]), np.array([0.0, 0.4]))
    plain, directed = field.sample(*where, column), field.sample(*where, replace(column, directions=True))
    np.testing.assert_array_equal(directed[..., 0], plain[..., 0])
    np.testing.assert_array_equal(directed[..., 1], plain[..., 1:3].min(axis=-1))
    assert (plain[..., 3] == 0).all()
    y_m = 5.0 + column.points_m()[0, :, 0, 1]
    towards = np.where((y_m > 0.5) & (y_m < 5.5), 127, np.where((y_m > 6.5) & (y_m < 8.5), -127, 0))
    clear = np.abs(y_m[:, None] - [0.0, 6.0, 9.0]).min(axis=1) > 1.0  # of where pixels of a metre change
    assert clear.sum() > 20
    assert directed[0, 0, clear, 0, 2].tolist() == towards[clear].tolist()
    assert (directed[0, ..., 3] == 0).all()
    assert (directed[1, ..., 2:] == 0).all()  # not known beyond the map


def test_a_raster_without_directions_has_none_to_show() -> None:
    drivable = np.ones((40, 40), np.bool_)
    direction = np.zeros((40, 40, 2), np.int8)
    direction[..., 1] = np.arange(40)[:, None]
    here = (np.array([[5.0, 5.0]]), np.zeros(1))
    point = MapView(ahead_m=0.1, behind_m=0.1, side_m=0.1, step_m=1.0, directions=True)
    for known, expected in (
        (None, [0, 0]),
        (direction, [0, 19]),
    ):  # of 18 to 20, which lie in the 7th metre, the middle
        field = field_of((), RasterMap(np.array([-1.9, -1.9]), 3.0, drivable, direction=known))
        assert field is not None
        assert field.sample(*here, point).reshape(4)[2:].tolist() == expected


def test_lanes_look_as_a_raster_of_the_same_street_does() -> None:
    drawn = {name: np.zeros((360, 90), np.bool_) for name in CHANNELS}
    drawn["drivable"][30:330, 30:57] = True  # x 0..100 m, y 0..9 m from (-10, -10)
    drawn["lane_divider"][30:330, 38:41] = True
    drawn["road_divider"][30:330, 47:50] = True
    raster = RasterMap(np.array([-10.0, -10.0]), 3.0, drawn["drivable"], drawn["road_divider"], drawn["lane_divider"])
    painted, from_lanes = field_of((), raster), field_of(a_street(), None)
    assert painted is not None
    assert from_lanes is not None
    where = (np.array([[30.0, 1.5], [60.0, 7.5]]), np.array([0.0, np.pi]))
    a, b = painted.sample(*where, MapView()), from_lanes.sample(*where, MapView())
    assert np.abs(a.astype(int) - b).max() * REACH_M / INT8_MAX < 0.75
    assert (a != INT8_MAX).any(axis=(0, 1, 2, 3))[:3].all()


def test_a_raster_comes_first_and_without_a_map_there_is_no_field() -> None:
    assert field_of((), None) is None
    assert field_of([lane("walk", [[0.0, 0.0], [9.0, 0.0]], drivable=False)], None) is None
    bare = field_of(a_street(), RasterMap(np.zeros(2), 1.0, np.ones((4, 4), np.bool_)))
    assert bare is not None
    assert bare.distance.shape == (6, 6, 4)
    assert (bare.distance[..., 1:3] == INT8_MAX).all()


def test_beyond_the_field_nothing_is_drivable_and_no_line_is_near() -> None:
    field, _ = small_field()
    nan, inf = np.nan, np.inf
    place = [[500.0, 200.0], [-1e30, 200.0], [1e300, 1e300], [nan, 205.0], [105.0, inf], [105.0, 205.0], [-inf, -inf]]
    yaw = np.array([0.0, 1.0, 2.0, 0.0, 0.0, nan, inf])
    with np.errstate(all="raise"):
        seen = field.sample(np.array(place), yaw, MapView())
    beyond = [0, 1, 2, 3, 4, 6]
    assert (metres(seen[beyond], "drivable") < 0).all()
    assert (metres(seen[beyond], "road_divider") == REACH_M).all()
    assert (seen[beyond] == OUTSIDE_MAP).all()
    assert (metres(seen[5], "lane_divider") < REACH_M).any()  # where it is, with some yaw
    assert field.sample(np.zeros((0, 2)), np.zeros(0), MapView()).shape == (0, 37, 25, 1, 4)
    assert field.sample(np.zeros((0, 2)), np.zeros(0), PATCHED).shape == (0, 4, 3, 9, 4)


@pytest.mark.parametrize("name", ["ahead_m", "behind_m", "side_m", "step_m"])
@pytest.mark.parametrize("value", [0.0, -1.0, np.nan, np.inf])
def test_a_view_has_a_size(name: str, value: Any) -> None:
    with pytest.raises(ConfigError, match=f"map.{name}: expected a number above 0"):
        MapView(**{name: value})


def test_a_view_does_not_reach_further_than_anybody_looks() -> None:
    assert MapView(ahead_m=300.0, behind_m=400.0, side_m=300.0, step_m=100.0).grid == (8, 7)
    with pytest.raises(ConfigError, match=r"map: expected points within 500 m, got 501 m"):
        MapView(ahead_m=10.0, behind_m=400.0, side_m=302.0, step_m=100.0)


def test_a_map_that_is_too_large_is_refused() -> None:
    with pytest.raises(InputError, match=r"at most 16 square kilometres, got one of 9000 m x 9000 m; cut it"):
        field_of([lane("1", [[0.0, 0.0], [9000.0, 9000.0]], width_m=0.001)], None)


def test_nuscenes_vehicles_are_on_drivable_and_near_lines(data_dir: Path) -> None:
    pytest.importorskip("PIL", reason="pillow is not installed")
    here = MapView(ahead_m=0.1, behind_m=0.1, side_m=0.1, step_m=1.0)
    seen = []
    for file in part_files(NUSCENES, [data_dir], "val")[::20]:
        scene = load_scene(file, with_map=True)
        field = field_of(scene.lanes, scene.raster)
        assert field is not None
        seen.append(field.sample(scene.position_m, scene.yaw_rad, here)[:, 0, 0, 0])
    samples = np.concatenate(seen)
    assert (metres(samples, "drivable") > 0).mean() > 0.99
    assert (metres(samples, "lane_divider") < 4.0).mean() > 0.3
    assert (metres(samples, "road_divider") < REACH_M).mean() > 0.3


def noise_field() -> MapField:
    """Every pixel is another one."""
    pixels = np.random.default_rng(5).integers(-128, 128, (602, 452, 4)).astype(np.int8)
    return MapField(np.array([-3.0, 8.0]), 3.0, pixels)


#: More objects than are sampled at once, some of them beyond noise_field, all of them within it.
MANY = 2 * BLOCK + 6
SOMEWHERE = ((-60.0, 260.0), (95.0, 96.0))


@pytest.mark.parametrize("view", [MapView(), PATCHED], ids=["points", "patches"])
@pytest.mark.parametrize(("low_m", "high_m"), SOMEWHERE)
def test_samples_are_the_pixels_below_the_points(view: MapView, low_m: float, high_m: float) -> None:
    random, field = np.random.default_rng(5), noise_field()
    position_m, yaw_rad = random.uniform(low_m, high_m, (MANY, 2)), random.uniform(-4.0, 4.0, MANY)
    # In the middle of its quarter of a pixel, with the nearest yaw that there is.
    place_px = 0.5 * (np.floor(2.0 * (position_m - field.origin_m) * 3.0) + 0.5)
    heading_rad = np.rint(yaw_rad * HEADINGS / (2.0 * np.pi)) * (2.0 * np.pi / HEADINGS)
    points_px = place_px[:, None, None, None] + 3.0 * rotate(view.points_m(), heading_rad[:, None, None, None])
    pixel = np.floor(points_px).astype(int) + 1
    inside = ((pixel >= 0) & (pixel < field.distance.shape[:2])).all(axis=-1, keepdims=True)
    there = np.where(inside, pixel, 0)
    expected = np.where(inside, field.distance[there[..., 0], there[..., 1]], OUTSIDE_MAP)
    seen = field.sample(position_m, yaw_rad, view)
    assert seen.shape == (MANY, *view.shape, 4)
    assert (seen != expected).any(axis=-1).mean() < 1e-3  # on the edge of a pixel it falls to either side
    points_m = position_m[:, None, None, None] + rotate(view.points_m(), yaw_rad[:, None, None, None])
    away_px = np.abs(points_px - (points_m - field.origin_m) * 3.0).max(axis=(0, -1))
    assert (away_px <= 0.25 + 3.0 * np.hypot(*np.moveaxis(view.points_m(), -1, 0)) * np.pi / HEADINGS + 1e-9).all()
    one_by_one = [field.sample(position_m[i : i + 1], yaw_rad[i : i + 1], view)[0] for i in range(MANY)]
    assert np.array_equal(seen, one_by_one)
    into = np.zeros_like(seen)
    field.prepare(view)  # with the table, the same
    assert field.sample(position_m, yaw_rad, view, into) is into
    assert np.array_equal(into, seen)


@pytest.mark.parametrize(("low_m", "high_m"), SOMEWHERE)
def test_patches_hold_what_the_points_of_the_grid_hold(low_m: float, high_m: float) -> None:
    random, field = np.random.default_rng(6), noise_field()
    position_m, yaw_rad = random.uniform(low_m, high_m, (MANY, 2)), random.uniform(-4.0, 4.0, MANY)
    grid = field.sample(position_m, yaw_rad, replace(PATCHED, patch=1))
    assert grid.shape == (MANY, 12, 9, 1, 4)
    expected = np.stack([in_patches(one[:, :, 0], 3) for one in grid])
    np.testing.assert_array_equal(field.sample(position_m, yaw_rad, PATCHED), expected)


@pytest.mark.parametrize("view", [PATCHED, replace(PATCHED, directions=True)])
def test_what_some_objects_see_can_be_kept_without_the_field(view: MapView) -> None:
    field = noise_field()
    draw = np.random.default_rng(3)
    for low_m, high_m, count in ((-60.0, 60.0, 40), (5.0, 9.0, 3), (900.0, 901.0, 2), (0.0, 1.0, 0)):
        position_m, yaw_rad = draw.uniform(low_m, high_m, (count, 2)), draw.uniform(-4.0, 4.0, count)
        kept = field.crop(position_m, yaw_rad, view)
        assert kept.planes[0].size <= field.distance[..., 0].size
        np.testing.assert_array_equal(kept.sample(view), field.sample(position_m, yaw_rad, view))
