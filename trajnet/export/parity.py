"""The gates between a graph and the road: the right operators, and the same numbers as torch."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import onnx
import torch

from trajnet.columns import PATH_PLANES
from trajnet.errors import ContractError
from trajnet.export.graph import StepGraph, example_inputs
from trajnet.inference.contract import Flavour, Precision, output_tensors, state_names
from trajnet.inference.onnx.session import import_onnxruntime
from trajnet.training.model_input import unpacked

#: The most that ONNX Runtime may differ from torch, in metres.
MAX_ERROR_M = 1e-3
RECURRENT_STEPS = 500
_OPERATOR = {"lstm": "LSTM", "gru": "GRU", "rnn-tanh": "RNN", "rnn-relu": "RNN"}
#: ONNX Runtime's LSTM with weights of 8 bits.
QUANTISED = "DynamicQuantizeLSTM"
#: Every operator that is a recurrent layer.
RECURRENT = ("LSTM", "GRU", "RNN", QUANTISED)
_FORBIDDEN = ("Loop", "Scan", "If")


@dataclass(frozen=True)
class Parity:
    """The greatest difference of any path point in metres, over batch sizes 1..256 and over 500 recurrent steps."""

    batch_max_error_m: float
    recurrent_max_error_m: float
    batches: int
    steps: int

    @property
    def max_error_m(self) -> float:
        return _worse(self.batch_max_error_m, self.recurrent_max_error_m)

    @property
    def passed(self) -> bool:
        return bool(self.max_error_m <= MAX_ERROR_M)


def _worse(a: float, b: float) -> float:
    """The larger error; not a number is worse than any."""
    return float(np.maximum(a, b))


def check_graph(
    proto: onnx.ModelProto, graph: StepGraph, *, precision: Precision = "fp32", flavour: Flavour = "streaming"
) -> Counter[str]:
    """Count the operators. Raises ContractError unless there is no control flow, and one recurrent operator for each
    layer of encoder and decoder (in 8 bits: ONNX Runtime's own, of the domain com.microsoft); none where unrolled."""
    count: Counter[str] = Counter(node.op_type for node in proto.graph.node)
    config = graph.model.config
    expected = dict.fromkeys(RECURRENT, 0)
    if flavour == "streaming":
        expected[QUANTISED if precision == "int8" else _OPERATOR[config.cell]] = config.layers + 1
    for operator, number in expected.items():
        if count[operator] != number:
            raise ContractError(f"graph: expected {number} {operator} operators, got {count[operator]}")
    found = [name for name in _FORBIDDEN if count[name]]
    if found:
        raise ContractError(f"graph: expected no control flow, got {', '.join(found)}")
    return count


def parity(
    graph: StepGraph,
    proto: onnx.ModelProto,
    *,
    batches: Iterable[int] = range(1, 257),
    steps: int = RECURRENT_STEPS,
    progress: Callable[[str], None] = lambda text: None,
) -> Parity:
    """Run torch and ONNX Runtime side by side. The recurrent run feeds each its own state back."""
    onnxruntime = import_onnxruntime()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(proto.SerializeToString(), options, providers=["CPUExecutionProvider"])
    names = [i.name for i in session.get_inputs()]
    paths = [t.name for t in output_tensors(1, 1)]
    states = [f"{s}_next" for s in state_names(graph.model.config.cell)]

    def both(
        inputs: tuple[torch.Tensor, ...], onnx_state: list[np.ndarray] | None
    ) -> tuple[float, list[torch.Tensor], list[np.ndarray]]:
        arrays = [t.numpy() for t in inputs]
        if onnx_state is not None:
            arrays[len(arrays) - len(states) :] = onnx_state
        got = session.run(paths + states, dict(zip(names, arrays, strict=True)))
        expected = graph(*inputs)
        error_m = np.abs(got[0] - expected[0].numpy())[PATH_PLANES.position_m]
        return float(error_m.max()), list(expected[len(paths) :]), got[len(paths) :]

    with torch.inference_mode():
        worst_batch, sizes = 0.0, list(batches)
        for size in sizes:
            worst_batch = _worse(worst_batch, both(example_inputs(graph, size, seed=size), None)[0])
            if size % 64 == 0:
                progress(f"N = {size}: {worst_batch:.2e} m")
        worst_step, count = 0.0, 16
        torch_state: list[torch.Tensor] | None = None
        onnx_state: list[np.ndarray] | None = None
        for step in range(steps):
            inputs = example_inputs(graph, count, seed=10_000 + step, born=0.0 if step % 100 else 0.2)
            if torch_state is not None:
                kept = 1.0 - unpacked(inputs[0]).reset.unsqueeze(1)
                torch_state = [state * kept for state in torch_state]
                onnx_state = [state * kept.numpy() for state in onnx_state or []]
                inputs = (*inputs[: len(inputs) - len(states)], *torch_state)
            error, torch_state, onnx_state = both(inputs, onnx_state)
            worst_step = _worse(worst_step, error)
            if (step + 1) % 250 == 0:
                progress(f"step {step + 1}: {worst_step:.2e} m")
    return Parity(worst_batch, worst_step, len(sizes), steps)
