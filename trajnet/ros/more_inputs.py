"""The node's inputs beside objects: Autoware's map, coordinate transforms and the traffic lights of crosswalks.

Works on a node, imports no rclpy.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from trajnet.context.map_field import MapView
from trajnet.ros.cdr import CdrError
from trajnet.ros.optional_messages import message_class
from trajnet.ros.pipeline import Pipeline
from trajnet.ros.signals import MESSAGES, PACKAGE, signals_of
from trajnet.ros.transforms import TransformBuffer
from trajnet.ros.vector_map import VectorMap, vector_map


class MoreInputs:
    """Subscriptions that a pipeline needs beside its objects.

    node: rclpy's. latest, latched: QoS profiles of /tf and the lights, and of the map and /tf_static.
    """

    def __init__(self, node: Any, latest: Any, latched: Any) -> None:
        self._node, self._latest, self._latched = node, latest, latched
        self.signals_topic = ""
        self._subscriptions: list[Any] = []
        self._map: VectorMap | None = None
        self._asked_for_transforms = self._asked_for_signals = False

    def listen_for_maps(self, topic: str, expected_frame: str, view: MapView | None) -> None:
        """Subscribe to the map, if its messages can be read here; else one warning says what to install."""
        message = message_class("autoware_map_msgs", "LaneletMapBin")
        if message is None:
            self._node.get_logger().warning(f"{topic} is not read, only map_path: autoware_map_msgs is not installed")
            return
        self._map = vector_map(topic, expected_frame, view)
        if self._map is not None:
            self._subscribe(message, topic, self._map.offer, self._latched)

    def follow(self, pipeline: Pipeline) -> None:
        """Bring a pipeline up to date between two messages: a new map; transforms and lights once they are wanted."""
        if self._map is not None:
            loaded = self._map.take()
            pipeline.diagnostics.vector_map = self._map.state
            if loaded is not None:
                pipeline.use_map(loaded.field, loaded.crossing, loaded.lane_paths)
                pipeline.diagnostics.map_use = self._map.state.words
        if pipeline.into_frame.wanted and not self._asked_for_transforms:
            self._asked_for_transforms = True
            self._listen_for_transforms(pipeline)
        if pipeline.stream.crossing is not None and not self._asked_for_signals:
            self._asked_for_signals = True
            self._listen_for_signals(pipeline)

    def close(self) -> None:
        """End all subscriptions, and the building of a map."""
        for subscription in self._subscriptions:
            self._node.destroy_subscription(subscription)
        self._subscriptions.clear()
        if self._map is not None:
            self._map.close()
            self._map = None
        self._asked_for_transforms = self._asked_for_signals = False

    def _listen_for_transforms(self, pipeline: Pipeline) -> None:
        message = message_class("tf2_msgs", "TFMessage")
        if message is None:
            self._node.get_logger().warning("/tf is not read: tf2_msgs is not installed")
            return
        buffer = pipeline.into_frame.buffer = TransformBuffer()
        self._subscribe(message, "/tf", partial(self._heard, buffer, static=False), self._latest)
        self._subscribe(message, "/tf_static", partial(self._heard, buffer, static=True), self._latched)

    def _listen_for_signals(self, pipeline: Pipeline) -> None:
        """Subscribe to the traffic lights, where their message is installed; without them none are known."""
        message = next(filter(None, (message_class(PACKAGE, name) for name in MESSAGES)), None)
        if message is None:
            text = f"{self.signals_topic} is not read: {PACKAGE} has no {' or '.join(MESSAGES)}"
            self._node.get_logger().warning(text)
            return

        def heard(lights: Any) -> None:
            if pipeline.stream.crossing is not None:
                pipeline.stream.crossing.signals.hear(*signals_of(lights))

        self._subscribe(message, self.signals_topic, heard, self._latest, raw=False)

    def _heard(self, buffer: TransformBuffer, data: bytes, *, static: bool) -> None:
        try:
            buffer.add(data, static=static)
        except CdrError as error:
            self._node.get_logger().warning(str(error), throttle_duration_sec=5.0)

    def _subscribe(self, message: Any, topic: str, callback: Any, profile: Any, *, raw: bool = True) -> None:
        self._subscriptions.append(self._node.create_subscription(message, topic, callback, profile, raw=raw))
