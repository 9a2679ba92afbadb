"""The self-description of a model file (contract) and the runtime's checks of it.

The contract is JSON under the key ``trajnet.contract`` in the ONNX metadata; the model card is Markdown under
``trajnet.card``. Names, shapes and units of all tensors are defined only here; their columns are in trajnet.columns.

One call of the graph is one time step of all N observed tracks. N is the only dynamic dimension. It is at least 1: with
N = 0 ONNX Runtime's LSTM crashes the process (seen with 1.18 and 1.32), so hosts must skip frames without objects.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Literal

from trajnet import config
from trajnet.columns import INPUT_COLUMNS, NEIGHBOUR_COLUMNS, PATH_PLANES
from trajnet.context.surroundings import CLOSEST_M2, InputRequirements
from trajnet.errors import ConfigError, ContractError
from trajnet.inference.domain import Domain
from trajnet.types import CLASS_NAMES

#: Incremented whenever older files can no longer be served unchanged.
CONTRACT_VERSION = 4
CONTRACT_KEY = "trajnet.contract"
CARD_KEY = "trajnet.card"

Cell = Literal["lstm", "gru", "rnn-tanh", "rnn-relu"]
Precision = Literal["fp32", "fp16", "int8"]
Flavour = Literal["streaming", "unrolled"]


@dataclass(frozen=True)
class Tensor:
    """One named tensor. shape uses "N" for the number of tracks; unit: unit and frame, for human readers."""

    name: str
    dtype: str
    shape: tuple[str, ...]
    unit: str


_OBSERVATION_UNIT = (
    f"SI, map axes: {', '.join(INPUT_COLUMNS.names)}. Where reset is 1, of the first observation of a track, "
    "displacement and dt are 0 and previous_yaw is yaw; velocity is 0 where velocity_valid is 0; of the classes one "
    "is 1"
)
_NEIGHBOUR_UNIT = (
    f"SI, map axes: {', '.join(NEIGHBOUR_COLUMNS.names)}. The nearest first; offset from the object; heading: "
    f"cosine and sine of its yaw; log_distance: of its squared distance + {CLOSEST_M2:g}; all 0 where there "
    "is no neighbour"
)


def observation_tensors() -> tuple[Tensor, ...]:
    """Return the input that describes the newest observation of each track; its columns are INPUT_COLUMNS.

    displacement and dt: since the previous observation; previous_yaw: the yaw of that observation. For the first
    observation of a track (reset is 1) they are 0, 0 and yaw. velocity: as measured by the tracker where velocity_valid
    is 1, else 0. steady_velocity: see tracking.motion. map_valid: 1 where a map covers the place. class: one-hot.
    """
    return (Tensor("observation", "float32", ("N", str(len(INPUT_COLUMNS))), _OBSERVATION_UNIT),)


def surroundings_tensors(requirements: InputRequirements) -> tuple[Tensor, ...]:
    """Return the inputs for the map and the neighbours around each track, as far as the model needs them."""
    tensors: tuple[Tensor, ...] = ()
    if requirements.view is not None:
        shape = tuple(str(size) for size in requirements.view.shape)
        unit = "patch by patch; distances in m * FULL / REACH_M"
        if requirements.view.directions:
            unit += ", then directions of traffic in map axes * UNIT_VECTOR"
        tensors += (Tensor("map_distance", "int8", ("N", *shape, "4"), unit),)
    if requirements.neighbours:
        shape = (str(requirements.neighbours), str(len(NEIGHBOUR_COLUMNS)))
        tensors += (Tensor("neighbours", "float32", ("N", *shape), _NEIGHBOUR_UNIT),)
    return tensors


def state_names(cell: str) -> tuple[str, ...]:
    """Return the names of the recurrent state's input tensors; the output of ``h`` is ``h_next``, and so on."""
    return ("h", "c") if cell == "lstm" else ("h",)


def output_tensors(modes: int, steps: int) -> tuple[Tensor, ...]:
    """Return the graph's outputs for K modes at T future times. N is the last axis, which saves slices and copies."""
    shape = (str(len(PATH_PLANES)), str(modes), str(steps), "N")
    return (
        Tensor(
            "paths",
            "float32",
            shape,
            "SI, map axes, relative to the object's position: " + ", ".join(PATH_PLANES.names),
        ),
        Tensor("probability", "float32", ("N", str(modes)), "sums to 1 over the modes"),
    )


@dataclass(frozen=True)
class Training:
    """Origin of the weights: data, licence and length of the training."""

    datasets: tuple[str, ...]
    licence: str
    non_commercial: bool
    seed: int
    epochs: int
    windows: int
    duration_s: float
    history_s: float


@dataclass(frozen=True)
class PrecisionGate:
    """Change in accuracy that a lower precision causes, on the recorded objects of ``data``.

    minFDE in m of the float32 file and of this one: over all modes (at most the 20 most probable), and of the most
    probable mode alone. physics_rows: number of additional rows without a usable path, compared with float32.
    """

    data: str
    objects: int
    fp32_min_fde_m: float
    min_fde_m: float
    fp32_min_fde_1_m: float
    min_fde_1_m: float
    physics_rows: int = 0

    @property
    def worse(self) -> float:
        """Larger of the two relative changes; 0.01: one percent worse, below 0: better, NaN: unusable."""
        pairs = ((self.fp32_min_fde_m, self.min_fde_m), (self.fp32_min_fde_1_m, self.min_fde_1_m))
        changes = [(after - before) / max(before, 1e-9) for before, after in pairs]
        return math.nan if any(map(math.isnan, changes)) else max(changes)


@dataclass(frozen=True)
class Contract:
    """The complete self-description of a model file.

    time_s (T,): the future times of the outputs. needs: the parts of the surroundings that the model takes as input.
    parity_max_error_m: PyTorch against ONNX Runtime; result of the parity gate in float32, else only a measurement.
    metrics: name -> value as reported by ``trajnet evaluate``.
    precision: of weights and arithmetic inside the graph; inputs and outputs keep their types. gate: loss of accuracy,
    None for fp32. flavour: recurrent layers as single operators (streaming) or as basic operators (unrolled).
    domain: what the model was trained on; None: not stated, as in older files, and every object is served.
    """

    version: int
    name: str
    model_id: str
    git_revision: str
    cell: Cell
    layers: int
    hidden: int
    modes: int
    time_s: tuple[float, ...]
    classes: tuple[str, ...]
    uses_velocity: bool
    needs: InputRequirements
    training: Training
    parity_max_error_m: float = float("nan")
    metrics: dict[str, Any] = field(default_factory=dict)
    precision: Precision = "fp32"
    gate: PrecisionGate | None = None
    flavour: Flavour = "streaming"
    domain: Domain | None = None

    def __post_init__(self) -> None:
        if self.version != CONTRACT_VERSION:
            raise ContractError(
                f"contract version: this trajnet serves {CONTRACT_VERSION}, got {self.version}; "
                "export the checkpoint again with this version"
            )
        if self.classes != CLASS_NAMES:
            raise ContractError(f"object classes: expected {', '.join(CLASS_NAMES)}, got {', '.join(self.classes)}")
        if self.modes < 1 or self.layers < 1 or self.hidden < 1:
            raise ContractError(
                f"modes, layers, hidden: expected numbers above 0, got {self.modes}, {self.layers}, {self.hidden}"
            )
        if not self.time_s or not all(a < b < math.inf for a, b in pairwise((0.0, *self.time_s))):
            raise ContractError(f"time_s: expected strictly increasing times above 0 s, got {self.time_s}")

    @property
    def inputs(self) -> tuple[Tensor, ...]:
        """Input tensors in order: observation, surroundings, state."""
        state = (str(self.layers), "N", str(self.hidden))
        return (
            *observation_tensors(),
            *surroundings_tensors(self.needs),
            *(Tensor(s, "float32", state, "recurrent state, 0 where reset is 1") for s in state_names(self.cell)),
        )

    @property
    def outputs(self) -> tuple[Tensor, ...]:
        """Output tensors in order: paths, probability, next state."""
        state = (str(self.layers), "N", str(self.hidden))
        next_state = (Tensor(f"{s}_next", "float32", state, "recurrent state") for s in state_names(self.cell))
        return (*output_tensors(self.modes, len(self.time_s)), *next_state)

    def to_json(self) -> str:
        return json.dumps(config.to_dict(self), sort_keys=True, allow_nan=True)


def read_contract(metadata: dict[str, str], where: str) -> Contract:
    """Read the contract from a model's metadata; where: the file's name, for errors. Raises ContractError."""
    if CONTRACT_KEY not in metadata:
        raise ContractError(
            f"{where}: expected a model exported by trajnet (metadata key {CONTRACT_KEY!r}), got none; "
            "use `trajnet export`"
        )
    try:
        values = json.loads(metadata[CONTRACT_KEY])
    except (ValueError, RecursionError) as error:
        raise ContractError(f"{where}: expected a contract in JSON, got: {error}") from error
    version = values.get("version") if isinstance(values, dict) else None
    if version != CONTRACT_VERSION:
        raise ContractError(
            f"{where}: contract version: this trajnet serves {CONTRACT_VERSION}, got {version!r}; "
            "export the checkpoint again with this version"
        )
    try:
        return config.from_dict(Contract, values, where)
    except (ConfigError, ContractError) as error:
        said = str(error)  # errors of strict reading name the file already, those of the values' meaning do not
        raise ContractError(said if said.startswith(f"{where}: ") else f"{where}: {said}") from error


def check_tensors(expected: tuple[Tensor, ...], got: dict[str, tuple[str, tuple[str, ...]]], where: str) -> None:
    """Raise ContractError unless the graph's tensors, name -> (dtype, shape as strings), are those of the contract."""
    for tensor in expected:
        if tensor.name not in got:
            raise ContractError(
                f"{where}: the contract names tensor {tensor.name!r}, the graph has {', '.join(sorted(got))}"
            )
        dtype, shape = got[tensor.name]
        if (
            dtype != tensor.dtype
            or len(shape) != len(tensor.shape)
            or any(b.isdigit() if a == "N" else a != b for a, b in zip(tensor.shape, shape, strict=True))
        ):
            raise ContractError(
                f"{where}: {tensor.name}: expected {tensor.dtype} {list(tensor.shape)}, got {dtype} {list(shape)}"
            )
    extra = set(got) - {t.name for t in expected}
    if extra:
        raise ContractError(
            f"{where}: the graph has tensors that the contract does not know: {', '.join(sorted(extra))}"
        )
