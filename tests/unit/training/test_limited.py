"""Limits: the same values as a clamp, and in training a gradient that leads back inside and none that leads out."""

from __future__ import annotations

import pytest
import torch

from trajnet.training.limited import at_least, within


@pytest.mark.parametrize("learning", [False, True])
def test_the_values_are_those_of_a_clamp(learning: bool) -> None:
    value = torch.tensor([-12.0, -8.0, -0.3, 4.0, 8.0, 9.0])
    assert torch.equal(within(value, 8.0, learning), torch.clamp(value, -8.0, 8.0))
    assert torch.equal(at_least(value, torch.tensor(-8.0), learning), torch.clamp(value, min=-8.0))


@pytest.mark.parametrize(
    ("value", "downhill", "expected"),
    [(-9.0, 1.0, 0.0), (-9.0, -1.0, -1.0), (9.0, 1.0, 1.0), (9.0, -1.0, 0.0), (3.0, 1.0, 1.0), (3.0, -1.0, -1.0)],
)
def test_what_is_outside_can_come_back_and_not_go_further(value: float, downhill: float, expected: float) -> None:
    """A descent moves against the gradient: at -9 one of -1 rises, one of 1 would fall."""
    raw = torch.tensor(value, requires_grad=True)
    (downhill * within(raw, 8.0, learning=True)).backward()
    assert raw.grad is not None
    assert float(raw.grad) == expected


def test_a_descent_brings_a_value_back_that_a_clamp_loses() -> None:
    def after(learning: bool) -> float:
        raw = torch.tensor(-15.0, requires_grad=True)
        step = torch.optim.SGD([raw], lr=0.2)
        for _ in range(40):
            step.zero_grad()
            (within(raw, 8.0, learning) - 2.0).square().backward()
            step.step()
        return raw.item()

    assert after(learning=False) == -15.0
    assert after(learning=True) == pytest.approx(2.0, abs=0.5)


def test_the_lower_limit_does_not_learn_from_what_it_holds() -> None:
    lowest = torch.tensor([1.0, 1.0], requires_grad=True)
    value = torch.tensor([0.0, 2.0], requires_grad=True)
    at_least(value, lowest, learning=True).sum().backward()
    assert lowest.grad is None
    assert value.grad is not None
    assert value.grad.tolist() == [0.0, 1.0]
