"""Street scenes: each ingredient of the generated traffic by a property that fails without it."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import shapely

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "sim"))

from generate_scenes import street_recipes
from kerbside import AGAINST_TRAFFIC, IN_LANE_M, KERB_GAP_M, Kerb, Parked, boxes, clear_of_traffic, row_of
from map_view import FURTHEST_SHIFT_M, GUESSED_WIDTH_M, draw_map
from sensor_view import ID_S, Sensor, ego_sensor, seen_by, split_at_absences
from sidestep import PASSING_GAP_M, make_way, sidestepped
from street_demand import Stop, street_demand
from street_layout import Layout, Street, lap_from, offset_line, read_layout, shortest_route
from street_scene import Place, StreetRecipe, jam, mirrored, street_scene
from street_tracks import SIDEWAYS_OVER_M, pulled_aside, vehicle_tracks
from sumo_demand import type_distribution
from sumo_network import RING_WIDTH_M, Network, build, intersection, roundabout
from sumo_recording import STEP_S, Track, read_tracks, scene_of_tracks, simulate, type_sizes
from town_networks import is_held_out, networks_by_town, prepare_network, read_network, tightest_radius_m, town_of
from walkers import CLEAR_M, Traffic, bend_speeds, pavements, walk, walkers

from trajnet.errors import InputError
from trajnet.geometry import wrap_angle
from trajnet.scenes import write_scene
from trajnet.types import FloatArray, Lane, ObjectClass, Scene

needs_sumo = pytest.mark.skipif(importlib.util.find_spec("sumo") is None, reason="eclipse-sumo is not installed")
NOTHING = shapely.union_all([])
CAR = ObjectClass.CAR


def street(edge_id: str, line_m: FloatArray, *, start: str = "a", end: str = "b") -> Street:
    """A street of one lane, 3 m wide, for every class."""
    classes = frozenset({"passenger", "truck", "bus", "motorcycle", "bicycle"})
    return Street(edge_id, start, end, line_m, 3.0, offset_line(line_m, -1.5), 1, 0, 13.9, classes)


@pytest.fixture
def layout() -> Layout:
    """A street along x from -60 to 60 m, one lane each way: eastwards at y = -1.5, westwards at y = 1.5."""
    east = np.stack([np.linspace(-60, 60, 41), np.full(41, -1.5)], axis=1)
    west = east[::-1] * [1, -1]
    streets = {"east": street("east", east), "west": street("west", west, start="b", end="a")}
    drivable = shapely.box(-60, -3, 60, 3)
    shapely.prepare(drivable)
    return Layout(streets, {"east": ("west",), "west": ("east",)}, (), drivable)


def track_along(line_m: FloatArray, kind: ObjectClass = CAR, size_m: tuple[float, float] = (4.5, 1.8)) -> Track:
    """A track with these positions, one a frame, facing where it goes."""
    step_m = np.gradient(line_m, axis=0)
    return Track(kind, size_m, np.arange(len(line_m)), line_m, np.unwrap(np.arctan2(step_m[:, 1], step_m[:, 0])))


def steady(start_m: tuple[float, float], velocity_mps: tuple[float, float], frames: int) -> Track:
    return track_along(np.array(start_m) + STEP_S * np.arange(frames)[:, None] * np.array(velocity_mps))


def standing(place_m: tuple[float, float], frames: int, size_m: tuple[float, float] = (4.5, 1.8)) -> Track:
    return Track(CAR, size_m, np.arange(frames), np.tile(np.array(place_m), (frames, 1)), np.zeros(frames))


def scene_of(tracks: list[Track], lanes: tuple[Lane, ...] = ()) -> Scene:
    return scene_of_tracks("s", tracks, [np.ones(len(t.frame), np.bool_) for t in tracks], lanes=lanes)


# Kerbs


def kerb_row(layout: Layout, style: str, angle_deg: float, seed: int = 0) -> list[Parked]:
    kerb = Kerb(layout.streets["east"], style, np.deg2rad(angle_deg), occupancy=0.9)
    return row_of(np.random.default_rng(seed), kerb, [])


def test_a_car_that_straddles_the_kerb_stands_in_the_lane_but_not_far(layout: Layout) -> None:
    row = kerb_row(layout, "straddling", 0.0)
    assert len(row) >= 8
    for parked in row:
        assert parked.straddles
        inside_m = np.array(parked.box().exterior.coords)[:, 1].max() + 3.0
        assert IN_LANE_M[0] - 1e-6 <= inside_m <= IN_LANE_M[1] + 1e-6


@pytest.mark.parametrize(("style", "angle_deg"), [("parallel", 0.0), ("perpendicular", 90.0), ("angled", 50.0)])
def test_parked_vehicles_stand_beside_the_lane(layout: Layout, style: str, angle_deg: float) -> None:
    """The lane ends at y = -3: the nearest corner of every box is KERB_GAP_M beyond it."""
    row = kerb_row(layout, style, angle_deg)
    assert len(row) >= 8
    for parked in row:
        gap_m = -3.0 - np.array(parked.box().exterior.coords)[:, 1].max()
        assert KERB_GAP_M[0] - 1e-6 <= gap_m <= KERB_GAP_M[1] + 1e-6


def test_a_car_at_the_kerb_is_half_its_width_and_the_gap_off_the_lane(layout: Layout) -> None:
    for parked in kerb_row(layout, "parallel", 0.0):
        beside_m = -3.0 - parked.position_m[1]
        scatter_m = 0.5 * parked.size_m[0] * 0.12  # a yaw of up to 0.12 rad turns the corners outwards
        assert parked.size_m[1] / 2 + KERB_GAP_M[0] - 0.01 <= beside_m
        assert beside_m <= parked.size_m[1] / 2 + KERB_GAP_M[1] + scatter_m


def test_parked_cars_do_not_overlap_and_some_face_the_traffic(layout: Layout) -> None:
    against = []
    for seed in range(30):
        row = kerb_row(layout, "parallel", 0.0, seed)
        outlines = [parked.box() for parked in row]
        left, right = shapely.STRtree(outlines).query(outlines, predicate="intersects")
        assert (left == right).all()
        against += [abs(float(wrap_angle(np.array(parked.yaw_rad)))) > np.pi / 2 for parked in row]
    assert abs(np.mean(against) - AGAINST_TRAFFIC) < 0.06


def test_no_room_is_taken_from_those_that_pull_out(layout: Layout) -> None:
    kerb = Kerb(layout.streets["east"], "parallel", 0.0, occupancy=1.0)
    row = row_of(np.random.default_rng(0), kerb, [(40.0, 60.0)])
    along_m = np.array([parked.position_m[0] + 60.0 for parked in row])
    half_m = np.array([parked.size_m[0] for parked in row]) / 2
    assert (along_m < 40).any()
    assert (along_m > 60).any()
    assert not ((along_m + half_m - 0.1 > 40) & (along_m - half_m + 0.1 < 60)).any()


def test_what_stands_in_a_lane_or_in_the_way_is_left_out(layout: Layout) -> None:
    def at(x_m: float, y_m: float) -> Parked:
        return Parked(CAR, (4.0, 2.0), np.array([x_m, y_m]), 0.0)

    in_lane, in_the_way, twice, fine = at(0, -3.5), at(10, -5), at(30.5, -5), at(30, -5)
    passing = shapely.box(8, -6, 9, -5)
    assert clear_of_traffic([in_lane, in_the_way, fine, twice], layout, [passing]) == [fine]


# Sides of driving


def test_a_mirrored_scene_drives_on_the_left() -> None:
    """Eastwards in the right lane: the middle of the road is on the driver's left, mirrored on the right."""
    lane = Lane(
        "l", np.array([[0.0, 0], [50, 0]]), np.array([[0.0, -3], [50, -3]]), np.array([[0.0, -1.5], [50, -1.5]])
    )
    scene = scene_of([steady((0, -1.5), (8.0, 0.5), 40)], (lane,))
    other = mirrored(scene)
    for one, sign in ((scene, 1.0), (other, -1.0)):
        heading = one.velocity_mps[5] / np.hypot(*one.velocity_mps[5])
        left = np.array([-heading[1], heading[0]])
        assert np.sign((np.array([20.0, 0.0]) - np.array([20.0, -1.5 * sign])) @ left) == sign
        np.testing.assert_allclose(one.yaw_rad[5], np.arctan2(heading[1], heading[0]), atol=1e-3)
    (turned,) = other.lanes
    np.testing.assert_array_equal(turned.right_m, [[0, 0], [50, 0]])
    np.testing.assert_array_equal(turned.left_m, [[0, 3], [50, 3]])
    again = mirrored(other)
    np.testing.assert_array_equal(again.position_m, scene.position_m)
    np.testing.assert_allclose(wrap_angle(again.yaw_rad - scene.yaw_rad), 0, atol=1e-12)


# Roundabouts


@needs_sumo
@pytest.mark.parametrize("radius_m", [10.0, 25.0])
def test_vehicles_circle_at_the_stated_radius(tmp_path: Path, radius_m: float) -> None:
    border_m = radius_m - RING_WIDTH_M / 2
    network = roundabout(np.random.default_rng(3), radii_m=(border_m, border_m))
    root = read_network(build(network, tmp_path, pavements=False))
    prepare_network(root, motorway=False, to=tmp_path / "net.xml")
    layout = read_layout(read_network(tmp_path / "net.xml"), np.zeros(2), 400.0)
    (ring,) = layout.rings
    weight = {edge: one.length_m for edge, one in layout.streets.items()}
    route = shortest_route(layout, "in0", "out1", weight)
    assert route is not None
    first = next(i for i, edge in enumerate(route) if edge in ring)
    lap = lap_from(route[first], ring, layout)
    assert sorted(lap) == sorted(ring)
    edges = " ".join([*route[:first], *lap, *lap, *route[first:]])
    (tmp_path / "rou.xml").write_text(
        '<routes><vType id="car_0" length="4.5" width="1.8"/>'
        f'<vehicle id="v" type="car_0" depart="0"><route edges="{edges}"/></vehicle></routes>'
    )
    simulate(tmp_path, seed=1, begin_s=0.0, end_s=120.0)
    (track,) = read_tracks(tmp_path / "fcd.xml", type_sizes(tmp_path / "rou.xml"))
    turn = np.unwrap(np.arctan2(*track.position_m.T[::-1]))
    far_m = np.hypot(*track.position_m.T)
    laps = far_m < radius_m + 0.5
    assert (turn[laps][-1] - turn[laps][0]) > 4 * np.pi  # two laps, counter-clockwise
    np.testing.assert_allclose(np.median(far_m[laps]), radius_m, atol=0.3)
    speed_mps = np.hypot(*np.diff(track.position_m[laps], axis=0).T) / STEP_S
    assert (speed_mps**2 / radius_m).max() < 3.5  # the bend is driven at a speed that one would


def test_a_bend_has_its_radius_and_a_straight_line_none() -> None:
    angle = np.linspace(0, np.pi, 40)
    assert tightest_radius_m(12 * np.stack([np.cos(angle), np.sin(angle)], axis=1)) == pytest.approx(12, rel=0.05)
    assert tightest_radius_m(np.array([[0.0, 0], [10, 0], [50, 0]])) == np.inf


# Riders


@needs_sumo
def test_riders_filter_between_queues(tmp_path: Path) -> None:
    """Two cars stand side by side on a road of two lanes; a motorcycle comes from behind."""
    nodes = '<node id="a" x="0" y="0"/><node id="b" x="300" y="0"/>\n'
    edges = '<edge id="ab" from="a" to="b" numLanes="2" speed="13" width="3.3"/>\n'
    build(Network(nodes, edges, "", ("ab",), ("ab",), False, 100.0), tmp_path)
    types = type_distribution(np.random.default_rng(0), "t", {ObjectClass.MOTORCYCLE: 1.0}, filtering=True)
    stops = "".join(
        f'<vehicle id="c{lane}" type="car_0" depart="0" departLane="{lane}" departPos="80"><route edges="ab"/>'
        f'<stop lane="ab_{lane}" startPos="100" endPos="120" duration="100"/></vehicle>'
        for lane in (0, 1)
    )
    (tmp_path / "rou.xml").write_text(
        f'<routes>{types}<vType id="car_0" length="4.5" width="1.8" latAlignment="center"/>{stops}'
        '<vehicle id="m" type="motorcycle_0" depart="20"><route edges="ab"/></vehicle></routes>'
    )
    simulate(tmp_path, seed=1, begin_s=0.0, end_s=70.0)
    tracks = {track.name: track for track in read_tracks(tmp_path / "fcd.xml", type_sizes(tmp_path / "rou.xml"))}
    assert tracks["c0"].position_m[-1, 0] == pytest.approx(tracks["c1"].position_m[-1, 0], abs=5.0)
    assert tracks["m"].position_m[-1, 0] > 130.0
    between = np.abs(tracks["m"].position_m[:, 0] - tracks["c0"].position_m[-1, 0]) < 2.0
    assert np.abs(tracks["m"].position_m[between, 1] + 3.3).max() < 0.5  # -3.3: the line between the lanes


# Queues


@needs_sumo
def test_traffic_stops_and_goes_before_a_street_that_crawls(tmp_path: Path) -> None:
    root = read_network(build(intersection(np.random.default_rng(1), signals=False), tmp_path, pavements=False))
    prepare_network(root, motorway=False, to=tmp_path / "net.xml")
    layout = read_layout(read_network(tmp_path / "net.xml"), np.zeros(2), 400.0)
    place = Place(tmp_path, np.zeros(2), 75.0, layout, motorway=False)
    routes: list[tuple[str, ...]] = [("in0", "out2")]
    demand = street_demand(
        np.random.default_rng(0), layout, routes, [], end_s=150.0, vehicles_per_s=0.4, motorway=False
    )
    (tmp_path / "rou.xml").write_text(demand)
    (tmp_path / "add.xml").write_text(jam(np.random.default_rng(2), place, routes, 150.0))
    slow = []
    for more in ([], ["--additional-files=add.xml"]):
        simulate(tmp_path, seed=1, begin_s=60.0, end_s=150.0, more=more)
        speeds_mps = [
            np.hypot(*np.diff(track.position_m, axis=0).T) / STEP_S
            for track in vehicle_tracks(tmp_path, np.zeros(2), {})
            if track.kind == CAR
        ]
        stops = [int((np.diff((one < 1.5).astype(np.int8)) == 1).sum()) for one in speeds_mps]
        slow.append((float(np.mean(np.concatenate(speeds_mps) < 3.0)), max(stops)))
    assert slow[0][0] < 0.1
    assert slow[1][0] > 0.3
    assert slow[1][1] >= 2  # one vehicle at least stops, goes and stops again


# Stops beside the lane


def stopping_track() -> Track:
    """Brakes to a stand at x = 30, is put 3 m to the right by SUMO for 4 s, and goes on."""
    there = 30 - 30 * (1 - np.linspace(0, 1, 60)) ** 2
    away = 30 + 0.5 * 1.5 * (STEP_S * np.arange(1, 80)) ** 2
    x_m = np.concatenate([there, np.full(40, 30.0), away])
    y_m = np.where(np.arange(len(x_m)) < 60, 0.0, np.where(np.arange(len(x_m)) < 100, -3.0, 0.0))
    return Track(CAR, (4.5, 1.8), np.arange(len(x_m)), np.stack([x_m, y_m], axis=1), np.zeros(len(x_m)))


def test_a_stop_beside_the_lane_is_driven_to_not_jumped_to() -> None:
    track = pulled_aside(stopping_track(), 2.5)
    np.testing.assert_allclose(track.position_m[60:100], np.tile([30.0, -2.5], (40, 1)), atol=1e-2)
    np.testing.assert_allclose(track.position_m[[0, -1], 1], 0.0, atol=1e-9)
    step_m = np.diff(track.position_m, axis=0)
    assert np.abs(step_m[:, 1]).max() < 0.25  # 2.5 m/s sideways; SUMO's jump is 3 m
    moving = np.hypot(*step_m.T) > 0.1
    heading = np.arctan2(step_m[:, 1], step_m[:, 0])
    assert np.abs(wrap_angle(track.yaw_rad[1:] - heading)[moving]).max() < 0.12
    near = np.abs(track.position_m[:, 0] - 30) > SIDEWAYS_OVER_M
    assert np.abs(track.position_m[near, 1]).max() < 1e-9


def test_a_queue_is_not_taken_for_a_stop_beside_the_lane() -> None:
    track = stopping_track()
    in_lane = replace(track, position_m=track.position_m * [1, 0])
    assert pulled_aside(in_lane, 2.5) is in_lane


@needs_sumo
def test_a_delivery_stops_at_the_kerb_and_goes_on_and_a_parked_car_pulls_out(tmp_path: Path) -> None:
    network = intersection(np.random.default_rng(1), signals=False)
    root = read_network(build(network, tmp_path, pavements=False))
    prepare_network(root, motorway=False, to=tmp_path / "net.xml")
    layout = read_layout(read_network(tmp_path / "net.xml"), np.zeros(2), 400.0)
    street_of_both = layout.streets["in0"]
    common: dict[str, Any] = {"route": ("in0", "out2"), "street": street_of_both, "beside_lane": True}
    stops = {
        "delivery_0": Stop("delivery_0", CAR, at_m=80.0, depart_s=5.0, duration_s=12.0, begins_there=False, **common),
        "pullout_0": Stop("pullout_0", CAR, at_m=120.0, depart_s=1.0, duration_s=20.0, begins_there=True, **common),
    }
    text = street_demand(
        np.random.default_rng(0), layout, [("in0", "out2")], list(stops.values()), end_s=60.0, vehicles_per_s=1e-4,
        motorway=False,
    )  # fmt: skip
    (tmp_path / "rou.xml").write_text(text)
    simulate(tmp_path, seed=1, begin_s=0.0, end_s=60.0)
    tracks = {track.name: track for track in vehicle_tracks(tmp_path, np.zeros(2), stops)}
    for name, low_s, high_s in (("delivery_0", 11.0, 16.0), ("pullout_0", 18.0, 24.0)):
        track = tracks[name]
        speed_mps = np.hypot(*np.diff(track.position_m, axis=0).T) / STEP_S
        still = speed_mps < 0.02
        assert low_s < STEP_S * still.sum() < high_s
        stand_m = track.position_m[1:][still].mean(axis=0)
        beside_m = shapely.distance(shapely.LineString(street_of_both.kerb_m), shapely.Point(stand_m))
        assert track.size_m[1] / 2 + KERB_GAP_M[0] < beside_m < track.size_m[1] / 2 + KERB_GAP_M[1]
        assert not layout.drivable.contains(shapely.Point(stand_m))
        assert speed_mps[-20:].min() > 3.0  # goes on
        assert layout.drivable.contains(shapely.Point(track.position_m[-20]))


# Steering around what stands in the lane


def in_lane(x_m: float) -> Parked:
    """A car whose left side reaches 0.5 m into the eastward lane, which ends at y = -3."""
    return Parked(CAR, (4.4, 1.8), np.array([x_m, -3.4]), 0.0, straddles=True)


def nearest_m(track: Track, parked: Parked) -> float:
    outlines = boxes(track.position_m, track.yaw_rad, np.tile(track.size_m, (len(track.frame), 1)))
    return float(shapely.distance(outlines, parked.box()).min())


def test_vehicles_steer_around_a_car_that_stands_in_their_lane() -> None:
    parked, track = in_lane(0.0), steady((-50, -1.9), (8.0, 0.0), 130)
    assert nearest_m(track, parked) < 0.15
    steered = sidestepped(track, [parked])
    assert nearest_m(steered, parked) == pytest.approx(PASSING_GAP_M, abs=0.08)
    np.testing.assert_array_equal(steered.position_m[[0, -1]], track.position_m[[0, -1]])
    step_m = np.diff(steered.position_m, axis=0)
    assert np.abs(wrap_angle(steered.yaw_rad[1:] - np.arctan2(step_m[:, 1], step_m[:, 0]))).max() < 0.03
    assert np.abs(np.diff(step_m, axis=0)).max() / STEP_S**2 < 4.0
    oncoming = steady((50, 1.5), (-8.0, 0.0), 130)
    assert sidestepped(oncoming, [parked]) is oncoming


def test_what_cannot_be_passed_is_taken_away() -> None:
    """A lorry on its own passes by; against another one that comes at the same time there is no room."""
    wide = [track_along(steady((-50, -1.35), (8.0, 0.0), 130).position_m, ObjectClass.TRUCK, (9.0, 2.5))]
    oncoming = [track_along(steady((50, 1.35), (-8.0, 0.0), 130).position_m, ObjectClass.TRUCK, (9.0, 2.5))]
    passable = in_lane(0.0)
    steered, kept = make_way(wide, [passable])
    assert kept == [passable]
    assert nearest_m(steered[0], passable) > 0.3
    steered, kept = make_way(wide + oncoming, [passable])
    assert kept == []
    assert steered == wide + oncoming


# Walkers


def test_a_walker_waits_at_the_kerb_until_the_street_is_clear(layout: Layout) -> None:
    """Cars at 8 m/s, one every second until t = 13 s: a walker at the kerb from t = 2 s on crosses after the last."""
    cars = [steady((-40 - 8 * i, -1.5), (8.0, 0.0), 400) for i in range(9)]
    way_m = np.stack([np.zeros(101), np.linspace(-6.0, 20.0, 101)], axis=1)
    traffic = Traffic.of(cars, 400)
    place_m, _ = walk(np.random.default_rng(1), way_m, layout, traffic, 400, 1.3)
    last_s = (40 + 64) / 8.0
    on_road = np.abs(place_m[:, 1]) < 3.0
    assert on_road.any()
    assert STEP_S * on_road.argmax() > last_s - 3.0
    assert min(traffic.gap_m(int(f), place_m[f]) for f in np.flatnonzero(on_road)) > CLEAR_M - 0.6
    alone_m, _ = walk(np.random.default_rng(1), way_m, layout, Traffic.of([], 400), 400, 1.3)
    assert STEP_S * (np.abs(alone_m[:, 1]) < 3.0).argmax() < 4.0  # nothing comes: no waiting


def test_riders_slow_down_before_a_bend() -> None:
    """A right angle of radius 2 m after 20 m straight on: sqrt(1.5 * 2) m/s in it, brakes of 1 m/s2 before it."""
    angle = np.linspace(0, np.pi / 2, 8)[1:]
    straight = np.stack([np.linspace(-20, 0, 41), np.zeros(41)], axis=1)
    way_m = np.concatenate([straight, 2 * np.stack([np.sin(angle), 1 - np.cos(angle)], axis=1)])
    speeds_mps = np.array(bend_speeds(way_m))
    assert speeds_mps[41:45].min() == pytest.approx(np.sqrt(1.5 * 2), rel=0.1)
    assert speeds_mps[20] == pytest.approx(np.sqrt(1.5 * 2 + 2 * 1.0 * 10), rel=0.1)  # 10 m before it


def test_people_are_on_pavements_and_not_in_vehicles(layout: Layout) -> None:
    rng = np.random.default_rng(5)
    kerbs = [Kerb(one, "parallel", 0.0, 0.8) for one in layout.streets.values()]
    row = [parked for kerb in kerbs for parked in row_of(rng, kerb, [])]
    parked = shapely.union_all([one.box() for one in row])
    lines = pavements(rng, kerbs, layout, parked)
    cars = [steady((-55, -1.5), (7.0, 0.0), 160), steady((55, 1.5), (-7.0, 0.0), 160)]
    people = walkers(rng, lines, layout, cars, parked, frames=300, count=25)
    assert {one.kind for one in people} <= {ObjectClass.PEDESTRIAN, ObjectClass.BICYCLE}
    place_m = np.concatenate([one.position_m for one in people])
    assert shapely.contains_xy(layout.drivable, *place_m.T).mean() < 0.25
    assert shapely.contains_xy(parked, *place_m.T).mean() < 0.005
    traffic = Traffic.of(cars, 300)
    assert min(traffic.gap_m(int(f), p) for one in people for f, p in zip(one.frame, one.position_m, strict=True)) > 0.3
    speed_mps = np.concatenate([np.hypot(*np.diff(one.position_m, axis=0).T) / STEP_S for one in people])
    assert 0.1 < (speed_mps < 0.2).mean() < 0.8  # some stand, some walk
    assert speed_mps.max() < 7.0


# Sensors


def test_a_lorry_hides_what_is_behind_it_and_nothing_beyond_range_is_seen() -> None:
    frames = 40
    lorry, hidden, beside, far = (
        standing(place, frames, size)
        for place, size in (((10, 0), (8, 2.5)), ((25, 0), (4, 1.8)), ((25, 12), (4, 1.8)), ((60, 12), (4, 1.8)))
    )
    sensor = Sensor(np.zeros((frames, 2)), 50.0)
    seen = seen_by(sensor, [lorry, hidden, beside, far], frames)
    assert [bool(mask.all()) for mask in seen] == [True, False, True, False]
    assert not seen[1].any()
    assert not seen[3].any()


def test_an_object_that_comes_out_from_behind_appears_and_is_another_after_a_while() -> None:
    frames = 100
    lorry = standing((10, 0), frames, (8, 2.5))
    passing = steady((30, -30), (0.0, 6.0), frames)
    seen = seen_by(Sensor(np.zeros((frames, 2)), 80.0), [lorry, passing], frames)[1]
    assert seen[:20].all()
    assert not seen[50]  # x = 30, y = 0
    assert seen[-20:].all()
    parts, masks = split_at_absences([passing], [seen])
    assert [int(mask.sum()) for mask in masks] == [int(seen.sum())]  # hidden for less than ID_S
    long = seen.copy()
    long[40 : 40 + round(ID_S / STEP_S) + 5] = False
    parts, masks = split_at_absences([passing], [long])
    assert len(parts) == 2
    assert parts[1].frame[0] == 40 + round(ID_S / STEP_S) + 5


def test_the_ego_vehicle_carries_its_sensor_and_is_seen() -> None:
    frames = 120
    ego, parked = steady((-30, 0), (5.0, 0.0), frames), standing((20, 4), frames)
    sensor = ego_sensor(np.random.default_rng(0), [parked, ego], frames, radius_m=50.0, range_m=30.0)
    assert sensor is not None
    assert sensor.carrier == 1
    np.testing.assert_allclose(sensor.position_m, ego.position_m)
    seen = seen_by(sensor, [parked, ego], frames)
    assert seen[1].all()
    np.testing.assert_array_equal(seen[0][::2], np.hypot(20 - ego.position_m[::2, 0], 4) <= 30)
    assert ego_sensor(np.random.default_rng(0), [parked], frames, radius_m=50.0, range_m=30.0) is None


# Maps


def test_maps_as_they_come() -> None:
    rng = np.random.default_rng(0)
    centre = np.stack([np.linspace(0, 40, 9), np.zeros(9)], axis=1)
    lanes = tuple(
        Lane(str(i), offset_line(middle, 1.4), offset_line(middle, -1.4), middle)
        for i, middle in enumerate(centre + [50.0 * i - 500, 3.0 * i] for i in range(20))
    )
    assert draw_map(rng, lanes, "whole")[0] == lanes
    assert draw_map(rng, lanes, "none")[0] == ()
    for _ in range(20):
        shifted, name = draw_map(rng, lanes, "shifted")
        by_m = shifted[0].centre_m - lanes[0].centre_m
        assert 0.25 < np.hypot(*by_m[0]) <= FURTHEST_SHIFT_M + 0.01
        for one, other in zip(shifted, lanes, strict=True):
            for border in ("left_m", "right_m", "centre_m"):
                difference_m = getattr(one, border) - getattr(other, border)
                np.testing.assert_allclose(difference_m, np.broadcast_to(by_m[0], difference_m.shape), atol=1e-9)
        assert f"({by_m[0, 0]:.2f}, {by_m[0, 1]:.2f})" in name
    missing, _ = draw_map(rng, lanes, "missing")
    assert 8 <= len(missing) < 20
    partial_map, _ = draw_map(rng, lanes, "partial")
    assert 0 < len(partial_map) < 20
    for lane in draw_map(rng, lanes, "centre")[0]:
        np.testing.assert_allclose(np.hypot(*(lane.left_m - lane.right_m).T), GUESSED_WIDTH_M, atol=0.02)


# Towns


def write_towns(folder: Path, towns: list[str]) -> None:
    """Networks of one long lane; two files of each town."""
    for town in towns:
        for number in (1, 2):
            (folder / f"{town}-{number}.net.xml").write_text(
                '<net><edge id="e" from="a" to="b"><lane id="e_0" index="0" speed="10" length="400" '
                'shape="0,0 400,0"/></edge></net>'
            )


def test_the_town_is_in_the_name() -> None:
    assert town_of(Path("x/DEU_Bad-Essen-12.net.xml.gz")) == "DEU_Bad-Essen"
    assert town_of(Path("bologna__acosta__acosta.net.xml.gz")) == "bologna"


def test_held_out_towns_are_never_in_training(tmp_path: Path) -> None:
    names = [f"XXX_Town{i}" for i in range(40)]
    write_towns(tmp_path, names)
    kept, held = (networks_by_town(tmp_path, held_out=flag) for flag in (False, True))
    assert set(kept) | set(held) == set(names)
    assert not set(kept) & set(held)
    assert all(len(files) == 2 for files in (*kept.values(), *held.values()))
    train, validation = (
        [
            town_of(recipe.network)
            for recipe in street_recipes(tmp_path, count=200, seed=1000, duration_s=60.0, held_out=flag)
            if isinstance(recipe.network, Path)
        ]
        for flag in (False, True)
    )
    assert set(train) <= set(kept)
    assert 100 < len(train) < 200  # the others are drawn
    assert len(validation) == 200
    assert set(validation) <= set(held)


def test_the_split_stays_when_towns_are_added() -> None:
    """A published split may not change: these are what docs/generated-traffic.md names."""
    held = ["CHN_Sha", "DEU_Backnang", "FRA_Anglet", "HRV_Pula", "ITA_Segrate", "port_tutorials"]
    kept = ["bologna", "BadHersfeld", "DEU_Muc", "ESP_Toledo", "PRI_Barceloneta"]
    assert [is_held_out(town) for town in held + kept] == [True] * len(held) + [False] * len(kept)


def test_bad_folders_and_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="expected a folder"):
        networks_by_town(tmp_path / "missing", held_out=False)
    with pytest.raises(InputError, match="found none"):
        networks_by_town(tmp_path, held_out=False)
    (tmp_path / "bad-1.net.xml").write_text("<net><edge")
    with pytest.raises(InputError, match="bad-1"):
        networks_by_town(tmp_path, held_out=is_held_out("bad"))


def test_the_command_line_refuses_what_it_cannot_do(root: Path, tmp_path: Path) -> None:
    def run(*options: str) -> subprocess.CompletedProcess[str]:
        program = [sys.executable, str(root / "sim" / "generate_scenes.py"), "--out", str(tmp_path), *options]
        return subprocess.run(program, env={"PYTHONPATH": str(root)}, capture_output=True, text=True, check=False)

    for options, complaint in (
        (["--networks", str(tmp_path / "no")], "expected --count"),
        (["--networks", str(tmp_path / "no"), "--count", "1"], "expected a folder"),
        (["--networks", str(tmp_path), "--count", "1", "--seed", "4"], "expected 100 or more"),
        (["--held-out", "--count", "1"], "expected --networks"),
    ):
        done = run(*options)
        assert done.returncode == 2
        assert complaint in done.stderr
        assert "Traceback" not in done.stderr


# Whole scenes


@pytest.fixture(scope="module")
def make() -> Callable[[str, int], Scene]:
    return lambda network, seed: street_scene(StreetRecipe(f"{network}_{seed}", network, seed, 12.0))


@needs_sumo
def test_the_same_seed_gives_the_same_bytes(tmp_path: Path, make: Callable[[str, int], Scene]) -> None:
    for name in ("a", "b"):
        write_scene(make("signals", 301), tmp_path / f"{name}.parquet")
    assert (tmp_path / "a.parquet").read_bytes() == (tmp_path / "b.parquet").read_bytes()


@needs_sumo
def test_a_city_scene_has_parked_cars_that_never_move(make: Callable[[str, int], Scene]) -> None:
    scenes = [make(network, seed) for network, seed in (("narrow", 310), ("priority_tee", 311), ("signals", 312))]
    parked = moving = 0
    for scene in scenes:
        for rows in scene.rows_by_track():
            if scene.object_class[scene.row_track[rows[0]]] != CAR:
                continue
            still = (scene.position_m[rows] == scene.position_m[rows[0]]).all()
            parked += len(rows) * still
            moving += len(rows) * (not still)
            if still:
                assert (scene.velocity_mps[rows] == 0).all()
                assert (scene.yaw_rad[rows] == scene.yaw_rad[rows[0]]).all()
    assert 0.3 < parked / (parked + moving) < 0.9
    assert all("layout" in scene.source and "drives on the" in scene.source for scene in scenes)


@needs_sumo
def test_vehicles_do_not_drive_through_parked_ones(make: Callable[[str, int], Scene]) -> None:
    scene = make("priority_tee", 311)
    for frame in list(scene.frames())[::20]:
        vehicles = frame.select(frame.object_class != ObjectClass.PEDESTRIAN)
        outlines = boxes(vehicles.position_m, vehicles.yaw_rad, vehicles.size_m)
        left, right = shapely.STRtree(outlines).query(outlines, predicate="overlaps")
        parked = np.hypot(*vehicles.velocity_mps.T) == 0
        both = (left < right) & (parked[left] | parked[right])
        assert not (shapely.area(shapely.intersection(outlines[left[both]], outlines[right[both]])) > 0.3).any()
