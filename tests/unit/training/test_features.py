"""What the network is told: the products with constant matrices give what the formulas, written out, say."""

import math

import pytest
import torch

from tests.neighbours import packed
from trajnet.columns import INPUT_COLUMNS
from trajnet.training.feature_layouts import FEATURE_COLUMNS
from trajnet.training.features import Features, neighbour_matrices
from trajnet.training.model_input import ModelInput, unpacked
from trajnet.types import CLASS_NAMES


def observations(count: int = 200) -> ModelInput:
    """Plausible ones, a quarter of them the first of a track, some at rest, some an instant after the one before."""
    draw = torch.Generator().manual_seed(4)

    def normal(*shape: int, scale: float = 1.0) -> torch.Tensor:
        return scale * torch.randn(*shape, generator=draw)

    reset = (torch.rand(count, generator=draw) < 0.25).float()
    displacement_m = normal(count, 2, scale=3.0)
    displacement_m[::7] = 0.0
    dt_s = 0.05 + torch.rand(count, generator=draw)
    dt_s[1::9] = 1e-6
    return ModelInput(
        displacement_m=displacement_m,
        velocity_mps=normal(count, 2, scale=9.0),
        steady_velocity_mps=normal(count, 2, scale=9.0),
        yaw_rad=normal(count, scale=2.0),
        previous_yaw_rad=normal(count, scale=2.0),
        dt_s=dt_s,
        reset=reset,
        velocity_valid=(torch.rand(count, generator=draw) < 0.5).float(),
        size_m=0.5 + 5.0 * torch.rand(count, 2, generator=draw),
        map_valid=(torch.rand(count, generator=draw) < 0.5).float(),
        object_class=torch.randint(len(CLASS_NAMES), (count,), generator=draw),
    )


def turned_back(vector: torch.Tensor, angle_rad: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Forward and leftward (N,) of vectors (N, 2) in axes turned by the angle (N,)."""
    cos, sin = torch.cos(angle_rad), torch.sin(angle_rad)
    return vector[:, 0] * cos + vector[:, 1] * sin, vector[:, 1] * cos - vector[:, 0] * sin


@pytest.mark.parametrize("uses_velocity", [False, True])
def test_features_are_those_of_the_formulas(uses_velocity: bool) -> None:
    seen = observations()
    known = 1.0 - seen.reset
    rate = known / seen.dt_s.clamp(min=0.01)
    used = seen.velocity_valid * float(uses_velocity)
    moved, measured = seen.displacement_m * rate.unsqueeze(1), seen.velocity_mps * used.unsqueeze(1)
    now = moved + measured * seen.reset.unsqueeze(1)
    pairs = [
        turned_back(moved, torch.where(seen.reset > 0, seen.yaw_rad, seen.previous_yaw_rad)),
        *(turned_back(vector, seen.yaw_rad) for vector in (now, measured, seen.steady_velocity_mps)),
    ]
    turn = torch.sin(seen.yaw_rad - seen.previous_yaw_rad)
    known_s = known * seen.dt_s
    expected = [
        *(0.1 * forward for forward, _ in pairs), *(0.3 * leftward for _, leftward in pairs), known * turn, turn * rate,
        torch.log1p(seen.steady_velocity_mps.norm(dim=1)), torch.log1p(10.0 * known_s), *torch.log(seen.size_m).t(),
        known_s, known, used, *torch.nn.functional.one_hot(seen.object_class, len(CLASS_NAMES)).float().t(),
    ]  # fmt: skip
    got = Features(uses_velocity=uses_velocity, axes=False)(seen.packed())
    assert got.features.shape == (200, len(FEATURE_COLUMNS)) == (200, len(expected))
    torch.testing.assert_close(got.features, torch.stack(expected, 1), atol=1e-3, rtol=1e-4)
    assert torch.equal(got.map_valid[:, 0], seen.map_valid)
    assert torch.equal(got.turned, got.features[:, :10])
    assert got.axes is None


def test_leading_dimensions_make_no_difference() -> None:
    observed = observations(24).packed()
    features = Features(uses_velocity=True, axes=True)
    for got, expected in zip(features(observed.reshape(4, 6, -1)), features(observed), strict=True):
        torch.testing.assert_close(got.reshape(24, -1), expected)


def test_neighbours_are_seen_in_the_objects_axes() -> None:
    seen, near = observations(), (200, 3)
    draw = torch.Generator().manual_seed(5)
    offset, velocity = (9.0 * torch.randn(*near, 2, generator=draw) for _ in range(2))
    yaw, size = torch.randn(near, generator=draw), 0.5 + torch.rand(*near, 2, generator=draw)
    valid = torch.rand(near, generator=draw) < 0.7
    axes = Features(uses_velocity=True, axes=True)(seen.packed()).axes
    assert axes is not None
    matrices = neighbour_matrices()
    products = packed(offset, velocity, yaw, size, valid) @ matrices["to_products"] * axes.unsqueeze(1)
    got = products @ matrices["to_known"].t()
    for i in range(3):
        there, moving = (turned_back(vector[:, i], seen.yaw_rad) for vector in (offset, velocity))
        turn = yaw[:, i] - seen.yaw_rad
        expected = [
            0.1 * there[0], 0.2 * moving[0], 0.1 * there[1], 0.2 * moving[1],
            0.5 * torch.log(offset[:, i].square().sum(1) + 0.01), torch.cos(turn), torch.sin(turn),
            *torch.log(size[:, i]).t(), torch.ones(200),
        ]  # fmt: skip
        mask = valid[:, i].float().unsqueeze(1)
        torch.testing.assert_close(got[:, i], mask * torch.stack(expected, 1), atol=1e-4, rtol=1e-4)


def test_an_observation_is_packed_as_the_contract_names_its_columns() -> None:
    seen = observations()._replace(yaw_rad=torch.linspace(-3.0, 3.0, 200))
    observed = seen.packed()
    column = dict(zip(INPUT_COLUMNS.names, observed.t(), strict=True))
    assert torch.equal(column["steady_velocity_y_mps"], seen.steady_velocity_mps[:, 1])
    assert torch.equal(column["width_m"], seen.size_m[:, 1])
    first, known = seen.reset > 0, seen.velocity_valid > 0
    assert first.any()
    for name, values in (("displacement_x_m", seen.displacement_m[:, 0]), ("dt_s", seen.dt_s)):
        assert torch.equal(column[name], torch.where(first, 0.0, values))
    assert torch.equal(column["previous_yaw_rad"], torch.where(first, seen.yaw_rad, seen.previous_yaw_rad))
    assert torch.equal(column["velocity_y_mps"], torch.where(known, seen.velocity_mps[:, 1], 0.0))
    for code, name in enumerate(CLASS_NAMES):
        assert torch.equal(column[f"class_{name}"], (seen.object_class == code).float())
    again = unpacked(observed)
    assert torch.equal(again.packed(), observed)
    assert torch.equal(again.object_class, seen.object_class)
    assert math.isclose(float(again.yaw_rad[0]), -3.0)
