"""From the bytes of TrackedObjects to the bytes of PredictedObjects, with counters: all that the node does without ROS.

Whatever is in the bytes and whatever fails on the way, ``Pipeline.process`` returns, and the objects of a decodable
message leave with paths (constant velocity at worst). Only KeyboardInterrupt passes: a model that calls sys.exit must
not end the node. It takes the time as an argument; its own clock only measures how long things take.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from trajnet.context.crosswalks import Crosswalks, crosswalks_of
from trajnet.context.lane_paths import LanePaths, lane_paths_of
from trajnet.context.map_field import MapField, field_of
from trajnet.errors import InputError, in_words
from trajnet.inference import (
    NO_JUDGING,
    PHYSICS,
    ConstantVelocity,
    GuardOptions,
    Predictor,
    Stream,
    load_predictor,
)
from trajnet.inference.crossing.modes import Crossing
from trajnet.inference.domain import outside_words
from trajnet.inference.onnx.session import PROVIDERS, GpuOptions
from trajnet.ros.cdr import TrackedObjects, decode_tracked, encode_predicted, encode_tracked
from trajnet.ros.diagnostics import Cycle, CycleKind, Diagnostics, DomainUse, Identity
from trajnet.ros.from_autoware import CleanedMessage, MessageCleaner, select
from trajnet.ros.into_frame import IntoFrame
from trajnet.ros.levels import Judged, Status
from trajnet.ros.map_share import among_lanes, on_map
from trajnet.ros.parameters import Parameters
from trajnet.ros.published_paths import PathGrid, PresentObjects, PublishedPaths
from trajnet.ros.to_autoware import held, predicted_objects, tracked_objects
from trajnet.ros.visual import Cloud, encode_covariance, encode_markers
from trajnet.types import BoolArray, IntArray, ObjectClass, Prediction, Source, TrackFrame

log = logging.getLogger(__name__)

#: A log with each kind of failure once says why; it must not grow with the frames.
MAX_LOGGED_KINDS = 32


def load(parameters: Parameters) -> tuple[Predictor, Identity]:
    """Return the predictor that the parameters ask for, and what diagnostics call it. Raises TrajnetError."""
    from trajnet.models import default_model

    spec = parameters.model or str(default_model())
    steps = max(1, int(np.ceil(parameters.horizon_s / parameters.path_step_s - 1e-9)))
    time_s = np.arange(1, steps + 1, dtype=np.float64) * parameters.path_step_s
    cache = Path(parameters.engine_cache) if parameters.engine_cache else None
    gpu = GpuOptions(cuda_graph=parameters.cuda_graph, engine_cache=cache)
    predictor = load_predictor(spec, time_s=time_s, provider=parameters.provider, threads=parameters.threads, gpu=gpu)
    file = predictor.model_file
    if file is not None:
        name = f"{file.contract.name} {file.contract.model_id}"
        provider = {full: short for short, full in PROVIDERS.items()}.get(file.provider, file.provider)
        stated = file.contract.domain is not None
        domain: DomainUse = "not stated" if not stated else "ignored" if parameters.ignore_domain else "checked"
        return predictor, Identity(name, parameters.provider, provider, uses_model=True, domain=domain)
    return predictor, Identity(predictor.name, parameters.provider, "none (physics)", uses_model=spec not in PHYSICS)


class MapParts(NamedTuple):
    """What is used of a map.

    field: by predictors that want one. crosswalks: by crossings. lane_paths: by self-judging, and beyond a path's end.
    Each is None where there is no map, the map has none, or it is not used.
    """

    field: MapField | None = None
    crosswalks: Crosswalks | None = None
    lane_paths: LanePaths | None = None


class UsedMap(NamedTuple):
    """What a pipeline uses of its map; see MapParts."""

    field: MapField | None = None
    crossing: Crossing | None = None
    lane_paths: LanePaths | None = None


def extends(parameters: Parameters, predictor: Predictor) -> bool:
    """Return whether paths go on beyond the predictor's last time, along the map's lanes where it has any."""
    return bool(parameters.horizon_s > predictor.time_s[-1] + 1e-9)


def keeps_lanes(parameters: Parameters, predictor: Predictor) -> bool:
    """Return whether paths of vehicles are drawn towards the map's lanes, where it has any."""
    return parameters.self_judging and predictor.model_file is not None


def load_map_parts(parameters: Parameters, predictor: Predictor) -> MapParts:
    """Return what is used of the map that the parameters name. Raises TrajnetError."""
    if not parameters.map_path:
        return MapParts()
    view, crosses = predictor.requirements.view, parameters.crossings and predictor.modes > 1
    follows = extends(parameters, predictor) or keeps_lanes(parameters, predictor)
    if view is None and not crosses and not follows:
        log.warning("map_path: this model uses no map; %s is not read", parameters.map_path)
        return MapParts()
    from trajnet.datasets.files import load_map  # readers of maps, and what they need, only where there is a map

    lanes, raster = load_map(parameters.map_path)
    crosswalks = crosswalks_of(lanes) if crosses else None
    paths = lane_paths_of(lanes) if follows else None
    if view is None:
        found = 0 if crosswalks is None else len(crosswalks)
        log.warning(
            "map_path: this model uses no map; of %s the crosswalks are used: %d; the lanes: %s",
            parameters.map_path, found, "no" if paths is None else "yes",
        )  # fmt: skip
        return MapParts(None, crosswalks, paths)
    field = field_of(lanes, raster)
    if field is None:
        raise InputError(f"map_path: expected lanes that vehicles may use in {parameters.map_path}, got none")
    return MapParts(field, crosswalks, paths)


def _map_use(parameters: Parameters, parts: MapParts) -> str:
    if parts.field is not None:
        return parameters.map_path
    if parts != MapParts():
        return f"{parameters.map_path}: not for the model"
    return "none" if not parameters.map_path else "none: this model uses no map"


@dataclass(frozen=True, eq=False)
class Answer:
    """What came of one message. objects: the bytes to publish; None where it was bad (message says why) or dropped.

    paths: what objects carries, row for row; frame: where its objects are now. stages_ms: how long each part of
    processing_ms took, in order.
    """

    kind: CycleKind = "used"
    message: str = ""
    objects: bytes | None = None
    stamp_ns: int = 0
    frame_id: str = ""
    paths: PublishedPaths | None = None
    frame: TrackFrame | None = None
    over_limit: int = 0
    processing_ms: float = 0.0
    stages_ms: tuple[tuple[str, float], ...] = ()

    def markers(self) -> bytes:
        """visualization_msgs/MarkerArray of the same paths."""
        assert self.paths is not None
        assert self.frame is not None
        return encode_markers(self.stamp_ns, self.frame_id, self.paths, self.frame.yaw_rad, self.frame.size_m)

    def covariance(self, origin_frame: str = "") -> Cloud:
        """sensor_msgs/PointCloud2 of the same paths, with x and y in origin_frame where one is named."""
        assert self.paths is not None
        return encode_covariance(self.stamp_ns, self.frame_id, self.paths, origin_frame)


@dataclass
class _Found:
    """What was found on the way to an answer: a failure's text, and objects to count; see Cycle.

    stages_ns: the name of each part that was done, and the time at its end.
    """

    failure: str = ""
    frame_changed: bool = False
    without_id: int = 0
    located: int = 0
    off_map: int = 0
    stages_ns: list[tuple[str, int]] = field(default_factory=list)

    def stages_ms(self, begin_ns: int) -> tuple[tuple[str, float], ...]:
        """Return how long each stage took; the first began at begin_ns."""
        ends = [begin_ns, *(end for _, end in self.stages_ns)]
        return tuple((name, (end - ends[i]) * 1e-6) for i, (name, end) in enumerate(self.stages_ns))


def _is_usable(objects: TrackedObjects, row: int) -> bool:
    """Return whether one object of a message can be cleaned."""
    try:
        MessageCleaner().clean(select(objects, np.array([row])))
    except Exception:
        return False
    return True


class Pipeline:
    """Decodes, predicts and encodes one message at a time, and keeps the diagnostics.

    field, crosswalks, lane_paths: what is used of the map, see MapParts. clock_ns: measures how long a message takes.

    At most ``parameters.max_objects`` objects of a frame go to the predictor, by priority (predictors.priority);
    the others get constant velocity. A frame that is out of order or a duplicate gives no objects: what followed from
    the newer one has been published already.
    """

    def __init__(
        self,
        predictor: Predictor,
        identity: Identity,
        parameters: Parameters,
        field: MapField | None = None,
        crosswalks: Crosswalks | None = None,
        lane_paths: LanePaths | None = None,
        *,
        clock_ns: Callable[[], int] = time.perf_counter_ns,
    ) -> None:
        self._parameters = parameters
        self._clock_ns = clock_ns
        budget_s = parameters.budget_ms * 1e-3 if parameters.budget_ms > 0 and identity.uses_model else None
        options = GuardOptions(budget_s, parameters.max_objects, domain=not parameters.ignore_domain)
        self.stream = Stream(
            predictor,
            parameters.policy(),
            guard=options,
            map_field=field,
            crosswalks=crosswalks,
            lanes=lane_paths,
            warn_without_map=False,  # the node says at its start which map it has
            judging=None if parameters.self_judging else NO_JUDGING,
            clock_ns=clock_ns,
        )
        self._cleaner = MessageCleaner()
        self._map = UsedMap(field, self.stream.crossing, lane_paths)
        self._sees_map = True
        self.into_frame = IntoFrame()
        self._frame_id: str | None = None
        self._logged: set[str] = set()
        self._grid = self._grid_on(lane_paths)
        self.diagnostics = Diagnostics(
            identity,
            parameters.thresholds(),
            deadline_ms=parameters.budget_ms if parameters.budget_ms > 0 else float("inf"),
            expected_frame=parameters.frame_id,
            map_use=_map_use(parameters, MapParts(field, crosswalks, lane_paths)),
        )

    def reset(self) -> None:
        """Forget every track, as after a start; the diagnostics' totals stay."""
        self.stream.reset()
        self._cleaner.reset()

    def use_map(self, field: MapField, crossing: Crossing | None, lane_paths: LanePaths | None = None) -> None:
        """Use this map, its crosswalks and its lanes from the next message on; tracks go on."""
        if crossing is not None and self._map.crossing is not None:
            crossing.counters = self._map.crossing.counters
        self._map = UsedMap(field, crossing if self.stream.takes_crossings else None, lane_paths)
        self._show_map()

    def _show_map(self) -> None:
        """Let what predicts see the map, or none while objects are in another frame than the map's."""
        seen = self._map if self._sees_map else UsedMap()
        self._grid = self._grid_on(seen.lane_paths)
        if self.stream.predictor.requirements.view is not None:
            self.stream.use_map(seen.field)
        self.stream.use_lanes(seen.lane_paths)
        self.stream.use_crossing(seen.crossing)

    def _grid_on(self, lane_paths: LanePaths | None) -> PathGrid:
        parameters = self._parameters
        lanes = lane_paths if extends(parameters, self.stream.predictor) else None
        return PathGrid(self.stream.predictor.time_s, parameters.horizon_s, parameters.path_step_s, lanes)

    def close(self) -> None:
        """End the thread that the budget needs."""
        self.stream.close()

    def process(self, data: bytes, now_ns: int, monotonic_ns: int | None = None) -> Answer:
        """One message of TrackedObjects at the time now_ns, of the clock that stamps them.

        monotonic_ns: the time that diagnostics go by, where now_ns may stand still or jump (simulated time).
        """
        begin = self._clock_ns()
        guard = self.stream.guard.counters
        before = replace(guard)
        tracks = self.stream.store.counters
        impossible, resets = self._impossible(), tracks.clock_reset
        velocities, headings = tracks.implausible_velocity, tracks.implausible_heading
        found = _Found()
        try:
            answer = self._answer(data, now_ns, found)
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            self._failed(error, found)
            answer = Answer(kind="failed", message=found.failure)
        rows = (
            np.bincount(answer.paths.source, minlength=len(Source))
            if answer.paths is not None
            else np.zeros(len(Source))
        )
        cycle = Cycle(
            now_ns if monotonic_ns is None else monotonic_ns,
            answer.kind,
            processing_ms=(self._clock_ns() - begin) * 1e-6,
            model_rows=int(rows[Source.MODEL] + rows[Source.JUDGED]),
            physics_rows=int(rows[Source.PHYSICS]),
            stale_rows=int(rows[Source.STALE]),
            judged_rows=int(rows[Source.JUDGED]),
            over_limit_rows=answer.over_limit,
            outside_class_rows=guard.outside_class_rows - before.outside_class_rows,
            outside_rate_rows=guard.outside_rate_rows - before.outside_rate_rows,
            outside_speed_rows=guard.outside_speed_rows - before.outside_speed_rows,
            without_id_rows=found.without_id,
            impossible_rows=self._impossible() - impossible,
            contrary_velocity_rows=tracks.implausible_velocity - velocities,
            contrary_heading_rows=tracks.implausible_heading - headings,
            refused_rows=guard.non_finite_rows - before.non_finite_rows,
            located_rows=found.located,
            off_map_rows=found.off_map,
            frame_changed=found.frame_changed,
            clock_reset=tracks.clock_reset > resets,
            deadline_missed=guard.deadline_misses > before.deadline_misses,
            failed=bool(found.failure) or guard.failures > before.failures,
        )
        self.diagnostics.add(
            cycle,
            frame=answer.frame_id or None,
            bad=answer.message if answer.kind == "bad" else "",
            failure=found.failure or (guard.last_failure if cycle.failed else ""),
        )
        self._say_outside(cycle)
        return replace(answer, processing_ms=cycle.processing_ms, stages_ms=found.stages_ms(begin))

    def _say_outside(self, cycle: Cycle) -> None:
        """Log the first objects that are outside of the model's domain; later ones are only counted."""
        if cycle.outside_domain_rows and "outside" not in self._logged:
            self._logged.add("outside")
            said = outside_words(self.diagnostics.identity.model, asdict(self.stream.guard.counters))
            log.warning("%s; see the diagnostics' status domain and the parameter ignore_domain", said)

    def _impossible(self) -> int:
        """Return how many objects have moved, or were said to move, as their class cannot."""
        counters = self.stream.store.counters
        return counters.restarted + counters.shifted + counters.implausible_speed

    def report(self, monotonic_ns: int, judged: Mapping[str, Judged] | None = None) -> tuple[Status, ...]:
        """Return the statuses of diagnostics.STATUSES, with what had to be mended and the guard refused.

        judged: statuses that others have judged, by name; they follow.
        """
        more = {
            "input": {
                **asdict(self._cleaner.counters),
                **self.into_frame.counts(),
                "restarted": self.stream.store.counters.restarted,
                "shifted": self.stream.store.counters.shifted,
                "implausible_speed": self.stream.store.counters.implausible_speed,
                "implausible_velocity": self.stream.store.counters.implausible_velocity,
                "implausible_heading": self.stream.store.counters.implausible_heading,
                "filtered": self.stream.store.counters.filtered,
            },
            "model": {
                "non_finite_rows": self.stream.guard.counters.non_finite_rows,
                **({} if self.stream.judge is None else asdict(self.stream.judge.counters)),
            },
            "map": {} if self._map.crossing is None else asdict(self._map.crossing.counters),
        }
        self.diagnostics.lane_trust = None if self.stream.judge is None else self.stream.judge.lane_trust
        horizon = (
            ("horizon_s", f"{self._grid.time_s[-1]:g}"),
            ("predicted_until_s", f"{min(self._grid.predicted_until_s, self._grid.time_s[-1]):g}"),
        )
        return tuple(
            replace(
                s,
                values=s.values
                + (horizon if s.name == "model" else ())
                + tuple((f"{k}_total", str(v)) for k, v in more.get(s.name, {}).items()),
            )
            for s in self.diagnostics.report(monotonic_ns, judged)
        )

    def _answer(self, data: bytes, now_ns: int, found: _Found) -> Answer:
        begin_ns = self.stream.guard.start_ns()  # the deadline is the message's
        try:
            objects = decode_tracked(data)
        except InputError as error:
            return Answer(kind="bad", message=str(error))
        if self._parameters.use_tf:
            objects = self.into_frame.put(objects, self.diagnostics.expected_frame)
            self.diagnostics.no_transform = self.into_frame.reason
        found.stages_ns.append(("decode", self._clock_ns()))
        self._follow_frame_id(objects.frame_id, found)
        cleaned = self._cleaned(objects, found)
        found.without_id = int(cleaned.without_id.sum())
        self._locate(cleaned, found)
        found.stages_ns.append(("clean", self._clock_ns()))
        try:
            return self._predicted(cleaned, now_ns, begin_ns, found)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # a fault of ours must not cost a planner its paths
            self._failed(error, found)
            self.reset()
            prediction = Stream(ConstantVelocity(self.stream.predictor.time_s)).update(
                cleaned.frame, cleaned.frame.timestamp_ns
            )
            return self._encoded(cleaned, prediction, "used", cleaned.hold, found)

    def _locate(self, cleaned: CleanedMessage, found: _Found) -> None:
        """Note how many objects were looked up on the map, and how many are off it."""
        position_m = cleaned.frame.position_m
        if not self._sees_map:
            return
        if self._map.field is not None:
            there = on_map(self._map.field, position_m)
        elif self._map.lane_paths is not None:
            there = among_lanes(self._map.lane_paths, position_m)
        else:
            return
        found.located, found.off_map = len(there), int((~there).sum())

    def _follow_frame_id(self, frame_id: str, found: _Found) -> None:
        """Begin anew where coordinates are of another frame than before: no motion leads from one to the other.

        The map is that of the frame that was expected when it was asked for: objects in another one do not see it.
        """
        if self._frame_id is not None and frame_id != self._frame_id:
            found.frame_changed = True
            self.reset()
        self._frame_id = frame_id
        sees_map = self._parameters.frame_id in ("", frame_id)
        if sees_map is not self._sees_map:
            self._sees_map = sees_map
            self._show_map()

    def _cleaned(self, objects: TrackedObjects, found: _Found) -> CleanedMessage:
        """Clean the message; where that fails, those of its objects with which it does not."""
        try:
            return self._cleaner.clean(objects)
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            self._failed(error, found)
            rows = np.array([row for row in range(len(objects)) if _is_usable(objects, row)], dtype=np.int64)
            return self._cleaner.clean(select(objects, rows))

    def _failed(self, error: BaseException, found: _Found) -> None:
        """Note a failure, and log the first one of each kind with its traceback."""
        found.failure = in_words(error)
        kind = type(error).__name__
        if kind not in self._logged and len(self._logged) < MAX_LOGGED_KINDS:
            self._logged.add(kind)
            log.error("a frame failed (%s); later failures of this kind are only counted", kind, exc_info=error)

    def _predicted(self, cleaned: CleanedMessage, now_ns: int, begin_ns: int, found: _Found) -> Answer:
        frame = cleaned.frame
        over_limit = self.stream.guard.counters.over_limit_rows
        answer = self.stream.update(frame, now_ns, begin_ns=begin_ns)
        found.stages_ns.append(("predict", self._clock_ns()))
        if self.stream.status in ("out_of_order", "duplicate"):
            return Answer(kind="dropped", frame_id=cleaned.objects.frame_id)
        prediction = _rows(answer, np.arange(len(frame)))  # the others are stale: not in the message
        kind: CycleKind = "late" if self.stream.status == "late" else "used"
        encoded = self._encoded(cleaned, prediction, kind, self._held_rows(cleaned), found)
        return replace(encoded, over_limit=self.stream.guard.counters.over_limit_rows - over_limit)

    def _held_rows(self, cleaned: CleanedMessage) -> BoolArray:
        """Return which objects (N,) stay where they are: those that stand, but for people who may cross."""
        if self.stream.crossing is None:
            return cleaned.hold
        hold = cleaned.hold.copy()
        hold[self.stream.crossing.near_row] = False
        return hold

    def _encoded(
        self, cleaned: CleanedMessage, prediction: Prediction, kind: CycleKind, hold: BoolArray, found: _Found
    ) -> Answer:
        frame, objects = cleaned.frame, cleaned.objects
        covariance_m2 = objects.pose_covariance.reshape(-1, 6, 6)[:, :2, :2]
        present = PresentObjects(
            frame.position_m, frame.yaw_rad, frame.yaw_valid, covariance_m2, objects.pose[:, 2], frame.object_class
        )
        paths = held(self._grid.paths(prediction, present, self._parameters.max_paths), hold)
        data = encode_predicted(predicted_objects(cleaned, paths))
        found.stages_ns.append(("encode", self._clock_ns()))
        return Answer(
            kind=kind, objects=data, stamp_ns=objects.stamp_ns, frame_id=objects.frame_id, paths=paths, frame=frame
        )


def _rows(prediction: Prediction, rows: IntArray) -> Prediction:
    """Return only these rows, in this order; the same prediction where they are all of its rows."""
    if len(rows) == len(prediction) and np.array_equal(rows, np.arange(len(rows))):
        return prediction
    return prediction.select(rows)


def warmed_up(
    predictor: Predictor,
    identity: Identity,
    parameters: Parameters,
    field: MapField | None = None,
    crosswalks: Crosswalks | None = None,
    lane_paths: LanePaths | None = None,
) -> Pipeline:
    """Return a pipeline whose first frame is as fast as the others: what is done only once is done already."""
    count = parameters.warm_up_objects
    if count:
        trial_parameters = replace(parameters, budget_ms=0.0, max_objects=max(count, 1), ignore_domain=True)
        trial = Pipeline(predictor, identity, trial_parameters, field, crosswalks, lane_paths)
        for step in range(2):
            objects = tracked_objects(_made_up(count, step * 100_000_000), parameters.frame_id or "map")
            trial.process(encode_tracked(objects), 0)
        predictor.forget(np.arange(count))
    return Pipeline(predictor, identity, parameters, field, crosswalks, lane_paths)


def _made_up(count: int, timestamp_ns: int) -> TrackFrame:
    one = np.ones(count)
    return TrackFrame(
        timestamp_ns=timestamp_ns,
        track_id=tuple(f"{i:032x}" for i in range(count)),
        object_class=np.full(count, ObjectClass.CAR, dtype=np.int8),
        position_m=np.stack([np.arange(count) * 5.0, one * timestamp_ns * 1e-8], axis=1),
        yaw_rad=one * np.pi / 2,
        yaw_valid=np.ones(count, dtype=np.bool_),
        velocity_mps=np.stack([0.0 * one, 10.0 * one], axis=1),
        velocity_valid=np.ones(count, dtype=np.bool_),
        size_m=np.stack([4.5 * one, 1.9 * one], axis=1),
    )
