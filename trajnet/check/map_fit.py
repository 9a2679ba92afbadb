"""The map against the objects: vehicles are on its roads and go the way of its lanes."""

from __future__ import annotations

from typing import Any

import numpy as np
import shapely

from trajnet.check.finding import Finding
from trajnet.check.steps import LEG_M, Pairs
from trajnet.geometry import paired
from trajnet.types import WHEELED, BoolArray, FloatArray, IntArray, Lane

#: Moves of vehicles that a verdict needs, and at most so many are looked at, evenly over the recording.
MIN_MOVES, MAX_MOVES = 30, 2000
BICYCLE = 5


def map_findings(legs: Pairs) -> tuple[list[Finding], dict[str, Any]]:
    """Return what does not fit, and the shares of moving vehicles on the road and along their lane (None: unknown)."""
    scene = legs.scene
    facts: dict[str, Any] = {"on_road_share": None, "along_lane_share": None}
    lanes = [lane for lane in scene.lanes if lane.drivable and lane.sides_m is not None]
    wheeled = np.array(WHEELED)
    wheeled[BICYCLE] = False
    moves = legs.where(wheeled[legs.object_class] & (legs.distance_m > LEG_M))
    if not lanes and scene.raster is None and any(lane.drivable for lane in scene.lanes):
        sentence = "no lane of the map has two points on each side or on its centre line"
        return [Finding("doubt", "map", sentence, "The map is used for nothing: its lines did not come with it")], facts
    if not (lanes or scene.raster is not None) or len(moves.first) < MIN_MOVES:
        return [], facts
    rows = np.unique(np.linspace(0, len(moves.first) - 1, MAX_MOVES).astype(np.int64))
    at_m, along = scene.position_m[moves.first[rows]], moves.move_m[rows] / moves.distance_m[rows, None]
    if not lanes and scene.raster is not None:
        facts["on_road_share"] = float(scene.raster.is_drivable(at_m).mean())
        return _verdicts(facts), facts
    on_road, along_lane = _on_lanes(lanes, at_m, along)
    facts["on_road_share"] = float(on_road.mean())
    if on_road.sum() >= MIN_MOVES:
        facts["along_lane_share"] = float(along_lane[on_road].mean())
    return _verdicts(facts), facts


def _on_lanes(lanes: list[Lane], at_m: FloatArray, along: FloatArray) -> tuple[BoolArray, BoolArray]:
    """Return whether points (P, 2) are in a lane, and whether directions (P, 2) go the way of one of those lanes."""
    areas = [shapely.make_valid(shapely.polygons(lane.outline_m)) for lane in lanes]
    point, lane = shapely.STRtree(areas).query(shapely.points(at_m), predicate="intersects")
    on_road, fits = np.zeros(len(at_m), np.bool_), np.zeros(len(at_m), np.bool_)
    on_road[point] = True
    for index in np.unique(lane):
        of: IntArray = point[lane == index]
        heading = _direction_at(lanes[index], at_m[of])
        cosine = (heading * along[of]).sum(axis=1)
        fits[of] |= (cosine if lanes[index].one_way else np.abs(cosine)) > 0.5
    return on_road, fits


def _direction_at(lane: Lane, at_m: FloatArray) -> FloatArray:
    """Return the unit direction (P, 2) of the lane's centre at the points nearest to P points."""
    centre_m = lane.centre_m
    if len(centre_m) < 2 and lane.sides_m is not None:
        centre_m = np.mean(paired(*lane.sides_m), axis=0)
    line = shapely.linestrings(centre_m)
    where = shapely.line_locate_point(line, shapely.points(at_m))
    behind, ahead = (
        shapely.get_coordinates(shapely.line_interpolate_point(line, np.clip(where + d, 0, shapely.length(line))))
        for d in (-1.0, 1.0)
    )
    move = ahead - behind
    unit: FloatArray = move / np.maximum(np.hypot(*move.T), 1e-9)[:, None]
    return unit


def _verdicts(facts: dict[str, Any]) -> list[Finding]:
    on_road, along = facts["on_road_share"], facts["along_lane_share"]
    if on_road < 0.3:
        sentence = f"only {on_road:.0%} of the moving vehicles are on a road of the map"
        cause = "Map and objects are in different frames: check origin, projection and axes of both"
        return [Finding("mistake", "map", sentence, cause)]
    if along is not None and along < 0.4:
        sentence = f"only {along:.0%} of the vehicles on roads go the way of their lane"
        cause = "Axes are swapped or mirrored in map or objects, or the map is of another place"
        return [Finding("mistake", "map", sentence, cause)]
    if on_road < 0.5:
        sentence = f"{1 - on_road:.0%} of the moving vehicles are beside the roads of the map"
        return [Finding("doubt", "map", sentence, "The map covers a part of the place, or is shifted")]
    return []
