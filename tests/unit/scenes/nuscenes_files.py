"""nuScenes' tables and a map of its expansion, made after the published schema."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

START_US = 1_532_402_927_000_000
HALF = math.sqrt(0.5)


def tables() -> dict[str, list[dict[str, Any]]]:
    """Return two scenes of two samples: the vehicle along +y, a car 10 m ahead, a cone, a walker in the last."""
    samples = [
        {"token": f"s{i}", "timestamp": START_US + 500_000 * i, "scene_token": f"scene{i // 2}", "prev": "", "next": ""}
        for i in range(4)
    ]
    boxes = [
        {
            "token": f"{name}{i}", "sample_token": f"s{i}", "instance_token": name,
            "translation": [x, y + 3.0 * i, 1.0], "size": [1.9, 4.5, 1.6], "rotation": [HALF, 0.0, 0.0, HALF],
        }
        for i in range(4)
        for name, x, y in (("car", 100.0, 60.0), ("cone", 90.0, 50.0), ("walker", 95.0, 40.0))
        if name != "walker" or i == 3
    ]  # fmt: skip
    names = {"car": "vehicle.car", "cone": "movable_object.trafficcone", "walker": "human.pedestrian.adult"}
    data = [
        {
            "token": f"d{i}{channel}", "sample_token": f"s{i}", "ego_pose_token": f"e{i}{channel}",
            "filename": f"samples/{channel}/x", "is_key_frame": key, "timestamp": START_US,
        }
        for i in range(4)
        for channel, key in (("LIDAR_TOP", True), ("CAM_FRONT", True))
    ]  # fmt: skip
    poses = [
        {"token": row["ego_pose_token"], "translation": [100.0, 50.0 + 3.0 * (n // 2), 0.0], "timestamp": START_US,
         "rotation": [HALF, 0.0, 0.0, HALF]}
        for n, row in enumerate(data)
    ]  # fmt: skip
    return {
        "scene": [{"token": f"scene{i}", "name": f"scene-000{i}", "log_token": "log"} for i in range(2)],
        "log": [{"token": "log", "location": "boston-seaport"}],
        "sample": samples,
        "category": [{"token": f"c{name}", "name": kind} for name, kind in names.items()],
        "instance": [{"token": name, "category_token": f"c{name}"} for name in names],
        "sample_annotation": boxes,
        "sample_data": data,
        "ego_pose": poses,
    }


def a_map() -> dict[str, Any]:
    """Return a straight lane of 10 m, 3 m wide, a connector that turns left, and a crossing."""
    corners = {"a": (0, -1.5), "b": (10, -1.5), "c": (10, 1.5), "d": (0, 1.5)}
    across = {"e": (4, -6), "f": (7, -6), "g": (7, 6), "h": (4, 6)}
    return {
        "node": [{"token": name, "x": x, "y": y} for name, (x, y) in {**corners, **across}.items()],
        "polygon": [
            {"token": "p1", "exterior_node_tokens": list(corners), "holes": []},
            {"token": "p2", "exterior_node_tokens": list(across), "holes": []},
        ],
        "lane": [{"token": "l1", "polygon_token": "p1", "lane_type": "CAR"}],
        "lane_connector": [{"token": "l2"}],
        "ped_crossing": [{"token": "x1", "polygon_token": "p2"}],
        "arcline_path_3": {
            "l1": [arc([0.0, 0.0, 0.0], "LSL", 10.0, [0.0, 10.0, 0.0])],
            "l2": [arc([10.0, 0.0, 0.0], "LSR", 5.0, [5.0 * math.pi / 2, 0.0, 0.0])],
        },
    }


def arc(pose: list[float], shape: str, radius: float, lengths: list[float]) -> dict[str, Any]:
    return {"start_pose": pose, "end_pose": pose, "shape": shape, "radius": radius, "segment_length": lengths}


def write_tables(root: Path, *, indent: int | None = 0) -> Path:
    """Write the tables and the map below a root; return sample_annotation.json."""
    folder = root / "v1.0-mini"
    folder.mkdir(parents=True, exist_ok=True)
    for name, rows in tables().items():
        (folder / f"{name}.json").write_text(json.dumps(rows, indent=indent))
    (root / "maps" / "expansion").mkdir(parents=True, exist_ok=True)
    (root / "maps" / "expansion" / "boston-seaport.json").write_text(json.dumps(a_map()))
    return folder / "sample_annotation.json"
