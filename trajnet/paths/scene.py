"""The predictions of a scene's frames, from the stream that runs on the road."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from trajnet.errors import InputError
from trajnet.inference import Predictor, Stream
from trajnet.types import Prediction, Scene


def predict_scene(
    scene: Scene, predictor: Predictor, frames: set[int] | None = None
) -> Iterator[tuple[int, Prediction]]:
    """Yield (index of the frame, its prediction, modes by decreasing probability), fed frame by frame.

    frames: the frames that are wanted, all by default; the ones before them are fed too. Frames without an object that
    is or was there are left out.
    """
    last = scene.frame_count - 1 if frames is None else max(frames, default=-1)
    stream = Stream.for_scene(scene, predictor)
    try:
        for index in range(last + 1):
            frame = scene.frame(index)
            found = stream.update(frame, now_ns=frame.timestamp_ns)
            if len(found) and (frames is None or index in frames):
                yield index, found.best_first()
    finally:
        stream.close()


def frames_at(scene: Scene, times_s: list[float]) -> set[int]:
    """Return the last frame at or before each time, s since the scene's first frame. Raises InputError outside it."""
    found = set()
    for time_s in times_s:
        if not 0 <= time_s <= scene.duration_s + 1e-6:
            raise InputError(
                f"at: expected seconds from 0 to {scene.duration_s:g} after the first frame, got {time_s:g}"
            )
        since_start_ns = scene.timestamp_ns - scene.timestamp_ns[0]
        found.add(int(np.searchsorted(since_start_ns, round(time_s * 1e9) + 1000, side="right")) - 1)
    return found
