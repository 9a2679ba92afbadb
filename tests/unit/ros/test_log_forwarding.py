"""The library's log reaches the node's logger, at its own severity, and is printed once."""

from __future__ import annotations

import logging

import pytest

from trajnet.ros.log_forwarding import forward_logs, stop_forwarding


class RosLogger:
    """Keeps what it is told, as rclpy's logger has its methods."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, str]] = []

    def fatal(self, text: str) -> None:
        self.lines.append(("fatal", text))

    def error(self, text: str) -> None:
        self.lines.append(("error", text))

    def warning(self, text: str) -> None:
        self.lines.append(("warning", text))

    def info(self, text: str) -> None:
        self.lines.append(("info", text))


def test_every_level_arrives_and_nothing_is_printed_twice(caplog: pytest.LogCaptureFixture) -> None:
    ros, log = RosLogger(), logging.getLogger("trajnet.ros.pipeline")
    handler = forward_logs(ros)
    try:
        log.debug("not this")
        log.info("one %d", 1)
        log.warning("two")
        log.error("three")
        log.critical("four")
    finally:
        stop_forwarding(handler)
    assert ros.lines == [("info", "one 1"), ("warning", "two"), ("error", "three"), ("fatal", "four")]
    assert caplog.records == []  # the root logger, and what prints there, has not seen them
    log.warning("afterwards")
    assert [r.message for r in caplog.records] == ["afterwards"]
    assert len(ros.lines) == 4


def test_a_traceback_comes_along() -> None:
    ros = RosLogger()
    handler = forward_logs(ros)
    try:
        logging.getLogger("trajnet").error("it failed", exc_info=ValueError("no such wheel"))
    finally:
        stop_forwarding(handler)
    assert "ValueError: no such wheel" in ros.lines[0][1]
