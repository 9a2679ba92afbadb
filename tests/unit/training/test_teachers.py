"""Teachers: their modes are futures to learn from, and nothing of them is trained or kept."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from tests.unit.training.test_train import checkpoint
from trajnet.columns import INPUT_COLUMNS, NEIGHBOUR_COLUMNS
from trajnet.context.map_field import MapView
from trajnet.errors import ConfigError
from trajnet.training.augment import mirrored_inputs, mirrored_map, mirrored_neighbours
from trajnet.training.batches import Batch
from trajnet.training.config import SourceConfig, TrainConfig
from trajnet.training.learner import Learner
from trajnet.training.loss_config import LossConfig
from trajnet.training.model import TrajectoryModel
from trajnet.training.model_config import ModelConfig
from trajnet.training.model_input import ModelInput
from trajnet.training.teachers import Futures, Teachers, taught
from trajnet.training.tensors import ContextTensors, PathTensors

KNOTS, OBJECTS, MODES = 4, 3, 5
HEADINGS_RAD = (0.0, 1.0)
NONE = torch.zeros(OBJECTS, dtype=torch.bool)
SMALL = ModelConfig(hidden=8, decoder_hidden=8, modes=MODES, knots=KNOTS, sets=(2, MODES))
SOURCE = SourceConfig("scenes", path="made")
CONFIG = TrainConfig("made", "none", True, (SOURCE,), (SOURCE,), model=SMALL)


def paths_of(x: torch.Tensor, y: torch.Tensor, logits: torch.Tensor) -> PathTensors:
    return PathTensors(torch.stack([x, y, *([torch.zeros_like(x)] * 4)]), logits)


def batch(steps: int = 3) -> Batch:
    draw = torch.Generator().manual_seed(3)

    def normal(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=draw)

    reset = torch.zeros(steps, OBJECTS)
    reset[0] = 1.0
    history = ModelInput(
        displacement_m=normal(steps, OBJECTS, 2), velocity_mps=normal(steps, OBJECTS, 2),
        steady_velocity_mps=normal(steps, OBJECTS, 2), yaw_rad=normal(steps, OBJECTS),
        previous_yaw_rad=normal(steps, OBJECTS), dt_s=torch.full((steps, OBJECTS), 0.5), reset=reset,
        velocity_valid=torch.zeros(steps, OBJECTS), size_m=torch.full((steps, OBJECTS, 2), 2.0),
        map_valid=torch.zeros(steps, OBJECTS), object_class=torch.zeros(steps, OBJECTS, dtype=torch.int64),
    )  # fmt: skip
    nothing = ContextTensors(map_distance=torch.zeros(0), neighbours=torch.zeros(0))
    length = torch.full((OBJECTS,), steps)
    return Batch(history.packed(), length, nothing, normal(KNOTS, OBJECTS, 2), torch.ones(KNOTS, OBJECTS))


@pytest.mark.parametrize(("weights", "of_first"), [((), 0.5), ((1.0, 3.0), 0.25)])
def test_the_expected_displacement_of_the_closest_mode_of_each_set(weights: tuple[float, ...], of_first: float) -> None:
    draw = torch.Generator().manual_seed(0)
    x, y = torch.randn(2, MODES, KNOTS, OBJECTS, generator=draw) * 5.0
    logits = torch.randn(OBJECTS, MODES, generator=draw)
    other_x, other_y = torch.randn(2, 6, KNOTS, OBJECTS, generator=draw) * 5.0
    futures = Futures(other_x, other_y, torch.softmax(torch.randn(6, OBJECTS, generator=draw), 0))
    regression, classification = taught(paths_of(x, y, logits), futures, (2, MODES), weights)
    expected, entropy = 0.0, 0.0
    for n in range(OBJECTS):
        log_p = torch.log_softmax(logits[n], 0)
        for m in range(6):
            ade = torch.hypot(x[:, :, n] - futures.x_m[m, :, n], y[:, :, n] - futures.y_m[m, :, n]).mean(1)
            p = futures.probability[m, n]
            expected += float(p * (of_first * ade[:2].min() + (1.0 - of_first) * ade.min())) / OBJECTS
            entropy -= float(p * log_p[ade.argmin()]) / OBJECTS
    assert float(regression) == pytest.approx(expected, rel=1e-4)
    assert float(classification) == pytest.approx(entropy, rel=1e-4)


def test_a_student_that_repeats_its_teacher_has_nothing_to_learn() -> None:
    x, y = torch.arange(2.0 * MODES * KNOTS * OBJECTS).reshape(2, MODES, KNOTS, OBJECTS)
    p = torch.softmax(torch.randn(MODES, OBJECTS, generator=torch.Generator().manual_seed(1)), 0)
    logits = p.log().t().clone().requires_grad_()
    regression, classification = taught(paths_of(x, y, logits), Futures(x, y, p), (MODES,))
    assert float(regression) == pytest.approx(1e-3, abs=1e-4)  # what keeps the square root's gradient finite
    (gradient,) = torch.autograd.grad(classification, logits)
    assert gradient.abs().max() < 1e-6


def test_all_modes_of_all_teachers_are_futures_and_no_teacher_is_trained(tmp_path: Path) -> None:
    torch.manual_seed(0)
    models = [TrajectoryModel(replace(SMALL, hidden=hidden)) for hidden in (8, 16)]
    files = [
        str(checkpoint(tmp_path / f"{i}.ckpt", replace(CONFIG, model=model.config), model))
        for i, model in enumerate(models)
    ]
    seen = batch()
    futures = Teachers.load(files, SMALL, non_commercial=True).futures(seen, NONE, NONE)
    assert futures.x_m.shape == (2 * MODES, KNOTS, OBJECTS)
    assert torch.allclose(futures.probability.sum(dim=0), torch.ones(OBJECTS))
    with torch.no_grad():
        second = models[1].eval()(seen.history, seen.length, seen.surroundings)
    assert torch.allclose(futures.y_m[MODES:], second.y_m, atol=1e-5)

    alone, learner = Learner(CONFIG, 3, 1), Learner(replace(CONFIG, teachers=tuple(files)), 3, 1)
    learner.model.load_state_dict(alone.model.state_dict())
    assert learner.state_dict().keys() == alone.state_dict().keys()
    assert len(list(learner.parameters())) == len(list(alone.parameters()))
    for each in (alone, learner):
        each.log = lambda *_, **__: None  # type: ignore[method-assign]  # there is no trainer
        each.log_dict = lambda *_, **__: None  # type: ignore[method-assign]
    plain, more = (each.training_step(seen, 0) for each in (alone, learner))
    terms = learner.train_means()
    told = terms["taught_ade_m"] + CONFIG.loss.classification * terms["taught_classification"]
    assert float((more - plain).detach()) == pytest.approx(told, rel=1e-4)
    assert terms["taught_ade_m"] > 0.01


def test_a_teacher_must_fit_and_its_licence_too(tmp_path: Path) -> None:
    path = str(checkpoint(tmp_path / "teacher.ckpt", CONFIG, TrajectoryModel(SMALL)))
    with pytest.raises(ConfigError, match=r"teacher\.ckpt: expected the student's map, neighbours and knots"):
        Teachers.load([path], replace(SMALL, neighbours=3), non_commercial=True)
    with pytest.raises(ConfigError, match=r"teacher\.ckpt: it is for non-commercial use only \(none\)"):
        Teachers.load([path], SMALL, non_commercial=False)


def with_a_map() -> tuple[ModelConfig, Batch]:
    """Return a model that sees a map and two neighbours, and a batch of objects that have both."""
    view = MapView(ahead_m=6.0, behind_m=3.0, side_m=4.5, step_m=3.0, patch=2, directions=True)
    seen, draw = batch(), torch.Generator().manual_seed(5)
    seen.history[..., INPUT_COLUMNS.map_valid] = 1.0
    distance = torch.randint(-127, 128, (OBJECTS, *view.shape, 4), generator=draw, dtype=torch.int8)
    neighbours = torch.randn(OBJECTS, 2, len(NEIGHBOUR_COLUMNS), generator=draw)
    neighbours[..., NEIGHBOUR_COLUMNS.valid] = 1.0
    return replace(SMALL, map=view, neighbours=2), replace(seen, surroundings=ContextTensors(distance, neighbours))


def test_teachers_that_are_blind_answer_as_without_a_map(tmp_path: Path) -> None:
    config, seen = with_a_map()
    torch.manual_seed(0)
    path = str(checkpoint(tmp_path / "teacher.ckpt", replace(CONFIG, model=config), TrajectoryModel(config)))
    teachers, blind = Teachers.load([path], config, non_commercial=True), torch.tensor([True, False, True])
    plain, mixed = teachers.futures(seen, NONE, NONE), teachers.futures(seen, NONE, blind)
    history = seen.history.clone()
    history[..., INPUT_COLUMNS.map_valid] = 0.0
    without = teachers.futures(replace(seen, history=history), NONE, NONE)
    assert not torch.allclose(without.y_m, plain.y_m, atol=1e-2)
    for name in ("x_m", "y_m", "probability"):
        expected = torch.where(blind, getattr(without, name), getattr(plain, name))
        assert torch.equal(getattr(mixed, name), expected)
    assert (seen.history[..., INPUT_COLUMNS.map_valid] == 1.0).all()  # the student sees it


class Answers(TrajectoryModel):
    """A teacher whose modes are known: they drive 20 m along x and along HEADINGS_RAD[1].

    Their standard deviations at the end are 3 m along and 1 m across; who is ahead is to the left (correlation 0.6).
    """

    def forward(self, *_: object) -> PathTensors:
        yaw = torch.tensor(HEADINGS_RAD).reshape(2, 1, 1).expand(2, KNOTS, OBJECTS)
        way_m = torch.linspace(5.0, 20.0, KNOTS).reshape(1, KNOTS, 1)
        axes = torch.stack([torch.stack([yaw.cos(), yaw.sin()]), torch.stack([-yaw.sin(), yaw.cos()])])  # along, across
        own_m2 = torch.tensor([[9.0, 1.8], [1.8, 1.0]])
        xx, xy, _, yy = torch.einsum("aiktn,ab,bjktn->ijktn", axes, own_m2, axes).flatten(0, 1) * (way_m / 20.0) ** 2
        return PathTensors(torch.stack([*(axes[0] * way_m), yaw, xx, xy, yy]), torch.zeros(OBJECTS, 2))


def test_futures_are_drawn_around_each_mode_as_far_as_its_covariances_say() -> None:
    torch.manual_seed(0)
    teachers = Teachers([Answers(SMALL)])
    modes = teachers.futures(batch(), NONE, NONE)
    drawn = [teachers.futures(batch(), NONE, NONE, 0.5) for _ in range(400)]
    x, y = (torch.stack([getattr(d, name) for d in drawn]) for name in ("x_m", "y_m"))
    assert x.shape == (400, 4, KNOTS, OBJECTS)
    assert torch.allclose(drawn[0].probability, torch.full((4, OBJECTS), 0.25))
    for mode, yaw in enumerate(HEADINGS_RAD):
        # The two futures of a mode are as far from it on either side.
        for each, own in ((x, modes.x_m), (y, modes.y_m)):
            between_m = (each[:, mode] + each[:, mode + 2]) / 2.0
            assert torch.allclose(between_m, own[mode].expand_as(between_m), atol=1e-5)
        dx, dy = x[:, mode] - modes.x_m[mode], y[:, mode] - modes.y_m[mode]
        along_m, across_m = math.cos(yaw) * dx + math.sin(yaw) * dy, math.cos(yaw) * dy - math.sin(yaw) * dx
        assert along_m[:, -1].std() == pytest.approx(1.5, rel=0.05)
        assert across_m[:, -1].std() == pytest.approx(0.5, rel=0.05)
        end_m = torch.stack([along_m[:, -1].flatten(), across_m[:, -1].flatten()])
        assert float(torch.corrcoef(end_m)[0, 1]) == pytest.approx(0.6, abs=0.05)
        # Who is faster stays faster: by the same share of the way at each knot.
        ahead = along_m / torch.hypot(modes.x_m[mode], modes.y_m[mode])
        assert torch.allclose(ahead, ahead[:, -1:].expand_as(ahead), atol=1e-4)
    mirrored = teachers.futures(batch(), ~NONE, NONE, 0.5)
    assert bool((mirrored.y_m[1] < 0.0).all())
    assert bool((drawn[0].y_m[1] > 0.0).all())


@pytest.mark.parametrize(("share", "blind"), [(0.0, [False] * OBJECTS), (1.0, [True] * OBJECTS)])
def test_blind_answers_and_their_spread_are_those_of_the_configuration(share: float, blind: list[bool]) -> None:
    asked = []

    class Noted(Teachers):
        def futures(self, batch: Batch, mirror: torch.Tensor, blind: torch.Tensor, spread: float = 0.0) -> Futures:
            asked.append((blind.tolist(), spread))
            return super().futures(batch, mirror, blind, spread)

    learner = Learner(replace(CONFIG, loss=LossConfig(taught_blind=share, taught_spread=0.7)), 3, 1)
    learner._teachers = Noted([TrajectoryModel(SMALL)])
    learner.log = lambda *_, **__: None  # type: ignore[method-assign]  # there is no trainer
    learner.log_dict = lambda *_, **__: None  # type: ignore[method-assign]
    learner.training_step(batch(), 0)
    assert asked == [(blind, 0.7)]


def test_teachers_that_see_a_mirrored_window_answer_as_seen_in_a_mirror(tmp_path: Path) -> None:
    config, seen = with_a_map()
    torch.manual_seed(0)
    path = str(checkpoint(tmp_path / "teacher.ckpt", replace(CONFIG, model=config), TrajectoryModel(config)))
    distance, neighbours = seen.surroundings
    # The second object is the first one's mirror image.
    seen.history[:, 1] = mirrored_inputs(seen.history)[:, 0]
    distance[1], neighbours[1] = mirrored_map(distance[:1])[0], mirrored_neighbours(neighbours[:1])[0]
    teachers = Teachers.load([path], config, non_commercial=True)
    plain, mixed = (teachers.futures(seen, mirror, NONE) for mirror in (NONE, torch.tensor([True, False, False])))
    assert torch.allclose(mixed.x_m[..., 0], plain.x_m[..., 1], atol=1e-5)
    assert torch.allclose(mixed.y_m[..., 0], -plain.y_m[..., 1], atol=1e-5)
    assert torch.allclose(mixed.probability[:, 0], plain.probability[:, 1], atol=1e-6)
    assert not torch.allclose(mixed.y_m[..., 0], plain.y_m[..., 0], atol=1e-2)
    for mine, theirs in ((mixed.x_m, plain.x_m), (mixed.y_m, plain.y_m), (mixed.probability, plain.probability)):
        assert torch.equal(mine[..., 1:], theirs[..., 1:])
