"""How a node of ours starts and ends: 2 and one line where it cannot start, 0 where it is told to stop."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TypeVar

import rclpy
from rclpy.exceptions import InvalidParameterTypeException, InvalidParameterValueException
from rclpy.executors import ExternalShutdownException

from trajnet.errors import TrajnetError, in_words

NodeT = TypeVar("NodeT")


def run_node(name: str, make: Callable[[], NodeT], run: Callable[[NodeT], int], arguments: list[str] | None) -> int:
    """Make a node and run it until it ends or the process is interrupted (SIGINT, SIGTERM); return the exit code.

    A signal shuts ROS down at once, in a thread of its own. So a message that is just being published then fails, and
    so does a service that is just being created while the node starts. That is no error; every other one is raised.
    """
    try:
        rclpy.init(args=arguments)  # raises for a parameter file that is no YAML
    except Exception as error:
        return _cannot_start(name, error)
    node = None
    try:
        node = make()
        return run(node)
    except (KeyboardInterrupt, ExternalShutdownException):
        return 0
    except Exception as error:
        if not rclpy.ok():
            print(f"{name}: told to stop ({in_words(error)})", file=sys.stderr)
            return 0
        if node is None:
            return _cannot_start(name, error)
        raise
    finally:
        rclpy.try_shutdown()


def _cannot_start(name: str, error: Exception) -> int:
    explained = isinstance(error, (TrajnetError, InvalidParameterTypeException, InvalidParameterValueException))
    print(f"{name}: {error if explained else f'cannot start: {in_words(error)}'}", file=sys.stderr)
    return 2
