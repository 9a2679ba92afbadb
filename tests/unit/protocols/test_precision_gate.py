"""Half precision and 8 bits: what is converted and what is not, and the gate on recorded objects that can fail."""

from __future__ import annotations

import dataclasses
import io
import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from rich.console import Console

from tests.replay_scenes import straight_scene
from trajnet import config as configs
from trajnet import export as exports
from trajnet.cli import main as cli
from trajnet.cli.export import chosen_gate_data as gate_options
from trajnet.cli.progress import progress_bar
from trajnet.context.map_field import MapView
from trajnet.errors import ConfigError, ContractError, InputError
from trajnet.export import Parity, StepGraph, check_graph, export_model, parity
from trajnet.export.graph import example_inputs, make_contract, write_model
from trajnet.export.precision import to_half, to_int8
from trajnet.inference import OnnxPredictor
from trajnet.inference.contract import PrecisionGate, read_contract
from trajnet.inference.domain import ClassDomain, Domain
from trajnet.protocols import precision_gate as gates
from trajnet.protocols.precision_gate import GateData, Variant, bundled, compare, make_variant
from trajnet.scenes import write_scene
from trajnet.training.checkpoint import CHECKPOINT_VERSION
from trajnet.training.config import SourceConfig, TrainConfig
from trajnet.training.model import TrajectoryModel
from trajnet.training.model_config import ModelConfig
from trajnet.training.model_input import unpacked

FLOAT, HALF, INT8 = onnx.TensorProto.FLOAT, onnx.TensorProto.FLOAT16, onnx.TensorProto.INT8
ABOUT = {"git_revision": "abc", "epochs_done": 1, "windows": 2, "duration_s": 3.0}


def make_model(**changes: Any) -> TrajectoryModel:
    torch.manual_seed(5)
    small = {"hidden": 16, "embedding": 12, "context": 20, "modes": 3, "knots": 4, "uses_velocity": True}
    model = TrajectoryModel(ModelConfig(**{**small, **changes})).eval()
    with torch.no_grad():  # as after training: paths that depend on what was seen
        model.heads.weight.mul_(3.0)
    return model


def train_config(model: ModelConfig) -> TrainConfig:
    source = SourceConfig("scenes", path="scenes")
    return TrainConfig("tiny", "Apache-2.0", False, (source,), (source,), model=model)


@pytest.fixture(scope="module")
def looking() -> tuple[StepGraph, onnx.ModelProto]:
    """A graph with everything in it: map, neighbours, sets, several layers, interpolated paths."""
    view = MapView(ahead_m=16.0, behind_m=6.0, side_m=5.0, step_m=2.0)
    model = make_model(layers=2, sets=(1, 3), decoder_stride=2, map=view, map_channels=(3, 4), neighbours=3)
    return export_model(model, np.array([0.25, 0.5, 1.0, 2.0]))


@pytest.fixture(scope="module")
def small() -> tuple[StepGraph, onnx.ModelProto]:
    return export_model(make_model())


@pytest.fixture(scope="module")
def scene_data(tmp_path_factory: pytest.TempPathFactory) -> GateData:
    file = tmp_path_factory.mktemp("scenes") / "straight.parquet"
    write_scene(straight_scene(np.ones((60, 5), np.bool_)), file)
    return GateData("scenes", file)


def written(graph: StepGraph, proto: onnx.ModelProto, path: Path) -> Path:
    write_model(proto, make_contract(graph, train_config(graph.model.config), ABOUT, b""), "", path)
    return path


def session_of(proto: onnx.ModelProto) -> onnxruntime.InferenceSession:
    return onnxruntime.InferenceSession(proto.SerializeToString(), providers=["CPUExecutionProvider"])


def test_half_precision_is_in_the_layers_and_nowhere_else(looking: tuple[StepGraph, onnx.ModelProto]) -> None:
    graph, proto = looking
    made = to_half(proto, graph)
    assert check_graph(made, graph, precision="fp16")["LSTM"] == 3
    for old, new in ((proto.graph.input, made.graph.input), (proto.graph.output, made.graph.output)):
        assert [(v.name, v.type) for v in old] == [(v.name, v.type) for v in new]
    inferred = onnx.shape_inference.infer_shapes(made).graph
    kind = {v.name: v.type.tensor_type.elem_type for v in (*inferred.input, *inferred.output, *inferred.value_info)}
    kind |= {i.name: i.data_type for i in inferred.initializer}
    halves = [n for n in made.graph.node if n.op_type != "Cast" and any(kind[i] == HALF for i in n.input if i)]
    assert len([n for n in halves if n.op_type in ("LSTM", "Gemm", "MatMul")]) >= 13
    unsafe = {"Sin", "Exp", "Log", "Sqrt", "Div", "ReduceSum", "Softmax", "Clip"}
    assert unsafe <= {n.op_type for n in made.graph.node}
    assert not unsafe & {n.op_type for n in halves}
    assert all(kind[name] == HALF for n in halves for name in n.input if kind.get(name) in (FLOAT, HALF))
    # Columns picked out of what comes in, sums of products, sums over the knots and the interpolation are no layers.
    constants = {i.name for i in made.graph.initializer if len(i.dims) == 2 and i.data_type == FLOAT}
    products = [n for n in made.graph.node if n.op_type in ("MatMul", "Gemm") and constants.intersection(n.input[:2])]
    assert not [n for n in products if n in halves]
    assert len(products) == 6 + 3 + 2
    assert {"observation", "neighbours"} <= {name for n in products for name in n.input}
    # Nothing in float32 goes through half on its way to something in float32.
    cast_back = {n.output[0] for n in made.graph.node if n.op_type == "Cast" and kind[n.output[0]] == FLOAT}
    cast = {n.input[0] for n in made.graph.node if n.op_type == "Cast" and kind[n.output[0]] == HALF}
    made_by = {name: n for n in made.graph.node for name in n.output}
    assert all(made_by[made_by[name].input[0]].op_type != "Cast" for name in cast & cast_back)
    assert len(made.SerializeToString()) < 0.8 * len(proto.SerializeToString())
    found = parity(graph, made, batches=(1, 17, 64), steps=50)
    assert 1e-6 < found.max_error_m < 0.05, found


def test_covariances_stay_positive_definite_in_half_precision(looking: tuple[StepGraph, onnx.ModelProto]) -> None:
    graph, proto = looking
    session = session_of(to_half(proto, graph))
    observed, *rest = example_inputs(graph, 64)
    seen = unpacked(observed)
    fast = seen._replace(velocity_mps=8.0 * seen.velocity_mps, steady_velocity_mps=8.0 * seen.steady_velocity_mps)
    names = [i.name for i in session.get_inputs()]
    results = session.run(None, {n: t.numpy() for n, t in zip(names, (fast.packed(), *rest), strict=True)})
    got = dict(zip([o.name for o in session.get_outputs()], results, strict=True))
    assert all(np.isfinite(values).all() for values in got.values())
    xx, xy, yy = got["paths"][3:].astype(np.float64)
    assert (xx > 0).all()
    assert (xx * yy > xy**2).all()
    np.testing.assert_allclose(got["probability"].sum(axis=1), 1.0, atol=1e-5)


def test_eight_bits_are_in_the_lstm_operators_and_nowhere_else(looking: tuple[StepGraph, onnx.ModelProto]) -> None:
    graph, proto = looking
    made = to_int8(proto)
    count = check_graph(made, graph, precision="int8")
    assert (count["DynamicQuantizeLSTM"], count["LSTM"]) == (3, 0)
    before = check_graph(proto, graph)
    assert {k: v for k, v in count.items() if "LSTM" not in k} == {k: v for k, v in before.items() if k != "LSTM"}
    quantised = {n for node in made.graph.node if node.op_type == "DynamicQuantizeLSTM" for n in node.input[1:3]}
    weights = {i.name: i for i in made.graph.initializer if i.data_type == INT8 and len(i.dims) == 3}
    assert set(weights) == quantised
    values = np.concatenate([onnx.numpy_helper.to_array(w).ravel() for w in weights.values()])
    assert 60 <= np.abs(values.astype(np.int64)).max() <= 64  # the reduced range: 7 bits
    scales = [i for i in made.graph.initializer if i.name.endswith("_scale")]
    assert all(np.prod(i.dims) > 1 for i in scales)  # one for each channel
    found = parity(graph, made, batches=(1, 17), steps=20)
    assert 1e-6 < found.max_error_m < 0.5, found
    with pytest.raises(ContractError, match="expected 3 LSTM operators, got 0"):
        check_graph(made, graph)
    with pytest.raises(ConfigError, match=r"precision int8: expected a model whose cell is lstm"):
        to_int8(onnx.helper.make_model(onnx.helper.make_graph([], "empty", [], [])))


@pytest.mark.parametrize(
    ("before", "after", "worse"),
    [
        ((2.0, 4.0), (2.0, 4.0), 0.0),
        ((2.0, 4.0), (2.018, 4.0), 0.009),
        ((2.0, 4.0), (1.9, 4.1), 0.025),
        ((2.0, 4.0), (1.9, 3.8), -0.05),
        ((2.0, 4.0), (float("nan"), 4.0), float("nan")),
        ((2.0, 4.0), (2.0, float("nan")), float("nan")),
    ],
)
def test_how_much_worse_a_variant_is(before: tuple[float, float], after: tuple[float, float], worse: float) -> None:
    found = PrecisionGate("scenes", 7, before[0], after[0], before[1], after[1])
    assert found.worse == pytest.approx(worse, nan_ok=True)
    variant = Variant(onnx.ModelProto(), None, found, (1, 1), (1.0, 1.0))  # type: ignore[arg-type]
    assert variant.passed == (worse <= 0.01)
    lost = dataclasses.replace(variant, gate=dataclasses.replace(found, physics_rows=1))
    assert not lost.passed


def test_the_gate_plays_both_files_and_sees_what_is_wrong(
    small: tuple[StepGraph, onnx.ModelProto], scene_data: GateData, tmp_path: Path
) -> None:
    graph, proto = small
    right = written(graph, proto, tmp_path / "right.onnx")
    same = compare(right, written(graph, proto, tmp_path / "same.onnx"), scene_data)
    # 5 objects for 6 s at 10 Hz: those of every fifth frame whose next 2 s are recorded, the first 40 frames.
    assert (same.objects, same.worse, same.physics_rows) == (40, 0.0, 0)
    assert same.fp32_min_fde_m == same.min_fde_m > 0
    assert same.data == f"scenes of {scene_data.data.parts[-2]}/straight.parquet"
    broken = onnx.ModelProto()
    broken.CopyFrom(proto)
    for node in broken.graph.node:  # paths twice as long
        node.output[:] = ["there" if name == "paths" else name for name in node.output]
    broken.graph.node.append(onnx.helper.make_node("Add", ["there", "there"], ["paths"]))
    longer = compare(right, written(graph, broken, tmp_path / "broken.onnx"), scene_data)
    assert longer.worse > 0.5
    del broken.graph.node[-1]
    for operator, a, b in (("Abs", "there", "large"), ("Neg", "large", "small"), ("Sqrt", "small", "paths")):
        broken.graph.node.append(onnx.helper.make_node(operator, [a], [b]))
    unusable = compare(right, written(graph, broken, tmp_path / "nan.onnx"), scene_data)
    assert unusable.physics_rows == 46 * 5  # up to the last frame that is scored
    assert unusable.worse < 0  # constant velocity stood in, and is perfect here: no excuse


def test_a_variant_is_compared_where_the_model_is_asked(
    small: tuple[StepGraph, onnx.ModelProto], scene_data: GateData, monkeypatch: pytest.MonkeyPatch
) -> None:
    graph, proto = small
    contract = make_contract(graph, train_config(graph.model.config), ABOUT, proto.SerializeToString())
    contract = dataclasses.replace(contract, domain=Domain({"car": ClassDomain(9)}, (), {}, 0.0, 0.0, 1.0))
    asked: list[Domain | None] = []

    def noting(*args: Any, domain: Domain | None = None, **more: Any) -> Parity:
        asked.append(domain)
        return parity(*args, domain=domain, **more)

    monkeypatch.setattr(gates, "parity", noting)
    make_variant(graph, proto, contract, "fp16", scene_data)
    assert asked == [contract.domain]


def test_a_variant_says_what_it_is_and_what_it_costs(
    small: tuple[StepGraph, onnx.ModelProto], scene_data: GateData, tmp_path: Path
) -> None:
    graph, proto = small
    contract = make_contract(graph, train_config(graph.model.config), ABOUT, proto.SerializeToString())
    variant = make_variant(graph, proto, contract, "fp16", scene_data)
    assert variant.size[0] > variant.size[1]
    assert all(ms > 0 for ms in variant.step_ms)
    write_model(variant.proto, variant.contract, "# card", tmp_path / "half.onnx")
    served = OnnxPredictor(tmp_path / "half.onnx").model_file.contract
    assert served == variant.contract
    assert (served.precision, served.flavour, served.gate) == ("fp16", "streaming", variant.gate)
    assert served.model_id != contract.model_id
    assert 1e-6 < served.parity_max_error_m < 0.1


def test_the_gate_tells_how_far_it_is(small: tuple[StepGraph, onnx.ModelProto], tmp_path: Path) -> None:
    before, after = (written(*small, tmp_path / name) for name in ("before.onnx", "after.onnx"))
    (tmp_path / "scenes").mkdir()
    for name in ("a", "b", "c"):
        write_scene(straight_scene(np.ones((60, 2), np.bool_)), tmp_path / "scenes" / f"{name}.parquet")
    told: list[tuple[int, int]] = []
    compare(before, after, GateData("scenes", tmp_path / "scenes"), lambda done, total: told.append((done, total)))
    assert told == [(done, 6) for done in range(1, 7)]  # three scenes with each of the two files


def test_the_bar_moves_on_a_terminal_and_is_silent_elsewhere() -> None:
    for terminal in (True, False):
        written_to = io.StringIO()
        console = Console(file=written_to, force_terminal=terminal, width=100, color_system=None)
        with progress_bar(console, "converting", "playing") as progress:
            progress(2, 6)
            progress(6, 6)
        shown = written_to.getvalue()
        assert ("6/6" in shown and "playing" in shown) if terminal else shown.strip() == ""


def test_what_the_gate_plays() -> None:
    assert gate_options("fp32", None, None, None) is None
    assert gate_options("int8", None, None, None) == bundled()
    assert bundled().data.name == "scenes"
    given = gate_options("fp16", Path("data"), "nuscenes", "train_val")
    assert given == GateData("nuscenes", Path("data"), "train_val")
    assert str(given) == "nuscenes train_val"
    for options, message in (
        (("fp8", None, None, None), "expected one of fp32, fp16, int8, got 'fp8'"),
        (("fp32", Path("data"), None, None), "expected none with --precision fp32"),
        (("fp16", None, "nuscenes", None), "expected --gate-data with them"),
    ):
        with pytest.raises(ConfigError, match=message):
            gate_options(*options)
    with pytest.raises(InputError, match="dataset: expected one of"):
        GateData("kitti", Path("data")).opened(6.0)


def command(monkeypatch: pytest.MonkeyPatch, *words: object) -> int:
    monkeypatch.setattr(sys, "argv", ["trajnet", *map(str, words)])
    with pytest.raises(SystemExit) as stopped:
        cli.main()
    return int(stopped.value.code or 0)


def written_checkpoint(path: Path, **about: Any) -> Path:
    """A checkpoint of a small model with random weights. about: what it says beside that."""
    model = make_model()
    told = {**ABOUT, "version": CHECKPOINT_VERSION, "config": configs.to_dict(train_config(model.config)), **about}
    torch.save({"trajnet": told, "state_dict": {f"model.{k}": v for k, v in model.state_dict().items()}}, path)
    return path


def test_the_command_compares_where_the_model_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    domain = Domain({"car": ClassDomain(9)}, (), {}, 0.0, 0.0, 1.0)
    asked: list[Domain | None] = []

    def noting(*args: Any, domain: Domain | None = None, **more: Any) -> Parity:
        asked.append(domain)
        return Parity(0.0, 0.0, 1, 1)

    monkeypatch.setattr(exports, "parity", noting)
    checkpoint = written_checkpoint(tmp_path / "last.ckpt", domain=configs.to_dict(domain))
    assert command(monkeypatch, "export", checkpoint, "--out", tmp_path / "small.onnx") == 0
    assert asked == [domain]


@pytest.mark.slow
def test_the_command_writes_a_variant_or_says_why_not(
    scene_data: GateData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    checkpoint, out = written_checkpoint(tmp_path / "last.ckpt"), tmp_path / "int8.onnx"
    words = ("export", checkpoint, "--out", out, "--precision", "int8", "--gate-data", scene_data.data)
    assert command(monkeypatch, *words, "--flavour", "rolled") == 2
    assert "--flavour: expected one of streaming, unrolled, got 'rolled'" in capsys.readouterr().err
    monkeypatch.setattr(gates, "MAX_WORSE", -1.0)  # nothing is that much better
    assert command(monkeypatch, *words) == 1
    shown = capsys.readouterr()
    assert "int8: expected minFDE at most -100% worse on scenes of" in " ".join(shown.err.split())
    assert not out.exists()
    monkeypatch.setattr(gates, "MAX_WORSE", 10.0)
    told: list[tuple[int, int]] = []

    @contextmanager
    def bar(*_: object) -> Iterator[Callable[[int, int], None]]:
        yield lambda done, total: told.append((done, total))

    monkeypatch.setattr("trajnet.cli.export.progress_bar", bar)
    assert command(monkeypatch, *words) == 0
    assert told == [(1, 2), (2, 2)]
    shown = capsys.readouterr()
    assert "minFDE_3" in shown.out
    assert "this machine" in " ".join(shown.out.split())
    metadata = {p.key: p.value for p in onnx.load(out).metadata_props}
    contract = read_contract(metadata, "int8.onnx")
    assert contract.precision == "int8"
    assert contract.gate is not None
    assert contract.gate.objects == 40
    assert json.loads(metadata["trajnet.contract"])["flavour"] == "streaming"
    assert command(monkeypatch, "info", out) == 0
    assert "int8; minFDE" in " ".join(capsys.readouterr().out.split())
