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

from trajnet.context.surroundings import NEIGHBOUR
from trajnet.inference.contract import OBSERVATION
from trajnet.types import CLASS_NAMES

CLASSES = len(CLASS_NAMES)
#: Where in an observation the class begins, which comes last in it.
CLASS_COLUMN = len(OBSERVATION) - CLASSES
#: Of each object: velocities and turns, logarithms, and what is taken as it is.
TURNED, LOGARITHMS = 10, 4
FEATURES = TURNED + LOGARITHMS + 3 + CLASSES
NEIGHBOUR_FEATURES = 10
#: What is computed of a neighbour: three vectors times cosine and sine of the object's yaw, and four plain numbers.
NEIGHBOUR_PRODUCTS = 16
#: Velocities in m/s times these are of order one.
FORWARD_SCALE, LEFTWARD_SCALE = 0.1, 0.3
#: Two observations closer in time than this count as this far apart, or noise would be a speed.
MIN_STEP_S = 0.01
#: The sine of a quarter turn more is the cosine.
_QUARTER_RAD = math.pi / 2


class FeatureSet(NamedTuple):
    """What is computed of observations, with any leading dimensions (...).

    features (..., FEATURES) of order one, the same wherever the object is and whichever way it points. turned (...,
    TURNED): the first of them, velocities of the last displacement as seen from the pose before, then as seen from the
    present one (as measured for a first observation), as measured and steady, all four forward, then leftward; then the
    last turn, and its rate. axes (..., NEIGHBOUR_PRODUCTS): cosines and sines of the present yaw, and ones, that the
    numbers of neighbours and of a map's directions are multiplied by; None where nobody looks at them. map_valid (...,
    1).
    """

    features: Tensor
    turned: Tensor
    axes: Tensor | None
    map_valid: Tensor


def picking(*names: str) -> Tensor:
    """(columns of an observation, names): a product with it is these columns."""
    return torch.eye(len(OBSERVATION))[:, [OBSERVATION.index(name) for name in names]]


class Features(nn.Module):
    """Observations (..., columns of an observation) -> FeatureSet. It has no weights.

    A vector of axes x and y turned back by an angle a is x cos a + y sin a forward and y cos a - x sin a leftward. A
    term is a vector, turned by the yaw before or by the present one, times a factor: for each there are four products,
    of x, y, y, x and cos, sin, cos, sin. Two more products are the sine of the last turn, and its rate.
    """

    def __init__(self, *, uses_velocity: bool, axes: bool) -> None:
        super().__init__()
        used = float(uses_velocity)
        moved, measured, steady = "displacement_{}_m", "velocity_{}_mps", "steady_velocity_{}_mps"
        # Vector, its weight, yaw, factor (1, "rate" of observations, or a column), which of the four velocities.
        terms = [
            (moved, 1.0, "previous_yaw_rad", "rate", 0),
            (moved, 1.0, "yaw_rad", "rate", 1),
            (measured, used, "yaw_rad", "reset", 1),  # of a first observation the last displacement is as measured
            (measured, used, "yaw_rad", "1", 2),
            (steady, 1.0, "yaw_rad", "1", 3),
        ]
        turn, rate, products = 4 * len(terms), 4 * len(terms) + 1, 4 * len(terms) + 2
        # A part of an observation is a product with a matrix, and a bias.
        vector, factor, angle = (_Part(products) for _ in range(3))
        per_time, to_turned = torch.zeros(products), torch.zeros(products, TURNED)
        for i, (name, weight, yaw, by, velocity) in enumerate(terms):
            four = slice(4 * i, 4 * i + 4)
            vector.matrix[:, four] = weight * picking(*(name.format(axis) for axis in "xyyx"))
            angle.matrix[:, four] = picking(yaw)
            angle.bias[four] = torch.tensor([_QUARTER_RAD, 0.0, _QUARTER_RAD, 0.0])
            per_time[four], factor.bias[four] = float(by == "rate"), float(by == "1")
            if by == "reset":
                factor.matrix[:, four] = picking("reset")
            to_turned[four, velocity] = FORWARD_SCALE * torch.tensor([1.0, 1.0, 0.0, 0.0])
            to_turned[four, 4 + velocity] = LEFTWARD_SCALE * torch.tensor([0.0, 0.0, 1.0, -1.0])
        vector.bias[[turn, rate]] = 1.0
        angle.matrix[:, [turn, rate]] = picking("yaw_rad") - picking("previous_yaw_rad")
        factor.bias[turn], per_time[rate] = 1.0, 1.0
        to_turned[turn, 8] = to_turned[rate, 9] = 1.0

        own = _Part(NEIGHBOUR_PRODUCTS if axes else 0)
        own.matrix[:, :12] = picking("yaw_rad")
        own.bias[:6] = own.bias[12:] = _QUARTER_RAD  # cosines; of 0 it is 1
        logarithm, as_it_is = _Part(LOGARITHMS), _Part(3 + CLASSES)
        logarithm.matrix[:, 1:] = picking("dt_s", "length_m", "width_m") * torch.tensor([10.0, 1.0, 1.0])
        logarithm.bias[:2] = 1.0
        as_it_is.matrix[:, :3] = picking("dt_s", "reset", "velocity_valid") * torch.tensor([1.0, -1.0, used])
        as_it_is.bias[1] = 1.0
        as_it_is.matrix[CLASS_COLUMN:, 3:] = torch.eye(CLASSES)
        rest = [_Part.of(*(steady.format(axis) for axis in "xy")), _Part.of("dt_s"), _Part.of("map_valid")]
        parts = [_Part.joined([angle, own]), vector, factor, logarithm, as_it_is, *rest]
        self.widths = [len(part.bias) for part in parts]
        self.angles = [products, len(own.bias)]

        #: Of the ten turned ones, in m/s: the steady velocity forward and leftward, and what that of the last
        #: displacement has more.
        to_start = torch.zeros(TURNED, 4)
        for column, scale in ((0, FORWARD_SCALE), (1, LEFTWARD_SCALE)):
            last, long = 1 + 4 * column, 3 + 4 * column
            to_start[long, column] = to_start[last, 2 + column] = 1.0 / scale
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
        angle, vector, factor, logarithm, as_it_is, steady, dt_s, map_valid = parts
        sine, axes = torch.sin(angle), None
        if self.angles[1]:
            sine, axes = torch.split(sine, self.angles, -1)
        factor = factor + self.per_time / torch.clamp(dt_s, min=MIN_STEP_S)
        turned = torch.matmul(vector * factor * sine, self.to_turned)
        speed = torch.sqrt(torch.matmul(steady * steady, self.to_speed) + self.speed_bias)
        features = torch.cat([turned, torch.log(logarithm + speed), as_it_is], -1)
        return FeatureSet(features, turned, axes, map_valid)


class _Part:
    """A product with a matrix (columns of an observation, width), and a bias (width,), both 0 at first."""

    def __init__(self, width: int) -> None:
        self.matrix, self.bias = torch.zeros(len(OBSERVATION), width), torch.zeros(width)

    @classmethod
    def of(cls, *names: str) -> _Part:
        """These columns."""
        part = cls(len(names))
        part.matrix[:] = picking(*names)
        return part

    @classmethod
    def joined(cls, parts: list[_Part]) -> _Part:
        whole = cls(0)
        whole.matrix = torch.cat([part.matrix for part in parts], 1)
        whole.bias = torch.cat([part.bias for part in parts])
        return whole


def neighbour_matrices() -> dict[str, Tensor]:
    """Constants that make features of neighbours: in the object's own axes, of order one.

    to_products (columns of a neighbour, NEIGHBOUR_PRODUCTS): its three vectors, once more, and the rest, to be
    multiplied by FeatureSet.axes. to_known (NEIGHBOUR_FEATURES, NEIGHBOUR_PRODUCTS): sums of these: offset and velocity
    forward, then both leftward, logarithm of the squared distance, cosine and sine of its heading, logarithms of its
    length and width, 1.
    """
    one = torch.eye(len(NEIGHBOUR))
    vectors = one[:, :6]
    rest = one[:, [NEIGHBOUR.index(name) for name in ("log_distance", "log_length", "log_width", "valid")]]
    known = torch.zeros(NEIGHBOUR_FEATURES, NEIGHBOUR_PRODUCTS)
    for vector, (ahead, aside, scale) in enumerate([(0, 2, 0.1), (1, 3, 0.2), (5, 6, 1.0)]):
        x_cos, y_cos, x_sin, y_sin = 2 * vector, 2 * vector + 1, 6 + 2 * vector, 7 + 2 * vector
        known[ahead, [x_cos, y_sin]] = scale
        known[aside, y_cos], known[aside, x_sin] = scale, -scale
    known[[4, 7, 8, 9], [12, 13, 14, 15]] = torch.tensor([0.5, 1.0, 1.0, 1.0])
    return {"to_products": torch.cat([vectors, vectors, rest], 1), "to_known": known}


def direction_matrices(points: int) -> Tensor:
    """(NEIGHBOUR_PRODUCTS, 4 * points, 4 * points): what turns the weights of a patch of map points, four numbers each,
    into those that see the directions, in map axes, in the object's own axes: one matrix for each column of
    FeatureSet.axes.

    In own axes a direction is forward = x cos + y sin and leftward = y cos - x sin. So x has the weight of forward
    times the cosine of the yaw, less that of leftward times its sine, and y the other way round.
    """
    cos, sin, one = torch.eye(NEIGHBOUR_PRODUCTS)[[0, 6, 12]]
    four = torch.zeros(NEIGHBOUR_PRODUCTS, 4, 4)
    four[:, 0, 0] = four[:, 1, 1] = one
    four[:, 2, 2] = four[:, 3, 3] = cos
    four[:, 2, 3], four[:, 3, 2] = -sin, sin
    return torch.stack([torch.kron(torch.eye(points), each) for each in four])
