"""Scenes, and what a predictor makes of them, written as rosbag2 recordings without ROS."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any, Literal

from trajnet.errors import InputError
from trajnet.inference import Predictor
from trajnet.ros.bags import PREDICTED_TOPIC, TRACKED_TOPIC, rosbag2_module, typestore
from trajnet.ros.cdr import encode_tracked
from trajnet.ros.definitions import PREDICTED_OBJECTS, TRACKED_OBJECTS
from trajnet.ros.diagnostics import Identity
from trajnet.ros.parameters import Parameters
from trajnet.ros.pipeline import Pipeline
from trajnet.ros.to_autoware import tracked_objects
from trajnet.types import Scene
from trajnet.whole_file import publish, scratch_folder

MARKER_TOPIC = "/trajnet_predictor/debug/objects_path_markers"
COVARIANCE_TOPIC = "/trajnet_predictor/output/path_covariance"
ORIGIN_FRAME = "trajnet_predictor/path_covariance_origin"
MARKERS = "visualization_msgs/msg/MarkerArray"
CLOUD = "sensor_msgs/msg/PointCloud2"
TRANSFORM_TOPIC, TRANSFORMS = "/tf", "tf2_msgs/msg/TFMessage"

Storage = Literal["mcap", "sqlite3"]


def export_bag(
    scene: Scene, out: Path, predictor: Predictor | None = None, *, storage: Storage = "mcap", frame_id: str = "map"
) -> int:
    """Write the scene as a bag: TrackedObjects and, with a predictor, PredictedObjects, markers, covariances and /tf.

    out: a folder that does not exist yet, or with mcap a single .mcap file. The predictor runs as it does in the node.
    The bag appears whole or not at all.
    Returns the number of messages. Raises InputError where out exists or cannot be written.
    """
    rosbag2 = rosbag2_module()
    single = out.suffix in (".mcap", ".db3")
    if out.exists():
        raise InputError(f"{out}: expected a new bag, but it exists already; remove it or name another")
    if single and out.suffix != {"mcap": ".mcap", "sqlite3": ".db3"}[storage]:
        raise InputError(f"{out}: expected a file for storage {storage}, got {out.suffix}")
    plugin = {"mcap": rosbag2.StoragePlugin.MCAP, "sqlite3": rosbag2.StoragePlugin.SQLITE3}[storage]
    with scratch_folder(out) as folder:
        made = folder / out.stem
        try:
            with rosbag2.Writer(made, version=8, storage_plugin=plugin) as writer:
                count = _write(writer, scene, predictor, frame_id)
        except sqlite3.Error as error:
            raise InputError(f"{out}: cannot be written: {error}") from error
        publish(next(made.glob(f"*{out.suffix}")) if single else made, out)
    return count


def _write(writer: Any, scene: Scene, predictor: Predictor | None, frame_id: str) -> int:
    store = typestore()
    topics = {TRACKED_TOPIC: TRACKED_OBJECTS}
    if predictor is not None:
        topics |= {PREDICTED_TOPIC: PREDICTED_OBJECTS, MARKER_TOPIC: MARKERS, COVARIANCE_TOPIC: CLOUD}
        topics[TRANSFORM_TOPIC] = TRANSFORMS
    connections = {t: writer.add_connection(t, m, typestore=store) for t, m in topics.items()}
    pipeline = None if predictor is None else _offline(predictor)
    count = 0
    for frame in scene.frames():
        data = encode_tracked(tracked_objects(frame, frame_id))
        messages = {TRACKED_TOPIC: data}
        answer = None if pipeline is None else pipeline.process(data, frame.timestamp_ns)
        if answer is not None and answer.objects is not None:
            cloud = answer.covariance(ORIGIN_FRAME)
            messages |= {PREDICTED_TOPIC: answer.objects, MARKER_TOPIC: answer.markers(), COVARIANCE_TOPIC: cloud.data}
            if cloud.transform is not None:
                messages[TRANSFORM_TOPIC] = cloud.transform
        for topic, message in messages.items():
            writer.write(connections[topic], frame.timestamp_ns, message)
        count += len(messages)
    return count


def _offline(predictor: Predictor) -> Pipeline:
    """Return the node's pipeline without a deadline, so that a bag does not depend on the machine that wrote it."""
    parameters = Parameters(
        budget_ms=0.0, horizon_s=float(predictor.time_s[-1]), path_step_s=float(predictor.time_s[0])
    )
    return Pipeline(predictor, Identity(predictor.name, "", "", uses_model=True), parameters, clock_ns=lambda: 0)
