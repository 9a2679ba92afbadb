"""The model: one step at a time equals the whole history; it sees no frame, no future, and drives like a vehicle."""

import math

import numpy as np
import pytest
import torch

from trajnet.learning.model import (
    MAX_COURSE_OFFSET_RAD,
    MAX_CURVATURE_PER_M,
    ModelConfig,
    Observation,
    Paths,
    TrajectoryModel,
    gaussian_nll,
)
from trajnet.types import ObjectClass

CELLS = ("lstm", "gru", "rnn-tanh", "rnn-relu")


def make_model(**changes: object) -> TrajectoryModel:
    torch.manual_seed(3)
    return TrajectoryModel(ModelConfig(hidden=16, embedding=12, modes=4, **changes)).eval()  # type: ignore[arg-type]


def histories(steps: int, count: int, seed: int = 0) -> tuple[Observation, torch.Tensor]:
    """Smooth random drives (H, N, ...) with uneven dt, and their lengths; what lies behind a length is garbage."""
    draw = np.random.default_rng(seed)
    dt = draw.uniform(0.05, 0.6, (steps, count))
    yaw = np.cumsum(draw.normal(0, 0.1, (steps, count)), axis=0) + draw.uniform(-3, 3, count)
    speed = np.abs(draw.normal(6, 3, (steps, count)))
    heading = np.stack([np.cos(yaw), np.sin(yaw)], -1)
    position = np.cumsum((speed * dt)[..., None] * heading, axis=0) + draw.uniform(-50, 50, (count, 2))
    before = np.concatenate([position[:1], position[:-1]])
    yaw_before = np.concatenate([yaw[:1], yaw[:-1]])
    reset = np.zeros((steps, count))
    reset[0] = 1.0

    def tensor(values: np.ndarray) -> torch.Tensor:
        return torch.tensor(values, dtype=torch.float32)

    seen = Observation(
        position_m=tensor(position),
        yaw_rad=tensor(yaw),
        previous_position_m=tensor(before),
        previous_yaw_rad=tensor(yaw_before),
        dt_s=tensor(dt),
        reset=tensor(reset),
        velocity_mps=tensor(speed[..., None] * heading),
        velocity_valid=tensor(draw.integers(0, 2, (steps, count))),
        object_class=torch.tensor(draw.integers(0, len(ObjectClass), count)).expand(steps, -1),
        size_m=tensor(draw.uniform(0.5, 6, (count, 2))).expand(steps, -1, -1),
    )
    return seen, torch.tensor(draw.integers(1, steps + 1, count))


def at(history: Observation, step: int) -> Observation:
    return Observation(*(values[step] for values in history))


def assert_close(got: Paths, expected: Paths, tolerance: float) -> None:
    for name, a, b in zip(Paths._fields, got, expected, strict=True):
        assert torch.allclose(a, b, atol=tolerance, rtol=1e-4), f"{name}: {(a - b).abs().max()}"


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("layers", [1, 2])
def test_replaying_step_by_step_equals_the_whole_history(cell: str, layers: int) -> None:
    model = make_model(cell=cell, layers=layers, uses_velocity=True)
    history, length = histories(20, 6)
    with torch.no_grad():
        expected = model(history, length)
        state = tuple(torch.randn(layers, 6, 16) for _ in range(2 if cell == "lstm" else 1))  # reset must clear this
        stepped = []
        for step in range(20):
            paths, state = model.step(at(history, step), state)
            stepped.append(paths)
    for row, steps in enumerate(length.tolist()):
        mine = Paths(
            *(v[row] if n == "logits" else v[:, row] for n, v in zip(Paths._fields, stepped[steps - 1], strict=True))
        )
        whole = Paths(*(v[row] if n == "logits" else v[:, row] for n, v in zip(Paths._fields, expected, strict=True)))
        assert_close(mine, whole, 1e-4)


def test_what_lies_behind_the_length_changes_nothing() -> None:
    model = make_model()
    history, _ = histories(12, 3)
    length = torch.tensor([4, 7, 12])
    changed = history._replace(position_m=history.position_m.clone(), yaw_rad=history.yaw_rad.clone())
    changed.position_m[4:, 0] += 100.0
    changed.yaw_rad[7:, 1] += 1.0
    with torch.no_grad():
        assert_close(model(changed, length), model(history, length), 0.0)


@pytest.mark.parametrize("cell", CELLS)
def test_turned_and_moved_scene_turns_and_moves_the_prediction(cell: str) -> None:
    model = make_model(cell=cell, uses_velocity=True)
    history, length = histories(8, 5)
    angle, shift = 0.7, torch.tensor([31.0, -12.0])
    turn = torch.tensor([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    moved = history._replace(
        position_m=history.position_m @ turn.T + shift,
        previous_position_m=history.previous_position_m @ turn.T + shift,
        velocity_mps=history.velocity_mps @ turn.T,
        yaw_rad=history.yaw_rad + angle,
        previous_yaw_rad=history.previous_yaw_rad + angle,
    )
    with torch.no_grad():
        there, here = model(moved, length), model(history, length)
    expected = torch.stack([here.x_m, here.y_m], -1) @ turn.T + shift
    assert torch.allclose(torch.stack([there.x_m, there.y_m], -1), expected, atol=2e-3)
    assert torch.allclose(there.yaw_rad, here.yaw_rad + angle, atol=1e-3)
    assert torch.allclose(there.logits, here.logits, atol=1e-3)
    covariance = torch.stack([here.cov_xx_m2, here.cov_xy_m2, here.cov_xy_m2, here.cov_yy_m2], -1).unflatten(-1, (2, 2))
    expected_covariance = turn @ covariance @ turn.T
    assert torch.allclose(there.cov_xx_m2, expected_covariance[..., 0, 0], rtol=1e-2, atol=1e-3)
    assert torch.allclose(there.cov_xy_m2, expected_covariance[..., 0, 1], rtol=1e-2, atol=1e-2)


def test_measured_velocity_counts_only_where_the_model_uses_it() -> None:
    history, length = histories(4, 3)
    history = history._replace(velocity_valid=torch.ones_like(history.velocity_valid))
    faster = history._replace(velocity_mps=history.velocity_mps + 5.0)
    with torch.no_grad():
        without, user = make_model(uses_velocity=False), make_model(uses_velocity=True)
        assert_close(without(faster, length), without(history, length), 0.0)
        assert (user(faster, length).x_m - user(history, length).x_m).abs().max() > 1e-3


def test_dt_of_a_first_observation_is_ignored() -> None:
    model = make_model()
    history, _ = histories(1, 4)
    length = torch.ones(4, dtype=torch.int64)
    with torch.no_grad():
        other = history._replace(dt_s=torch.zeros_like(history.dt_s))
        assert_close(model(other, length), model(history, length), 0.0)


def test_a_car_cannot_turn_on_the_spot_and_a_pedestrian_can() -> None:
    model = make_model()
    with torch.no_grad():
        model.turn.bias.fill_(50.0)  # full lock
        model.acceleration.weight.zero_()
        model.acceleration.bias.zero_()
        model.speed_offset.weight.zero_()
        model.speed_offset.bias.zero_()
    still = Observation(
        *(torch.zeros(2, 2), torch.zeros(2), torch.zeros(2, 2), torch.zeros(2), torch.ones(2), torch.zeros(2)),
        *(torch.zeros(2, 2), torch.zeros(2)),
        object_class=torch.tensor([int(ObjectClass.CAR), int(ObjectClass.PEDESTRIAN)]),
        size_m=torch.ones(2, 2),
    )
    with torch.no_grad():
        paths, _ = model.step(still, tuple(torch.zeros(1, 2, 16) for _ in range(2)))
    car_turn = (paths.yaw_rad[-1, 0] - paths.yaw_rad[0, 0]).abs().max()
    assert car_turn < 1e-3
    assert (paths.yaw_rad[-1, 1] - paths.yaw_rad[0, 1]).abs().min() > 3.0


@pytest.mark.parametrize("seed", range(5))
def test_wheeled_paths_keep_to_the_curvature_and_go_backward_only_when_seen_doing_so(seed: int) -> None:
    model = make_model()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(4.0)  # an untrained model far from meekness
    history, _ = histories(5, 40, seed)
    history = history._replace(object_class=torch.full_like(history.object_class, int(ObjectClass.CAR)))
    with torch.no_grad():
        paths = model(history, torch.full((40,), 5))
    seen = at(history, 4)
    forward, _ = model.own_velocity(seen)
    start = seen.position_m.T.reshape(2, 1, -1, 1)
    knots = torch.cat([start.expand(-1, -1, -1, 4), torch.stack([paths.x_m, paths.y_m])], dim=1)
    step = knots[:, 1:] - knots[:, :-1]
    way = step.norm(dim=0)
    bend = torch.diff(paths.yaw_rad, dim=0).abs()
    assert (bend <= MAX_CURVATURE_PER_M * way[1:] * 1.01 + 1e-3).all()
    first = (paths.yaw_rad[0] - seen.yaw_rad.unsqueeze(-1)).abs()
    assert (first <= MAX_COURSE_OFFSET_RAD + MAX_CURVATURE_PER_M * way[0] * 1.01 + 1e-3).all()
    middle = torch.cat([seen.yaw_rad.reshape(1, -1, 1).expand_as(paths.yaw_rad[:1]), paths.yaw_rad])
    direction = 0.5 * (middle[1:] + middle[:-1])
    along = step[0] * torch.cos(direction) + step[1] * torch.sin(direction)
    going_forward = forward >= 0
    assert going_forward.any()
    assert (along[1:, going_forward] >= -1e-3).all()


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e4])
def test_outputs_are_finite_and_covariances_valid_for_any_input(scale: float) -> None:
    model = make_model(uses_velocity=True)
    history, length = histories(6, 30)
    wild = history._replace(
        position_m=history.position_m * scale, velocity_mps=history.velocity_mps * scale, dt_s=history.dt_s * 1e-3
    )
    with torch.no_grad():
        paths = model(wild, length)
    assert all(torch.isfinite(values).all() for values in paths)
    assert (paths.cov_xx_m2 > 0).all()
    assert (paths.cov_yy_m2 > 0).all()
    assert (paths.cov_xx_m2 * paths.cov_yy_m2 >= paths.cov_xy_m2**2 * 0.999).all()


def test_nll_is_that_of_the_normal_distribution() -> None:
    covariance = torch.tensor([[2.0, 0.6], [0.6, 1.0]])
    error = torch.tensor([0.7, -0.4])
    expected = -torch.distributions.MultivariateNormal(torch.zeros(2), covariance).log_prob(error)
    got = gaussian_nll(error[0], error[1], covariance[0, 0], covariance[0, 1], covariance[1, 1])
    assert torch.allclose(got, expected, atol=1e-6)
