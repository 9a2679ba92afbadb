"""Export: the right operators, the same numbers, and gates that do fail."""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch

from tests.domains import DOMAIN
from trajnet import config
from trajnet.cli.export import headline
from trajnet.cli.export_tables import parity_sentence
from trajnet.columns import INPUT_COLUMNS, NEIGHBOUR_COLUMNS
from trajnet.context.map_field import MapView
from trajnet.context.surroundings import InputRequirements
from trajnet.errors import ConfigError, ContractError, InputError
from trajnet.export import Parity, StepGraph, check_graph, export_model, parity
from trajnet.export.graph import example_inputs, make_contract, write_model
from trajnet.geometry import interpolation_matrix
from trajnet.inference import OnnxPredictor
from trajnet.inference.contract import Contract
from trajnet.inference.domain import ClassDomain, Domain
from trajnet.tracking.plausibility import max_speed_mps
from trajnet.training.config import SourceConfig, TrainConfig
from trajnet.training.model import TrajectoryModel
from trajnet.training.model_config import ModelConfig
from trajnet.types import CLASS_NAMES, ObjectClass

CELLS = ("lstm", "gru", "rnn-tanh", "rnn-relu")
OPERATOR = {"lstm": "LSTM", "gru": "GRU", "rnn-tanh": "RNN", "rnn-relu": "RNN"}
ABOUT = {"git_revision": "abc", "epochs_done": 1, "windows": 2, "duration_s": 3.0}


VIEW = MapView(ahead_m=16.0, behind_m=6.0, side_m=8.0, step_m=2.0, patch=3)
#: Everything that a model may look at and be, small.
ALL: dict[str, Any] = {
    "map": VIEW, "map_channels": (5,), "map_width": 14, "neighbours": 4, "attention": 10, "sets": (1, 2, 3),
    "decoder_stride": 3, "dropout": 0.1,
}  # fmt: skip


def make_model(cell: str = "lstm", layers: int = 1, **changes: Any) -> TrajectoryModel:
    torch.manual_seed(5)
    small = {"hidden": 16, "embedding": 12, "context": 20, "modes": 3, "uses_velocity": True}
    model = TrajectoryModel(ModelConfig(**{**small, "cell": cell, "layers": layers, **changes})).eval()
    with torch.no_grad():  # as after training and calibration
        if model.refinement is not None:
            model.refinement.out.weight.normal_()
        model.spread.uniform_(0.5, 2.0)
        model.sharpness.fill_(1.3)
    return model


def train_config(model: ModelConfig) -> TrainConfig:
    source = SourceConfig("scenes", path="scenes")
    return TrainConfig("tiny", "Apache-2.0", False, (source,), (source,), model=model)


@pytest.fixture(scope="module")
def lstm() -> tuple[StepGraph, onnx.ModelProto]:
    return export_model(make_model())


@pytest.mark.parametrize("cell", CELLS)
def test_every_cell_exports_as_one_operator_a_layer_and_agrees_with_torch(cell: str) -> None:
    layers = 2 if cell in ("lstm", "rnn-relu") else 1
    graph, proto = export_model(make_model(cell, layers))
    assert check_graph(proto, graph)[OPERATOR[cell]] == layers + 1
    assert proto.opset_import[0].version == 20
    found = parity(graph, proto, batches=(1, 2, 17, 256), steps=500)
    assert found.passed, found
    assert found.steps == 500


@pytest.mark.parametrize(
    ("cell", "step_s", "refine"),
    [("lstm", 0.5, 0), ("gru", 0.1, 0), ("rnn-tanh", 0.5, 0), ("rnn-relu", 0.1, 0), ("lstm", 0.5, 8)],
)
def test_a_model_with_map_neighbours_and_sets_exports_and_agrees_with_torch(
    cell: str, step_s: float, refine: int
) -> None:
    model = make_model(cell, **ALL, refine=refine)
    graph, proto = export_model(model, np.round(np.arange(step_s, 6.01, step_s), 9))
    assert graph.resample == (step_s != 0.5)
    assert check_graph(proto, graph)[OPERATOR[cell]] == 2
    names = [i.name for i in proto.graph.input]
    assert {"map_distance", "neighbours"} <= set(names)
    for value in (*proto.graph.input, *proto.graph.output):  # nothing is left of the number of tracks of the example
        shape = [d.dim_param or d.dim_value for d in value.type.tensor_type.shape.dim]
        assert shape.count("N") == 1, (value.name, shape)
    found = parity(graph, proto, batches=(1, 2, 17, 256), steps=100)
    assert found.passed, found


def test_the_gate_asks_about_nothing_faster_than_its_class() -> None:
    observed, *_ = example_inputs(StepGraph(make_model(**ALL)), 4096)
    limit_mps = max_speed_mps(observed[:, INPUT_COLUMNS.object_class].argmax(dim=1).numpy().astype(np.int8))
    for part in (INPUT_COLUMNS.velocity_mps, INPUT_COLUMNS.steady_velocity_mps):
        speed_mps = np.linalg.norm(observed[:, part].numpy(), axis=1)
        assert (speed_mps <= limit_mps * (1 + 1e-6)).all()
        assert (speed_mps > 0.99 * limit_mps).any()  # walkers are held back
    moved_m = np.linalg.norm(observed[:, INPUT_COLUMNS.displacement_m].numpy(), axis=1)
    assert (moved_m <= limit_mps * observed[:, INPUT_COLUMNS.dt_s.start].numpy() * (1 + 1e-6)).all()


def test_the_gate_asks_about_nothing_that_physics_answers() -> None:
    """A model of slow cars and of pedestrians, few of which were buses."""
    trained = {
        "car": ClassDomain(9_000, (0.0, 4.0)),
        "pedestrian": ClassDomain(5_000, (0.0, 1.5)),
        "bus": ClassDomain(1),
    }
    domain = Domain(trained, ((10.0, 14_001),), {}, 0.0, 0.0, 1.0)
    observed, *_ = example_inputs(StepGraph(make_model(**ALL)), 4096, domain=domain)
    kind = observed[:, INPUT_COLUMNS.object_class].argmax(dim=1).numpy()
    assert set(kind.tolist()) == {int(ObjectClass.CAR), int(ObjectClass.PEDESTRIAN)}
    for name in ("car", "pedestrian"):
        speed_mps = np.linalg.norm(
            observed[kind == CLASS_NAMES.index(name), INPUT_COLUMNS.velocity_mps].numpy(), axis=1
        )
        assert speed_mps.max() == pytest.approx(domain.served_speed_mps(name))


def test_who_misses_the_gate_by_rounding_is_told_what_to_try_and_who_has_a_wrong_graph_is_not() -> None:
    near, far, none = (parity_sentence(Parity(error_m, 0.0, 1, 1)) for error_m in (1.2e-3, 0.5, np.nan))
    assert near.startswith("parity: expected at most 0.001 m, got 1.20e-03 m; the run's other checkpoint")
    assert far == "parity: expected at most 0.001 m, got 5.00e-01 m"
    assert none == "parity: expected at most 0.001 m, got nan m"


def test_where_nothing_is_around_its_values_do_not_matter_in_the_graph_either() -> None:
    graph = StepGraph(make_model(**ALL))
    observed, distance, neighbours, *state = example_inputs(graph, 9)
    observed[:, INPUT_COLUMNS.index("map_valid")] = 0.0
    neighbours[..., -1] = 0.0
    inputs = (observed, distance, neighbours, *state)
    filler = torch.zeros(len(NEIGHBOUR_COLUMNS))
    filler[:-1] = 1.0
    other = (observed, -distance, neighbours + filler, *state)
    with torch.no_grad():
        for a, b in zip(graph(*inputs), graph(*other), strict=True):
            assert torch.equal(a, b)


@pytest.mark.parametrize(("batches", "steps"), [((8, 9), 0), ((), 3)], ids=["batches", "steps"])
def test_a_graph_that_gives_no_number_fails_the_gate(
    lstm: tuple[StepGraph, onnx.ModelProto], batches: tuple[int, ...], steps: int
) -> None:
    graph, proto = lstm
    broken = onnx.ModelProto()
    broken.CopyFrom(proto)
    for node in broken.graph.node:
        node.output[:] = ["there" if name == "paths" else name for name in node.output]
        node.input[:] = ["there" if name == "paths" else name for name in node.input]
    for operator, a, b in (("Abs", "there", "large"), ("Neg", "large", "small"), ("Sqrt", "small", "paths")):
        broken.graph.node.append(onnx.helper.make_node(operator, [a], [b]))
    found = parity(graph, broken, batches=batches, steps=steps)
    assert np.isnan(found.max_error_m)
    assert not found.passed


def test_a_wrong_weight_fails_the_gate(lstm: tuple[StepGraph, onnx.ModelProto]) -> None:
    graph, proto = lstm
    broken = onnx.ModelProto()
    broken.CopyFrom(proto)
    weight = max((i for i in broken.graph.initializer if len(i.dims) == 3), key=lambda i: np.prod(i.dims))
    values = onnx.numpy_helper.to_array(weight).copy()
    values[0, 0, 0] += 0.5
    weight.CopyFrom(onnx.numpy_helper.from_array(values, weight.name))
    found = parity(graph, broken, batches=(8,), steps=3)
    assert not found.passed


def test_control_flow_and_missing_operators_are_refused(lstm: tuple[StepGraph, onnx.ModelProto]) -> None:
    graph, proto = lstm
    changed = onnx.ModelProto()
    changed.CopyFrom(proto)
    next(n for n in changed.graph.node if n.op_type == "Tanh").op_type = "Loop"
    with pytest.raises(ContractError, match="expected no control flow, got Loop"):
        check_graph(changed, graph)
    next(n for n in changed.graph.node if n.op_type == "LSTM").op_type = "GRU"
    with pytest.raises(ContractError, match="expected 2 LSTM operators, got 1"):
        check_graph(changed, graph)


def test_a_finer_path_step_is_interpolated_inside_the_graph() -> None:
    model = make_model()
    knots = StepGraph(model)
    fine = StepGraph(model, np.round(np.arange(1.0, 61.0) * 0.1, 9))
    inputs = example_inputs(knots, 7)
    with torch.no_grad():
        coarse, dense = knots(*inputs), fine(*inputs)
    assert dense[0].shape == (6, 3, 60, 7)
    assert torch.allclose(dense[0][:, :, 4::5], coarse[0], atol=1e-4, rtol=1e-5)
    # Between the present pose and the first knot.
    grid = np.concatenate([[0.0], knots.time_s])
    matrix = interpolation_matrix(grid, fine.time_s)
    yaw_rad = inputs[0][:, INPUT_COLUMNS.index("yaw_rad")].expand(3, 1, -1)
    expected = torch.tensor(matrix, dtype=torch.float32) @ torch.cat([yaw_rad, coarse[0][2]], 1)
    assert torch.allclose(dense[0][2], expected, atol=1e-4)
    xx, xy, yy = dense[0][3:].double()
    assert (xx > 0).all()
    assert (xx * yy > xy**2).all()
    graph, proto = export_model(model, fine.time_s)
    assert parity(graph, proto, batches=(1, 9), steps=10).passed
    with pytest.raises(ConfigError, match="output times: expected within"):
        StepGraph(model, np.array([3.0, 6.5]))


def test_the_written_file_describes_itself_and_is_served(
    lstm: tuple[StepGraph, onnx.ModelProto], tmp_path: Path
) -> None:
    graph, proto = lstm
    about = {**ABOUT, "domain": config.to_dict(DOMAIN)}
    made = make_contract(graph, train_config(graph.model.config), about, proto.SerializeToString())
    assert made.domain == DOMAIN
    assert make_contract(graph, train_config(graph.model.config), ABOUT, b"").domain is None
    contract = dataclasses.replace(made, parity_max_error_m=1e-4)  # NaN, as made, equals nothing
    write_model(proto, contract, "# card", tmp_path / "deep" / "m.onnx")
    predictor = OnnxPredictor(tmp_path / "deep" / "m.onnx")
    assert isinstance(predictor.model_file.contract, Contract)
    assert predictor.model_file.contract == contract
    assert predictor.model_file.contract.model_id == contract.model_id
    assert predictor.model_file.card == "# card"
    assert predictor.modes == 3
    assert predictor.model_file.provider == "CPUExecutionProvider"
    np.testing.assert_allclose(predictor.time_s, np.arange(1.0, 13.0) * 0.5)
    assert predictor.requirements == InputRequirements()
    assert list((tmp_path / "deep").iterdir()) == [tmp_path / "deep" / "m.onnx"]


def test_headline_keeps_the_first_models_metrics_and_refuses_other_json() -> None:
    report = {
        "dataset": "nuscenes", "split": "val", "counts": {"whole": 9041},
        "models": [{"metrics": {"minADE_5": 2.0}}, {"metrics": {"minADE_5": 4.7}}],
    }  # fmt: skip
    assert headline(report) == {"dataset": "nuscenes", "split": "val", "objects": 9041, "minADE_5": 2.0}
    assert headline({}) == {}
    with pytest.raises(InputError, match="trajnet evaluate --json"):
        headline({"models": []})
