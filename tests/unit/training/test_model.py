"""The model: one step at a time equals the whole history; it sees no frame, no future, and drives like a vehicle."""

import dataclasses
import math
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from tests.frames import in_patches
from tests.neighbours import named, packed
from trajnet.columns import INPUT_COLUMNS
from trajnet.context.map_field import INT8_MAX, MapView
from trajnet.errors import ConfigError
from trajnet.geometry import rotate
from trajnet.training.batches import steady_velocities
from trajnet.training.loss import gaussian_nll
from trajnet.training.model import EARLY_MARGIN, TrajectoryModel
from trajnet.training.model_config import ModelConfig
from trajnet.training.model_input import ModelInput
from trajnet.training.motion import (
    HEADS,
    MAX_ACCELERATION_MPS2,
    MAX_COURSE_OFFSET_RAD,
    MAX_CURVATURE_PER_M,
    MAX_FREE_OFFSET_RAD,
    MAX_TURN_RATE_RADPS,
)
from trajnet.training.tensors import ContextTensors, PathTensors
from trajnet.types import ObjectClass

CELLS = ("lstm", "gru", "rnn-tanh", "rnn-relu")
VIEW = MapView(ahead_m=16.0, behind_m=6.0, side_m=8.0, step_m=2.0, patch=3)
#: Everything that a model may look at and be, small.
ALL: dict[str, Any] = {
    "map": VIEW, "map_channels": (5,), "map_width": 14, "neighbours": 3, "attention": 10, "sets": (1, 3, 4),
    "decoder_stride": 2,
}  # fmt: skip
#: The same with directions of traffic, without neighbours, whose positions would need its axes.
DIRECTED = ALL | {"map": replace(VIEW, directions=True), "neighbours": 0}
#: Everything, and a second look at it.
REFINED = ALL | {"refine": 8}


def make_model(**changes: Any) -> TrajectoryModel:
    torch.manual_seed(3)
    small = {"hidden": 16, "embedding": 12, "context": 20, "modes": 4}
    model = TrajectoryModel(ModelConfig(**{**small, **changes})).eval()
    if model.refinement is not None:  # a new one corrects nothing
        nn.init.normal_(model.refinement.out.weight)
    return model


def surroundings(count: int, seed: int = 0, config: ModelConfig | None = None) -> ContextTensors:
    """What such a model is shown of ``count`` objects; a third of it is not there."""
    config = config or ModelConfig(**ALL, modes=4)
    draw, near = torch.Generator().manual_seed(seed), (count, config.neighbours)
    shape = (count, *(config.map.shape if config.map else (0, 0, 0)), 4)

    def normal(*size: int, scale: float) -> torch.Tensor:
        return scale * torch.randn(*size, generator=draw)

    distance = torch.randint(-INT8_MAX, INT8_MAX + 1, shape, generator=draw, dtype=torch.int8)
    distance[..., 3] = 0
    if config.map is not None and config.map.directions:
        distance[..., 2:] = torch.randint(-80, 81, (*shape[:-1], 2), generator=draw, dtype=torch.int8)
    return ContextTensors(
        map_distance=distance,
        neighbours=packed(
            offset_m=normal(*near, 2, scale=15.0),
            velocity_mps=normal(*near, 2, scale=8.0),
            yaw_rad=normal(*near, scale=2.0),
            size_m=0.5 + 5.0 * torch.rand(*near, 2, generator=draw),
            valid=torch.rand(*near, generator=draw) < 0.7,
        ),
    )


def nothing(count: int) -> ContextTensors:
    return surroundings(count, config=ModelConfig())


def histories(steps: int, count: int, seed: int = 0) -> tuple[ModelInput, torch.Tensor]:
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

    valid = tensor(draw.integers(0, 2, (steps, count)))
    velocity = tensor(speed[..., None] * heading)
    seen = ModelInput(
        displacement_m=tensor(position - before),
        yaw_rad=tensor(yaw),
        previous_yaw_rad=tensor(yaw_before),
        dt_s=tensor(dt),
        reset=tensor(reset),
        velocity_mps=velocity,
        velocity_valid=valid,
        steady_velocity_mps=steady_velocities(tensor(position - before), tensor(dt), velocity, valid > 0),
        object_class=torch.tensor(draw.integers(0, len(ObjectClass), count)).expand(steps, -1),
        size_m=tensor(draw.uniform(0.5, 6, (count, 2))).expand(steps, -1, -1),
        map_valid=tensor(draw.random(count) < 0.7).expand(steps, -1),
    )
    return seen, torch.tensor(draw.integers(1, steps + 1, count))


def at(history: ModelInput, step: int) -> ModelInput:
    return ModelInput(*(values[step] for values in history))


def own_velocity(model: TrajectoryModel, seen: ModelInput) -> torch.Tensor:
    """(N, 4) m/s: steady forward and leftward, and what that of the last displacement has more."""
    velocity: torch.Tensor = model.features(seen.packed()).turned @ model.features.to_start
    return velocity


def row_of(paths: PathTensors, row: int) -> PathTensors:
    return PathTensors(paths.planes[..., row], paths.logits[row])


def assert_close(got: PathTensors, expected: PathTensors, tolerance: float) -> None:
    for name, a, b in zip(PathTensors._fields, got, expected, strict=True):
        assert torch.allclose(a, b, atol=tolerance, rtol=1e-4), f"{name}: {(a - b).abs().max()}"


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize(
    ("layers", "extras"), [(1, {}), (2, {}), (1, ALL), (1, REFINED)], ids=["1", "2", "all", "refined"]
)
def test_replaying_step_by_step_equals_the_whole_history(cell: str, layers: int, extras: dict[str, Any]) -> None:
    model = make_model(cell=cell, layers=layers, uses_velocity=True, **extras)
    history, length = histories(20, 6)
    last = surroundings(6) if extras else nothing(6)
    with torch.no_grad():
        expected = model(history.packed(), length, last)
        state = tuple(torch.zeros(layers, 6, 16) for _ in range(2 if cell == "lstm" else 1))
        stepped = []
        for step in range(20):
            # What was around before the last step is forgotten with the step.
            around = [surroundings(6, seed=step) if extras else last, last]
            stepped.append([model.step(at(history, step).packed(), a, state) for a in around])
            state = stepped[-1][0][1]
    for row, steps in enumerate(length.tolist()):
        assert_close(row_of(stepped[steps - 1][1][0], row), row_of(expected, row), 1e-4)


def test_what_lies_behind_the_length_changes_nothing() -> None:
    model = make_model()
    history, _ = histories(12, 3)
    length = torch.tensor([4, 7, 12])
    changed = history._replace(displacement_m=history.displacement_m.clone(), yaw_rad=history.yaw_rad.clone())
    changed.displacement_m[4:, 0] += 100.0
    changed.yaw_rad[7:, 1] += 1.0
    with torch.no_grad():
        assert_close(model(changed.packed(), length, nothing(3)), model(history.packed(), length, nothing(3)), 0.0)


def turned(values: torch.Tensor, angle: float) -> torch.Tensor:
    """(..., 2) turned about the origin."""
    cos, sin = math.cos(angle), math.sin(angle)
    return values @ torch.tensor([[cos, -sin], [sin, cos]]).T


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("extras", [{}, ALL, DIRECTED, REFINED], ids=["plain", "all", "directed", "refined"])
def test_a_turned_scene_turns_the_prediction(cell: str, extras: dict[str, Any]) -> None:
    """Where a scene is, the model is never told; the map it sees in its own axes turns with it."""
    model = make_model(cell=cell, uses_velocity=True, **extras)
    history, length = histories(8, 5)
    angle = math.pi / 2 if extras is DIRECTED else 0.7  # directions are whole numbers in map axes
    around = surroundings(5, config=ModelConfig(**extras, modes=4)) if extras else nothing(5)
    moved = history._replace(
        displacement_m=turned(history.displacement_m, angle),
        velocity_mps=turned(history.velocity_mps, angle),
        steady_velocity_mps=turned(history.steady_velocity_mps, angle),
        yaw_rad=history.yaw_rad + angle,
        previous_yaw_rad=history.previous_yaw_rad + angle,
    )
    seen, turn = named(around.neighbours), np.float64(angle)
    moved_map = around.map_distance
    if extras is DIRECTED:
        x, y = moved_map[..., 2:].unbind(-1)
        moved_map = torch.cat([moved_map[..., :2], torch.stack([-y, x], -1)], -1)
    moved_around = around._replace(
        map_distance=moved_map,
        neighbours=packed(
            rotate(seen.offset_m, turn), rotate(seen.velocity_mps, turn), seen.yaw_rad + angle, seen.size_m, seen.valid
        ),
    )
    with torch.no_grad():
        there, here = model(moved.packed(), length, moved_around), model(history.packed(), length, around)
    expected = turned(torch.stack([here.x_m, here.y_m], -1), angle)
    assert torch.allclose(torch.stack([there.x_m, there.y_m], -1), expected, atol=2e-3)
    assert torch.allclose(there.yaw_rad, here.yaw_rad + angle, atol=1e-3)
    assert torch.allclose(there.logits, here.logits, atol=1e-3)
    covariance = torch.stack([here.cov_xx_m2, here.cov_xy_m2, here.cov_xy_m2, here.cov_yy_m2], -1).unflatten(-1, (2, 2))
    matrix = turned(torch.eye(2), angle).T
    expected_covariance = matrix @ covariance @ matrix.T
    assert torch.allclose(there.cov_xx_m2, expected_covariance[..., 0, 0], rtol=1e-2, atol=1e-3)
    assert torch.allclose(there.cov_xy_m2, expected_covariance[..., 0, 1], rtol=1e-2, atol=1e-2)
    assert torch.allclose(there.cov_yy_m2, expected_covariance[..., 1, 1], rtol=1e-2, atol=1e-3)


@pytest.mark.parametrize("extras", [ALL, REFINED], ids=["all", "refined"])
def test_what_is_around_counts_where_it_is_there_and_only_there(extras: dict[str, Any]) -> None:
    model = make_model(**extras)
    history, length = histories(6, 12)
    around, other = surroundings(12, seed=1), surroundings(12, seed=2)
    with torch.no_grad():
        base = model(history.packed(), length, around)
        last = length - 1, torch.arange(12)
        for name, valid in (("map_distance", history.map_valid[last]), ("neighbours", around.neighbours[..., -1])):
            new, old = getattr(other, name).clone(), getattr(around, name)
            if name == "neighbours":
                new[..., -1] = old[..., -1]
            there = valid.reshape(*valid.shape, *[1] * (new.dim() - valid.dim())) > 0
            hidden = model(history.packed(), length, around._replace(**{name: torch.where(there, old, new)}))
            assert_close(hidden, base, 0.0)
            shown = model(history.packed(), length, around._replace(**{name: torch.where(there, new, old)}))
            difference = (shown.x_m - base.x_m).abs().amax(dim=(0, 1))
            assert ((difference > 0) == (valid.reshape(12, -1) > 0).any(dim=1)).all(), name


def test_neighbours_may_be_listed_in_any_order_and_those_who_are_not_there_take_no_attention() -> None:
    model = make_model(neighbours=3)
    history, length = histories(6, 5)
    around = surroundings(5)
    order = torch.tensor([2, 0, 1])
    mixed = around._replace(neighbours=around.neighbours[:, order])
    with torch.no_grad():
        assert_close(model(history.packed(), length, mixed), model(history.packed(), length, around), 1e-5)
        alone = model(history.packed(), length, around._replace(neighbours=torch.zeros_like(around.neighbours)))
        without = make_model(neighbours=3)
        without.load_state_dict(model.state_dict())
        assert without.attention is not None
        for parameter in without.attention.embed[2].parameters():  # what neighbours are embedded as is their value
            parameter.zero_()
        assert_close(without(history.packed(), length, around), alone, 0.0)


def test_measured_velocity_counts_only_where_the_model_uses_it() -> None:
    history, length = histories(4, 3)
    history = history._replace(velocity_valid=torch.ones_like(history.velocity_valid))
    faster = history._replace(velocity_mps=history.velocity_mps + 5.0)
    with torch.no_grad():
        without, user = make_model(uses_velocity=False), make_model(uses_velocity=True)
        around = nothing(3)
        slow, fast = history.packed(), faster.packed()
        assert_close(without(fast, length, around), without(slow, length, around), 0.0)
        assert (user(fast, length, around).x_m - user(slow, length, around).x_m).abs().max() > 1e-3


def test_dt_of_a_first_observation_is_ignored() -> None:
    model = make_model()
    history, _ = histories(1, 4)
    length = torch.ones(4, dtype=torch.int64)
    with torch.no_grad():
        other = history._replace(dt_s=torch.zeros_like(history.dt_s))
        assert_close(model(other.packed(), length, nothing(4)), model(history.packed(), length, nothing(4)), 0.0)


def test_a_car_cannot_turn_on_the_spot_and_a_pedestrian_can() -> None:
    model = make_model()
    heads = model.heads.bias.reshape(HEADS, -1)
    with torch.no_grad():
        model.heads.weight.reshape(HEADS, -1)[0].zero_()
        heads[0] = 0.0  # no acceleration
        heads[1] = 50.0  # full lock
        model.offsets.weight.zero_()
        model.offsets.bias.zero_()
    still = ModelInput(
        *(torch.zeros(2, 2), torch.zeros(2, 2), torch.zeros(2, 2)),
        *(torch.zeros(2), torch.zeros(2), torch.zeros(2), torch.ones(2), torch.zeros(2)),
        size_m=torch.ones(2, 2),
        map_valid=torch.zeros(2),
        object_class=torch.tensor([int(ObjectClass.CAR), int(ObjectClass.PEDESTRIAN)]),
    )
    with torch.no_grad():
        paths, _ = model.step(still.packed(), nothing(2), tuple(torch.zeros(1, 2, 16) for _ in range(2)))
    turn = (paths.yaw_rad[:, -1] - paths.yaw_rad[:, 0]).abs()
    assert turn[:, 0].max() < 1e-3
    assert turn[:, 1].min() > 3.0


def test_own_velocity_is_seen_in_the_objects_axes() -> None:
    """Of the last displacement (of a first observation as measured, where the model uses that), and the steady one."""
    up = math.pi / 2
    seen = ModelInput(
        displacement_m=torch.tensor([[0.0, 2.0], [0.0, 2.0], [-3.0, 4.0], [0.0, 0.0], [0.0, 0.0], [0.0, 0.0]]),
        yaw_rad=torch.tensor([up, 0.0, up, up, up, 0.0]),
        previous_yaw_rad=torch.tensor([0.0, 1.0, 2.0, up, up, 0.0]),
        dt_s=torch.tensor([0.5, 0.5, 1.0, 0.0, 0.0, 0.0]),
        reset=torch.tensor([0.0, 0.0, 0.0, 1.0, 1.0, 1.0]),
        velocity_mps=torch.tensor([[7.0, 7.0]] * 3 + [[-3.0, 4.0], [-3.0, 4.0], [0.0, 0.0]]),
        velocity_valid=torch.tensor([1.0, 0.0, 1.0, 1.0, 0.0, 0.0]),
        steady_velocity_mps=torch.tensor([[0.0, 1.0], [1.0, 0.0], [-2.0, 0.0], [0.0, 3.0], [0.0, 0.0], [0.0, 5.0]]),
        object_class=torch.zeros(6, dtype=torch.int64),
        size_m=torch.ones(6, 2),
        map_valid=torch.zeros(6),
    )
    # Steady forward and leftward; then what the last displacement has more.
    moved = [[1.0, 0.0, 3.0, 0.0], [1.0, 0.0, -1.0, 4.0], [0.0, 2.0, 4.0, 1.0]]
    rest = [[0.0, 0.0, 0.0, 0.0], [0.0, 5.0, 0.0, -5.0]]
    for uses_velocity, first in ((True, [3.0, 0.0, 1.0, 3.0]), (False, [3.0, 0.0, -3.0, 0.0])):
        model = make_model(uses_velocity=uses_velocity)
        start = own_velocity(model, seen)
        assert start.tolist() == [pytest.approx(row, abs=2e-3) for row in (*moved, first, *rest)]


def driven(
    velocity: list[list[float]], kinds: list[ObjectClass], acceleration_mps2: torch.Tensor, turn: float = 0.0,
    trust: float = 0.0, aside: float = 0.0,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:  # fmt: skip
    """x, y and course (T, N) of one mode, from these accelerations (T,) on, heading along x."""
    knots, count = len(acceleration_mps2), len(kinds)
    model = make_model(modes=1, knots=knots)
    acceleration = torch.atanh(acceleration_mps2 / MAX_ACCELERATION_MPS2).reshape(1, knots, 1).expand(1, knots, count)
    offset = torch.tensor([0.0, aside, trust]).reshape(3, 1, 1).expand(3, 1, count)
    seen = torch.zeros(count, len(INPUT_COLUMNS))
    seen[:, INPUT_COLUMNS.object_class] = torch.eye(len(ObjectClass))[[int(kind) for kind in kinds]]
    last_forward, steady_forward, last_leftward, steady_leftward = torch.tensor(velocity).t()
    gap = (last_forward - steady_forward, last_leftward - steady_leftward)
    with torch.no_grad():
        (x, y), course, _, _ = model.unicycle(
            acceleration, torch.full_like(acceleration, turn), offset,
            torch.stack([steady_forward, steady_leftward, *gap]), torch.split(model.to_limits @ seen.t(), 1),
        )  # fmt: skip
    return x[0], y[0], course[0]


def test_speeds_are_those_of_the_accelerations_by_hand() -> None:
    """Knots every 0.5 s: the way of an interval is its mean speed, at its middle, times its length."""
    acceleration = torch.tensor([2.0, 2.0, 0.0, -4.0])
    x, y, course = driven([[3.0, 3.0, 0.0, 0.0]], [ObjectClass.CAR], acceleration)
    # Speeds 3, 4, 5, 5, 3 m/s at 0, 0.5, ... 2 s.
    assert x[:, 0].tolist() == pytest.approx([1.75, 4.0, 6.5, 8.5], abs=1e-4)
    assert not y.any()
    assert not course.any()


@pytest.mark.parametrize(("trust", "expected_m"), [(-30.0, 1.0), (0.0, 2.0), (30.0, 3.0)])
def test_a_path_starts_between_the_steady_velocity_and_the_last_displacement(trust: float, expected_m: float) -> None:
    """2 m/s steady and 6 by the last displacement, 0.5 s: the network says which of them counts."""
    for kind, velocity in ((ObjectClass.CAR, [6.0, 2.0, 0.0, 0.0]), (ObjectClass.PEDESTRIAN, [0.0, 0.0, 6.0, 2.0])):
        x, _, _ = driven([velocity], [kind], torch.zeros(4), trust=trust)
        assert float(x[0]) == pytest.approx(expected_m, abs=1e-3)


@pytest.mark.parametrize("aside", [-50.0, 50.0])
def test_who_has_no_wheels_may_start_off_further_from_its_heading(aside: float) -> None:
    kinds = [ObjectClass.CAR, ObjectClass.BICYCLE, ObjectClass.PEDESTRIAN, ObjectClass.UNKNOWN]
    _, _, course = driven([[2.0, 2.0, 0.0, 0.0]] * 4, kinds, torch.zeros(3), aside=aside)
    limits = [MAX_COURSE_OFFSET_RAD] * 2 + [MAX_FREE_OFFSET_RAD] * 2
    assert course[0].tolist() == pytest.approx([math.copysign(limit, aside) for limit in limits], abs=1e-4)


@pytest.mark.parametrize("turn", [0.0, 50.0])
def test_who_brakes_to_a_stop_stays_stopped(turn: float) -> None:
    kinds = [ObjectClass.CAR, ObjectClass.PEDESTRIAN, ObjectClass.CAR, ObjectClass.CAR]
    velocity = [[v, v, 0.0, 0.0] for v in (6.0, 6.0, 0.0, -2.0)]
    x, y, course = driven(velocity, kinds, torch.full((10,), -4.0), turn)
    step_m = torch.diff(torch.stack([x, y]), dim=1, prepend=torch.zeros(2, 1, 4)).norm(dim=0)
    # Mean speeds 5, 3, 1 m/s, then below 0: it stands.
    for braking in (0, 1):
        assert step_m[:, braking].tolist() == pytest.approx([2.5, 1.5, 0.5] + [0.0] * 7, abs=1e-4)
        assert torch.equal(x[3:, braking], x[2, braking].expand(7))
        assert torch.equal(y[3:, braking], y[2, braking].expand(7))
    assert not step_m[:, 2].any()  # who stands already does not move off backward
    # Seen going backward it may go on, but brakes of a forward motion make it no faster.
    assert step_m[:, 3].tolist() == pytest.approx([1.0] * 10, abs=1e-4)
    bend = torch.diff(course, dim=0)
    limit = [MAX_CURVATURE_PER_M * 0.5, MAX_TURN_RATE_RADPS * 0.5]
    if turn:
        assert bend[:2, 0].tolist() == pytest.approx([limit[0] * 3.0, limit[0] * 1.0], rel=1e-2)
        assert bend[2:, 0].max() < 1e-4  # a car that stands does not turn
        assert bend[:, 2].max() < 1e-4
        assert bend[2:, 1].tolist() == pytest.approx([limit[1]] * 7, rel=1e-2)  # a pedestrian may
    else:
        assert not bend.any()
        assert not y.any()


def test_who_backs_up_can_go_forward_again_and_who_brakes_then_speeds_up_moves_on() -> None:
    x, _, _ = driven([[-2.0, -2.0, 0.0, 0.0]], [ObjectClass.CAR], torch.full((4,), 4.0))
    assert torch.diff(x[:, 0], prepend=torch.zeros(1)).tolist() == pytest.approx([-0.5, 0.5, 1.5, 2.5], abs=1e-4)
    x, _, _ = driven([[3.0, 3.0, 0.0, 0.0]], [ObjectClass.CAR], torch.tensor([-4.0, -4.0, 4.0, 4.0]))
    # Speeds 3, 1, -1, 1, 3 m/s: in the mean of the second and the third interval 0, never less.
    assert torch.diff(x[:, 0], prepend=torch.zeros(1)).tolist() == pytest.approx([1.0, 0.0, 0.0, 1.0], abs=1e-4)


@pytest.mark.parametrize("seed", range(5))
def test_wheeled_paths_keep_to_the_curvature_and_go_backward_only_when_seen_doing_so(seed: int) -> None:
    model = make_model(**(ALL if seed % 2 else {}))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(4.0)  # an untrained model far from meekness
    history, _ = histories(5, 40, seed)
    history = history._replace(object_class=torch.full_like(history.object_class, int(ObjectClass.CAR)))
    with torch.no_grad():
        paths = model(history.packed(), torch.full((40,), 5), surroundings(40))
    seen = at(history, 4)
    start = own_velocity(model, seen)
    forward = torch.minimum(start[:, 0], start[:, 0] + start[:, 2])  # steady and of the last displacement
    knots = torch.stack([paths.x_m, paths.y_m])  # (2, K, T, N), the object at 0
    step = torch.diff(knots, dim=2, prepend=torch.zeros_like(knots[:, :, :1]))
    way = step.norm(dim=0)
    assert way.max() > 1.0
    bend = torch.diff(paths.yaw_rad, dim=1).abs()
    assert (bend <= MAX_CURVATURE_PER_M * way[:, 1:] * 1.01 + 1e-3).all()
    first = (paths.yaw_rad[:, 0] - seen.yaw_rad).abs()
    assert (first <= MAX_COURSE_OFFSET_RAD + MAX_CURVATURE_PER_M * way[:, 0] * 1.01 + 1e-3).all()
    direction = 0.5 * (paths.yaw_rad[:, 1:] + paths.yaw_rad[:, :-1])
    along = step[0, :, 1:] * torch.cos(direction) + step[1, :, 1:] * torch.sin(direction)
    going_forward = forward >= 0
    assert going_forward.any()
    assert (along[..., going_forward] >= -1e-3).all()


def assert_valid_covariance(paths: PathTensors) -> None:
    """Positive definite as float32 numbers, not only on paper."""
    xx, xy, yy = (c.double() for c in (paths.cov_xx_m2, paths.cov_xy_m2, paths.cov_yy_m2))
    assert (xx > 0).all()
    assert (yy > 0).all()
    assert (xx * yy > xy * xy).all()


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e4])
def test_outputs_are_finite_and_covariances_valid_for_any_input(scale: float) -> None:
    model = make_model(uses_velocity=True, **ALL)
    history, length = histories(6, 30)
    wild = history._replace(
        displacement_m=history.displacement_m * scale,
        velocity_mps=history.velocity_mps * scale,
        dt_s=history.dt_s * 1e-3,
    )
    around = surroundings(30)
    near = named(around.neighbours)
    near = near._replace(offset_m=near.offset_m * scale, velocity_mps=near.velocity_mps * scale)
    around = around._replace(neighbours=packed(near.offset_m, near.velocity_mps, near.yaw_rad, near.size_m, near.valid))
    with torch.no_grad():
        paths = model(wild.packed(), length, around)
    assert all(torch.isfinite(values).all() for values in paths)
    assert_valid_covariance(paths)


def test_a_standard_deviation_is_its_head_s_exponential_within_limits() -> None:
    """exp(3.5) times that of the class is said as it is, exp(9) as exp(4)."""
    model = make_model(modes=1, knots=2, decoder_stride=1)
    half, zero = torch.full((2, 1), 0.5), torch.zeros(1, 1, 2, 1)
    for head, expected in ((3.5, 3.5), (-3.5, -3.5), (9.0, 4.0), (-9.0, -4.0)):
        with torch.no_grad():
            model.heads.weight.zero_()
            model.heads.bias.fill_(head)
            scaled = model.heads.bias.unsqueeze(1) * model.head_scale
            spread = scaled[2:4].reshape(2, 1, 1).expand(2, 2, 1)
            xx, _, _ = model.covariance(spread, torch.zeros(1, 2, 1), zero + 1.0, zero, half)
        assert xx.flatten().tolist() == pytest.approx([math.exp(2.0 * expected)] * 2, rel=1e-4)


def test_early_variances_have_a_floor_of_half_the_first_later_one() -> None:
    model = make_model(**ALL, early_knots=2)
    spread = torch.full((8, 12, 3), -0.5)
    spread[:, :2] = -30.0
    spread[0, 1] = 3.0  # what is wide enough stays
    zero, half = torch.zeros(4, 12, 3), torch.full((12, 3), 0.5)
    with torch.no_grad():
        xx, _, yy = model.covariance(spread, zero, zero + 1.0, zero, half)
    later_m2 = math.exp(-0.5)
    lowest_m2 = later_m2 * math.exp(-EARLY_MARGIN)
    assert lowest_m2 == pytest.approx(0.5 * later_m2, rel=0.01)
    variance_m2 = torch.stack([xx, yy])[..., 0].squeeze(1)  # (2, K, T)
    expected_m2 = torch.full((2, 4, 12), later_m2)
    expected_m2[:, :, :2] = lowest_m2
    expected_m2[0, 0, 1] = math.exp(3.0)
    torch.testing.assert_close(variance_m2, expected_m2, rtol=1e-3, atol=0.0)


def test_a_floor_changes_early_covariances_and_nothing_else() -> None:
    free, bounded = make_model(**ALL), make_model(**ALL, early_knots=2)
    history, length = histories(5, 40)
    with torch.no_grad():
        for model in (free, bounded):
            model.heads.weight.reshape(HEADS, -1)[2:4] *= 30.0
        before, after = (model(history.packed(), length, surroundings(40)) for model in (free, bounded))
    assert torch.equal(before.planes[:3], after.planes[:3])
    assert torch.equal(before.planes[:, :, 2:], after.planes[:, :, 2:])
    assert torch.equal(before.logits, after.logits)
    area_m4 = [(p.cov_xx_m2 * p.cov_yy_m2 - p.cov_xy_m2**2)[:, :2] for p in (before, after)]
    assert 0.05 < (area_m4[1] > 1.01 * area_m4[0]).float().mean() < 0.95
    assert (area_m4[1] > 0.99 * area_m4[0]).all()


@pytest.mark.parametrize("early_knots", [-1, 12])
def test_a_floor_needs_a_knot_after_it(early_knots: int) -> None:
    with pytest.raises(ConfigError, match=f"early_knots: expected 0 to 11, below knots, got {early_knots}"):
        ModelConfig(knots=12, early_knots=early_knots)


def test_a_spread_that_fell_to_nothing_is_learned_again() -> None:
    model = make_model(**ALL, early_knots=2).train()
    history, length = histories(5, 12)
    with torch.no_grad():
        model.heads.bias.reshape(HEADS, -1)[2:4] = -30.0
    paths = model(history.packed(), length, surroundings(12))
    (-paths.cov_xx_m2[:, 0] - paths.cov_yy_m2[:, 0]).sum().backward()  # wider, please
    assert model.heads.bias.grad is not None
    assert (model.heads.bias.grad.reshape(HEADS, -1)[2:4].abs().sum(dim=1) > 0.0).all()


@pytest.mark.parametrize("push", [1.0, 10.0, 1e3, 1e6])
def test_covariances_stay_positive_definite_whatever_the_heads_say(push: float) -> None:
    """One spread as large, the other as small as it gets, correlated as far as it goes, at every course."""
    model = make_model(decoder_stride=2)
    for signs in ((1, -1, 1), (-1, 1, -1), (1, 1, 1), (-1, -1, -1), (1, -1, 0)):
        with torch.no_grad():
            model.heads.bias.reshape(HEADS, -1)[2:] = push * torch.tensor(signs).float().unsqueeze(1)
            history, length = histories(4, 2000)
            assert_valid_covariance(model(history.packed(), length, nothing(2000)))


def test_the_spread_points_along_the_way_to_each_knot() -> None:
    """Not along the course at the knot, which a bend has turned further: by hand from variances in the path's axes."""
    model, count = make_model(knots=8), 40
    along, across, related = 1.2, -0.7, 0.0
    with torch.no_grad():
        model.heads.weight.zero_()
        for i, value in enumerate((0.0, 1.5, along, across, related)):
            model.heads.bias.reshape(HEADS, -1)[i] = value
        model.offsets.weight.zero_()
        model.offsets.bias.zero_()
        history, _ = histories(5, count)
        paths = model(history.packed(), torch.full((count,), 5), nothing(count))
        # Half of the last displacement and half of the steady velocity: the offsets are 0.
        start = own_velocity(model, at(history, 4))
        speed = (start[:, :2] + 0.5 * start[:, 2:]).norm(dim=1)
    moving = speed > 1.0
    assert moving.sum() > 20
    knots = torch.stack([paths.x_m, paths.y_m])
    step = torch.diff(knots, dim=2, prepend=torch.zeros_like(knots[:, :, :1]))
    way = torch.atan2(step[1], step[0])
    assert (torch.sin(paths.yaw_rad - way).abs()[..., moving] > 0.01).all()  # course and way do differ
    sigma = 0.1 + 0.3 * torch.tensor(model.config.time_s).reshape(-1, 1)
    long_m2, wide_m2 = (sigma * math.exp(along)) ** 2, (sigma * math.exp(across)) ** 2
    cos, sin = torch.cos(way), torch.sin(way)
    expected = (
        cos**2 * long_m2 + sin**2 * wide_m2, cos * sin * (long_m2 - wide_m2), sin**2 * long_m2 + cos**2 * wide_m2
    )  # fmt: skip
    for got, wanted in zip((paths.cov_xx_m2, paths.cov_xy_m2, paths.cov_yy_m2), expected, strict=True):
        torch.testing.assert_close(got[..., moving], wanted[..., moving], rtol=2e-3, atol=2e-3)


@pytest.mark.parametrize("push", [-1.5, 0.8])
def test_spread_along_and_across_are_correlated_as_the_heads_say(push: float) -> None:
    model = make_model(modes=1, knots=4)
    cos, sin = 0.6, 0.8
    cos_twice, sin_twice = (torch.full((1, 1, 4, 1), v) for v in (cos**2 - sin**2, 2.0 * cos * sin))
    spread = 2.0 * torch.tensor([0.5, -0.3]).reshape(2, 1, 1).expand(2, 4, 1)
    sigma = 2.0 * (0.1 + 0.3 * np.array(model.config.time_s))
    half_variance = torch.tensor(0.5 * sigma**2, dtype=torch.float32).unsqueeze(1)
    with torch.no_grad():
        correlation = torch.full((1, 4, 1), push)
        xx, xy, yy = model.covariance(spread, correlation, cos_twice, sin_twice, half_variance)
    along, across, related = sigma * math.exp(0.5), sigma * math.exp(-0.3), 0.95 * math.tanh(push)
    turn = np.array([[0.6, -0.8], [0.8, 0.6]])
    for knot in range(4):
        both = related * along[knot] * across[knot]
        own = np.array([[along[knot] ** 2, both], [both, across[knot] ** 2]])
        wanted = turn @ own @ turn.T
        got = [float(c[0, 0, knot, 0]) for c in (xx, xy, yy)]
        assert got == pytest.approx([wanted[0, 0], wanted[0, 1], wanted[1, 1]], rel=1e-4)


def test_the_spread_does_not_bend_the_path() -> None:
    """What the covariances ask for reaches nothing that moves a path."""
    model = make_model()
    history, length = histories(4, 9)
    paths = model(history.packed(), length, nothing(9))
    (paths.cov_xx_m2.sum() + paths.cov_xy_m2.sum() + paths.cov_yy_m2.sum()).backward(retain_graph=True)

    def pull() -> list[float]:
        grads = model.heads.weight.grad, model.offsets.weight.grad
        assert grads[0] is not None
        heads = [float(g.abs().sum()) for g in grads[0].reshape(HEADS, -1)]
        return [*heads, 0.0 if grads[1] is None else float(grads[1].abs().sum())]

    assert [value > 0 for value in pull()] == [False, False, True, True, True, False]
    model.zero_grad()
    (paths.x_m.sum() + paths.y_m.sum()).backward()
    assert [value > 0 for value in pull()] == [True, True, False, False, False, True]


def test_the_map_is_seen_by_a_convolution_of_whole_patches() -> None:
    model = make_model(**ALL)
    encoder = model.map_encoder
    assert encoder is not None
    rows, columns = VIEW.grid
    grid = torch.randint(-INT8_MAX, INT8_MAX + 1, (7, rows, columns, 4), generator=torch.Generator().manual_seed(1))
    patches = torch.from_numpy(np.stack([in_patches(one, VIEW.patch) for one in grid.to(torch.int8).numpy()]))
    kernel = encoder.patch.weight.reshape(-1, VIEW.patch, VIEW.patch, 4).permute(0, 3, 1, 2)
    with torch.no_grad():
        planes = grid.permute(0, 3, 1, 2) / INT8_MAX
        seen = torch.relu(torch.nn.functional.conv2d(planes, kernel, encoder.patch.bias, stride=VIEW.patch))
        expected = encoder.out(seen.permute(0, 2, 3, 1).reshape(7, -1))
        torch.testing.assert_close(encoder(patches, None)[0], expected, atol=1e-5, rtol=1e-4)
        assert expected.shape == (7, 14)
        assert (expected > 0).any()


def test_the_levels_of_the_map_are_convolutions_of_two_by_two() -> None:
    """Over the grid of patches, whatever its sides: 4 x 8 patches, then 2 x 4, then 1 x 2."""
    view = MapView(ahead_m=4.0, behind_m=3.0, side_m=7.5, step_m=1.0, patch=2)
    assert view.shape == (4, 8, 4)
    encoder = make_model(map=view, map_channels=(3, 5, 6), map_width=11).map_encoder
    assert encoder is not None
    draw = torch.Generator().manual_seed(1)
    patches = torch.randint(-INT8_MAX, INT8_MAX + 1, (9, *view.shape, 4), generator=draw, dtype=torch.int8)
    with torch.no_grad():
        seen = torch.relu(encoder.patch(patches.reshape(9, 4, 8, 16) / INT8_MAX)).permute(0, 3, 1, 2)
        for layer in encoder.larger:
            assert isinstance(layer, torch.nn.Linear)
            kernel = layer.weight.reshape(len(layer.weight), 2, 2, -1).permute(0, 3, 1, 2)
            seen = torch.relu(torch.nn.functional.conv2d(seen, kernel, layer.bias, stride=2))
        assert seen.shape == (9, 6, 1, 2)
        expected = encoder.out(seen.permute(0, 2, 3, 1).reshape(9, -1))
        assert (expected > 0).any()
        torch.testing.assert_close(encoder(patches, None)[0], expected, atol=1e-5, rtol=1e-4)


def test_directions_are_seen_in_the_objects_own_axes() -> None:
    encoder = make_model(**DIRECTED).map_encoder
    assert encoder is not None
    around, yaw_rad = (
        surroundings(6, config=ModelConfig(**DIRECTED, modes=4)).map_distance,
        torch.linspace(-3.0, 3.0, 6),
    )
    axes = torch.cat([f(yaw_rad).reshape(-1, 1).expand(-1, 6) for f in (torch.cos, torch.sin)] + [torch.ones(6, 4)], 1)
    own = around.float()
    cos, sin = (f(yaw_rad).reshape(-1, 1, 1, 1) for f in (torch.cos, torch.sin))
    x, y = own[..., 2].clone(), own[..., 3].clone()
    own[..., 2], own[..., 3] = x * cos + y * sin, y * cos - x * sin
    with torch.no_grad():
        seen = torch.relu(encoder.patch(own.reshape(-1, encoder.patch.in_features) / INT8_MAX))
        expected = encoder.out(seen.reshape(6, -1))
        torch.testing.assert_close(encoder(around, axes)[0], expected, atol=1e-5, rtol=1e-4)
        assert (expected > 0).any()


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("stride", [1, 2, 4])
def test_a_decoder_step_may_make_several_knots(cell: str, stride: int) -> None:
    model = make_model(cell=cell, decoder_stride=stride, knots=8, knot_step_s=0.5)
    history, length = histories(5, 7)
    with torch.no_grad():
        paths = model(history.packed(), length, nothing(7))
    assert paths.planes.shape == (6, 4, 8, 7)
    assert paths.logits.shape == (7, 4)
    assert model.knot_code.shape[0] == 8 // stride
    # Knots follow each other in time, whichever decoder step made them.
    way = torch.diff(torch.stack([paths.x_m, paths.y_m]), dim=2).norm(dim=0)
    start = own_velocity(model, ModelInput(*(v[length - 1, torch.arange(7)] for v in history)))
    fastest = torch.maximum(start[:, :2].norm(dim=1), (start[:, :2] + start[:, 2:]).norm(dim=1))
    assert (way <= 0.5 * (fastest + 8.0 * 4.0 + 3.0)).all()


def test_the_numbers_of_a_decoder_step_are_those_of_its_own_knots() -> None:
    """Of every step, the spread of mode 1 at its second knot, and nothing else, is changed."""
    model = make_model(decoder_stride=2, knots=6, modes=3)
    history, length = histories(5, 7)
    with torch.no_grad():
        model.heads.weight.zero_()
        model.heads.bias.zero_()
        before = model(history.packed(), length, nothing(7))
        model.heads.bias.reshape(HEADS, 3, 2)[2, 1, 1] = 1.0  # spread along the way
        after = model(history.packed(), length, nothing(7))
    changed = (after.cov_xx_m2 + after.cov_yy_m2 != before.cov_xx_m2 + before.cov_yy_m2).all(dim=2)
    expected = torch.zeros(3, 6, dtype=torch.bool)
    expected[1, 1::2] = True
    assert torch.equal(changed, expected)
    assert torch.equal(after.x_m, before.x_m)


@pytest.mark.parametrize("sets", [(1, 4), (2, 4), (1, 2, 3, 4), (4,), ()])
def test_no_mode_of_a_later_set_is_more_probable_than_one_of_an_earlier_one(sets: tuple[int, ...]) -> None:
    model = make_model(sets=sets)
    logits = 20.0 * torch.randn(500, 4, generator=torch.Generator().manual_seed(0))
    ranked = model.ranked(logits)
    assert torch.isfinite(ranked).all()
    assert torch.equal(ranked[:, : model.config.set_sizes[0]], logits[:, : model.config.set_sizes[0]])
    for begin, end in pairwise(model.config.set_sizes):
        assert (ranked[:, begin:end] <= ranked[:, :begin].min(dim=1, keepdim=True).values).all()
    history, length = histories(6, 40)
    with torch.no_grad():
        probability = torch.softmax(model(history.packed(), length, nothing(40)).logits, dim=1)
    assert torch.allclose(probability.sum(dim=1), torch.ones(40))
    for size in model.config.set_sizes[:-1]:
        top = probability.topk(size, dim=1).values.min(dim=1).values
        assert torch.equal(top, probability[:, :size].min(dim=1).values)


def test_the_calibration_scales_spread_and_logits_and_bends_no_path() -> None:
    model = make_model(**ALL)
    history, length = histories(6, 20)
    around = surroundings(20)
    with torch.no_grad():
        before = model(history.packed(), length, around)
        model.spread.copy_(1.0 + torch.rand(model.spread.shape))
        model.sharpness.fill_(0.5)
        after = model(history.packed(), length, around)
    assert torch.equal(after.planes[:3], before.planes[:3])
    assert torch.allclose(after.logits, 0.5 * before.logits)
    factor = model.spread[:, history.object_class[0]] ** 2  # (T, N)
    for plane in ("cov_xx_m2", "cov_xy_m2", "cov_yy_m2"):
        assert torch.allclose(getattr(after, plane), factor * getattr(before, plane), rtol=1e-4, atol=1e-6)


def test_dropout_is_for_training_only() -> None:
    model = make_model(dropout=0.5, **ALL)
    history, length = histories(6, 20)
    with torch.no_grad():
        same = [model(history.packed(), length, surroundings(20)) for _ in range(2)]
        assert_close(same[0], same[1], 0.0)
        model.train()
        one, other = (model(history.packed(), length, surroundings(20)) for _ in range(2))
    assert not torch.allclose(one.x_m, other.x_m)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"decoder_stride": 5}, r"model\.decoder_stride: expected a divisor of knots \(12\), got 5"),
        ({"decoder_stride": 0}, r"model\.decoder_stride: expected a number above 0"),
        ({"sets": (2, 5)}, r"model\.sets: expected growing numbers up to modes \(6\), got \[2, 5\]"),
        ({"sets": (3, 2, 6)}, r"model\.sets: expected growing numbers"),
        ({"sets": (0, 6)}, r"model\.sets: expected growing numbers"),
        ({"neighbours": -1}, r"model\.neighbours: expected at least 0, got -1"),
        ({"dropout": 1.0}, r"model\.dropout: expected \[0, 1\), got 1\.0"),
        (
            {"map": VIEW, "map_channels": (4, 5)},
            r"model\.map_channels: 2 levels need numbers of patches that 2 divides",
        ),
        ({"map_channels": (8, 0)}, r"model\.map_channels: expected numbers above 0, got \[8, 0\]"),
        ({"map_width": -1}, r"model\.map_width: expected a number above 0, got -1"),
        ({"attention": 0}, r"model\.attention: expected a number above 0, got 0"),
    ],
)
def test_a_configuration_that_makes_no_model(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        dataclasses.replace(ModelConfig(), **changes)  # type: ignore[arg-type]


def test_nll_is_that_of_the_normal_distribution() -> None:
    covariance = torch.tensor([[2.0, 0.6], [0.6, 1.0]])
    error = torch.tensor([0.7, -0.4])
    expected = -torch.distributions.MultivariateNormal(torch.zeros(2), covariance).log_prob(error)
    got = gaussian_nll(error[0], error[1], covariance[0, 0], covariance[0, 1], covariance[1, 1])
    assert torch.allclose(got, expected, atol=1e-6)
