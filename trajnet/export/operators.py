"""How operators of torch are written in ONNX where torch.onnx does it badly."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch


def plain_operators() -> dict[Callable[..., Any], Callable[..., Any]]:
    """Return translations for operators that torch.onnx exports badly.

    It unrolls plain recurrent networks: these become one RNN node for each layer. For an LSTM and a softplus it writes
    more operators than necessary.
    """
    import onnxscript

    op: Any = onnxscript.opset20

    def translate(activation: str) -> Callable[..., Any]:
        def rnn(
            sequence: Any, hx: Any, params: Any, has_biases: bool, num_layers: int, dropout: float, train: bool,
            bidirectional: bool, batch_first: bool,
        ) -> Any:  # fmt: skip
            outputs, last = sequence, []
            for layer in range(num_layers):
                w_ih, w_hh, b_ih, b_hh = params[4 * layer : 4 * layer + 4]
                start = op.Slice(hx, [layer], [layer + 1], [0])
                bias = op.Unsqueeze(op.Concat(b_ih, b_hh, axis=0), [0])
                outputs, h = op.RNN(
                    outputs, op.Unsqueeze(w_ih, [0]), op.Unsqueeze(w_hh, [0]), bias, None, start,
                    activations=[activation], hidden_size=w_hh.shape[0],
                )  # fmt: skip
                outputs = op.Squeeze(outputs, [1])
                last.append(h)
            return outputs, last[0] if len(last) == 1 else op.Concat(*last, axis=0)

        return rnn

    def lstm(
        sequence: Any, hx: Any, params: Any, has_biases: bool, num_layers: int, dropout: float, train: bool,
        bidirectional: bool, batch_first: bool,
    ) -> Any:  # fmt: skip
        assert (has_biases, bidirectional, batch_first) == (True, False, False)  # as model.recurrent makes it
        outputs, lasts = sequence, []
        for layer in range(num_layers):
            # torch's gates are i, f, g, o, those of ONNX i, o, f, c.
            gates = (op.Split(w, num_outputs=4, axis=0) for w in params[4 * layer : 4 * layer + 4])
            w_ih, w_hh, b_ih, b_hh = (op.Concat(i, o, f, g, axis=0) for i, f, g, o in gates)
            start = hx if num_layers == 1 else [op.Slice(s, [layer], [layer + 1], [0]) for s in hx]
            bias = op.Unsqueeze(op.Concat(b_ih, b_hh, axis=0), [0])
            outputs, h, c = op.LSTM(
                outputs, op.Unsqueeze(w_ih, [0]), op.Unsqueeze(w_hh, [0]), bias, None, *start,
                hidden_size=params[4 * layer + 1].shape[1],
            )  # fmt: skip
            outputs = op.Squeeze(outputs, [1])
            lasts.append((h, c))
        if num_layers == 1:
            return outputs, *lasts[0]
        return outputs, *(op.Concat(*last, axis=0) for last in zip(*lasts, strict=True))

    def softplus(values: Any, beta: float = 1.0, threshold: float = 20.0) -> Any:
        assert beta == 1.0  # as our model calls it; the threshold is for numerical stability, which ONNX has anyway
        return op.Softplus(values)

    return {
        torch.ops.aten.rnn_tanh.input: translate("Tanh"),
        torch.ops.aten.rnn_relu.input: translate("Relu"),
        torch.ops.aten.lstm.input: lstm,
        torch.ops.aten.softplus.default: softplus,
    }
