"""The gates that an exported graph has to pass: the right operators, and the same numbers as torch."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import onnx
import torch

from trajnet.columns import PATH_PLANES
from trajnet.errors import ContractError
from trajnet.export.graph import StepGraph, example_inputs
from trajnet.inference.contract import Flavour, Precision, output_tensors, state_names
from trajnet.inference.domain import Domain
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
#: Told what is being compared, how many comparisons are done, and of how many.
Progress = Callable[[str, int, int], None]
_FORBIDDEN = ("Loop", "Scan", "If")


@dataclass(frozen=True)
class Parity:
    """The greatest difference of any path point in m, over batches of several sizes and over recurrent steps.

    batches: how many batches were compared. steps: how many recurrent steps.
    """

    batch_max_error_m: float
    recurrent_max_error_m: float
    batches: int
    steps: int

    @property
    def max_error_m(self) -> float:
        """The larger of the two errors."""
        return _worse(self.batch_max_error_m, self.recurrent_max_error_m)

    @property
    def passed(self) -> bool:
        """Whether the error is a number of at most MAX_ERROR_M."""
        return bool(self.max_error_m <= MAX_ERROR_M)


def _worse(a: float, b: float) -> float:
    """Return the larger error; NaN counts as larger than any number."""
    return float(np.maximum(a, b))


def check_graph(
    proto: onnx.ModelProto, graph: StepGraph, *, precision: Precision = "fp32", flavour: Flavour = "streaming"
) -> Counter[str]:
    """Count the operators.

    Raises ContractError unless there is no control flow and one recurrent operator for each layer of encoder and
    decoder (for int8 ONNX Runtime's own, of the domain com.microsoft; none in the flavour unrolled).
    """
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
    domain: Domain | None = None,
    progress: Progress = lambda what, done, total: None,
) -> Parity:
    """Run torch and ONNX Runtime side by side on batches of these sizes, and for steps that feed each its own state.

    domain: what the model was trained on; physics answers the rest, which is not compared. progress: told of both what
    it is, how many are done, and of how many.
    """
    both = _Both(graph, proto, domain)
    with torch.inference_mode():
        sizes = list(batches)
        batch_m = _batch_error_m(both, sizes, progress)
        recurrent_m = _recurrent_error_m(both, steps, progress)
    return Parity(batch_m, recurrent_m, len(sizes), steps)


class _Both:
    """The same graph in torch and in ONNX Runtime on one CPU thread."""

    def __init__(self, graph: StepGraph, proto: onnx.ModelProto, domain: Domain | None) -> None:
        onnxruntime = import_onnxruntime()
        self.domain = domain
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.log_severity_level = 3
        self.graph = graph
        self.session = onnxruntime.InferenceSession(
            proto.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )
        self.inputs = [i.name for i in self.session.get_inputs()]
        self.paths = [t.name for t in output_tensors(1, 1)]
        self.states = [f"{s}_next" for s in state_names(graph.model.config.cell)]

    def run(
        self, inputs: tuple[torch.Tensor, ...], onnx_state: list[np.ndarray] | None = None
    ) -> tuple[float, list[torch.Tensor], list[np.ndarray]]:
        """Return the largest difference of a path point in m, and the next state of torch and of ONNX Runtime.

        inputs: of the graph, the state last. onnx_state: ONNX Runtime's own state instead of that in inputs.
        """
        arrays = [t.numpy() for t in inputs]
        if onnx_state is not None:
            arrays[len(arrays) - len(self.states) :] = onnx_state
        got = self.session.run(self.paths + self.states, dict(zip(self.inputs, arrays, strict=True)))
        expected = self.graph(*inputs)
        error_m = np.abs(got[0] - expected[0].numpy())[PATH_PLANES.position_m]
        count = len(self.paths)
        return float(error_m.max()), list(expected[count:]), got[count:]


def _batch_error_m(both: _Both, sizes: Sequence[int], progress: Progress) -> float:
    worst_m = 0.0
    for done, size in enumerate(sizes, start=1):
        worst_m = _worse(worst_m, both.run(example_inputs(both.graph, size, seed=size, domain=both.domain))[0])
        progress("torch against ONNX Runtime, batches", done, len(sizes))
    return worst_m


def _recurrent_error_m(both: _Both, steps: int, progress: Progress) -> float:
    """Return the largest error over steps in which each side goes on from its own state; a few tracks begin anew."""
    worst_m, count = 0.0, 16
    torch_state: list[torch.Tensor] | None = None
    onnx_state: list[np.ndarray] | None = None
    for step in range(steps):
        born = 0.0 if step % 100 else 0.2
        inputs = example_inputs(both.graph, count, seed=10_000 + step, born=born, domain=both.domain)
        if torch_state is not None:
            kept = 1.0 - unpacked(inputs[0]).reset.unsqueeze(1)
            torch_state = [state * kept for state in torch_state]
            onnx_state = [state * kept.numpy() for state in onnx_state or []]
            inputs = (*inputs[: len(inputs) - len(both.states)], *torch_state)
        error_m, torch_state, onnx_state = both.run(inputs, onnx_state)
        worst_m = _worse(worst_m, error_m)
        progress("torch against ONNX Runtime, steps", step + 1, steps)
    return worst_m
