"""Lanes drawn as a map: what they cover, and which of their borders divide."""

from __future__ import annotations

import numpy as np
import pytest
import shapely

from trajnet.context.rasterize import MAX_PIXELS, PIXELS_PER_M, borders_of, draw_borders, draw_directions
from trajnet.errors import InputError
from trajnet.geometry import rotate
from trajnet.types import UNIT_VECTOR, BoolArray, FloatArray, Lane


def lane(name: str, line_m: object, width_m: float = 3.0) -> Lane:
    """A lane around a centre line."""
    centre_m = np.array(line_m, np.float64)
    along = np.gradient(centre_m, axis=0)
    normal = np.stack([-along[:, 1], along[:, 0]], axis=1) / np.hypot(*along.T)[:, None]
    return Lane(name, centre_m + 0.5 * width_m * normal, centre_m - 0.5 * width_m * normal, centre_m)


def at(drawn: BoolArray, origin_m: FloatArray, pixels_per_m: float, points_m: object) -> list[bool]:
    pixel = np.floor((np.array(points_m) - origin_m) * pixels_per_m).astype(int)
    return [bool(drawn[x, y]) for x, y in pixel]


def lines_m(drawn: BoolArray, origin_m: FloatArray, pixels_per_m: float) -> FloatArray:
    """The middles of the pixels that are drawn."""
    return (np.argwhere(drawn) + 0.5) / pixels_per_m + origin_m


@pytest.mark.parametrize("seed", range(4))
def test_drivable_is_what_the_lanes_cover(seed: int) -> None:
    random = np.random.default_rng(seed)
    lanes = []
    for i in range(6):
        bends = np.cumsum(random.uniform(-0.3, 0.3, 12)) + random.uniform(-4, 4)
        steps = random.uniform(1.0, 9.0) * np.stack([np.cos(bends), np.sin(bends)], axis=1)
        lanes.append(lane(str(i), random.uniform(-30, 30, 2) + np.cumsum(steps, axis=0), random.uniform(2.0, 5.0)))
    origin_m, pixels_per_m, drawn, _ = draw_borders(borders_of(lanes))
    assert pixels_per_m == PIXELS_PER_M
    middles_m = lines_m(np.ones_like(drawn["drivable"]), origin_m, pixels_per_m)
    outlines = [shapely.Polygon(np.concatenate([each.left_m, each.right_m[::-1]])).buffer(0) for each in lanes]
    area = shapely.union_all(outlines)
    within, without = area.buffer(-0.05), area.buffer(0.05)
    shapely.prepare([within, without])
    drivable = drawn["drivable"].reshape(-1)
    # Where the inner border of a tight bend turns back on itself, pieces and outline differ by what lies there.
    assert drivable[shapely.contains_xy(within, *middles_m.T)].mean() > 0.998
    assert drivable[~shapely.contains_xy(without, *middles_m.T)].mean() < 0.0005


def test_a_lane_whose_borders_have_other_numbers_of_points_is_drawn_whole() -> None:
    left_m = np.array([[0.0, 3.0], [10.0, 3.0], [10.0, 12.0]])
    right_m = np.array([[0.0, 0.0], [5.0, 0.0], [13.0, 0.0], [13.0, 6.0], [13.0, 12.0]])
    origin_m, pixels_per_m, drawn, _ = draw_borders(borders_of([Lane("bend", left_m, right_m, right_m)]))
    inside = [[1.0, 0.2], [9.0, 2.8], [10.2, 3.5], [12.8, 0.3], [12.8, 11.8], [10.2, 11.8]]
    outside = [[1.0, -0.2], [9.0, 3.3], [9.7, 6.0], [13.3, 0.3], [11.0, 12.3], [-0.3, 1.0]]
    assert at(drawn["drivable"], origin_m, pixels_per_m, inside) == [True] * 6
    assert at(drawn["drivable"], origin_m, pixels_per_m, outside) == [False] * 6
    assert not drawn["lane_divider"].any()
    assert not drawn["road_divider"].any()


@pytest.mark.parametrize("angle_rad", [0.0, 0.5, 2.2])
@pytest.mark.parametrize("gap_m", [0.0, 0.2, -0.2])
def test_a_border_divides_by_the_directions_on_its_sides(angle_rad: float, gap_m: float) -> None:
    """Three lanes, the third the other way: dividers at 1.5 and 4.5 m to the left of the first one's centre line."""

    def turned(points: object) -> FloatArray:
        return rotate(np.array(points, np.float64), np.float64(angle_rad))

    rows = [(0.0, 1), (3.0 + gap_m, 1), (6.0 + 2 * gap_m, -1)]
    lanes = [lane(str(y), turned([[0.0, y], [20.0, y], [40.0, y]][::way])) for y, way in rows]
    origin_m, pixels_per_m, drawn, _ = draw_borders(borders_of(lanes))
    for name, expected_m in (("lane_divider", 1.5 + gap_m / 2), ("road_divider", 4.5 + 1.5 * gap_m)):
        along_m = rotate(lines_m(drawn[name], origin_m, pixels_per_m), np.float64(-angle_rad))
        assert np.abs(along_m[:, 1] - expected_m).max() < 1.0
        assert along_m[:, 1].mean() == pytest.approx(expected_m, abs=0.15)
        assert along_m[:, 0].min() == pytest.approx(0.0, abs=0.5)
        assert along_m[:, 0].max() == pytest.approx(40.0, abs=0.5)
        # 1 m wide, as in nuScenes' rasters, and what the borders are apart.
        assert 0.8 < len(along_m) / pixels_per_m**2 / 40.0 < 1.25 + abs(gap_m)


def test_lanes_that_cross_have_no_dividers_where_they_cross() -> None:
    west_east = [lane(f"x{y}", [[-40.0, y], [40.0, y]][::way]) for y, way in ((-1.5, 1), (1.5, -1), (4.5, -1))]
    south_north = [lane(f"y{x}", [[x, -40.0], [x, 40.0]][::way]) for x, way in ((1.5, 1), (-1.5, -1), (-4.5, -1))]
    origin_m, pixels_per_m, drawn, _ = draw_borders(borders_of([*west_east, *south_north]))
    for name, places in (("road_divider", [[-20.0, 0.0], [20.0, 0.0], [0.0, 20.0], [0.0, -20.0]]),
                         ("lane_divider", [[-20.0, 3.0], [20.0, 3.0], [-3.0, 20.0], [-3.0, -20.0]])):  # fmt: skip
        assert at(drawn[name], origin_m, pixels_per_m, places) == [True] * 4
        drawn_m = lines_m(drawn[name], origin_m, pixels_per_m)
        inside = (drawn_m > [-5.0, -2.0]).all(axis=1) & (drawn_m < [2.0, 5.0]).all(axis=1)
        assert not inside.any()


def test_where_a_lane_parts_the_divider_begins_when_it_has_parted() -> None:
    x = np.linspace(0.0, 60.0, 61)
    straight, parting = np.stack([x, np.zeros(61)], axis=1), np.stack([x, -((x / 20.0) ** 2)], axis=1)
    origin_m, pixels_per_m, drawn, _ = draw_borders(
        borders_of([lane("before", [[-30.0, 0.0], [0.0, 0.0]]), lane("on", straight), lane("off", parting)])
    )
    drawn_m = lines_m(drawn["lane_divider"] | drawn["road_divider"], origin_m, pixels_per_m)
    # 3 m apart, side by side, at x = 35 m; before that they overlap by more than a border's tolerance.
    assert drawn_m[:, 0].min() > 25.0
    assert drawn_m[:, 0].max() < 45.0


def test_a_lane_alone_or_across_a_strip_of_grass_has_no_divider() -> None:
    _, _, drawn, _ = draw_borders(
        borders_of([lane("there", [[0.0, 0.0], [50.0, 0.0]]), lane("back", [[50.0, 5.0], [0.0, 5.0]])])
    )
    assert not drawn["road_divider"].any()
    assert not drawn["lane_divider"].any()


def test_a_large_map_has_coarser_pixels_and_a_point_far_away_is_refused() -> None:
    wide = [lane("a", [[691_000.0, 5_334_000.0], [693_000.0, 5_336_000.0]], 40.0)]
    origin_m, pixels_per_m, drawn, _ = draw_borders(borders_of(wide))
    assert 1.0 < pixels_per_m < PIXELS_PER_M
    assert 0.95 * MAX_PIXELS < drawn["drivable"].size < 1.01 * MAX_PIXELS
    middle_m = np.array([[692_000.0, 5_335_000.0], [692_000.0, 5_335_025.0], [692_000.0, 5_335_030.0]])
    assert at(drawn["drivable"], origin_m, pixels_per_m, middle_m) == [True, True, False]
    with pytest.raises(InputError, match="got one of 1000000000 m x 0 m; cut it"):
        draw_borders(borders_of([lane("a", [[0.0, 0.0], [1e9, 0.0]], 0.1)]))


def test_there_is_something_to_draw() -> None:
    point = np.zeros((1, 2))
    with pytest.raises(InputError, match=r"lane with two points on each side or on its centre line, got none"):
        draw_borders(borders_of([Lane("a point", point, point, point)]))


def test_a_lane_with_a_centre_line_alone_is_drawn_as_wide_as_lanes_usually_are() -> None:
    none = np.zeros((0, 2))
    line_m = np.array([[0.0, 0.0], [40.0, 0.0]])
    origin_m, pixels_per_m, drawn, direction = draw_borders(borders_of([Lane("1", none, none, line_m)]))
    across_m = np.array([[20.0, -2.0], [20.0, -1.5], [20.0, 1.5], [20.0, 2.0]])
    assert at(drawn["drivable"], origin_m, pixels_per_m, across_m) == [False, True, True, False]
    assert directions_at(direction, origin_m, pixels_per_m, across_m[1:3]).tolist() == [[1.0, 0.0]] * 2


def test_of_a_lane_the_pieces_that_touch_the_box_are_kept() -> None:
    x_m = np.arange(0.0, 101.0, 10.0)
    winding = np.stack([np.append(x_m, x_m[::-1]), np.repeat([0.0, 50.0], len(x_m))], axis=1)  # there and back
    box = np.array([32.0, -5.0]), np.array([48.0, 60.0])
    one, other = borders_of([Lane("1", winding + [0.0, 1.0], winding - [0.0, 1.0], winding)], box)
    assert one[0].tolist() == [[30, 1], [40, 1], [50, 1]]
    assert other[1].tolist() == [[50, 49], [40, 49], [30, 49]]
    both = borders_of([Lane("1", winding + [0.0, 1.0], winding - [0.0, 1.0], winding, one_way=False)], box)
    assert [left_m[0].tolist() for left_m, _ in both] == [[30, 1], [50, -1], [50, 51], [30, 49]]
    assert borders_of([Lane("1", winding, winding, winding)], (box[0] + 1e6, box[1] + 1e6)) == []


@pytest.mark.parametrize(("length_m", "divided"), [(1.5, False), (3.0, True)])
def test_a_speck_of_a_divider_is_left_out(length_m: float, divided: bool) -> None:
    _, _, drawn, _ = draw_borders(borders_of([lane(str(y), [[0.0, y], [length_m, y]]) for y in (0.0, 3.0)]))
    assert drawn["lane_divider"].any() == divided


def directions_at(direction: np.ndarray, origin_m: FloatArray, pixels_per_m: float, places: object) -> FloatArray:
    pixel = np.floor((np.array(places) - origin_m) * pixels_per_m).astype(int)
    seen: FloatArray = direction[pixel[:, 0], pixel[:, 1]] / UNIT_VECTOR
    return seen


@pytest.mark.parametrize("angle_rad", [0.0, 0.9, 3.0, -2.0])
def test_directions_are_those_of_the_lanes_and_none_beside_them(angle_rad: float) -> None:
    def turned(points: object) -> FloatArray:
        return rotate(np.array(points, np.float64), np.float64(angle_rad))

    there, back = [[-30.0, 0.0], [30.0, 0.0]], [[30.0, 3.0], [-30.0, 3.0]]
    across = [[0.0, -30.0], [0.0, 30.0]]
    lanes = [lane("there", turned(there)), lane("back", turned(back)), lane("across", turned(across))]
    origin_m, pixels_per_m, _, direction = draw_borders(borders_of(lanes))
    assert direction.dtype == np.int8
    places = turned([[20.0, 0.0], [-20.0, 3.0], [0.0, 20.0], [0.0, 0.0], [20.0, 6.0], [-29.0, -3.0]])
    expected = turned([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.5, 0.5], [0.0, 0.0], [0.0, 0.0]])
    np.testing.assert_allclose(directions_at(direction, origin_m, pixels_per_m, places), expected, atol=0.02)


def test_strips_are_drawn_as_far_as_they_are_within() -> None:
    """What lies beyond the canvas is left out: the middle of a larger canvas is the same."""
    random = np.random.default_rng(3)
    borders = []
    for i in range(40):
        bends = np.cumsum(random.uniform(-0.3, 0.3, 12)) + random.uniform(-4, 4)
        steps = random.uniform(1.0, 6.0) * np.stack([np.cos(bends), np.sin(bends)], axis=1)
        strip = lane(str(i), random.uniform(-40, 40, 2) + np.cumsum(steps, axis=0), 3.0)
        borders.append((strip.left_m, strip.right_m))
    whole = draw_directions(borders, np.array([-120.0, -120.0]), 2.0, (480, 480))
    part = draw_directions(borders, np.array([-20.0, -10.0]), 2.0, (70, 50))
    np.testing.assert_array_equal(part, whole[200:270, 220:270])
    assert (part != 0).any(axis=-1).mean() > 0.2
    assert not draw_directions([], np.zeros(2), 1.0, (3, 4)).any()
