"""Feed a guard with random outputs of a model, and hold what must always hold of the rows that leave.

    python -m tests.fuzz_guard 200000        # so many rows; prints what happened

The rules are written here a second time, value by value and without the guard's own code. The suite runs a small number
(tests/unit/inference/test_fuzz_guard.py).
"""

from __future__ import annotations

import logging
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import fields, replace
from fractions import Fraction
from typing import Any

import numpy as np

from trajnet.inference import ConstantVelocity, Guard, GuardOptions
from trajnet.inference.base import BasePredictor
from trajnet.tracking.plausibility import LIMITS
from trajnet.tracking.store import Observations, TrackStore
from trajnet.types import ObjectClass, Prediction, Source, TrackFrame

TIME_S = np.array([0.5, 1.0, 3.0, 6.0])
MODES = 3
#: Nothing in an object's path is further from where its class can be, m.
SLACK_M = 10.0
NUMBERS = (0.0, -0.0, -1.0, 1e-300, 5e-324, 0.3, 5.0, 1e5, 1e9, 1e160, 1e300, 1.7e308, -1e300, np.inf, -np.inf, np.nan)
#: What stands for an array of an answer that is not even one.
NO_ARRAYS: tuple[Any, ...] = (None, 7, "paths", b"", [], {}, object(), np.zeros(0), np.zeros((1, 1)), np.array(["x"]))


class Liar(BasePredictor):
    """Constant velocity in three modes, changed in a random way."""

    name, modes, time_s = "liar", MODES, TIME_S

    def __init__(self, rng: np.random.Generator) -> None:
        self._rng = rng
        self.lies = Counter[str]()
        self._kept: list[Any] = []
        self._ways: tuple[Callable[[Prediction], Any], ...] = (
            *(self.truth, self.numbers, self.numbers, self.numbers, self.covariances, self.covariances),
            *(
                self.probabilities,
                self.paths,
                self.paths,
                self.columns,
                self.types,
                self.rows,
                self.header,
                self.raises,
            ),
        )

    def predict(self, observations: Observations) -> Prediction:
        for array in self._kept:  # a predictor may use its arrays again: what left must not change with them
            array[...] = 77 if array.dtype == np.int8 else np.nan
        plain = ConstantVelocity(TIME_S).predict(observations).with_modes(MODES)
        shape = (len(observations), MODES)
        answer = replace(
            plain,
            source=np.full(len(observations), Source.MODEL, np.int8),
            probability=self._rng.dirichlet(np.ones(MODES), len(observations)),
            covariance_m2=plain.covariance_m2 * self._rng.uniform(0.5, 2.0, (*shape, 1, 1, 1)),
        )
        way = self._ways[int(self._rng.integers(len(self._ways)))]
        self.lies[way.__name__] += 1
        result = way(answer)
        self._kept = [
            a
            for name, a in vars(result).items()
            if name != "time_s" and isinstance(a, np.ndarray) and a.flags.writeable and a.dtype in (np.int8, np.float64)
        ]
        return result  # type: ignore[no-any-return]

    def truth(self, answer: Prediction) -> Any:
        return answer

    def _somewhere(self, shape: tuple[int, ...]) -> Any:
        return self._rng.random(shape) < self._rng.choice([0.01, 0.3, 1.0])

    def numbers(self, answer: Prediction) -> Any:
        """Any number in any field."""
        name = str(self._rng.choice([*Prediction.PER_MODE, "source", "age_s"]))
        values = getattr(answer, name).copy()
        wrong = self._somewhere(values.shape)
        values[wrong] = self._rng.choice([-128, -1, 3, 4, 77] if name == "source" else NUMBERS)
        return replace(answer, **{name: values})

    def covariances(self, answer: Prediction) -> Any:
        """Random symmetric and asymmetric ones of every magnitude, most of them indefinite."""
        scale = 10.0 ** self._rng.uniform(-200, 200)
        random = self._rng.normal(0, scale, answer.covariance_m2.shape)
        if self._rng.random() < 0.7:
            random = random + random.swapaxes(-1, -2)
        wrong = self._somewhere(random.shape[:3])[..., None, None]
        with np.errstate(over="ignore", invalid="ignore"):
            return replace(answer, covariance_m2=np.where(wrong, random, answer.covariance_m2))

    def probabilities(self, answer: Prediction) -> Any:
        random = self._rng.uniform(-0.2, 1.2, answer.probability.shape)
        if self._rng.random() < 0.5:  # they do add up, but some are negative
            random[:, -1] = 1.0 - random[:, :-1].sum(axis=1)
        return replace(answer, probability=random)

    def paths(self, answer: Prediction) -> Any:
        """Too far, or too far between two points, by any distance."""
        off_m = self._rng.normal(0, 10.0 ** self._rng.uniform(-1, 5), answer.position_m.shape)
        return replace(answer, position_m=answer.position_m + off_m * self._somewhere(off_m.shape[:3])[..., None])

    def columns(self, answer: Prediction) -> Any:
        """Arrays of another number of modes or times."""
        name = str(self._rng.choice(Prediction.PER_MODE))
        return _forced(answer, name, np.repeat(getattr(answer, name), 2, axis=int(self._rng.integers(0, 2))))

    def types(self, answer: Prediction) -> Any:
        """What is no array of numbers, or one of other numbers."""
        name = str(self._rng.choice([f.name for f in fields(Prediction) if f.name != "time_s"]))
        if self._rng.random() < 0.5 and isinstance(getattr(answer, name), np.ndarray):
            kind = str(self._rng.choice(["f2", "i8", "c16", "O", "U8", "?"]))
            with np.errstate(over="ignore", invalid="ignore"):
                return _forced(answer, name, getattr(answer, name).astype(kind))
        return _forced(answer, name, NO_ARRAYS[int(self._rng.integers(len(NO_ARRAYS)))])

    def rows(self, answer: Prediction) -> Any:
        """Rows too few, too many, or in another order."""
        count = len(answer)
        order = self._rng.integers(0, count, int(self._rng.integers(0, count + 3))) if count else np.zeros(0, np.int64)
        return answer.select(order)

    def header(self, answer: Prediction) -> Any:
        if self._rng.random() < 0.5:
            return replace(answer, timestamp_ns=answer.timestamp_ns + int(self._rng.choice([-1, 1, 2**62])))
        return replace(answer, time_s=answer.time_s + 0.1)

    def raises(self, answer: Prediction) -> Any:
        kinds = (RuntimeError, SystemExit, MemoryError, StopIteration, GeneratorExit, ZeroDivisionError)
        raise kinds[int(self._rng.integers(len(kinds)))](len(answer))


def _forced(answer: Prediction, name: str, value: Any) -> Prediction:
    """Return the prediction with a field that its own checks would refuse."""
    copy = replace(answer)
    object.__setattr__(copy, name, value)
    return copy


def frame(rng: np.random.Generator, timestamp_ns: int) -> TrackFrame:
    """Return a frame of 0 to 12 objects that come and go, in a street or far from the origin."""
    count = int(rng.choice([0, 1, 3, 8, 12]))
    known = rng.random((2, count)) < 0.7
    return TrackFrame(
        timestamp_ns,
        tuple(f"t{i}" for i in rng.choice(16, count, replace=False)),
        rng.integers(0, len(ObjectClass), count).astype(np.int8),
        rng.normal(0.0, float(rng.choice([1.0, 50.0, 4e6])), (count, 2)),
        np.where(known[0], rng.uniform(-3.2, 3.2, count), np.nan),
        known[0],
        np.where(known[1][:, None], rng.normal(0.0, 5.0, (count, 2)), np.nan),
        known[1],
        np.exp(rng.uniform(-1.0, 2.0, (count, 2))),
    )


def broken_rules(seen: Observations, answer: Prediction) -> list[str]:
    """Return what does not hold of an answer."""
    if type(answer) is not Prediction or answer.track_id != seen.track_id or answer.timestamp_ns != seen.timestamp_ns:
        return ["not an answer to the rows that were asked for"]
    broken = [] if np.array_equal(answer.time_s, TIME_S) else ["other times"]
    count = len(seen)
    for name, shape in (
        ("position_m", (count, MODES, 4, 2)), ("yaw_rad", (count, MODES, 4)), ("probability", (count, MODES)),
        ("covariance_m2", (count, MODES, 4, 2, 2)), ("source", (count,)), ("age_s", (count,)),
    ):  # fmt: skip
        values = getattr(answer, name)
        if values.shape != shape or values.dtype != (np.int8 if name == "source" else np.float64):
            broken.append(f"{name}: {values.dtype} {values.shape}")
        elif not np.isfinite(values).all():
            broken.append(f"{name}: not finite")
    return broken or [rule for row in range(count) for rule in _broken_row(seen, answer, row)]


def _broken_row(seen: Observations, answer: Prediction, row: int) -> list[str]:
    broken = []
    probability = answer.probability[row]
    if (probability < 0).any() or abs(float(probability.sum()) - 1.0) > 1e-3:  # float16 is as exact as that
        broken.append("probabilities")
    if answer.source[row] not in (Source.MODEL, Source.PHYSICS) or answer.age_s[row] < 0:
        broken.append("source or age")
    for a, b, c, d in answer.covariance_m2[row].reshape(-1, 4).tolist():
        scale = max(a, d)
        definite = a > 0 and d > 0 and Fraction(a) * Fraction(d) > Fraction(b) * Fraction(c)
        if not definite or abs(b - c) > 2e-6 * scale or not 1e-38 < min(a, d) <= scale < 1e38:  # as float32, too
            broken.append("covariance")
            break
    speed_mps = LIMITS[ObjectClass(int(seen.object_class[row]))][3]
    for path_m in answer.position_m[row]:
        off_m = np.abs(path_m - seen.position_m[row]).max(axis=1)
        step_m = np.abs(np.diff(path_m, axis=0)).max(axis=1)
        far = (off_m > speed_mps * TIME_S + SLACK_M + 1e-6).any()
        if far or (step_m > speed_mps * np.diff(TIME_S) + SLACK_M + 1e-6).any():
            broken.append("a path that the class cannot drive")
            break
    return broken


def run(rows: int, seed: int, budget_s: float | None = None) -> tuple[list[str], Counter[str]]:
    """Ask for at least so many rows; return the rules that broke, with their frames, and what happened how often."""
    rng = np.random.default_rng(seed)
    liar, store = Liar(rng), TrackStore()
    guard = Guard(liar, GuardOptions(budget_s, max_objects=10 if seed % 2 else None))
    broken, happened = list[str](), Counter[str]()
    before: tuple[Prediction, dict[str, bytes]] | None = None
    number = 0
    while happened["rows"] < rows:
        number += 1
        seen = store.update(frame(rng, number * 100_000_000), number * 100_000_000)[1]
        assert seen is not None
        try:
            answer = guard.answer(seen)
        except BaseException as error:  # whatever it is, it is a broken rule
            broken.append(f"frame {number}: raised {type(error).__name__}: {error} after {liar.lies}")
            break
        broken += [f"frame {number}: {rule}" for rule in broken_rules(seen, answer)]
        if before is not None and (changed := [n for n, v in _bytes(before[0]).items() if v != before[1][n]]):
            broken.append(f"frame {number - 1}: {changed} changed after it had left")
        before = answer, _bytes(answer)
        happened["rows"] += len(seen)
        happened["of model"] += int((answer.source == Source.MODEL).sum())
    guard.close()
    counters = guard.counters
    if counters.model_rows + counters.physics_rows != happened["rows"] or counters.model_rows != happened["of model"]:
        broken.append(f"counters: {counters}")
    happened.update(liar.lies)
    happened.update(frames=number, failures=counters.failures, refused=counters.non_finite_rows)
    return broken, happened


def _bytes(answer: Prediction) -> dict[str, bytes]:
    return {f.name: v.tobytes() for f in fields(answer) if isinstance(v := getattr(answer, f.name), np.ndarray)}


def main() -> int:
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else 20_000
    logging.getLogger("trajnet").setLevel(logging.ERROR)
    code = 0
    for seed, budget_s in ((0, None), (1, None), (2, 60.0)):
        broken, happened = run(rows // 3 + 1, seed, budget_s)
        print(
            f"seed {seed}, budget {budget_s}: {happened['rows']} rows, {len(broken)} broken rules",
            *broken[:5],
            sep="\n",
        )
        print(", ".join(f"{name} {count}" for name, count in sorted(happened.items())))
        code |= bool(broken)
    return code


if __name__ == "__main__":
    raise SystemExit(main())
