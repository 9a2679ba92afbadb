"""What the node publishes beside the predictions, as CDR bytes: markers for RViz, the uncertainty of every path point.

Built from whole arrays, because message objects would cost more than the model (100 objects with 6 paths of 13 poses
are 7,800 points). Field order is that of visualization_msgs/MarkerArray and sensor_msgs/PointCloud2; tests compare the
bytes with rclpy's.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from trajnet.ros.cdr_writer import CdrWriter
from trajnet.ros.cloud_origin import encode_origin, origin_near
from trajnet.ros.published_paths import PublishedPaths
from trajnet.types import Expert, FloatArray, Source

#: Red, green, blue of a path by where it comes from: model, physics, stale, judged.
SOURCE_RGB: NDArray[np.float32] = np.array(
    [[0.1, 0.75, 1.0], [1.0, 0.65, 0.1], [0.6, 0.6, 0.6], [0.45, 0.9, 0.3]], dtype=np.float32
)
_BOX_RGBA = np.array([0.9, 0.9, 0.9, 0.9], dtype=np.float32)
_LINE_LIST = 5
_LINE_WIDTH_M = 0.15
#: PointField's codes of the types in CLOUD.
_DATATYPE = {"<f4": 7, "<f8": 8, "<u4": 6}

#: One record per path point of the covariance cloud. x, y, z come first and are float32, so that RViz draws it; x and y
#: are relative to the origin of the cloud. x_m and y_m are the predictions' own, in float64.
CLOUD: np.dtype[Any] = np.dtype(
    [
        ("x", "<f4"), ("y", "<f4"), ("z", "<f4"), ("time_s", "<f4"), ("x_m", "<f8"), ("y_m", "<f8"),
        ("cov_xx_m2", "<f4"), ("cov_xy_m2", "<f4"), ("cov_yy_m2", "<f4"),
        ("probability", "<f4"), ("age_s", "<f4"), ("object", "<u4"), ("path", "<u4"), ("source", "<u4"),
        ("expert", "<u4"), ("extended", "<u4"),
    ]
)  # fmt: skip


def encode_markers(
    stamp_ns: int, frame_id: str, paths: PublishedPaths, yaw_rad: FloatArray, size_m: FloatArray
) -> bytes:
    """visualization_msgs/MarkerArray: all paths as one marker, all boxes as another; each frame replaces the last.

    yaw_rad (N,), size_m (N, 2): of the objects now. A path's colour says where it comes from (SOURCE_RGB), its opacity
    how likely it is. Points are relative to the marker's pose, which is near them: RViz has float32.
    """
    writer = CdrWriter()
    writer.put("I", 2)
    origin_m = origin_near(_here(paths))
    for name, (points, colours) in (("paths", _path_lines(paths)), ("boxes", _box_lines(paths, yaw_rad, size_m))):
        points[:, :2] -= origin_m
        _line_marker(writer, stamp_ns, frame_id, name, points, colours, origin_m)
    return writer.bytes()


def _here(paths: PublishedPaths) -> FloatArray:
    """Return where the objects are now (N, 2)."""
    return paths.position_m[:, 0, 0] if len(paths) else np.zeros((0, 2))


def _path_lines(paths: PublishedPaths) -> tuple[FloatArray, NDArray[np.float32]]:
    """Both ends of every piece of every path: (2 P, 3) points and (2 P, 4) colours."""
    count, modes, steps = paths.yaw_rad.shape
    points = np.empty((count, modes, max(steps - 1, 0), 2, 3))
    points[..., 0, :2] = paths.position_m[:, :, :-1]
    points[..., 1, :2] = paths.position_m[:, :, 1:]
    points[..., 2] = paths.z_m[:, None, None, None]
    colours = np.empty((*points.shape[:-1], 4), dtype=np.float32)
    colours[..., :3] = SOURCE_RGB[paths.source][:, None, None, None]
    colours[..., 3] = (0.15 + 0.85 * paths.probability)[:, :, None, None]
    return points.reshape(-1, 3), colours.reshape(-1, 4)


def _box_lines(
    paths: PublishedPaths, yaw_rad: FloatArray, size_m: FloatArray
) -> tuple[FloatArray, NDArray[np.float32]]:
    corners = np.array([[0.5, 0.5], [-0.5, 0.5], [-0.5, -0.5], [0.5, -0.5]])
    local = corners[None] * size_m[:, None]
    cos, sin = np.cos(yaw_rad)[:, None], np.sin(yaw_rad)[:, None]
    turned = np.stack([cos * local[..., 0] - sin * local[..., 1], sin * local[..., 0] + cos * local[..., 1]], axis=-1)
    here = _here(paths)
    points = np.empty((len(paths), 4, 2, 3))
    points[:, :, 0, :2] = turned + here[:, None]
    points[:, :, 1, :2] = np.roll(turned, -1, axis=1) + here[:, None]
    points[..., 2] = paths.z_m[:, None, None]
    return points.reshape(-1, 3), np.broadcast_to(_BOX_RGBA, (len(paths) * 8, 4))


def _line_marker(
    writer: CdrWriter,
    stamp_ns: int,
    frame_id: str,
    name: str,
    points: FloatArray,
    colours: NDArray[np.float32],
    origin_m: FloatArray,
) -> None:
    writer.header(stamp_ns, frame_id)
    writer.text(name)
    writer.put("iii", 0, _LINE_LIST, 0)  # id, type, action: add or replace
    writer.put("ddddddd", *origin_m, 0, 0, 0, 0, 1)  # pose
    writer.put("ddd", _LINE_WIDTH_M, 0, 0)  # scale: the width of the lines
    writer.put("ffff", 1, 1, 1, 1)
    writer.put("iI", 1, 0)  # lifetime: gone one second after the node fell silent
    writer.put("?", False)
    writer.array(points.astype("<f8", copy=False), 8)
    writer.array(colours.astype("<f4", copy=False), 4)
    _no_texture_text_or_mesh(writer)


def _no_texture_text_or_mesh(writer: CdrWriter) -> None:
    writer.text("")
    writer.header(0, "")
    writer.text("")
    writer.put("II", 0, 0)  # image data, texture coordinates
    writer.text("")
    writer.text("")
    writer.text("")
    writer.put("I", 0)
    writer.put("?", False)


def covariance_records(paths: PublishedPaths) -> NDArray[Any]:
    """(N * K * T,) records of CLOUD: object by object, path by path, in order of time. x, y: left to encode_cloud."""
    count, modes, steps = paths.yaw_rad.shape
    records = np.zeros((count, modes, steps), dtype=CLOUD)
    records["x_m"], records["y_m"] = paths.position_m[..., 0], paths.position_m[..., 1]
    records["z"] = paths.z_m[:, None, None]
    records["time_s"] = paths.time_s
    records["cov_xx_m2"] = paths.covariance_m2[..., 0, 0]
    records["cov_xy_m2"] = paths.covariance_m2[..., 0, 1]
    records["cov_yy_m2"] = paths.covariance_m2[..., 1, 1]
    records["probability"] = paths.probability[:, :, None]
    records["age_s"] = paths.age_s[:, None, None]
    records["object"] = np.arange(count)[:, None, None]
    records["path"] = np.arange(modes)[None, :, None]
    records["source"] = paths.source[:, None, None]
    records["expert"] = experts_of(paths)[:, :, None]
    beyond = 1 if paths.on_lane is None else 1 + paths.on_lane[:, :, None]
    records["extended"] = (paths.time_s > paths.predicted_until_s + 1e-9) * beyond
    return records.reshape(-1)


def experts_of(paths: PublishedPaths) -> NDArray[np.int8]:
    """Return Expert values (N, K): where nothing judges itself, MODEL in rows of the model and UNKNOWN in others."""
    if paths.expert is not None:
        return paths.expert
    row = np.where(paths.source == Source.MODEL, np.int8(Expert.MODEL), np.int8(Expert.UNKNOWN))
    return np.repeat(row[:, None], paths.probability.shape[1], axis=1)


class Cloud(NamedTuple):
    """data: sensor_msgs/PointCloud2. transform: tf2_msgs/TFMessage of its frame, to be published before it.

    transform: None where the cloud is in the frame of the predictions.
    """

    data: bytes
    transform: bytes | None


def encode_covariance(stamp_ns: int, frame_id: str, paths: PublishedPaths, origin_frame: str = "") -> Cloud:
    """Return one point per path point; see encode_cloud.

    ``object`` and ``path`` index the PredictedObjects message of the same stamp; x_m and y_m are its positions.

    PointCloud2, because PredictedPath has no room for a covariance and no standard message has paths with covariances:
    it names its fields itself, is one contiguous block, and RViz, Foxglove and every bag tool read it.
    """
    is_dense = bool(np.isfinite(paths.position_m).all() and np.isfinite(paths.z_m).all())
    return encode_cloud(stamp_ns, frame_id, covariance_records(paths), is_dense, _here(paths), origin_frame)


def encode_cloud(
    stamp_ns: int,
    frame_id: str,
    records: NDArray[Any],
    is_dense: bool,
    near_m: FloatArray,
    origin_frame: str = "",
) -> Cloud:
    """Return a sensor_msgs/PointCloud2 with one point per record (N,) of a structured array.

    x_m, y_m of the records: float64, in frame_id. x and y are set here: in origin_frame, which lies near the positions
    near_m (M, 2); without one, or without a frame_id that could have a child, they are x_m and y_m in float32.
    """
    has_origin = bool(origin_frame and frame_id)
    origin_m = origin_near(near_m) if has_origin else np.zeros(2)
    records["x"], records["y"] = records["x_m"] - origin_m[0], records["y_m"] - origin_m[1]
    names = records.dtype.names
    assert names is not None
    writer = CdrWriter()
    writer.header(stamp_ns, origin_frame if has_origin else frame_id)
    writer.put("II", 1, len(records))
    writer.put("I", len(names))
    for name in names:
        dtype, offset = records.dtype.fields[name][:2]  # type: ignore[index]
        writer.text(name)
        writer.put("IBI", offset, _DATATYPE[dtype.str], 1)
    writer.put("?", False)
    writer.put("II", records.itemsize, records.nbytes)
    writer.array(records.view(np.uint8), 1)
    writer.put("?", is_dense)
    transform = encode_origin(stamp_ns, frame_id, origin_frame, origin_m) if has_origin else None
    return Cloud(writer.bytes(), transform)
