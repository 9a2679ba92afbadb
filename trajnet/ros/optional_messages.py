"""Message types that not every installation has: looked for by name. Imports no ROS of its own."""

from __future__ import annotations

import importlib
from typing import Any


def message_class(package: str, name: str) -> Any | None:
    """Return the message class of an interface package; None where the package, or the message in it, is missing."""
    try:
        return getattr(importlib.import_module(f"{package}.msg"), name, None)
    except ImportError:
        return None


def float64_class() -> Any:
    """Return Autoware's stamped float where it is installed, as its tools expect it; else the standard one."""
    stamped = message_class("autoware_internal_debug_msgs", "Float64Stamped")
    return stamped if stamped is not None else importlib.import_module("std_msgs.msg").Float64
