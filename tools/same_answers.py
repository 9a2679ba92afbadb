"""Whether two revisions give the same answers, to the bit: every frame, field and counter of many streams.

    git worktree add /tmp/before 0d6d5ce
    python tools/same_answers.py --before /tmp/before --scenes sim/scenes DATA/nuscenes_mini DATA/commonroad_ngsim/US101

Each revision plays the scenes in a process of its own, with its own model files, once for each of SETTINGS. Compared
are the bytes of every field of every prediction, what was counted, and the factors of the adaptive spread; exit code 1
if anything differs. For changes that only make an update cheaper.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
#: What a stream is given: by default a map, measured velocities, self-judging and the domain. gaps: a tenth of the rows
#: is missing, a fifth of the velocities and headings not measured, and positions have noise. most: the most objects
#: that the model may serve.
SETTINGS: dict[str, dict[str, Any]] = {
    "all": {},
    "without self-judging": {"judging": False},
    "without map": {"map": False},
    "without velocities": {"velocities": False},
    "without domain": {"domain": False},
    "with gaps": {"gaps": True},
    "with gaps, without map, without self-judging": {"gaps": True, "map": False, "judging": False},
    "at most 5 objects": {"most": 5, "gaps": True},
    "constant velocity": {"model": "cv"},
    "trajnet-universal": {"model": "trajnet-universal"},
    "trajnet-nuscenes": {"model": "trajnet-nuscenes", "domain": False},
}

#: Runs in either tree: prints a line of JSON for each frame.
WORKER = """
import hashlib, json, logging, sys
from dataclasses import asdict, replace
from itertools import islice
import numpy as np
from trajnet.datasets.files import load_scene
from trajnet.inference import NO_JUDGING, GuardOptions, Stream, load_predictor
logging.disable(logging.WARNING)
file, settings, count = sys.argv[1], json.loads(sys.argv[2]), int(sys.argv[3])

def changed(frame, draw, setting):
    if setting.get("velocities") is False:
        frame = replace(frame, velocity_valid=np.zeros(len(frame), np.bool_))
    if setting.get("gaps"):
        frame = frame.select(draw.random(len(frame)) > 0.1)
        rows = len(frame)
        frame = replace(frame, velocity_valid=frame.velocity_valid & (draw.random(rows) > 0.2),
            yaw_valid=frame.yaw_valid & (draw.random(rows) > 0.2),
            position_m=frame.position_m + draw.normal(0.0, 0.1, frame.position_m.shape))
    return frame

def told(value):
    if isinstance(value, np.ndarray):
        return [str(value.dtype), list(value.shape), hashlib.sha256(np.ascontiguousarray(value).tobytes()).hexdigest()]
    return repr(value)

scene = load_scene(file, with_map=True)
for name, setting in settings.items():
    model = setting.get("model", "trajnet-urban")
    predictor = load_predictor(model if model == "cv" else f"trajnet/models/{model}.onnx")
    guard = GuardOptions(domain=setting.get("domain", True), max_objects=setting.get("most"))
    stream = Stream(predictor, guard=guard, judging=None if setting.get("judging", True) else NO_JUDGING)
    if setting.get("map", True):
        stream.use_map_of(scene)
    draw = np.random.default_rng(0)
    for index, frame in enumerate(islice(scene.frames(), count)):
        answer = stream.update(changed(frame, draw, setting), frame.timestamp_ns)
        found = {key: told(value) for key, value in vars(answer).items()}
        found["counted"] = repr([asdict(stream.guard.counters), asdict(stream.store.counters), stream.status])
        if stream.judge is not None:
            found["judged"] = repr(asdict(stream.judge.counters))
            if stream.judge.spread is not None:
                found["factors"] = told(stream.judge.spread.factors)
        if stream.crossing is not None:
            found["crossings"] = repr(asdict(stream.crossing.counters))
        print(json.dumps([name, index, len(answer), found]), flush=True)
"""


def played(tree: Path, file: Path, settings: dict[str, dict[str, Any]], frames: int) -> Iterator[list[Any]]:
    """Yield the name of a setting, the index of a frame, its objects and what was found, as this tree answers."""
    worker = subprocess.Popen(
        [sys.executable, "-c", WORKER, str(file.resolve()), json.dumps(settings), str(frames)],
        cwd=tree, text=True, stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(tree), "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert worker.stdout is not None
    for line in worker.stdout:
        yield json.loads(line)
    if worker.wait():
        raise SystemExit(f"{tree}: failed on {file}")


def compared(before: Path, file: Path, settings: dict[str, dict[str, Any]], frames: int) -> bool:
    """Compare one scene, print a line for each setting, and return whether all was the same."""
    same, counts = dict.fromkeys(settings, ""), {name: [0, 0] for name in settings}
    old, new = played(before, file, settings, frames), played(ROOT, file, settings, frames)
    for (name, index, objects, was), (_, _, _, now) in zip(old, new, strict=True):
        counts[name][0] += 1
        counts[name][1] += objects
        if was != now and not same[name]:
            fields = [key for key in was.keys() | now.keys() if was.get(key) != now.get(key)]
            same[name] = f"DIFFERS from frame {index} on: {', '.join(sorted(fields))}"
    for name, (played_frames, objects) in counts.items():
        print(f"{file.name}, {name}: {played_frames} frames, {objects} objects, {same[name] or 'the same'}", flush=True)
    return not any(same.values())


def main() -> int:
    """Play the scenes in both trees and print what is the same."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--before", type=Path, required=True, help="a checkout of the revision to compare with")
    parser.add_argument("--scenes", type=Path, nargs="+", required=True, help="files, or folders of them")
    parser.add_argument("--most", type=int, default=4, help="scenes of a folder")
    parser.add_argument("--frames", type=int, default=150, help="frames of a scene")
    parser.add_argument("--settings", nargs="+", choices=list(SETTINGS), default=list(SETTINGS))
    options = parser.parse_args()
    settings = {name: SETTINGS[name] for name in options.settings}
    files: list[Path] = []
    for path in options.scenes:
        inside = (
            [file for file in sorted(path.iterdir()) if file.suffix in (".parquet", ".xml")] if path.is_dir() else []
        )
        files += inside[: options.most] if path.is_dir() else [path]
    results = [compared(options.before.resolve(), file, settings, options.frames) for file in files]
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
