"""Half precision on a graph of five nodes, where every cast can be said beforehand."""

from __future__ import annotations

from typing import cast

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import nn

from trajnet.export.graph import StepGraph
from trajnet.export.precision import to_half

PICK = np.eye(3, 2, dtype=np.float32)
FIRST, SECOND = (np.arange(4, dtype=np.float32).reshape(2, 2) + offset for offset in (1.0, 5.0))


class Constants(nn.Module):
    """Stands for what the graph was exported from: the matrix that picks columns out is not learned."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("pick", torch.from_numpy(PICK))


def five_nodes() -> onnx.ModelProto:
    """x (N, 3) -> two of its columns -> layer -> Relu -> layer -> Exp -> y (N, 2). The Relu's result is an output."""
    nodes = [
        helper.make_node("MatMul", ["x", "pick"], ["columns"]),
        helper.make_node("MatMul", ["columns", "first"], ["hidden"]),
        helper.make_node("Relu", ["hidden"], ["active"]),
        helper.make_node("MatMul", ["active", "second"], ["score"]),
        helper.make_node("Exp", ["score"], ["y"]),
    ]
    weights = [numpy_helper.from_array(a, n) for n, a in (("pick", PICK), ("first", FIRST), ("second", SECOND))]
    shapes: dict[str, list[str | int | None]] = {"x": ["N", 3], "y": ["N", 2], "active": ["N", 2]}
    values = {n: helper.make_tensor_value_info(n, TensorProto.FLOAT, shape) for n, shape in shapes.items()}
    graph = helper.make_graph(nodes, "five", [values["x"]], [values["y"], values["active"]], weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)


def test_layers_and_what_is_between_them_are_in_half_precision_with_casts_around() -> None:
    made = to_half(five_nodes(), cast("StepGraph", Constants())).graph
    assert [(n.op_type, list(n.input), list(n.output)) for n in made.node] == [
        ("MatMul", ["x", "pick"], ["columns"]),  # picks columns: no layer
        ("Cast", ["columns"], ["columns.half"]),
        ("MatMul", ["columns.half", "first.half"], ["hidden.half"]),
        ("Relu", ["hidden.half"], ["active.half"]),
        ("Cast", ["active.half"], ["active"]),  # an output: back to float32
        ("MatMul", ["active.half", "second.half"], ["score.half"]),
        ("Cast", ["score.half"], ["score"]),  # Exp stays in float32
        ("Exp", ["score"], ["y"]),
    ]
    weights = {i.name: numpy_helper.to_array(i) for i in made.initializer}
    assert {name: w.dtype for name, w in weights.items()} == {
        "pick": np.float32, "first.half": np.float16, "second.half": np.float16,
    }  # fmt: skip
    assert weights["second.half"].tolist() == SECOND.tolist()


def test_the_graph_that_is_given_stays_as_it_is() -> None:
    proto = five_nodes()
    before = proto.SerializeToString()
    to_half(proto, cast("StepGraph", Constants()))
    assert proto.SerializeToString() == before
