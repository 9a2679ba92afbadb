"""What the network is told of observations and neighbours, made by a few matrix products.

Columns picked out one by one, turned and put together again would be a hundred small operators, each of which costs
some microseconds whatever it does: on a GPU or in cold caches that is most of a step. Products with constant matrices
do the same; the tests hold them to formulas written out.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn

from trajnet.columns import INPUT_COLUMNS, NEIGHBOUR_COLUMNS, Layout
from trajnet.types import CLASS_NAMES

CLASSES = len(CLASS_NAMES)
#: Velocities in m/s times these are of order one.
FORWARD_SCALE, LEFTWARD_SCALE = 0.1, 0.3
#: Two observations closer in time than this count as this far apart, or noise would be a speed.
MIN_STEP_S = 0.01
#: The sine of a quarter turn more is the cosine.
_QUARTER_RAD = math.pi / 2

#: Velocities of an object: of its last displacement as seen from the pose before, then as seen from the present one (as
#: measured for a first observation), as measured, and steady.
_VELOCITIES = ("moved_before", "moved", "measured", "steady")


class FeatureLayout(Layout):
    """The features of an object, of order one, the same wherever it is and whichever way it points.

    forward, leftward: the four velocities of _VELOCITIES in the object's own axes, scaled; turn: sine of the last turn;
    turn_rate: the turn per second. turned: all these. known: 1 less reset. The rest as in the model's input.
    """

    def __init__(self) -> None:
        super().__init__()
        self.forward = self._add(*(f"forward_{name}" for name in _VELOCITIES))
        self.leftward = self._add(*(f"leftward_{name}" for name in _VELOCITIES))
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
    """What is computed of a neighbour: its three vectors times cosine and sine of the object's yaw, and four numbers.

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
_TURNED = len(FEATURE_COLUMNS.names[FEATURE_COLUMNS.turned])


class FeatureSet(NamedTuple):
    """What is computed of observations, with any leading dimensions (...).

    features (..., FEATURE_COLUMNS). turned (..., those of FEATURE_COLUMNS.turned). axes (..., PRODUCTS): cosines and
    sines of the present yaw, and ones, by which the numbers of neighbours and of a map's directions are multiplied;
    None in a model without either. map_valid (..., 1).
    """

    features: Tensor
    turned: Tensor
    axes: Tensor | None
    map_valid: Tensor


def picking(*parts: slice) -> Tensor:
    """Return (columns of INPUT_COLUMNS, those of the parts): a product with it picks these columns."""
    return torch.cat([torch.eye(len(INPUT_COLUMNS))[:, part] for part in parts], 1)


def of_class(values: Tensor) -> Tensor:
    """Return values (R, classes) as (R, INPUT_COLUMNS): a product with an input picks the values of its class."""
    return nn.functional.pad(values, (INPUT_COLUMNS.object_class.start, 0))


class Features(nn.Module):
    """Model inputs (..., INPUT_COLUMNS) -> FeatureSet. It has no weights.

    A vector of axes x and y turned back by an angle a is x cos a + y sin a forward and y cos a - x sin a leftward. A
    term is a vector, turned by the yaw before or by the present one, times a factor: for each there are four products,
    of x, y, y, x and cos, sin, cos, sin. Two more products are the sine of the last turn, and its rate.
    """

    def __init__(self, *, uses_velocity: bool, axes: bool) -> None:
        super().__init__()
        used = float(uses_velocity)
        displacement, measured = INPUT_COLUMNS.displacement_m, INPUT_COLUMNS.velocity_mps
        steady, yaw, before = INPUT_COLUMNS.steady_velocity_mps, INPUT_COLUMNS.yaw_rad, INPUT_COLUMNS.previous_yaw_rad
        # Vector, its weight, yaw, factor (1, "rate" of observations, or a column), which of the four velocities.
        terms = [
            (displacement, 1.0, before, "rate", "moved_before"),
            (displacement, 1.0, yaw, "rate", "moved"),
            (measured, used, yaw, "reset", "moved"),  # of a first observation the last displacement is as measured
            (measured, used, yaw, "1", "measured"),
            (steady, 1.0, yaw, "1", "steady"),
        ]
        turn, rate, products = 4 * len(terms), 4 * len(terms) + 1, 4 * len(terms) + 2
        # A part of an observation is a product with a matrix, and a bias.
        vector, factor, angle = (_Part(products) for _ in range(3))
        per_time, to_turned = torch.zeros(products), torch.zeros(products, _TURNED)
        for i, (xy, weight, turned_by, by, velocity) in enumerate(terms):
            four = slice(4 * i, 4 * i + 4)
            vector.matrix[:, four] = weight * picking(xy)[:, [0, 1, 1, 0]]
            angle.matrix[:, four] = picking(turned_by)
            angle.bias[four] = torch.tensor([_QUARTER_RAD, 0.0, _QUARTER_RAD, 0.0])
            per_time[four], factor.bias[four] = float(by == "rate"), float(by == "1")
            if by == "reset":
                factor.matrix[:, four] = picking(INPUT_COLUMNS.reset)
            forward, leftward = (FEATURE_COLUMNS.index(f"{way}_{velocity}") for way in ("forward", "leftward"))
            to_turned[four, forward] = FORWARD_SCALE * torch.tensor([1.0, 1.0, 0.0, 0.0])
            to_turned[four, leftward] = LEFTWARD_SCALE * torch.tensor([0.0, 0.0, 1.0, -1.0])
        vector.bias[[turn, rate]] = 1.0
        angle.matrix[:, [turn, rate]] = picking(yaw) - picking(before)
        factor.bias[turn], per_time[rate] = 1.0, 1.0
        to_turned[turn, FEATURE_COLUMNS.turn] = to_turned[rate, FEATURE_COLUMNS.turn_rate] = 1.0

        own = _Part(len(PRODUCTS) if axes else 0)
        if axes:
            own.matrix[:, PRODUCTS.cos] = own.matrix[:, PRODUCTS.sin] = picking(yaw)
            own.bias[PRODUCTS.cos] = own.bias[PRODUCTS.numbers] = _QUARTER_RAD  # cosines; of 0 it is 1
        logarithm = _Part(len(FEATURE_COLUMNS.names[FEATURE_COLUMNS.logarithms]))
        unchanged = _Part(len(FEATURE_COLUMNS.names[FEATURE_COLUMNS.unchanged]))
        # log_speed has no column: its square is added in forward. dt has a scale; both logarithms are of 1 and more.
        logarithm.matrix[:, 1:] = picking(INPUT_COLUMNS.dt_s, INPUT_COLUMNS.size_m) * torch.tensor([10.0, 1.0, 1.0])
        logarithm.bias[:2] = 1.0
        # dt_s, known = 1 - reset, velocity_valid, and the class.
        unchanged.matrix[:, :3] = picking(
            INPUT_COLUMNS.dt_s, INPUT_COLUMNS.reset, INPUT_COLUMNS.velocity_valid
        ) * torch.tensor([1.0, -1.0, used])
        unchanged.bias[1] = 1.0
        unchanged.matrix[:, 3:] = picking(INPUT_COLUMNS.object_class)
        rest = [_Part.of(part) for part in (steady, INPUT_COLUMNS.dt_s, INPUT_COLUMNS.map_valid)]
        parts = [_Part.joined([angle, own]), vector, factor, logarithm, unchanged, *rest]
        self.widths = [len(part.bias) for part in parts]
        self.angles = [products, len(own.bias)]

        #: Of the turned ones, in m/s: the steady velocity forward and leftward, and what that of the last
        #: displacement has more.
        to_start = torch.zeros(_TURNED, 4)
        for column, (way, scale) in enumerate((("forward", FORWARD_SCALE), ("leftward", LEFTWARD_SCALE))):
            moved, long = FEATURE_COLUMNS.index(f"{way}_moved"), FEATURE_COLUMNS.index(f"{way}_steady")
            to_start[long, column] = to_start[moved, 2 + column] = 1.0 / scale
            to_start[long, 2 + column] = -1.0 / scale
        whole = _Part.joined(parts)
        constants = {
            "to_parts": whole.matrix,
            "parts_bias": whole.bias,
            "per_time": per_time,
            "to_turned": to_turned,
            "to_start": to_start,
            # Of the squared steady velocity, the square of what is added to the first logarithm's argument.
            "to_speed": torch.tensor([[1.0, 0.0, 0.0, 0.0]] * 2),
            "speed_bias": torch.tensor([1e-6, 0.0, 0.0, 0.0]),
        }
        for name, values in constants.items():
            self.register_buffer(name, values, persistent=False)
        self.to_parts: Tensor
        self.parts_bias: Tensor
        self.per_time: Tensor
        self.to_turned: Tensor
        self.to_start: Tensor
        self.to_speed: Tensor
        self.speed_bias: Tensor

    def forward(self, observed: Tensor) -> FeatureSet:
        parts = torch.split(torch.matmul(observed, self.to_parts) + self.parts_bias, self.widths, -1)
        angle, vector, factor, logarithm, unchanged, steady, dt_s, map_valid = parts
        sine, axes = torch.sin(angle), None
        if self.angles[1]:
            sine, axes = torch.split(sine, self.angles, -1)
        factor = factor + self.per_time / torch.clamp(dt_s, min=MIN_STEP_S)
        turned = torch.matmul(vector * factor * sine, self.to_turned)
        speed = torch.sqrt(torch.matmul(steady * steady, self.to_speed) + self.speed_bias)
        features = torch.cat([turned, torch.log(logarithm + speed), unchanged], -1)
        return FeatureSet(features, turned, axes, map_valid)


class _Part:
    """A product with a matrix (columns of INPUT_COLUMNS, width), and a bias (width,), both 0 at first."""

    def __init__(self, width: int) -> None:
        self.matrix, self.bias = torch.zeros(len(INPUT_COLUMNS), width), torch.zeros(width)

    @classmethod
    def of(cls, columns: slice) -> _Part:
        """Return the part that is these columns of the input."""
        part = cls(columns.stop - columns.start)
        part.matrix[:] = picking(columns)
        return part

    @classmethod
    def joined(cls, parts: list[_Part]) -> _Part:
        whole = cls(0)
        whole.matrix = torch.cat([part.matrix for part in parts], 1)
        whole.bias = torch.cat([part.bias for part in parts])
        return whole


def neighbour_matrices() -> dict[str, Tensor]:
    """Return the constants that make features of neighbours.

    to_products (NEIGHBOUR_COLUMNS, PRODUCTS): the three vectors twice, and the numbers, to be multiplied by
    FeatureSet.axes. to_known (NEIGHBOUR_FEATURES, PRODUCTS): sums of these.
    """
    one = torch.eye(len(NEIGHBOUR_COLUMNS))
    offset, velocity = one[:, NEIGHBOUR_COLUMNS.offset_m], one[:, NEIGHBOUR_COLUMNS.velocity_mps]
    vectors = torch.cat([offset, velocity, one[:, NEIGHBOUR_COLUMNS.heading]], 1)
    numbers = (NEIGHBOUR_COLUMNS.log_distance, NEIGHBOUR_COLUMNS.log_size, NEIGHBOUR_COLUMNS.valid)
    to_products = torch.cat([vectors, vectors, *(one[:, part] for part in numbers)], 1)

    known = torch.zeros(len(NEIGHBOUR_FEATURES), len(PRODUCTS))
    for vector, forward, leftward, scale in (
        ("offset", "forward_offset", "leftward_offset", 0.1),
        ("velocity", "forward_velocity", "leftward_velocity", 0.2),
        ("heading", "heading_forward", "heading_leftward", 1.0),
    ):
        x_cos, y_cos, x_sin, y_sin = (PRODUCTS.index(f"{vector}_{axis}_{by}") for by in ("cos", "sin") for axis in "xy")
        ahead, aside = NEIGHBOUR_FEATURES.index(forward), NEIGHBOUR_FEATURES.index(leftward)
        known[ahead, [x_cos, y_sin]] = scale
        known[aside, y_cos], known[aside, x_sin] = scale, -scale
    known[NEIGHBOUR_FEATURES.log_distance, PRODUCTS.log_distance] = 0.5  # of the squared distance
    known[NEIGHBOUR_FEATURES.log_size, PRODUCTS.log_size] = torch.eye(2)
    known[NEIGHBOUR_FEATURES.valid, PRODUCTS.valid] = 1.0
    return {"to_products": to_products, "to_known": known}


def direction_matrices(points: int) -> Tensor:
    """Return (PRODUCTS, 4 * points, 4 * points): one matrix for each column of FeatureSet.axes.

    Their sum, weighted by the axes, turns the weights of a patch of map points, four numbers each, into those that see
    the directions (given in map axes) in the object's own axes.

    In own axes a direction is forward = x cos + y sin and leftward = y cos - x sin. So x has the weight of forward
    times the cosine of the yaw, less that of leftward times its sine, and y the other way round.
    """
    of_axes = torch.eye(len(PRODUCTS))
    cos, sin, one = (of_axes[part.start] for part in (PRODUCTS.cos, PRODUCTS.sin, PRODUCTS.numbers))
    four = torch.zeros(len(PRODUCTS), 4, 4)
    four[:, 0, 0] = four[:, 1, 1] = one
    four[:, 2, 2] = four[:, 3, 3] = cos
    four[:, 2, 3], four[:, 3, 2] = -sin, sin
    return torch.stack([torch.kron(torch.eye(points), each) for each in four])
