"""The unrolled flavour: recurrent layers as matrix products and gates compute what torch's own compute."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from trajnet.errors import ContractError
from trajnet.export import StepGraph, check_graph, export_model, parity
from trajnet.export.graph import example_inputs
from trajnet.export.parity import RECURRENT
from trajnet.export.unrolled import Unrolled, unrolled
from trajnet.training.encoders import recurrent
from trajnet.training.model import TrajectoryModel
from trajnet.training.model_config import ModelConfig

CELLS = ("lstm", "gru", "rnn-tanh", "rnn-relu")


def make_model(cell: str, layers: int = 1, **changes: Any) -> TrajectoryModel:
    torch.manual_seed(5)
    small = {"hidden": 16, "embedding": 12, "context": 20, "modes": 3, "decoder_stride": 4, "decoder_hidden": 24}
    return TrajectoryModel(ModelConfig(**{**small, "cell": cell, "layers": layers, **changes})).eval()


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize(("layers", "steps"), [(1, 1), (1, 5), (3, 4)])
def test_written_out_layers_compute_the_same(cell: str, layers: int, steps: int) -> None:
    torch.manual_seed(1)
    ours = recurrent(cell, 6, 9, layers)  # type: ignore[arg-type]
    for weight in ours.parameters():
        torch.nn.init.normal_(weight, std=0.4)  # biases, too, of which some are 0 at the start of a training
    state = torch.randn(layers, 7, 9), torch.randn(layers, 7, 9)
    given = state if cell == "lstm" else state[0]
    inputs = torch.randn(steps, 7, 6)
    with torch.no_grad():
        (output, after), (expected, expected_after) = Unrolled(ours)(inputs, given), ours(inputs, given)
    torch.testing.assert_close(output, expected, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(after, expected_after, atol=1e-5, rtol=1e-5)


def test_the_model_itself_stays_as_it_is() -> None:
    model = make_model("lstm")
    made = unrolled(model)
    assert isinstance(model.encoder, torch.nn.LSTM)
    assert isinstance(made.encoder, Unrolled)
    assert made.encoder.recurrent is not model.encoder
    assert made.parameter_count == model.parameter_count


@functools.cache  # exporting takes long
def written_out(cell: str) -> tuple[StepGraph, onnx.ModelProto]:
    return export_model(make_model(cell, layers=2 if cell in ("lstm", "gru") else 1), flavour="unrolled")


@pytest.mark.parametrize("cell", CELLS)
def test_every_cell_exports_without_recurrent_operators_and_agrees_with_torch(cell: str) -> None:
    graph, proto = written_out(cell)
    assert isinstance(graph.model.encoder, torch.nn.RNNBase)  # the gate holds it to torch's own layers
    count = check_graph(proto, graph, flavour="unrolled")
    assert not any(count[name] for name in RECURRENT)
    found = parity(graph, proto, batches=(1, 2, 17, 256), steps=200)
    assert found.passed, found
    with pytest.raises(ContractError, match=r"expected [23] (LSTM|GRU|RNN) operators, got 0"):
        check_graph(proto, graph)


def run(proto: onnx.ModelProto, graph: StepGraph, count: int) -> dict[str, np.ndarray]:
    session = onnxruntime.InferenceSession(proto.SerializeToString(), providers=["CPUExecutionProvider"])
    names = [i.name for i in session.get_inputs()]
    arrays = (t.numpy() for t in example_inputs(graph, count, seed=count))
    results = session.run(None, dict(zip(names, arrays, strict=True)))
    return dict(zip([o.name for o in session.get_outputs()], results, strict=True))


def test_both_flavours_have_the_same_tensors_and_results() -> None:
    graph, streaming = export_model(make_model("lstm", layers=2))
    _, other = written_out("lstm")
    for a, b in ((streaming.graph.input, other.graph.input), (streaming.graph.output, other.graph.output)):
        assert [(v.name, v.type) for v in a] == [(v.name, v.type) for v in b]
    with pytest.raises(ContractError, match="expected 0 LSTM operators, got 3"):
        check_graph(streaming, graph, flavour="unrolled")
    for count in (1, 33):
        expected, got = run(streaming, graph, count), run(other, graph, count)
        for name, values in expected.items():
            np.testing.assert_allclose(got[name], values, atol=1e-4, rtol=1e-4, err_msg=name)
