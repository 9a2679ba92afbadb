"""ScenarioNet's scenarios, made of scenes after metadrive.scenario.scenario_description.ScenarioDescription."""

from __future__ import annotations

import pickle
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np

from trajnet.types import Lane, ObjectClass, Scene

TYPES = {
    ObjectClass.PEDESTRIAN: "PEDESTRIAN",
    ObjectClass.BICYCLE: "CYCLIST",
    ObjectClass.UNKNOWN: "OTHER",
}


def scenario_of(scene: Scene) -> dict[str, Any]:
    """Return the scenario of a scene; what is not valid is zero, as ScenarioNet's converters write it."""
    steps = scene.frame_count
    tracks = {}
    for index, name in enumerate(scene.track_id):
        rows = np.flatnonzero(scene.row_track == index)
        if len(rows):
            tracks[name] = _track(scene, index, rows, steps)
    targets = np.flatnonzero(scene.is_target)
    now = int(scene.row_frame[targets[0]]) if len(targets) else 0
    asked = {scene.track_id[t]: {"track_id": scene.track_id[t]} for t in scene.row_track[targets].tolist()}
    counts: defaultdict[str, int] = defaultdict(int)  # converters leave such in the metadata
    for track in tracks.values():
        counts[track["type"]] += 1
    return {
        "id": scene.scene_id,
        "version": "trajnet's tests",
        "length": steps,
        "tracks": tracks,
        "dynamic_map_states": {},
        "map_features": {lane.lane_id: _feature(lane) for lane in scene.lanes},
        "metadata": {
            "metadrive_processed": False,
            "coordinate": "waymo",
            "dataset": "test",
            "ts": ((scene.timestamp_ns - scene.timestamp_ns[0]) * 1e-9).astype(np.float32),
            "sdc_id": next(iter(tracks), ""),
            "number_summary": {"num_objects_each_type": counts},
            **({"current_time_index": now, "tracks_to_predict": asked} if asked else {}),
        },
    }


def _track(scene: Scene, index: int, rows: np.ndarray[Any, Any], steps: int) -> dict[str, Any]:
    kind = TYPES.get(ObjectClass(scene.object_class[index]), "VEHICLE")
    at = scene.row_frame[rows]
    state = {
        "position": np.zeros((steps, 3), np.float32),
        "heading": np.zeros(steps, np.float32),
        "velocity": np.zeros((steps, 2), np.float32),
        "length": np.zeros(steps, np.float32),
        "width": np.zeros((steps, 1), np.float32),  # nuScenes' converter keeps this axis
        "height": np.zeros(steps, np.float32),
        "valid": np.zeros(steps, np.bool_),
    }
    state["position"][at, :2] = scene.position_m[rows]
    state["heading"][at] = scene.yaw_rad[rows]
    state["velocity"][at] = scene.velocity_mps[rows]
    state["length"][at], state["width"][at, 0] = scene.size_m[index]
    state["valid"][at] = True
    name = scene.track_id[index]
    return {
        "type": kind,
        "state": state,
        "metadata": {"type": kind, "object_id": name, "track_length": steps},
    }


def _feature(lane: Lane) -> dict[str, Any]:
    ring_m = np.concatenate([lane.left_m, lane.right_m[::-1]])
    if lane.crosswalk:
        return {"type": "CROSSWALK", "polygon": ring_m}
    return {"type": "LANE_SURFACE_STREET", "polyline": lane.centre_m, "polygon": ring_m}


def write_scenario(path: Path, scenario: dict[str, Any]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(pickle.dumps(scenario))
    return path
