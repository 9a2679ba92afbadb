"""Evaluation on scenes and windows made by hand, where every number can be said beforehand."""

from __future__ import annotations

import errno
import json
from collections.abc import Iterable
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import typer
from typer.testing import CliRunner

from tests.domains import DOMAIN, Stated
from trajnet import metrics
from trajnet.cli.evaluate import evaluate as command
from trajnet.datasets import nuscenes
from trajnet.datasets.files import load_scene
from trajnet.datasets.windows import windows_of_scene
from trajnet.errors import ContractError, InputError, TrajnetError
from trajnet.evaluate import EvaluationSet, evaluate, open_dataset, run_models, units
from trajnet.evaluate.paths import horizon_steps, paths_at
from trajnet.evaluate.runner import run_unit
from trajnet.evaluate.scoring import Scores, score
from trajnet.evaluate.tally import joint_errors, means, social_gan
from trajnet.evaluate.units import WindowUnit
from trajnet.inference import ConstantVelocity, Stream, load_predictor
from trajnet.models import default_model
from trajnet.scenes import write_scene
from trajnet.tracking.store import Observations
from trajnet.types import FloatArray, ObjectClass, Prediction, Scene, Source

HALF_S = np.arange(1.0, 13.0) * 0.5
FAR_M = np.array([400_000.0, 5_300_000.0])


def scene_of(tracks: dict[str, list[tuple[int, float, float]]], *, hz: float = 10.0, scene_id: str = "made") -> Scene:
    """tracks: id -> (frame, x, y) of each row. Every second track is a pedestrian, the others are cars; no velocity."""
    rows = sorted((f, i, x, y) for i, points in enumerate(tracks.values()) for f, x, y in points)
    table = np.array(rows)
    frames = int(table[:, 0].max()) + 1
    classes = [(ObjectClass.CAR, ObjectClass.PEDESTRIAN)[i % 2] for i in range(len(tracks))]
    nothing = np.zeros(len(table), dtype=np.bool_)
    return Scene(
        scene_id=scene_id,
        timestamp_ns=np.round(np.arange(frames) / hz * 1e9).astype(np.int64) + 10**18,
        frame_number=np.arange(frames) + 100,
        track_id=tuple(tracks),
        object_class=np.array(classes, dtype=np.int8),
        size_m=np.full((len(tracks), 2), 2.0),
        row_frame=table[:, 0].astype(np.int64),
        row_track=table[:, 1].astype(np.int64),
        position_m=table[:, 2:] + FAR_M,
        yaw_rad=np.zeros(len(table)),
        yaw_valid=nothing,
        velocity_mps=np.zeros((len(table), 2)),
        velocity_valid=nothing,
        is_target=nothing,
        source="made by hand",
        licence="none needed",
    )


def straight(frames: range, speed_mps: float, y_m: float = 0.0) -> list[tuple[int, float, float]]:
    return [(f, speed_mps * f / 10, y_m) for f in frames]


def wavy(frames: Iterable[int], y_m: float) -> list[tuple[int, float, float]]:
    return [(f, 0.8 * f, y_m + 3 * np.sin(f / 12)) for f in frames]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two scenes of 8 s at 10 Hz."""
    scenes = tmp_path / "scenes"
    scenes.mkdir()
    first = {"car": straight(range(81), 10), "walker": straight(range(11, 60), 1.2, 5), "car 2": wavy(range(81), 20)}
    write_scene(scene_of(first, scene_id="first"), scenes / "first.parquet")
    second = {"a": wavy(range(81), 0), "b": wavy(range(5, 75), 8), "c": wavy([*range(30), *range(50, 81)], 30)}
    write_scene(scene_of(second, scene_id="second"), scenes / "second.parquet")
    return scenes


class Modes(ConstantVelocity):
    """Constant velocity in several modes: mode k goes factor[k] times as fast."""

    name = "modes"

    def __init__(self, factor: list[float], probability: list[float], time_s: np.ndarray = HALF_S) -> None:
        super().__init__(time_s)
        self.factor, self.probability, self.modes = np.array(factor), np.array(probability), len(factor)

    def predict(self, observations: Observations) -> Prediction:
        one = super().predict(observations)
        here = observations.position_m[:, None, None]
        count = len(observations)
        return Prediction(
            one.timestamp_ns, one.track_id, one.time_s, here + (one.position_m - here) * self.factor[:, None, None],
            np.repeat(one.yaw_rad, self.modes, 1), np.repeat(one.covariance_m2, self.modes, 1),
            np.tile(self.probability, (count, 1)), np.full(count, Source.MODEL), one.age_s,
        )  # fmt: skip


class Broken(ConstantVelocity):
    name = "broken"

    def predict(self, observations: Observations) -> Prediction:
        raise RuntimeError("no such luck")


def scores_of(dataset: EvaluationSet, spec: str) -> Scores:
    """Return the scores of every object."""
    scores = run_models(dataset, [spec])[spec].scores
    assert scores is not None
    return scores


def test_horizons_are_the_whole_seconds_and_the_last_time() -> None:
    assert horizon_steps(nuscenes.FUTURE_S) == [2, 4, 6, 8, 10, 12]
    assert horizon_steps(np.arange(1.0, 13.0) * 0.4) == [5, 10, 12]
    assert horizon_steps(np.array([0.3])) == [1]


def prediction_of(predictor: ConstantVelocity) -> Prediction:
    frame = scene_of({"a": straight(range(3), 10)})
    stream = Stream(predictor)
    for one in frame.frames():
        prediction = stream.update(one, one.timestamp_ns)
    return prediction


def test_paths_are_sorted_by_probability_and_taken_at_the_asked_times() -> None:
    prediction = prediction_of(Modes([0.0, 1.0, 2.0], [0.2, 0.5, 0.3]))
    here = FAR_M[None] + np.array([2.0, 0.0])
    paths = paths_at(prediction, slice(0, 1), here, np.array([1.0, 3.0]))
    assert paths.probability.tolist() == [[0.5, 0.3, 0.2]]
    ahead_m = np.array([[[10.0, 30.0], [20.0, 60.0], [0.0, 0.0]]])
    assert paths.position_m[..., 0] - here[0, 0] == pytest.approx(ahead_m)


def test_other_times_are_interpolated_from_the_current_position() -> None:
    prediction = prediction_of(ConstantVelocity(HALF_S))
    here = FAR_M[None] + np.array([2.0, 0.0])
    time_s = np.arange(1.0, 13.0) * 0.4
    paths = paths_at(prediction, slice(0, 1), here, time_s)
    assert paths.position_m[0, 0, :, 0] - here[0, 0] == pytest.approx(10 * time_s)
    # 0.4 s is four fifths of the way from the present, known to 0.1 m, to the first predicted point.
    grown = 0.2 * 0.01 * np.eye(2) + 0.8 * prediction.covariance_m2[0, 0, 0]
    assert paths.covariance_m2[0, 0, 0] == pytest.approx(grown)
    # 1.2 s lies two fifths of the way from 1.0 s to 1.5 s.
    between = 0.6 * prediction.covariance_m2[0, 0, 1] + 0.4 * prediction.covariance_m2[0, 0, 2]
    assert paths.covariance_m2[0, 0, 2] == pytest.approx(between)


def test_steadiness_is_measured_up_to_the_scored_horizon(folder: Path) -> None:
    near, far = (
        evaluate("scenes", folder, None, [str(default_model())], horizon_s=horizon_s, baselines=False)
        for horizon_s in (1.0, 4.0)
    )
    near_m, far_m = (found["models"][0]["consistency"]["all"]["end_jump_m"] for found in (near, far))
    assert near_m < 0.7 * far_m


def test_scene_scores_are_right_to_the_object(folder: Path) -> None:
    dataset = open_dataset("scenes", folder / "first.parquet", None, horizon_s=4.0)
    result = scores_of(dataset, "cv")
    # The futures: car frames 0..80, whole for 0..40. walker 11..59, whole for 11..19. car 2 as car.
    assert len(result) == 71 + 39 + 71
    whole = np.isfinite(result.values["minADE_1"][:, -1])
    assert whole.sum() == 41 + 9 + 41
    known = [int(np.isfinite(result.values["minADE_1"][:, i]).sum()) for i in range(4)]
    assert known == [71 + 39 + 71, 61 + 29 + 61, 51 + 19 + 51, 41 + 9 + 41]
    # A steady walker is predicted exactly from its second frame on; in its first nothing is known of its speed.
    walker = result.object_class == ObjectClass.PEDESTRIAN
    first, rest = result.values["minFDE_1"][walker][0], result.values["minFDE_1"][walker][1:]
    assert first == pytest.approx([1.2, 2.4, 3.6, 4.8])
    assert np.nanmax(rest) < 1e-6


def test_a_gap_in_the_recording_is_not_interpolated(folder: Path) -> None:
    dataset = open_dataset("scenes", folder / "second.parquet", None, horizon_s=2.0)
    scores = scores_of(dataset, "cv")
    # Track c misses frames 30..49: nothing before it is whole once its horizon reaches into the gap.
    # a: 61 whole of 81 frames; b: 50 of 70; c: frames 0..9 and 50..60.
    assert np.isfinite(scores.values["minADE_1"][:, -1]).sum() == 61 + 50 + 10 + 11


def test_every_frame_is_streamed_whatever_the_stride(folder: Path) -> None:
    every = open_dataset("scenes", folder / "second.parquet", None, horizon_s=3.0)
    third = open_dataset("scenes", folder / "second.parquet", None, horizon_s=3.0, stride=3)
    a, b = (scores_of(d, "kalman") for d in (every, third))
    rows = (a.frame - 100) % 3 == 0
    assert rows.sum() == len(b)
    assert np.array_equal(a.values["minADE_1"][rows], b.values["minADE_1"], equal_nan=True)


def test_batches_change_nothing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dataset = open_dataset("scenes", folder, None, horizon_s=3.0)
    whole = scores_of(dataset, "kalman")
    monkeypatch.setattr(units, "BATCH", 60)
    pieces = scores_of(dataset, "kalman")
    assert np.array_equal(whole.values["mixture_NLL"], pieces.values["mixture_NLL"], equal_nan=True)
    assert whole.frame.tolist() == pieces.frame.tolist()


def test_the_paths_are_those_of_a_stream(folder: Path) -> None:
    unit = open_dataset("scenes", folder / "second.parquet", None, horizon_s=3.0).units[0]
    time_s = np.arange(1.0, 7.0) * 0.5
    saved = run_unit(unit, load_predictor("kalman", time_s=time_s), time_s, keep_paths=True).paths
    stream = Stream(load_predictor("kalman", time_s=time_s))
    scene = load_scene(folder / "second.parquet")
    expected: dict[tuple[int, str], FloatArray] = {}
    for number, frame in zip(scene.frame_number, scene.frames(), strict=True):
        prediction = stream.update(frame, frame.timestamp_ns)
        expected |= {(int(number), t): prediction.position_m[i] for i, t in enumerate(prediction.track_id)}
    checked = 0
    for part in saved:
        for i in range(len(part.frame)):
            assert np.array_equal(part.position_m[i], expected[int(part.frame[i]), str(part.track_id[i])])
            checked += 1
    assert checked > 100


def test_objects_outside_of_the_domain_are_left_to_physics_unless_it_is_ignored(folder: Path) -> None:
    unit = open_dataset("scenes", folder / "first.parquet", None, horizon_s=2.0).units[0]
    time_s = np.arange(1.0, 5.0) * 0.5
    slower = replace(DOMAIN, rates_hz=((2.0, 1_000),))
    checked, ignored = (run_unit(unit, Stated(time_s, slower), time_s, domain=domain) for domain in (True, False))
    assert checked.guard.physics_rows == checked.guard.outside_rate_rows == checked.guard.outside_domain_rows > 0
    assert ignored.guard.physics_rows == ignored.guard.outside_domain_rows == 0


def test_a_model_is_counted_when_physics_stands_in(folder: Path) -> None:
    unit = open_dataset("scenes", folder / "first.parquet", None, horizon_s=2.0).units[0]
    time_s = np.arange(1.0, 5.0) * 0.5
    broken = run_unit(unit, Broken(time_s), time_s)
    fine = run_unit(unit, ConstantVelocity(time_s, steadied=True), time_s)  # as the guard's stand-in
    assert broken.guard.model_rows == 0
    # The scene is streamed as long as there is something to score: to frame 70, a second before its end.
    assert broken.guard.physics_rows == fine.guard.model_rows == 71 + 49 + 71
    assert broken.guard.failures == 71
    assert "no such luck" in broken.guard.last_failure
    assert broken.scores is not None
    assert fine.scores is not None
    assert np.array_equal(broken.scores.values["minADE_1"], fine.scores.values["minADE_1"], equal_nan=True)


def two_walkers() -> tuple[WindowUnit, np.ndarray]:
    """Two objects in one frame: one goes on at 1 m/s, the other stops. 2 s of history, 2 s of future at 2 Hz."""
    grid = np.arange(-4.0, 1.0) * 0.5
    future_s = np.arange(1.0, 5.0) * 0.5
    goes = [(f, 0.5 * f, 0.0) for f in range(9)]
    stops = [(f, min(0.5 * f, 2.0), 5.0) for f in range(9)]
    scene = scene_of({"goes": goes, "stops": stops}, hz=2.0)
    windows = windows_of_scene(scene, scene.row_frame == 4, grid, future_s)
    return WindowUnit(windows, "made", ()), future_s


def test_windows_are_fed_in_lockstep_and_scored_by_hand() -> None:
    unit, future_s = two_walkers()
    result = run_unit(unit, Modes([0.0, 1.0], [0.3, 0.7], future_s), future_s, keep_paths=True)
    scores = result.scores
    assert scores is not None
    assert result.guard.model_rows == 2 * 5
    # Ranked, mode 0 goes on, mode 1 stands still: errors against the future at 0.5, 1, 1.5 and 2 m.
    assert scores.mean_m == pytest.approx(np.array([[0.0, 1.25], [1.25, 0.0]]), abs=1e-9)
    assert scores.final_m == pytest.approx(np.array([[0.0, 2.0], [2.0, 0.0]]), abs=1e-9)
    everything = np.ones(2, dtype=np.bool_)
    found = means(scores, everything, 1)
    assert found["minADE_1"] == pytest.approx(0.625)
    assert found["minADE_5"] == pytest.approx(0.0, abs=1e-9)
    assert found["minFDE_1"] == pytest.approx(1.0)
    assert found["MissRate_2_5"] == 0.0
    assert found["Argoverse2_brier_minFDE_6"] == pytest.approx((0.3**2 + 0.7**2) / 2)
    # Says 0.7 and is right half of the time; all modes: 0.7 against 0.5 and 0.3 against 0.5.
    assert found["ECE_top_mode"] == pytest.approx(0.2)
    assert found["ECE_all_modes"] == pytest.approx(0.2)
    at_one_second = means(scores, everything, 0)
    assert at_one_second["minADE_1"] == pytest.approx(0.375)
    # Both pedestrians share the rank: (0 + 1.25) / 2 whichever it is, while each alone would find 0.
    assert social_gan(joint_errors(scores)) == pytest.approx(
        {"SocialGAN_best_of_20_ADE": 0.625, "SocialGAN_best_of_20_FDE": 1.0}
    )
    assert result.paths[0].frame.tolist() == [104, 104]
    assert result.paths[0].track_id.tolist() == ["goes", "stops"]


def test_windows_are_shown_as_recorded() -> None:
    """A benchmark's positions are not filtered, however noisy they are beside the measured velocities."""
    unit, future_s = two_walkers()
    noisy_m = unit.windows.position_m + 0.01 * np.array([1.0, -1.0, 1.0, -1.0, 1.0])[:, None]
    windows = replace(
        unit.windows,
        position_m=noisy_m,
        velocity_mps=np.broadcast_to([1.0, 0.0], noisy_m.shape),
        velocity_valid=np.ones(noisy_m.shape[:2], np.bool_),
    )
    found = run_unit(WindowUnit(windows, "", ()), ConstantVelocity(future_s), future_s, keep_paths=True)
    first_m = found.paths[0].position_m[:, 0, 0]
    np.testing.assert_allclose(first_m, noisy_m[:, -1] + [future_s[0], 0.0], rtol=0, atol=1e-6)


def test_the_joint_best_of_20_tells_sequences_apart() -> None:
    unit, future_s = two_walkers()
    apart = replace(unit.windows, frame=np.array([104, 105]))
    result = run_unit(WindowUnit(apart, "", ()), Modes([0.0, 1.0], [0.3, 0.7], future_s), future_s).scores
    assert result is not None
    assert social_gan(joint_errors(result))["SocialGAN_best_of_20_ADE"] == pytest.approx(0.0, abs=1e-9)


def test_nll_and_coverage_are_those_of_the_metrics() -> None:
    unit, future_s = two_walkers()
    predictor = Modes([0.0, 1.0], [0.3, 0.7], future_s)
    _, paths = next(unit.run(Stream(predictor), future_s))
    scores = score(unit.windows, paths, "", whole_scene=False)
    arguments = paths.position_m, paths.covariance_m2, paths.probability, unit.windows.future_m
    assert scores.values["mixture_NLL"][:, -1] == pytest.approx(metrics.mixture_nll(*arguments))
    assert scores.share["top_mode_ellipse"][:, -1] == pytest.approx(metrics.top_mode_share(*arguments)[:, -1])
    assert scores.share["mixture_region"][:, 0] == pytest.approx(metrics.mixture_share(*arguments)[:, 1])


def test_a_partly_known_future_counts_up_to_where_it_is_known() -> None:
    unit, future_s = two_walkers()
    valid = unit.windows.future_valid.copy()
    valid[1, 2:] = False
    windows = replace(unit.windows, future_valid=valid)
    scores = run_unit(WindowUnit(windows, "", ()), ConstantVelocity(future_s), future_s).scores
    assert scores is not None
    assert np.isfinite(scores.values["minADE_1"]).tolist() == [[True, True], [True, False]]
    assert means(scores, np.ones(2, np.bool_), 1)["minADE_1"] == pytest.approx(0.0, abs=1e-9)
    assert means(scores, np.array([False, True]), 1) == {}


def tell(seen: list[tuple[int, int]], done: int, total: int) -> None:
    seen.append((done, total))


def test_the_report_has_everything_and_does_not_depend_on_the_processes(folder: Path, tmp_path: Path) -> None:
    reports = {}
    for jobs in (1, 2):
        seen: list[tuple[int, int]] = []
        save = tmp_path / f"{jobs}.parquet"
        reports[jobs] = evaluate(
            "scenes", folder, None, ["ctrv", "kalman"], jobs=jobs, horizon_s=3.0, stride=2, save=save,
            progress=partial(tell, seen),
        )  # fmt: skip
        assert seen == [(i, 6) for i in range(1, 7)]
    assert json.dumps(reports[1]) == json.dumps(reports[2])
    assert (tmp_path / "1.parquet").read_bytes() == (tmp_path / "2.parquet").read_bytes()
    report = reports[1]
    assert [m["model"] for m in report["models"]] == ["ctrv", "kalman", "cv"]
    assert report["counts"]["by_scene"].keys() == {"first", "second"}
    assert sum(report["counts"]["by_class"].values()) == report["counts"]["whole"]
    assert list(report["models"][0]["per_horizon"]) == ["1", "2", "3"]
    for entry in report["models"]:
        assert entry["per_horizon"]["3"] == entry["metrics"]
        assert {"car", "pedestrian"} == set(entry["per_class"])
    # Every metric that is reported has its definition.
    named = {name.replace("_k", "_") if name.endswith("_k") else name for name in report["definitions"]}
    for metric in report["models"][0]["metrics"]:
        family = metric.rstrip("0123456789")
        region = "coverage_q_" + metric.split("_", 2)[2] if metric.startswith("coverage") else ""
        assert metric in named or family in named or region in named, metric


def test_baselines_can_be_left_out(folder: Path) -> None:
    whole, short = (evaluate("scenes", folder, None, ["cv"], horizon_s=2.0, baselines=b) for b in (True, False))
    assert [entry["spec"] for entry in whole["models"]] == ["cv", "ctrv", "kalman"]
    assert short["models"] == whole["models"][:1]
    alone = evaluate("scenes", folder, None, [], horizon_s=2.0, baselines=False)
    assert len(alone["models"]) == 3  # without a model there is nothing else


def test_saved_paths_have_a_row_for_each_object_mode_and_step(folder: Path, tmp_path: Path) -> None:
    file = tmp_path / "paths.parquet"
    report = evaluate("scenes", folder / "first.parquet", None, ["cv"], horizon_s=2.0, stride=10, save=file)
    table = pq.read_table(file)
    assert table.column_names == ["scene_id", "frame", "track_id", "mode", "probability", "step", "x_m", "y_m"]
    assert table.num_rows == report["counts"]["objects"] * 4
    rows = [r for r in table.to_pylist() if r["track_id"] == "walker" and r["frame"] == 120]
    assert [(r["scene_id"], r["mode"], r["probability"], r["step"]) for r in rows] == [
        ("first", 0, 1.0, step) for step in (1, 2, 3, 4)
    ]
    # At frame 20 the walker is 2.4 m along and goes 0.6 m in half a second.
    assert [r["x_m"] - FAR_M[0] for r in rows] == pytest.approx([3.0, 3.6, 4.2, 4.8])
    assert [r["y_m"] - FAR_M[1] for r in rows] == pytest.approx([5.0] * 4)


def test_several_models_are_told_apart_in_the_saved_paths(folder: Path, tmp_path: Path) -> None:
    file = tmp_path / "paths.parquet"
    evaluate("scenes", folder, None, ["cv", "kalman", "cv"], horizon_s=2.0, stride=20, save=file)
    assert set(pq.read_table(file)["model"].to_pylist()) == {"cv", "kalman"}


def test_a_failed_run_leaves_no_file(folder: Path, tmp_path: Path) -> None:
    (folder / "third.parquet").write_bytes(b"PAR1 but not really PAR1")
    with pytest.raises(InputError):
        evaluate("scenes", folder, None, ["cv"], horizon_s=2.0, save=tmp_path / "paths.parquet")
    assert list(tmp_path.glob("paths*")) == []


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        (
            ("nusc", "x", "val", ["cv"]),
            InputError,
            "dataset: expected one of nuscenes, eth_ucy, apolloscape, .*, scenes, got 'nusc'",
        ),
        (("nuscenes", ".", "test", ["cv"]), InputError, "split: expected one of train, train_val, val .* got 'test'"),
        (("nuscenes", ".", None, ["cv"]), InputError, "split: expected one of train, train_val, val .* got None"),
        (
            ("apolloscape", ".", "all", ["cv"]),
            InputError,
            "expected one of train, val, test for apolloscape, got 'all'",
        ),
        (("vru", ".", None, ["cv"]), InputError, "split: expected one of train, val, test for vru, got None"),
        (("eth_ucy", ".", "val", ["cv"]), InputError, "split: expected one of eth, .*, all for eth_ucy, got 'val'"),
        (("nuscenes", "nowhere", "val", ["cv"]), InputError, "data: .*nowhere, which does not exist"),
        (("nuscenes", ".", "val", ["cv"]), InputError, "nuscenes_pred"),
        (("scenes", ".", "val", ["cv"]), InputError, "split: expected none for scenes, got 'val'"),
        (("scenes", ".", None, ["cv"]), InputError, "expected scene files"),
        (("scenes", "nowhere.parquet", None, ["cv"]), InputError, "data: expected a scene file .*nowhere"),
        (("scenes", ".", None, ["missing.onnx"]), ContractError, "missing.onnx: .* no such file"),
        (("scenes", ".", None, ["lstm"]), ContractError, "model: expected cv, ctrv, kalman or the path"),
    ],
)
def test_bad_input_is_one_clear_error(
    arguments: tuple[str, str, str | None, list[str]], error: type[TrajnetError], words: str, tmp_path: Path
) -> None:
    dataset, data, split, models = arguments
    with pytest.raises(error, match=words):
        evaluate(dataset, tmp_path / data, split, models)


def test_bad_options_are_clear_errors(folder: Path, tmp_path: Path) -> None:
    for options, words in (
        ({"stride": 0}, "stride: expected"),
        ({"horizon_s": 0.1}, "horizon: expected at least 0.5 s"),
        ({"horizon_s": float("nan")}, "horizon: expected"),
        (
            {"horizon_s": 60.0},
            "future is recorded for 60 s, got none; .* no future here lasts 1 s",
        ),
        ({"jobs": 0}, "jobs: expected at least 1"),
        ({"save": folder / "first.parquet" / "where.parquet"}, "cannot be written"),
    ):
        short = folder / "first.parquet"
        if options == {"horizon_s": 60.0}:
            short = tmp_path / "short.parquet"
            write_scene(scene_of({"a": straight(range(5), 1)}), short)
        with pytest.raises(InputError, match=words):
            evaluate("scenes", short, None, ["cv"], **options)
    with pytest.raises(InputError, match="horizon, stride: expected neither for eth_ucy"):
        evaluate("eth_ucy", folder, "eth", ["cv"], stride=2)


def test_nothing_to_score_says_how_long_a_recording_must_be_and_what_a_horizon_would_do(tmp_path: Path) -> None:
    """60 frames at 10 Hz last 5.9 s: no future of 6 s; one of 5 s after each of the first 10 frames."""
    scene = tmp_path / "short.parquet"
    write_scene(scene_of({"a": straight(range(60), 1)}), scene)
    with pytest.raises(
        InputError, match=r"for 6 s, got none; .* for 6 s after it, at least every 1 s; --horizon 5 would score 10"
    ):
        evaluate("scenes", scene, None, ["cv"])
    report = evaluate("scenes", scene, None, ["cv"], horizon_s=5.0)
    assert report["counts"]["whole"] == 10


def test_a_report_of_a_short_scene_has_no_nan(tmp_path: Path) -> None:
    write_scene(scene_of({"a": straight(range(22), 1), "b": straight(range(12), 2)}), tmp_path / "short.parquet")
    report = tmp_path / "report.json"
    code, _, error = invoke(
        "--dataset", "scenes", "--data", str(tmp_path), "--horizon", "2", "--jobs", "1", "--json", str(report)
    )
    assert code == 0, error

    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} in JSON")

    json.loads(report.read_text(), parse_constant=refuse)


def test_a_full_disk_leaves_no_paths_and_is_one_sentence(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(pq.ParquetWriter, "write_table", full)
    with pytest.raises(InputError, match=r"paths\.parquet: cannot be written: No space left on device"):
        evaluate("scenes", folder, None, ["cv"], horizon_s=2.0, save=tmp_path / "paths.parquet")
    assert [file for file in tmp_path.iterdir() if "paths" in file.name] == []


def test_a_model_that_does_not_look_far_enough_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dataset = open_dataset("scenes", folder, None, horizon_s=4.0)
    monkeypatch.setattr("trajnet.evaluate.runner.load_predictor", lambda spec, time_s: Modes([1.0], [1.0], HALF_S[:6]))
    with pytest.raises(ContractError, match=r"model short: predicts 3 s ahead, 4 s are scored"):
        run_models(dataset, ["short"])


def invoke(*arguments: str) -> tuple[int, str, BaseException | None]:
    app = typer.Typer()
    app.command()(command)
    result = CliRunner(env={"COLUMNS": "100", "TRAJNET_DATA": None}).invoke(app, list(arguments))
    return result.exit_code, result.output, result.exception


def test_the_command_shows_tables_and_writes_the_report(folder: Path, tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    code, output, error = invoke(
        "--dataset", "scenes", "--data", str(folder), "--model", "cv", "--jobs", "1", "--json", str(report),
        "--horizon", "2", "--stride", "5", "--save", str(tmp_path / "paths.parquet"),
    )  # fmt: skip
    assert code == 0, error
    read = json.loads(report.read_text())
    value = read["models"][0]["metrics"]["minADE_1"]
    line = next(text for text in output.splitlines() if text.strip().startswith("minADE_1 "))
    assert line.split()[1] == f"{value:.3f}"
    assert f"scenes: {read['counts']['whole']:,} objects, 2 s" in output
    assert [m["model"] for m in read["models"]] == ["cv", "ctrv", "kalman"]
    assert (tmp_path / "paths.parquet").is_file()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--dataset", "scenes", "--data", ".", "--json", "no/such/folder.json"], "json: expected a file in a folder"),
        (["--dataset", "scenes", "--data", ".", "--jobs", "-1"], "jobs: expected"),
        (["--dataset", "kitti", "--data", "."], "dataset: expected"),
    ],
)
def test_the_command_passes_errors_on(arguments: list[str], words: str) -> None:
    _, _, error = invoke(*arguments)
    assert isinstance(error, InputError)
    assert words in str(error)
