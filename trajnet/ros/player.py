"""The scene player: publishes a recorded scene or bag as TrackedObjects in its own time, with /clock.

out  ~/output/objects    autoware_perception_msgs/TrackedObjects; INPUT_TOPIC of the predictor where not remapped
     /clock              rosgraph_msgs/Clock, the scene's time: run the other nodes with use_sim_time:=true

Parameters: scene, frame_id, start_s, stop_s, loop, clock (read at start); rate and paused may be set at any time, as in
``ros2 param set /trajnet_player paused true``. With clock:=false no /clock is published and the stamps are those of the
wall clock. The node ends after the last frame.
"""

from __future__ import annotations

import math
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import rclpy
from autoware_perception_msgs.msg import TrackedObjects
from rcl_interfaces.msg import FloatingPointRange, ParameterDescriptor, SetParametersResult
from rclpy.clock import Clock, ClockType
from rclpy.duration import Duration
from rclpy.node import Node
from rclpy.parameter import Parameter
from rosgraph_msgs.msg import Clock as ClockMessage

from trajnet.errors import InputError
from trajnet.ros.bag_import import open_scene
from trajnet.ros.cdr import encode_tracked
from trajnet.ros.foreign_parameters import about_foreign
from trajnet.ros.log_forwarding import forward_logs, stop_forwarding
from trajnet.ros.node import INPUT_TOPIC, qos
from trajnet.ros.playback import MAX_WAIT_NS, Playback
from trajnet.ros.run_node import run_node
from trajnet.ros.to_autoware import tracked_objects

NODE_NAME = "trajnet_player"
TICK_S = 0.004
QUEUE_DEPTH = 10
CLOCK_PERIOD_NS = 10_000_000
#: A ROS time of 0 means "no time yet", so scenes that begin at 0 are moved on by this.
EARLIEST_NS = 1_000_000_000


class PlayerNode(Node):  # type: ignore[misc]
    """Raises TrajnetError where the scene cannot be played."""

    def __init__(self, **options: Any) -> None:
        super().__init__(NODE_NAME, **options)
        self._log_handler = forward_logs(self.get_logger())  # what a reader says of a recording is said here
        self._own: list[str] = []
        scene_path = self._parameter("scene", "", "Path of the scene or bag to play.")
        self._frame_id = self._parameter("frame_id", "map", "Frame of the published objects.")
        start_s = self._parameter("start_s", 0.0, "Begin this long after the first frame.", 0.0, 1e9)
        stop_s = self._parameter("stop_s", 1e9, "End this long after the first frame.", 0.0, 1e9)
        loop = self._parameter("loop", False, "Start again at the end; time goes back, as with a bag.")
        self._with_clock = self._parameter("clock", True, "Publish the scene's time on /clock.")
        rate = self._parameter("rate", 1.0, "Times faster than recorded.", 0.001, 1000.0, live=True)
        paused = self._parameter("paused", False, "Time stands still.", live=True)
        self.wait_for = self._parameter("wait_for_subscriber", False, "Begin when a node subscribes.")
        for sentence in about_foreign(self._parameter_overrides, self._own):
            self.get_logger().warning(f"parameter {sentence}")
        if not scene_path:
            raise InputError("scene: expected the path of a scene or a bag, got none; add -p scene:=FILE")
        self._scene = open_scene(Path(scene_path))
        self._playback = Playback(
            self._scene.timestamp_ns,
            rate=rate,
            loop=loop,
            paused=paused,
            start_s=start_s,
            stop_s=stop_s if stop_s < 1e9 else math.inf,
        )
        if self._playback.skipped_ns:
            skipped_s = self._playback.skipped_ns * 1e-9
            self.get_logger().warning(
                f"gaps without frames are cut to {MAX_WAIT_NS * 1e-9:g} s: {skipped_s:.1f} s in all"
            )
        self._offset_ns = max(0, EARLIEST_NS - int(self._scene.timestamp_ns[0]))
        plain = f"{self.get_fully_qualified_name()}/output/objects"
        remapped = self.resolve_topic_name("~/output/objects") != plain
        self._publisher = self.create_publisher(
            TrackedObjects, "~/output/objects" if remapped else INPUT_TOPIC, qos(QUEUE_DEPTH)
        )
        self._clock_publisher = self.create_publisher(ClockMessage, "/clock", 10) if self._with_clock else None
        self._last_tick_ns: int | None = None
        self._last_clock_ns = 0
        self.published = 0
        self.add_on_set_parameters_callback(self._on_change)
        # A steady clock: with use_sim_time the node's own would wait for what this timer publishes.
        self.create_timer(TICK_S, self._tick, clock=Clock(clock_type=ClockType.STEADY_TIME))

    @property
    def done(self) -> bool:
        return self._playback.done

    def destroy_node(self) -> None:
        """End the node; the library's log goes its own way again."""
        stop_forwarding(self._log_handler)
        super().destroy_node()

    def flush(self) -> None:
        """Wait until every subscriber has the last frame and its time."""
        for publisher in (self._publisher, self._clock_publisher):
            if publisher is not None:
                publisher.wait_for_all_acked(Duration(seconds=2))

    def _parameter(
        self, name: str, default: Any, about: str, low: float = 0.0, high: float = 0.0, live: bool = False
    ) -> Any:
        self._own.append(name)
        descriptor = ParameterDescriptor(description=about, read_only=not live)
        if high > low:
            descriptor.floating_point_range = [FloatingPointRange(from_value=low, to_value=high)]
        return self.declare_parameter(name, default, descriptor).value

    def _on_change(self, changes: list[Parameter]) -> SetParametersResult:
        for change in changes:
            if change.name in ("rate", "paused"):
                setattr(self._playback, change.name, change.value)
        return SetParametersResult(successful=True)

    def _tick(self) -> None:
        now_ns = time.monotonic_ns()
        if self._last_tick_ns is None:
            if self.wait_for and self._publisher.get_subscription_count() == 0:
                self.get_logger().info(
                    f"waits for a node that subscribes to {self._publisher.topic_name}", throttle_duration_sec=5.0
                )
                return
            self._last_tick_ns = now_ns
        due = self._playback.advance(now_ns - self._last_tick_ns)
        self._last_tick_ns = now_ns
        if self._clock_publisher is not None and (due or now_ns - self._last_clock_ns >= CLOCK_PERIOD_NS):
            self._last_clock_ns = now_ns
            sec, nanosec = divmod(self._playback.now_ns + self._offset_ns, 1_000_000_000)
            message = ClockMessage()
            message.clock.sec, message.clock.nanosec = sec, nanosec
            self._clock_publisher.publish(message)
        for index in due:
            self._publish(index)

    def _publish(self, index: int) -> None:
        frame = self._scene.frame(index)
        stamp_ns = frame.timestamp_ns + self._offset_ns if self._with_clock else time.time_ns()
        objects = tracked_objects(replace(frame, timestamp_ns=stamp_ns), self._frame_id)
        self._publisher.publish(encode_tracked(objects))
        self.published += 1


def main(arguments: list[str] | None = None) -> int:
    """Play until the end or until told to stop. Exit code 2, with one line, where it cannot start."""
    return run_node(NODE_NAME, PlayerNode, _play, arguments)


def _play(node: PlayerNode) -> int:
    try:
        while not node.done:
            rclpy.spin_once(node, timeout_sec=0.1)
        node.get_logger().info(f"played {node.published} frames")
        node.flush()
    finally:
        node.destroy_node()
    return 0


if __name__ == "__main__":
    sys.exit(main())
