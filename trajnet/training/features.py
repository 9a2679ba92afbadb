"""Features of observations and neighbours for the network, computed by a few matrix products.

Picking, turning and joining columns one by one would be a hundred small operators, each of which costs some
microseconds of overhead: on a GPU or with cold caches that is most of a step. Products with constant matrices do the
same; the tests compare them with the formulas written out.
"""

from __future__ import annotations

import math
from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn

from trajnet.columns import INPUT_COLUMNS, NEIGHBOUR_COLUMNS
from trajnet.training.feature_layouts import FEATURE_COLUMNS, NEIGHBOUR_FEATURES, PRODUCTS
from trajnet.types import CLASS_NAMES

CLASSES = len(CLASS_NAMES)
#: Factors that bring velocities in m/s to order one.
FORWARD_SCALE, LEFTWARD_SCALE = 0.1, 0.3
#: Shortest time between two observations (s): with a shorter one, position noise would look like speed.
MIN_STEP_S = 0.01
#: A cosine is computed as the sine of an angle that is a quarter turn larger.
_QUARTER_RAD = math.pi / 2
#: How many features are in the own axes of an object.
_TURNED = len(FEATURE_COLUMNS.names[FEATURE_COLUMNS.turned])


class FeatureSet(NamedTuple):
    """What is computed from observations, with any leading dimensions (...).

    features (..., FEATURE_COLUMNS). turned (..., FEATURE_COLUMNS.turned): the part of them in the object's own axes.
    axes (..., PRODUCTS): cosines and sines of the present yaw, and ones, by which the numbers of neighbours and of a
    map's directions are multiplied; None in a model without either. map_valid (..., 1).
    """

    features: Tensor
    turned: Tensor
    axes: Tensor | None
    map_valid: Tensor


def picking(*parts: slice) -> Tensor:
    """Return a matrix (columns of INPUT_COLUMNS, columns of the parts): a product with it picks these columns."""
    return torch.cat([torch.eye(len(INPUT_COLUMNS))[:, part] for part in parts], 1)


def of_class(values: Tensor) -> Tensor:
    """Return values (R, classes) as (R, INPUT_COLUMNS): a product with an input picks the values of its class."""
    return nn.functional.pad(values, (INPUT_COLUMNS.object_class.start, 0))


class Features(nn.Module):
    """Model inputs (..., INPUT_COLUMNS) -> FeatureSet. It has no weights.

    One product with to_parts gives all that is linear in the input: angles, vectors, factors, arguments of logarithms,
    and columns that stay as they are. Vector * factor * sine(angle) are the products of _Products, whose sums are the
    features in the object's own axes.
    """

    def __init__(self, *, uses_velocity: bool, axes: bool) -> None:
        super().__init__()
        products, own_axes = _Products(_terms(uses_velocity)), _own_axes() if axes else _Part(0)
        alone = (INPUT_COLUMNS.steady_velocity_mps, INPUT_COLUMNS.dt_s, INPUT_COLUMNS.map_valid)
        parts = [
            _Part.joined([products.angle, own_axes]), products.vector, products.factor,
            _logarithm_arguments(), _unchanged(uses_velocity), *map(_Part.of, alone),
        ]  # fmt: skip
        self.widths = [len(part.bias) for part in parts]
        self.angles = [products.count, len(own_axes.bias)]
        whole = _Part.joined(parts)
        constants = {
            "to_parts": whole.matrix,
            "parts_bias": whole.bias,
            "per_time": products.per_time,
            "to_turned": products.to_turned,
            "to_start": _start_velocities(),
            # From the squared steady velocity to the square of what is added to the first logarithm's argument.
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
        """Return the features of inputs (..., INPUT_COLUMNS), see FeatureSet."""
        parts = torch.split(torch.matmul(observed, self.to_parts) + self.parts_bias, self.widths, -1)
        angle, vector, factor, logarithm, unchanged, steady, dt_s, map_valid = parts
        sine, axes = torch.sin(angle), None  # (..., products and PRODUCTS)
        if self.angles[1]:
            sine, axes = torch.split(sine, self.angles, -1)
        factor = factor + self.per_time / torch.clamp(dt_s, min=MIN_STEP_S)  # (..., products)
        turned = torch.matmul(vector * factor * sine, self.to_turned)  # (..., FEATURE_COLUMNS.turned)
        speed = torch.sqrt(torch.matmul(steady * steady, self.to_speed) + self.speed_bias)  # (..., logarithms)
        features = torch.cat([turned, torch.log(logarithm + speed), unchanged], -1)  # (..., FEATURE_COLUMNS)
        return FeatureSet(features, turned, axes, map_valid)


class _Part:
    """A product with a matrix (columns of INPUT_COLUMNS, width), and a bias (width,), both 0 at first."""

    def __init__(self, width: int) -> None:
        self.matrix, self.bias = torch.zeros(len(INPUT_COLUMNS), width), torch.zeros(width)

    @classmethod
    def of(cls, columns: slice) -> _Part:
        """Return the part that picks these columns of the input."""
        part = cls(columns.stop - columns.start)
        part.matrix[:] = picking(columns)
        return part

    @classmethod
    def joined(cls, parts: list[_Part]) -> _Part:
        """Return the parts side by side."""
        whole = cls(0)
        whole.matrix = torch.cat([part.matrix for part in parts], 1)
        whole.bias = torch.cat([part.bias for part in parts])
        return whole


class _Term(NamedTuple):
    """A vector of the input, times weight, turned back by a yaw, times a factor, added to one of VELOCITIES."""

    vector: slice
    weight: float
    yaw: slice
    factor: Literal["one", "rate", "reset"]
    velocity: str


def _terms(uses_velocity: bool) -> list[_Term]:
    """Return the terms of the four velocities. rate: divided by dt; reset: for first observations only."""
    displacement, measured = INPUT_COLUMNS.displacement_m, INPUT_COLUMNS.velocity_mps
    yaw, before, used = INPUT_COLUMNS.yaw_rad, INPUT_COLUMNS.previous_yaw_rad, float(uses_velocity)
    return [
        _Term(displacement, 1.0, before, "rate", "moved_before"),
        _Term(displacement, 1.0, yaw, "rate", "moved"),
        _Term(measured, used, yaw, "reset", "moved"),  # a first observation has no displacement, only what is measured
        _Term(measured, used, yaw, "one", "measured"),
        _Term(INPUT_COLUMNS.steady_velocity_mps, 1.0, yaw, "one", "steady"),
    ]


class _Products:
    """The constants of the products vector * factor * sine(angle), and of their sums.

    A vector of axes x and y turned back by an angle a is x cos a + y sin a forward and y cos a - x sin a leftward. So
    there are four products for each term: of x, y, y, x with cos, sin, cos, sin. Two more products are the sine of the
    last turn, and its rate.

    factor: its part that does not depend on dt; per_time (count,): its part that is divided by dt. to_turned (count,
    FEATURE_COLUMNS.turned): the sums.
    """

    def __init__(self, terms: list[_Term]) -> None:
        self.count = 4 * len(terms) + 2
        self.vector, self.factor, self.angle = (_Part(self.count) for _ in range(3))
        self.per_time, self.to_turned = torch.zeros(self.count), torch.zeros(self.count, _TURNED)
        for i, term in enumerate(terms):
            self._add_term(slice(4 * i, 4 * i + 4), term)
        self._add_turn(self.count - 2, self.count - 1)

    def _add_term(self, four: slice, term: _Term) -> None:
        self.vector.matrix[:, four] = term.weight * picking(term.vector)[:, [0, 1, 1, 0]]
        self.angle.matrix[:, four] = picking(term.yaw)
        self.angle.bias[four] = torch.tensor([_QUARTER_RAD, 0.0, _QUARTER_RAD, 0.0])
        self.per_time[four], self.factor.bias[four] = float(term.factor == "rate"), float(term.factor == "one")
        if term.factor == "reset":
            self.factor.matrix[:, four] = picking(INPUT_COLUMNS.reset)
        forward, leftward = (FEATURE_COLUMNS.index(f"{way}_{term.velocity}") for way in ("forward", "leftward"))
        self.to_turned[four, forward] = FORWARD_SCALE * torch.tensor([1.0, 1.0, 0.0, 0.0])
        self.to_turned[four, leftward] = LEFTWARD_SCALE * torch.tensor([0.0, 0.0, 1.0, -1.0])

    def _add_turn(self, turn: int, rate: int) -> None:
        self.vector.bias[[turn, rate]] = 1.0
        self.angle.matrix[:, [turn, rate]] = picking(INPUT_COLUMNS.yaw_rad) - picking(INPUT_COLUMNS.previous_yaw_rad)
        self.factor.bias[turn], self.per_time[rate] = 1.0, 1.0
        self.to_turned[turn, FEATURE_COLUMNS.turn] = self.to_turned[rate, FEATURE_COLUMNS.turn_rate] = 1.0


def _own_axes() -> _Part:
    """Return the angles whose sines are FeatureSet.axes."""
    own = _Part(len(PRODUCTS))
    own.matrix[:, PRODUCTS.cos] = own.matrix[:, PRODUCTS.sin] = picking(INPUT_COLUMNS.yaw_rad)
    own.bias[PRODUCTS.cos] = own.bias[PRODUCTS.numbers] = _QUARTER_RAD  # a cosine; the cosine of 0 is 1
    return own


def _logarithm_arguments() -> _Part:
    """Return the arguments of FEATURE_COLUMNS.logarithms; 1 is added to speed and dt, which may be 0.

    log_speed has no column of the input: the steady speed is added in forward.
    """
    part = _Part(len(FEATURE_COLUMNS.names[FEATURE_COLUMNS.logarithms]))
    part.matrix[:, 1:] = picking(INPUT_COLUMNS.dt_s, INPUT_COLUMNS.size_m) * torch.tensor([10.0, 1.0, 1.0])
    part.bias[:2] = 1.0
    return part


def _unchanged(uses_velocity: bool) -> _Part:
    """Return FEATURE_COLUMNS.unchanged: dt_s, known = 1 - reset, velocity_valid, and the class."""
    part = _Part(len(FEATURE_COLUMNS.names[FEATURE_COLUMNS.unchanged]))
    numbers = picking(INPUT_COLUMNS.dt_s, INPUT_COLUMNS.reset, INPUT_COLUMNS.velocity_valid)
    part.matrix[:, :3] = numbers * torch.tensor([1.0, -1.0, float(uses_velocity)])
    part.bias[1] = 1.0
    part.matrix[:, 3:] = picking(INPUT_COLUMNS.object_class)
    return part


def _start_velocities() -> Tensor:
    """Return (FEATURE_COLUMNS.turned, 4), which picks what paths start from, in m/s and the object's own axes.

    The steady velocity forward and leftward, then how much that of the last displacement exceeds it.
    """
    to_start = torch.zeros(_TURNED, 4)
    for column, (way, scale) in enumerate((("forward", FORWARD_SCALE), ("leftward", LEFTWARD_SCALE))):
        moved, steady = FEATURE_COLUMNS.index(f"{way}_moved"), FEATURE_COLUMNS.index(f"{way}_steady")
        to_start[steady, column] = to_start[moved, 2 + column] = 1.0 / scale
        to_start[steady, 2 + column] = -1.0 / scale
    return to_start


def neighbour_matrices() -> dict[str, Tensor]:
    """Return the constants that compute the features of neighbours.

    to_products (NEIGHBOUR_COLUMNS, PRODUCTS): the three vectors twice, and the numbers, to be multiplied by
    FeatureSet.axes. to_known (NEIGHBOUR_FEATURES, PRODUCTS): the sums of these products that are the features.
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
    known[NEIGHBOUR_FEATURES.log_distance, PRODUCTS.log_distance] = 0.5  # that of the squared distance
    known[NEIGHBOUR_FEATURES.log_size, PRODUCTS.log_size] = torch.eye(2)
    known[NEIGHBOUR_FEATURES.valid, PRODUCTS.valid] = 1.0
    return {"to_products": to_products, "to_known": known}


def direction_matrices(points: int) -> Tensor:
    """Return (PRODUCTS, 4 * points, 4 * points): one matrix for each column of FeatureSet.axes.

    Their sum, weighted by the axes, turns the weights of a patch of map points, four numbers each, into those that see
    the directions (given in map axes) in the object's own axes.

    In own axes a direction is forward = x cos + y sin and leftward = y cos - x sin. So the weight of x is that of
    forward times the cosine of the yaw minus that of leftward times its sine; the weight of y is that of forward times
    the sine plus that of leftward times the cosine.
    """
    of_axes = torch.eye(len(PRODUCTS))
    cos, sin, one = (of_axes[part.start] for part in (PRODUCTS.cos, PRODUCTS.sin, PRODUCTS.numbers))
    four = torch.zeros(len(PRODUCTS), 4, 4)
    four[:, 0, 0] = four[:, 1, 1] = one
    four[:, 2, 2] = four[:, 3, 3] = cos
    four[:, 2, 3], four[:, 3, 2] = -sin, sin
    return torch.stack([torch.kron(torch.eye(points), each) for each in four])
