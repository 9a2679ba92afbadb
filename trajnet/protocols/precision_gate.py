"""The accuracy that a lower precision costs: both files predict recorded objects with the code of the vehicle."""

from __future__ import annotations

import dataclasses
import hashlib
import tempfile
from dataclasses import dataclass
from pathlib import Path

import onnx

import trajnet
from trajnet.bench.latency import BenchOptions, measure
from trajnet.datasets.registry import dataset_named
from trajnet.errors import InputError
from trajnet.evaluate import EvaluationSet, ModelResult, open_dataset
from trajnet.evaluate.runner import Progress, model_results
from trajnet.export.graph import StepGraph, write_model
from trajnet.export.parity import check_graph, parity
from trajnet.export.precision import in_precision
from trajnet.inference import OnnxPredictor
from trajnet.inference.contract import Contract, Precision, PrecisionGate
from trajnet.timing.clock import WallClock

#: The largest relative growth of minFDE.
MAX_WORSE = 0.01
#: Every so many frames of a scene are scored; all are streamed.
SCENE_STRIDE = 5
#: Tracks for which the time of a step is measured.
LATENCY_TRACKS = 64


@dataclass(frozen=True)
class GateData:
    """The gate's recorded objects: name of a data set, its folder and split, as ``trajnet evaluate`` takes them."""

    dataset: str
    data: Path
    split: str | None = None

    def opened(self, horizon_s: float) -> EvaluationSet:
        """Open the data set; scenes are scored up to horizon_s, how far the model predicts. Raises InputError."""
        if dataset_named(self.dataset).windows is not None:
            return open_dataset(self.dataset, self.data, self.split)
        return open_dataset(self.dataset, self.data, self.split, horizon_s=horizon_s, stride=SCENE_STRIDE)

    def __str__(self) -> str:
        """Return its name in the contract."""
        if not dataset_named(self.dataset).parts:
            return "scenes of " + "/".join(self.data.resolve().parts[-2:])
        return " ".join(filter(None, (self.dataset, self.split)))


def bundled() -> GateData:
    """Return the scenes that come with a checkout. Raises InputError if trajnet is installed without them."""
    folder = Path(trajnet.__file__).resolve().parents[1] / "sim" / "scenes"
    if not folder.is_dir():
        raise InputError(
            f"gate: expected the scenes of a checkout in {folder}, got no such folder; name recorded data by "
            "--gate-data and --gate-dataset"
        )
    return GateData("scenes", folder)


@dataclass(frozen=True)
class Variant:
    """A graph in a lower precision, compared with the float32 graph that it was made from.

    contract: that of the variant, with the gate's result and the measured difference from torch. size: of the files in
    bytes; step_ms: median time of a step of LATENCY_TRACKS tracks on this machine's CPU; float32 first in both.
    """

    proto: onnx.ModelProto
    contract: Contract
    gate: PrecisionGate
    size: tuple[int, int]
    step_ms: tuple[float, float]

    @property
    def passed(self) -> bool:
        """Whether it may be used: at most MAX_WORSE less accurate, and a usable path wherever float32 has one."""
        return bool(self.gate.worse <= MAX_WORSE) and self.gate.physics_rows <= 0


def make_variant(
    graph: StepGraph,
    proto: onnx.ModelProto,
    contract: Contract,
    precision: Precision,
    data: GateData,
    progress: Progress | None = None,
) -> Variant:
    """Return the graph in this precision, and what that costs on the data.

    proto, contract: those of the float32 export. Raises ConfigError for a precision that the model cannot have,
    InputError if the data cannot be used.
    """
    made = in_precision(proto, graph, precision)
    check_graph(made, graph, precision=precision, flavour=contract.flavour)
    difference = parity(graph, made, batches=(1, 8, 64, 256), steps=100, domain=contract.domain)
    described = dataclasses.replace(
        contract,
        model_id=hashlib.sha256(made.SerializeToString()).hexdigest()[:12],
        precision=precision,
        parity_max_error_m=difference.max_error_m,
    )
    with tempfile.TemporaryDirectory(prefix="trajnet-gate-") as folder:
        files = Path(folder) / "fp32.onnx", Path(folder) / f"{precision}.onnx"
        write_model(proto, contract, "", files[0])
        write_model(made, described, "", files[1])
        gate = compare(*files, data, progress)
        size = tuple(f.stat().st_size for f in files)
        step_ms = tuple(step_p50_ms(f) for f in files)
    described = dataclasses.replace(described, gate=gate)
    return Variant(made, described, gate, (size[0], size[1]), (step_ms[0], step_ms[1]))


def compare(before: Path, after: Path, data: GateData, progress: Progress | None = None) -> PrecisionGate:
    """Predict the data with the float32 model file and with its variant, and compare.

    Raises InputError if there is nothing to score, ContractError for files that cannot be served.
    """
    model = OnnxPredictor(before)
    dataset = data.opened(float(model.time_s[-1]))
    # On every object and as the files predict: what physics or self-judging puts right would hide what is lost.
    results = dict(
        model_results(dataset, [str(before), str(after)], progress=progress, domain=False, self_judging=False)
    )
    fp32, variant = (_min_fde_m(results[str(path)]) for path in (before, after))
    stood_in = [results[str(path)].guard.physics_rows for path in (before, after)]
    objects = int(results[str(before)].tally.everything.count[-1])
    return PrecisionGate(str(data), objects, fp32[0], variant[0], fp32[1], variant[1], stood_in[1] - stood_in[0])


def _min_fde_m(result: ModelResult) -> tuple[float, float]:
    """Return minFDE in m of all modes (20 at most) and of the most probable one. Raises InputError for no objects."""
    found = result.tally.everything.means(-1)
    if not found:
        raise InputError("gate: expected objects whose future is recorded to the last step, got none")
    return found["minFDE_20"], found["minFDE_1"]


def step_p50_ms(path: Path, frames: int = 200) -> float:
    """Return the median time of the model stage in ms for LATENCY_TRACKS objects, back to back, on one CPU thread."""
    options = BenchOptions(frames=frames, warmup=20, period_ms=0.0)
    return measure(OnnxPredictor(path), LATENCY_TRACKS, WallClock(), options, references=False).latency["model"].p50_ms
