"""What goes out on /tf with the node's point clouds: the frames that they are in. Works on a node, imports no rclpy."""

from __future__ import annotations

from typing import Any

from trajnet.ros.optional_messages import message_class
from trajnet.ros.visual import Cloud


class CloudOrigins:
    """Names the frames near the objects that clouds are in, and broadcasts where they are.

    node: rclpy's. profile: QoS of /tf. A publisher on /tf is there from the first cloud on, so a node whose clouds
    nobody hears is no broadcaster.
    """

    def __init__(self, node: Any, profile: Any) -> None:
        self._node, self._profile = node, profile
        self._message = message_class("tf2_msgs", "TFMessage")
        self._publisher: Any = None
        self._has_warned = False

    def frame(self, cloud: str, *, wanted: bool) -> str:
        """Return the name of a cloud's frame, which begins with the node's; empty: the frame of the predictions."""
        if wanted and self._message is None and not self._has_warned:
            self._has_warned = True
            self._node.get_logger().warning("clouds are in the frame of the predictions: tf2_msgs is not installed")
        if not wanted or self._message is None:
            return ""
        return f"{self._node.get_fully_qualified_name().lstrip('/')}/{cloud}_origin"

    def broadcast(self, cloud: Cloud) -> None:
        """Publish where the frame of a cloud is; before the cloud, so that who has both need not wait."""
        if cloud.transform is None:
            return
        if self._publisher is None:
            self._publisher = self._node.create_publisher(self._message, "/tf", self._profile)
        self._publisher.publish(cloud.transform)

    def close(self) -> None:
        """Broadcast no more."""
        if self._publisher is not None:
            self._node.destroy_publisher(self._publisher)
            self._publisher = None
