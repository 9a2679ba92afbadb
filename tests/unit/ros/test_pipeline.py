"""From bytes to bytes without ROS: every object leaves with a path, whatever happens."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.domains import DOMAIN
from tests.unit.inference.test_contract import CONTRACT
from trajnet.context.lane_paths import LanePaths
from trajnet.context.map_field import MapView, make_field
from trajnet.context.surroundings import InputRequirements, Surroundings
from trajnet.datasets.files import load_scene
from trajnet.errors import ConfigError, ContractError, InputError
from trajnet.inference import PHYSICS, ConstantVelocity, Stream
from trajnet.inference.base import BasePredictor, ModelFile
from trajnet.inference.onnx.session import PROVIDERS
from trajnet.models import nuscenes_model
from trajnet.ros.cdr import PredictedObjects, TrackedObjects, decode_predicted, decode_tracked, encode_tracked
from trajnet.ros.conventions import object_ids
from trajnet.ros.diagnostics import Identity
from trajnet.ros.from_autoware import CleanedMessage, MessageCleaner
from trajnet.ros.levels import Level, Status
from trajnet.ros.parameters import ABOUT, DEFAULTS, Parameters
from trajnet.ros.pipeline import MapParts, Pipeline, load, load_map_parts, warmed_up
from trajnet.ros.published_paths import PathGrid, PresentObjects
from trajnet.ros.to_autoware import tracked_objects
from trajnet.ros.visual import covariance_records
from trajnet.tracking.store import Observations
from trajnet.types import Expert, FloatArray, Lane, ObjectClass, Prediction, Source, TrackFrame

MS = 1_000_000
SERVING = Identity("fan 1", "cpu", "cpu", uses_model=True)


class Fan(BasePredictor):
    """Three paths around constant velocity, by whose ends a test can tell them; fails and lies when told to."""

    name = "fan"
    modes = 3
    time_s: FloatArray = np.arange(1.0, 13.0) * 0.5

    def __init__(self) -> None:
        self.error: BaseException | None = None
        self.nan_row: int | None = None
        self.asked: list[tuple[str, ...]] = []

    def predict(self, observations: Observations) -> Prediction:
        self.asked.append(observations.track_id)
        if self.error is not None:
            raise self.error
        straight = ConstantVelocity(self.time_s).predict(observations)
        count = len(observations)
        position = np.repeat(straight.position_m, 3, axis=1) + np.array([0.0, 1.0, -1.0])[:, None, None]
        if self.nan_row is not None:
            position[self.nan_row] = np.nan
        return Prediction(
            observations.timestamp_ns, observations.track_id, self.time_s, position, np.repeat(straight.yaw_rad, 3, 1),
            np.repeat(straight.covariance_m2, 3, 1), np.tile([0.2, 0.5, 0.3], (count, 1)),
            np.full(count, Source.MODEL), np.zeros(count),
        )  # fmt: skip


def frame(time_ms: int, *ids: str, speed: float = 10.0) -> TrackFrame:
    count = len(ids)
    row = np.arange(count, dtype=np.float64)
    return TrackFrame(
        time_ms * MS, ids, np.full(count, ObjectClass.CAR), np.stack([speed * time_ms * 1e-3 + 0 * row, 10 * row], 1),
        np.zeros(count), np.ones(count, bool), np.stack([speed + 0 * row, 0 * row], 1), np.ones(count, bool),
        np.tile([4.0, 2.0], (count, 1)),
    )  # fmt: skip


def message(time_ms: int, *ids: str, speed: float = 10.0) -> bytes:
    return encode_tracked(tracked_objects(frame(time_ms, *ids, speed=speed)))


def pipeline(fan: Fan | None = None, **changes: Any) -> Pipeline:
    parameters = Parameters.of({"budget_ms": 0.0, "model": "fan", "horizon_s": 6.0, **changes})
    return Pipeline(fan or Fan(), SERVING, parameters, clock_ns=lambda: 0)


def said(data: bytes | None) -> PredictedObjects:
    assert data is not None
    return decode_predicted(data)


def test_paths_begin_at_the_object_and_the_likeliest_comes_first() -> None:
    got = said(pipeline().process(message(500, "a", "b"), 500 * MS).objects)
    assert (got.stamp_ns, got.frame_id) == (500 * MS, "map")
    assert np.array_equal(got.object_id, object_ids(("a", "b")))
    assert got.path_count.tolist() == [3, 3]
    assert got.path_confidence[:3] == pytest.approx([0.5, 0.3, 0.2])
    assert got.path_step_ns.tolist() == [500 * MS] * 6
    first = got.path_pose.reshape(6, 13, 7)[0]
    assert first[0, :2] == pytest.approx([5.0, 0.0])
    assert first[1, :2] == pytest.approx([5.0 + 5.0 + 1.0, 0.0 + 1.0])  # 0.5 s at 10 m/s, and the fan's offset
    assert first[12, :2] == pytest.approx([5.0 + 60.0 + 1.0, 1.0])


def test_the_grid_is_the_one_asked_for() -> None:
    got = said(pipeline(horizon_s=3.0, path_step_s=0.25, max_paths=2).process(message(0, "a"), 0).objects)
    assert got.pose_count.tolist() == [13, 13]
    assert got.path_step_ns.tolist() == [250 * MS] * 2
    assert got.path_confidence == pytest.approx([0.5 / 0.8, 0.3 / 0.8])
    straight = said(load_cv(horizon_s=3.0, path_step_s=0.25).process(message(0, "a"), 0).objects)
    assert straight.path_pose[:, 0] == pytest.approx(np.arange(13) * 2.5)


def load_cv(**changes: Any) -> Pipeline:
    parameters = Parameters.of({"model": "cv", **changes})
    return Pipeline(*load(parameters), parameters, clock_ns=lambda: 0)


def test_a_horizon_beyond_what_was_measured_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"horizon_s: expected at most 15 s \(the model predicts 6 s\), got 16"):
        pipeline(horizon_s=16.0)


def test_paths_beyond_the_model_that_end_on_a_lane_are_labelled() -> None:
    centre_m = np.array([[-100.0, 0], [500, 0]])
    lanes = LanePaths([Lane("1", centre_m, centre_m, centre_m)])
    parameters = Parameters.of({"model": "fan", "budget_ms": 0.0, "horizon_s": 10.0})
    line = Pipeline(Fan(), SERVING, parameters, lane_paths=lanes, clock_ns=lambda: 0)
    paths = line.process(message(0, "a"), 0).paths
    assert paths is not None
    assert paths.on_lane is not None
    assert paths.on_lane.any()
    beyond = covariance_records(paths)["extended"].reshape(3, 21)
    assert (beyond == np.where(paths.time_s > 6, 1 + paths.on_lane[0][:, None], 0)).all()


@pytest.mark.parametrize(("horizon_s", "follows"), [(10.0, True), (6.0, False)])
def test_the_lanes_of_a_map_that_comes_later_are_followed_where_paths_go_on(horizon_s: float, follows: bool) -> None:
    centre_m = np.array([[-100.0, 0], [500, 0]])
    lanes = LanePaths([Lane("1", centre_m, centre_m, centre_m)])
    line = pipeline(horizon_s=horizon_s)
    line.use_map(make_field(np.zeros(2), 1.0, {"drivable": np.ones((3, 4), np.bool_)}), None, lanes)
    paths = line.process(message(0, "a"), 0).paths
    assert paths is not None
    assert (paths.on_lane is not None and bool(paths.on_lane.any())) == follows


def test_paths_beyond_the_model_go_straight_on_wider_and_labelled() -> None:
    short, long = pipeline().process(message(0, "a"), 0), (line := pipeline(horizon_s=10.0)).process(message(0, "a"), 0)
    assert short.paths is not None
    assert long.paths is not None
    assert np.array_equal(long.paths.position_m[:, :, :13], short.paths.position_m)  # nothing else has changed
    assert np.array_equal(long.paths.covariance_m2[:, :, :13], short.paths.covariance_m2)
    assert np.array_equal(long.paths.yaw_rad[:, :, :13], short.paths.yaw_rad)
    got = said(long.objects)
    assert got.pose_count.tolist() == [21] * 3
    assert got.path_pose.reshape(3, 21, 7)[0, :, 0] == pytest.approx(
        said(short.objects).path_pose[12, 0] + (np.arange(21) - 12) * 5.0 - np.where(np.arange(21) == 0, 1.0, 0.0)
    )  # the fan is 1 m ahead but at 0 s
    added = long.paths.covariance_m2[0, 0, [16, 20]] - long.paths.covariance_m2[0, 0, 12]
    assert added == pytest.approx(np.array([1.5 * 2, 1.5 * 4]).reshape(2, 1, 1) ** 2 * np.eye(2))
    assert covariance_records(long.paths)["extended"].reshape(3, 21).sum(axis=1).tolist() == [8] * 3
    assert not covariance_records(short.paths)["extended"].any()
    values = dict(statuses(line)["model"].values)
    assert (values["horizon_s"], values["predicted_until_s"]) == ("10", "6")


@pytest.mark.parametrize("data", [b"", b"\x00", bytes(100), b"\x00\x01\x00\x00" + b"\xff" * 64, b"garbage" * 50])
def test_garbage_is_counted_and_answered_with_nothing(data: bytes) -> None:
    line = pipeline()
    answer = line.process(data, 0)
    assert (answer.kind, answer.objects) == ("bad", None)
    assert answer.message
    assert line.diagnostics.totals.bad == 1
    assert line.process(message(100, "a"), 100 * MS).kind == "used"


def test_every_truncation_of_a_message_is_bad_and_harmless() -> None:
    line, whole = pipeline(), message(0, "a")
    for length in range(len(whole) - 4):
        assert line.process(whole[:length], 0).kind == "bad"
    assert said(line.process(whole, 0).objects).path_count.tolist() == [3]


def test_a_model_that_raises_leaves_every_object_a_path() -> None:
    fan = Fan()
    line = pipeline(fan)
    before = line.process(message(0, "a", "b"), 0)
    assert before.paths is not None
    assert set(covariance_records(before.paths)["expert"].tolist()) == {Expert.MODEL}
    fan.error = RuntimeError("boom")
    answer = line.process(message(100, "a", "b"), 100 * MS)
    got = said(answer.objects)
    assert got.path_count.tolist() == [1, 1]
    assert got.path_pose.reshape(2, 13, 7)[:, 12, 0] == pytest.approx([61.0, 61.0])
    assert answer.paths is not None
    assert answer.paths.source.tolist() == [Source.PHYSICS] * 2
    assert set(covariance_records(answer.paths)["expert"].tolist()) == {Expert.UNKNOWN}
    model = {s.name: s for s in line.report(100 * MS)}["model"]
    assert model.level == Level.WARN
    assert dict(model.values)["last_failure"] == "RuntimeError: boom"


def test_a_row_that_is_not_a_number_falls_back_alone() -> None:
    fan = Fan()
    fan.nan_row = 0
    got = said(pipeline(fan).process(message(0, "a", "b"), 0).objects)
    assert got.path_count.tolist() == [1, 3]
    assert np.isfinite(got.path_pose).all()


def test_a_fault_of_our_own_still_gives_paths(monkeypatch: pytest.MonkeyPatch) -> None:
    line = pipeline()
    monkeypatch.setattr(Stream, "reset", lambda self: None)
    monkeypatch.setattr(line.stream, "update", lambda *_: 1 / 0)
    answer = line.process(message(0, "a", "b"), 0)
    assert said(answer.objects).path_count.tolist() == [1, 1]
    assert line.diagnostics.totals.failures == 1


def statuses(line: Pipeline, time_ms: int = 0) -> dict[str, Status]:
    return {s.name: s for s in line.report(time_ms * MS)}


class Unspeakable(BaseException):
    """An error whose text cannot be had."""

    def __str__(self) -> str:
        raise RuntimeError("no text")


@pytest.mark.parametrize("budget_ms", [0.0, 10_000.0])
@pytest.mark.parametrize(
    ("error", "told"),
    [
        (SystemExit(3), "SystemExit: 3"),
        (GeneratorExit(), "GeneratorExit: "),
        (MemoryError(), "MemoryError: "),
        (Unspeakable(), "Unspeakable: (its text cannot be read)"),
    ],
)
def test_whatever_a_model_raises_every_object_leaves_with_a_path(
    error: BaseException, told: str, budget_ms: float
) -> None:
    fan = Fan()
    line = pipeline(fan, budget_ms=budget_ms)
    line.process(message(0, "a", "b"), 0)
    fan.error = error
    got = said(line.process(message(100, "a", "b"), 100 * MS).objects)
    assert got.path_count.tolist() == [1, 1]
    assert got.path_pose.reshape(2, 13, 7)[:, 12, 0] == pytest.approx([61.0, 61.0])
    assert dict(statuses(line)["model"].values)["last_failure"] == told
    for step in range(2, 5):
        line.process(message(100 * step, "a", "b"), 100 * step * MS)
    assert statuses(line)["model"].level == Level.ERROR
    fan.error = None
    assert said(line.process(message(600, "a", "b"), 600 * MS).objects).path_count.tolist() == [3, 3]
    line.close()


def test_a_keyboard_interrupt_ends_the_node() -> None:
    fan = Fan()
    fan.error = KeyboardInterrupt()
    with pytest.raises(KeyboardInterrupt):
        pipeline(fan).process(message(0, "a"), 0)


def test_an_object_that_cannot_be_cleaned_costs_only_itself(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    line, clean, bad_id = pipeline(), MessageCleaner.clean, object_ids(("b",))[0]

    def fails_on_one(self: MessageCleaner, objects: TrackedObjects) -> CleanedMessage:
        if (objects.object_id == bad_id).all(axis=1).any():
            raise AttributeError("module has no attribute oriented_envelope")
        return clean(self, objects)

    monkeypatch.setattr(MessageCleaner, "clean", fails_on_one)
    for step in range(3):
        got = said(line.process(message(100 * step, "a", "b", "c"), 100 * step * MS).objects)
        assert np.array_equal(got.object_id, object_ids(("a", "c")))
    assert statuses(line)["model"].level == Level.ERROR
    assert [r.message for r in caplog.records if r.levelname == "ERROR"] == [
        "a frame failed (AttributeError); later failures of this kind are only counted"
    ]


def test_a_frame_that_cannot_be_answered_is_counted_and_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    line = pipeline()
    monkeypatch.setattr(PathGrid, "paths", lambda *_: 1 / 0)
    answer = line.process(message(0, "a"), 0)
    assert (answer.kind, answer.objects, answer.message) == ("failed", None, "ZeroDivisionError: division by zero")
    assert line.diagnostics.totals.failed == 1
    monkeypatch.undo()
    for step in range(1, 20):
        line.process(message(100 * step, "a"), 100 * step * MS)
    model = statuses(line)["model"]
    assert model.level == Level.ERROR
    assert "5% of the frames have no answer (ZeroDivisionError: division by zero)" in model.message


def test_another_coordinate_frame_begins_the_stream_anew() -> None:
    line = pipeline(max_paths=1)
    for step in range(5):
        line.process(message(100 * step, "a"), 100 * step * MS)
    elsewhere = replace(frame(500, "a"), position_m=np.array([[1e6, 2e6]]))
    born = line.stream.store.counters.born
    line.process(encode_tracked(tracked_objects(elsewhere, "utm")), 500 * MS)
    assert line.stream.store.counters.born == born + 1
    status = statuses(line)["input"]
    assert status.level == Level.WARN
    assert "the coordinate frame changed 1 time(s), now 'utm'; every track began anew" in status.message
    assert dict(status.values)["frame_changes_total"] == "1"


@pytest.mark.parametrize(("unset", "level"), [(0, Level.OK), (1, Level.WARN), (2, Level.WARN), (3, Level.ERROR)])
def test_objects_without_an_id_leave_and_are_reported(unset: int, level: Level) -> None:
    line = pipeline()
    objects = tracked_objects(frame(0, "a", "b", "c", "d"))
    object_id = objects.object_id.copy()
    object_id[:unset] = 0
    for step in range(3):
        stamped = replace(objects, stamp_ns=step * 100 * MS, object_id=object_id)
        got = said(line.process(encode_tracked(stamped), step * 100 * MS).objects)
        assert got.path_count.tolist() == [3] * 4
        assert np.array_equal(got.object_id, object_id)
    assert line.stream.store.counters.born == 4
    status = statuses(line)["input"]
    assert status.level == level
    assert dict(status.values)["without_id_share"] == f"{unset / 4:.4f}"


def test_frames_out_of_order_and_duplicates_give_no_objects() -> None:
    line = pipeline()
    kinds = [line.process(message(t, "a"), 300 * MS).kind for t in (200, 300, 300, 200, 400)]
    assert kinds == ["used", "used", "dropped", "dropped", "used"]
    assert line.diagnostics.totals.dropped == 2


@pytest.mark.parametrize("limit", [1, 512])
def test_a_dropped_frame_with_more_objects_than_the_last_is_dropped_all_the_same(limit: int) -> None:
    line = pipeline(max_objects=limit)
    line.process(message(200, "a"), 200_000_000)
    answer = line.process(message(100, "a", "b", "c"), 200_000_000)
    assert (answer.kind, answer.objects) == ("dropped", None)
    assert line.diagnostics.totals.failures == 0
    assert line.stream.store.live == 1


def test_a_late_frame_is_used_and_counted() -> None:
    line = pipeline(late_s=0.2)
    answer = line.process(message(0, "a"), 201 * MS)
    assert (answer.kind, said(answer.objects).path_count.tolist()) == ("late", [3])


def test_a_clock_that_starts_again_starts_the_tracks_again() -> None:
    line = pipeline()
    line.process(message(60_000, "a"), 0)
    assert line.process(message(0, "a"), 0).kind == "used"
    assert line.stream.store.counters.clock_reset == 1
    status = line.report(200_000_000)[0]
    assert (status.level, line.diagnostics.totals.clock_resets) == (Level.ERROR, 1)  # at one of two messages
    assert "the stamps went back 1 time(s)" in status.message


def test_objects_over_the_limit_get_physics_and_known_ones_keep_the_model() -> None:
    fan = Fan()
    line = pipeline(fan, max_objects=2)
    line.process(message(0, "b", "c"), 0)
    answer = line.process(message(100, "a", "b", "c", "d"), 100 * MS)
    assert fan.asked[-1] == tuple(i.tobytes().hex() for i in object_ids(("b", "c")))
    got = said(answer.objects)
    assert np.array_equal(got.object_id, object_ids(("a", "b", "c", "d")))
    assert got.path_count.tolist() == [1, 3, 3, 1]
    starts = got.path_pose[np.cumsum(got.pose_count) - got.pose_count][np.cumsum(got.path_count) - got.path_count]
    assert starts[:, 1] == pytest.approx([0.0, 10.0, 20.0, 30.0])  # each path begins at its own object
    assert line.diagnostics.totals.over_limit_rows == 2


def test_objects_outside_of_the_domain_get_physics_are_counted_and_told_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    fan = Fan()
    fan.model_file = ModelFile(replace(CONTRACT, domain=DOMAIN), "", "CPUExecutionProvider")
    line = pipeline(fan)
    assert said(line.process(message(0, "a", "b"), 0).objects).path_count.tolist() == [3, 3]
    for step in range(1, 4):  # 50 Hz: shown 10 Hz, served up to 20
        answer = line.process(message(20 * step, "a", "b"), 20 * step * MS)
        assert said(answer.objects).path_count.tolist() == [1, 1]
    told = [r.getMessage() for r in caplog.records if "outside of what it was trained on" in r.getMessage()]
    assert len(told) == 1
    assert "2 at a rate" in told[0]
    status = statuses(line)["domain"]
    assert status.level == Level.WARN
    assert dict(status.values)["outside_rate_rows_total"] == "6"
    ignored = pipeline(fan, ignore_domain=True)
    for step in range(3):
        answer = ignored.process(message(20 * step, "a", "b"), 20 * step * MS)
    assert said(answer.objects).path_count.tolist() == [3, 3]
    assert statuses(ignored)["domain"].level == Level.OK


def test_the_identity_says_what_becomes_of_the_domain() -> None:
    for model, ignored, said_of_it in (
        (nuscenes_model(), False, "checked"), (nuscenes_model(), True, "ignored"), ("cv", False, "not stated"),
    ):  # fmt: skip
        parameters = Parameters.of({"model": str(model), "ignore_domain": ignored})
        assert load(parameters)[1].domain == said_of_it


def test_an_object_that_is_gone_is_not_published() -> None:
    line = pipeline()
    line.process(message(0, "a", "b"), 0)
    got = said(line.process(message(100, "b"), 100 * MS).objects)
    assert np.array_equal(got.object_id, object_ids(("b",)))


def test_an_empty_list_is_answered_with_an_empty_list() -> None:
    answer = pipeline().process(message(0), 0)
    assert len(said(answer.objects)) == 0
    assert answer.markers()
    assert answer.covariance()


def test_standing_objects_stay_where_they_are() -> None:
    got = said(pipeline().process(message(0, "a", speed=0.0), 0).objects)
    assert got.path_count.tolist() == [1]
    assert np.ptp(got.path_pose[:, :2], axis=0).tolist() == [0.0, 0.0]


def test_a_deadline_missed_is_answered_by_physics() -> None:
    release = threading.Event()

    class Slow(Fan):
        def predict(self, observations: Observations) -> Prediction:
            release.wait(30)
            return super().predict(observations)

    parameters = Parameters.of({"budget_ms": 1.0, "model": "fan"})
    line = Pipeline(Slow(), SERVING, parameters)
    answer = line.process(message(0, "a"), 0)
    release.set()
    line.close()
    assert said(answer.objects).path_count.tolist() == [1]
    assert line.diagnostics.totals.deadline_misses == 1


def test_the_deadline_is_counted_from_the_message(monkeypatch: pytest.MonkeyPatch) -> None:
    line = Pipeline(Fan(), SERVING, Parameters.of({"budget_ms": 10_000.0, "model": "fan"}))
    guard, now_ns, begun = line.stream.guard, [5], []
    answer = guard.answer

    def decoded(data: bytes) -> TrackedObjects:
        now_ns[0] += 1_000
        return decode_tracked(data)

    def noted(*words: Any, **options: Any) -> Prediction:
        begun.append(options["begin_ns"])
        return answer(*words, **options)

    monkeypatch.setattr(guard, "_clock_ns", lambda: now_ns[0])
    monkeypatch.setattr(guard, "answer", noted)
    monkeypatch.setattr("trajnet.ros.pipeline.decode_tracked", decoded)
    assert said(line.process(message(0, "a"), 0).objects).path_count.tolist() == [3]
    line.close()
    assert begun == [5]


def test_warming_up_leaves_no_trace() -> None:
    fan = Fan()
    line = warmed_up(fan, SERVING, Parameters.of({"model": "fan", "budget_ms": 0.0, "warm_up_objects": 5}))
    assert [len(ids) for ids in fan.asked] == [5, 5]
    assert line.diagnostics.totals.messages == 0
    assert line.stream.store.live == 0


class Seeing(Fan):
    """A fan that wants a map and keeps what it was shown."""

    requirements = InputRequirements(view=MapView(ahead_m=4.0, behind_m=4.0, side_m=4.0, step_m=4.0))

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[Surroundings | None] = []

    def predict(self, observations: Observations) -> Prediction:
        self.seen.append(observations.surroundings)
        return super().predict(observations)


def test_a_map_reaches_a_model_that_wants_one(root: Path, caplog: pytest.LogCaptureFixture) -> None:
    pytest.importorskip("pyarrow")
    scene = root / "sim" / "scenes" / "motorway.parquet"
    values = {"model": "fan", "budget_ms": 0.0, "warm_up_objects": 2, "map_path": str(scene), "horizon_s": 6.0}
    parameters = Parameters.of(values)
    fan = Seeing()
    line = warmed_up(fan, SERVING, parameters, *load_map_parts(parameters, fan))
    first = load_scene(scene).frame(0)
    line.process(encode_tracked(tracked_objects(first)), first.timestamp_ns)
    warm_up, seen = fan.seen[0], fan.seen[-1]
    assert warm_up is not None
    assert seen is not None
    assert warm_up.map_valid.all()
    assert seen.map_distance.shape == (len(first), 3, 3, 1, 4)
    assert (seen.map_distance[:, 1, 1, 0, 0] > 0).all()  # every vehicle is on the motorway

    blind = pipeline(other := Seeing())
    blind.process(message(0, "a"), 0)
    assert other.seen[0] is not None
    assert not other.seen[0].map_valid.any()
    assert load_map_parts(Parameters(), fan) == MapParts()
    assert not caplog.records
    assert load_map_parts(parameters, Fan()) == MapParts()
    assert "this model uses no map; of" in caplog.text  # Fan has several modes, so crosswalks were looked for
    straight = ConstantVelocity(Fan.time_s)
    assert load_map_parts(Parameters(map_path="/no/such/map.osm", horizon_s=6.0), straight) == MapParts()
    assert "this model uses no map; /no/such/map.osm is not read" in caplog.text


@pytest.mark.parametrize(("moved_m", "level"), [(0.0, Level.OK), (1_500.0, Level.WARN), (80_000.0, Level.WARN)])
def test_a_map_of_another_place_is_said(root: Path, moved_m: float, level: Level) -> None:
    pytest.importorskip("pyarrow")
    scene = root / "sim" / "scenes" / "motorway.parquet"
    parameters = Parameters.of({"model": "fan", "budget_ms": 0.0, "map_path": str(scene)})
    line = Pipeline(Seeing(), SERVING, parameters, *load_map_parts(parameters, Seeing()), clock_ns=lambda: 0)
    first = load_scene(scene).frame(0)
    moved = replace(first, position_m=first.position_m + moved_m)
    line.process(encode_tracked(tracked_objects(moved)), first.timestamp_ns)
    status = statuses(line)["map"]
    assert status.level == level
    assert dict(status.values)["on_map_share"] == ("1.0000" if level == Level.OK else "0.0000")
    assert dict(status.values)["map"] == str(scene)
    assert ("100% of the objects are off the map" in status.message) == (level == Level.WARN)


@pytest.mark.parametrize(("moved_m", "level"), [(0.0, Level.OK), (80_000.0, Level.WARN)])
def test_lanes_of_another_place_are_said_where_the_model_uses_no_map(moved_m: float, level: Level) -> None:
    centre_m = np.array([[-100.0, 0], [500, 0]]) + moved_m
    lanes = LanePaths([Lane("1", centre_m, centre_m, centre_m)])
    parameters = Parameters.of({"model": "fan", "budget_ms": 0.0, "horizon_s": 10.0})
    line = Pipeline(Fan(), SERVING, parameters, lane_paths=lanes, clock_ns=lambda: 0)
    line.process(message(0, "a"), 0)
    assert statuses(line)["map"].level == level
    drivable = {"drivable": np.ones((20, 20), np.bool_)}
    later = pipeline()
    later.use_map(make_field(np.full(2, moved_m), 1.0, drivable), None)
    later.process(message(0, "a"), 0)
    assert statuses(later)["map"].level == level


def test_a_map_that_cannot_be_used_is_said(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no\.osm"):
        load_map_parts(Parameters(map_path=str(tmp_path / "no.osm")), Seeing())
    points = "".join(
        f'<node id="{i}"><tag k="local_x" v="{i}"/><tag k="local_y" v="{i % 2}"/></node>' for i in range(4)
    )
    ways = '<way id="1"><nd ref="0"/><nd ref="2"/></way><way id="2"><nd ref="1"/><nd ref="3"/></way>'
    walk = '<member role="left" ref="1"/><member role="right" ref="2"/><tag k="type" v="lanelet"/>'
    path = tmp_path / "walkways.osm"
    path.write_text(f'<osm>{points}{ways}<relation id="3">{walk}<tag k="subtype" v="walkway"/></relation></osm>')
    with pytest.raises(
        InputError, match=r"map_path: expected lanes that vehicles may use in .*walkways\.osm, got none"
    ):
        load_map_parts(Parameters(map_path=str(path)), Seeing())


def test_the_same_bytes_give_the_same_bytes() -> None:
    messages = [message(100 * i, "a", "b") for i in range(5)]
    runs = [[line.process(m, 0).objects for m in messages] for line in (pipeline(), pipeline())]
    assert runs[0] == runs[1]


def test_load_says_what_it_serves_and_refuses_what_it_cannot(tmp_path: Path) -> None:
    predictor, identity = load(Parameters(model="ctrv", horizon_s=8.0, path_step_s=0.1))
    assert (predictor.name, predictor.time_s[-1], identity.uses_model) == ("ctrv", pytest.approx(8.0), False)
    with pytest.raises(ContractError, match="no such file"):
        load(Parameters(model=str(tmp_path / "missing.onnx")))
    with pytest.raises(ContractError, match="nonsense"):
        load(Parameters(model="nonsense"))


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"threads": 0}, r"threads: expected a number in \[1, 64\], got 0"),
        ({"provider": "gpu"}, "provider: expected one of cpu, cuda, tensorrt, got 'gpu'"),
        ({"horizon_s": float("nan")}, "horizon_s: expected a number in"),
        ({"horizon_s": 1.0, "path_step_s": 2.0}, "path_step_s: expected at most horizon_s = 1, got 2"),
        ({"silence_warn_s": 2.0}, "silence_warn_s: expected at most silence_error_s = 1, got 2"),
        ({"horizon_s": 6}, "horizon_s: expected float, got 6"),
        ({"horizon": 6.0}, "horizon: no such parameter"),
    ],
)
def test_parameters_are_checked(changes: dict[str, object], complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint):
        Parameters.of(changes)


def test_every_parameter_is_described_and_its_default_fits() -> None:
    for name, about in ABOUT.items():
        assert about.description.endswith("."), name
        about.check(name, DEFAULTS[name])
    assert set(ABOUT["provider"].choices) == set(PROVIDERS)
    assert all(name in ABOUT["model"].description for name in PHYSICS)


def test_a_path_without_a_known_yaw_begins_with_its_first_predicted_one() -> None:
    grid = PathGrid(np.array([1.0, 2.0]), 2.0, 0.5)
    prediction = Prediction(
        0, ("a",), np.array([1.0, 2.0]), np.zeros((1, 1, 2, 2)), np.full((1, 1, 2), 3.0), np.zeros((1, 1, 2, 2, 2)),
        np.ones((1, 1)), np.zeros(1, np.int8), np.zeros(1),
    )  # fmt: skip
    for valid, expected in ((True, [-3.0, -3.141592653589793, -3.283185307179586]), (False, [3.0, 3.0, 3.0])):
        present = PresentObjects(
            np.zeros((1, 2)), np.array([-3.0]), np.array([valid]), np.zeros((1, 2, 2)), np.zeros(1)
        )
        paths = grid.paths(prediction, present, 1)
        # -3 and 3 rad are 0.28 rad apart the short way round: no spin through 0
        assert paths.yaw_rad[0, 0, :3] == pytest.approx(expected)
        assert paths.time_s.tolist() == [0.0, 0.5, 1.0, 1.5, 2.0]


def test_an_object_that_leaps_begins_anew_and_is_told() -> None:
    """A car at 10 m/s that is 10 m further ahead from one frame to the next: ids swapped, or a tracker restarted."""
    line = pipeline(Fan())
    for step in range(20):
        one = frame(100 * step, "a", speed=10.0)
        if step >= 10:
            one = replace(one, position_m=one.position_m + [10.0, 0.0])
        line.process(encode_tracked(tracked_objects(one)), one.timestamp_ns)
    status = statuses(line, 1900)["input"]
    assert status.level == Level.WARN
    assert "leapt" in status.message
    assert dict(status.values)["restarted_total"] == "1"
    assert dict(status.values)["implausible_speed_total"] == "0"


def input_status(changed: Callable[[TrackFrame], TrackFrame], **parameters: bool) -> Status:
    """What is said of the input after 3 s of a car that drives, each frame of it changed."""
    asked = Parameters.of({"budget_ms": 0.0, **parameters})
    line = Pipeline(*load(asked), asked, clock_ns=lambda: 0)
    for step in range(30):
        one = changed(frame(100 * step, "a", speed=10.0))
        line.process(encode_tracked(tracked_objects(one)), one.timestamp_ns)
    return statuses(line, 2900)["input"]


@pytest.mark.parametrize("filter_positions", [True, False])
def test_noisy_positions_are_filtered_and_counted(filter_positions: bool) -> None:
    draw = np.random.default_rng(3)
    status = input_status(
        lambda one: replace(one, position_m=one.position_m + draw.normal(scale=0.1, size=(1, 2))),
        filter_positions=filter_positions,
    )
    assert status.level == Level.OK
    assert (int(dict(status.values)["filtered_total"]) > 10) == filter_positions


@pytest.mark.parametrize("doubt_velocities", [True, False])
def test_velocities_of_zero_are_told(doubt_velocities: bool) -> None:
    status = input_status(
        lambda one: replace(one, velocity_mps=0.0 * one.velocity_mps), doubt_velocities=doubt_velocities
    )
    assert status.level == (Level.ERROR if doubt_velocities else Level.OK)
    assert ("97% of the objects do not move as their velocity says" in status.message) == doubt_velocities
    values = dict(status.values)
    told = values["contrary_velocity_share"], values["implausible_velocity_total"]
    assert told == (("0.9667", "29") if doubt_velocities else ("0.0000", "0"))


@pytest.mark.parametrize("doubt_headings", [True, False])
def test_reversed_headings_are_told(doubt_headings: bool) -> None:
    status = input_status(lambda one: replace(one, yaw_rad=one.yaw_rad + np.pi), doubt_headings=doubt_headings)
    assert status.level == (Level.ERROR if doubt_headings else Level.OK)
    assert ("100% of the objects point, or pointed, elsewhere than they move" in status.message) == doubt_headings
    values = dict(status.values)
    told = values["contrary_heading_share"], values["implausible_heading_total"]
    assert told == (("1.0000", "30") if doubt_headings else ("0.0000", "0"))


def test_a_small_leap_is_no_motion_and_is_told() -> None:
    """The same with 2 m, as of a detection on another part of the car: the path of the shipped model was 89 m long."""
    parameters = Parameters.of({"budget_ms": 0.0})
    longest_m: dict[float, list[float]] = {}
    for leap_m in (0.0, 2.0):
        line = Pipeline(*load(parameters), parameters, clock_ns=lambda: 0)
        for step in range(30):
            one = frame(100 * step, "a", speed=10.0)
            one = replace(one, position_m=one.position_m + [leap_m if step >= 20 else 0.0, 0.0])
            answer = line.process(encode_tracked(tracked_objects(one)), one.timestamp_ns)
            got = said(answer.objects)
            legs_m = np.diff(got.path_pose[:, :2].reshape(len(got.path_confidence), -1, 2), axis=1)
            longest_m.setdefault(leap_m, []).append(float(np.hypot(*legs_m.T).sum(axis=0).max()))
    status = statuses(line, 2900)["input"]
    assert status.level == Level.WARN
    assert (dict(status.values)["shifted_total"], dict(status.values)["restarted_total"]) == ("1", "0")
    assert np.array(longest_m[2.0][20:]) == pytest.approx(np.array(longest_m[0.0][20:]), rel=0.2)


def test_a_path_that_a_class_cannot_drive_is_replaced_and_told() -> None:
    fan = Fan()
    line = pipeline(fan)
    line.process(message(0, "a", "b"), 0)
    assert statuses(line)["model"].level == Level.OK
    fan.nan_row = 0
    line.process(message(100, "a", "b"), 100 * MS)
    status = statuses(line, 100)["model"]
    assert status.level != Level.OK
    assert dict(status.values)["non_finite_rows_total"] == "1"
