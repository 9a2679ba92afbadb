"""How well paths of vehicles go on beyond the model's horizon along the lanes of the map, and straight on.

    python -m tools.lane_extension DATA/nuscenes_mini/*.parquet

plays the scenes through a stream with the default model (without maps), as tools/path_extension.py does, and compares
both ways to go on with where the vehicles were 10, 12 and 15 s later. The table is the one of docs/ros.md.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np

from tools.path_extension import samples, share
from trajnet.context.lane_paths import lane_paths_of
from trajnet.inference.extension import Extension
from trajnet.inference.lane_extension import along_lanes
from trajnet.ros.bag_import import open_scene
from trajnet.types import FloatArray, ObjectClass

LATER_S = (10.0, 12.0, 15.0)
#: A vehicle's extension differs where its paths are so far apart on average (m).
DIFFERS_M = 1.0


def main(paths: list[str]) -> int:
    """Print the table for the scenes at these paths."""
    found: dict[tuple[float, str], list[FloatArray]] = {}
    for path in paths:
        scene = open_scene(Path(path))
        lanes = lane_paths_of(scene.lanes)
        if lanes is None:
            print(f"{path}: no lanes")
            continue
        class_of = dict(zip(scene.track_id, scene.object_class, strict=True))
        for prediction, row, truth in samples(scene, LATER_S):
            kind = np.array([class_of[prediction.track_id[row]]], np.int8)
            if kind[0] == ObjectClass.PEDESTRIAN:
                continue
            beyond = Extension(prediction.time_s, np.array(LATER_S))
            path_m, probability = prediction.position_m[row][None], prediction.probability[row]
            yaw_rad = prediction.yaw_rad[row, :, -1][None]
            straight_m = beyond.positions(path_m[:, 0, 0], path_m)
            lane_m = straight_m.copy()
            on_lane = along_lanes(lanes, beyond, path_m, yaw_rad, kind, lane_m, beyond.yaws(yaw_rad))[0]
            wider_m2 = beyond.covariances(prediction.covariance_m2[row][None, :, -1], kind)[0]
            for i, (later_s, true_m) in enumerate(zip(LATER_S, truth[1:], strict=True)):
                if true_m is None:
                    continue
                ends_m = np.stack([straight_m[0, :, i], lane_m[0, :, i]])
                away_m = np.hypot(*np.moveaxis(ends_m - true_m, -1, 0))
                inside = [share(each, wider_m2[:, i], probability, true_m) < 0.9 for each in ends_m]
                values = np.array([*(away_m @ probability), *away_m.min(axis=1), *inside])
                found.setdefault((later_s, "all"), []).append(values)
                if probability @ on_lane > 0.5:
                    found.setdefault((later_s, "on a lane"), []).append(values)
                if probability @ np.hypot(*(ends_m[1] - ends_m[0]).T) > DIFFERS_M:
                    found.setdefault((later_s, "differs"), []).append(values)
    for (later_s, which), rows in sorted(found.items()):
        mean = np.mean(rows, axis=0)
        print(
            f"{later_s:4g} s  {which:10} {len(rows):5}  mean: straight {mean[0]:.2f} lane {mean[1]:.2f} m  "
            f"best: {mean[2]:.2f} {mean[3]:.2f} m  in 90 %: {mean[4]:.1%} {mean[5]:.1%}"
        )
    return 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("scenes", nargs="+", help="scene files")
    sys.exit(main(parser.parse_args().scenes))
