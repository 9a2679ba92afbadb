"""Judge model files at places that they were not trained on, beside physics: one table a site.

    python tools/judge_sites.py --data DATA --models out/a.onnx,trajnet/models/trajnet-urban.onnx
    python tools/judge_sites.py --data DATA --models out/a.onnx --sites mini --without velocity

Sites: mini (nuscenes_mini, lanes), east (mona/MONA-East, lanes), agents (nuscenes_agents/val, rasters, 2 Hz), changchun
(SinD, pedestrians, lanes). Every scene is streamed frame by frame; scored are the objects of every stride-th frame
whose next 6 s are recorded whole. --without leaves the map, the measured velocity or both away.

Columns: number of objects, mean displacement in m over 6 s of the best of three physics (the best for the row as a
whole), then for each model that of the most probable path, and of the best of the six most probable. Below: how many of
the objects that stay within 1 m for 9 s and have been seen for 3 s are predicted to end more than 0.5 and 2 m away, and
how many of the true positions lie in the 90 % region at 1, 2, 3, 4 and 6 s.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np

from trajnet.datasets.files import load_scene
from trajnet.datasets.folders import part_files
from trajnet.datasets.registry import dataset_named
from trajnet.datasets.windows import Windows, windows_of_scene
from trajnet.evaluate.units import played
from trajnet.inference import NO_JUDGING, PHYSICS, Stream, load_predictor
from trajnet.metrics.gaussian import mixture_share
from trajnet.types import CLASS_NAMES, BoolArray, FloatArray, ObjectClass, Scene

TIME_S: FloatArray = np.arange(1, 13, dtype=np.float64) * 0.5
HISTORY_S: FloatArray = np.arange(-6, 1, dtype=np.float64) * 0.5
#: Site -> frames from one that is scored to the next: one in 1 s, 2 s for nuscenes_agents, of which there are many.
STRIDES = {"mini": 10, "east": 5, "agents": 4, "changchun": 10}
#: Site -> data set and part.
SITES = {
    "mini": ("nuscenes_mini", "all"),
    "east": ("mona", "east"),
    "agents": ("nuscenes_agents", "val"),
    "changchun": ("sind", "changchun"),
}
BANDS: tuple[tuple[str, float, float], ...] = (
    ("stands", 0.0, 0.5), ("0.5-3 m/s", 0.5, 3.0), ("3-8 m/s", 3.0, 8.0), ("from 8 m/s", 8.0, np.inf),
)  # fmt: skip
#: An object that does not leave this circle in 9 s stands (m); the detections of nuscenes_agents are that noisy.
STANDS_WITHIN_M = 1.0
REGION_KNOTS = (1, 3, 5, 7, 11)


def scenes_of(site: str, data: Path) -> Iterator[Scene]:
    """Read the site's scenes with their maps, as training would. Raises InputError if the data is missing."""
    name, part = SITES[site]
    dataset = dataset_named(name)
    for path in part_files(dataset, [data], part):
        yield dataset.read(path, True) if dataset.read is not None else load_scene(path, with_map=True)


def scored(scene: Scene, stride: int) -> Windows:
    """Return the windows of every stride-th frame whose next 6 s are recorded whole."""
    windows = windows_of_scene(scene, np.flatnonzero(scene.row_frame % stride == 0), HISTORY_S, TIME_S)
    return windows.select(np.flatnonzero(windows.future_valid.all(axis=1)))


def speed_mps(windows: Windows) -> FloatArray:
    """Return (W,) mean speed over the last second or what is recorded of it; 0 for an object seen first now."""
    first = np.where(windows.observed[:, -3], -3, np.where(windows.observed[:, -2], -2, -1))
    rows = np.arange(len(windows))
    moved_m = np.linalg.norm(windows.position_m[:, -1] - windows.position_m[rows, first], axis=1)
    speed: FloatArray = moved_m / np.where(first == -1, 1.0, -0.5 * (first + 1) + (first == -1))
    return speed


def stands(windows: Windows) -> BoolArray:
    """Return (W,): seen for 3 s, and within STANDS_WITHIN_M of the present from 3 s before to 6 s after."""
    here_m = windows.position_m[:, -1:]
    before = np.linalg.norm(windows.position_m - here_m, axis=-1) < STANDS_WITHIN_M
    after = np.linalg.norm(windows.future_m - here_m, axis=-1) < STANDS_WITHIN_M
    whole: BoolArray = (before & windows.observed).all(axis=1) & after.all(axis=1)
    return whole


def judged(spec: str, scene: Scene, windows: Windows) -> dict[str, FloatArray]:
    """Return errors (W,) of one predictor.

    top, best (of six), end (how far from here the top path ends), and region (some of the windows, knots): whether the
    truth lies in the 90 % region.
    """
    predictor = load_predictor(spec, time_s=TIME_S)
    everything = np.ones(scene.frame_count, np.bool_), np.ones(len(scene.row_frame), np.bool_)
    stream = Stream(predictor, judging=NO_JUDGING)  # the model itself
    parts: dict[str, list[FloatArray]] = {"top": [], "best": [], "end": [], "region": []}
    for part, paths in played(stream, scene, windows.row, windows, TIME_S, *everything):
        error_m = np.linalg.norm(paths.position_m - part.future_m[:, None], axis=-1).mean(axis=2)
        parts["top"].append(error_m[:, 0])
        parts["best"].append(error_m[:, :6].min(axis=1))
        parts["end"].append(np.linalg.norm(paths.position_m[:, 0, -1] - part.position_m[:, -1], axis=-1))
        every = max(1, len(part) // 60) if spec not in PHYSICS else len(part) + 1
        rows, knots = slice(0, None, every), list(REGION_KNOTS)
        share = mixture_share(
            paths.position_m[rows][:, :, knots], paths.covariance_m2[rows][:, :, knots], paths.probability[rows],
            part.future_m[rows][:, knots],
        )  # fmt: skip
        parts["region"].append((share < 0.9).astype(float))
    return {name: np.concatenate(values) for name, values in parts.items() if values}


def judge(site: str, data: Path, models: list[str], without: str, most: int | None) -> dict[str, dict[str, FloatArray]]:
    """Return every predictor's errors at the site's first ``most`` scenes, and under "" what the objects are."""
    found: dict[str, dict[str, list[FloatArray]]] = {}
    for scene in islice(scenes_of(site, data), most):
        shown = replace(scene, lanes=(), raster=None) if "map" in without else scene
        if "velocity" in without:
            shown = replace(shown, velocity_valid=np.zeros_like(shown.velocity_valid))
        windows = scored(shown, STRIDES[site])
        if not len(windows):
            continue
        about: dict[str, FloatArray] = {
            "class": windows.object_class.astype(np.float64),
            "speed": speed_mps(windows),
            "stands": stands(windows).astype(np.float64),
        }
        for spec in ("", *PHYSICS, *models):
            errors = judged(spec, shown, windows) if spec else about
            for name, values in errors.items():
                found.setdefault(spec, {}).setdefault(name, []).append(values)
    return {spec: {name: np.concatenate(v) for name, v in errors.items()} for spec, errors in found.items()}


def rows_of(about: dict[str, FloatArray]) -> Iterator[tuple[str, BoolArray]]:
    """Return the rows of the table: a name, and which objects (W,) it is about."""
    wheeled = (about["class"] != ObjectClass.PEDESTRIAN) & (about["class"] != ObjectClass.UNKNOWN)
    yield "all", np.ones(len(wheeled), np.bool_)
    yield "vehicles that move", wheeled & (about["speed"] >= 0.5) & (about["stands"] == 0)
    yield "standing for 9 s", about["stands"] > 0
    for code in np.unique(about["class"]).tolist():
        for band, low, high in BANDS:
            yield (
                f"{CLASS_NAMES[int(code)]}, {band}",
                (about["class"] == code) & (about["speed"] >= low) & (about["speed"] < high),
            )


def table(site: str, found: dict[str, dict[str, FloatArray]], models: list[str]) -> tuple[str, dict[str, object]]:
    """Return the site's table in Markdown, and its numbers."""
    names = [Path(model).stem for model in models]
    lines = [f"| {site} | n | physics | " + " | ".join(f"{name}: top / best of 6" for name in names) + " |"]
    lines.append("|---" * (3 + len(models)) + "|")
    numbers: dict[str, object] = {}
    for name, rows in rows_of(found[""]):
        if np.count_nonzero(rows) < 30:
            continue
        physics = min(float(found[spec]["top"][rows].mean()) for spec in PHYSICS)
        each = [(float(found[m]["top"][rows].mean()), float(found[m]["best"][rows].mean())) for m in models]
        numbers[name] = {"count": int(rows.sum()), "physics": physics, **dict(zip(names, each, strict=True))}
        lines.append(
            f"| {name} | {rows.sum()} | {physics:.3f} | " + " | ".join(f"{a:.3f} / {b:.3f}" for a, b in each) + " |"
        )
    wheeled = found[""]["class"] != ObjectClass.PEDESTRIAN
    for name, rows in (("vehicles", wheeled), ("pedestrians", ~wheeled)):
        rows = rows & (found[""]["stands"] > 0)
        if rows.any():
            cells = [found[m]["end"][rows] for m in ("cv", *models)]
            of_each = [f"{100 * np.mean(end > 0.5):.1f} % / {100 * np.mean(end > 2.0):.1f} %" for end in cells]
            numbers[f"false motion, {name}"] = dict(zip(["cv", *names], of_each, strict=True))
            lines.append(
                f"| false motion > 0.5 / > 2 m, {name} | {rows.sum()} | {of_each[0]} (cv) | "
                + " | ".join(of_each[1:])
                + " |"
            )
    held = [" ".join(f"{100 * share:.0f}" for share in found[m]["region"].mean(axis=0)) for m in models]
    numbers["region"] = dict(zip(names, held, strict=True))
    lines.append("| held by the 90 % region at 1, 2, 3, 4, 6 s | | | " + " | ".join(held) + " |")
    return "\n".join(lines), numbers


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--models", required=True, help="model files, with commas between them")
    parser.add_argument("--sites", default=",".join(STRIDES))
    parser.add_argument("--without", default="", help="map, velocity, or both with a comma")
    parser.add_argument("--scenes", type=int, help="so many scenes of each site, the first ones")
    parser.add_argument("--json", type=Path, help="where the numbers go as well")
    chosen = parser.parse_args()
    models, numbers = chosen.models.split(","), {}
    for site in chosen.sites.split(","):
        found = judge(site, chosen.data, models, chosen.without, chosen.scenes)
        text, numbers[site] = table(site + (f" without {chosen.without}" if chosen.without else ""), found, models)
        print(text + "\n", flush=True)
    if chosen.json:
        chosen.json.write_text(json.dumps(numbers, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
