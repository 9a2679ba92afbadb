"""Why the cell is a choice: what becomes of a gradient on its way back through time, and what each remedy does.

A plain network's gradient vanishes or explodes with the length of the history; identity initialisation with zero bias
and rectified activation carries it unchanged, gates keep it, clipping bounds it.
"""

import pytest
import torch

from trajnet.training.encoders import recurrent

HIDDEN, STEPS, COUNT = 32, 100, 8


def gradient_through_time(network: torch.nn.RNNBase) -> float:
    """Norm of d(sum of last output)/d(first input), relative to the same for the last input."""
    torch.manual_seed(0)
    sequence = 0.1 * torch.randn(STEPS, COUNT, HIDDEN)
    sequence.requires_grad_(True)
    output, _ = network(sequence)
    output[-1].sum().backward()
    assert sequence.grad is not None
    return float(sequence.grad[0].norm() / sequence.grad[-1].norm())


def made(cell: str) -> torch.nn.RNNBase:
    torch.manual_seed(1)
    return recurrent(cell, HIDDEN, HIDDEN, 1)  # type: ignore[arg-type]


def test_plain_tanh_forgets_the_beginning() -> None:
    assert gradient_through_time(made("rnn-tanh")) < 1e-10


def test_identity_start_carries_the_gradient_unchanged() -> None:
    network = made("rnn-relu")
    weights = dict(network.named_parameters())
    assert torch.equal(weights["weight_hh_l0"], torch.eye(HIDDEN))
    assert not weights["bias_hh_l0"].any()
    assert not weights["bias_ih_l0"].any()
    assert 0.1 < gradient_through_time(network) < 10.0


def test_gates_keep_what_the_plain_network_loses() -> None:
    plain = gradient_through_time(made("rnn-tanh"))
    assert gradient_through_time(made("lstm")) > 1e3 * plain
    assert gradient_through_time(made("gru")) > 1e3 * plain


def test_forget_gate_starts_open() -> None:
    weights = dict(made("lstm").named_parameters())
    bias = weights["bias_ih_l0"] + weights["bias_hh_l0"]
    assert torch.equal(bias[HIDDEN : 2 * HIDDEN], torch.ones(HIDDEN))


@pytest.mark.parametrize("clip", [0.5, 1.0])
def test_a_large_recurrent_matrix_explodes_and_clipping_bounds_the_step(clip: float) -> None:
    network = made("rnn-relu")
    with torch.no_grad():
        dict(network.named_parameters())["weight_hh_l0"].mul_(1.2)
    assert gradient_through_time(network) > 1e6
    before = torch.nn.utils.clip_grad_norm_(network.parameters(), clip)
    assert before > 1e6
    after = torch.linalg.vector_norm(torch.stack([p.grad.norm() for p in network.parameters() if p.grad is not None]))
    assert float(after) == pytest.approx(clip, rel=1e-3)
