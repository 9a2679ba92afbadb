"""How well paths go on beyond the model's horizon: distances and coverage at 10 and 12 s, by rule and class.

    python tools/path_extension.py DATA/nuscenes_mini/*.parquet

plays the scenes through a stream with the default model (without maps) and compares each predicted path, continued
from its last point by several rules, with where the object was 10 and 12 s later. Objects that left before are not in
it. The table is the one of docs/ros.md; trajnet.inference.extension has the rule and the rates that follow from it.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from trajnet.inference import Stream, load_predictor
from trajnet.inference.extension import Extension
from trajnet.metrics import mixture_share
from trajnet.models import default_model
from trajnet.ros.bag_import import open_scene
from trajnet.types import FloatArray, ObjectClass, Prediction, Scene

LATER_S = (10.0, 12.0)
EVERY_NS, HISTORY_NS, SLACK_NS = 1_500_000_000, 1_900_000_000, 30_000_000
GROUPS = {
    "vehicles": (ObjectClass.UNKNOWN, ObjectClass.CAR, ObjectClass.TRUCK, ObjectClass.BUS),
    "riders": (ObjectClass.MOTORCYCLE, ObjectClass.BICYCLE),
    "pedestrians": (ObjectClass.PEDESTRIAN,),
}
#: Rules by name: within how many seconds a turn fades to straight, and speed falls to 1/e; 0: no turn, constant speed.
RULES = {"straight": (0.0, 0.0), "turning 1 s": (1.0, 0.0), "slowing 20 s": (0.0, 20.0)}


def positions_at(scene: Scene, time_ns: int) -> dict[str, FloatArray]:
    """Return where each track is at a time; none where no frame is near it."""
    index = int(np.abs(scene.timestamp_ns - time_ns).argmin())
    if abs(int(scene.timestamp_ns[index]) - time_ns) > SLACK_NS:
        return {}
    frame = scene.frame(index)
    return dict(zip(frame.track_id, frame.position_m, strict=True))


def samples(
    scene: Scene, later_s: tuple[float, ...] = LATER_S
) -> Iterator[tuple[Prediction, int, list[FloatArray | None]]]:
    """Yield predictions, a row of each and where its object was at the end and at later_s; None: not known."""
    stream = Stream(load_predictor(str(default_model())), warn_without_map=False)
    first: dict[str, int] = {}
    last_ns = int(scene.timestamp_ns[0]) - EVERY_NS
    for frame in scene.frames():
        now_ns = frame.timestamp_ns
        prediction = stream.update(frame, now_ns)
        for name in frame.track_id:
            first.setdefault(name, now_ns)
        if now_ns - last_ns < EVERY_NS:
            continue
        last_ns = now_ns
        later = [positions_at(scene, now_ns + int(s * 1e9)) for s in (prediction.time_s[-1], *later_s)]
        for row, name in enumerate(frame.track_id):
            if now_ns - first[name] >= HISTORY_NS and name in later[1]:
                yield prediction, row, [found.get(name) for found in later]


def continued(path_m: FloatArray, step_s: float, after_s: float, turn_s: float, slow_s: float) -> FloatArray:
    """Return ends (K, 2) of paths (K, M, 2) after_s beyond their last point."""
    velocity, before = (path_m[:, i] - path_m[:, i - 1] for i in (-1, -2))
    speed_mps = np.hypot(*velocity.T) / step_s
    angle, earlier = (np.arctan2(v[:, 1], v[:, 0]) for v in (velocity, before))
    moving = np.minimum(speed_mps, np.hypot(*before.T) / step_s) > 1.0
    rate = np.where(moving, (np.mod(angle - earlier + np.pi, 2 * np.pi) - np.pi) / step_s, 0.0)
    time_s = (np.arange(40) + 0.5) * after_s / 40
    turned = rate[:, None] * (turn_s * (1 - np.exp(-time_s / turn_s)) if turn_s else 0 * time_s)
    speed = speed_mps[:, None] * (np.exp(-time_s / slow_s) if slow_s else np.ones_like(time_s))
    moved = speed[..., None] * np.stack([np.cos(angle[:, None] + turned), np.sin(angle[:, None] + turned)], axis=-1)
    end_m: FloatArray = path_m[:, -1] + moved.sum(axis=1) * after_s / 40
    return end_m


def share(end_m: FloatArray, covariance_m2: FloatArray, probability: FloatArray, truth_m: FloatArray) -> float:
    """Return the share of the mixture that is denser than at the true position."""
    found = mixture_share(end_m[None, :, None], covariance_m2[None, :, None], probability[None], truth_m[None, None])
    return float(found[0, 0])


def main(paths: list[str]) -> int:
    """Print the table for the scenes at these paths."""
    distance: dict[tuple[str, float, str], list[float]] = {}
    inside: dict[tuple[str, float], list[bool]] = {}
    for path in paths:
        scene = open_scene(Path(path))
        class_of = dict(zip(scene.track_id, scene.object_class, strict=True))
        for prediction, row, truth in samples(scene):
            kind = ObjectClass(class_of[prediction.track_id[row]])
            group = next(name for name, classes in GROUPS.items() if kind in classes)
            path_m, probability = prediction.position_m[row], prediction.probability[row]
            beyond = Extension(prediction.time_s, np.array(LATER_S))
            ends_m = beyond.positions(path_m[:1, 0], path_m[None])[0]
            wider_m2 = beyond.covariances(prediction.covariance_m2[row][None, :, -1], np.array([kind], np.int8))[0]
            if truth[0] is not None:
                level = share(path_m[:, -1], prediction.covariance_m2[row][:, -1], probability, truth[0])
                inside.setdefault((group, float(prediction.time_s[-1])), []).append(level < 0.9)
            for index, (later_s, true_m) in enumerate(zip(LATER_S, truth[1:], strict=True)):
                if true_m is None:
                    continue
                level = share(ends_m[:, index], wider_m2[:, index], probability, true_m)
                inside.setdefault((group, later_s), []).append(level < 0.9)
                after_s = later_s - float(prediction.time_s[-1])
                for rule, (turn_s, slow_s) in RULES.items():
                    end_m = continued(path_m, float(np.diff(prediction.time_s)[-1]), after_s, turn_s, slow_s)
                    mean_m = float(probability @ np.hypot(*(end_m - true_m).T))
                    distance.setdefault((group, later_s, rule), []).append(mean_m)
    for (group, later_s), hits in sorted(inside.items()):
        rules = [f"{rule} {np.mean(distance[group, later_s, rule]):.2f} m" for rule in RULES if later_s in LATER_S]
        print(f"{group:12} {later_s:4g} s  {len(hits):5} objects  {np.mean(hits):.1%} in the 90 % region ", *rules)
    return 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("scenes", nargs="+", help="scene files")
    sys.exit(main(parser.parse_args().scenes))
