"""The node's parameters: names, defaults, ranges and what they mean, in one table. No ROS.

``node.py`` declares them from here, ``launch/trajnet.param.yaml`` documents them, and a test holds both together.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from trajnet.config import require
from trajnet.errors import ConfigError
from trajnet.ros.beside import BesideOptions, Role
from trajnet.ros.diagnostics import Thresholds
from trajnet.ros.levels import Limit
from trajnet.tracking.store import TrackPolicy


@dataclass(frozen=True)
class About:
    """What ROS is told of one parameter.

    minimum, maximum: of a number, inclusive. choices: of a string. read_only: cannot be set while the node runs.
    live: may be set in any state; the others only while the node is unconfigured, because configuring reads them.
    is_switch: a bool that launch files and command lines spell in several ways; see ``truth``.
    """

    description: str
    minimum: float = -math.inf
    maximum: float = math.inf
    choices: tuple[str, ...] = ()
    read_only: bool = False
    live: bool = False
    is_switch: bool = False

    def check(self, name: str, value: Any) -> None:
        """Raise ConfigError where the value is out of range."""
        if self.choices:
            require(value in self.choices, f"{name}: expected one of {', '.join(self.choices)}, got {value!r}")
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            in_range = math.isfinite(value) and self.minimum <= value <= self.maximum
            require(in_range, f"{name}: expected a number in [{self.minimum:g}, {self.maximum:g}], got {value!r}")


def _parameter(default: Any, description: str, **about: Any) -> Any:
    return field(default=default, metadata={"about": About(description, **about)})


@dataclass(frozen=True)
class Parameters:
    """Everything that the node can be told. Validated where it is made; raises ConfigError."""

    autostart: bool = _parameter(
        True,
        "Configure and activate at start: the node just runs. Set false where a lifecycle manager is in charge.",
        read_only=True,
        is_switch=True,
    )
    model: str = _parameter(
        "",
        "A bundled model by name (urban, ...), the path of an .onnx model, or cv, ctrv or kalman for physics. Empty: "
        "urban.",
    )
    map_path: str = _parameter(
        "",
        "Path of a map for models that use one: a Lanelet2 .osm with local_x and local_y (Autoware's), a folder of "
        "such tiles, or a scene file with lanes or a raster. Its coordinates are those of the objects. Empty: none.",
    )
    vector_map: bool = _parameter(
        True,
        "Models that use a map take the one on /map/vector_map (Autoware's), whenever it comes, for map_path's.",
    )
    provider: str = _parameter(
        "cpu",
        "Where ONNX Runtime runs the model. One that cannot be had is an error, never a silent fall-back.",
        choices=("cpu", "cuda", "tensorrt"),
    )
    engine_cache: str = _parameter(
        "",
        "Folder in which provider tensorrt keeps its engines, whose making takes minutes. Empty: none.",
    )
    cuda_graph: bool = _parameter(
        False, "Provider cuda: record what a step launches once, then start it as a whole (a CUDA graph)."
    )
    threads: int = _parameter(1, "Threads of ONNX Runtime within one call.", minimum=1, maximum=64)
    budget_ms: float = _parameter(
        50.0, "Time the model may take for a frame; then physics answers. 0: no limit.", minimum=0.0, maximum=10_000.0
    )
    warm_up_objects: int = _parameter(
        64,
        "Configuring runs the model on this many made-up objects, so that the first frame is not slow. 0: none.",
        minimum=0,
        maximum=1024,
    )
    horizon_s: float = _parameter(
        10.0,
        "Length of the published paths, as long as Autoware's. Beyond the model's own they go on along the map's "
        "lanes, else straight on, wider, labelled, up to 15 s.",
        minimum=0.1,
        maximum=60.0,
    )
    path_step_s: float = _parameter(
        0.5, "Time between the points of a published path (Autoware: 0.5).", minimum=0.05, maximum=10.0
    )
    max_paths: int = _parameter(
        6,
        "At most this many paths of an object are published, the likeliest first; confidences sum to 1 again.",
        minimum=1,
        maximum=100,
    )
    max_objects: int = _parameter(
        512,
        "At most this many objects are given to the model; the others get physics and a warning.",
        minimum=1,
        maximum=10_000,
    )
    ignore_domain: bool = _parameter(
        False,
        "Ask the model about every object. By default those outside of what it was trained on (class, rate, speed; see "
        "trajnet info) get physics, if its file states that.",
    )
    self_judging: bool = _parameter(
        True,
        "A model's earlier answers for an object weigh its paths against constant velocity and standing still.",
    )
    queue_depth: int = _parameter(
        5, "Frames that wait while the node is held up; Autoware's own predictor keeps 1.", minimum=1, maximum=1000
    )
    track_timeout_s: float = _parameter(
        1.0, "A track is forgotten after this time without an observation.", minimum=0.05, maximum=60.0
    )
    track_handover: bool = _parameter(
        True,
        "A track that appears where one that has just vanished must be by now takes over its history: a tracker that "
        "loses an object for a moment gives it a new id.",
    )
    filter_positions: bool = _parameter(
        True,
        "White noise that a track's measured positions show is filtered out before prediction (docs/evaluation.md).",
    )
    doubt_velocities: bool = _parameter(
        True,
        "A measured velocity that contradicts how the object moves, a placeholder, late, or of another unit or frame, "
        "does not count (docs/evaluation.md).",
    )
    doubt_headings: bool = _parameter(
        True,
        "A measured heading that contradicts how the object moves, reversed or a placeholder, does not count "
        "(docs/evaluation.md).",
    )
    crossings: bool = _parameter(
        True,
        "People near a crosswalk of the map get paths across it among theirs, with measured probabilities "
        "(docs/crossing.md).",
    )
    late_s: float = _parameter(
        0.2,
        "Objects older than this when they arrive count as late. They are used all the same.",
        minimum=0.001,
        maximum=60.0,
    )
    clock_reset_s: float = _parameter(
        1.0,
        "Stamps that go back by more than this mean a new clock (a bag that loops): all tracks are forgotten.",
        minimum=0.05,
        maximum=60.0,
    )
    frame_id: str = _parameter(
        "map",
        "Frame that objects are expected in, and paths leave in. Objects in another are put into it by /tf, or, where "
        "that cannot be done, leave in their own with a warning. Empty: any.",
        live=True,
    )
    use_tf: bool = _parameter(True, "Put objects in another frame than frame_id into it by /tf. False: a warning only.")
    role: Role = _parameter(
        "sole",
        "Beside another predictor: cross_check publishes on ~/output/objects and compares with the other; fall_back "
        "passes the other's predictions on and stands in where they are missing.",
        choices=("sole", "cross_check", "fall_back"),
    )
    other_wait_ms: float = _parameter(
        60.0,
        "Role fall_back: how long ours waits for the other's answer to the same objects.",
        minimum=0.0,
        maximum=1000.0,
    )
    other_silent_s: float = _parameter(
        1.0, "Role fall_back: ours leaves at once while the other has been silent for this.", minimum=0.1, maximum=60.0
    )
    disagreement_warn_m: float = _parameter(
        5.0,
        "An object disagrees where both predictions are further apart at 3 s (half their energy distance).",
        minimum=0.1,
        maximum=1000.0,
    )
    publish_markers: bool = _parameter(True, "Publish ~/debug/objects_path_markers while a node subscribes.", live=True)
    publish_covariance: bool = _parameter(True, "Publish ~/output/path_covariance while a node subscribes.", live=True)
    broadcast_origins: bool = _parameter(
        True,
        "x, y of the clouds are relative to a frame near the objects, NODE/path_covariance_origin or "
        "NODE/disagreement_origin, which goes out on /tf with each cloud. False: in the frame of the predictions, in "
        "steps of 0.5 m in UTM.",
        live=True,
    )
    diagnostics_period_s: float = _parameter(
        0.5,
        "Time between two reports on /diagnostics, by a steady clock. Autoware's aggregator waits for 1 s.",
        minimum=0.1,
        maximum=60.0,
        read_only=True,
    )
    diagnostics_window_s: float = _parameter(
        10.0, "Reports judge the messages of this time.", minimum=1.0, maximum=600.0
    )
    diagnostics_recover_s: float = _parameter(
        3.0, "A level falls only after things have been better for this time.", minimum=0.1, maximum=600.0
    )
    silence_warn_s: float = _parameter(0.5, "WARN after this time without a message.", minimum=0.01, maximum=3600.0)
    silence_error_s: float = _parameter(1.0, "ERROR after this time without a message.", minimum=0.01, maximum=3600.0)
    processing_warn_ms: float = _parameter(
        100.0, "WARN where the 99th percentile of the processing time is above this.", minimum=0.1, maximum=60_000.0
    )
    processing_error_ms: float = _parameter(
        500.0, "ERROR where the 99th percentile of the processing time is above this.", minimum=0.1, maximum=60_000.0
    )

    def __post_init__(self) -> None:
        for name, about in ABOUT.items():
            about.check(name, getattr(self, name))
        require(
            self.path_step_s <= self.horizon_s,
            f"path_step_s: expected at most horizon_s = {self.horizon_s:g}, got {self.path_step_s:g}",
        )
        require(
            self.horizon_s / self.path_step_s <= 1000,
            f"path_step_s: expected at most 1000 points in {self.horizon_s:g} s, got a step of {self.path_step_s:g} s",
        )
        self.thresholds()

    @staticmethod
    def of(values: Mapping[str, Any]) -> Parameters:
        """From plain values as ROS gives them. Raises ConfigError for unknown names and wrong types."""
        for name, value in values.items():
            if name not in ABOUT:
                raise ConfigError(f"{name}: no such parameter; known: {', '.join(ABOUT)}")
            expected = type(DEFAULTS[name])
            if type(value) is not expected and not ABOUT[name].is_switch:
                raise ConfigError(f"{name}: expected {expected.__name__}, got {value!r}")
        plain: dict[str, Any] = {n: truth(n, v) if ABOUT[n].is_switch else v for n, v in values.items()}
        return Parameters(**plain)

    def thresholds(self) -> Thresholds:
        return Thresholds(
            window_s=self.diagnostics_window_s,
            recover_s=self.diagnostics_recover_s,
            silence_s=_limit("silence", self.silence_warn_s, self.silence_error_s, "s"),
            processing_ms=_limit("processing", self.processing_warn_ms, self.processing_error_ms, "ms"),
        )

    def beside(self) -> BesideOptions:
        return BesideOptions(
            role=self.role,
            wait_ns=int(self.other_wait_ms * 1e6),
            silent_ns=int(self.other_silent_s * 1e9),
            disagreement_m=self.disagreement_warn_m,
            window_ns=int(self.diagnostics_window_s * 1e9),
        )

    def policy(self) -> TrackPolicy:
        return TrackPolicy(
            timeout_s=self.track_timeout_s,
            late_s=self.late_s,
            reset_jump_s=self.clock_reset_s,
            handover=self.track_handover,
            filter_positions=self.filter_positions,
            doubt_velocities=self.doubt_velocities,
            doubt_headings=self.doubt_headings,
            crossings=self.crossings,
        )


def truth(name: str, value: Any) -> bool:
    """Return what true, True, 1, yes, on and their opposites mean, as YAML, a shell or a launch file has them."""
    text = str(value).strip().lower()
    if text in ("true", "1", "yes", "on"):
        return True
    require(text in ("false", "0", "no", "off"), f"{name}: expected true or false, got {value!r}")
    return False


def _limit(name: str, warn: float, error: float, unit: str) -> Limit:
    require(warn <= error, f"{name}_warn_{unit}: expected at most {name}_error_{unit} = {error:g}, got {warn:g}")
    return Limit(warn, error)


ABOUT: dict[str, About] = {f.name: f.metadata["about"] for f in dataclasses.fields(Parameters)}
DEFAULTS: dict[str, Any] = {f.name: f.default for f in dataclasses.fields(Parameters)}
