"""JSON schemas of Foxglove's well-known messages, as far as they are written here.

Foxglove knows what to draw by a schema's name and finds the fields by theirs:
https://docs.foxglove.dev/docs/sdk/schemas
"""

from __future__ import annotations

from typing import Any

Schema = dict[str, Any]


def _object(title: str, **properties: Schema) -> Schema:
    return {"title": title, "type": "object", "properties": properties, "required": list(properties)}


def _list(items: Schema) -> Schema:
    return {"type": "array", "items": items}


def _numbers(title: str, names: str) -> Schema:
    return _object(title, **{name: {"type": "number"} for name in names})


def _time(title: str) -> Schema:
    """Return a time or duration: sec and nsec, which Foxglove tells by the title."""
    nsec = {"type": "integer", "minimum": 0, "maximum": 999_999_999}
    return _object(title, sec={"type": "integer"}, nsec=nsec)


_TEXT, _NUMBER, _YES_OR_NO = {"type": "string"}, {"type": "number"}, {"type": "boolean"}
_STAMP = _time("time")
_VECTOR, _POINT = _numbers("foxglove.Vector3", "xyz"), _numbers("foxglove.Point3", "xyz")
_TURN, _COLOUR = _numbers("foxglove.Quaternion", "xyzw"), _numbers("foxglove.Color", "rgba")
_POSE = _object("foxglove.Pose", position=_VECTOR, orientation=_TURN)
_CUBE = _object("foxglove.CubePrimitive", pose=_POSE, size=_VECTOR, color=_COLOUR)
_LINE = _object(
    "foxglove.LinePrimitive",
    type={"type": "integer", "enum": [0, 1, 2]},
    pose=_POSE,
    thickness=_NUMBER,
    scale_invariant=_YES_OR_NO,
    points=_list(_POINT),
    color=_COLOUR,
    colors=_list(_COLOUR),
    indices=_list({"type": "integer", "minimum": 0}),
)
_WORDS = _object(
    "foxglove.TextPrimitive",
    pose=_POSE,
    billboard=_YES_OR_NO,
    font_size=_NUMBER,
    scale_invariant=_YES_OR_NO,
    color=_COLOUR,
    text=_TEXT,
)
_ENTITY = _object(
    "foxglove.SceneEntity",
    timestamp=_STAMP,
    frame_id=_TEXT,
    id=_TEXT,
    lifetime=_time("duration"),
    frame_locked=_YES_OR_NO,
    metadata=_list(_object("foxglove.KeyValuePair", key=_TEXT, value=_TEXT)),
    cubes=_list(_CUBE),
    lines=_list(_LINE),
    texts=_list(_WORDS),
)
_DELETION = _object(
    "foxglove.SceneEntityDeletion", timestamp=_STAMP, type={"type": "integer", "enum": [0, 1]}, id=_TEXT
)

SCENE_UPDATE = _object("foxglove.SceneUpdate", deletions=_list(_DELETION), entities=_list(_ENTITY))
FRAME_TRANSFORM = _object(
    "foxglove.FrameTransform",
    timestamp=_STAMP,
    parent_frame_id=_TEXT,
    child_frame_id=_TEXT,
    translation=_VECTOR,
    rotation=_TURN,
)
