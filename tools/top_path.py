"""Choose how far the most probable path is drawn towards constant velocity: WEIGHTS of judging/combination.py.

    python -m tools.top_path --data DATA --model trajnet/models/trajnet-urban.onnx
    python -m tools.top_path --data DATA --model trajnet/models/trajnet-urban.onnx --sites mini,east,changchun

Every scene is streamed frame by frame, by the model without self-judging and by constant velocity. For each class
group, speed and horizon: the weight of constant velocity, in steps of 0.05, with which the error is least, as a share
of the model's own error and averaged over the sites that have at least LEAST objects there; and that share. "-": no
site has. By default at sites that the default model was not trained on, but for xian.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import NamedTuple

import numpy as np

from tools.self_judging import HISTORY_S, SITES, TIME_S, Site, scenes_of
from trajnet.datasets.windows import windows_of_scene
from trajnet.evaluate.units import played
from trajnet.inference import NO_JUDGING, Predictor, Stream, load_predictor
from trajnet.inference.judging.combination import HORIZONS_S, SPEEDS_MPS, combined, group_of
from trajnet.types import WHEELED, BoolArray, FloatArray, IntArray, Scene

SHARES: FloatArray = np.linspace(0.0, 1.0, 21)
LEAST = 50
CHOSEN_AT = {
    "agents": SITES["agents"]._replace(scenes=80),
    "west": SITES["west"],
    "chongqing": SITES["chongqing"],
    "xian": Site("sind", "xian", 10, frames=3000),
}
EDGES_MPS = (np.array(SPEEDS_MPS[1:]) + np.array(SPEEDS_MPS[:-1])) / 2.0
GROUPS = ("vehicles", "riders", "people")


class Seen(NamedTuple):
    """Of W objects: group, speed (W,): index of the nearest of SPEEDS_MPS; top_m, truth_m (W, T, 2).

    begin_m, velocity_mps (W, 2). wheeled (W,).
    """

    group: IntArray
    speed: IntArray
    top_m: FloatArray
    truth_m: FloatArray
    begin_m: FloatArray
    velocity_mps: FloatArray
    wheeled: BoolArray


def top_paths(predictor: Predictor, scene: Scene, rows: IntArray, frames: BoolArray) -> FloatArray:
    """Return the most probable paths (W, T, 2) of these rows of the scene."""
    stream = Stream(predictor, judging=NO_JUDGING, warn_without_map=False)
    windows = windows_of_scene(scene, rows, HISTORY_S, TIME_S)
    everything = np.ones(len(scene.row_frame), np.bool_)
    found = [paths.position_m[:, 0] for _, paths in played(stream, scene, rows, windows, TIME_S, frames, everything)]
    return np.concatenate(found) if found else np.zeros((0, len(TIME_S), 2))


def seen_at(site: Site, model: str, data: Path) -> Seen:
    """Stream the site's scenes by the model and by constant velocity."""
    predictors = [load_predictor(model), load_predictor("cv")]
    parts = []
    for scene in scenes_of(site, data):
        frames = np.arange(scene.frame_count) < (site.frames or scene.frame_count)
        rows = np.flatnonzero((scene.row_frame % site.stride == 0) & frames[scene.row_frame])
        windows = windows_of_scene(scene, rows, HISTORY_S, TIME_S)
        whole = np.flatnonzero(windows.future_valid.all(axis=1))
        rows, windows = rows[whole], windows.select(whole)
        top_m, velocity_m = (top_paths(predictor, scene, rows, frames) for predictor in predictors)
        speed_mps = np.linalg.norm(velocity_m[:, 1] - velocity_m[:, 0], axis=-1) / (TIME_S[1] - TIME_S[0])
        group, speed = group_of(windows.object_class), np.searchsorted(EDGES_MPS, speed_mps)
        velocity_mps = (velocity_m[:, 1] - velocity_m[:, 0]) / (TIME_S[1] - TIME_S[0])
        begin_m, wheeled = windows.position_m[:, -1], np.array(WHEELED)[windows.object_class]
        parts.append(Seen(group, speed, top_m, windows.future_m, begin_m, velocity_mps, wheeled))
    return Seen(*(np.concatenate(values) for values in zip(*parts, strict=True)))


def shares_of_error(seen: Seen, group: int, speed: int) -> tuple[FloatArray, int]:
    """Return the mean error with each of SHARES over that with none, (SHARES, H), and of how many objects."""
    rows = (seen.group == group) & (seen.speed == speed)
    count = int(np.count_nonzero(rows))
    if count < LEAST:
        return np.zeros((len(SHARES), len(HORIZONS_S))), count
    given = Seen(*(values[rows] for values in seen))
    paths_m = (
        combined(
            given.top_m, given.begin_m, given.velocity_mps, TIME_S, np.full((count, len(TIME_S)), share), given.wheeled
        )
        for share in SHARES
    )
    knots = np.searchsorted(TIME_S, HORIZONS_S)
    error_m = [np.linalg.norm(path_m - given.truth_m, axis=-1).mean(axis=0)[knots] for path_m in paths_m]
    return np.stack(error_m) / error_m[0], count


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--model", required=True, help="a model file")
    parser.add_argument("--sites", default="", help="with commas between them; those of tools/self_judging.py")
    chosen = parser.parse_args()
    sites = {name: SITES[name] for name in chosen.sites.split(",")} if chosen.sites else CHOSEN_AT
    seen = {name: seen_at(site, chosen.model, chosen.data) for name, site in sites.items()}
    print(f"| group | m/s | objects | weight at {', '.join(f'{h:g}' for h in HORIZONS_S)} s | error left |")
    print("|---" * 5 + "|")
    for group, title in enumerate(GROUPS):
        for speed, speed_mps in enumerate(SPEEDS_MPS):
            found = {name: shares_of_error(one, group, speed) for name, one in seen.items()}
            counted = {name: (shares, count) for name, (shares, count) in found.items() if count >= LEAST}
            if not counted:
                print(f"| {title} | {speed_mps:g} | - | - | - |")
                continue
            left = np.mean([shares for shares, _ in counted.values()], axis=0)
            objects = ", ".join(f"{name} {count:,}" for name, (_, count) in counted.items())
            weight = " ".join(f"{SHARES[w]:.2f}" for w in left.argmin(axis=0))
            print(
                f"| {title} | {speed_mps:g} | {objects} | {weight} | {' '.join(f'{v:.2f}' for v in left.min(axis=0))} |"
            )


if __name__ == "__main__":
    main()
