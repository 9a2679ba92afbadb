"""A scene and its paths as an .mcap that Foxglove shows at once: its own messages in JSON, the schemas inside.

Topics: /tf (world to map, and map to base_link where the recording vehicle is one of the tracks), /map, /objects,
/history, /paths. The frame map has its origin in the middle of the scene, see moments.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from trajnet.errors import DependencyError, install_advice
from trajnet.inference import Predictor
from trajnet.picture.palette import PATH, TEXT
from trajnet.tabular.frames import SOURCE_NAMES
from trajnet.types import CLASS_NAMES, FloatArray, Prediction, Scene
from trajnet.view.foxglove_schemas import FRAME_TRANSFORM, SCENE_UPDATE
from trajnet.view.moments import (
    EGO_IDS,
    HEIGHT_M,
    LEAST_PROBABILITY,
    Moment,
    class_rgb,
    map_lines,
    moments,
    origin_m,
    rgb,
    words,
)
from trajnet.whole_file import whole_file

TRANSFORMS = "/tf"
SCENES = ("/map", "/objects", "/history", "/paths")
LINE_STRIP = 0
DELETE_ALL = 1
Message = dict[str, Any]


def write_foxglove(path: Path, scene: Scene, predictor: Predictor) -> int:
    """Write the file, whole or not at all; return the number of messages. Raises DependencyError without mcap."""
    try:
        from mcap.writer import Writer
    except ImportError as error:
        raise DependencyError(f"mcap files need mcap; run: {install_advice('view')}") from error
    count = 0
    with whole_file(path) as part, part.open("wb") as file:
        writer = Writer(file)
        writer.start(profile="", library="trajnet")
        channels: dict[str, int] = {}
        for schema, topics in ((FRAME_TRANSFORM, (TRANSFORMS,)), (SCENE_UPDATE, SCENES)):
            known = writer.register_schema(schema["title"], "jsonschema", json.dumps(schema).encode())
            channels |= {topic: writer.register_channel(topic, "json", known) for topic in topics}
        for topic, stamp_ns, message in messages(scene, predictor):
            data = json.dumps(message, allow_nan=False, separators=(",", ":")).encode()
            writer.add_message(channels[topic], stamp_ns, data, stamp_ns)
            count += 1
        writer.finish()
    return count


def messages(scene: Scene, predictor: Predictor) -> Iterator[tuple[str, int, Message]]:
    """Yield (topic, time in ns, message) in order of time."""
    if not scene.frame_count:
        return
    origin = origin_m(scene)
    # Times in mcap are unsigned; a recording whose clock starts below 0 is moved to 0.
    shift_ns = min(0, int(scene.timestamp_ns[0]))
    first_ns = int(scene.timestamp_ns[0]) - shift_ns
    yield TRANSFORMS, first_ns, _transform(first_ns, "world", "map", origin, 0.0)
    lines = [_line(line_m - origin, (0.6, 0.6, 0.6, 1.0), 0.12) for line_m in map_lines(scene)]
    yield "/map", first_ns, _update(first_ns, [_entity(first_ns, "map", lines=lines)])
    for moment in moments(scene, predictor):
        stamp_ns = int(scene.timestamp_ns[moment.index]) - shift_ns
        ego = next((row for row, name in enumerate(moment.now.track_id) if name in EGO_IDS), None)
        if ego is not None:
            place, yaw_rad = moment.now.position_m[ego] - origin, float(moment.now.yaw_rad[ego])
            yield TRANSFORMS, stamp_ns, _transform(stamp_ns, "map", "base_link", place, yaw_rad)
        yield "/objects", stamp_ns, _update(stamp_ns, _objects(moment, stamp_ns, origin))
        yield "/history", stamp_ns, _update(stamp_ns, _histories(moment, stamp_ns, origin))
        if moment.prediction is not None:
            yield "/paths", stamp_ns, _update(stamp_ns, _paths(moment.prediction, stamp_ns, origin))


def _objects(moment: Moment, stamp_ns: int, origin: FloatArray) -> Iterator[Message]:
    now = moment.now
    for row, name in enumerate(now.track_id):
        kind = int(now.object_class[row])
        yaw_rad = float(now.yaw_rad[row]) if now.yaw_valid[row] else 0.0
        high_m = HEIGHT_M[kind]
        cube = {
            "pose": _pose(now.position_m[row] - origin, yaw_rad, 0.5 * high_m),
            "size": _vector(now.size_m[row], high_m),
            "color": _colour(class_rgb(kind), 0.9),
        }
        text = {
            "pose": _pose(now.position_m[row] - origin, 0.0, high_m + 0.8),
            "billboard": True, "font_size": 0.9, "scale_invariant": False, "color": _colour(rgb(TEXT), 1.0),
            "text": words(now, row, moment.prediction),
        }  # fmt: skip
        facts = {"class": CLASS_NAMES[kind]}
        if moment.prediction is not None:
            facts["source"] = SOURCE_NAMES[moment.prediction.source[row]]
        yield _entity(stamp_ns, name, cubes=[cube], texts=[text], facts=facts)


def _histories(moment: Moment, stamp_ns: int, origin: FloatArray) -> Iterator[Message]:
    for row, line_m in enumerate(moment.history_m):
        red, green, blue = class_rgb(int(moment.now.object_class[row]))
        colour = (red / 255, green / 255, blue / 255, 0.5)
        yield _entity(stamp_ns, moment.now.track_id[row], lines=[_line(line_m - origin, colour, 0.25)])


def _paths(prediction: Prediction, stamp_ns: int, origin: FloatArray) -> Iterator[Message]:
    red, green, blue = (value / 255 for value in rgb(PATH))
    for row, name in enumerate(prediction.track_id):
        lines = [
            _line(path_m - origin, (red, green, blue, 0.2 + 0.8 * share), 0.15 + 0.35 * share)
            for path_m, share in zip(prediction.position_m[row], prediction.probability[row].tolist(), strict=True)
            if share >= LEAST_PROBABILITY
        ]
        facts = {f"mode {mode}": f"{share:.3f}" for mode, share in enumerate(prediction.probability[row].tolist())}
        facts["source"] = SOURCE_NAMES[prediction.source[row]]
        yield _entity(stamp_ns, name, lines=lines, facts=facts)


def _update(stamp_ns: int, entities: Iterable[Message]) -> Message:
    """Return a message whose entities take the place of all earlier ones of its topic."""
    return {
        "deletions": [{"timestamp": _stamp(stamp_ns), "type": DELETE_ALL, "id": ""}],
        "entities": list(entities),
    }


def _entity(
    stamp_ns: int,
    name: str,
    *,
    cubes: list[Message] | None = None,
    lines: list[Message] | None = None,
    texts: list[Message] | None = None,
    facts: dict[str, str] | None = None,
) -> Message:
    return {
        "timestamp": _stamp(stamp_ns), "frame_id": "map", "id": name, "lifetime": _stamp(0), "frame_locked": True,
        "metadata": [{"key": key, "value": value} for key, value in (facts or {}).items()],
        "cubes": cubes or [], "lines": lines or [], "texts": texts or [],
    }  # fmt: skip


def _line(points_m: FloatArray, colour: tuple[float, float, float, float], thickness_m: float) -> Message:
    return {
        "type": LINE_STRIP, "pose": _pose(np.zeros(2), 0.0, 0.0), "thickness": thickness_m, "scale_invariant": False,
        "points": [{"x": round(x, 3), "y": round(y, 3), "z": 0.05} for x, y in points_m.tolist()],
        "color": dict(zip("rgba", colour, strict=True)), "colors": [], "indices": [],
    }  # fmt: skip


def _transform(stamp_ns: int, parent: str, child: str, place_m: FloatArray, yaw_rad: float) -> Message:
    return {
        "timestamp": _stamp(stamp_ns), "parent_frame_id": parent, "child_frame_id": child,
        "translation": _vector(place_m, 0.0), "rotation": _turn(yaw_rad),
    }  # fmt: skip


def _pose(place_m: FloatArray, yaw_rad: float, z_m: float) -> Message:
    return {"position": _vector(place_m, z_m), "orientation": _turn(yaw_rad)}


def _vector(xy: FloatArray, z: float) -> Message:
    return {"x": float(xy[0]), "y": float(xy[1]), "z": z}


def _turn(yaw_rad: float) -> Message:
    return {"x": 0.0, "y": 0.0, "z": math.sin(0.5 * yaw_rad), "w": math.cos(0.5 * yaw_rad)}


def _colour(of: tuple[int, int, int], alpha: float) -> Message:
    red, green, blue = (value / 255 for value in of)
    return {"r": red, "g": green, "b": blue, "a": alpha}


def _stamp(nanoseconds: int) -> Message:
    return {"sec": nanoseconds // 1_000_000_000, "nsec": nanoseconds % 1_000_000_000}
