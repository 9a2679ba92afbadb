"""The loss: whose error it is, which modes learn from it, and that its likelihood is that of the mixture."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from trajnet.errors import ConfigError
from trajnet.training.config import SourceConfig, TrainConfig
from trajnet.training.loss import displacement, mean_over_knots, winner_takes_all
from trajnet.training.loss_config import LossConfig
from trajnet.training.model_config import ModelConfig
from trajnet.training.tensors import PathTensors

MODES, KNOTS, OBJECTS = 4, 3, 5


def made(seed: int = 0) -> tuple[PathTensors, torch.Tensor, torch.Tensor]:
    """Random paths that can learn, futures and a mask with at least one knot each."""
    draw = torch.Generator().manual_seed(seed)

    def normal(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=draw)

    x, y, yaw, xy = (normal(MODES, KNOTS, OBJECTS) for _ in range(4))
    planes = torch.stack([x, y, yaw, 2.0 + x.abs(), 0.5 * torch.tanh(xy), 2.0 + y.abs()]).requires_grad_(True)
    paths = PathTensors(planes, normal(OBJECTS, MODES).requires_grad_(True))
    valid = (torch.rand(KNOTS, OBJECTS, generator=draw) < 0.7).float()
    valid[0] = 1.0
    return paths, normal(KNOTS, OBJECTS, 2), valid


def gradient(value: torch.Tensor, of: torch.Tensor) -> torch.Tensor:
    (found,) = torch.autograd.grad(value, of, retain_graph=True, allow_unused=True)
    return torch.zeros_like(of) if found is None else found


def test_by_hand() -> None:
    """Two modes, two knots, one object; the second knot was not recorded."""
    zeros = torch.zeros(2, 2, 1)
    x = torch.tensor([[[3.0], [9.0]], [[1.0], [9.0]]])
    one = torch.ones(2, 2, 1)
    planes = torch.stack([x, zeros, zeros, one, zeros, one])
    paths = PathTensors(planes, torch.tensor([[np.log(0.8), np.log(0.2)]]).float())
    loss, terms = winner_takes_all(
        paths, torch.zeros(2, 1, 2), torch.tensor([[1.0], [0.0]]), LossConfig(classification=2.0, likelihood=0.5)
    )
    mixture = -np.log(0.8 * np.exp(-4.5) / (2 * np.pi) + 0.2 * np.exp(-0.5) / (2 * np.pi))
    assert float(terms["min_ade_m"]) == pytest.approx(1.0, abs=1e-4)
    assert float(terms["classification"]) == pytest.approx(-np.log(0.2), abs=1e-5)
    assert float(terms["nll"]) == pytest.approx(mixture, abs=1e-5)
    assert float(loss) == pytest.approx(1.0 - 2.0 * np.log(0.2) + 0.5 * mixture, abs=1e-3)


def test_the_likelihood_is_that_of_the_mixture() -> None:
    paths, future, valid = made()
    _, terms = winner_takes_all(paths, future, valid, LossConfig())
    probability = torch.softmax(paths.logits, 1)
    total = torch.zeros(OBJECTS)
    for n in range(OBJECTS):
        for t in np.flatnonzero(valid[:, n].numpy()).tolist():
            density = torch.zeros(())
            for k in range(MODES):
                xx, xy, yy = (c[k, t, n] for c in (paths.cov_xx_m2, paths.cov_xy_m2, paths.cov_yy_m2))
                normal = torch.distributions.MultivariateNormal(
                    torch.stack([paths.x_m[k, t, n], paths.y_m[k, t, n]]), torch.stack([xx, xy, xy, yy]).reshape(2, 2)
                )
                density = density + probability[n, k] * torch.exp(normal.log_prob(future[t, n]))
            total[n] -= torch.log(density) / valid[:, n].sum()
    torch.testing.assert_close(terms["nll"], total.mean(), atol=1e-4, rtol=1e-4)


def test_each_set_teaches_its_closest_mode_and_no_other() -> None:
    paths, future, valid = made()
    ade = mean_over_knots(displacement(paths, future), valid).detach()
    for weights in ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0), (3.0, 2.0, 5.0)):
        config = LossConfig(classification=0.0, likelihood=0.0, set_weights=weights)
        loss, _ = winner_takes_all(paths, future, valid, config, (1, 3, 4))
        expected = torch.zeros(MODES, OBJECTS)
        value = torch.zeros(())
        for weight, size in zip(weights, (1, 3, 4), strict=True):
            winner = ade[:size].argmin(dim=0)
            expected[winner, torch.arange(OBJECTS)] += weight
            value += weight / sum(weights) * ade[:size].min(dim=0).values.mean()
        moved = gradient(loss, paths.planes)[0].abs().sum(dim=1)  # (K, N)
        assert torch.equal(moved > 0, expected > 0)
        assert loss.item() == pytest.approx(value.item(), abs=1e-5)


def test_without_weights_all_sets_count_alike_and_without_sets_there_is_one() -> None:
    paths, future, valid = made()

    def loss(sets: tuple[int, ...], weights: tuple[float, ...] = ()) -> float:
        return float(winner_takes_all(paths, future, valid, LossConfig(set_weights=weights), sets)[0])

    assert loss((1, 4)) == pytest.approx(loss((1, 4), (2.0, 2.0)))
    assert loss(()) == pytest.approx(loss((4,)))
    assert loss((1, 4)) > loss(())


def test_the_path_that_is_shown_learns_and_the_expected_error_teaches_the_probabilities() -> None:
    paths, future, valid = made()
    ade = mean_over_knots(displacement(paths, future), valid).detach()
    plain = LossConfig(classification=0.0, likelihood=0.0)
    base, _ = winner_takes_all(paths, future, valid, plain)
    shown, of_shown = winner_takes_all(paths, future, valid, replace(plain, shown=2.0))
    expected, of_expected = winner_takes_all(paths, future, valid, replace(plain, expected=3.0))
    top = paths.logits.argmax(dim=1)
    value = ade[top, torch.arange(OBJECTS)].mean()
    assert of_shown["shown_ade_m"].item() == pytest.approx(value.item(), abs=1e-6)
    assert (shown - base).item() == pytest.approx(2.0 * value.item(), abs=1e-5)
    moved = gradient(shown - base, paths.planes)[0].abs().sum(dim=1) > 0  # (K, N)
    assert torch.equal(moved, torch.nn.functional.one_hot(top, MODES).t().bool())
    assert not gradient(shown, paths.logits).any()
    value = (torch.softmax(paths.logits, 1) * ade.t()).sum(dim=1).mean()
    assert of_expected["expected_ade_m"].item() == pytest.approx(value.item(), abs=1e-6)
    assert (expected - base).item() == pytest.approx(3.0 * value.item(), abs=1e-5)
    assert not gradient(expected - base, paths.planes).any()
    assert gradient(expected, paths.logits).any()


def test_a_softer_target_shares_the_classification_among_modes_that_are_nearly_as_good() -> None:
    paths, future, valid = made()
    ade = mean_over_knots(displacement(paths, future), valid).detach()
    _, terms = winner_takes_all(paths, future, valid, LossConfig(temperature_m=0.5))
    target = torch.softmax(-ade.t() / 0.5, 1)
    wanted = -(target * torch.log_softmax(paths.logits, 1)).sum(1).mean()
    assert terms["classification"].item() == pytest.approx(wanted.item(), abs=1e-6)


def test_what_is_not_recorded_teaches_nothing() -> None:
    paths, future, valid = made()
    lost = valid == 0
    assert lost.any()
    other = torch.where(lost.unsqueeze(-1), torch.full_like(future, 1e3), future)
    one, there = (winner_takes_all(paths, f, valid, LossConfig(temperature_m=0.5), (2, 4))[0] for f in (future, other))
    assert torch.equal(one, there)
    assert not gradient(one, paths.planes)[:2, :, lost].any()


def test_the_likelihood_shapes_covariances_and_neither_paths_nor_probabilities() -> None:
    paths, future, valid = made()
    _, terms = winner_takes_all(paths, future, valid, LossConfig(), (2, 4))
    assert not gradient(terms["nll"], paths.logits).any()
    of_planes = gradient(terms["nll"], paths.planes)
    assert not of_planes[:3].any()
    assert (of_planes[3:, :, valid > 0] != 0).all()
    assert not gradient(terms["classification"], paths.planes).any()
    assert gradient(terms["classification"], paths.logits).any()


def test_sets_learn_to_cover_by_themselves() -> None:
    """Futures at three places on a line, 30 %, 30 % and 40 % of them: one path alone goes to the middle, three to each
    of them; as nested sets they do both at once."""
    places = torch.cat([torch.full((30,), -10.0), torch.full((30,), 0.0), torch.full((40,), 10.0)])
    future = torch.stack([places, torch.zeros(100)], -1).unsqueeze(0)
    torch.manual_seed(0)
    x = torch.tensor([5.0, -6.0, 1.0, 6.0]).requires_grad_(True)
    optimizer = torch.optim.Adam([x], 0.1)
    zeros, one = torch.zeros(4, 1, 100), torch.ones(4, 1, 100)
    for _ in range(600):
        planes = torch.stack([x.reshape(4, 1, 1).expand(4, 1, 100), zeros, zeros, one, zeros, one])
        paths = PathTensors(planes, torch.zeros(100, 4))
        config = LossConfig(classification=0.0, likelihood=0.0)
        loss, _ = winner_takes_all(paths, future, torch.ones(1, 100), config, (1, 4))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert abs(float(x[0])) < 1.0
    assert sorted(x.tolist())[0] == pytest.approx(-10.0, abs=1.0)
    assert sorted(x.tolist())[-1] == pytest.approx(10.0, abs=1.0)


def test_what_makes_no_loss() -> None:
    with pytest.raises(ConfigError, match=r"loss\.set_weights: expected numbers from 0, not all 0"):
        LossConfig(set_weights=(0.0, 0.0))
    with pytest.raises(ConfigError, match=r"loss\.set_weights: expected numbers from 0"):
        LossConfig(set_weights=(1.0, -1.0))
    source = SourceConfig("scenes", path="scenes")
    with pytest.raises(ConfigError, match=r"one for each of model\.sets \(2\), got 3"):
        TrainConfig(
            "tiny", "Apache-2.0", False, (source,), (source,),
            model=ModelConfig(sets=(1, 6)), loss=LossConfig(set_weights=(1.0, 1.0, 1.0)),
        )  # fmt: skip
