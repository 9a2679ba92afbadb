"""The tensors that go into the model beside the observations, and those that come out."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor

from trajnet.columns import PATH_PLANES


class ContextTensors(NamedTuple):
    """The tensors of contract.surroundings_tensors; those that the model does not need may be empty."""

    map_distance: Tensor
    neighbours: Tensor


class PathTensors(NamedTuple):
    """K modes at T knots: planes (6, K, T, N) of PATH_PLANES, each (K, T, N) by its name; logits (N, K)."""

    planes: Tensor
    logits: Tensor

    @property
    def x_m(self) -> Tensor:
        return self.planes[PATH_PLANES.index("x_m")]

    @property
    def y_m(self) -> Tensor:
        return self.planes[PATH_PLANES.index("y_m")]

    @property
    def yaw_rad(self) -> Tensor:
        return self.planes[PATH_PLANES.index("yaw_rad")]

    @property
    def cov_xx_m2(self) -> Tensor:
        return self.planes[PATH_PLANES.index("cov_xx_m2")]

    @property
    def cov_xy_m2(self) -> Tensor:
        return self.planes[PATH_PLANES.index("cov_xy_m2")]

    @property
    def cov_yy_m2(self) -> Tensor:
        return self.planes[PATH_PLANES.index("cov_yy_m2")]
