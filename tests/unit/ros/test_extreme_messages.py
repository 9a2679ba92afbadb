"""Streams of extreme messages: whatever has a position leaves with finite paths, and nothing fails on the way.

A longer run by hand: python -m tests.unit.ros.test_extreme_messages 20000 trajnet/models/trajnet-urban.onnx
"""

from __future__ import annotations

import sys
from dataclasses import fields, replace

import numpy as np
import pytest

from tests.ros.random_objects import random_tracked
from trajnet.ros.cdr import PredictedObjects, TrackedObjects, decode_predicted, encode_tracked
from trajnet.ros.from_autoware import MAX_POSITION_M
from trajnet.ros.parameters import Parameters
from trajnet.ros.pipeline import Pipeline, load

#: The unset id, and ids so few that they are shared and used again.
IDS = np.repeat(np.array([0, 1, 2, 3, 4], dtype=np.uint8)[:, None], 16, axis=1)
STEPS_NS = np.array([100, 100, 100, 100, 0, -100, -900, 900, -5000, 3_600_000]) * 1_000_000


def extreme_message(rng: np.random.Generator, stamp_ns: int) -> TrackedObjects:
    """Make up to eight objects with extreme numbers, most of them within 200 m, with ids that are unset and shared."""
    count = int(rng.integers(0, 9))
    objects = random_tracked(
        int(rng.integers(2**31)), rng.integers(0, 4, count), rng.integers(0, 9, count), stamp_ns=stamp_ns
    )
    return replace(
        objects,
        object_id=IDS[rng.integers(0, len(IDS), count)],
        shape_type=rng.integers(0, 4, count, np.uint8),
        orientation_availability=rng.integers(0, 4, count, np.uint8),
        frame_id=str(rng.choice(["map", "map", "map", "odom", ""])),
    )


def assert_answers(objects: TrackedObjects, got: PredictedObjects) -> None:
    """Every object with a position is there, as it came where it could be, with whole and finite numbers."""
    located = (np.abs(objects.pose[:, :2]) <= MAX_POSITION_M).all(axis=1)
    assert np.array_equal(got.object_id, objects.object_id[located])
    assert np.array_equal(got.pose[:, :2], objects.pose[located, :2])
    assert (got.path_count >= 1).all()
    for field in fields(got):
        value = getattr(got, field.name)
        if isinstance(value, np.ndarray) and value.dtype.kind == "f":
            assert np.isfinite(value).all(), field.name
    for name in ("pose_covariance", "twist_covariance", "acceleration_covariance"):
        assert (getattr(got, name).reshape(-1, 6, 6)[:, range(6), range(6)] >= 0).all(), name
    assert ((got.existence_probability >= 0) & (got.existence_probability <= 1)).all()
    assert (got.dimensions_m > 0).all()
    owner = np.repeat(np.arange(len(got)), got.path_count)
    shares = np.bincount(owner, got.path_confidence.astype(np.float64), minlength=len(got))
    assert np.abs(shares - 1.0).max(initial=0.0) < 1e-6


def run(frames: int, model: str, seed: int) -> Pipeline:
    """Send extreme messages and check every answer; a few of them are dropped for their stamps."""
    rng, stamp_ns = np.random.default_rng(seed), 10**18
    parameters = Parameters(model=model, budget_ms=0.0)
    line = Pipeline(*load(parameters), parameters, clock_ns=lambda: 0)
    for _ in range(frames):
        stamp_ns += int(rng.choice(STEPS_NS))
        objects = extreme_message(rng, stamp_ns)
        answer = line.process(encode_tracked(objects), stamp_ns)
        assert answer.kind in ("used", "late", "dropped"), answer.message
        if answer.objects is not None:
            assert_answers(objects, decode_predicted(answer.objects))
    return line


@pytest.mark.parametrize("seed", [0, 1])
def test_every_extreme_message_is_answered(seed: int) -> None:
    line = run(200, "cv", seed)
    totals = line.diagnostics.totals
    assert (totals.failures, totals.failed, totals.bad) == (0, 0, 0)
    assert totals.frame_changes > 10
    assert 0 < totals.dropped < 100
    counters = {k: int(v) for s in line.report(0) for k, v in s.values if k.endswith("_total")}
    assert min(counters["unset_id_total"], counters["shared_id_total"], counters["unknown_covariance_total"]) > 60


if __name__ == "__main__":
    print(run(int(sys.argv[1]), sys.argv[2], 7).diagnostics.totals)
