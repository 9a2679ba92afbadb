"""Real ROS 2 for tests: nodes as processes of their own, seen from here over DDS that stays on this machine.

A test asks for the fixture ``ros`` (conftest.py). Every test has a domain of its own, so that neither its neighbours
nor other programs hear it.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import rclpy
from rcl_interfaces.srv import ListParameters
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import QoSProfile

ROOT = Path(__file__).resolve().parents[2]
#: A loaded machine may be slow: nothing passes or fails by being faster than this.
PATIENCE_S = 60.0


@contextlib.contextmanager
def own_domain() -> Iterator[int]:
    """Hold a ROS_DOMAIN_ID that no other test on this machine uses meanwhile."""
    for domain in range(30, 100):
        lock = (Path(tempfile.gettempdir()) / f"trajnet-test-domain-{domain}.lock").open("w")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            lock.close()
            continue
        with lock:
            yield domain
        return
    raise RuntimeError("no free ROS domain among 30..99: other tests hold them all")


class Process:
    """A node in a process of its own; its output is in ``log``."""

    def __init__(self, module: str, arguments: list[str], folder: Path) -> None:
        self.log_path = folder / f"{module.rsplit('.', 1)[-1]}-{time.monotonic_ns()}.log"
        with self.log_path.open("wb") as log:
            command = [sys.executable, "-m", module, *arguments]
            self._process = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=subprocess.STDOUT)

    @property
    def log(self) -> str:
        return self.log_path.read_text(errors="replace")

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def running(self) -> bool:
        return self._process.poll() is None

    def wait(self) -> int:
        return self._process.wait(PATIENCE_S)

    def interrupt(self) -> int:
        """As Ctrl+C or ros2 launch does it."""
        self._process.send_signal(signal.SIGINT)
        return self.wait()

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()


class Ros:
    """A node of the test's own and the processes that it started."""

    def __init__(self, domain: int, folder: Path) -> None:
        self._folder = folder
        self._context = Context()
        rclpy.init(context=self._context, domain_id=domain)
        self.node = Node("test", context=self._context)
        self._executor = SingleThreadedExecutor(context=self._context)
        self._executor.add_node(self.node)
        self._processes: list[Process] = []

    def close(self) -> None:
        for process in self._processes:
            if process.running:
                process.kill()
        self._executor.shutdown()
        self.node.destroy_node()
        rclpy.shutdown(context=self._context)

    def start(self, module: str, *arguments: str, **parameters: Any) -> Process:
        """Start a node with --ros-args arguments and parameters, and return at once."""
        given: list[str] = []
        for name, value in parameters.items():
            text = str(value).lower() if isinstance(value, bool) else str(value)
            given += ["-p", f"{name}:={text}"]
        process = Process(module, ["--ros-args", *arguments, *given], self._folder)
        self._processes.append(process)
        return process

    def predictor(self, *arguments: str, **parameters: Any) -> Process:
        """Start the predictor; unless told otherwise with constant velocity for 6 s."""
        return self.start("trajnet.ros.node", *arguments, **{"model": "cv", "horizon_s": 6.0, **parameters})

    def spin_until(self, condition: Callable[[], bool], what: str, patience_s: float = PATIENCE_S) -> None:
        """Handle messages until the condition holds; fails the test, with the logs, when patience ends."""
        end = time.monotonic() + patience_s
        while not condition():
            self._executor.spin_once(timeout_sec=0.02)
            if time.monotonic() > end:
                logs = "\n".join(f"--- {p.log_path.name}\n{p.log}" for p in self._processes)
                raise AssertionError(f"waited {patience_s:g} s for {what}\n{logs}")

    def spin_once(self, seconds: float) -> None:
        """Handle what there is, or wait this long for something."""
        self._executor.spin_once(timeout_sec=seconds)

    def spin_for(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self._executor.spin_once(timeout_sec=0.02)

    def collect(self, message: Any, topic: str, depth: int = 1000, *, raw: bool = False) -> list[Any]:
        """Return a list that fills with the messages of a topic while the test spins."""
        got: list[Any] = []
        self.node.create_subscription(message, topic, got.append, QoSProfile(depth=depth), raw=raw)
        return got

    def call(self, service: Any, name: str, request: Any) -> Any:
        """Send one request to a service of a node, and return its response."""
        client = self.node.create_client(service, name)
        self.spin_until(client.service_is_ready, f"service {name}")
        self.introduce(name.rsplit("/", 1)[0])
        future = client.call_async(request)
        self.spin_until(future.done, f"an answer of {name}")
        self.node.destroy_client(client)
        return future.result()

    def introduce(self, node: str) -> None:
        """Wait until a node knows every publisher, subscription and client that was created here before.

        What looks connected from here need not be so from there: a service then does what it is asked, but its response
        is lost, and so is what a publisher tells a new subscription. DDS announces in the order of creation. So a node
        that answers the last client knows all; until then that client, which changes nothing, asks again and again.
        """
        name = f"{node}/list_parameters"
        client = self.node.create_client(ListParameters, name)
        self.spin_until(client.service_is_ready, f"service {name}")
        answers: list[Any] = []
        ask = self.node.create_timer(
            0.1, lambda: client.call_async(ListParameters.Request()).add_done_callback(answers.append)
        )
        self.spin_until(lambda: bool(answers), f"an answer of {name}")
        self.node.destroy_timer(ask)
        self.node.destroy_client(client)

    def ready(self, input_topic: str, output_topic: str) -> None:
        """Wait until the predictor listens and speaks."""
        self.spin_until(
            lambda: self.node.count_subscribers(input_topic) > 0 and self.node.count_publishers(output_topic) > 0,
            f"the predictor on {input_topic} and {output_topic}",
        )


@contextlib.contextmanager
def real_ros(folder: Path) -> Iterator[Ros]:
    with own_domain() as domain:
        before = {k: os.environ.get(k) for k in ("ROS_DOMAIN_ID", "ROS_AUTOMATIC_DISCOVERY_RANGE")}
        os.environ.update(ROS_DOMAIN_ID=str(domain), ROS_AUTOMATIC_DISCOVERY_RANGE="LOCALHOST")
        ros = Ros(domain, folder)
        try:
            yield ros
        finally:
            ros.close()
            for name, value in before.items():
                if value is None:
                    os.environ.pop(name, None)
                else:
                    os.environ[name] = value
