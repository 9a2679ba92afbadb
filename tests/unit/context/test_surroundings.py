"""What is around an object: who is near, in which order, and that nothing of it depends on the map's axes."""

from __future__ import annotations

import re
import warnings
from dataclasses import fields, replace

import numpy as np
import pytest

from tests.neighbours import named
from tests.replay_scenes import straight_scene
from trajnet.columns import NEIGHBOUR_COLUMNS
from trajnet.context import surroundings
from trajnet.context.map_field import INT8_MAX, MapField, MapView, field_of, make_field
from trajnet.context.surroundings import (
    BLOCK,
    FASTEST_MPS,
    NEIGHBOUR_REACH_M,
    InputRequirements,
    Surroundings,
    covers_place,
    nearest,
    neighbours_of,
    scene_field,
    scene_map,
    surroundings_of,
)
from trajnet.errors import ConfigError, InputError
from trajnet.geometry import rotate, wrap_angle
from trajnet.types import BoolArray, FloatArray, Lane, Scene

VIEW = MapView(ahead_m=10.0, behind_m=4.0, side_m=5.0, step_m=2.0, patch=2)


def near(position_m: FloatArray | list[list[float]], count: int) -> tuple[FloatArray, FloatArray, BoolArray]:
    """Offsets, the neighbours' rows (carried as a velocity) and validity."""
    place = np.asarray(position_m, dtype=np.float64).reshape(-1, 2)
    row = np.arange(len(place), dtype=np.float64)
    velocity, size = np.stack([row, -row], -1), np.stack([row + 10, row + 20], -1)
    neighbours = neighbours_of(count, place, row, velocity, size)
    found = named(neighbours)
    valid, other = found.valid, found.velocity_mps[..., 0]
    assert not neighbours[~valid].any()
    of_each = (found.velocity_mps[..., 1], found.size_m[..., 0], found.size_m[..., 1], np.cos(found.yaw_rad - other))
    for got, wanted in zip(of_each, (-other, other + 10, other + 20, np.ones_like(other)), strict=True):
        np.testing.assert_allclose(got[valid], wanted[valid], rtol=1e-4, atol=1e-4)
    squared_m2 = (found.offset_m**2).sum(-1)
    np.testing.assert_allclose(found.squared_m2[valid], squared_m2[valid], rtol=1e-4, atol=1e-4)
    return found.offset_m, other, valid


def brute(place: FloatArray, count: int) -> list[list[int]]:
    """Rows of each object's nearest, by sorting all of them. One without a finite position has none and is none."""
    lists = []
    for i, here in enumerate(place):
        distance_m = np.hypot(*(place - here).T)
        distance_m[i] = np.inf
        order = np.argsort(np.where(np.isnan(distance_m), np.inf, distance_m), kind="stable")[:count]
        lists.append([j for j in order.tolist() if distance_m[j] <= NEIGHBOUR_REACH_M])
    return lists


def assert_nearest(place: FloatArray, count: int, precision: float = 2e-5) -> None:
    """What neighbours_of finds is what sorting finds, but for the order of those that are equally near to precision.

    Distances are float32 whose last bits give way to the row: right to 1.5 parts in 100,000 for up to 256 objects.
    """
    offset, row, valid = near(place, count)
    apart = 0
    for i, wanted in enumerate(brute(place, count)):
        found = row[i][valid[i]].astype(int).tolist()
        assert valid[i].tolist() == [True] * len(wanted) + [False] * (count - len(wanted))
        assert len({*found, i}) == len(found) + 1, "twice the same, or itself"
        np.testing.assert_allclose(offset[i, : len(found)], place[found] - place[i], rtol=1e-6)
        distance_m, expected_m = (np.hypot(*(place[rows] - place[i]).T) for rows in (found, wanted))
        np.testing.assert_allclose(distance_m, expected_m, rtol=precision, atol=2e-5)
        apart += int(np.sum(np.array(found) != wanted))
    assert apart <= 4e-3 * place.shape[0] * min(count, place.shape[0]), "too many to be equally near"


def test_the_nearest_come_first() -> None:
    offset, row, valid = near([[0, 0], [5, 0], [-1, 0], [0, 3]], 2)
    assert row[0].tolist() == [2, 3]
    assert offset[0].tolist() == [[-1, 0], [0, 3]]
    assert row[1].tolist() == [0, 3]
    assert offset[1].tolist() == [[-5, 0], [-5, 3]]
    assert valid.all()


@pytest.mark.parametrize("count", [1, 3, 8, 49, 60])
def test_they_are_those_that_sorting_everybody_finds(count: int) -> None:
    place = np.random.default_rng(count).uniform(-60, 60, (50, 2)) + [4.5e5, 5.4e6]
    offset, row, valid = near(place, count)
    for i, wanted in enumerate(brute(place, count)):
        assert row[i][valid[i]].astype(int).tolist() == wanted
        assert valid[i].tolist() == [True] * len(wanted) + [False] * (count - len(wanted))
        np.testing.assert_allclose(offset[i, : len(wanted)], place[wanted] - place[i], rtol=1e-6)


@pytest.mark.parametrize("count", [1, 8, BLOCK + 6, 250])
@pytest.mark.parametrize("objects", [BLOCK - 1, BLOCK, BLOCK + 1, 2 * BLOCK, 200])
def test_more_objects_than_are_looked_at_at_once(objects: int, count: int) -> None:
    assert_nearest(np.random.default_rng(objects + count).uniform(-60, 60, (objects, 2)) + [4.5e5, 5.4e6], count)


def test_a_thousand_objects_leave_fewer_bits_to_the_distance() -> None:
    assert_nearest(np.random.default_rng(0).uniform(-150, 150, (1000, 2)), 8, precision=7e-5)


@pytest.mark.parametrize("block", [1, 7, BLOCK, 1000])
@pytest.mark.parametrize("lost", [False, True])
def test_how_many_are_looked_at_at_once_makes_no_difference(
    block: int, lost: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = np.random.default_rng(3).uniform(-60, 60, (150, 2))
    place[40:43] = place[140:142] = 1.0  # equally near to all, in different blocks
    if lost:
        place[::9, 0] = np.nan
    other, valid = nearest(place, 6)
    monkeypatch.setattr(surroundings, "BLOCK", block)
    again, still = nearest(place, 6)
    np.testing.assert_array_equal(valid, still)
    np.testing.assert_array_equal(other[valid], again[valid])
    assert valid.any()


def test_those_equally_near_come_in_the_order_of_their_rows_from_every_block() -> None:
    place = np.full((3 * BLOCK, 2), 5.0)
    rows = np.arange(len(place))
    other, valid = nearest(place, len(place) - 1)
    assert valid.all()
    for i in (0, 1, BLOCK - 1, BLOCK, 2 * BLOCK + 3, len(place) - 1):
        assert other[i].tolist() == np.delete(rows, i).tolist()


@pytest.mark.parametrize("absurd", [np.nan, np.inf, -np.inf, 1e300, -1e30, 1e9, -2e9])
@pytest.mark.parametrize("axis", [0, 1])
def test_lost_objects_in_several_blocks_harm_nobody(absurd: float, axis: int) -> None:
    place = np.random.default_rng(4).uniform(-60, 60, (3 * BLOCK, 2)) + [4.5e5, 5.4e6]
    lost = np.zeros(len(place), np.bool_)
    lost[[0, 1, 17, BLOCK - 1, BLOCK, BLOCK + 9, 2 * BLOCK + 5, 3 * BLOCK - 1]] = True
    broken = place.copy()
    broken[lost, axis] = absurd
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        offset, row, valid = near(broken, 5)
    assert np.isfinite(offset).all()
    if not np.isfinite(absurd):  # else they are near each other, wherever that is
        assert not valid[lost].any()
    assert not np.isin(row[~lost][valid[~lost]], np.flatnonzero(lost)).any()
    nowhere = np.where(lost[:, None], np.nan, place)
    np.testing.assert_array_equal(row[~lost], near(nowhere, 5)[1][~lost])
    assert_nearest(nowhere, 5)


def test_most_may_be_lost() -> None:
    place = np.full((2 * BLOCK, 2), np.nan)
    place[[5, BLOCK + 3, 2 * BLOCK - 1]] = [[4.5e5, 5.4e6], [4.5e5 + 3, 5.4e6], [4.5e5, 5.4e6 + 1]]
    _, row, valid = near(place, 2)
    assert np.flatnonzero(valid.any(axis=1)).tolist() == [5, BLOCK + 3, 2 * BLOCK - 1]
    assert row[[5, BLOCK + 3, 2 * BLOCK - 1]].tolist() == [
        [2 * BLOCK - 1, BLOCK + 3], [5, 2 * BLOCK - 1], [5, BLOCK + 3],
    ]  # fmt: skip


def test_nobody_is_a_neighbour_from_further_than_the_reach() -> None:
    _, row, valid = near([[0, 0], [NEIGHBOUR_REACH_M - 0.01, 0], [-NEIGHBOUR_REACH_M - 0.01, 0]], 2)
    assert valid.tolist() == [[True, False], [True, False], [False, False]]
    assert row[:2, 0].tolist() == [1, 0]


def test_those_equally_near_come_in_the_order_of_their_rows_and_no_more_than_asked_for() -> None:
    ring = [[0.0, 0.0], [3.0, 0.0], [0.0, 3.0], [-3.0, 0.0], [0.0, -3.0]]
    for count, wanted in ((1, [1]), (2, [1, 2]), (3, [1, 2, 3]), (4, [1, 2, 3, 4])):
        _, row, valid = near(ring, count)
        assert row[0].tolist() == wanted
        assert valid[0].all()
    _, row, valid = near([[7.0, 7.0]] * 4, 2)  # all at one place
    assert row.tolist() == [[1, 2], [0, 2], [0, 1], [0, 1]]
    assert valid.all()


@pytest.mark.parametrize("count", [0, 1, 5])
@pytest.mark.parametrize("objects", [0, 1, 2])
def test_few_objects(objects: int, count: int) -> None:
    offset, _, valid = near(np.zeros((objects, 2)), count)
    assert offset.shape == (objects, count, 2)
    assert valid.sum() == (2 if objects == 2 and count else 0)


@pytest.mark.parametrize("absurd", [np.nan, np.inf, -np.inf, 1e300, 1e30, 1e9, 9e8])
def test_an_object_at_no_place_is_nobodys_neighbour_and_harms_nobody(absurd: float) -> None:
    place = np.random.default_rng(0).uniform(-10, 10, (6, 2)) + [4.5e5, 5.4e6]
    broken = np.insert(place, 2, [absurd, place[0, 1]], axis=0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        offset, row, valid = near(broken, 3)
    expected_offset, expected_row, _ = near(place, 3)
    others = [0, 1, 3, 4, 5, 6]
    assert not valid[2].any()
    assert valid[others].all()
    assert np.isfinite(offset).all()
    assert (np.array(others)[expected_row.astype(int)] == row[others]).all()
    np.testing.assert_allclose(offset[others], expected_offset)


def test_an_absurd_velocity_spoils_nobody() -> None:
    place, absurd = np.array([[0.0, 0.0], [3.0, 0.0]]), np.array([[1e308, -1e308], [2.0, 0.0]])
    found = named(neighbours_of(1, place, np.zeros(2), absurd, np.ones((2, 2))))
    assert found.velocity_mps[:, 0].tolist() == [[2.0, 0.0], [FASTEST_MPS, -FASTEST_MPS]]


def test_nothing_but_absurd_places() -> None:
    _, _, valid = near([[np.nan, 0], [np.inf, 1], [1e300, -1e300], [-1e300, 1e300]], 2)
    assert not valid.any()


def wall(angle: float) -> MapField:
    """A drivable half plane, x below 2 m before it is turned; drawn much finer than it is looked at."""
    origin, scale = np.array([-40.0, -40.0]), 8.0
    pixel = (np.arange(640) + 0.5) / scale - 40.0
    points = np.stack(np.meshgrid(pixel, pixel, indexing="ij"), -1)
    drivable = rotate(points, np.array(-angle))[..., 0] < 2.0
    return make_field(origin, scale, {"drivable": drivable}, field_pixels_per_m=scale)


@pytest.mark.parametrize("angle", [0.0, 0.4, np.pi / 2, -2.5])
def test_a_turned_scene_has_turned_surroundings(angle: float) -> None:
    draw, turn = np.random.default_rng(1), np.array(angle)
    place, yaw = draw.uniform(-15, 15, (9, 2)), draw.uniform(-3, 3, 9)
    velocity, size = draw.normal(size=(9, 2)), draw.uniform(1, 5, (9, 2))
    requirements = InputRequirements(VIEW, 4)
    plain = surroundings_of(requirements, wall(0.0), place, yaw, velocity, size)
    turned = surroundings_of(requirements, wall(angle), rotate(place, turn), yaw + angle, rotate(velocity, turn), size)
    before, after = named(plain.neighbours), named(turned.neighbours)
    assert before.valid.all()
    assert after.valid.all()
    np.testing.assert_allclose(after.offset_m, rotate(before.offset_m, turn), atol=1e-5)
    np.testing.assert_allclose(after.velocity_mps, rotate(before.velocity_mps, turn), atol=1e-5)
    np.testing.assert_allclose(wrap_angle(after.yaw_rad - before.yaw_rad - angle), 0.0, atol=1e-5)
    np.testing.assert_array_equal(after.size_m, before.size_m)
    np.testing.assert_allclose(after.squared_m2, before.squared_m2, rtol=1e-4)
    # The map is seen in the object's own axes, so nothing turns: equal to the width of a pixel or two (16 are a metre).
    assert turned.map_valid.all()
    assert (plain.map_distance[..., 0] > 0).any()
    assert (plain.map_distance[..., 0] < 0).any()
    difference = turned.map_distance.astype(int) - plain.map_distance
    assert np.abs(difference[..., 0]).max() <= 8


def test_without_needs_or_a_map_there_is_nothing_to_see() -> None:
    place = np.zeros((3, 2))
    blind = surroundings_of(InputRequirements(), wall(0.0), place, np.zeros(3), place, place + 1)
    assert blind.map_distance.shape == (3, 0, 0, 0, 4)
    assert blind.neighbours.shape == (3, 0, len(NEIGHBOUR_COLUMNS))
    lost = surroundings_of(InputRequirements(VIEW), None, place, np.zeros(3), place, place + 1)
    assert lost.map_distance.shape == (3, *VIEW.shape, 4)
    assert not lost.map_valid.any()
    assert not lost.map_distance.any()
    assert not InputRequirements()
    assert InputRequirements(VIEW)
    assert InputRequirements(neighbours=1)
    with pytest.raises(ConfigError, match="neighbours: expected at least 0, got -1"):
        InputRequirements(neighbours=-1)


def test_off_the_map_is_not_known_and_not_off_the_road() -> None:
    """A road from -10 to 10 m, and no drawing beyond; the view reaches 10 m ahead."""
    field = make_field(np.array([-10.0, -10.0]), 1.0, {"drivable": np.ones((20, 20), np.bool_)})
    place = np.array([[0.0, 0.0], [-19.0, 0.0], [-22.0, 0.0], [500.0, 500.0], [np.nan, 0.0]])
    still, size = np.zeros((5, 2)), np.ones((5, 2))
    seen = surroundings_of(InputRequirements(VIEW), field, place, np.zeros(5), still, size)
    assert seen.map_valid.tolist() == [True, True, False, False, False]
    beside = make_field(np.array([-10.0, -10.0]), 1.0, {"road_divider": np.ones((20, 20), np.bool_)})
    assert not surroundings_of(InputRequirements(VIEW), beside, place, np.zeros(5), still, size).map_valid.any()


def test_rows_are_chosen_of_every_part() -> None:
    place = np.random.default_rng(0).uniform(-15, 15, (5, 2))
    around = surroundings_of(InputRequirements(VIEW, 2), wall(0.0), place, np.zeros(5), place, np.abs(place) + 1.0)
    chosen = around.select(np.array([3, 0]))
    assert len(around) == 5
    assert len(chosen) == 2
    for f in fields(Surroundings):
        np.testing.assert_array_equal(getattr(chosen, f.name), getattr(around, f.name)[[3, 0]])


def test_any_single_point_in_view_says_that_the_map_covers_the_place() -> None:
    points = np.prod(VIEW.shape)
    distance = np.full((points + 1, points, 4), 5, np.int8)
    distance[..., 0] = -INT8_MAX
    distance[np.arange(points), np.arange(points), 0] = 1 - INT8_MAX
    seen = distance.reshape(-1, *VIEW.shape, 4)
    assert covers_place(seen).tolist() == [True] * points + [False]
    assert covers_place(seen[::8]).tolist() == covers_place(seen).tolist()[::8]
    assert covers_place(seen[:0]).shape == (0,)


def streets(size_m: float, every_m: float) -> tuple[Lane, ...]:
    """A grid of streets with a lane for each direction, both ways around the origin."""
    along_m = np.arange(-size_m, size_m + 1.0, 25.0)
    lanes = []
    for at_m in np.arange(-size_m, size_m + 1.0, every_m).tolist():
        line_m = np.stack([along_m, at_m + 3.0 * np.sin(0.01 * along_m)], axis=1)
        for turned in (line_m, line_m[:, ::-1]):
            sides_m = [turned + away_m for away_m in ((0.37, 3.61), (0.0, 0.0), (-0.37, -3.61))]
            lanes.append(Lane(f"{at_m}", sides_m[0], sides_m[1], turned))
            lanes.append(Lane(f"{at_m} back", sides_m[2][::-1], sides_m[1][::-1], turned[::-1]))
    return tuple(lanes)


@pytest.mark.parametrize("count", [1, 2, 63, 300])
def test_the_surroundings_of_some_rows_are_those_rows_of_all_to_the_byte(count: int) -> None:
    draw = np.random.default_rng(count)
    place, yaw = draw.uniform(-60.0, 60.0, (count, 2)), draw.uniform(-3.0, 3.0, count)
    place[draw.random(count) < 0.05] = np.nan
    one = place, yaw, draw.normal(0.0, 9.0, (count, 2)), draw.uniform(0.5, 9.0, (count, 2))
    for requirements in (InputRequirements(VIEW, 16), InputRequirements(neighbours=3), InputRequirements(VIEW)):
        whole = surroundings_of(requirements, wall(0.3), *one)
        for share in (0.0, 0.3, 0.9, 1.0):
            rows = np.flatnonzero(draw.random(count) < share)
            some = surroundings_of(requirements, wall(0.3), *one, rows)
            for of in fields(Surroundings):
                got, wanted = getattr(some, of.name), getattr(whole, of.name)[rows]
                assert (got.shape, got.tobytes()) == (wanted.shape, wanted.tobytes())


def driving(*lanes: Lane) -> Scene:
    scene = straight_scene(np.ones((30, 2), dtype=np.bool_))
    return replace(scene, lanes=lanes)


def samples(field: MapField | None, scene: Scene, view: MapView) -> bytes:
    assert field is not None
    return field.sample(scene.position_m, scene.yaw_rad, view).tobytes()


@pytest.mark.parametrize("view", [VIEW, MapView(ahead_m=80.0, directions=True), MapView(ahead_m=300.0, step_m=5.0)])
def test_lanes_out_of_reach_change_nothing_that_objects_see(view: MapView) -> None:
    scene = driving(*streets(600.0, 60.0))
    whole, (near, problem) = field_of(scene.lanes, None), scene_map(scene, view)
    assert near is not None
    assert whole is not None
    assert problem == ""
    assert near.distance.size < 0.9 * whole.distance.size
    assert samples(near, scene, view) == samples(whole, scene, view)
    assert covers_place(near.sample(scene.position_m, scene.yaw_rad, view)).all()


def test_a_stray_lane_and_the_rest_of_a_town_do_no_harm() -> None:
    home = streets(200.0, 50.0)
    far = [replace(lane, **{n: getattr(lane, n) + 1e6 for n in ("left_m", "right_m", "centre_m")}) for lane in home]
    alone, _ = scene_map(driving(*home), VIEW)
    for others in (far[:1], streets(4000.0, 1000.0)):
        scene = driving(*home, *others)
        with pytest.raises(InputError, match="at most 16 square kilometres"):
            field_of(scene.lanes, None)
        field, problem = scene_map(scene, VIEW)
        assert problem == ""
        assert field is not None
        assert field.pixels_per_m == 1.0
        if others is far:
            assert samples(field, scene, VIEW) == samples(alone, scene, VIEW)


def test_a_map_that_cannot_be_drawn_is_left_out_with_the_reason(caplog: pytest.LogCaptureFixture) -> None:
    none, line_m = np.zeros((0, 2)), np.array([[0.0, 0.0], [30.0, 0.0]])
    bare, lane, long = Lane("1", none, none, none), Lane("1", none, none, line_m), Lane("1", none, none, 1e6 * line_m)
    for lanes, reason in (
        ([bare, bare], r"two points on each side or on their centre line, got none among 2"),
        ([replace(lane, drivable=False), bare], r"that vehicles may use, .* got none among 2"),
        (
            [replace(lane, centre_m=line_m + 5000.0)],
            r"expected some near the objects, got 1, all of them 200 m or more",
        ),
        ([lane, replace(long, centre_m=1e6 * line_m + [0.0, 1.0])], r"at most 16 square kilometres, got one of 3000"),
    ):
        field, problem = scene_map(driving(*lanes), VIEW)
        assert field is None
        assert re.search(reason, problem), problem
        assert scene_field(driving(*lanes), InputRequirements(view=VIEW)) is None
        assert f"is used without its map: {problem}" in caplog.text
    assert scene_map(driving(), VIEW) == (None, "")
    assert scene_field(driving(bare), InputRequirements()) is None
    assert len(caplog.records) == 4
