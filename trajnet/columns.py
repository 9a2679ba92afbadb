"""The layout of the model's tensors: the meaning of each column, declared once for NumPy and for torch.

``values[..., INPUT_COLUMNS.velocity_mps]`` addresses the same numbers in a NumPy buffer at inference and in a torch
tensor in training. The names of the columns, with their units, are those of the ONNX contract: a change of their names,
order or number requires a new contract version.
"""

from __future__ import annotations

from trajnet.types import CLASS_NAMES


class Layout:
    """Named slices of one axis of a tensor. A subclass adds its slices in the tensor's order.

    names: the single columns in order; ``len`` is their number.
    """

    def __init__(self) -> None:
        self.names: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.names)

    def index(self, name: str) -> int:
        """Return the index of one column. Raises ValueError for a name that the layout does not have."""
        return self.names.index(name)

    def _add(self, *names: str) -> slice:
        """Append columns and return their slice."""
        begin = len(self.names)
        self.names += names
        return slice(begin, len(self.names))


class InputLayout(Layout):
    """The newest observation of a track, SI units, map axes: the columns of the graph's input ``observation``.

    Where reset is 1 (the first observation of a track) displacement and dt are 0 and previous_yaw is yaw; velocity is 0
    where velocity_valid is 0; object_class is one-hot. All masks are 0 or 1.
    """

    def __init__(self) -> None:
        super().__init__()
        self.displacement_m = self._add("displacement_x_m", "displacement_y_m")
        self.velocity_mps = self._add("velocity_x_mps", "velocity_y_mps")
        self.steady_velocity_mps = self._add("steady_velocity_x_mps", "steady_velocity_y_mps")
        self.yaw_rad = self._add("yaw_rad")
        self.previous_yaw_rad = self._add("previous_yaw_rad")
        self.dt_s = self._add("dt_s")
        self.reset = self._add("reset")
        self.velocity_valid = self._add("velocity_valid")
        self.size_m = self._add("length_m", "width_m")
        self.map_valid = self._add("map_valid")
        self.object_class = self._add(*(f"class_{name}" for name in CLASS_NAMES))


class NeighbourLayout(Layout):
    """One neighbour of an object, SI units, map axes: the columns of the graph's input ``neighbours``.

    offset: from the object to the neighbour; heading: cosine and sine of its yaw; log_size: logarithms of length and
    width; log_distance: logarithm of the squared offset in m^2 plus surroundings.CLOSEST_M2. All are 0 where valid is
    0.
    """

    def __init__(self) -> None:
        super().__init__()
        self.offset_m = self._add("offset_x_m", "offset_y_m")
        self.velocity_mps = self._add("velocity_x_mps", "velocity_y_mps")
        self.heading = self._add("heading_x", "heading_y")
        self.log_size = self._add("log_length", "log_width")
        self.log_distance = self._add("log_distance")
        self.valid = self._add("valid")


class PathLayout(Layout):
    """Predicted paths relative to the object's position, SI units, map axes: the planes (first axis) of ``paths``."""

    def __init__(self) -> None:
        super().__init__()
        self.position_m = self._add("x_m", "y_m")
        self.yaw_rad = self._add("yaw_rad")
        self.covariance_m2 = self._add("cov_xx_m2", "cov_xy_m2", "cov_yy_m2")


INPUT_COLUMNS = InputLayout()
NEIGHBOUR_COLUMNS = NeighbourLayout()
PATH_PLANES = PathLayout()
