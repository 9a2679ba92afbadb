"""How a node of ours ends: trajnet.ros.run_node, in a process of its own, because a signal shuts down all of ROS."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

pytest.importorskip("rclpy", reason="needs the ROS 2 of .venv-ros: python3 tests/ros/make_ros_env.py")

from tests.ros.ros_harness import PATIENCE_S, ROOT, own_domain

pytestmark = pytest.mark.ros
SCRIPT = """
import os, signal, sys, time
import rclpy
from rclpy.node import Node
from std_msgs.msg import String
from trajnet.ros.run_node import run_node

def interrupted():
    os.kill(os.getpid(), signal.SIGTERM)  # rclpy shuts down; Python itself is told nothing
    while rclpy.ok():
        time.sleep(0.001)

def make():
    if when == "starting":
        interrupted()
    return Node("test")

def run(node):
    publisher = node.create_publisher(String, "text", 1)
    if when == "publishing":
        interrupted()
    if when == "broken":
        raise RuntimeError("no such wheel")
    publisher.publish(String(data="text"))
    print("published")
    return 7

when = sys.argv[1]
sys.exit(run_node("test", make, run, None))
"""


def ended(when: str) -> tuple[int, str, str]:
    with own_domain() as domain:
        environment = {**os.environ, "ROS_DOMAIN_ID": str(domain), "ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST"}
        done = subprocess.run(
            [sys.executable, "-c", SCRIPT, when],
            cwd=ROOT,
            env=environment,
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
        )
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize("when", ["starting", "publishing"])
def test_what_fails_because_it_is_told_to_stop_is_no_error(when: str) -> None:
    code, out, errors = ended(when)
    assert code == 0, errors
    assert out == ""
    assert "Traceback" not in errors
    assert "cannot start" not in errors


def test_another_error_is_raised() -> None:
    code, _, errors = ended("broken")
    assert code == 1
    assert "RuntimeError: no such wheel" in errors


def test_the_code_of_what_ran_is_returned() -> None:
    assert ended("never")[:2] == (7, "published\n")
