"""Measure how conversion, windows, loading and training scale, on scenes of Argoverse 2's size.

    python tools/scale_numbers.py --scenes 2000 --argoverse SAMPLE --out out/scale

Makes the scenes (110 frames, 40 tracks, with their lanes) from the bundled ones, cut out and moved, then measures each
step in a process of its own: scenarios for each second of one core, peak memory at a quarter, half and all of the
scenes, one process against two, and the loader against the trainer. Prints a table and writes it as JSON.
--argoverse: a folder with one real scenario of Argoverse 2 and its map; as many moved copies of it are converted and
scored by the official protocol.
Seconds of a core are processor time, so other programs on the machine hardly change them; wall times they do change.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import queue
import resource
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from trajnet.cli.conversion import Conversion, convert_one
from trajnet.context.map_field import MapView
from trajnet.context.surroundings import InputRequirements
from trajnet.datasets.files import load_scene
from trajnet.engine import ProcessPool, executor_for
from trajnet.scenes import write_scene
from trajnet.timing.hardware import describe_hardware
from trajnet.types import FloatArray, Lane, Scene

ROOT = Path(__file__).resolve().parents[1]
#: Size of a scenario of Argoverse 2's motion forecasting data.
FRAMES, TRACKS = 110, 40
#: Scenarios of the data sets that the arithmetic is for.
AV2, WOMD = 250_000, 487_000
#: The inputs of the shipped models.
REQUIREMENTS = InputRequirements(MapView(75.0, 10.0, 27.5, 5.0, 3, True), 8)
KNOTS_S: FloatArray = 0.5 * np.arange(1.0, 13.0)
SOURCE = {"kind": "scenes", "path": "tables", "history_s": 5.0, "rate_hz": 10, "stride": 10, "min_future_s": 3.0}


def cut(scene: Scene, first: int, offset_m: np.ndarray[Any, Any], name: str) -> Scene:
    """Return FRAMES frames from ``first`` with the TRACKS tracks that are seen most in them, moved by an offset."""
    inside = (scene.row_frame >= first) & (scene.row_frame < first + FRAMES)
    seen = np.bincount(scene.row_track[inside], minlength=len(scene.track_id))
    tracks = np.sort(np.argsort(-seen, kind="stable")[:TRACKS])
    tracks = tracks[seen[tracks] > 0]
    rows = inside & np.isin(scene.row_track, tracks)
    frames = slice(first, first + FRAMES)
    per_row = ("yaw_rad", "yaw_valid", "velocity_mps", "velocity_valid", "is_target")
    return replace(
        scene,
        scene_id=name,
        timestamp_ns=scene.timestamp_ns[frames],
        frame_number=scene.frame_number[frames],
        track_id=tuple(scene.track_id[i] for i in tracks),
        object_class=scene.object_class[tracks],
        size_m=scene.size_m[tracks],
        row_frame=scene.row_frame[rows] - first,
        row_track=np.searchsorted(tracks, scene.row_track[rows]),
        position_m=scene.position_m[rows] + offset_m,
        lanes=tuple(_moved(lane, offset_m) for lane in scene.lanes),
        **{field: getattr(scene, field)[rows] for field in per_row},
    )


def _moved(lane: Lane, offset_m: np.ndarray[Any, Any]) -> Lane:
    return replace(
        lane, left_m=lane.left_m + offset_m, right_m=lane.right_m + offset_m, centre_m=lane.centre_m + offset_m
    )


def make_some(task: tuple[Path, int, int]) -> None:
    """Write the scenes from one number up to another into a folder."""
    folder, begin, end = task
    scenes = [load_scene(ROOT / f"sim/scenes/{name}.parquet") for name in ("intersection", "motorway")]
    for number in range(begin, end):
        path = folder / f"{number:06d}.parquet"
        if not path.exists():
            draw = np.random.default_rng(number)
            scene = scenes[number % 2]
            first = int(draw.integers(scene.frame_count - FRAMES))
            write_scene(cut(scene, first, draw.uniform(-50.0, 50.0, 2).round(2), path.stem), path)


def make_argoverse(task: tuple[Path, Path, int, int]) -> None:
    """Write copies of a real Argoverse 2 scenario with its map, each moved by another offset, into its own folder."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    scenario, folder, begin, end = task
    table = pq.read_table(scenario)
    lanes = json.loads(next(scenario.parent.glob("log_map_archive_*.json")).read_bytes())
    columns = {name: table[name] for name in table.column_names}
    for number in range(begin, end):
        name = f"{number:08d}"
        there = folder / name
        if not (there / f"log_map_archive_{name}.json").exists():
            there.mkdir(parents=True, exist_ok=True)
            x_m, y_m = np.random.default_rng(number).uniform(-500.0, 500.0, 2).round(2)
            moved = {
                "position_x": table["position_x"].to_numpy() + x_m,
                "position_y": table["position_y"].to_numpy() + y_m,
            }
            copy = pa.table({**columns, **moved, "scenario_id": pa.array([name] * table.num_rows)})
            pq.write_table(copy, there / f"scenario_{name}.parquet")
            (there / f"log_map_archive_{name}.json").write_text(json.dumps(_points_moved(lanes, x_m, y_m)))


def _points_moved(value: Any, x_m: float, y_m: float) -> Any:
    if isinstance(value, dict):
        if value.keys() >= {"x", "y"}:
            return value | {"x": round(value["x"] + x_m, 2), "y": round(value["y"] + y_m, 2)}
        return {key: _points_moved(one, x_m, y_m) for key, one in value.items()}
    return [_points_moved(one, x_m, y_m) for one in value] if isinstance(value, list) else value


def convert(folder: Path, scenes: int, jobs: int, of: str = "tables/*.parquet") -> dict[str, Any]:
    """Convert the made scenes (once more, or those of Argoverse 2), as `trajnet convert` does, with the check."""
    out = folder / f"converted-{of.partition('/')[0]}-{scenes}-{jobs}"
    files = sorted(folder.glob(of))[:scenes]
    work = [Conversion(file, out / file.name, "auto", False, None, None, True, in_folder=True) for file in files]
    done = sum(came.error is None for came in executor_for(jobs).map(convert_one, work))
    return {"scenarios": done, "bytes": sum((out / file.name).stat().st_size for file in files)}


def windows(folder: Path, scenes: int, jobs: int) -> dict[str, Any]:
    """Build the windows of all agents, with map and neighbours."""
    from trajnet.training.config import SourceConfig
    from trajnet.training.window_store import stored_windows

    out = folder / f"windows-{scenes}-{jobs}-{os.getpid()}"
    source = SourceConfig(**SOURCE, count=scenes)  # type: ignore[arg-type]
    stored = stored_windows([source], [folder], KNOTS_S, REQUIREMENTS, out, executor=executor_for(jobs))
    size = sum(file.stat().st_size for file in out.iterdir())
    return {"scenarios": scenes, "windows": len(stored), "bytes": size}


def evaluate(folder: Path, scenes: int, jobs: int) -> dict[str, Any]:
    """Score the default model at every tenth frame of every scene."""
    from trajnet.evaluate import evaluate as score

    some = folder / f"scored-{scenes}"
    some.mkdir(exist_ok=True)
    for file in sorted((folder / "tables").glob("*.parquet"))[:scenes]:
        link = some / file.name
        if not link.exists():
            link.symlink_to(file.resolve())
    score("scenes", some, None, [str(ROOT / "trajnet/models/trajnet-urban.onnx")], jobs=jobs, horizon_s=3.0, stride=10)
    return {"scenarios": scenes}


def protocol(folder: Path, scenes: int, jobs: int) -> dict[str, Any]:
    """Score the default model by Argoverse 2's official protocol: one instant of one track of each scenario."""
    from trajnet.evaluate import evaluate as score

    some = folder / f"official-{scenes}"
    (some / "argoverse2/val").mkdir(parents=True, exist_ok=True)
    for one in sorted((folder / "argoverse2").iterdir())[:scenes]:
        link = some / "argoverse2/val" / one.name
        if not link.exists():
            link.symlink_to(one.resolve())
    report = score("argoverse2", some, "val", [str(ROOT / "trajnet/models/trajnet-urban.onnx")], jobs=jobs)
    return {"scenarios": report["counts"]["whole"]}


def loader(folder: Path, scenes: int, workers: int) -> dict[str, Any]:
    """Read and augment batches of all windows, in this process or in workers beside it."""
    from torch.utils.data import DataLoader

    from trajnet.training.batches import Batches
    from trajnet.training.config import AugmentConfig, SourceConfig
    from trajnet.training.window_store import stored_windows

    source = SourceConfig(**SOURCE, count=scenes)  # type: ignore[arg-type]
    stored = stored_windows([source], [folder], KNOTS_S, REQUIREMENTS, folder / "read")
    augment = AugmentConfig(strides=(1, 2, 5), position_noise_m=0.3, noise_memory_s=1.0, pace=0.2, hide_map=0.2)
    batches = Batches(stored, 256, augment=augment)
    begin, count = time.perf_counter(), 0
    for batch in DataLoader(batches, batch_size=None, num_workers=workers):
        count += len(batch.length)
    return {"windows": count, "per_second": count / (time.perf_counter() - begin)}


def train(folder: Path, repeats: int, steps: int) -> dict[str, Any]:
    """Take some steps of `trajnet train` on the windows of all scenes, listed so many times over."""
    import lightning

    from trajnet.config import from_dict, load_yaml, to_dict
    from trajnet.training.config import SourceConfig, TrainConfig
    from trajnet.training.train import train as run

    class Stop(lightning.Callback):
        begin = 0.0
        seconds = 0.0

        def on_train_batch_end(self, trainer: Any, *others: Any) -> None:
            if trainer.global_step == 10:
                self.begin = time.perf_counter()
            if trainer.global_step >= steps:
                self.seconds = time.perf_counter() - self.begin
                trainer.should_stop = True

    recipe = load_yaml(TrainConfig, ROOT / "configs/urban.yaml")
    source = from_dict(SourceConfig, SOURCE, "source")
    own = from_dict(
        TrainConfig, {**to_dict(recipe), "train": [], "validation": []} | {
            "train": [to_dict(source)] * repeats, "validation": [{**to_dict(source), "count": 2}],
        }, "train",
    )  # fmt: skip
    stop, out = Stop(), folder / f"trained-{os.getpid()}"
    run(own, [folder], out, accelerator="cpu", threads=1, progress=False, callbacks=[stop])
    import torch

    windows_seen = torch.load(out / "last.ckpt", weights_only=True)["trajnet"]["windows"]
    batch = own.optimizer.batch
    return {"windows": windows_seen, "steps": steps, "per_second": (steps - 10) * batch / max(stop.seconds, 1e-9)}


def _child(function: Callable[..., dict[str, Any]], arguments: tuple[Any, ...], answer: Any) -> None:
    before = time.perf_counter()
    try:
        result = function(*arguments)
    except BaseException as error:
        answer.put(error)
        raise
    usage = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    result["wall_s"] = time.perf_counter() - before
    result["core_s"] = sum(one.ru_utime + one.ru_stime for one in usage)
    result["peak_MB"] = max(one.ru_maxrss for one in usage) / 1024
    answer.put(result)


def measured(function: Callable[..., dict[str, Any]], *arguments: Any) -> dict[str, Any]:
    """Return what a function found in a fresh process, with its wall time, processor time and peak memory.

    The processor time has the start of Python in it. Peak memory is that of the largest process.
    """
    context = multiprocessing.get_context("spawn")
    answer = context.Queue()
    child = context.Process(target=_child, args=(function, arguments, answer))
    child.start()
    result: dict[str, Any] | BaseException | None = None
    while result is None:
        try:
            result = answer.get(timeout=1.0)
        except queue.Empty:
            if child.exitcode is not None and answer.empty():
                raise RuntimeError(f"{function.__name__}: its process ended with {child.exitcode}, no answer") from None
    child.join()
    if isinstance(result, BaseException):
        raise result
    return result


def measure(folder: Path, scenes: int, repeats: int, steps: int) -> list[dict[str, Any]]:
    """Return one row for each measurement."""
    rows = []

    def row(name: str, function: Callable[..., dict[str, Any]], *arguments: Any) -> None:
        found = {"name": name, **measured(function, folder, *arguments)}
        if "scenarios" in found:
            found["scenarios_per_core_s"] = found["scenarios"] / found["core_s"]
        rows.append(found)
        print(json.dumps({key: round(v, 1) if isinstance(v, float) else v for key, v in found.items()}), flush=True)

    for count in (scenes // 4, scenes // 2, scenes):
        row(f"windows, {count} scenes", windows, count, 1)
    row(f"windows, {scenes} scenes, 2 processes", windows, scenes, 2)
    for count in (scenes // 2, scenes):
        row(f"convert, {count} scenes", convert, count, 1)
    row(f"convert, {scenes} scenes, 2 processes", convert, scenes, 2)
    if (folder / "argoverse2").exists():
        row(f"convert, {scenes // 4} of Argoverse 2", convert, scenes // 4, 1, "argoverse2/*/scenario_*.parquet")
        for count in (scenes // 4, scenes // 2, scenes):
            row(f"official protocol, {count} of Argoverse 2", protocol, count, 1)
        row(f"official protocol, {scenes} of Argoverse 2, 2 processes", protocol, scenes, 2)
    row(f"evaluate, {scenes // 8} scenes", evaluate, scenes // 8, 1)
    for workers in (0, 1, 2):
        row(f"loader, {workers} workers", loader, scenes, workers)
    row(f"train, {repeats} times the windows", train, repeats, steps)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scenes", type=int, default=2000)
    parser.add_argument("--argoverse", type=Path, help="folder with a scenario of Argoverse 2 and its map")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--repeats", type=int, default=0, help="of the windows in training; 0: to two million")
    parser.add_argument("--steps", type=int, default=200)
    chosen = parser.parse_args()
    tables = chosen.out / "tables"
    tables.mkdir(parents=True, exist_ok=True)
    begin = time.perf_counter()
    parts = [(first, min(first + 50, chosen.scenes)) for first in range(0, chosen.scenes, 50)]
    list(ProcessPool(2).map(make_some, [(tables, *part) for part in parts]))
    if chosen.argoverse is not None:
        scenario = next(chosen.argoverse.glob("scenario_*.parquet"))
        list(ProcessPool(2).map(make_argoverse, [(scenario, chosen.out / "argoverse2", *part) for part in parts]))
    print(f"{chosen.scenes} scenes made in {time.perf_counter() - begin:.0f} s", flush=True)
    first = measured(windows, chosen.out, min(64, chosen.scenes), 1)
    repeats = chosen.repeats or int(-(-2_000_000 // (first["windows"] * chosen.scenes / min(64, chosen.scenes))))
    rows = measure(chosen.out, chosen.scenes, repeats, chosen.steps)
    report = {
        "hardware": describe_hardware(),
        "load": os.getloadavg(),
        "frames": FRAMES,
        "tracks": TRACKS,
        "rows": rows,
    }
    (chosen.out / "scale.json").write_text(json.dumps(report, indent=1))


if __name__ == "__main__":
    main()
