"""Figures of Argoverse 2 and Waymo beside those of their own programs, in Pythons that have them (docs/evaluation.md).

TRAJNET_AV2_PYTHON has av2, TRAJNET_WAYMO_PYTHON has waymo-open-dataset-tf-2-12-0 1.6.7.
"""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from trajnet import metrics
from trajnet.datasets.files import load_scene
from trajnet.evaluate.runner import SavedPaths
from trajnet.evaluate.womd import WomdFigures
from trajnet.scenes import write_scene
from trajnet.types import CLASS_NAMES, ObjectClass, Scene

SCENE = Path(__file__).resolve().parents[2] / "sim" / "scenes" / "intersection.parquet"
AV2, WAYMO = (os.environ.get(f"TRAJNET_{name}_PYTHON", "") for name in ("AV2", "WAYMO"))

_AV2 = """
import json, sys
import numpy as np
from av2.datasets.motion_forecasting.eval import metrics as m
given, rows = np.load(sys.argv[1]), []
for truth, paths, p in zip(given["truth"], given["paths"], given["probability"]):
    ade, fde = m.compute_ade(paths, truth), m.compute_fde(paths, truth)
    missed = m.compute_is_missed_prediction(paths, truth, 2.0).all()
    best, likeliest = fde.argmin(), p.argmax()
    brier = m.compute_brier_fde(paths, truth, p)[best]
    rows.append([ade.min(), fde.min(), float(missed), brier, ade[likeliest], fde[likeliest]])
print(json.dumps(np.array(rows).tolist()))
"""


@pytest.mark.skipif(not AV2, reason="TRAJNET_AV2_PYTHON names no Python with av2")
def test_argoverse_2(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    truth_m = rng.normal(0, 1, (200, 60, 2)).cumsum(axis=1)
    paths_m = truth_m[:, None] + rng.normal(0, 0.25, (200, 6, 60, 2)).cumsum(axis=2)
    probability = rng.dirichlet(np.ones(6), 200)
    np.savez(tmp_path / "a.npz", truth=truth_m, paths=paths_m, probability=probability)
    theirs = np.array(_ask(AV2, _AV2, tmp_path / "a.npz"))
    off_m = np.linalg.norm(paths_m - truth_m[:, None], axis=-1)
    ours = [
        metrics.min_ade(off_m, probability, 6),
        metrics.min_fde(off_m, probability, 6),
        metrics.argoverse2_miss(off_m, probability, 6),
        metrics.brier_min_fde(off_m, probability, 6),
        metrics.min_ade(off_m, probability, 1),
        metrics.min_fde(off_m, probability, 1),
    ]
    assert 0 < theirs[:, 2].mean() < 1
    np.testing.assert_allclose(np.stack(ours, axis=1), theirs, rtol=0, atol=1e-12)


_WAYMO = """
import json, os, sys
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import numpy as np
import tensorflow as tf
from google.protobuf import text_format
from waymo_open_dataset.metrics.ops import py_metrics_ops
from waymo_open_dataset.protos import motion_metrics_pb2
config = motion_metrics_pb2.MotionMetricsConfig()
step = "step_configurations {measurement_step: %d lateral_miss_threshold: %g longitudinal_miss_threshold: %g}"
text_format.Parse(
    "track_steps_per_second: 10 prediction_steps_per_second: 2 track_history_samples: 10 track_future_samples: 80 "
    "speed_lower_bound: 1.4 speed_upper_bound: 11.0 speed_scale_lower: 0.5 speed_scale_upper: 1.0 max_predictions: 6 "
    + " ".join(step % each for each in ((5, 1.0, 2.0), (9, 1.8, 3.6), (15, 3.0, 6.0))), config)
given = np.load(sys.argv[1])
found = py_metrics_ops.motion_metrics(
    prediction_trajectory=tf.constant(given["paths"][:, :, :, None], tf.float32),
    prediction_score=tf.constant(given["probability"], tf.float32),
    ground_truth_trajectory=tf.constant(given["truth"], tf.float32),
    ground_truth_is_valid=tf.constant(given["known"]),
    prediction_ground_truth_indices=tf.constant(given["target"][:, :, None], tf.int64),
    prediction_ground_truth_indices_mask=tf.constant(given["asked"][:, :, None]),
    object_type=tf.constant(given["kind"], tf.int64), config=config.SerializeToString())
print(json.dumps(np.stack([np.asarray(each) for each in found], axis=1).tolist()))
"""
#: Track.ObjectType of ours, and the classes in the order of Waymo's answer.
KINDS = {ObjectClass.CAR: 1, ObjectClass.PEDESTRIAN: 2, ObjectClass.BICYCLE: 3}
FRAMES, NOW, STRIDE = 91, 10, 5


@pytest.mark.skipif(not WAYMO, reason="TRAJNET_WAYMO_PYTHON names no Python with waymo-open-dataset")
def test_waymo(tmp_path: Path) -> None:
    rng, whole = np.random.default_rng(0), load_scene(SCENE)
    scenes = [_scenario(whole, first) for first in range(0, whole.frame_count - FRAMES, 120)][:8]
    files, given = list[Path](), list[dict[str, Any]]()
    for scene in scenes:
        files.append(tmp_path / f"{scene.scene_id}.parquet")
        write_scene(scene, files[-1])
        given.append(_problem(scene, rng))
    figures = WomdFigures(files)
    for scene, one in zip(scenes, given, strict=True):
        names = np.array([scene.track_id[index] for index in one["target"]])
        ids = np.array([scene.scene_id] * len(names))
        figures.add("x", SavedPaths(ids, np.full(len(names), NOW), names, one["probability"], one["paths"]))
    np.savez(tmp_path / "a.npz", **_padded(given))
    theirs = np.array(_ask(WAYMO, _WAYMO, tmp_path / "a.npz"))
    ours = figures.summary("x")["by_class"]
    for row, (kind, horizon) in enumerate((kind, horizon) for kind in KINDS for horizon in ("3", "5", "8")):
        mine = ours[CLASS_NAMES[kind]][horizon]
        assert mine["objects"] > 5
        for column, name in enumerate(("minADE", "minFDE", "MissRate", "OverlapRate", "mAP")):
            assert mine[name] == pytest.approx(theirs[row, column], abs=2e-4), (kind.name, horizon, name)


def _scenario(whole: Scene, first: int) -> Scene:
    """Return FRAMES frames with every road user of Waymo's three kinds that is there now and later as a target."""
    rows = (whole.row_frame >= first) & (whole.row_frame < first + FRAMES)
    rows &= np.isin(whole.object_class[whole.row_track], list(KINDS))
    frame, track = whole.row_frame[rows] - first, whole.row_track[rows]
    last = np.zeros(len(whole.track_id), np.int64)
    np.maximum.at(last, track, frame)
    per_row = ("position_m", "yaw_rad", "yaw_valid", "velocity_mps", "velocity_valid")
    return replace(
        whole,
        scene_id=f"from-{first}",
        timestamp_ns=whole.timestamp_ns[first : first + FRAMES],
        frame_number=np.arange(FRAMES),
        row_frame=frame,
        row_track=track,
        is_target=(frame == NOW) & (last[track] >= NOW + STRIDE),
        lanes=(),
        **{name: getattr(whole, name)[rows] for name in per_row},
    )


def _problem(scene: Scene, rng: np.random.Generator) -> dict[str, Any]:
    """Return the states of all tracks (A, F, 7) as Waymo takes them, and six paths for each target, near the truth."""
    tracks, row, frame = len(scene.track_id), scene.row_track, scene.row_frame
    truth, known = np.zeros((tracks, FRAMES, 7)), np.zeros((tracks, FRAMES), np.bool_)
    truth[:, NOW, 2:4] = scene.size_m
    truth[row, frame, :2], truth[row, frame, 4] = scene.position_m, scene.yaw_rad
    truth[row, frame, 2:4] = scene.size_m[row]
    truth[row, frame, 5:], known[row, frame] = scene.velocity_mps, True
    target = scene.row_track[scene.is_target]
    ahead_s = np.arange(1, 17)[:, None] * 0.5
    drift_mps = rng.normal(0, 0.35, (len(target), 6, 1, 2)) * rng.uniform(0.2, 3.0, (len(target), 1, 1, 1))
    now, later = truth[target, NOW, None], truth[target, NOW + STRIDE :: STRIDE]
    there = known[target, NOW + STRIDE :: STRIDE, None]
    straight_m = now[..., :2] + ahead_s * now[..., 5:]
    paths_m = np.where(there, later[..., :2], straight_m)[:, None] + drift_mps * ahead_s
    paths_m += rng.normal(0, 0.02, paths_m.shape)
    probability = -np.sort(-rng.dirichlet(np.full(6, 2.0), len(target)), axis=1)
    kind = np.array([KINDS.get(ObjectClass(each), 0) for each in scene.object_class.tolist()])
    return {"truth": truth, "known": known, "target": target, "paths": paths_m, "probability": probability,
            "kind": kind, "asked": np.ones(len(target), np.bool_)}  # fmt: skip


def _padded(given: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the arrays of all scenarios with one length: what is added is not known, and not asked for."""
    found = {}
    for name in given[0]:
        length = max(len(one[name]) for one in given)
        found[name] = np.stack(
            [np.pad(one[name], [(0, length - len(one[name])), *[(0, 0)] * (one[name].ndim - 1)]) for one in given]
        )
    return found


def _ask(python: str, program: str, path: Path) -> Any:
    said = subprocess.run([python, "-c", program, str(path)], check=True, capture_output=True, text=True, timeout=600)
    return json.loads(said.stdout.splitlines()[-1])
