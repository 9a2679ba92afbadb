"""Following lanes, by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.frames import scene
from trajnet.context.lane_paths import LanePaths, Turn, lane_paths_of, scene_lane_paths
from trajnet.errors import ConfigError
from trajnet.types import FloatArray, Lane


def lane(*points: tuple[float, float], drivable: bool = True) -> Lane:
    centre_m = np.array(points, np.float64)
    return Lane("1", centre_m, centre_m, centre_m, drivable=drivable)


def after(
    paths: LanePaths, x_m: float, y_m: float, *distance_m: float, yaw_rad: float = 0.0, turn: Turn = Turn.STRAIGHT
) -> FloatArray:
    place_m = np.array([[x_m, y_m]])
    point, on = paths.under(place_m, np.array([yaw_rad]))
    assert on.all()
    places_m, _ = paths.ahead(point, place_m, np.array([distance_m]), turn)
    found: FloatArray = places_m[0]
    return found


@pytest.mark.parametrize("far_m", [0.0, 4_000_000.0])
def test_it_follows_the_lane_and_its_successor_then_goes_straight_on(far_m: float) -> None:
    paths = LanePaths([lane((far_m, 0), (far_m + 10, 0)), lane((far_m + 10, 0), (far_m + 22, 9))])
    got = after(paths, far_m + 3.0, 0.5, 0.0, 5.0, 7.0 + 15.0, 7.0 + 25.0)
    assert got[:2] == pytest.approx(np.array([[far_m + 3, 0.5], [far_m + 8, 0.5]]))
    side = 0.5 * np.array([-0.6, 0.8])  # half a metre to the left of (0.8, 0.6)
    assert got[2] == pytest.approx(np.array([far_m + 22, 9]) + side)
    assert got[3] == pytest.approx(np.array([far_m + 30, 15]) + side)


def test_of_several_the_straightest_goes_on_and_far_distances_are_exact() -> None:
    turn = lane((10, 0), (17, 7))
    paths = LanePaths([lane((0, 0), (10, 0)), turn, lane((10, 0), (3000, 0))])
    assert after(paths, 1.0, 0.0, 900.0)[0] == pytest.approx([901.0, 0.0])


def test_who_keeps_left_or_right_does_so_at_every_fork() -> None:
    fork = [lane((0, 0), (10, 0)), lane((10, 0), (40, 0)), lane((10, 0), (18, 6)), lane((10, 0), (18, -6))]
    second = [lane((18, 6), (48, 6)), lane((18, 6), (26, 12)), lane((18, -6), (26, -12)), lane((18, -6), (48, -6))]
    paths = LanePaths(fork + second)
    assert after(paths, 1.0, 0.0, 29.0)[0] == pytest.approx([30.0, 0.0])
    assert after(paths, 1.0, 0.0, 29.0, turn=Turn.LEFT)[0] == pytest.approx([26.0, 12.0])
    assert after(paths, 1.0, 0.0, 29.0, turn=Turn.RIGHT)[0] == pytest.approx([26.0, -12.0])
    place_m = np.zeros((3, 2)) + [1.0, 0.0]
    each = paths.ahead(paths.under(place_m, np.zeros(3))[0], place_m, np.full((3, 1), 29.0), np.arange(3))[0]
    assert each[:, 0] == pytest.approx(np.array([[30.0, 0.0], [26.0, 12.0], [26.0, -12.0]]))


def test_lanes_that_are_driven_both_ways_lead_both_ways() -> None:
    both = replace(lane((0, 0), (50, 0)), one_way=False)
    further = replace(lane((50, 0), (50 + 40, 30)), one_way=False)
    paths = LanePaths([both, further])
    assert after(paths, 58.0, 6.0, 30.0, yaw_rad=np.pi + 0.6435)[0] == pytest.approx([30.0, 0.0])
    assert after(paths, 30.0, 0.0, 30.0)[0] == pytest.approx([58.0, 6.0])
    one_way = LanePaths([lane((0, 0), (50, 0))])
    assert not one_way.under(np.array([[9.0, 0.0]]), np.array([np.pi]))[1].any()


def test_how_far_a_heading_may_be_off_can_be_asked() -> None:
    paths, place_m, yaw_rad = LanePaths([lane((0, 0), (50, 0))]), np.array([[9.0, 0.0]]), np.array([0.3])
    assert paths.under(place_m, yaw_rad)[1].all()
    assert paths.all_under(place_m, yaw_rad, 1, 0.31)[1].all()
    assert not paths.all_under(place_m, yaw_rad, 1, 0.29)[1].any()


def test_all_lanes_that_overlap_under_a_pose_are_found_the_nearest_first() -> None:
    paths = LanePaths([lane((0, y_m), (50, y_m)) for y_m in (1, 0.2, -1.4, 4)])
    point, on = paths.all_under(np.array([[9.0, 0.0], [9.0, 9.0]]), np.zeros(2), 4, 0.1)
    assert on.tolist() == [[True, False], [True, False], [True, False], [False, False]]
    assert paths.tables()["_point_m"][point[:3, 0], 1].tolist() == [0.2, 1.0, -1.4]


@pytest.mark.parametrize("x_m", [10.0, 10.3, 10.9, 11.0, 11.4, 12.0])
def test_distances_count_from_the_pose_not_from_the_nearest_point(x_m: float) -> None:
    paths = LanePaths([lane((0, 0), (100, 0))])
    assert after(paths, x_m, 0.4, 0.0, 7.0, 100.0) == pytest.approx(
        np.array([[x_m + d, 0.4] for d in (0.0, 7.0, 100.0)])
    )


def test_a_roundabout_of_one_lane_goes_on_in_itself_and_a_short_lane_does_not() -> None:
    angle_rad = np.linspace(0.0, 2 * np.pi, 200)
    ring = LanePaths([lane(*np.stack([20 * np.cos(angle_rad), 20 * np.sin(angle_rad)], axis=1))])
    way_m = np.array([30.0, 120.0])
    got = after(ring, 20.0 * np.cos(6.0), 20.0 * np.sin(6.0), *way_m, yaw_rad=6.0 + np.pi / 2)
    wanted = 6.0 + way_m / 20.0
    np.testing.assert_allclose(got, 20.0 * np.stack([np.cos(wanted), np.sin(wanted)], axis=1), atol=0.6)
    short = LanePaths([lane((0, 0), (0.9, 0))])
    assert after(short, 0.5, 0.0, 20.0)[0] == pytest.approx([20.5, 0.0])


def test_a_lane_does_not_go_on_in_one_that_begins_there_in_another_direction() -> None:
    paths = LanePaths([lane((0, 0), (10, 0)), lane((10, 0), (10, 30))])
    assert after(paths, 5.0, 0.0, 15.0)[0] == pytest.approx([20.0, 0.0])


def test_poses_beyond_the_map_are_on_no_lane_wherever_they_are() -> None:
    paths = LanePaths([lane((0, 0), (50, 0))])
    x_m, y_m = (values.reshape(-1) for values in np.meshgrid(np.arange(-9.0, 60.0), np.arange(2.0, 40.0)))
    place_m = np.concatenate([np.stack([x_m, y_m], axis=1), np.stack([x_m, -y_m], axis=1)])
    assert not paths.under(place_m, np.zeros(len(place_m)))[1].any()


def test_who_is_beside_or_goes_another_way_is_on_no_lane() -> None:
    paths = LanePaths([lane((0, 0), (50, 0)), lane((0, 3), (50, 3), drivable=False)])
    place_m = np.array([[10.0, 1.0], [10.0, -1.6], [10.0, 0.0], [10.0, 3.0], [-9.0, 0.0], [1e7, 1e7]])
    yaw_rad = np.array([0.4, 0.0, np.pi, 0.0, 0.0, 0.0])
    assert paths.under(place_m, yaw_rad)[1].tolist() == [True, False, False, False, False, False]


def test_a_scene_has_the_lanes_around_its_objects() -> None:
    near, far, edge = (lane((x_m, 0), (x_m + 50, 0)) for x_m in (0.0, 600.0, 540.0))
    one = scene([0.0, 1.0], {"a": {0: (0.0, 0.0), 1: (90.0, 0.0)}})
    found = scene_lane_paths(replace(one, lanes=(near, far, edge)))
    assert found is not None
    least_m, most_m = found.bounds_m()
    assert (least_m[0], most_m[0]) == (0.0, 590.0)
    assert scene_lane_paths(replace(one, lanes=(far,))) is None
    assert scene_lane_paths(one) is None


def test_a_map_without_lanes_for_vehicles_has_none() -> None:
    walk = lane((0, 0), (9, 0), drivable=False)
    assert lane_paths_of([walk, lane((1, 1))]) is None
    with pytest.raises(ConfigError, match="expected one that vehicles use, got 1 others"):
        LanePaths([walk])
