"""What the checks of input and output cost: times with them, without them, and of an older revision, as ratios.

    git worktree add /tmp/before 0d6d5ce                       # the last revision without them
    python tools/cost_of_checks.py --before /tmp/before --rounds 40

Each variant runs in a process of its own on one core. They take turns, a round of frames each, so that what else the
machine does meets all of them; medians of processor time over all frames are shown, to which other programs add no
waiting. "without" is this revision with the checks of motion (leaps, speeds) and of paths (covariances, reach) replaced
by those of before, in the same code otherwise.
"""

from __future__ import annotations

import argparse
import ast
import os
import pickle
import subprocess
import sys
import tempfile
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
FRAMES = 50  # of a round
STAGES = ("decode and clean", "Stream.update", "whole message")

#: Runs in either tree: reads "go" lines, answers each with the nanoseconds of FRAMES frames in three stages.
WORKER = f"""
import itertools, logging, pickle, sys, time
logging.disable(logging.WARNING)
files, model, checks = sys.argv[1], sys.argv[2], sys.argv[3]
from trajnet.ros.cdr import decode_tracked
from trajnet.ros.parameters import Parameters
from trajnet.ros.pipeline import Pipeline, load
try:
    from trajnet.ros.from_autoware import MessageCleaner
    clean = MessageCleaner().clean
except ImportError:
    from trajnet.ros.bridge import Bridge
    clean = Bridge().observe
if checks == "without":
    import numpy as np
    from dataclasses import replace
    from trajnet.inference import guard
    from trajnet.tracking import store
    assert hasattr(guard, "servable_rows") and hasattr(store, "faster_than_class") and hasattr(Parameters, "policy")
    guard.servable_rows = lambda prediction, observations: prediction.usable_rows()
    store.faster_than_class = lambda velocity_mps, object_class: np.zeros(len(object_class), bool)
    Parameters.policy = lambda self, policy=Parameters.policy: replace(policy(self), restart_leaps=False)
parameters = Parameters(model=model, budget_ms=0.0)
lines = [Pipeline(*load(parameters), parameters) for _ in range(2)]
messages = itertools.cycle(pickle.load(open(files, "rb")))
print("ready", flush=True)
for _ in sys.stdin:
    times = []
    for _ in range({FRAMES}):
        data = next(messages)
        begin = time.process_time_ns()
        cleaned = clean(decode_tracked(data))
        middle = time.process_time_ns()
        lines[0].stream.update(cleaned.frame, cleaned.frame.timestamp_ns)
        end = time.process_time_ns()
        lines[1].process(data, cleaned.frame.timestamp_ns)
        times.append((middle - begin, end - middle, time.process_time_ns() - end))
    print(times, flush=True)
"""


def messages(count: int, frames: int) -> list[bytes]:
    """Return messages of cars at 10 m/s with a detector's noise, 10 Hz."""
    from trajnet.ros.cdr import encode_tracked
    from trajnet.ros.to_autoware import tracked_objects
    from trajnet.types import ObjectClass, TrackFrame

    random, one = np.random.default_rng(0), np.ones(count)
    data = []
    for step in range(frames):
        place_m = np.stack([step * one + 8.0 * np.arange(count), 4.0 * np.arange(count)], axis=1)
        frame = TrackFrame(
            timestamp_ns=1_700_000_000_000_000_000 + step * 100_000_000,
            track_id=tuple(f"{i + 1:032x}" for i in range(count)),
            object_class=np.full(count, ObjectClass.CAR, np.int8),
            position_m=place_m + random.normal(0.0, 0.05, place_m.shape),
            yaw_rad=0.0 * one,
            yaw_valid=np.ones(count, np.bool_),
            velocity_mps=np.stack([10.0 * one, 0.0 * one], axis=1),
            velocity_valid=np.ones(count, np.bool_),
            size_m=np.stack([4.5 * one, 1.9 * one], axis=1),
        )
        data.append(encode_tracked(tracked_objects(frame)))
    return data


def measured(
    variants: dict[str, tuple[Path, str, str]], files: Path, rounds: int, core: int | None
) -> dict[str, dict[str, float]]:
    """Return the median in µs of each variant (tree, model, checks) and stage; the first round warms up."""
    workers: dict[str, Any] = {}
    for name, (tree, model, checks) in variants.items():
        workers[name] = subprocess.Popen(
            [sys.executable, "-c", WORKER, str(files), model, checks], cwd=tree, text=True, stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": str(tree), "OMP_NUM_THREADS": "1"},
        )  # fmt: skip
        if core is not None:
            os.sched_setaffinity(workers[name].pid, {core})
        workers[name].stdout.readline()
    found: dict[str, list[tuple[int, ...]]] = defaultdict(list)
    for number in range(rounds + 1):
        for name, worker in workers.items():
            worker.stdin.write("go\n")
            worker.stdin.flush()
            times = ast.literal_eval(worker.stdout.readline())
            found[name] += times if number else []
    for worker in workers.values():
        worker.stdin.close()
        worker.wait()
    return {
        name: dict(zip(STAGES, (np.median(times, axis=0) * 1e-3).tolist(), strict=True))
        for name, times in found.items()
    }


def main() -> int:
    """Measure and print a table in Markdown."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--before", type=Path, help="a checkout of the revision to compare with")
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--objects", type=int, nargs="+", default=[64, 256])
    parser.add_argument("--core", type=int, default=max(os.sched_getaffinity(0)))
    options = parser.parse_args()
    print("| objects | stage | compared | without, µs | with, µs | ratio |\n|---:|---|---|---:|---:|---:|")
    for count in options.objects:
        with tempfile.TemporaryDirectory() as folder:
            files = Path(folder) / "messages"
            files.write_bytes(pickle.dumps(messages(count, (options.rounds + 1) * FRAMES)))
            variants = {
                f"{model}, {checks}": (ROOT, model, checks)
                for model in ("trajnet-urban", "cv")
                for checks in ("without", "with")
            }
            if options.before is not None:
                variants["cv, before"] = (options.before.resolve(), "cv", "with")
            found = measured(variants, files, options.rounds, options.core)
        for now, before in (("trajnet-urban, with", "trajnet-urban, without"), ("cv, with", "cv, before")):
            for stage in STAGES:
                if before in found and (stage != STAGES[0] or before == "cv, before"):
                    values = found[before][stage], found[now][stage]
                    print(f"| {count} | {stage} | {before} | {values[0]:.0f} | {values[1]:.0f} | ", end="")
                    print(f"{values[1] / values[0]:.2f} |", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
