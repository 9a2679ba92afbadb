"""What the node says about itself, as CDR bytes: diagnostics and times. Needs no ROS.

Bytes, as everything else that the node publishes: no message objects are made while it runs. Tests compare the bytes
with rclpy's.
"""

from __future__ import annotations

from collections.abc import Sequence

from trajnet.ros.cdr_writer import CdrWriter
from trajnet.ros.levels import Status


def encode_diagnostics(stamp_ns: int, node_name: str, hardware_id: str, statuses: Sequence[Status]) -> bytes:
    """Return a diagnostic_msgs/DiagnosticArray; the name of each status begins with the node's."""
    writer = CdrWriter()
    writer.header(stamp_ns, "")
    writer.put("I", len(statuses))
    for status in statuses:
        writer.put("B", int(status.level))
        for text in (f"{node_name}: {status.name}", status.message, hardware_id):
            writer.text(text)
        writer.put("I", len(status.values))
        for key, value in status.values:
            writer.text(key)
            writer.text(value)
    return writer.bytes()


def encode_float64(value: float) -> bytes:
    """Return a std_msgs/Float64."""
    writer = CdrWriter()
    writer.put("d", value)
    return writer.bytes()


def encode_float64_stamped(stamp_ns: int, value: float) -> bytes:
    """Return an autoware_internal_debug_msgs/Float64Stamped."""
    writer = CdrWriter()
    writer.put("iId", *divmod(stamp_ns, 1_000_000_000), value)
    return writer.bytes()


def encode_processing_tree(name: str, stages_ms: Sequence[tuple[str, float]]) -> bytes:
    """Return an autoware_internal_debug_msgs/ProcessingTimeTree: the whole, and its stages below it, in ms."""
    writer = CdrWriter()
    writer.put("I", 1 + len(stages_ms))
    whole = (name, sum(time_ms for _, time_ms in stages_ms))
    for number, (stage, time_ms) in enumerate([whole, *stages_ms], start=1):
        writer.put("i", number)
        writer.text(stage)
        writer.put("di", time_ms, 0 if number == 1 else 1)  # the parent: none, or the whole
        writer.text("")
    return writer.bytes()


def encode_published_time(stamp_ns: int, frame_id: str, published_ns: int) -> bytes:
    """Return an autoware_internal_msgs/PublishedTime: the header of a message, and when it was published."""
    writer = CdrWriter()
    writer.header(stamp_ns, frame_id)
    writer.put("iI", *divmod(published_ns, 1_000_000_000))
    return writer.bytes()
