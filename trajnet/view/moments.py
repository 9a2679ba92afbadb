"""What viewers are shown of a scene, frame by frame, and the origin around which they draw it.

Viewers draw with 32 bit, in which the coordinates of a projected map would be half a metre apart.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from trajnet.inference import Predictor
from trajnet.paths import predict_scene
from trajnet.picture.palette import CLASS_COLOURS
from trajnet.types import CLASS_NAMES, DEFAULT_SIZE_M, FloatArray, IntArray, Prediction, Scene, TrackFrame

HISTORY_S = 3.0
#: Modes below this probability are not drawn.
LEAST_PROBABILITY = 0.02
#: Height of a box, m, in the order of ObjectClass: no source of scenes has one.
HEIGHT_M = (1.5, 1.5, 3.2, 3.2, 1.5, 1.7, 1.8)
#: Ids that recordings give the vehicle that recorded them.
EGO_IDS = ("ego", "AV")
assert len(HEIGHT_M) == len(DEFAULT_SIZE_M)


@dataclass(frozen=True, eq=False)
class Moment:
    """One frame. history_m: for each object where it was in the last HISTORY_S (P, 2). prediction: best mode first.

    Everything is in the frame of the map: whoever draws it subtracts origin_m of the scene.
    """

    index: int
    now: TrackFrame
    history_m: list[FloatArray]
    prediction: Prediction | None


def origin_m(scene: Scene) -> FloatArray:
    """Return the middle of what was recorded (2,), in whole metres, which is what viewers have at 0."""
    if not len(scene.position_m):
        return np.zeros(2)
    middle: FloatArray = np.round(0.5 * (scene.position_m.min(axis=0) + scene.position_m.max(axis=0)))
    return middle


def moments(scene: Scene, predictor: Predictor) -> Iterator[Moment]:
    """Yield every frame with what the predictor said, streamed as on the road."""
    answers = predict_scene(scene, predictor)
    next_index, answer = next(answers, (-1, None))
    for index in range(scene.frame_count):
        prediction = None
        if index == next_index:
            prediction = answer
            next_index, answer = next(answers, (-1, None))
        yield Moment(index, scene.frame(index), _histories(scene, index), prediction)


def _histories(scene: Scene, index: int) -> list[FloatArray]:
    start_ns = int(scene.timestamp_ns[index]) - round(HISTORY_S * 1e9)
    first = int(np.searchsorted(scene.timestamp_ns, start_ns))
    rows: IntArray = np.arange(scene.rows_of_frame(first).start, scene.rows_of_frame(index).stop)
    here = scene.row_track[scene.rows_of_frame(index)]
    return [scene.position_m[rows[scene.row_track[rows] == track]] for track in here.tolist()]


def words(now: TrackFrame, row: int, prediction: Prediction | None) -> str:
    """Return an object's id, class and speed, and the probability of its most probable path."""
    parts = [now.track_id[row], CLASS_NAMES[int(now.object_class[row])]]
    if now.velocity_valid[row]:
        parts.append(f"{np.hypot(*now.velocity_mps[row]):.1f} m/s")
    if prediction is not None:
        parts.append(f"{prediction.probability[row, 0]:.0%}")
    return " ".join(parts)


def class_rgb(kind: int) -> tuple[int, int, int]:
    """Return the colour of a class, 0..255."""
    return rgb(CLASS_COLOURS[kind])


def rgb(colour: str) -> tuple[int, int, int]:
    """Return a colour of the palette, 0..255."""
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


def map_lines(scene: Scene) -> Iterator[FloatArray]:
    """Yield the edges of lanes and walkways (P, 2), map frame."""
    for lane in scene.lanes:
        yield from lane.edges_m
