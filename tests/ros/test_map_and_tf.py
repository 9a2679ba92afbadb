"""Autoware's map and coordinate transforms, over real DDS, with archives of the real lanelet2."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="needs the ROS 2 of .venv-ros: python3 tests/ros/make_ros_env.py")
pytest.importorskip("autoware_map_msgs", reason="needs Autoware's map message: tests/ros/make_ros_env.py")
pytest.importorskip("tf2_msgs", reason="needs the message of /tf: tests/ros/make_ros_env.py")

from autoware_map_msgs.msg import LaneletMapBin
from diagnostic_msgs.msg import DiagnosticArray
from geometry_msgs.msg import TransformStamped
from rclpy.qos import DurabilityPolicy
from rclpy.serialization import deserialize_message, serialize_message
from tf2_msgs.msg import TFMessage

from tests.ros.test_node import Tracker
from trajnet.ros.lanelet_archive import build
from trajnet.ros.map_message import MapMessage, decode_map, encode_map
from trajnet.ros.node import INPUT_TOPIC, MAP_TOPIC, OUTPUT_TOPIC, qos
from trajnet.ros.transforms import decode_transforms

if TYPE_CHECKING:
    from tests.ros.ros_harness import Ros

pytestmark = pytest.mark.ros
LATCHED = qos(1, DurabilityPolicy.TRANSIENT_LOCAL)
BEGIN_S = 1_700_000_000  # of the objects of tests.ros.test_node


def archive(folder: Path, *, x_m: float, lanes: int = 1, crosswalk: bool = False) -> bytes:
    """Return what lanelet2 itself writes of parallel lanes from x_m on, 100 m long and 4 m wide.

    crosswalk: with one across them, which has the traffic lights 77.
    """
    lanelet2 = pytest.importorskip("lanelet2", reason="needs lanelet2: tests/ros/make_ros_env.py")
    from lanelet2.core import AttributeMap, Lanelet, LaneletMap, LineString3d, Point3d, TrafficLight, getId

    def border(y_m: float) -> Any:
        return LineString3d(getId(), [Point3d(getId(), x, y_m, 0.0) for x in (x_m, x_m + 100.0)])

    town = LaneletMap()
    for lane in range(lanes):
        lanelet = Lanelet(getId(), border(4.0 * lane + 2.0), border(4.0 * lane - 2.0))
        lanelet.attributes["subtype"] = "road"
        town.add(lanelet)
    if crosswalk:
        sides = [[Point3d(getId(), x_m + x, y, 0.0) for y in (-3.0, 4.0 * lanes + 1.0)] for x in (50.0, 54.0)]
        crossing = Lanelet(getId(), *(LineString3d(getId(), side) for side in sides))
        crossing.attributes["subtype"] = "crosswalk"
        crossing.addRegulatoryElement(TrafficLight(77, AttributeMap(), [border(20.0)]))
        town.add(crossing)
    path = folder / "map.bin"
    lanelet2.io.write(str(path), town, lanelet2.io.Origin(0, 0))
    return path.read_bytes()


def map_message(data: bytes, version: str = "1") -> LaneletMapBin:
    message = LaneletMapBin(version_map=version, name_map="town")
    message.header.frame_id = "map"
    message.data.frombytes(data)
    return message


def transform(time_s: float, parent: str, child: str, x_m: float, y_m: float, z: float = 0.0, w: float = 1.0) -> Any:
    stamped = TransformStamped(child_frame_id=child)
    stamped.header.frame_id = parent
    whole_s = BEGIN_S + int(time_s)
    stamped.header.stamp.sec, stamped.header.stamp.nanosec = whole_s, round((time_s % 1) * 1e9)
    stamped.transform.translation.x, stamped.transform.translation.y = x_m, y_m
    stamped.transform.rotation.z, stamped.transform.rotation.w = z, w
    return stamped


class Health:
    """The statuses of the predictor, as they come."""

    def __init__(self, ros: Ros) -> None:
        self._arrays = ros.collect(DiagnosticArray, "/diagnostics")

    def values(self, status: str) -> dict[str, str]:
        for array in reversed(self._arrays):
            for each in array.status:
                if each.name.endswith(f": {status}") or each.name == status:
                    return {"message": each.message, **{v.key: v.value for v in each.values}}
        return {}


def test_maps_come_late_change_are_sent_again_and_are_broken_and_every_frame_is_answered(
    ros: Ros, tmp_path: Path
) -> None:
    node = ros.predictor(model="urban")
    ros.ready(INPUT_TOPIC, OUTPUT_TOPIC)
    health, tracker = Health(ros), Tracker(ros)

    def ask_until(condition: Any, what: str) -> None:
        """Go on driving; every frame has its answer."""
        for _ in range(600):
            assert tracker.ask("a").path_count[0] >= 1
            if condition():
                return
            ros.spin_for(0.05)
        raise AssertionError(f"never came: {what}\n{health.values('map')}\n{node.log}")

    ask_until(lambda: health.values("map").get("map") == "none", "the status without a map")
    publisher = ros.node.create_publisher(LaneletMapBin, MAP_TOPIC, LATCHED)
    here, elsewhere = archive(tmp_path, x_m=0.0), archive(tmp_path, x_m=50_000.0, lanes=2, crosswalk=True)

    publisher.publish(map_message(here))
    ask_until(lambda: health.values("map").get("map") == "/map/vector_map: 1 lanelets, town 1", "the first map")
    ask_until(lambda: float(health.values("map").get("on_map_share", 0)) > 0.5, "objects on it")
    publisher.publish(map_message(here))
    ask_until(lambda: health.values("map").get("maps_repeated_total") == "1", "the same map again")
    publisher.publish(map_message(b"no archive"))
    ask_until(lambda: health.values("map").get("maps_failed_total") == "1", "a broken map")
    assert "the map that came last is not used: " in health.values("map")["message"]
    assert health.values("map")["map"] == "/map/vector_map: 1 lanelets, town 1"
    publisher.publish(map_message(elsewhere))  # of the same version
    second = "/map/vector_map: 3 lanelets, 1 crosswalks, town 1"
    ask_until(lambda: health.values("map").get("map") == second, "the second map")
    ask_until(lambda: "off the map" in health.values("map")["message"], "objects off it")
    assert health.values("map")["maps_used_total"] == "2"
    assert health.values("map")["maps_received_total"] == "4"
    assert len(tracker.answers) == tracker.number
    assert node.interrupt() == 0
    assert "Traceback" not in node.log


def test_a_map_that_was_there_before_the_node_and_its_name_in_autowares_launch_files(ros: Ros, tmp_path: Path) -> None:
    publisher = ros.node.create_publisher(LaneletMapBin, "/town", LATCHED)
    publisher.publish(map_message(archive(tmp_path, x_m=0.0)))
    ros.predictor("-r", "/vector_map:=/town", model="urban")
    health = Health(ros)
    ros.spin_until(lambda: health.values("map").get("map", "").startswith("/town: 1 lanelets"), "the latched map")


@pytest.mark.parametrize("parameters", [{"model": "urban", "vector_map": False}, {"model": "cv"}])
def test_without_the_parameter_or_a_model_that_uses_a_map_nobody_subscribes(
    ros: Ros, parameters: dict[str, Any]
) -> None:
    ros.predictor(**parameters)
    ros.ready(INPUT_TOPIC, OUTPUT_TOPIC)
    Tracker(ros).ask("a")
    assert ros.node.count_subscribers(MAP_TOPIC) == 0


def test_objects_in_another_frame_are_put_into_the_map_once_transforms_are_there(ros: Ros) -> None:
    node = ros.predictor()
    ros.ready(INPUT_TOPIC, OUTPUT_TOPIC)
    health, tracker = Health(ros), Tracker(ros)
    static = ros.node.create_publisher(TFMessage, "/tf_static", qos(100, DurabilityPolicy.TRANSIENT_LOCAL))
    moving = ros.node.create_publisher(TFMessage, "/tf", qos(100))
    static.publish(TFMessage(transforms=[transform(0.0, "map", "odom", 1000.0, 0.0, np.sqrt(0.5), np.sqrt(0.5))]))

    assert tracker.ask("a", frame_id="base_link").frame_id == "base_link"  # nobody has listened to /tf yet
    ros.spin_until(lambda: ros.node.count_subscribers("/tf") == 1, "the subscription of /tf")

    def answer() -> Any:
        time_s = tracker.number * 0.1
        moving.publish(TFMessage(transforms=[transform(time_s, "odom", "base_link", 5.0, 0.0)]))
        ros.spin_for(0.1)
        return tracker.ask("a", frame_id="base_link")

    for _ in range(100):
        got = answer()
        if got.frame_id == "map":
            break
    time_s = (tracker.number - 1) * 0.1
    # At 10 m/s along x of the vehicle, which is y of the map.
    assert got.pose[0, :2] == pytest.approx([1000.0, 5.0 + 10.0 * time_s])
    end = got.path_pose[-1]
    assert end[:2] == pytest.approx([1000.0, 5.0 + 10.0 * (time_s + 6.0)], abs=1e-3)
    assert end[3:] == pytest.approx([0.0, 0.0, np.sqrt(0.5), np.sqrt(0.5)])
    assert answer().frame_id == "map"
    ros.spin_until(lambda: int(health.values("input").get("transformed_total", 0)) >= 2, "its counter")
    assert int(health.values("input")["untransformed_total"]) >= 1
    assert node.interrupt() == 0
    assert "Traceback" not in node.log


def test_tf_can_be_switched_off(ros: Ros) -> None:
    ros.predictor(use_tf=False)
    ros.ready(INPUT_TOPIC, OUTPUT_TOPIC)
    tracker = Tracker(ros)
    for _ in range(3):
        assert tracker.ask("a", frame_id="odom").frame_id == "odom"
    assert ros.node.count_subscribers("/tf") == 0


def test_the_codecs_are_those_of_rclpy(tmp_path: Path) -> None:
    message = map_message(b"\x16\x00archive")
    message.header.stamp.sec, message.version_map_format = 3, "1.2.3"
    data = serialize_message(message)
    got = decode_map(data)
    assert got[:5] == (3_000_000_000, "map", "1.2.3", "1", "town")
    assert bytes(got.data) == b"\x16\x00archive"
    ours = encode_map(MapMessage(*got))
    assert len(ours) == len(data)  # no comparison of bytes: rclpy leaves the padding as it finds it
    assert deserialize_message(ours, type(message)) == message
    several = TFMessage(transforms=[transform(0.5, "map", "odom", 1.0, 2.0), transform(0.0, "odom", "base", 3.0, 4.0)])
    first, second = decode_transforms(serialize_message(several))
    assert (first.stamp_ns, first.parent, first.child) == (BEGIN_S * 10**9 + 500_000_000, "map", "odom")
    assert second.transform.translation_m.tolist() == [3.0, 4.0, 0.0]


def test_the_lights_of_a_crosswalk_are_read_from_the_archive(tmp_path: Path) -> None:
    (tmp_path / "lights.bin").write_bytes(archive(tmp_path, x_m=0.0, crosswalk=True))
    crosswalks = build(tmp_path / "lights.bin").crosswalks
    assert crosswalks is not None
    assert crosswalks.signal_id.tolist() == [77]
    assert crosswalks.length_m.tolist() == [8.0]
