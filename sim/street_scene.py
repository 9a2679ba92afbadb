"""One street scene from a seed: a layout, SUMO's traffic on it, parked cars and walkers, and the sensor."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import shapely
from kerbside import Kerb, Parked, car_park, clear_of_traffic, draw_kerbs, row_of, thinned
from map_view import MAPS, draw_map
from sensor_view import Sensor, ego_sensor, seen_by, split_at_absences
from sidestep import make_way, track_boxes
from street_demand import Stop, draw_stops, street_demand
from street_layout import Layout, busy_points, draw_routes, read_layout
from street_tracks import vehicle_tracks
from sumo_network import LANE_WIDTH_M, RING_WIDTH_M, Network, build, intersection, lanes_of, motorway, roundabout
from sumo_recording import SHORTEST_FRAMES, SOURCE, STEP_S, Track, scene_of_tracks, simulate
from town_networks import MOTORWAY_TOWNS, cut_out, prepare_network, read_network
from walkers import pavements, walkers

from trajnet.errors import InputError, TrajnetError
from trajnet.geometry import wrap_angle
from trajnet.types import BoolArray, FloatArray, Lane, ObjectClass, Scene

#: Layouts without a file: the function that draws each, and the width of its lanes.
HANDMADE: dict[str, tuple[Callable[[np.random.Generator], Network], float]] = {
    "signals": (intersection, LANE_WIDTH_M),
    "ring": (partial(roundabout, radii_m=(10.0 - RING_WIDTH_M / 2, 25.0 - RING_WIDTH_M / 2)), LANE_WIDTH_M),
    "narrow": (partial(intersection, signals=False), 2.75),
    "priority_tee": (partial(intersection, arms=3, signals=False), LANE_WIDTH_M),
    "motorway_on": (partial(motorway, ramp="on"), LANE_WIDTH_M),
    "motorway_off": (partial(motorway, ramp="off"), LANE_WIDTH_M),
}
#: Streets farther than this outside the recorded circle are left out; on motorways FAST_MARGIN_M.
LAYOUT_MARGIN_M = 220.0
FAST_MARGIN_M = 600.0
LANE_MARGIN_M = 30.0
WARM_UP_S = 80.0
MARGIN_S = 2.0
#: Views and the share of scenes with each: everything (a drone), a vehicle that drives through, a roadside mast.
VIEWS: dict[str, float] = {"everything": 0.4, "ego": 0.48, "roadside": 0.12}
LEFT_HAND_SHARE = 0.25
JAM_SHARE = 0.25
#: Range of the number of parked cars for each moving one: in cities two thirds of all cars stand.
PARKED_PER_MOVING = (0.8, 2.8)
ATTEMPTS = 6
#: A network with more junctions is a city: only the part around the scene is used.
MANY_JUNCTIONS = 120
#: Vehicles that stand for longer than this (s) block each other permanently; SUMO removes them.
STUCK_S = 55


@dataclass(frozen=True)
class StreetRecipe:
    """The parameters of a street scene: the same recipe gives the same scene. network: a file, or one of HANDMADE."""

    scene_id: str
    network: Path | str
    seed: int
    duration_s: float


@dataclass(frozen=True, eq=False)
class Place:
    """The place of a scene: net.xml in folder, the scene's middle in it, the recorded radius and the layout."""

    folder: Path
    centre_m: FloatArray
    radius_m: float
    layout: Layout
    motorway: bool

    def lanes(self) -> tuple[Lane, ...]:
        """Return the lanes within radius_m and a margin."""
        x_m, y_m = self.centre_m.tolist()
        return lanes_of(self.folder / "net.xml", self.radius_m + LANE_MARGIN_M, middle_m=(x_m, y_m), step_m=8.0)


@dataclass(frozen=True, eq=False)
class Recording:
    """The tracks of a scene. seen: whether each track is recorded in each of its own frames. view: the sensor."""

    tracks: list[Track]
    seen: list[BoolArray]
    frames: int
    view: str


def street_scene(recipe: StreetRecipe) -> Scene:
    """Return the scene of a recipe; TrajnetError if its network has no place for one."""
    rng = np.random.default_rng([recipe.seed, 17])
    with tempfile.TemporaryDirectory() as name:
        place = _draw_place(rng, recipe, Path(name))
        recording = _record(rng, place, recipe)
        lanes, map_kind = draw_map(rng, place.lanes(), str(rng.choice(list(MAPS), p=list(MAPS.values()))))
    left_hand = rng.random() < LEFT_HAND_SHARE
    layout = recipe.network if isinstance(recipe.network, str) else recipe.network.name.split(".")[0]
    side = "left" if left_hand else "right"
    scene = scene_of_tracks(
        recipe.scene_id,
        recording.tracks,
        recording.seen,
        lanes=lanes,
        source=f"{SOURCE}; layout {layout}; drives on the {side}; map {map_kind}; seen by {recording.view}",
        licence=_licence(recipe.network),
    )
    return mirrored(scene) if left_hand else scene


def _licence(network: Path | str) -> str:
    if isinstance(network, str):
        return "Apache-2.0"
    if network.parent.name == "dlr":
        return "Apache-2.0; lanes from a DLR scenario (EPL-2.0) and OpenStreetMap (ODbL)"
    return "Apache-2.0; lanes from OpenStreetMap (ODbL)"


def mirrored(scene: Scene) -> Scene:
    """Return the scene with left and right exchanged, its map too: right-hand traffic becomes left-hand traffic."""
    flip = np.array([1.0, -1.0])
    lanes = tuple(
        replace(lane, left_m=lane.right_m * flip, right_m=lane.left_m * flip, centre_m=lane.centre_m * flip)
        for lane in scene.lanes
    )
    return replace(
        scene,
        position_m=scene.position_m * flip,
        yaw_rad=wrap_angle(-scene.yaw_rad),
        velocity_mps=scene.velocity_mps * flip,
        lanes=lanes,
    )


def _draw_place(rng: np.random.Generator, recipe: StreetRecipe, folder: Path) -> Place:
    if isinstance(recipe.network, str):
        draw, width_m = HANDMADE[recipe.network]
        network = draw(rng)
        root = read_network(build(network, folder, pavements=False, lane_width_m=width_m))
        fast, radius_m, centres = not network.walkable, network.radius_m, np.zeros((1, 2))
    else:
        root = read_network(recipe.network)
        fast, radius_m = _is_motorway(recipe.network), float(rng.uniform(65, 110))
        centres = busy_points(root)
        if len(centres) > MANY_JUNCTIONS:
            centres = centres[int(rng.integers(len(centres)))][None]
            root = read_network(cut_out(recipe.network, centres[0], 2 * LAYOUT_MARGIN_M, folder))
    if fast:
        radius_m = float(rng.uniform(120, 220))
    prepare_network(root, motorway=fast, to=folder / "net.xml")
    centre_m, layout = _try_centres(rng, root, centres, radius_m, FAST_MARGIN_M if fast else LAYOUT_MARGIN_M)
    return Place(folder, centre_m, radius_m, layout, fast)


def _is_motorway(network: Path) -> bool:
    return any(network.name.startswith(town) for town in MOTORWAY_TOWNS)


def _try_centres(
    rng: np.random.Generator, root: ElementTree.Element, centres: FloatArray, radius_m: float, margin_m: float
) -> tuple[FloatArray, Layout]:
    """Return one of the centres (C, 2) with streets around it and a way past it, and the layout there."""
    for _ in range(ATTEMPTS):
        centre_m = centres[int(rng.integers(len(centres)))]
        try:
            layout = read_layout(root, centre_m, radius_m + margin_m)
            draw_routes(np.random.default_rng(0), layout, count=1, within_m=0.6 * radius_m)
        except InputError:
            continue
        return centre_m, layout
    raise TrajnetError(f"network: expected a place with a way past it, found none in {ATTEMPTS} attempts")


def _record(rng: np.random.Generator, place: Place, recipe: StreetRecipe) -> Recording:
    """Run the traffic, add the objects that SUMO does not have, and apply the sensor."""
    frames = round(recipe.duration_s / STEP_S)
    kerbs = draw_kerbs(rng, place.layout, place.radius_m) if not place.motorway else []
    vehicles, stops = _drive(rng, place, recipe, kerbs)
    vehicles, parked = _park(rng, place, kerbs, stops, vehicles, frames)
    tracks = vehicles + [_standing_track(p, frames) for p in parked]
    count = 0 if place.motorway else int(rng.integers(4, 32))
    standing = shapely.union_all([p.box() for p in parked])
    lines = pavements(rng, kerbs, place.layout, standing)
    tracks += walkers(rng, lines, place.layout, tracks, standing, frames=frames, count=count)
    tracks = [t for t in tracks if len(t.frame) >= SHORTEST_FRAMES]
    return _look(rng, tracks, frames, place.radius_m)


def _drive(
    rng: np.random.Generator, place: Place, recipe: StreetRecipe, kerbs: list[Kerb]
) -> tuple[list[Track], list[Stop]]:
    """Return the vehicles that SUMO moves, in frames of the scene, and the stops among them."""
    count, end_s = int(rng.integers(6, 15)), WARM_UP_S + recipe.duration_s + MARGIN_S
    routes = draw_routes(rng, place.layout, count=count, within_m=0.6 * place.radius_m)
    stops = draw_stops(rng, place.layout, routes, kerbs, begin_s=WARM_UP_S, within_m=0.9 * place.radius_m)
    rate = float(rng.uniform(0.5, 1.7)) if place.motorway else float(rng.uniform(0.1, 0.55))
    text = street_demand(rng, place.layout, routes, stops, end_s=end_s, vehicles_per_s=rate, motorway=place.motorway)
    (place.folder / "rou.xml").write_text(text, encoding="utf-8")
    more = ["--ignore-route-errors=true", "--time-to-impatience=20", "--ignore-junction-blocker=15"]
    more += [f"--time-to-teleport={STUCK_S}", "--time-to-teleport.remove=true"]
    if rng.random() < JAM_SHARE:
        (place.folder / "add.xml").write_text(jam(rng, place, routes, end_s), encoding="utf-8")
        more.append("--additional-files=add.xml")
    simulate(place.folder, seed=recipe.seed, begin_s=WARM_UP_S - MARGIN_S, end_s=end_s, more=more)
    vehicles = []
    for track in vehicle_tracks(place.folder, place.centre_m, {stop.name: stop for stop in stops}):
        number = track.frame - round(MARGIN_S / STEP_S)
        keep = (number >= 0) & (number < round(recipe.duration_s / STEP_S))
        keep &= np.hypot(*track.position_m.T) <= place.radius_m + LANE_MARGIN_M
        rows = np.flatnonzero(keep)
        for run in np.split(rows, np.flatnonzero(np.diff(rows) > 1) + 1):
            if len(run) >= SHORTEST_FRAMES:
                vehicles.append(
                    replace(track, frame=number[run], position_m=track.position_m[run], yaw_rad=track.yaw_rad[run])
                )
    return vehicles, stops


def jam(rng: np.random.Generator, place: Place, routes: list[tuple[str, ...]], end_s: float) -> str:
    """Return SUMO's file of a street with a low speed limit now and then, which makes stop-and-go traffic before it."""
    used = sorted(
        {edge for route in routes for edge in route[1:]} & {s.edge_id for s in place.layout.near(place.radius_m)}
    )
    if not used:
        return "<additional/>\n"
    street = place.layout.streets[str(rng.choice(used))]
    lanes = " ".join(f"{street.edge_id}_{street.lane_index + i}" for i in range(street.lanes))
    steps, time_s = "", 0.0
    while time_s < end_s:
        slow_s, free_s = float(rng.uniform(10, 30)), float(rng.uniform(8, 25))
        steps += f'<step time="{time_s:.0f}" speed="{rng.uniform(1.0, 4.0):.2f}"/>'
        steps += f'<step time="{time_s + slow_s:.0f}" speed="{street.limit_mps:.2f}"/>'
        time_s += slow_s + free_s
    return f'<additional><variableSpeedSign id="jam" lanes="{lanes}">{steps}</variableSpeedSign></additional>\n'


def _park(
    rng: np.random.Generator, place: Place, kerbs: list[Kerb], stops: list[Stop], vehicles: list[Track], frames: int
) -> tuple[list[Track], list[Parked]]:
    """Return the vehicles, steered around objects that stand partly in their lanes, and all parked objects.

    Room is left for vehicles that pull out or stop there.
    """
    parked: list[Parked] = []
    for kerb in kerbs:
        room_m = [(s.at_m - 14.0, s.at_m + 9.0) for s in stops if s.street.edge_id == kerb.street.edge_id]
        parked += row_of(rng, kerb, room_m)
    if kerbs and rng.random() < 0.3:
        parked += car_park(rng, place.layout, place.radius_m)
    parked = [one for one in parked if np.hypot(*one.position_m) <= place.radius_m]
    driving = sum(len(t.frame) for t in vehicles if t.kind == ObjectClass.CAR) / frames
    most = round(float(rng.uniform(*PARKED_PER_MOVING)) * max(driving, 4.0)) + int(rng.integers(3, 12))
    parked = thinned(rng, clear_of_traffic(parked, place.layout, []), most)
    steered, straddling = make_way(vehicles, [one for one in parked if one.straddles])
    moving = [box for track in steered for box in track_boxes(track, margin_m=0.2)]
    beside = [one for one in parked if not one.straddles]
    return steered, straddling + clear_of_traffic(beside, place.layout, moving)


def _standing_track(parked: Parked, frames: int) -> Track:
    return Track(
        parked.kind, parked.size_m, np.arange(frames), np.tile(parked.position_m, (frames, 1)),
        np.full(frames, parked.yaw_rad), "parked",
    )  # fmt: skip


def _look(rng: np.random.Generator, tracks: list[Track], frames: int, radius_m: float) -> Recording:
    """Return the seen part of the tracks: everything within radius_m, or what a sensor sees of it."""
    view = str(rng.choice(list(VIEWS), p=list(VIEWS.values())))
    range_m = float(rng.uniform(45, 100))
    sensor = ego_sensor(rng, tracks, frames, radius_m=radius_m, range_m=range_m) if view == "ego" else None
    if view == "roadside":
        sensor = Sensor(np.tile(rng.normal(0.0, 12.0, 2), (frames, 1)), range_m)
    inside = [np.hypot(*t.position_m.T) <= radius_m for t in tracks]
    if sensor is None:
        seen, name = inside, "everything"
    else:
        seen = [a & b for a, b in zip(seen_by(sensor, tracks, frames), inside, strict=True)]
        name = f"{'an ego vehicle' if sensor.carrier >= 0 else 'a mast'}, {range_m:.0f} m"
    kept, masks = split_at_absences(tracks, seen)
    long = [i for i, mask in enumerate(masks) if mask.sum() >= SHORTEST_FRAMES]
    return Recording([kept[i] for i in long], [masks[i] for i in long], frames, name)
