"""The fixture ``ros``: real ROS 2, or a skip that says what is missing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.ros.ros_harness import Ros


@pytest.fixture
def ros(tmp_path: Path) -> Iterator[Ros]:
    """Open a node and a domain of the test's own."""
    pytest.importorskip("rclpy", reason="needs the ROS 2 of .venv-ros: python3 tests/ros/make_ros_env.py")
    from tests.ros.ros_harness import real_ros

    with real_ros(tmp_path) as session:
        yield session
