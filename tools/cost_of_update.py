"""What Stream.update costs beside an older revision: the ratio of processor time, with everything switched on in both.

    git worktree add /tmp/before 7060ebc                       # before self-judging, domain, checks and filter
    python tools/cost_of_update.py --before /tmp/before

Each revision runs in a process of its own on one core, with its own default model, map and neighbours.
They take turns of a few frames, so that what else the machine does meets both; shown is the median of the ratios of
neighbouring turns, in processor time of the thread, to which other programs add no waiting. A slow frame of the machine
changes one ratio, not the median. The traffic is that of ``trajnet bench`` with noise, and four objects in it are
faster than the model's domain, so the fall-back is asked, too. In it a new track takes over the one that ends in the
same place, so all are judged in the same frames; with --apart it begins elsewhere, and every frame has judgements.
With --around the time in ONNX Runtime is left out: what is around the graph, in both revisions.
"""

from __future__ import annotations

import argparse
import json
import os
import pickle
import subprocess
import sys
import tempfile
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
#: Frames of a turn, and turns that warm up: in 12 s every track of the first frame has been replaced.
FRAMES, WARM_TURNS = 20, 6
#: Objects outside of the model's domain: pedestrians of this speed (m/s); no leap, as the class may reach 12.
OUTSIDE, OUTSIDE_MPS = 4, (8.0, 11.0)
#: How far apart the next track begins with --apart (m), in turn to either side.
APART_M = 60.0

#: Runs in either tree. Reads "go" lines; answers each with the processor time of each of a turn's frames in µs.
WORKER = f"""
import json, logging, pickle, sys, time
import numpy as np
from trajnet.bench.synthetic_traffic import synthetic_map
from trajnet.inference import Stream, load_predictor
from trajnet.types import TrackFrame
logging.disable(logging.WARNING)
files, cold_mb, around = sys.argv[1], float(sys.argv[2]), sys.argv[3] == "around"
graph_ns = 0
if around:
    from trajnet.inference.onnx.engine import Bucket
    run = Bucket.run
    def timed(bucket, count):
        global graph_ns
        begin_ns = time.thread_time_ns()
        run(bucket, count)
        graph_ns += time.thread_time_ns() - begin_ns
    Bucket.run = timed
frames = [TrackFrame(**fields) for fields in pickle.load(open(files, "rb"))]
predictor = load_predictor("trajnet/models/trajnet-urban.onnx")
try:
    from trajnet.bench.synthetic_traffic import synthetic_lanes
    more = {{"lanes": synthetic_lanes(len(frames[0].track_id))}}
except ImportError:  # before paths kept to lanes
    more = {{}}
stream = Stream(predictor, map_field=synthetic_map(predictor.requirements), **more)
others = np.zeros(int(cold_mb * 1e6), np.uint8)
print("ready", flush=True)
for _ in sys.stdin:
    turn, frames = frames[:{FRAMES}], frames[{FRAMES}:]
    spent_us = []
    for frame in turn:
        others += 1
        graph_ns, begin_ns = 0, time.thread_time_ns()
        stream.update(frame, frame.timestamp_ns)
        spent_us.append((time.thread_time_ns() - begin_ns - graph_ns) * 1e-3)
    print(json.dumps(spent_us), flush=True)
"""


def traffic(objects: int, frames: int, noise_m: float, apart: bool = False) -> list[dict[str, Any]]:
    """Return the fields of frames of synthetic traffic at 10 Hz with noisy positions."""
    from trajnet.bench.synthetic_traffic import synthetic_frames
    from trajnet.types import ObjectClass

    draw = np.random.default_rng(0)
    found = []
    for frame in islice(synthetic_frames(objects), frames):
        speed_mps = np.hypot(*frame.velocity_mps.T)
        fast = (speed_mps > OUTSIDE_MPS[0]) & (speed_mps < OUTSIDE_MPS[1])
        object_class = frame.object_class.copy()
        object_class[np.flatnonzero(fast)[:OUTSIDE]] = ObjectClass.PEDESTRIAN
        position_m = frame.position_m + draw.normal(0.0, noise_m, frame.position_m.shape)
        if apart:
            position_m += APART_M * np.array([[int(track_id.split("-")[1]) % 2] for track_id in frame.track_id])
        found.append({**vars(frame), "object_class": object_class, "position_m": position_m})
    return found


def turns(trees: list[Path], files: Path, count: int, options: argparse.Namespace) -> list[list[list[float]]]:
    """Return the processor times in µs for each turn, tree and frame; the turns that warm up are left out."""
    workers: list[Any] = []
    for tree in trees:
        worker = subprocess.Popen(
            [sys.executable, "-c", WORKER, str(files), str(options.cold_mb), "around" if options.around else "whole"],
            cwd=tree, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": str(tree), "OMP_NUM_THREADS": "1"},
        )  # fmt: skip
        os.sched_setaffinity(worker.pid, {options.core})
        assert worker.stdout is not None
        worker.stdout.readline()
        workers.append(worker)
    found = []
    for number in range(count):
        spent_us = []
        for worker in workers if number % 2 else workers[::-1]:
            worker.stdin.write("go\n")
            worker.stdin.flush()
            spent_us.append(json.loads(worker.stdout.readline()))
        found.append(spent_us if number % 2 else spent_us[::-1])
    for worker in workers:
        worker.stdin.close()
        worker.wait()
    return found[WARM_TURNS:]


def main() -> int:
    """Measure and print a table in Markdown."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--before", type=Path, required=True, help="a checkout of the revision to compare with")
    parser.add_argument("--turns", type=int, default=100)
    parser.add_argument("--objects", type=int, nargs="+", default=[64, 256])
    parser.add_argument("--noise-m", type=float, default=0.05, help="standard deviation of positions along each axis")
    parser.add_argument("--apart", action="store_true", help="new tracks begin elsewhere: judgements in every frame")
    parser.add_argument("--around", action="store_true", help="without the time in ONNX Runtime")
    parser.add_argument("--cold-mb", type=float, default=0.0, help="memory that is changed between frames, for caches")
    parser.add_argument("--core", type=int, default=max(os.sched_getaffinity(0)))
    options = parser.parse_args()
    print("| objects | before, µs: p50, p99 | now, µs: p50, p99 | ratio | quartiles |\n|---:|---:|---:|---:|---:|")
    for objects in options.objects:
        count = options.turns + WARM_TURNS
        with tempfile.TemporaryDirectory() as folder:
            files = Path(folder) / "frames"
            files.write_bytes(pickle.dumps(traffic(objects, count * FRAMES, options.noise_m, options.apart)))
            found = np.array(turns([options.before.resolve(), ROOT], files, count, options))
        mean_us = found.mean(axis=2)
        low, ratio, high = np.quantile(mean_us[:, 1] / mean_us[:, 0], [0.25, 0.5, 0.75])
        before, now = (f"{p50:.0f}, {p99:.0f}" for p50, p99 in np.quantile(found, [0.5, 0.99], axis=(0, 2)).T)
        print(f"| {objects} | {before} | {now} | {ratio:.3f} | {low:.2f}, {high:.2f} |", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
