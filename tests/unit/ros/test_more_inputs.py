"""The map and the transforms of a node, with a stand-in for the node and for ROS's messages."""

from __future__ import annotations

import sys
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

from tests.unit.ros.test_pipeline import MS, Seeing, frame, pipeline
from tests.unit.ros.test_transforms import tf
from tests.unit.ros.test_vector_map import VIEW, Builder, map_message, until
from trajnet.context.crosswalks import Crosswalks, crosswalks_of
from trajnet.context.map_field import FIELD_PIXELS_PER_M, empty_field
from trajnet.inference.crossing.modes import Crossing
from trajnet.inference.crossing.signals import GREEN
from trajnet.ros import more_inputs as module
from trajnet.ros.cdr import encode_tracked
from trajnet.ros.more_inputs import MoreInputs
from trajnet.ros.signals import COLOR_GREEN
from trajnet.ros.to_autoware import tracked_objects
from trajnet.ros.vector_map import VectorMap
from trajnet.types import Lane


class Node:
    """Records subscriptions by topic, and what is logged."""

    def __init__(self) -> None:
        self.callbacks: dict[str, Any] = {}
        self.profiles: dict[str, Any] = {}
        self.warnings: list[str] = []

    def create_subscription(self, message: Any, topic: str, callback: Any, profile: Any, *, raw: bool) -> str:
        assert raw == (topic != "/lights")
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
    for package, name in (
        ("autoware_map_msgs", "LaneletMapBin"),
        ("tf2_msgs", "TFMessage"),
        ("autoware_perception_msgs", "TrafficLightGroupArray"),
    ):
        found = ModuleType(f"{package}.msg")
        setattr(found, name, object())
        monkeypatch.setitem(sys.modules, package, ModuleType(package))
        monkeypatch.setitem(sys.modules, f"{package}.msg", found)


@pytest.fixture
def no_messages(monkeypatch: pytest.MonkeyPatch) -> None:
    for package in ("autoware_map_msgs", "tf2_msgs"):
        monkeypatch.setitem(sys.modules, f"{package}.msg", None)


#: One group of lights, steady green, at 1 s.
LIGHTS = SimpleNamespace(
    stamp=SimpleNamespace(sec=1, nanosec=0),
    traffic_light_groups=[
        SimpleNamespace(traffic_light_group_id=77, elements=[SimpleNamespace(color=COLOR_GREEN, status=2)])
    ],
)


def crosswalk(signal_id: int) -> Crosswalks:
    """One crosswalk along y, 4 m wide."""
    left_m, right_m = np.array([[-2.0, 0.0], [-2.0, 8.0]]), np.array([[2.0, 0.0], [2.0, 8.0]])
    middle_m = 0.5 * (left_m + right_m)
    found = crosswalks_of([Lane("1", left_m, right_m, middle_m, drivable=False, crosswalk=True, signal_id=signal_id)])
    assert found is not None
    return found


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
    node, line = Node(), pipeline(Seeing())
    line.use_map(empty_field(FIELD_PIXELS_PER_M), None)
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
    assert node.callbacks.keys() == {"/map/vector_map"}  # without crosswalks nobody asks for traffic lights
    inputs.close()
    assert not node.callbacks
    assert not maps._thread.is_alive()
    inputs.close()  # after a cleanup the node ends: nothing is destroyed twice


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


@pytest.mark.usefixtures("messages")
def test_the_lights_of_crosswalks_are_heard_once_a_map_has_some_and_after_the_next_map(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    node, line = Node(), pipeline()
    heard: list[Any] = []
    inputs = MoreInputs(node, "latest", "latched")
    inputs.signals_topic = "/lights"
    inputs.follow(line)
    assert not node.callbacks
    for _ in range(2):
        crossing = Crossing(crosswalk(signal_id=77))
        line.use_map(empty_field(FIELD_PIXELS_PER_M), crossing)
        crossing.counters.near_rows += 1
        inputs.follow(line)
        monkeypatch.setattr(crossing.signals, "hear", lambda *lights: heard.append(lights))
        node.callbacks["/lights"](LIGHTS)
    assert [[ids.tolist(), states.tolist()] for ids, states, _ in heard] == [[[77], [GREEN]]] * 2
    assert line.stream.crossing is crossing
    assert crossing.counters.near_rows == 2  # counters go on from map to map
    assert not pipeline(crossings=False).stream.takes_crossings


@pytest.mark.usefixtures("messages")
@pytest.mark.parametrize("installed", ["TrafficSignalArray", ""])
def test_the_older_message_of_lights_is_heard_where_only_it_is_installed(
    monkeypatch: pytest.MonkeyPatch, installed: str
) -> None:
    found = ModuleType("autoware_perception_msgs.msg")
    if installed:
        setattr(found, installed, object())
    monkeypatch.setitem(sys.modules, "autoware_perception_msgs.msg", found)
    node, line = Node(), pipeline()
    inputs = MoreInputs(node, "latest", "latched")
    inputs.signals_topic = "/lights"
    line.use_map(empty_field(FIELD_PIXELS_PER_M), Crossing(crosswalk(signal_id=77)))
    inputs.follow(line)
    inputs.follow(line)
    assert list(node.callbacks) == (["/lights"] if installed else [])
    assert len(node.warnings) == (0 if installed else 1)
    assert all("/lights is not read: autoware_perception_msgs has no " in each for each in node.warnings)
