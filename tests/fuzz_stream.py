"""Feed a stream with extreme frames through a predictor that misbehaves, and hold what must always hold.

    python -m tests.fuzz_stream 200000        # so many frames; prints what happened

Every object of a used frame leaves with a path, in the frame's order; every path may go out (servable_rows), whatever
the predictor does; nothing is raised; the counters add up. The suite runs a small number
(tests/unit/inference/test_fuzz_stream.py).
"""

from __future__ import annotations

import logging
import sys
from collections import Counter
from dataclasses import replace

import numpy as np

from trajnet.inference import ConstantVelocity, JudgingOptions, Stream
from trajnet.inference.base import BasePredictor
from trajnet.inference.validity import servable_rows
from trajnet.tracking.plausibility import max_speed_mps
from trajnet.tracking.store import Observations, TrackPolicy
from trajnet.types import IntArray, ObjectClass, Prediction, Source, TrackFrame

TIME_S = np.array([0.5, 1.0, 3.0, 6.0])
#: Magnitudes of positions and speeds: a street, UTM, nonsense, and beyond what float32 holds.
SCALES = (1.0, 50.0, 1e3, 4e6, 1e12, 1e40, 1e300)
STEPS_NS = (0, 1, 1_000, 10**7, 10**8, 10**8, 10**8, 9 * 10**8, 10**10, 10**17, -1, -(10**8), -(10**9), -(10**12))


class Liar(BasePredictor):
    """Constant velocity in two modes, which now and then lies about a field, raises, or gives something else."""

    name, modes, time_s = "liar", 2, TIME_S

    def __init__(self, rng: np.random.Generator) -> None:
        self._rng = rng
        self.lies = Counter[str]()

    def predict(self, observations: Observations) -> Prediction:
        plain = ConstantVelocity(TIME_S).predict(observations).with_modes(2)
        answer = replace(plain, source=np.full(len(observations), Source.MODEL, np.int8))
        kind = str(self._rng.choice(["good", "good", "field", "field", "raise", "exit", "none", "rows", "late"]))
        self.lies[kind] += 1
        if kind == "raise":
            raise RuntimeError("no")
        if kind == "exit":
            raise SystemExit(3)
        if kind == "none":
            return None  # type: ignore[return-value]
        if kind == "rows" and len(answer):
            return answer.select(np.arange(len(answer) - 1))
        if kind == "late":
            return replace(answer, timestamp_ns=answer.timestamp_ns + 1)
        return self._lying(answer) if kind == "field" else answer

    def _lying(self, answer: Prediction) -> Prediction:
        """Return the answer with some entries of one field replaced."""
        name = str(self._rng.choice([*Prediction.PER_MODE, "source", "age_s"]))
        values = getattr(answer, name).copy()
        wrong = self._rng.random(values.shape) < self._rng.choice([0.02, 0.3, 1.0])
        worst = [0, -1, 77] if name == "source" else [0.0, -1.0, 1e-300, 5.0, 1e9, 1e300, np.inf, -np.inf, np.nan]
        values[wrong] = self._rng.choice(worst)
        return replace(answer, **{name: values})


def frame(rng: np.random.Generator, timestamp_ns: int) -> TrackFrame:
    """Return a frame of 0 to 12 objects whose ids come and go, at places and speeds of every magnitude."""
    count = int(rng.choice([0, 1, 2, 5, 12]))
    ids = rng.choice(24, count, replace=False)
    scale, fast = rng.choice(SCALES, 2)
    known = rng.random((2, count)) < 0.7
    missing = np.where(known, 0.0, np.nan)
    size_m = np.exp(rng.uniform(-3.0, 4.0, (count, 2)))
    if rng.random() < 0.3:
        return lane(rng, timestamp_ns, ids)
    return TrackFrame(
        timestamp_ns,
        tuple(f"t{i}" for i in ids),
        rng.integers(0, len(ObjectClass), count).astype(np.int8),
        rng.normal(0.0, scale, (count, 2)),
        rng.uniform(-3.2, 3.2, count) * rng.choice([1.0, 1.0, 1e3, 1e15]) + missing[0],
        known[0],
        rng.normal(0.0, fast, (count, 2)) + missing[1][:, None],
        known[1],
        size_m,
    )


def lane(rng: np.random.Generator, timestamp_ns: int, ids: IntArray) -> TrackFrame:
    """Return a frame of objects one behind the other, at any speed that their classes may have."""
    count = len(ids)
    kinds = rng.integers(0, len(ObjectClass), count).astype(np.int8)
    place_m = np.stack([np.cumsum(rng.uniform(0.0, 30.0, count)), rng.normal(0.0, 0.5, count)], axis=1)
    speed = max_speed_mps(kinds) * rng.choice([0.0, 0.5, 0.99, 1.0], count)
    known = rng.random(count) < 0.9
    velocity_mps = np.where(known[:, None], np.stack([speed, np.zeros(count)], axis=1), np.nan)
    return TrackFrame(
        timestamp_ns, tuple(f"t{i}" for i in ids), kinds, place_m, np.zeros(count), np.ones(count, np.bool_),
        velocity_mps, known, np.exp(rng.uniform(-1.0, 2.5, (count, 2))),
    )  # fmt: skip


def broken_rules(one: TrackFrame, answer: Prediction) -> list[str]:
    """Return what does not hold of an answer to a frame that was used."""
    broken = []
    if answer.track_id[: len(one)] != one.track_id:
        broken.append("an object of the frame has no path in its place")
    if not answer.usable_rows().all():
        broken.append("a path is not usable")
    return broken


def run(frames: int, seed: int, judging: JudgingOptions | None = None) -> tuple[list[str], Counter[str]]:
    """Play so many frames; return the rules that broke, with their frames, and what happened how often."""
    rng = np.random.default_rng(seed)
    liar = Liar(rng)
    judged = Judge(liar)
    stream = Stream(judged, TrackPolicy(), judging=judging)
    now_ns, broken = 10**18, list[str]()
    happened = Counter[str]()
    for number in range(frames):
        now_ns += int(rng.choice(STEPS_NS))
        now_ns = now_ns if abs(now_ns) < 9 * 10**18 else 10**18  # within 64 bits
        one = frame(rng, now_ns)
        answer = stream.update(one, now_ns)
        happened[stream.status] += 1
        if stream.status in ("used", "late", "clock_reset"):
            broken += [f"frame {number}: {rule}" for rule in broken_rules(one, answer)]
            broken += [f"frame {number}: {rule}" for rule in judged.unfit(answer, len(one))]
    happened.update(liar.lies)
    counters = stream.guard.counters
    happened.update(model_rows=counters.model_rows, physics_rows=counters.physics_rows)
    happened.update(refused=counters.non_finite_rows, restarted=stream.store.counters.restarted)
    return broken, happened


class Judge(BasePredictor):
    """Keeps the observations of the last frame, so that the answer can be held against them."""

    name, modes, time_s = "liar", 2, TIME_S

    def __init__(self, inner: Liar) -> None:
        self._inner = inner
        self._asked: Observations | None = None

    def predict(self, observations: Observations) -> Prediction:
        self._asked = observations
        return self._inner.predict(observations)

    def unfit(self, answer: Prediction, count: int) -> list[str]:
        """Return a sentence where the first ``count`` rows of the answer must not go out."""
        if self._asked is None or not count:
            return []
        first = answer.select(np.arange(count))
        source = np.where(first.source == Source.JUDGED, np.int8(Source.MODEL), first.source)  # the stream's own word
        fine = servable_rows(replace(first, source=source), self._asked)
        return [] if fine.all() else [f"{int((~fine).sum())} paths must not go out"]


def main() -> int:
    logging.getLogger("trajnet").setLevel(logging.ERROR)
    frames = int(sys.argv[1]) if len(sys.argv) > 1 else 20_000
    broken, happened = run(frames, seed=0)
    print(f"{frames} frames, {len(broken)} broken rules", *broken[:5], sep="\n")
    print(", ".join(f"{name} {count}" for name, count in sorted(happened.items())))
    return 1 if broken else 0


if __name__ == "__main__":
    raise SystemExit(main())
