"""How long the codec and the conversions take, by the clock on the wall and in processor time. Needs no ROS.

    python -m tests.ros.bench_cdr --objects 100 --paths 6 --poses 13

Targets for that load on one core: decode under 1 ms, encode under 2 ms. On a machine that others use as well, the
wall's p99 and max are mostly theirs; the processor time is ours.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from tests.ros.random_objects import random_tracked
from trajnet.ros.cdr import decode_predicted, decode_tracked, encode_predicted, encode_tracked
from trajnet.ros.from_autoware import MessageCleaner
from trajnet.ros.malloc import keep_freed_memory
from trajnet.ros.published_paths import PublishedPaths
from trajnet.ros.to_autoware import predicted_objects


def load(objects: int, paths: int, poses: int, polygons: int) -> tuple[bytes, PublishedPaths]:
    """Make a message of objects with one classification each (polygons of them with a footprint), and their paths."""
    footprint = np.where(np.arange(objects) < polygons, 12, 0)
    tracked = random_tracked(0, np.ones(objects, np.int64), footprint, special=False)
    tracked.shape_type[:] = np.where(footprint, 2, 0)
    rng = np.random.default_rng(0)
    return encode_tracked(tracked), PublishedPaths(
        time_s=0.5 * np.arange(float(poses)),
        position_m=rng.normal(0, 50, (objects, paths, poses, 2)),
        yaw_rad=rng.normal(0, 1, (objects, paths, poses)),
        covariance_m2=np.zeros((objects, paths, poses, 2, 2)),
        probability=np.sort(rng.dirichlet(np.ones(paths), objects), axis=1)[:, ::-1],
        z_m=np.zeros(objects),
        source=np.zeros(objects, np.int8),
        age_s=np.zeros(objects),
    )


def time_ms(work: Callable[[], Any], rounds: int) -> list[float]:
    """p50, p99 and max by the clock on the wall, then p50 and p99 of the processor time that it took."""
    for _ in range(20):
        work()
    wall, processor = np.empty(rounds), np.empty(rounds)
    for i in range(rounds):
        wall_begin, processor_begin = time.perf_counter_ns(), time.thread_time_ns()
        work()
        processor[i] = (time.thread_time_ns() - processor_begin) * 1e-6
        wall[i] = (time.perf_counter_ns() - wall_begin) * 1e-6
    return [*np.percentile(wall, [50, 99, 100]), *np.percentile(processor, [50, 99])]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--objects", type=int, default=100)
    parser.add_argument("--paths", type=int, default=6)
    parser.add_argument("--poses", type=int, default=13)
    parser.add_argument("--polygons", type=int, default=0, help="how many of the objects have a footprint of 12 points")
    parser.add_argument("--rounds", type=int, default=1000)
    given = parser.parse_args()
    keep_freed_memory()  # as the node does
    data, paths = load(given.objects, given.paths, given.poses, given.polygons)
    tracked = decode_tracked(data)
    cleaned = MessageCleaner().clean(tracked)
    predicted = predicted_objects(cleaned, paths)
    out = encode_predicted(predicted)
    cleaner = MessageCleaner()

    def everything() -> bytes:
        return encode_predicted(predicted_objects(cleaner.clean(decode_tracked(data)), paths))

    print(f"{given.objects} objects ({given.polygons} polygons), {given.paths} paths of {given.poses} poses, ", end="")
    print(f"{len(data)} bytes in, {len(out)} bytes out, {given.rounds} rounds")
    print("ms".ljust(28) + "".join(name.rjust(9) for name in ("p50", "p99", "max", "cpu p50", "cpu p99")))
    for name, work in (
        ("decode TrackedObjects", lambda: decode_tracked(data)),
        ("objects to TrackFrame", lambda: MessageCleaner().clean(tracked)),
        ("paths to PredictedObjects", lambda: predicted_objects(cleaned, paths)),
        ("encode PredictedObjects", lambda: encode_predicted(predicted)),
        ("all four", everything),
        ("encode TrackedObjects", lambda: encode_tracked(tracked)),
        ("decode PredictedObjects", lambda: decode_predicted(out)),
    ):
        print(f"{name:28s}" + "".join(f"{value:9.2f}" for value in time_ms(work, given.rounds)))


if __name__ == "__main__":
    main()
