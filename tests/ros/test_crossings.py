"""A pedestrian who waits at a crosswalk of /map/vector_map, and its traffic lights, over real DDS."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="needs the ROS 2 of .venv-ros: python3 tests/ros/make_ros_env.py")
pytest.importorskip("autoware_map_msgs", reason="needs Autoware's map message: tests/ros/make_ros_env.py")

from autoware_map_msgs.msg import LaneletMapBin
from autoware_perception_msgs.msg import (
    PredictedObjects,
    TrackedObjects,
    TrafficLightElement,
    TrafficLightGroup,
    TrafficLightGroupArray,
)

from tests.ros.test_map_and_tf import LATCHED, Health, archive, map_message
from tests.ros.test_node import NODE
from trajnet.ros.cdr import decode_predicted, encode_tracked
from trajnet.ros.node import INPUT_TOPIC, MAP_TOPIC, OUTPUT_TOPIC, SIGNALS_TOPIC, qos
from trajnet.ros.to_autoware import tracked_objects
from trajnet.types import ObjectClass, TrackFrame

if TYPE_CHECKING:
    from tests.ros.ros_harness import Ros

pytestmark = pytest.mark.ros
BEGIN_NS = 1_700_000_000_000_000_000
RED, AMBER, GREEN = TrafficLightElement.RED, TrafficLightElement.AMBER, TrafficLightElement.GREEN
ON, FLASHING = TrafficLightElement.SOLID_ON, TrafficLightElement.FLASHING
#: Of the crosswalk in tests.ros.test_map_and_tf.archive, across one lane.
LIGHTS_ID, BEGIN_M, END_M = 77, np.array([52.0, -3.0]), np.array([52.0, 5.0])


class Street:
    """Two people stand at 10 Hz for as long as the test lasts: one half a metre from the crosswalk, one far away."""

    def __init__(self, ros: Ros, is_stationary: bool) -> None:
        self._ros = ros
        self._number = 0
        self._is_stationary = is_stationary
        self._objects = ros.node.create_publisher(TrackedObjects, INPUT_TOPIC, qos(10))
        self._lights = ros.node.create_publisher(TrafficLightGroupArray, SIGNALS_TOPIC, qos(100))
        self._answers = ros.collect(PredictedObjects, OUTPUT_TOPIC, raw=True)
        self._answered = 0

    @property
    def _now_ns(self) -> int:
        return BEGIN_NS + self._number * 100_000_000

    def light(self, color: int, status: int = ON, *, group: int = LIGHTS_ID, age_s: float = 0.0) -> None:
        """Say a state of lights, age_s before the next frame."""
        stamp_ns = self._now_ns - round(age_s * 1e9)
        message = TrafficLightGroupArray()
        message.stamp.sec, message.stamp.nanosec = divmod(stamp_ns, 1_000_000_000)
        element = TrafficLightElement(color=color, shape=TrafficLightElement.CIRCLE, status=status, confidence=1.0)
        for each in (group, 5):
            message.traffic_light_groups.append(TrafficLightGroup(traffic_light_group_id=each, elements=[element]))
        self._ros.spin_until(lambda: self._lights.get_subscription_count() > 0, "a node that hears of lights")
        self._lights.publish(message)

    def ask(self) -> Any:
        """Return the decoded answer to the next frame."""
        people = TrackFrame(
            self._now_ns, ("waits", "far"), np.full(2, ObjectClass.PEDESTRIAN),
            np.array([BEGIN_M - [0.0, 0.5], [-40.0, -3.5]]), np.zeros(2), np.zeros(2, bool), np.zeros((2, 2)),
            np.ones(2, bool), np.full((2, 2), 0.6),
        )  # fmt: skip
        objects = tracked_objects(people)
        self._ros.spin_until(lambda: self._objects.get_subscription_count() > 0, "a node that listens")
        if self._number == 0:
            self._ros.introduce(NODE)
        self._objects.publish(encode_tracked(replace(objects, is_stationary=np.full(2, self._is_stationary))))
        self._number += 1
        self._ros.spin_until(lambda: len(self._answers) > self._answered, "predictions")
        self._answered = len(self._answers)
        return decode_predicted(self._answers[-1])

    def crosses(self) -> float:
        """Return the probability with which the next answer has the first of the two on the crosswalk."""
        got = self.ask()
        paths = int(got.path_count[0])
        ends_m = got.path_pose[: int(got.pose_count[:paths].sum())].reshape(paths, -1, 7)[:, :, :2]
        on_it = (ends_m[..., 1] > BEGIN_M[1] + 2.0) & (np.abs(ends_m[..., 0] - BEGIN_M[0]) < 3.0)
        assert got.path_confidence[:paths].sum() == pytest.approx(1.0, abs=1e-5)
        return float(got.path_confidence[:paths][on_it.any(axis=1)].sum())

    def settled(self, *light: Any, **about: Any) -> float:
        """Return the probability once a message of lights has surely been heard: it comes before the frames."""
        for _ in range(5):
            if light:
                self.light(*light, **about)
            self._ros.spin_for(0.05)
            found = self.crosses()
        return found


@pytest.mark.parametrize("is_stationary", [False, True])
def test_who_waits_may_cross_and_lights_say_how_likely_that_is(ros: Ros, tmp_path: Path, is_stationary: bool) -> None:
    node = ros.predictor(model="urban")
    ros.ready(INPUT_TOPIC, OUTPUT_TOPIC)
    health, street = Health(ros), Street(ros, is_stationary)
    assert street.crosses() < 0.05  # no map yet
    publisher = ros.node.create_publisher(LaneletMapBin, MAP_TOPIC, LATCHED)
    publisher.publish(map_message(archive(tmp_path, x_m=0.0, crosswalk=True)))

    def used() -> bool:
        street.ask()
        return "1 crosswalks" in health.values("map").get("map", "")

    ros.spin_until(used, "the map with its crosswalk")
    dark = street.settled()
    assert 0.05 < dark < 0.2

    def heard() -> bool:
        street.light(GREEN)
        return street.crosses() > dark

    ros.spin_until(heard, "the first light")
    green, red = street.settled(GREEN), street.settled(RED)
    assert red < dark < green
    assert street.settled(AMBER) == pytest.approx(red, abs=0.01)
    assert street.settled(GREEN, FLASHING) == pytest.approx(red, abs=0.01)
    assert street.settled(GREEN) == pytest.approx(green, abs=0.01)
    for _ in range(15):  # nothing is said any more
        last = street.crosses()
    assert last == pytest.approx(dark, abs=0.01)
    assert street.settled(GREEN, group=78) == pytest.approx(dark, abs=0.01)  # other lights
    assert street.settled(GREEN, age_s=2.0) == pytest.approx(dark, abs=0.01)  # old news
    assert street.settled(TrafficLightElement.UNKNOWN) == pytest.approx(dark, abs=0.01)
    ros.spin_until(lambda: int(health.values("map").get("signal_rows_total", 0)) > 0, "the counter of known lights")
    far = street.ask()
    assert far.path_count[1] == 1  # who stands elsewhere stays
    assert node.interrupt() == 0
    assert "Traceback" not in node.log
