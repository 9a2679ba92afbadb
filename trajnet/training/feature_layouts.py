"""Columns of the network's features: of an object, of a neighbour, and of the products that give the latter."""

from __future__ import annotations

from trajnet.columns import Layout
from trajnet.types import CLASS_NAMES

#: Velocities of an object: of its last displacement in the axes of the previous pose, then in those of the present one
#: (the measured velocity for a first observation); as measured; and steady (filtered).
VELOCITIES = ("moved_before", "moved", "measured", "steady")


class FeatureLayout(Layout):
    """The features of an object, of order one, the same wherever it is and whichever way it points.

    forward, leftward: the four velocities of VELOCITIES in the object's own axes, scaled; turn: sine of the last turn;
    turn_rate: the turn per second. turned: all of these. known: 1 - reset. The rest is as in the model's input.
    """

    def __init__(self) -> None:
        super().__init__()
        self.forward = self._add(*(f"forward_{name}" for name in VELOCITIES))
        self.leftward = self._add(*(f"leftward_{name}" for name in VELOCITIES))
        self.turn = self._add("turn")
        self.turn_rate = self._add("turn_rate")
        self.turned = slice(0, len(self))
        self.logarithms = self._add("log_speed", "log_dt", "log_length", "log_width")
        self.dt_s = self._add("dt_s")
        self.known = self._add("known")
        self.velocity_valid = self._add("velocity_valid")
        self.object_class = self._add(*(f"class_{name}" for name in CLASS_NAMES))
        self.unchanged = slice(self.dt_s.start, len(self))


class ProductLayout(Layout):
    """Products for a neighbour: its three vectors times cosine and sine of the object's yaw, and four numbers.

    cos, sin: x and y of offset, velocity and heading. The numbers: log_distance, log_length, log_width, valid.
    """

    def __init__(self) -> None:
        super().__init__()
        vectors = [f"{name}_{axis}" for name in ("offset", "velocity", "heading") for axis in "xy"]
        self.cos = self._add(*(f"{name}_cos" for name in vectors))
        self.sin = self._add(*(f"{name}_sin" for name in vectors))
        self.log_distance = self._add("log_distance")
        self.log_size = self._add("log_length", "log_width")
        self.valid = self._add("valid")
        self.numbers = slice(self.log_distance.start, len(self))


class NeighbourFeatureLayout(Layout):
    """The features of a neighbour in the object's own axes, of order one; heading: cosine and sine of its yaw there."""

    def __init__(self) -> None:
        super().__init__()
        self.forward = self._add("forward_offset", "forward_velocity")
        self.leftward = self._add("leftward_offset", "leftward_velocity")
        self.log_distance = self._add("log_distance")
        self.heading = self._add("heading_forward", "heading_leftward")
        self.log_size = self._add("log_length", "log_width")
        self.valid = self._add("valid")


FEATURE_COLUMNS = FeatureLayout()
PRODUCTS = ProductLayout()
NEIGHBOUR_FEATURES = NeighbourFeatureLayout()
