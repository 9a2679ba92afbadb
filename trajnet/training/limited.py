"""Limits that a value can come back from: clamps whose gradient passes where it leads back inside."""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import Tensor


def at_least(value: Tensor, lowest: Tensor, learning: bool) -> Tensor:
    """Return the larger of value and lowest, which broadcast.

    learning: for training. A plain maximum has no gradient for what is below, so a value that a step threw there stays
    for good; here it has that part of the gradient by which it rises. lowest is a constant then.
    """
    if not learning:
        return torch.maximum(value, lowest)
    return cast(Tensor, _AtLeast.apply(value, lowest.detach()))  # type: ignore[no-untyped-call]


def within(value: Tensor, limit: float, learning: bool) -> Tensor:
    """Return value between -limit and limit. learning: see at_least; with what is above likewise."""
    if not learning:
        return torch.clamp(value, -limit, limit)
    lowest = value.new_tensor(-limit)
    return -at_least(-at_least(value, lowest, learning), lowest, learning)


class _AtLeast(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, value: Tensor, lowest: Tensor) -> Tensor:
        ctx.save_for_backward(value < lowest)
        return torch.maximum(value, lowest)

    @staticmethod
    def backward(ctx: Any, *grad: Tensor) -> tuple[Tensor, None]:
        (below,) = ctx.saved_tensors
        return torch.where(below, grad[0].clamp(max=0.0), grad[0]), None  # a descent along it does not fall
