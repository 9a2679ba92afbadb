"""rosbag2 recordings (mcap and sqlite3) read and written without ROS.

Reading takes a bag's folder, or one of its .mcap or .db3 files alone. Messages stay bytes: the codec is the node's.
"""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar

import numpy as np

from trajnet.errors import DependencyError, InputError
from trajnet.inference import Predictor
from trajnet.ros.bag_predictions import prediction_of
from trajnet.ros.cdr import PredictedObjects, TrackedObjects, decode_predicted, decode_tracked, encode_tracked
from trajnet.ros.definitions import DEFINITIONS, PREDICTED_OBJECTS, TRACKED_OBJECTS
from trajnet.ros.diagnostics import Identity
from trajnet.ros.from_autoware import MessageCleaner
from trajnet.ros.parameters import Parameters
from trajnet.ros.pipeline import Pipeline
from trajnet.ros.to_autoware import tracked_objects
from trajnet.scenes import load_scene
from trajnet.scenes.rows import Rows, scene_from_rows
from trajnet.types import Prediction, Scene, TrackFrame

TRACKED_TOPIC = "/perception/object_recognition/tracking/objects"
PREDICTED_TOPIC = "/perception/object_recognition/objects"
MARKER_TOPIC = "/trajnet_predictor/debug/objects_path_markers"
COVARIANCE_TOPIC = "/trajnet_predictor/output/path_covariance"
MARKERS = "visualization_msgs/msg/MarkerArray"
CLOUD = "sensor_msgs/msg/PointCloud2"

Storage = Literal["mcap", "sqlite3"]
Message = TypeVar("Message", TrackedObjects, PredictedObjects)


def is_bag(path: Path) -> bool:
    """Whether the path looks like a rosbag2 recording: a folder with metadata.yaml, an .mcap or a .db3 file."""
    return (path / "metadata.yaml").is_file() or path.suffix in (".mcap", ".db3")


def open_scene(path: Path, *, with_map: bool = False) -> Scene:
    """Return the scene of a bag, or of any file that load_scene reads. with_map: see there."""
    return scene_from_bag(path) if is_bag(path) else load_scene(path, with_map=with_map)


# --- reading ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class BagTopic:
    """A topic of a bag: its name, type and number of messages."""

    name: str
    message_type: str
    count: int


def bag_topics(path: Path) -> list[BagTopic]:
    """Return the topics of a bag, by name. Raises InputError."""
    with _reader(path) as reader:
        return sorted((BagTopic(c.topic, c.msgtype, c.msgcount) for c in reader.connections), key=lambda t: t.name)


def scene_from_bag(path: Path, topic: str | None = None) -> Scene:
    """Return the tracked objects of a bag as a scene; time is that of the messages' stamps.

    topic: of TrackedObjects; None takes the only one, or Autoware's. Objects are read as the node reads them (see
    trajnet.ros.from_autoware). A track has the class that most of its rows have, and its median size. Of messages with
    the same stamp the first counts. InputError where the bag cannot be read or has no such topic.
    """
    cleaner = MessageCleaner()
    frames: dict[int, TrackFrame] = {}
    for message in _messages(path, TRACKED_OBJECTS, TRACKED_TOPIC, topic, decode_tracked):
        frame = cleaner.clean(message).frame
        frames.setdefault(frame.timestamp_ns, frame)
    ordered = [frames[stamp] for stamp in sorted(frames)]
    if not any(len(f) for f in ordered):
        raise InputError(f"{path}: expected tracked objects, got {len(ordered)} messages without any")
    number = np.repeat(np.arange(len(ordered)), [len(f) for f in ordered])
    track_id = [t for f in ordered for t in f.track_id]
    object_class, size_m = _per_track(track_id, _column(ordered, "object_class"), _column(ordered, "size_m"))
    rows = Rows(
        frame_number=number,
        timestamp_ns=np.array([f.timestamp_ns for f in ordered])[number],
        track_id=track_id,
        object_class=object_class,
        size_m=size_m,
        position_m=_column(ordered, "position_m"),
        yaw_rad=_column(ordered, "yaw_rad"),
        yaw_valid=_column(ordered, "yaw_valid"),
        velocity_mps=_column(ordered, "velocity_mps"),
        velocity_valid=_column(ordered, "velocity_valid"),
        is_target=np.zeros(len(track_id), dtype=np.bool_),
    )
    extra = [(i, f.timestamp_ns) for i, f in enumerate(ordered)]
    return scene_from_rows(path.stem, rows, source=f"rosbag2 {path.name}", licence="", extra_frames=extra)


def _column(frames: list[TrackFrame], name: str) -> Any:
    return np.concatenate([getattr(f, name) for f in frames])


def _per_track(track_id: list[str], object_class: Any, size_m: Any) -> tuple[Any, Any]:
    """One class and size for each track, repeated for its rows: trackers change their mind, scenes do not."""
    _, track = np.unique(track_id, return_inverse=True)
    classes, sizes = object_class.copy(), size_m.copy()
    order = np.argsort(track, kind="stable")
    for rows in np.split(order, np.flatnonzero(np.diff(track[order])) + 1):
        classes[rows] = np.bincount(object_class[rows]).argmax()
        sizes[rows] = np.median(size_m[rows], axis=0)
    return classes, sizes


def predictions_from_bag(path: Path, topic: str | None = None) -> list[Prediction]:
    """Return the predictions that a bag holds, of Autoware's own node, say, in order of their stamps.

    topic: of PredictedObjects; None takes the only one, or Autoware's. trajnet.ros.bag_predictions says what becomes
    of paths that differ in step or length. InputError where the bag cannot be read or has no such topic.
    """
    found: dict[int, Prediction] = {}
    for message in _messages(path, PREDICTED_OBJECTS, PREDICTED_TOPIC, topic, decode_predicted):
        prediction = prediction_of(message)
        if prediction is not None:
            found.setdefault(message.stamp_ns, prediction)
    if not found:
        raise InputError(f"{path}: expected predicted paths, got messages without any")
    return [found[stamp] for stamp in sorted(found)]


def _messages(
    path: Path, message_type: str, usual_topic: str, topic: str | None, decode: Callable[[bytes], Message]
) -> Iterator[Message]:
    with _reader(path) as reader:
        chosen = _choose(path, reader.connections, message_type, usual_topic, topic)
        for index, (_, _, data) in enumerate(reader.messages(connections=chosen)):
            try:
                yield decode(data)
            except InputError as error:
                raise InputError(f"{path}: message {index} of {chosen[0].topic} cannot be decoded: {error}") from error


def _choose(path: Path, connections: list[Any], message_type: str, usual_topic: str, topic: str | None) -> list[Any]:
    """Return the connections of the topic that is meant."""
    fitting = sorted({c.topic for c in connections if c.msgtype == message_type})
    if topic is not None:
        types = sorted({c.msgtype for c in connections if c.topic == topic})
        if not types:
            known = ", ".join(sorted({c.topic for c in connections})) or "none"
            raise InputError(f"{path}: expected a topic {topic}, got only: {known}")
        if types != [message_type]:
            raise InputError(f"{path}: topic {topic}: expected {message_type}, got {', '.join(types)}")
    elif len(fitting) == 1:
        topic = fitting[0]
    elif usual_topic in fitting:
        topic = usual_topic
    elif fitting:
        raise InputError(f"{path}: expected one topic of {message_type}, got {', '.join(fitting)}; name one")
    else:
        known = ", ".join(sorted({f"{c.topic} ({c.msgtype})" for c in connections})) or "none"
        raise InputError(f"{path}: expected a topic of {message_type}, got only: {known}")
    return [c for c in connections if c.topic == topic]


def _rosbag2() -> Any:
    try:
        import rosbags.rosbag2
    except ImportError as error:
        raise DependencyError("bags need the package rosbags, which is missing; install trajnet[ros]") from error
    return rosbags.rosbag2


@contextmanager
def _reader(path: Path) -> Iterator[Any]:
    """Open a reader; whatever is wrong with the file becomes an InputError."""
    rosbag2 = _rosbag2()
    if not path.exists():
        raise InputError(f"{path}: no such bag; check the path")
    if not is_bag(path):
        raise InputError(f"{path}: expected a bag: a folder with metadata.yaml, an .mcap or a .db3 file")
    try:
        with rosbag2.Reader(path) as reader:
            yield reader
    except (InputError, GeneratorExit):
        raise
    except (rosbag2.ReaderError, sqlite3.Error, OSError) as error:
        raise InputError(f"{path}: cannot be read as a bag: {' '.join(str(error).split())}") from error
    except Exception as error:  # rosbags leaves struct.error, AssertionError and others of a broken file as they are
        kind = type(error).__name__
        raise InputError(f"{path}: cannot be read as a bag; it is broken or incomplete ({kind}: {error})") from error


# --- writing ---------------------------------------------------------------------------------------------------------


def export_bag(
    scene: Scene, out: Path, predictor: Predictor | None = None, *, storage: Storage = "mcap", frame_id: str = "map"
) -> int:
    """Write the scene as a bag: TrackedObjects and, with a predictor, PredictedObjects, markers and covariances.

    out: a folder that does not exist yet, or with mcap a single .mcap file. The predictor runs as it does in the node.
    Returns the number of messages. Raises InputError where out exists or cannot be written.
    """
    rosbag2 = _rosbag2()
    single = out.suffix in (".mcap", ".db3")
    if out.exists():
        raise InputError(f"{out}: expected a new bag, but it exists already; remove it or name another")
    if single and out.suffix != {"mcap": ".mcap", "sqlite3": ".db3"}[storage]:
        raise InputError(f"{out}: expected a file for storage {storage}, got {out.suffix}")
    plugin = {"mcap": rosbag2.StoragePlugin.MCAP, "sqlite3": rosbag2.StoragePlugin.SQLITE3}[storage]
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=out.parent, prefix=".trajnet-bag-") as folder:
            made = Path(folder) / out.stem
            with rosbag2.Writer(made, version=8, storage_plugin=plugin) as writer:
                count = _write(writer, scene, predictor, frame_id)
            shutil.move(next(made.glob(f"*{out.suffix}")) if single else made, out)
    except OSError as error:
        raise InputError(f"{out}: cannot be written: {error.strerror or error}") from error
    return count


def _write(writer: Any, scene: Scene, predictor: Predictor | None, frame_id: str) -> int:
    store = typestore()
    topics = {TRACKED_TOPIC: TRACKED_OBJECTS}
    if predictor is not None:
        topics |= {PREDICTED_TOPIC: PREDICTED_OBJECTS, MARKER_TOPIC: MARKERS, COVARIANCE_TOPIC: CLOUD}
    connections = {t: writer.add_connection(t, m, typestore=store) for t, m in topics.items()}
    pipeline = None if predictor is None else _offline(predictor)
    count = 0
    for frame in scene.frames():
        data = encode_tracked(tracked_objects(frame, frame_id))
        messages = {TRACKED_TOPIC: data}
        answer = None if pipeline is None else pipeline.process(data, frame.timestamp_ns)
        if answer is not None and answer.objects is not None:
            messages |= {
                PREDICTED_TOPIC: answer.objects,
                MARKER_TOPIC: answer.markers(),
                COVARIANCE_TOPIC: answer.covariance(),
            }
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


def typestore() -> Any:
    """rosbags' types of ROS 2 with Autoware's perception messages."""
    _rosbag2()
    from rosbags.typesys import Stores, get_types_from_msg, get_typestore

    store = get_typestore(Stores.ROS2_HUMBLE)
    for name, text in DEFINITIONS.items():
        store.register(get_types_from_msg(text, name))
    return store
