"""Where a frame's time goes: the stages of Stream.update, back to back and with pauses between frames.

    chrt -f 10 taskset -c 1 python tools/stage_times.py

The bundled intersection, filled to 64 objects, with the default model. Every function of STAGES is timed by a wrapper;
its stage gets the time that it takes without those it calls. Shown is the sum of the medians, in µs.
"""

from __future__ import annotations

import argparse
import importlib
import logging
import sys
import time
from collections import defaultdict
from collections.abc import Callable
from functools import wraps
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from trajnet.datasets.files import load_scene
from trajnet.inference import NO_JUDGING, Stream, load_predictor
from trajnet.replay.multiply_agents import multiply_agents

ROOT = Path(__file__).resolve().parents[1]
#: Frames that warm up.
WARM = 20
_IN, _JUDGING = "trajnet.inference.", "trajnet.inference.judging."
#: Stage: functions as module:name. What is not listed counts to the function that calls it.
STAGES = {
    "tracks": ["trajnet.tracking.store:TrackStore.update"],
    "judging, before the model": [_JUDGING + "self_judge:SelfJudge.observe"],
    "domain, guard, checks": [_IN + "guard:Guard.answer"],
    "map and neighbours": ["trajnet.tracking.observations:Observations.make_surroundings"],
    "around the graph": [_IN + "onnx.predictor:OnnxPredictor.predict"],
    "graph": [_IN + "onnx.engine:Bucket.run"],
    "judging, after the model": [_JUDGING + "self_judge:SelfJudge.judged"],
    "stale paths and the rest": [_IN + "stream:Stream.update"],
}


class Times:
    """Own time in ns of the wrapped functions, call by call."""

    def __init__(self) -> None:
        self.own_ns: dict[str, list[int]] = defaultdict(list)
        self._inside_ns: list[int] = []

    def wrap(self, place: str) -> None:
        """Time this function, named as module:name, from now on."""
        module, _, name = place.partition(":")
        owner: Any = importlib.import_module(module)
        *path, last = name.split(".")
        for part in path:
            owner = getattr(owner, part)
        setattr(owner, last, self._timed(place, getattr(owner, last)))

    def _timed(self, place: str, function: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(function)
        def timed(*args: Any, **kwargs: Any) -> Any:
            self._inside_ns.append(0)
            begin_ns = time.perf_counter_ns()
            try:
                return function(*args, **kwargs)
            finally:
                spent_ns = time.perf_counter_ns() - begin_ns
                self.own_ns[place].append(spent_ns - self._inside_ns.pop())
                if self._inside_ns:
                    self._inside_ns[-1] += spent_ns

        return timed

    def stages_us(self, frames: int) -> dict[str, float]:
        """Return the time of each stage in a frame: medians of calls times calls per frame."""
        found = dict.fromkeys(STAGES, 0.0)
        for stage, places in STAGES.items():
            for place in places:
                calls_ns = self.own_ns[place]
                found[stage] += float(np.median(calls_ns)) * len(calls_ns) / frames * 1e-3 if calls_ns else 0.0
        return found


def played(times: Times, objects: int, frames: int, period_s: float, judging: bool) -> dict[str, float]:
    """Play the scene with a frame each period, in a stream of its own; return the time of each stage."""
    scene = multiply_agents(load_scene(ROOT / "sim/scenes/intersection.parquet", with_map=True), objects)
    predictor = load_predictor(ROOT / "trajnet/models/trajnet-urban.onnx")
    stream = Stream.for_scene(scene, predictor, judging=None if judging else NO_JUDGING)
    begin_s = time.perf_counter()
    for index, frame in enumerate(islice(scene.frames(), WARM + frames)):
        if index == WARM:
            times.own_ns.clear()
        time.sleep(max(0.0, begin_s + index * period_s - time.perf_counter()))
        stream.update(frame, frame.timestamp_ns)
    return times.stages_us(frames)


def main() -> int:
    """Measure and print a table in Markdown."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--objects", type=int, default=64)
    parser.add_argument("--frames", type=int, default=200)
    parser.add_argument("--period-ms", type=float, nargs="+", default=[0.0, 100.0], help="0: back to back")
    parser.add_argument("--no-self-judging", action="store_true")
    options = parser.parse_args()
    logging.disable(logging.WARNING)
    times = Times()
    for places in STAGES.values():
        for place in places:
            times.wrap(place)
    columns = [
        played(times, options.objects, options.frames, period_ms * 1e-3, not options.no_self_judging)
        for period_ms in options.period_ms
    ]
    print("| µs | " + " | ".join(f"every {ms:g} ms" if ms else "back to back" for ms in options.period_ms) + " |")
    print("|---|" + "---:|" * len(columns))
    for stage in STAGES:
        print(f"| {stage} | " + " | ".join(f"{column[stage]:.0f}" for column in columns) + " |")
    print("| sum | " + " | ".join(f"{sum(column.values()):.0f}" for column in columns) + " |")
    return 0


if __name__ == "__main__":
    sys.exit(main())
