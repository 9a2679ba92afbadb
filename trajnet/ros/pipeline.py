"""From the bytes of TrackedObjects to the bytes of PredictedObjects, with counters: all that the node does without ROS.

Whatever is in the bytes, ``Pipeline.process`` returns; whatever fails on the way, every object of a decodable message
leaves with a path (constant velocity at worst). It takes the time as an argument; its own clock only measures how long
things take.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from trajnet.context.map_field import MapField, field_of
from trajnet.context.surroundings import Needs
from trajnet.errors import InputError
from trajnet.inference import PHYSICS, ConstantVelocity, GuardedPredictor, Predictor, Stream, load_predictor
from trajnet.inference.onnx.predictor import OnnxPredictor
from trajnet.inference.onnx.session import PROVIDERS, GpuOptions
from trajnet.ros.cdr import decode_tracked, encode_predicted, encode_tracked
from trajnet.ros.diagnostics import Cycle, CycleKind, Diagnostics, Identity, Status
from trajnet.ros.from_autoware import CleanedMessage, MessageCleaner
from trajnet.ros.parameters import Parameters
from trajnet.ros.published_paths import PathGrid, PublishedPaths
from trajnet.ros.to_autoware import held, predicted_objects, tracked_objects
from trajnet.ros.visual import encode_covariance, encode_markers
from trajnet.types import IntArray, ObjectClass, Prediction, Source, TrackFrame

log = logging.getLogger(__name__)


def load(parameters: Parameters) -> tuple[Predictor, Identity]:
    """Return the predictor that the parameters ask for, and what diagnostics call it. Raises TrajnetError."""
    from trajnet.models import default_model

    spec = parameters.model or str(default_model())
    steps = max(1, int(np.ceil(parameters.horizon_s / parameters.path_step_s - 1e-9)))
    time_s = np.arange(1, steps + 1, dtype=np.float64) * parameters.path_step_s
    cache = Path(parameters.engine_cache) if parameters.engine_cache else None
    gpu = GpuOptions(cuda_graph=parameters.cuda_graph, engine_cache=cache)
    predictor = load_predictor(spec, time_s=time_s, provider=parameters.provider, threads=parameters.threads, gpu=gpu)
    if isinstance(predictor, OnnxPredictor):
        name = f"{predictor.contract.name} {predictor.contract.model_id}"
        provider = {full: short for short, full in PROVIDERS.items()}.get(predictor.provider, predictor.provider)
        return predictor, Identity(name, parameters.provider, provider, uses_model=True)
    return predictor, Identity(predictor.name, parameters.provider, "none (physics)", uses_model=spec not in PHYSICS)


def load_field(parameters: Parameters, needs: Needs) -> MapField | None:
    """Return the map that the parameters name, if there is one and the predictor wants it. Raises TrajnetError."""
    if not parameters.map_path:
        return None
    if needs.view is None:
        log.warning("map_path: this model uses no map; %s is not read", parameters.map_path)
        return None
    from trajnet.scenes import load_map  # readers of maps, and what they need, only where there is a map

    field = field_of(*load_map(parameters.map_path))
    if field is None:
        raise InputError(f"map_path: expected lanes that vehicles may use in {parameters.map_path}, got none")
    return field


@dataclass(frozen=True, eq=False)
class Answer:
    """What came of one message. objects: the bytes to publish; None where it was bad (message says why) or dropped.

    paths: what objects carries, row for row; frame: where its objects are now.
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

    def markers(self) -> bytes:
        """visualization_msgs/MarkerArray of the same paths."""
        assert self.paths is not None
        assert self.frame is not None
        return encode_markers(self.stamp_ns, self.frame_id, self.paths, self.frame.yaw_rad, self.frame.size_m)

    def covariance(self) -> bytes:
        """sensor_msgs/PointCloud2 of the same paths."""
        assert self.paths is not None
        return encode_covariance(self.stamp_ns, self.frame_id, self.paths)


class Pipeline:
    """Decodes, predicts and encodes one message at a time, and keeps the diagnostics.

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
        *,
        clock_ns: Callable[[], int] = time.perf_counter_ns,
    ) -> None:
        self._parameters = parameters
        self._clock_ns = clock_ns
        self._physics = ConstantVelocity(predictor.time_s)
        budget_s = parameters.budget_ms * 1e-3 if parameters.budget_ms > 0 else None
        self._guarded = GuardedPredictor(
            predictor,
            self._physics,
            budget_s if identity.uses_model else None,
            max_objects=parameters.max_objects,
        )
        self.stream = Stream(self._guarded, parameters.policy(), map_field=field, clock_ns=clock_ns)
        self._cleaner = MessageCleaner()
        self._grid = PathGrid(predictor.time_s, parameters.horizon_s, parameters.path_step_s)
        self.diagnostics = Diagnostics(
            identity,
            parameters.thresholds(),
            deadline_ms=parameters.budget_ms if parameters.budget_ms > 0 else float("inf"),
            expected_frame=parameters.frame_id,
        )

    def reset(self) -> None:
        """Forget every track, as after a start; the diagnostics' totals stay."""
        self.stream.reset()
        self._cleaner.reset()

    def close(self) -> None:
        """End the thread that the budget needs."""
        self._guarded.close()

    def process(self, data: bytes, now_ns: int, monotonic_ns: int | None = None) -> Answer:
        """One message of TrackedObjects at the time now_ns, of the clock that stamps them.

        monotonic_ns: the time that diagnostics go by, where now_ns may stand still or jump (simulated time).
        """
        begin = self._clock_ns()
        guard = self._guarded.counters
        misses, failures = guard.deadline_misses, guard.failures
        answer, bad, failure = Answer(), "", ""
        try:
            cleaned = self._cleaner.clean(decode_tracked(data))
        except InputError as error:
            answer, bad = Answer(kind="bad", message=str(error)), str(error)
        else:
            try:
                answer = self._answer(cleaned, now_ns)
            except Exception as error:  # a fault of ours must not cost a planner its paths
                failure = f"{type(error).__name__}: {error}"
                log.exception("failed on a frame of %d objects, constant velocity takes over", len(cleaned))
                self.reset()
                answer = self._constant_velocity(cleaned)
        rows = np.bincount(answer.paths.source, minlength=len(Source)) if answer.paths is not None else np.zeros(3)
        cycle = Cycle(
            now_ns if monotonic_ns is None else monotonic_ns,
            answer.kind,
            processing_ms=(self._clock_ns() - begin) * 1e-6,
            model_rows=int(rows[Source.MODEL]),
            physics_rows=int(rows[Source.PHYSICS]),
            stale_rows=int(rows[Source.STALE]),
            over_limit_rows=answer.over_limit,
            deadline_missed=guard.deadline_misses > misses,
            failed=bool(failure) or guard.failures > failures,
        )
        self.diagnostics.add(
            cycle,
            frame=answer.frame_id or None,
            bad=bad,
            failure=failure or (guard.last_failure if cycle.failed else ""),
        )
        return replace(answer, processing_ms=cycle.processing_ms)

    def report(self, monotonic_ns: int) -> tuple[Status, ...]:
        """Return the statuses ``input``, ``timing`` and ``model``, with what had to be mended and the guard refused."""
        more = {
            "input": asdict(self._cleaner.counters),
            "model": {"non_finite_rows": self._guarded.counters.non_finite_rows},
        }
        return tuple(
            replace(s, values=s.values + tuple((f"{k}_total", str(v)) for k, v in more.get(s.name, {}).items()))
            for s in self.diagnostics.report(monotonic_ns)
        )

    def _answer(self, cleaned: CleanedMessage, now_ns: int) -> Answer:
        frame = cleaned.frame
        over_limit = self._guarded.counters.over_limit_rows
        answer = self.stream.update(frame, now_ns)
        if self.stream.status in ("out_of_order", "duplicate"):
            return Answer(kind="dropped", frame_id=cleaned.objects.frame_id)
        prediction = _rows(answer, np.arange(len(frame)))  # the others are stale: not in the message
        kind: CycleKind = "late" if self.stream.status == "late" else "used"
        return self._encoded(cleaned, prediction, kind, self._guarded.counters.over_limit_rows - over_limit)

    def _constant_velocity(self, cleaned: CleanedMessage) -> Answer:
        try:
            prediction = Stream(self._physics).update(cleaned.frame, cleaned.frame.timestamp_ns)
            return self._encoded(cleaned, prediction, "used", 0)
        except Exception as error:
            log.exception("constant velocity failed, too")
            return Answer(kind="bad", message=f"{type(error).__name__}: {error}")

    def _encoded(self, cleaned: CleanedMessage, prediction: Prediction, kind: CycleKind, over_limit: int) -> Answer:
        frame, objects = cleaned.frame, cleaned.objects
        paths = self._grid.paths(
            prediction,
            frame.position_m,
            frame.yaw_rad,
            frame.yaw_valid,
            objects.pose_covariance.reshape(-1, 6, 6)[:, :2, :2],
            objects.pose[:, 2],
            self._parameters.max_paths,
        )
        paths = held(paths, cleaned.hold)
        return Answer(
            kind=kind,
            objects=encode_predicted(predicted_objects(cleaned, paths)),
            stamp_ns=objects.stamp_ns,
            frame_id=objects.frame_id,
            paths=paths,
            frame=frame,
            over_limit=over_limit,
        )


def _rows(prediction: Prediction, rows: IntArray) -> Prediction:
    """Only these rows, in this order."""
    if len(rows) == len(prediction) and np.array_equal(rows, np.arange(len(rows))):
        return prediction
    return replace(
        prediction,
        track_id=tuple(prediction.track_id[r] for r in rows),
        **{n: getattr(prediction, n)[rows] for n in _PER_ROW},
    )


_PER_ROW = ("position_m", "yaw_rad", "covariance_m2", "probability", "source", "age_s")


def warmed_up(
    predictor: Predictor, identity: Identity, parameters: Parameters, field: MapField | None = None
) -> Pipeline:
    """Return a pipeline whose first frame is as fast as the others: what is done only once is done already."""
    count = parameters.warm_up_objects
    if count:
        trial = Pipeline(predictor, identity, replace(parameters, budget_ms=0.0, max_objects=max(count, 1)), field)
        for step in range(2):
            trial.process(encode_tracked(tracked_objects(_made_up(count, step * 100_000_000))), 0)
        predictor.forget(np.arange(count))
    return Pipeline(predictor, identity, parameters, field)


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
