"""From autoware_perception_msgs/TrafficLightGroupArray to what crossings know of the lights. Imports no ROS."""

from __future__ import annotations

from typing import Any

import numpy as np

from trajnet.inference.crossing.signals import GREEN, RED, UNKNOWN
from trajnet.types import IntArray

#: TrafficLightElement's constants.
COLOR_RED, COLOR_AMBER, COLOR_GREEN = 1, 2, 3
STATUS_OFF, STATUS_FLASHING = 1, 3


def signals_of(message: Any) -> tuple[IntArray, IntArray, int]:
    """Return the ids of the lights (S,), their states (S,) and the stamp (ns) of a message.

    Green is steady green alone. Red is red, amber, and green that flashes: who has not begun to cross should not.
    """
    groups = message.traffic_light_groups
    ids = np.array([int(group.traffic_light_group_id) for group in groups], np.int64)
    states = np.array([_state(group.elements) for group in groups], np.int64)
    return ids, states, int(message.stamp.sec) * 1_000_000_000 + int(message.stamp.nanosec)


def _state(elements: Any) -> int:
    """Return the state that the lit elements of one group of lights say; the strictest of several."""
    lit = [(int(each.color), int(each.status)) for each in elements if int(each.status) != STATUS_OFF]
    if any(
        color in (COLOR_RED, COLOR_AMBER) or (color, status) == (COLOR_GREEN, STATUS_FLASHING) for color, status in lit
    ):
        return RED
    return GREEN if any(color == COLOR_GREEN for color, _ in lit) else UNKNOWN
