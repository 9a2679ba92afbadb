"""From autoware_perception_msgs/TrafficLightGroupArray to what crossings know of the lights. Imports no ROS.

Before mid-2024 the same message was TrafficSignalArray, with other names for two fields; both are read. The values of
the constants for an element's status are not the same in every version: those of the message that came are taken.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from trajnet.inference.crossing.signals import GREEN, RED, UNKNOWN
from trajnet.types import IntArray

#: The package and the names of the message, the newer one first.
PACKAGE, MESSAGES = "autoware_perception_msgs", ("TrafficLightGroupArray", "TrafficSignalArray")
#: TrafficLightElement's constants; those of the status where a message has none of its own.
COLOR_RED, COLOR_AMBER, COLOR_GREEN = 1, 2, 3
STATUS_OFF, STATUS_FLASHING = 1, 3


def signals_of(message: Any) -> tuple[IntArray, IntArray, int]:
    """Return the ids of the lights (S,), their states (S,) and the stamp (ns) of a message.

    Green is steady green alone. Red is red, amber, and green that flashes: who has not begun to cross should not.
    """
    groups = message.traffic_light_groups if hasattr(message, "traffic_light_groups") else message.signals
    ids = np.array([_id(group) for group in groups], np.int64)
    states = np.array([_state(group.elements) for group in groups], np.int64)
    return ids, states, int(message.stamp.sec) * 1_000_000_000 + int(message.stamp.nanosec)


def _id(group: Any) -> int:
    older = not hasattr(group, "traffic_light_group_id")
    return int(group.traffic_signal_id if older else group.traffic_light_group_id)


def _state(elements: Any) -> int:
    """Return the state that the lit elements of one group of lights say; the strictest of several."""
    lit = [each for each in elements if int(each.status) != getattr(each, "SOLID_OFF", STATUS_OFF)]
    if any(int(each.color) in (COLOR_RED, COLOR_AMBER) or _flashes_green(each) for each in lit):
        return RED
    return GREEN if any(int(each.color) == COLOR_GREEN for each in lit) else UNKNOWN


def _flashes_green(element: Any) -> bool:
    flashes = int(element.status) == getattr(element, "FLASHING", STATUS_FLASHING)
    return flashes and int(element.color) == COLOR_GREEN
