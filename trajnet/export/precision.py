"""The same graph in a lower precision: half for GPUs, 8 bits in the LSTM operators for CPUs.

Inputs and outputs stay float32, so the contract's tensors do not change. ``trajnet.protocols.precision_gate`` decides
on recorded objects whether a variant is good enough.

Half precision has 11 bits and ends at 65504. That is enough for the network between features and heads, but not for the
computations before and after it. These are a small part of the work and stay in float32:

- features: yaw angles come in with a resolution of 0.002 rad at 3 rad, constants like the 1e-6 under a root vanish;
- attention weights: exp of scores up to 20 is above 65504;
- the kinematics: sums over the knots and their sine and cosine, where half has steps of 6 cm at 100 m;
- covariances: squares of up to 100 m overflow, and the 4e-6 that keeps them positive definite is lost beside 1.

``onnxruntime.transformers.float16`` is not used: it casts the output of every operator that it leaves in float32 to
half at once, and back for the next one, so none of these would be safe. With the same operators excluded, it differed
from torch by 1.2 m where this differs by 0.14 m (50 steps of made-up inputs), with 20 times as many casts.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from trajnet.errors import ConfigError, ContractError
from trajnet.export.graph import StepGraph
from trajnet.inference.contract import Precision

_RECURRENT = ("LSTM", "GRU", "RNN")
#: Operators that only reshape or transpose an input before columns are picked out of it.
_REARRANGING = ("Identity", "Reshape", "Transpose", "Unsqueeze")
#: Operators that may follow a layer in half precision, if all their inputs are half and another layer takes the result.
_FOLLOWING = {
    "Add", "Concat", "Identity", "Mul", "Relu", "Reshape", "Sigmoid", "Slice", "Split", "Squeeze", "Sub", "Tanh",
    "Transpose", "Unsqueeze",
}  # fmt: skip
_HALF = ".half"


def in_precision(proto: onnx.ModelProto, graph: StepGraph, precision: Precision) -> onnx.ModelProto:
    """Return the exported float32 graph in this precision; fp32: itself. Raises ConfigError if it has none."""
    if precision == "fp16":
        return to_half(proto, graph)
    if precision == "int8":
        return to_int8(proto)
    return proto


def to_half(proto: onnx.ModelProto, step: StepGraph) -> onnx.ModelProto:
    """Return a copy in which layers, and the operators between them, have weights and arithmetic in half precision.

    step: the graph in torch. Products with its constants (columns picked out of an observation, sums of products, sums
    over the knots) are no layers and stay as they are. Raises ContractError if the result is no valid model.
    """
    model = onnx.shape_inference.infer_shapes(proto)
    graph = model.graph
    tensors = _float_tensors(graph)
    constants = [values.numpy() for values in step.buffers() if values.dim() == 2]
    half = _tensors_in_half(graph, tensors, _layers(graph, tensors.weights, constants))
    nodes = _nodes_in_half(graph, tensors, half)
    del graph.node[:]
    graph.node.extend(nodes)
    return _tidied(model)


def to_int8(proto: onnx.ModelProto) -> onnx.ModelProto:
    """Return a copy whose LSTM operators have weights of 8 bits and inputs that are quantised at run time.

    Only these operators, per channel and with a reduced range: no other variant that was measured kept the error below
    half a percent. Raises ConfigError for a graph without LSTM operators.
    """
    from onnxruntime.quantization import QuantType, quantize_dynamic
    from onnxruntime.quantization.quant_utils import add_pre_process_metadata

    if not any(node.op_type == "LSTM" for node in proto.graph.node):
        raise ConfigError(
            "precision int8: expected a model whose cell is lstm, in the streaming flavour, got one without LSTM "
            "operators; ONNX Runtime quantises no other recurrent operator"
        )
    copy = onnx.ModelProto()
    copy.CopyFrom(proto)
    add_pre_process_metadata(copy)  # onnxslim has done what the warning about it asks for
    with tempfile.TemporaryDirectory(prefix="trajnet-int8-") as folder:
        path = Path(folder) / "int8.onnx"
        quantize_dynamic(
            copy, str(path), op_types_to_quantize=["LSTM"], per_channel=True, reduce_range=True,
            weight_type=QuantType.QInt8,
        )  # fmt: skip
        quantised = onnx.load(path)
    # Only these operators are taken from the result: it also splits every Gemm into a product and a sum.
    made = {node.output[0]: node for node in quantised.graph.node if node.op_type == "DynamicQuantizeLSTM"}
    weights = {i.name: i for i in quantised.graph.initializer}
    known = {i.name for i in copy.graph.initializer}
    for node in copy.graph.node:
        if node.op_type == "LSTM":
            node.CopyFrom(made[node.output[0]])
            copy.graph.initializer.extend(weights[n] for n in node.input if n in weights and n not in known)
            known.update(node.input)
    copy.opset_import.append(helper.make_opsetid("com.microsoft", 1))
    return _tidied(copy)


@dataclass(frozen=True)
class _FloatTensors:
    """A graph's float32 tensors: its weights by name, and the names of all others (inputs, results of nodes)."""

    weights: dict[str, TensorProto]
    computed: set[str]


def _float_tensors(graph: onnx.GraphProto) -> _FloatTensors:
    weights = {i.name: i for i in graph.initializer if i.data_type == TensorProto.FLOAT}
    values = (*graph.input, *graph.output, *graph.value_info)
    floats = {v.name for v in values if v.type.tensor_type.elem_type == TensorProto.FLOAT}
    return _FloatTensors(weights, floats - set(weights))


def _layers(
    graph: onnx.GraphProto, weights: dict[str, TensorProto], constants: Sequence[NDArray[np.float32]]
) -> list[onnx.NodeProto]:
    """Return the nodes that are layers of the network, see _is_layer."""
    rearranged_inputs = {i.name for i in graph.input}
    for node in graph.node:
        if node.op_type in _REARRANGING and node.input[0] in rearranged_inputs:
            rearranged_inputs.update(node.output)
    return [n for n in graph.node if _is_layer(n, rearranged_inputs, weights, constants)]


def _is_layer(
    node: onnx.NodeProto, given: set[str], weights: dict[str, TensorProto], constants: Sequence[NDArray[np.float32]]
) -> bool:
    """Whether the node is a layer of the network: a recurrent one, or a product with a matrix that is learned.

    given: the graph's inputs; products with them pick columns out. constants: matrices that are not learned.
    """
    if node.op_type in _RECURRENT:
        return True
    if node.op_type not in ("MatMul", "Gemm"):
        return False
    matrices = [numpy_helper.to_array(weights[name]) for name in node.input[:2] if name in weights]
    fixed = any(np.array_equal(m, c) or np.array_equal(m, c.T) for m in matrices for c in constants)
    return not fixed and given.isdisjoint(node.input) and any(m.ndim >= 2 for m in matrices)


def _tensors_in_half(graph: onnx.GraphProto, tensors: _FloatTensors, layers: Sequence[onnx.NodeProto]) -> set[str]:
    """Return the names of the tensors to compute in half precision: results of layers, and those between two layers."""
    of_layers = {n.output[0] for n in layers}
    wanted = _before(layers, graph)
    half: set[str] = set()
    for node in graph.node:
        taken = tensors.computed.intersection(node.input)
        follows = node.op_type in _FOLLOWING and taken and taken <= half and wanted.intersection(node.output)
        if follows or node.output[0] in of_layers:
            half.update(name for name in node.output if name)
    return half


def _taken_in_float32(graph: onnx.GraphProto, half: set[str]) -> set[str]:
    """Return the names of the tensors in half precision that are outputs or inputs of a node left in float32."""
    in_float32 = {o.name for o in graph.output}
    for node in graph.node:
        if half.isdisjoint(node.output):
            in_float32.update(node.input)
    return in_float32 & half


def _nodes_in_half(graph: onnx.GraphProto, tensors: _FloatTensors, half: set[str]) -> list[onnx.NodeProto]:
    """Return the graph's nodes with casts around those in half precision, and add their half weights to the graph."""
    back_to_float32 = _taken_in_float32(graph, half)
    nodes: list[onnx.NodeProto] = []
    converted: set[str] = set()  # weights and float32 tensors of which there is a half version
    for node in graph.node:
        if half.isdisjoint(node.output):
            nodes.append(node)
            continue
        new = [name for name in dict.fromkeys(node.input) if name not in converted]
        converted.update(new)
        graph.initializer.extend(_half_weight(tensors.weights[name]) for name in new if name in tensors.weights)
        nodes += [_cast_to_half(name) for name in new if name in tensors.computed - half]
        back = [name for name in node.output if name in back_to_float32]
        _rename_to_half(node, tensors)
        nodes.append(node)
        nodes += [_cast_to_float32(name) for name in back]
    return nodes


def _rename_to_half(node: onnx.NodeProto, tensors: _FloatTensors) -> None:
    """Rename the node's float inputs and outputs to their half versions; other types and empty names stay."""
    floats = tensors.computed.union(tensors.weights)
    node.input[:] = [name + _HALF if name in floats else name for name in node.input]
    node.output[:] = [name and name + _HALF for name in node.output]


def _half_weight(weight: TensorProto) -> TensorProto:
    return numpy_helper.from_array(numpy_helper.to_array(weight).astype(np.float16), weight.name + _HALF)


def _cast_to_half(name: str) -> onnx.NodeProto:
    return helper.make_node("Cast", [name], [name + _HALF], name + _HALF, to=TensorProto.FLOAT16)


def _cast_to_float32(name: str) -> onnx.NodeProto:
    return helper.make_node("Cast", [name + _HALF], [name], f"{name}.float32", to=TensorProto.FLOAT)


def _before(layers: Iterable[onnx.NodeProto], graph: onnx.GraphProto) -> set[str]:
    """Return every tensor that an input of these layers depends on, these inputs included."""
    made_by = {name: node for node in graph.node for name in node.output}
    found: set[str] = set()
    todo = [name for node in layers for name in node.input]
    while todo:
        name = todo.pop()
        if name in found:
            continue
        found.add(name)
        if name in made_by:
            todo.extend(made_by[name].input)
    return found


def _tidied(model: onnx.ModelProto) -> onnx.ModelProto:
    """Remove unused weights and the old types of tensors, and check the model. Raises ContractError."""
    used = {name for node in model.graph.node for name in node.input}
    kept = [i for i in model.graph.initializer if i.name in used]
    del model.graph.initializer[:]
    model.graph.initializer.extend(kept)
    del model.graph.value_info[:]
    del model.metadata_props[:]
    try:
        onnx.checker.check_model(model)
    except onnx.checker.ValidationError as error:
        raise ContractError(f"graph: expected a valid model after the change of precision, got: {error}") from error
    return model
