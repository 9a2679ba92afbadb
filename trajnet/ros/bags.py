"""rosbag2 recordings (mcap and sqlite3) read without ROS.

Reading takes a bag's folder, or one of its .mcap or .db3 files alone. A folder without a metadata.yaml that can be used
(its recorder was killed, its disk was full) is read file by file, and of an mcap that was cut off what is whole
(cut_bags). Messages stay bytes: the codec is the node's. See bag_import for scenes from them, bag_export for the way
back.
"""

from __future__ import annotations

import logging
import re
import sqlite3
from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from trajnet.errors import DependencyError, InputError
from trajnet.ros.bag_predictions import prediction_of
from trajnet.ros.cdr import decode_predicted
from trajnet.ros.cut_bags import CutConnection, CutMcap, is_cut
from trajnet.ros.definitions import DEFINITIONS, PREDICTED_OBJECTS
from trajnet.types import Prediction

log = logging.getLogger(__name__)

TRACKED_TOPIC = "/perception/object_recognition/tracking/objects"
PREDICTED_TOPIC = "/perception/object_recognition/objects"
SUFFIXES = (".mcap", ".db3")
#: What keeps the whole messages of a recording that was cut off, by the suffix of its file.
RECOVERY = {
    ".mcap": "mcap recover {file} -o recovered.mcap",
    ".db3": "sqlite3 {file} .recover | sqlite3 recovered.db3",
}

Message = TypeVar("Message")


def is_bag(path: Path) -> bool:
    """Return whether the path looks like a rosbag2 recording: an .mcap or a .db3 file, or a folder with one."""
    return path.suffix in SUFFIXES or (path / "metadata.yaml").is_file() or bool(_recordings_in(path))


def _recordings_in(folder: Path) -> list[Path]:
    """Return the recordings of a folder in the order in which they were made: bag_2.mcap before bag_10.mcap."""
    found = [p for p in folder.iterdir() if p.suffix in SUFFIXES] if folder.is_dir() else []
    return sorted(found, key=lambda p: [(len(n), n) if n.isdigit() else (0, n) for n in re.split(r"(\d+)", p.name)])


@dataclass(frozen=True)
class BagTopic:
    """A topic of a bag: its name, type and number of messages."""

    name: str
    message_type: str
    count: int


def bag_topics(path: Path) -> list[BagTopic]:
    """Return the topics of a bag, by name. Raises InputError."""
    with _open(path) as reader:
        for lost in lost_of(reader):
            log.warning("%s: %s", path, lost)
        return sorted((BagTopic(c.topic, c.msgtype, c.msgcount) for c in reader.connections), key=lambda t: t.name)


def what_is_lost(path: Path) -> list[str]:
    """Return a sentence for every recording of a bag that was cut off. Raises InputError."""
    with _open(path) as reader:
        return lost_of(reader)


def lost_of(reader: Any) -> list[str]:
    """Return what an opened reader could not read, in words."""
    parts = reader.readers if isinstance(reader, _Recordings) else [reader]
    problems = reader.problems if isinstance(reader, _Recordings) else []
    return [*problems, *(part.lost for part in parts if isinstance(part, CutMcap))]


def predictions_from_bag(path: Path, topic: str | None = None) -> list[Prediction]:
    """Return the predictions that a bag holds, of Autoware's own node, say, in order of their stamps.

    topic: of PredictedObjects; None takes the only one, or Autoware's. trajnet.ros.bag_predictions says what becomes
    of paths that differ in step or length. InputError where the bag cannot be read or has no such topic.
    """
    found: dict[int, Prediction] = {}
    for message in read_messages(path, PREDICTED_OBJECTS, PREDICTED_TOPIC, topic, decode_predicted):
        prediction = prediction_of(message)
        if prediction is not None:
            found.setdefault(message.stamp_ns, prediction)
    if not found:
        raise InputError(f"{path}: expected predicted paths, got messages without any")
    return [found[stamp] for stamp in sorted(found)]


def read_messages(
    path: Path, message_type: str, usual_topic: str, topic: str | None, decode: Callable[[bytes], Message]
) -> Iterator[Message]:
    """Yield the decoded messages of one topic in the order of the recording.

    topic: None takes the only one of the type, or the usual one. Raises InputError where the bag cannot be read, has no
    such topic, or a message cannot be decoded.
    """
    with _open(path) as reader:
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


def rosbag2_module() -> Any:
    """Import rosbags.rosbag2, or raise DependencyError."""
    try:
        import rosbags.rosbag2
    except ImportError as error:
        raise DependencyError("bags need the package rosbags, which is missing; install trajnet-av[ros]") from error
    return rosbags.rosbag2


class _Recordings:
    """The recordings of a folder without metadata.yaml that can be used, one after the other, as one reader.

    problems: why it cannot, in words.
    """

    def __init__(self, readers: list[Any], problems: list[str]) -> None:
        self.readers, self.problems = readers, problems
        counts: dict[tuple[str, str], int] = {}
        for connection in (c for reader in readers for c in reader.connections):
            key = (connection.topic, connection.msgtype)
            counts[key] = counts.get(key, 0) + connection.msgcount
        self.connections = [CutConnection(*key, count) for key, count in counts.items()]

    def messages(self, connections: Collection[CutConnection]) -> Iterator[tuple[Any, int, bytes]]:
        """Yield the messages of the connections."""
        wanted = {(c.topic, c.msgtype) for c in connections}
        for reader in self.readers:
            chosen = [c for c in reader.connections if (c.topic, c.msgtype) in wanted]
            if chosen:  # without any, rosbags yields the messages of all
                yield from reader.messages(connections=chosen)


@contextmanager
def _open(path: Path) -> Iterator[Any]:
    """Open a reader; whatever is wrong with the file becomes an InputError."""
    rosbag2_module()
    if not path.exists():
        raise InputError(f"{path}: no such bag; check the path")
    if not is_bag(path):
        raise InputError(f"{path}: expected a bag: a folder with metadata.yaml, an .mcap or a .db3 file")
    with ExitStack() as stack:
        yield _reader(path, stack)


def _reader(path: Path, stack: ExitStack) -> Any:
    """Return a reader of the whole bag; where its metadata cannot be used, of those recordings that can be read."""
    recordings, problems = _recordings_in(path), list[str]()
    if path.is_file() or (path / "metadata.yaml").is_file():
        try:
            return stack.enter_context(_open_one(path))
        except InputError as error:
            if not recordings:
                raise
            reason = " ".join(str(error.__cause__ or error).split())
            problems.append(f"{path / 'metadata.yaml'} is not used ({reason}): the recordings beside it are read alone")
    readers, refused = [], list[InputError]()
    for one in recordings:
        try:
            readers.append(stack.enter_context(_open_one(one)))
        except InputError as error:
            refused.append(error)
    if not readers:
        raise refused[0]
    problems += [f"left out: {error}" for error in refused]
    return readers[0] if len(readers) == 1 and not problems else _Recordings(readers, problems)


@contextmanager
def _open_one(path: Path) -> Iterator[Any]:
    """Open a bag with its metadata, or one recording."""
    recovery = RECOVERY.get(path.suffix, "ros2 bag reindex {file}").format(file=path)
    advice = f"; if it was cut off, this keeps what is whole: {recovery}"
    try:
        if path.suffix == ".mcap" and path.is_file() and is_cut(path):
            cut = CutMcap(path)
            if not cut.connections:
                raise InputError(f"{path}: cannot be read as a bag: it was cut off before its first message was whole")
            yield cut
            return
        with rosbag2_module().Reader(path) as reader:
            yield reader
    except (InputError, GeneratorExit):
        raise
    except (rosbag2_module().ReaderError, sqlite3.Error, OSError) as error:
        raise InputError(f"{path}: cannot be read as a bag: {' '.join(str(error).split())}{advice}") from error
    except Exception as error:  # rosbags leaves struct.error, AssertionError and others of a broken file as they are
        kind = type(error).__name__
        raise InputError(f"{path}: cannot be read as a bag ({kind}: {error}){advice}") from error


def typestore() -> Any:
    """Return rosbags' types of ROS 2 with Autoware's perception messages."""
    rosbag2_module()
    from rosbags.typesys import Stores, get_types_from_msg, get_typestore

    store = get_typestore(Stores.ROS2_HUMBLE)
    for name, text in DEFINITIONS.items():
        store.register(get_types_from_msg(text, name))
    return store
