"""How the node's memory grows with the messages that it answers: bytes of resident memory a message.

    .venv-ros/bin/python -m tests.ros.soak_node --messages 20000
    .venv-ros/bin/python -m tests.ros.soak_node --messages 36000 --rate 10      # an hour at the pace of the road

Each message waits for the answer to the one before, so the load is as fast as the node and nothing queues up; with
--rate it also waits for its time. The first fifth of the messages is left out: memory that a process takes once. The
slope is that of least squares, of all the others and of their second half: what settles is no leak.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from autoware_perception_msgs.msg import PredictedObjects, TrackedObjects
from rclpy.qos import QoSProfile
from sensor_msgs.msg import PointCloud2
from std_msgs.msg import Float64
from visualization_msgs.msg import MarkerArray

from tests.ros.bench_node import message
from tests.ros.ros_harness import Ros, real_ros
from trajnet.ros.node import INPUT_TOPIC, OUTPUT_TOPIC
from trajnet.ros.parameters import DEFAULTS

SAMPLES = 200
NODE = "/trajnet_predictor"


def resident_bytes(pid: int) -> int:
    """Return the resident memory of a process. Linux."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise RuntimeError(f"/proc/{pid}/status: expected VmRSS, got none")


def measure(ros: Ros, options: argparse.Namespace) -> tuple[list[int], list[int]]:
    """Return the numbers of messages at which memory was read, and the resident bytes then."""
    node = ros.predictor(
        model=options.model,
        horizon_s=DEFAULTS["horizon_s"],
        diagnostics_period_s=options.diagnostics_period_s,
        diagnostics_window_s=options.diagnostics_window_s,
    )
    ros.ready(INPUT_TOPIC, OUTPUT_TOPIC)
    answers = 0

    def answered(_: bytes) -> None:
        nonlocal answers
        answers += 1

    ros.node.create_subscription(PredictedObjects, OUTPUT_TOPIC, answered, QoSProfile(depth=10), raw=True)
    if options.debug_topics:
        for kind, topic in (
            (Float64, "debug/processing_time_ms"),
            (Float64, "debug/cyclic_time_ms"),
            (MarkerArray, "debug/objects_path_markers"),
            (PointCloud2, "output/path_covariance"),
        ):
            ros.node.create_subscription(kind, f"{NODE}/{topic}", lambda _: None, 1, raw=True)
    publisher = ros.node.create_publisher(TrackedObjects, INPUT_TOPIC, QoSProfile(depth=10))
    ros.spin_until(lambda: publisher.get_subscription_count() > 0, "the predictor's subscription")
    at, resident = [], []
    begin_s = time.monotonic()
    for number in range(options.messages):
        while options.rate and (early_s := begin_s + number / options.rate - time.monotonic()) > 0:
            ros.spin_once(early_s)
        publisher.publish(message(number, options.objects, 0.1, 1_700_000_000_000_000_000))
        ros.spin_until(lambda wanted=number + 1: answers >= wanted, "predictions")  # type: ignore[misc]
        if number % max(1, options.messages // SAMPLES) == 0:
            at.append(number)
            resident.append(resident_bytes(node.pid))
            print(f"{time.monotonic() - begin_s:.0f} s, {number} messages: {resident[-1] / 2**20:.2f} MiB", flush=True)
    return at, resident


def main() -> int:
    """Measure, print the slope, and fail where it is above the limit."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--model", default="cv", help="as the node's parameter")
    parser.add_argument("--messages", type=int, default=20_000)
    parser.add_argument("--objects", type=int, default=10)
    parser.add_argument("--rate", type=float, default=0.0, help="Hz; 0 is as fast as the node answers")
    parser.add_argument("--diagnostics-period-s", type=float, default=0.5, help="as the node's parameter")
    parser.add_argument("--diagnostics-window-s", type=float, default=1.0, help="the node keeps the messages of it")
    parser.add_argument("--debug-topics", action="store_true", help="subscribe to times, markers and covariances, too")
    parser.add_argument("--limit", type=float, default=float("inf"), help="bytes a message; exit code 1 above it")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, real_ros(Path(folder)) as ros:
        at, resident = measure(ros, options)
    kept = len(at) // 5
    half = (kept + len(at)) // 2
    slope, late_slope = (float(np.polyfit(at[i:], resident[i:], 1)[0]) for i in (kept, half))
    middle = " ".join(f"{resident[i] / 2**20:.2f}" for i in np.linspace(kept, len(at) - 1, 6).astype(int))
    print(
        f"{options.messages} messages: {slope:.1f} bytes a message, {late_slope:.1f} in the second half; MiB: {middle}"
    )
    return 1 if late_slope > options.limit else 0


if __name__ == "__main__":
    sys.exit(main())
