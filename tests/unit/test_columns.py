"""The layout of the model's tensors: every column belongs to one part, and the parts hold what their names say."""

from __future__ import annotations

import pytest

from trajnet.columns import INPUT_COLUMNS, NEIGHBOUR_COLUMNS, PATH_PLANES, Layout
from trajnet.types import CLASS_NAMES


@pytest.mark.parametrize("layout", [INPUT_COLUMNS, NEIGHBOUR_COLUMNS, PATH_PLANES])
def test_the_parts_cover_every_column_once_and_in_order(layout: Layout) -> None:
    parts = [part for part in vars(layout).values() if isinstance(part, slice)]
    covered = [name for part in parts for name in layout.names[part]]
    assert covered == list(layout.names)
    assert len(set(covered)) == len(layout) > 0


def test_parts_are_where_the_contract_of_version_4_has_them() -> None:
    """Written out by hand: files that are in use rely on these places."""
    assert (INPUT_COLUMNS.displacement_m, INPUT_COLUMNS.velocity_mps) == (slice(0, 2), slice(2, 4))
    assert INPUT_COLUMNS.steady_velocity_mps == slice(4, 6)
    assert [INPUT_COLUMNS.index(n) for n in ("yaw_rad", "previous_yaw_rad", "dt_s", "reset", "velocity_valid")] == [
        *range(6, 11)
    ]
    assert (INPUT_COLUMNS.size_m, INPUT_COLUMNS.map_valid) == (slice(11, 13), slice(13, 14))
    assert INPUT_COLUMNS.object_class == slice(14, 14 + len(CLASS_NAMES))
    assert (NEIGHBOUR_COLUMNS.offset_m, NEIGHBOUR_COLUMNS.velocity_mps) == (slice(0, 2), slice(2, 4))
    assert (NEIGHBOUR_COLUMNS.heading, NEIGHBOUR_COLUMNS.log_size) == (slice(4, 6), slice(6, 8))
    assert (NEIGHBOUR_COLUMNS.log_distance, NEIGHBOUR_COLUMNS.valid) == (slice(8, 9), slice(9, 10))
    assert PATH_PLANES.names == ("x_m", "y_m", "yaw_rad", "cov_xx_m2", "cov_xy_m2", "cov_yy_m2")
    assert (PATH_PLANES.position_m, PATH_PLANES.covariance_m2) == (slice(0, 2), slice(3, 6))


def test_an_unknown_column_is_an_error() -> None:
    with pytest.raises(ValueError, match="not in tuple"):
        INPUT_COLUMNS.index("speed")
