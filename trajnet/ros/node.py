"""The prediction node: a lifecycle node around trajnet.ros.pipeline.

With the scene player and run_node, the only code on rclpy.

in   ~/input/objects                 autoware_perception_msgs/TrackedObjects
out  ~/output/objects                autoware_perception_msgs/PredictedObjects
     ~/output/path_covariance        sensor_msgs/PointCloud2, the uncertainty of every path point
     /tf                             tf2_msgs/TFMessage, the origins of the clouds (trajnet.ros.clouds)
     ~/debug/objects_path_markers    visualization_msgs/MarkerArray
     ~/debug/processing_time_ms      time from a message's bytes in to its predictions' bytes out
     ~/debug/cyclic_time_ms          time since the message before
     ~/debug/processing_time_detail_ms  autoware_internal_debug_msgs/ProcessingTimeTree, where it is installed
     ~/output/objects/debug/published_time  autoware_internal_msgs/PublishedTime, where it is installed
     /diagnostics                    diagnostic_msgs/DiagnosticArray

For models that use a map, or crosswalks, unless the parameter vector_map is false:
in   ~/input/vector_map              autoware_map_msgs/LaneletMapBin, transient local (trajnet.ros.vector_map)

Once objects have come in another frame than frame_id, unless the parameter use_tf is false:
in   /tf, /tf_static                 tf2_msgs/TFMessage (trajnet.ros.transforms)

With the parameter role, beside another predictor (trajnet.ros.beside):
in   ~/input/other_objects           autoware_perception_msgs/PredictedObjects of the other
out  ~/output/disagreement           sensor_msgs/PointCloud2, how far both are apart for every object

The two private object topics are Autoware's names, so its launch files remap them as they do for their own predictor.
Where they are not remapped, the node takes Autoware's global ones (INPUT_TOPIC, OUTPUT_TOPIC); these can be remapped.
Those of the map and of the lights are /vector_map and /traffic_signals in Autoware's launch files.

QoS: reliable and volatile with a history of keep last, as Autoware's map_based_prediction offers and asks for. Its
depth there is 1; here it is queue_depth, because a state that follows each track is better for every frame: after a
stall the frames that waited are worked off within milliseconds. DDS does not compare depths, so the two go together.

Predictions leave with the stamp of the objects that they are for, and in their frame or, by /tf, in frame_id.
"""

from __future__ import annotations

import sys
import time
import traceback
from typing import Any

from autoware_perception_msgs.msg import PredictedObjects, TrackedObjects
from diagnostic_msgs.msg import DiagnosticArray
from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor, SetParametersResult
from rclpy.clock import Clock, ClockType
from rclpy.executors import SingleThreadedExecutor
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from rclpy.parameter import Parameter
from rclpy.qos import DurabilityPolicy, HistoryPolicy, QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import PointCloud2
from visualization_msgs.msg import MarkerArray

from trajnet.errors import ConfigError, TrajnetError, in_words
from trajnet.inference.domain import domain_lines
from trajnet.ros.beside import Beside, Outcome
from trajnet.ros.clouds import CloudOrigins
from trajnet.ros.diagnostics import Output
from trajnet.ros.disagreement import disagreement_records
from trajnet.ros.foreign_parameters import about_foreign
from trajnet.ros.health_messages import (
    encode_diagnostics,
    encode_float64,
    encode_float64_stamped,
    encode_processing_tree,
    encode_published_time,
)
from trajnet.ros.log_forwarding import forward_logs, stop_forwarding
from trajnet.ros.malloc import keep_freed_memory, settle, tidy
from trajnet.ros.more_inputs import MoreInputs
from trajnet.ros.optional_messages import float64_class, message_class
from trajnet.ros.parameters import ABOUT, DEFAULTS, Parameters
from trajnet.ros.pipeline import Answer, Pipeline, extends, load, load_map_parts, warmed_up
from trajnet.ros.run_node import run_node
from trajnet.ros.visual import Cloud, encode_cloud

NODE_NAME = "trajnet_predictor"
INPUT_TOPIC = "/perception/object_recognition/tracking/objects"
OUTPUT_TOPIC = "/perception/object_recognition/objects"
MAP_TOPIC = "/map/vector_map"
#: What Autoware's launch file of map_based_prediction remaps to the topics of the map and of the traffic lights.
AUTOWARE_MAP_NAME, AUTOWARE_SIGNALS_NAME = "/vector_map", "/traffic_signals"
#: Messages of /tf and /tf_static that wait: tf2's own listener keeps as many.
TF_DEPTH = 100
SIGNALS_TOPIC = "/perception/traffic_light_recognition/traffic_signals"
#: A node without traffic checks this often (s) whether it is told to stop: once in some dozen runs of CI the signal did
#: not wake it from a wait without an end.
WAKE_S = 1.0
#: Python's memory is tidied up this often (s), with the diagnostics.
TIDY_S = 60.0


def qos(depth: int, durability: DurabilityPolicy = DurabilityPolicy.VOLATILE) -> QoSProfile:
    """Reliable, keep last; transient local gives a late subscriber what was published before."""
    return QoSProfile(
        depth=depth,
        history=HistoryPolicy.KEEP_LAST,
        reliability=ReliabilityPolicy.RELIABLE,
        durability=durability,
    )


class PredictorNode(LifecycleNode):  # type: ignore[misc]
    """Unconfigured: parameters can be set. Configuring loads and warms the model, activating starts to publish."""

    def __init__(self, **options: Any) -> None:
        super().__init__(NODE_NAME, **options)
        for name, default in DEFAULTS.items():
            self.declare_parameter(name, default, _descriptor(name))
        self.parameters = self._read_parameters()
        self.add_on_set_parameters_callback(self._check_change)
        self._pipeline: Pipeline | None = None
        self._active = False
        self._last_message_ns: int | None = None
        self._tidied_ns = 0
        self._entities: dict[str, Any] = {}
        self._beside: Beside | None = None
        self._origins = CloudOrigins(self, qos(TF_DEPTH))
        self._more = MoreInputs(self, qos(TF_DEPTH), qos(TF_DEPTH, DurabilityPolicy.TRANSIENT_LOCAL))
        # A steady clock: with use_sim_time the node's own stops with the bag, and silence has to be reported then.
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        self._timer = self.create_timer(self.parameters.diagnostics_period_s, self._publish_diagnostics, clock=steady)
        self._timer.cancel()
        self._due_timer = self.create_timer(WAKE_S, self._on_due, clock=steady)
        self._due_timer.cancel()
        self._diagnostics_publisher = self.create_publisher(DiagnosticArray, "/diagnostics", 1)
        self._time_type = float64_class()
        for sentence in about_foreign(self._parameter_overrides):
            self.get_logger().warning(f"parameter {sentence}")

    # --- parameters

    def _read_parameters(self, changed: dict[str, Any] | None = None) -> Parameters:
        values = {name: self.get_parameter(name).value for name in DEFAULTS}
        return Parameters.of({**values, **(changed or {})})

    def _check_change(self, changes: list[Parameter]) -> SetParametersResult:
        ours = {p.name: p.value for p in changes if p.name in DEFAULTS}
        fixed = [name for name in ours if not ABOUT[name].live]
        if self._pipeline is not None and fixed:
            reason = f"{', '.join(fixed)}: read when the node is configured; deactivate and clean up the node first"
            return SetParametersResult(successful=False, reason=reason)
        try:
            parameters = self._read_parameters(ours)
        except ConfigError as error:
            return SetParametersResult(successful=False, reason=str(error))
        self.parameters = parameters
        if self._pipeline is not None:
            self._pipeline.diagnostics.expected_frame = parameters.frame_id
        return SetParametersResult(successful=True)

    # --- transitions

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Load the model and warm it. Fails, and says why, where that cannot be done."""
        try:
            other_topic = "" if self.parameters.role == "sole" else self._other_topic()
            predictor, identity = load(self.parameters)
            parts = load_map_parts(self.parameters, predictor)
            self._pipeline = warmed_up(predictor, identity, self.parameters, *parts)
        except TrajnetError as error:
            self.get_logger().error(str(error))
            return TransitionCallbackReturn.FAILURE
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # rclpy would swallow it, and the node would end without a word
            self.get_logger().error(f"cannot be configured: {in_words(error)}")
            self.get_logger().debug(traceback.format_exc())
            return TransitionCallbackReturn.FAILURE
        self._beside = None if self.parameters.role == "sole" else Beside(self.parameters.beside())
        self._create_entities(other_topic)
        view = predictor.requirements.view
        self._more.signals_topic = self._input_topic(AUTOWARE_SIGNALS_NAME, "~/input/traffic_signals", SIGNALS_TOPIC)
        uses_maps = view is not None or self._pipeline.stream.takes_crossings or extends(self.parameters, predictor)
        if self.parameters.vector_map and uses_maps:
            topic = self._input_topic(AUTOWARE_MAP_NAME, "~/input/vector_map", MAP_TOPIC)
            self._more.listen_for_maps(topic, self.parameters.frame_id, view)
        self.get_logger().info(
            f"configured: model {identity.model}, provider {identity.provider}, "
            f"map {self.parameters.map_path if parts.field is not None else 'none'}, domain {identity.domain}"
        )
        if predictor.model_file is not None:
            for line in domain_lines(predictor.model_file.contract.domain):
                self.get_logger().info(f"domain: {line}")
        return super().on_configure(state)

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Begin to publish, with no memory of tracks."""
        assert self._pipeline is not None
        self._pipeline.reset()
        self._pipeline.diagnostics.start(time.monotonic_ns())
        if self._beside is not None:
            self._beside.reset(time.monotonic_ns())
        self._last_message_ns = None
        settle()
        self._tidied_ns = time.monotonic_ns()
        self._active = True
        self._timer.reset()
        return super().on_activate(state)

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Stop publishing; messages are ignored."""
        self._stop()
        return super().on_deactivate(state)

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Forget the model; parameters can be set again."""
        self._release()
        return TransitionCallbackReturn.SUCCESS

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        self._release()
        return TransitionCallbackReturn.SUCCESS

    def on_error(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Go back to unconfigured: a transition raised."""
        self._release()
        return TransitionCallbackReturn.SUCCESS

    def _create_entities(self, other_topic: str) -> None:
        publishers = {
            "objects": (PredictedObjects, self._output_topic()),
            "covariance": (PointCloud2, "~/output/path_covariance"),
            "markers": (MarkerArray, "~/debug/objects_path_markers"),
            "processing_time": (self._time_type, "~/debug/processing_time_ms"),
            "cyclic_time": (self._time_type, "~/debug/cyclic_time_ms"),
            "time_tree": (
                message_class("autoware_internal_debug_msgs", "ProcessingTimeTree"),
                "~/debug/processing_time_detail_ms",
            ),
            "published_time": (
                message_class("autoware_internal_msgs", "PublishedTime"),
                f"{self._output_topic()}/debug/published_time",
            ),
        }
        if self._beside is not None:
            publishers["disagreement"] = (PointCloud2, "~/output/disagreement")
        for name, (message, topic) in publishers.items():
            depth = self.parameters.queue_depth if name == "objects" else 1
            if message is not None:
                self._entities[name] = self.create_lifecycle_publisher(message, topic, qos(depth))
        topic = self._topic("~/input/objects", INPUT_TOPIC)
        self._entities["input"] = self.create_subscription(
            TrackedObjects, topic, self._on_objects, qos(self.parameters.queue_depth), raw=True
        )
        if other_topic:
            self._entities["other_input"] = self.create_subscription(
                PredictedObjects, other_topic, self._on_other, qos(self.parameters.queue_depth), raw=True
            )

    def _input_topic(self, autowares: str, private: str, otherwise: str) -> str:
        """Return where Autoware's launch files or ours have remapped an input, else its global topic."""
        remapped: str = self.resolve_topic_name(autowares)
        ours: str = self.resolve_topic_name(self._topic(private, otherwise))
        return ours if remapped == autowares else remapped

    @property
    def _is_checking(self) -> bool:
        return self.parameters.role == "cross_check"

    def _output_topic(self) -> str:
        """Return where predictions leave; in a cross-check Autoware's topic is the other predictor's."""
        return "~/output/objects" if self._is_checking else self._topic("~/output/objects", OUTPUT_TOPIC)

    def _other_topic(self) -> str:
        """Return the topic of the other predictor. Raises ConfigError where it is the one of our own predictions."""
        other = self._topic("~/input/other_objects", OUTPUT_TOPIC) if self._is_checking else "~/input/other_objects"
        if (name := self.resolve_topic_name(other)) == self.resolve_topic_name(self._output_topic()):
            raise ConfigError(f"role {self.parameters.role}: expected another predictor on {name}, got our own output")
        return other

    def _topic(self, private: str, otherwise: str) -> str:
        """Return the private name where it was remapped, as Autoware's launch files do; else Autoware's global one."""
        plain = f"{self.get_fully_qualified_name()}{private[1:]}"
        return private if self.resolve_topic_name(private) != plain else otherwise

    def _stop(self) -> None:
        self._active = False
        self._timer.cancel()
        self._due_timer.cancel()
        if self._pipeline is not None:
            self._pipeline.diagnostics.stop()

    def _release(self) -> None:
        self._stop()
        for name, entity in self._entities.items():
            if name in ("input", "other_input"):
                self.destroy_subscription(entity)
            else:
                self.destroy_lifecycle_publisher(entity)
        self._entities.clear()
        self._origins.close()
        self._more.close()
        if self._pipeline is not None:
            self._pipeline.close()
            self._pipeline = None

    def close(self) -> None:
        """End what runs beside the node."""
        self._more.close()

    # --- callbacks

    def _on_objects(self, data: bytes) -> None:
        if not self._active or self._pipeline is None:
            return
        begin_ns = time.monotonic_ns()
        try:
            self._more.follow(self._pipeline)
        except Exception as error:
            self.get_logger().error(f"map and transforms: {in_words(error)}", throttle_duration_sec=5.0)
        answer = self._pipeline.process(data, self.get_clock().now().nanoseconds, begin_ns)
        if answer.kind in ("bad", "failed"):
            self.get_logger().warning(answer.message, throttle_duration_sec=5.0)
        if answer.objects is not None:
            if self._beside is None:
                self._entities["objects"].publish(answer.objects)
            else:
                self._stand_beside(answer.stamp_ns, answer.objects)
        try:  # what only people look at must not stop what a planner waits for
            self._publish_visuals(answer)
            self._publish_times(begin_ns, answer)
        except Exception as error:
            self.get_logger().error(f"debug topics: {in_words(error)}", throttle_duration_sec=5.0)

    def _stand_beside(self, stamp_ns: int, objects: bytes) -> None:
        """Let ours leave when it is its turn; at once where that cannot be told."""
        assert self._beside is not None
        try:
            outcome = self._beside.ours(stamp_ns, objects, time.monotonic_ns())
        except Exception as error:
            self.get_logger().error(f"beside the other predictor: {in_words(error)}", throttle_duration_sec=5.0)
            outcome = Outcome([objects])
        self._carry_out(outcome)

    def _on_other(self, data: bytes) -> None:
        if self._active and self._beside is not None:
            try:  # a message of the other's must not end this node
                outcome = self._beside.theirs(data, time.monotonic_ns())
            except Exception as error:
                self.get_logger().error(f"the other predictor: {in_words(error)}", throttle_duration_sec=5.0)
                return
            self._carry_out(outcome)

    def _on_due(self) -> None:
        if self._active and self._beside is not None:
            self._carry_out(self._beside.due(time.monotonic_ns()))

    def _carry_out(self, outcome: Outcome) -> None:
        """Publish what is to leave, then set the timer for what still waits."""
        assert self._beside is not None
        for message in outcome.messages:
            self._entities["objects"].publish(message)
        try:
            self._compare(outcome)
        except Exception as error:
            self.get_logger().error(f"the other predictor: {in_words(error)}", throttle_duration_sec=5.0)
        due_ns = self._beside.next_due_ns
        self._due_timer.cancel()
        if due_ns is not None:
            self._due_timer.timer_period_ns = max(1_000_000, due_ns - time.monotonic_ns())
            self._due_timer.reset()

    def _compare(self, outcome: Outcome) -> None:
        assert self._beside is not None
        for found in self._beside.compare(outcome, time.monotonic_ns()):
            if self._is_heard("disagreement"):
                records, near_m = disagreement_records(found), found.position_m[:, :2]
                origin_frame = self._origins.frame("disagreement", wanted=self.parameters.broadcast_origins)
                cloud = encode_cloud(found.stamp_ns, found.frame_id, records, False, near_m, origin_frame)
                self._publish_cloud("disagreement", cloud)

    def _publish_visuals(self, answer: Answer) -> None:
        if answer.objects is None:
            return
        if self.parameters.publish_markers and self._is_heard("markers"):
            self._entities["markers"].publish(answer.markers())
        if self.parameters.publish_covariance and self._is_heard("covariance"):
            origin_frame = self._origins.frame("path_covariance", wanted=self.parameters.broadcast_origins)
            self._publish_cloud("covariance", answer.covariance(origin_frame))

    def _publish_cloud(self, name: str, cloud: Cloud) -> None:
        self._origins.broadcast(cloud)
        self._entities[name].publish(cloud.data)

    def _publish_times(self, begin_ns: int, answer: Answer) -> None:
        since_ns = 0 if self._last_message_ns is None else begin_ns - self._last_message_ns
        self._last_message_ns = begin_ns
        stamp_ns = self.get_clock().now().nanoseconds
        for name, value_ms in (("processing_time", answer.processing_ms), ("cyclic_time", since_ns * 1e-6)):
            stamped = self._time_type.__name__ != "Float64"
            data = encode_float64_stamped(stamp_ns, value_ms) if stamped else encode_float64(value_ms)
            self._entities[name].publish(data)
        if self._is_heard("time_tree"):
            self._entities["time_tree"].publish(encode_processing_tree(self.get_name(), answer.stages_ms))
        if answer.objects is not None and self._is_heard("published_time"):
            data = encode_published_time(answer.stamp_ns, answer.frame_id, stamp_ns)
            self._entities["published_time"].publish(data)

    def _is_heard(self, name: str) -> bool:
        return name in self._entities and self._entities[name].get_subscription_count() > 0

    def _look_around(self) -> Output:
        """Return who else publishes on the topic of the predictions, and how many nodes listen."""
        topic = self._entities["objects"].topic_name
        others: list[str] = []
        if self.count_publishers(topic) > 1:
            others = [f"{i.node_namespace.rstrip('/')}/{i.node_name}" for i in self.get_publishers_info_by_topic(topic)]
            if self.get_fully_qualified_name() in others:  # once: a second node of this name is another one
                others.remove(self.get_fully_qualified_name())
        return Output(topic, tuple(sorted(others)), self.count_subscribers(topic))

    def _publish_diagnostics(self) -> None:
        if self._pipeline is None or not self._active:
            return
        if time.monotonic_ns() - self._tidied_ns > TIDY_S * 1e9:
            tidy()
            self._tidied_ns = time.monotonic_ns()
        try:
            self._more.follow(self._pipeline)
            self._pipeline.diagnostics.output = self._look_around()
            now_ns = time.monotonic_ns()
            beside = {} if self._beside is None else {"beside": self._beside.judge(now_ns)}
            statuses = self._pipeline.report(now_ns, beside)
            stamp_ns, model = self.get_clock().now().nanoseconds, self._pipeline.diagnostics.identity.model
            self._diagnostics_publisher.publish(encode_diagnostics(stamp_ns, self.get_name(), model, statuses))
        except Exception as error:
            self.get_logger().error(f"diagnostics: {in_words(error)}", throttle_duration_sec=5.0)


def _descriptor(name: str) -> ParameterDescriptor:
    about, default = ABOUT[name], DEFAULTS[name]
    descriptor = ParameterDescriptor(
        description=about.description, read_only=about.read_only, dynamic_typing=about.is_switch
    )
    if about.choices:
        descriptor.additional_constraints = f"one of {', '.join(about.choices)}"
    if isinstance(default, float):
        descriptor.floating_point_range = [FloatingPointRange(from_value=about.minimum, to_value=about.maximum)]
    elif isinstance(default, int) and not isinstance(default, bool):
        descriptor.integer_range = [IntegerRange(from_value=int(about.minimum), to_value=int(about.maximum), step=1)]
    return descriptor


def main(arguments: list[str] | None = None) -> int:
    """Run the node until it is told to stop. Exit code 2, with one line, where it cannot start."""
    keep_freed_memory()
    return run_node(NODE_NAME, PredictorNode, _spin, arguments)


def _spin(node: PredictorNode) -> int:
    log_handler = forward_logs(node.get_logger())
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    try:
        if node.parameters.autostart and not start(node) and executor.context.ok():
            return 2
        while executor.context.ok():
            executor.spin_once(timeout_sec=WAKE_S)
    finally:
        stop_forwarding(log_handler)
        executor.shutdown()
        node.close()
        node.destroy_node()
    return 0


def start(node: PredictorNode) -> bool:
    """Configure and activate; whether both worked."""
    return all(t() == TransitionCallbackReturn.SUCCESS for t in (node.trigger_configure, node.trigger_activate))


if __name__ == "__main__":
    sys.exit(main())
