"""Measure how far paths end from a vehicle that goes round steadily: the tables of docs/self-judging.md.

    python tools/circles.py --model urban
    python tools/circles.py --model urban --lanes

A car drives round a circle at 10 Hz from the first frame on, with measured position, yaw, velocity and size. With
--lanes the circle is a lane ring with four arms. Cells: most probable path / nearest mode, distance from where the car
is 6 s later, m; the mean of five tracks where there is noise on position and yaw.
"""

from __future__ import annotations

import argparse

import numpy as np

from trajnet.inference import Predictor, Stream, load_predictor
from trajnet.types import FloatArray, Lane, ObjectClass, Scene, TrackFrame

#: Radius (m) and speed (m/s).
CIRCLES = ((20.0, 8.0), (12.0, 5.0), (60.0, 12.0))
#: Standard deviations of position (m) and yaw (degrees).
NOISES = ((0.0, 0.0), (0.05, 1.0), (0.1, 2.0), (0.05, 5.0))
SEEN_S = (2, 3, 4, 6, 8, 10)
STEP_S, AHEAD_S, TRACKS = 0.1, 6.0, 5
#: Arms: how far they reach, half the distance between their two lanes, and half the width of a lane (m).
ARM_M, APART_M, HALF_LANE_M, HALF_RING_M = 60.0, 2.0, 1.75, 2.5


def place(radius_m: float, angle_rad: FloatArray) -> FloatArray:
    """Return positions (..., 2) on the circle about (0, radius_m), from the origin anticlockwise."""
    return radius_m * np.stack([np.sin(angle_rad), 1.0 - np.cos(angle_rad)], axis=-1)


def ring(radius_m: float) -> tuple[Lane, ...]:
    """Return a lane ring with four arms of two lanes each."""
    angle_rad, centre_m = np.linspace(0.0, 2.0 * np.pi, 73), np.array([0.0, radius_m])
    inner_m, line_m, outer_m = (
        centre_m + (1.0 + by / radius_m) * (place(radius_m, angle_rad) - centre_m)
        for by in (-HALF_RING_M, 0.0, HALF_RING_M)
    )
    lanes = [Lane("ring", inner_m, outer_m, line_m)]
    for arm in range(4):
        out = np.array([np.cos(0.5 * np.pi * arm), np.sin(0.5 * np.pi * arm)])
        left = np.array([-out[1], out[0]])
        for name, way in (("out", 1.0), ("in", -1.0)):
            line_m = centre_m + np.outer([radius_m + 2.0, radius_m + ARM_M], out) - way * APART_M * left
            line_m = line_m[:: int(way)]
            lanes.append(
                Lane(f"{name}-{arm}", line_m + way * HALF_LANE_M * left, line_m - way * HALF_LANE_M * left, line_m)
            )
    return tuple(lanes)


def scene_with(lanes: tuple[Lane, ...]) -> Scene:
    """Return a scene of one car that has these lanes."""
    yes, zero, none_m = np.ones(1, np.bool_), np.zeros(1, np.int64), np.zeros((1, 2))
    return Scene(
        scene_id="ring", timestamp_ns=zero, frame_number=zero, track_id=("car",),
        object_class=np.array([ObjectClass.CAR], np.int8), size_m=np.array([[4.5, 1.9]]), row_frame=zero,
        row_track=zero, position_m=none_m, yaw_rad=np.zeros(1), yaw_valid=yes, velocity_mps=none_m, velocity_valid=yes,
        is_target=yes, lanes=lanes,
    )  # fmt: skip


def ends(stream: Stream, radius_m: float, speed_mps: float, noise_m: float, noise_deg: float, seed: int) -> FloatArray:
    """Return the distances (len(SEEN_S), 2) of the most probable path and of the nearest mode."""
    rng, found = np.random.default_rng(seed), []
    yes, size_m, kind = np.ones(1, np.bool_), np.array([[4.5, 1.9]]), np.array([ObjectClass.CAR], np.int8)
    at = int(np.searchsorted(stream.predictor.time_s, AHEAD_S - 1e-9))
    for index in range(round(SEEN_S[-1] / STEP_S) + 1):
        angle_rad, time_ns = np.array([speed_mps * STEP_S * index / radius_m]), round(1e9 * STEP_S * index)
        velocity_mps = speed_mps * np.stack([np.cos(angle_rad), np.sin(angle_rad)], axis=1)
        position_m = place(radius_m, angle_rad) + rng.normal(0.0, noise_m, (1, 2))
        yaw_rad = angle_rad + rng.normal(0.0, np.radians(noise_deg), 1)
        frame = TrackFrame(time_ns, ("car",), kind, position_m, yaw_rad, yes, velocity_mps, yes, size_m)
        answer = stream.update(frame, time_ns)
        if any(index == round(seen / STEP_S) for seen in SEEN_S):
            there_m = place(radius_m, angle_rad + speed_mps * AHEAD_S / radius_m)
            off_m = np.linalg.norm(answer.position_m[0, :, at] - there_m, axis=1)
            found.append((off_m[answer.probability[0].argmax()], off_m.min()))
    return np.array(found)


def row(predictor: Predictor, radius_m: float, speed_mps: float, noise: tuple[float, float], lanes: bool) -> str:
    """Return one row of the table in Markdown."""
    found = []
    for seed in range(TRACKS if any(noise) else 1):
        stream = Stream(predictor, warn_without_map=False)
        stream.use_map_of(scene_with(ring(radius_m) if lanes else ()))
        found.append(ends(stream, radius_m, speed_mps, *noise, seed))
        stream.close()
    cells = (f"{top:.0f} / {best:.0f}" for top, best in np.mean(found, axis=0))
    said = f"{100 * noise[0]:.0f} cm, {noise[1]:.0f}°" if any(noise) else "none"
    return f"| radius {radius_m:.0f} m, {speed_mps:.0f} m/s | {said} | " + " | ".join(cells) + " |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="urban", help="urban (default), universal, or an .onnx file")
    parser.add_argument("--lanes", action="store_true", help="the circle is a lane ring with four arms")
    arguments = parser.parse_args()
    predictor = load_predictor(arguments.model)
    print("| circle | noise of position and yaw | " + " | ".join(f"{seen} s" for seen in SEEN_S) + " |")
    print("|---" * (2 + len(SEEN_S)) + "|")
    for radius_m, speed_mps in CIRCLES:
        for noise in NOISES:
            print(row(predictor, radius_m, speed_mps, noise, arguments.lanes), flush=True)


if __name__ == "__main__":
    main()
