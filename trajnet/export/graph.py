"""The single-step graph and its export."""

from __future__ import annotations

import contextlib
import hashlib
import io
import logging
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxslim
import torch
from torch import Tensor, nn

from trajnet.columns import INPUT_COLUMNS, NEIGHBOUR_COLUMNS, PATH_PLANES
from trajnet.config import from_dict
from trajnet.context.map_field import INT8_MAX
from trajnet.errors import ConfigError
from trajnet.export.operators import plain_operators
from trajnet.export.unrolled import unrolled
from trajnet.geometry import interpolation_matrix, linear_matrix
from trajnet.inference.contract import (
    CARD_KEY,
    CONTRACT_KEY,
    CONTRACT_VERSION,
    Contract,
    Flavour,
    Training,
    observation_tensors,
    output_tensors,
    state_names,
    surroundings_tensors,
)
from trajnet.inference.domain import Domain
from trajnet.tracking.plausibility import max_speed_mps
from trajnet.training.config import TrainConfig
from trajnet.training.model import TrajectoryModel
from trajnet.training.model_input import ModelInput
from trajnet.training.tensors import ContextTensors
from trajnet.types import CLASS_NAMES, FloatArray
from trajnet.whole_file import whole_file

log = logging.getLogger(__name__)

#: From opset 22 on the CUDA provider may have no LSTM kernel.
OPSET = 20
#: Standard deviation of the present position, from which the covariance grows to the first knot (m).
START_SIGMA_M = 0.1


class StepGraph(nn.Module):
    """``TrajectoryModel.step`` with the contract's tensors: observation and state in, paths and next state out.

    time_s (T,): the future times of the paths; others than the model's own knots are interpolated inside the graph,
    each plane by one matrix product (Catmull-Rom for the path, linear for covariances, which keeps them valid).
    Raises ConfigError for times beyond the model's horizon.
    """

    def __init__(self, model: TrajectoryModel, time_s: FloatArray | None = None) -> None:
        super().__init__()
        self.model = model
        knots = np.array(model.config.time_s)
        self.time_s = knots if time_s is None else np.asarray(time_s, dtype=np.float64)
        self.resample = not np.array_equal(self.time_s, knots)
        self.path_matrix: Tensor
        self.spread_matrix: Tensor
        if self.resample:
            if self.time_s[0] <= 0 or self.time_s[-1] > knots[-1] + 1e-9:
                raise ConfigError(
                    f"output times: expected within (0, {knots[-1]}] s, got {self.time_s[0]} to {self.time_s[-1]} s"
                )
            grid = np.concatenate([[0.0], knots])
            linear, path = linear_matrix(grid, self.time_s), interpolation_matrix(grid, self.time_s)
            self.register_buffer("path_matrix", torch.tensor(path, dtype=torch.float32))
            self.register_buffer("spread_matrix", torch.tensor(linear, dtype=torch.float32))

    def forward(self, *tensors: Tensor) -> tuple[Tensor, ...]:
        observed, surroundings, state = split_inputs(self.model, tensors)
        paths, next_state = self.model.step(observed, surroundings, state)
        planes = paths.planes
        if self.resample:
            zero, yaw_rad = torch.zeros_like(planes[:1, :, :1]), observed[:, INPUT_COLUMNS.yaw_rad.start]
            variance_m2 = zero + START_SIGMA_M**2
            here = torch.cat([zero, zero, zero + yaw_rad, variance_m2, zero, variance_m2])
            pose, spread = torch.split(torch.cat([here, planes], 2), PATH_PLANES.covariance_m2.start)
            planes = torch.cat([torch.matmul(self.path_matrix, pose), torch.matmul(self.spread_matrix, spread)])
        return (planes, torch.softmax(paths.logits, dim=1), *next_state)


def split_inputs(
    model: TrajectoryModel, tensors: Sequence[Tensor]
) -> tuple[Tensor, ContextTensors, tuple[Tensor, ...]]:
    """Return the graph's inputs, in the contract's order, as observation, surroundings and state of the model.

    Surroundings that the model does not need are empty tensors.
    """
    observed, *rest = tensors
    names = [t.name for t in surroundings_tensors(model.config.requirements)]
    given = dict(zip(names, rest[: len(names)], strict=True))
    surroundings = ContextTensors(*(given.get(name, observed.new_zeros(0)) for name in ContextTensors._fields))
    return observed, surroundings, tuple(rest[len(names) :])


def example_inputs(
    graph: StepGraph, count: int, seed: int = 0, *, born: float = 0.2, domain: Domain | None = None
) -> tuple[Tensor, ...]:
    """Return plausible inputs in the contract's order for ``count`` tracks. born: share of them that are new.

    Nothing moves faster than the store lets its class move (see tracking.plausibility): the errors of a path grow with
    its length, and a walker at 20 m/s is never asked about. domain: what physics answers is not asked about either,
    other classes than the trained ones and higher speeds than are served.
    """
    draw = torch.Generator().manual_seed(seed)
    config = graph.model.config
    limits_mps = max_speed_mps(np.arange(len(CLASS_NAMES), dtype=np.int8))
    served = torch.arange(len(CLASS_NAMES))
    if domain is not None:
        limits_mps = np.minimum(limits_mps, [domain.served_speed_mps(name) for name in CLASS_NAMES])
        served = torch.tensor([CLASS_NAMES.index(name) for name in domain.trained_classes])

    def normal(*shape: int, scale: float = 1.0) -> Tensor:
        return scale * torch.randn(*shape, generator=draw)

    def within(vectors: Tensor, limit: Tensor) -> Tensor:
        return vectors * torch.clamp(limit / torch.linalg.vector_norm(vectors, dim=-1), max=1.0).unsqueeze(-1)

    reset = (torch.rand(count, generator=draw) < born).float()
    measured_mps, steady_mps = normal(count, 2, scale=8.0), normal(count, 2, scale=8.0)
    moved_m = normal(count, 2)
    seen = ModelInput(
        displacement_m=moved_m,
        velocity_mps=measured_mps,
        steady_velocity_mps=steady_mps,
        yaw_rad=normal(count, scale=2.0),
        previous_yaw_rad=normal(count, scale=2.0),
        dt_s=0.05 + torch.rand(count, generator=draw),
        reset=reset,
        velocity_valid=(torch.rand(count, generator=draw) < 0.5).float(),
        size_m=0.5 + 5.0 * torch.rand(count, 2, generator=draw),
        map_valid=(torch.rand(count, generator=draw) < 0.5).float(),
        object_class=served[torch.randint(len(served), (count,), generator=draw)],
    )
    fastest_mps = torch.tensor(limits_mps, dtype=torch.float32)[seen.object_class]
    seen = seen._replace(
        displacement_m=within(moved_m, fastest_mps * seen.dt_s),
        velocity_mps=within(measured_mps, fastest_mps),
        steady_velocity_mps=within(steady_mps, fastest_mps),
    )
    surroundings = []
    for tensor in surroundings_tensors(config.requirements):
        shape = [count if n == "N" else int(n) for n in tensor.shape]
        if tensor.dtype == "int8":
            surroundings.append(torch.randint(-INT8_MAX, INT8_MAX + 1, shape, generator=draw, dtype=torch.int8))
        else:
            neighbours = normal(*shape, scale=5.0)
            neighbours[..., NEIGHBOUR_COLUMNS.valid] = 1.0
            surroundings.append(neighbours * (torch.rand(*shape[:-1], 1, generator=draw) < 0.5))
    kept = (1.0 - reset).unsqueeze(1)
    state = (kept * normal(config.layers, count, config.hidden, scale=0.5) for _ in state_names(config.cell))
    return (seen.packed(), *surroundings, *state)


def make_contract(
    graph: StepGraph, config: TrainConfig, about: dict[str, Any], data: bytes, flavour: Flavour = "streaming"
) -> Contract:
    """Return the contract of an exported graph. data: its bytes before any metadata; their hash is the model's id.

    about: what the checkpoint says of the run; one of an unfinished run states no domain.
    """
    model, domain = config.model, about.get("domain")
    digest = hashlib.sha256(data).hexdigest()[:12]
    sources = tuple(" ".join(filter(None, (s.kind, s.path, s.split))) for s in config.train)
    history_s = max(source.trained_history_s for source in config.train)
    return Contract(
        version=CONTRACT_VERSION,
        name=config.name,
        model_id=digest,
        git_revision=about["git_revision"],
        cell=model.cell,
        layers=model.layers,
        hidden=model.hidden,
        modes=model.modes,
        time_s=tuple(round(float(t), 9) for t in graph.time_s),
        classes=CLASS_NAMES,
        uses_velocity=model.uses_velocity,
        needs=model.requirements,
        training=Training(
            datasets=sources,
            licence=config.licence,
            non_commercial=config.non_commercial,
            seed=config.seed,
            epochs=int(about["epochs_done"]),
            windows=int(about["windows"]),
            duration_s=round(float(about["duration_s"]), 1),
            history_s=history_s,
        ),
        flavour=flavour,
        domain=None if domain is None else from_dict(Domain, domain, f"{config.name}: domain"),
    )


def export_model(
    model: TrajectoryModel, time_s: FloatArray | None = None, *, flavour: Flavour = "streaming"
) -> tuple[StepGraph, onnx.ModelProto]:
    """Return the model's graph in torch and in ONNX, without metadata. N is dynamic, opset 20, weights inside.

    flavour: with unrolled, the recurrent layers are matrix products in ONNX; the graph in torch is always the original.
    """
    graph = StepGraph(model, time_s).eval()
    written = graph if flavour == "streaming" else StepGraph(unrolled(model), time_s).eval()
    inputs = example_inputs(graph, 3)
    input_names, output_names = _names(model)
    tracks = torch.export.Dim("N", min=1, max=65536)
    states = len(state_names(model.config.cell))
    axes = tuple({(1 if i >= len(inputs) - states else 0): tracks} for i in range(len(inputs)))
    with _quiet():
        program = torch.onnx.export(
            written,
            inputs,
            dynamo=True,
            opset_version=OPSET,
            input_names=input_names,
            output_names=output_names,
            dynamic_shapes=(axes,),
            custom_translation_table=plain_operators(),
            verbose=False,
        )
        assert program is not None  # dynamo=True always returns one
        proto = onnxslim.slim(program.model_proto)
    onnx.checker.check_model(proto, full_check=True)
    return graph, proto


def write_model(proto: onnx.ModelProto, contract: Contract, card: str, path: Path) -> None:
    """Put contract and card into the model's metadata and write the file, all at once or not at all."""
    del proto.metadata_props[:]
    onnx.helper.set_model_props(proto, {CONTRACT_KEY: contract.to_json(), CARD_KEY: card})
    proto.producer_name, proto.doc_string = "trajnet", contract.name
    with whole_file(path) as part:
        part.write_bytes(proto.SerializeToString())


def _names(model: TrajectoryModel) -> tuple[list[str], list[str]]:
    """Return the contract's names of the graph's inputs and outputs, in order."""
    states = state_names(model.config.cell)
    inputs = [t.name for t in (*observation_tensors(), *surroundings_tensors(model.config.requirements))] + list(states)
    outputs = [t.name for t in output_tensors(1, 1)] + [f"{s}_next" for s in states]
    return inputs, outputs


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Silence the exporter: it prints about torchvision and its own steps, but only its errors concern a user."""
    level = logging.getLogger("torch.onnx").level
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with (
        warnings.catch_warnings(),
        contextlib.redirect_stderr(io.StringIO()),
        contextlib.redirect_stdout(io.StringIO()),
    ):
        warnings.simplefilter("ignore")
        try:
            yield
        finally:
            logging.getLogger("torch.onnx").setLevel(level)
