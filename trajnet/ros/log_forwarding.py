"""The library's log in ROS's: what trajnet logs reaches /rosout and the node's log file. Imports no ROS.

The library logs with Python's logging, because it runs without ROS, too; on its own that goes to stderr only.
"""

from __future__ import annotations

import logging
from typing import Any

LIBRARY = "trajnet"


class RosLogHandler(logging.Handler):
    """Hands records on to the logger of a node (rclpy's)."""

    def __init__(self, ros_logger: Any) -> None:
        super().__init__(logging.INFO)
        self._ros_logger = ros_logger

    def emit(self, record: logging.LogRecord) -> None:
        """Log the record at its own severity; a log must not end what it reports on."""
        try:
            text = self.format(record)
            # rclpy ties a severity to the line of the call: every level needs a line of its own.
            if record.levelno >= logging.CRITICAL:
                self._ros_logger.fatal(text)
            elif record.levelno >= logging.ERROR:
                self._ros_logger.error(text)
            elif record.levelno >= logging.WARNING:
                self._ros_logger.warning(text)
            else:
                self._ros_logger.info(text)
        except Exception:
            self.handleError(record)


def forward_logs(ros_logger: Any) -> RosLogHandler:
    """Let the node's logger have what the library logs, from info on; it is printed once, by ROS."""
    handler = RosLogHandler(ros_logger)
    library = logging.getLogger(LIBRARY)
    library.addHandler(handler)
    library.setLevel(logging.INFO)
    library.propagate = False
    return handler


def stop_forwarding(handler: RosLogHandler) -> None:
    """Undo forward_logs."""
    library = logging.getLogger(LIBRARY)
    library.removeHandler(handler)
    library.setLevel(logging.NOTSET)
    library.propagate = True
