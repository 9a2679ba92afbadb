#!/usr/bin/env python3
"""A live loop: a tracker puts frames into a queue, and each one is answered before the next arrives.

    python examples/live_loop.py

The tracker here replays the bundled intersection; put your own in its place. The queue holds one frame: a loop that is
late takes the newest frame and leaves out the older one, as paths of the past help nobody.
"""

from __future__ import annotations

import queue
import sys
import threading
import time
from pathlib import Path

import trajnet
from trajnet.inference import GuardOptions

SCENE = Path(__file__).resolve().parents[1] / "sim" / "scenes" / "intersection.parquet"
BUDGET_S = 0.05


def track(scene: trajnet.Scene, frames: queue.Queue[trajnet.TrackFrame | None], period_s: float, count: int) -> None:
    """Put a frame into the queue at a fixed rate, None at the end; a frame that nobody took is replaced."""
    for _, frame in zip(range(count), scene.frames(), strict=False):
        put_newest(frames, frame)
        time.sleep(period_s)
    put_newest(frames, None)


def put_newest(frames: queue.Queue[trajnet.TrackFrame | None], frame: trajnet.TrackFrame | None) -> None:
    """Put a frame into a queue of one place, in place of the one there."""
    while True:
        try:
            frames.put_nowait(frame)
            return
        except queue.Full:
            try:
                frames.get_nowait()
            except queue.Empty:
                continue


def main(period_s: float = 0.1, count: int = 100) -> int:
    """Answer each frame; return how many were answered."""
    scene = trajnet.load_scene(SCENE)
    stream = trajnet.Stream.for_scene(scene, trajnet.load_model(), guard=GuardOptions(budget_s=BUDGET_S))
    frames: queue.Queue[trajnet.TrackFrame | None] = queue.Queue(maxsize=1)
    threading.Thread(target=track, args=(scene, frames, period_s, count), daemon=True).start()
    answered = 0
    while (frame := frames.get()) is not None:
        # now_ns: the clock that the frames' stamps come from; this scene's stamps are its own clock.
        best = stream.update(frame, now_ns=frame.timestamp_ns).best_first()
        answered += 1
        if answered % 10 == 1 and len(best):
            x, y = best.position_m[0, 0, -1]
            in_words = f"in {best.time_s[-1]:g} s at {x:.1f}, {y:.1f}, probability {best.probability[0, 0]:.2f}"
            print(best.track_id[0], in_words)
    stream.close()
    print(f"{answered} frames answered, {stream.guard.counters.physics_rows} paths by constant velocity")
    return answered


if __name__ == "__main__":
    given = sys.argv[1:]
    main(float(given[0]) if given else 0.1, int(given[1]) if len(given) > 1 else 100)
