"""What a training run is told, from one YAML file (configs/*.yaml), read strictly."""

from __future__ import annotations

from dataclasses import dataclass, field

from trajnet.config import require
from trajnet.datasets.description import Dataset
from trajnet.datasets.registry import dataset_named, dataset_names
from trajnet.datasets.scenes import SCENES
from trajnet.inference.domain import DrivingSide
from trajnet.training.loss_config import LossConfig
from trajnet.training.model_config import ModelConfig
from trajnet.types import CLASS_NAMES


@dataclass(frozen=True)
class SourceConfig:
    """One source of windows.

    kind: a data set of trajnet.datasets.registry; split: one of its parts (``train``, ``pedestrians/train``). A
    benchmark gives its own windows; where it allows other future times, with a future at all the model's knots, masked
    where nothing was recorded. Other data sets are cut into sliding windows: history_s at rate_hz, one every stride
    frames, with at least min_future_s of recorded future; only, without: names of scenes that alone are taken, or are
    left out; first, count: a range of the sorted files that remain (count 0: all of them). kind ``scenes`` takes every
    scene file under path instead of a split. Its map: a file, which is that of all its scenes, or a folder that has a
    map for each of them, called as the scene; it takes the place of the scenes' own. Below a data folder, or absolute.

    Of all windows only every ``every``-th is taken; of those of objects that stay within 1 m, every
    ``standing_every``-th of these. derive_velocity: a velocity that was not measured is that of the last displacement.
    Sliding windows only: densify: so many frames are made of each recorded one first (see trajnet.scenes.densify);
    rate_hz and stride count those. map_shift_m: half of the scenes see their map moved by up to this along each axis,
    drawn for each window. driven_share: share of the scenes with directions whose drivable area is only where traffic
    was recorded: a map that has lanes and nothing else. without_map: its windows have no map of their own, so that a
    network cannot know the one place by it. driving_side: on which side of the road its traffic drives, for
    the model file; changes no window.
    all_agents: windows of the agents that its files do not list, too, where they are recorded beside them; it needs
    model.all_agents. classes: take windows of objects of these classes only; empty: all.
    """

    kind: str
    path: str = ""
    split: str = ""
    history_s: float = 4.0
    rate_hz: float = 10.0
    stride: int = 5
    min_future_s: float = 2.0
    first: int = 0
    count: int = 0
    only: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    map: str = ""
    every: int = 1
    standing_every: int = 1
    densify: int = 1
    derive_velocity: bool = False
    map_shift_m: float = 0.0
    driven_share: float = 0.0
    without_map: bool = False
    driving_side: DrivingSide = "unknown"
    all_agents: bool = False
    classes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name in ("every", "standing_every", "densify"):
            require(getattr(self, name) > 0, f"source: {name}: expected at least 1, got {getattr(self, name)}")
        unknown = set(self.classes) - set(CLASS_NAMES)
        require(
            not unknown,
            f"source: classes: expected some of {', '.join(CLASS_NAMES)}, got {', '.join(sorted(unknown))}",
        )
        require(self.map_shift_m >= 0, f"source: map_shift_m: expected at least 0, got {self.map_shift_m}")
        require(0 <= self.driven_share <= 1, f"source: driven_share: expected [0, 1], got {self.driven_share}")
        require(self.history_s > 0 and self.rate_hz > 0, "source: expected history_s and rate_hz above 0")
        require(self.stride > 0, f"source: stride: expected at least 1, got {self.stride}")
        require(
            self.kind in dataset_names(),
            f"source: kind: expected one of {', '.join(dataset_names())}, got {self.kind!r}",
        )
        has_parts = bool(self.dataset.parts)
        require(
            bool(self.path) != has_parts,
            f"source: kind {self.kind!r}: expected {'no path' if has_parts else 'a path'}, got {self.path!r}; "
            "path belongs to kind scenes",
        )
        require(
            bool(self.split) == has_parts,
            f"source: kind {self.kind!r}: expected {'a split' if has_parts else 'no split'}, got {self.split!r}; "
            "split goes with data sets that have parts",
        )
        require(
            not self.map or self.kind == SCENES.name,
            f"source: kind {self.kind!r}: expected no map, whose scenes have their own; map belongs to kind scenes",
        )
        require(
            not (self.without_map and self.map),
            f"source: without_map: expected no map beside it, got {self.map!r}",
        )
        require(
            self.dataset.windows is None
            or not any(
                (self.densify > 1, self.map_shift_m, self.driven_share, self.without_map, self.all_agents, self.classes)
            ),
            f"source: kind {self.kind!r}: expected no densify, map_shift_m, driven_share, without_map, all_agents or "
            "classes: they are for sliding windows, and this benchmark gives its own",
        )

    @property
    def dataset(self) -> Dataset:
        """The description of the data set."""
        return dataset_named(self.kind)

    @property
    def name(self) -> str:
        """What messages call it: the folder of its scenes, or its data set and split."""
        return self.path or f"{self.kind} {self.split}"

    @property
    def trained_history_s(self) -> float:
        """How far back its windows reach, in s: the benchmark's own history, else history_s."""
        for part in self.dataset.parts:
            if part.name == self.split and part.history_time_s is not None:
                return round(-float(part.history_time_s[0]), 9)
        return self.history_s


@dataclass(frozen=True)
class AugmentConfig:
    """What the road does to a history. Nothing here touches the recorded future but the mirror and the pace.

    mirror: left and right swapped in half of the windows. drop: an observation is lost with a probability drawn
    from [0, drop] for each window. short: share of the windows whose history is cut to a random length.
    strides: every so many observations is kept, drawn for each window: the random frame rates. stride_of_batch: drawn
    for each batch instead, so that a batch of a low rate is short and costs little.
    pace: each window is played slower or faster, its neighbours with it, by a factor of up to 1 + pace; the map stays.
    position_noise_m, yaw_noise_rad, velocity_noise_mps: noise of the tracker, its standard deviation drawn from
    [0, value] for each window. noise_power: the draw is value * u ** noise_power with u uniform, so above 1 most
    windows are nearly clean. noise_memory_s: the noise of half of the windows is correlated in time, as that of a
    filter is, with a time constant drawn from [0, value] (an autoregressive process of first order); that of the others
    is white.
    hide_velocity, hide_map, hide_directions, hide_neighbours: share of the windows whose measured velocity, map,
    directions of the map or neighbours are taken away, so that one model serves with and without. hide_size: share
    whose size is that of their class; size_noise: standard deviation of the logarithm of length and width.
    borrow: a window that has no map or no neighbours takes those of another window before anything is hidden, so
    that whether there are any does not tell which data set a window is from, and a map that is wrong is nothing new.
    """

    mirror: bool = True
    drop: float = 0.3
    short: float = 0.2
    strides: tuple[int, ...] = (1,)
    stride_of_batch: bool = False
    pace: float = 0.0
    position_noise_m: float = 0.0
    yaw_noise_rad: float = 0.0
    velocity_noise_mps: float = 0.0
    noise_power: float = 1.0
    noise_memory_s: float = 0.0
    hide_velocity: float = 0.0
    hide_map: float = 0.0
    hide_directions: float = 0.0
    hide_neighbours: float = 0.0
    hide_size: float = 0.0
    size_noise: float = 0.0
    borrow: bool = False

    def __post_init__(self) -> None:
        for name in ("drop", "short", "hide_velocity", "hide_map", "hide_directions", "hide_neighbours", "hide_size"):
            require(0 <= getattr(self, name) < 1, f"augment.{name}: expected [0, 1), got {getattr(self, name)}")
        for name in (
            "pace", "position_noise_m", "yaw_noise_rad", "velocity_noise_mps", "noise_power", "noise_memory_s",
            "size_noise",
        ):  # fmt: skip
            require(getattr(self, name) >= 0, f"augment.{name}: expected at least 0, got {getattr(self, name)}")
        require(
            bool(self.strides) and min(self.strides) >= 1,
            f"augment.strides: expected numbers from 1, got {self.strides}",
        )


@dataclass(frozen=True)
class OptimizerConfig:
    """AdamW with a one-cycle rate. gradient_clip: limit of the gradient's norm, the answer to its explosion.

    average: decay of the exponential average of the weights over the steps, which is what is validated and exported
    (Polyak and Juditsky 1992); 0 keeps the weights of the last step.
    """

    epochs: int = 60
    batch: int = 256
    learning_rate: float = 3e-3
    weight_decay: float = 1e-2
    gradient_clip: float = 1.0
    average: float = 0.0

    def __post_init__(self) -> None:
        require(0 <= self.average < 1, f"optimizer.average: expected [0, 1), got {self.average}")
        for name in ("epochs", "batch", "learning_rate", "gradient_clip"):
            require(getattr(self, name) > 0, f"optimizer.{name}: expected a number above 0, got {getattr(self, name)}")


@dataclass(frozen=True)
class TrainConfig:
    """The whole run. name becomes the model's name; licence, non_commercial go into the model file.

    teachers: checkpoints of models that the windows are shown to as well, and whose modes it learns from (see
    trajnet.training.teachers); from the folder in which the command runs, or absolute.
    """

    name: str
    licence: str
    non_commercial: bool
    train: tuple[SourceConfig, ...]
    validation: tuple[SourceConfig, ...]
    seed: int = 0
    teachers: tuple[str, ...] = ()
    model: ModelConfig = field(default_factory=ModelConfig)
    loss: LossConfig = field(default_factory=LossConfig)
    augment: AugmentConfig = field(default_factory=AugmentConfig)
    optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)

    def __post_init__(self) -> None:
        weights, sizes = self.loss.set_weights, self.model.set_sizes
        require(
            not weights or len(weights) == len(sizes),
            f"loss.set_weights: expected one for each of model.sets ({len(sizes)}), got {len(weights)}",
        )
        require(
            not self.augment.hide_directions or (self.model.map is not None and self.model.map.directions),
            "augment.hide_directions: expected only with model.map.directions: true, for there is nothing else to hide",
        )
        require(
            self.model.map is not None or not any(source.map for source in (*self.train, *self.validation)),
            "map: expected none in the sources of a model that sees no map (model.map)",
        )
        require(
            self.model.all_agents or not any(source.all_agents for source in (*self.train, *self.validation)),
            "all_agents: expected only in the sources of a model that sees all agents (model.all_agents)",
        )
        require(bool(self.train) and bool(self.validation), "train, validation: expected at least one source each")
        require(
            self.name.replace("-", "").replace("_", "").isalnum(),
            f"name: expected letters, digits, - and _, got {self.name!r}",
        )
