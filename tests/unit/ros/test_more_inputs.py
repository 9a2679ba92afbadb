"""The map and the transforms of a node, with a stand-in for the node and for ROS's messages."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

import pytest

from tests.unit.ros.test_pipeline import MS, frame, pipeline
from tests.unit.ros.test_transforms import tf
from tests.unit.ros.test_vector_map import VIEW, Builder, map_message, until
from trajnet.context.map_field import FIELD_PIXELS_PER_M, empty_field
from trajnet.ros import more_inputs as module
from trajnet.ros.cdr import encode_tracked
from trajnet.ros.more_inputs import MoreInputs
from trajnet.ros.to_autoware import tracked_objects
from trajnet.ros.vector_map import VectorMap


class Node:
    """Records subscriptions by topic, and what is logged."""

    def __init__(self) -> None:
        self.callbacks: dict[str, Any] = {}
        self.profiles: dict[str, Any] = {}
        self.warnings: list[str] = []

    def create_subscription(self, message: Any, topic: str, callback: Any, profile: Any, *, raw: bool) -> str:
        assert raw
        assert message is not None
        self.callbacks[topic], self.profiles[topic] = callback, profile
        return topic

    def destroy_subscription(self, topic: str) -> None:
        del self.callbacks[topic]

    def get_logger(self) -> Node:
        return self

    def warning(self, text: str, **_: Any) -> None:
        self.warnings.append(text)


@pytest.fixture
def messages(monkeypatch: pytest.MonkeyPatch) -> None:
    for package, name in (("autoware_map_msgs", "LaneletMapBin"), ("tf2_msgs", "TFMessage")):
        found = ModuleType(f"{package}.msg")
        setattr(found, name, object())
        monkeypatch.setitem(sys.modules, package, ModuleType(package))
        monkeypatch.setitem(sys.modules, f"{package}.msg", found)


@pytest.fixture
def no_messages(monkeypatch: pytest.MonkeyPatch) -> None:
    for package in ("autoware_map_msgs", "tf2_msgs"):
        monkeypatch.setitem(sys.modules, f"{package}.msg", None)


def odom(time_ms: int) -> bytes:
    return encode_tracked(tracked_objects(frame(time_ms, "a"), "odom"))


@pytest.mark.usefixtures("no_messages")
def test_without_the_message_packages_one_warning_each_says_so() -> None:
    node, line = Node(), pipeline()
    inputs = MoreInputs(node, "latest", "latched")
    inputs.listen_for_maps("/map/vector_map", "map", VIEW)
    for time_ms in (0, 100, 200):
        line.process(odom(time_ms), time_ms * MS)
        inputs.follow(line)
    assert node.warnings == [
        "/map/vector_map is not read, only map_path: autoware_map_msgs is not installed",
        "/tf is not read: tf2_msgs is not installed",
    ]
    assert not node.callbacks


@pytest.mark.usefixtures("messages")
def test_a_map_reaches_the_pipeline_and_its_status(monkeypatch: pytest.MonkeyPatch) -> None:
    maps = VectorMap("/map/vector_map", "map", VIEW, Builder())
    monkeypatch.setattr(module, "vector_map", lambda topic, frame_id, view: maps)
    node, line = Node(), pipeline()
    line.use_map(empty_field(FIELD_PIXELS_PER_M))
    inputs = MoreInputs(node, "latest", "latched")
    inputs.listen_for_maps("/map/vector_map", "map", VIEW)
    assert node.profiles["/map/vector_map"] == "latched"
    inputs.follow(line)
    assert line.diagnostics.map_use == "none"
    node.callbacks["/map/vector_map"](map_message(b"lanes"))
    until(lambda: maps._built is not None)
    inputs.follow(line)
    status = next(s for s in line.report(0) if s.name == "map")
    values = dict(status.values)
    assert values["map"] == "/map/vector_map: 5 lanelets, town 1.0.0"
    line.process(encode_tracked(tracked_objects(frame(500, "a"))), 500 * MS)  # at x = 5 m, on the new map
    assert dict(next(s for s in line.report(0) if s.name == "map").values)["on_map_share"] == "1.0000"
    inputs.close()
    assert not node.callbacks
    assert not maps._thread.is_alive()


@pytest.mark.usefixtures("messages")
def test_transforms_are_subscribed_to_when_they_are_wanted() -> None:
    node, line = Node(), pipeline()
    inputs = MoreInputs(node, "latest", "latched")
    line.process(encode_tracked(tracked_objects(frame(0, "a"))), 0)
    inputs.follow(line)
    assert not node.callbacks
    line.process(odom(100), 100 * MS)
    inputs.follow(line)
    assert node.profiles == {"/tf": "latest", "/tf_static": "latched"}
    node.callbacks["/tf"](b"no message")
    assert node.warnings == ["TFMessage: expected a CDR header, got b'no m'"]
    node.callbacks["/tf_static"](tf(0, "map", "odom", (1.0, 0.0, 0.0)))
    assert line.process(odom(200), 200 * MS).frame_id == "map"
    inputs.follow(line)
    assert line.process(odom(300), 300 * MS).frame_id == "map"  # what was heard is kept
