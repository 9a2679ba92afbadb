"""One self-contained HTML page about a replay: bird's-eye animation, latency, errors, model.

The page is report.html with report.css and report.js put into it; it opens from disk and asks no network for anything.
Numbers travel quantised (positions to 1 cm) in one deflated binary block, the rest as JSON.
"""

from __future__ import annotations

import base64
import html
import json
import re
import zlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trajnet.replay.compare import compared
from trajnet.replay.replay import STAGES, RecordedPaths
from trajnet.replay.summary import Run, document
from trajnet.types import CLASS_NAMES, FloatArray, Lane, RasterMap, Scene
from trajnet.whole_file import write_text

#: The page is thinned out (predictions of every 2nd, 3rd, ... frame) until it is no larger than this.
MAX_BYTES = 2_000_000

#: Modes below this probability are listed but not drawn.
MIN_DRAWN_PROBABILITY = 0.02

#: Points of a path and covariance ellipses that are kept per mode, at most.
PATH_POINTS = 12
ELLIPSES = 3

#: Deviation from the middle line that lanes may lose to simplification.
LANE_TOLERANCE_M = 0.05

_STRIDES = (1, 2, 3, 5, 10, 20, 50, 100)


def write_report(run: Run, path: Path, *, others: Sequence[Run] = (), keep: Collection[int] = ()) -> None:
    """Write the page of build_report, whole or not at all. Raises InputError where the file cannot be written."""
    write_text(path, build_report(run, others=others, keep=keep))


def build_report(
    run: Run, *, others: Sequence[Run] = (), keep: Collection[int] = (), max_bytes: int = MAX_BYTES
) -> str:
    """Return the page as text; at most max_bytes unless even predictions of every 100th frame are too many.

    others: other models on the same scene, drawn beside the first; max_bytes is for each of them. keep: frames whose
    predictions are in the page however thin it is.
    """
    page = ""
    for stride in _STRIDES:
        page = _page(run, others, stride, frozenset(keep))
        if len(page) <= max_bytes * (1 + len(others)):
            break
    return page


def _page(run: Run, others: Sequence[Run], stride: int, keep: frozenset[int]) -> str:
    folder = resources.files("trajnet.replay")
    template, css, js = ((folder / f"report.{kind}").read_text(encoding="utf-8") for kind in ("html", "css", "js"))
    block = Block()
    values = {
        **_static(run),
        "stages": STAGES,
        "classes": CLASS_NAMES,
        "drawing": {**_scene_drawing(run.recorded, block), **_run_drawing(run, stride, keep, block, "")},
        "others": [
            {**_static(other), "drawing": _run_drawing(other, stride, keep, block, f"@{i}")}
            for i, other in enumerate(others, start=1)
        ],
        "compared": compared([document(each) for each in (run, *others)]),
        "block": block.index,
    }
    data = json.dumps(values, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")
    parts = {
        "title": html.escape(f"{run.recorded.scene_id} · {run.replay.predictor_name} · trajnet"),
        "css": css,
        "js": js,
        "block": block.encoded(),
        "data": data,
    }
    return re.sub(r"\{\{(\w+)\}\}", lambda mark: parts[mark[1]], template)


class Block:
    """Named typed arrays in one binary block that the page reads as JavaScript typed arrays."""

    def __init__(self) -> None:
        self.index: dict[str, tuple[str, int, int]] = {}
        self._bytes = bytearray()

    def add(self, name: str, values: Any, dtype: str) -> None:
        """Append an array. dtype: one of u1, u2, u4, i2, i4; little endian, aligned to 4 bytes."""
        array = np.ascontiguousarray(values).astype("<" + dtype)
        self.index[name] = (dtype, len(self._bytes), array.size)
        self._bytes += array.tobytes()
        self._bytes += b"\0" * (-len(self._bytes) % 4)

    def join(self, other: Block, ending: str) -> None:
        """Append the arrays of another block, their names with this ending."""
        for name, (dtype, offset, size) in other.index.items():
            self.index[name + ending] = (dtype, offset + len(self._bytes), size)
        self._bytes += other._bytes

    def encoded(self) -> str:
        return base64.b64encode(zlib.compress(bytes(self._bytes), 9)).decode("ascii")


@dataclass(frozen=True)
class _Thinned:
    """Which of a predictor's future times are drawn as path points, and which of those get an ellipse."""

    points: NDArray[np.int64]
    ellipses: NDArray[np.int64]


def _thinned(steps: int) -> _Thinned:
    points = np.unique(np.linspace(0, steps - 1, min(PATH_POINTS, steps)).round().astype(np.int64))
    wanted = np.arange(1, ELLIPSES + 1) * len(points) / ELLIPSES - 1
    return _Thinned(points, np.unique(np.clip(wanted.round().astype(np.int64), 0, len(points) - 1)))


def _static(run: Run) -> dict[str, Any]:
    """Return what the tables and charts show."""
    file = run.predictor.model_file
    contract = None if file is None else file.contract
    parity_m = float("nan") if contract is None else contract.parity_max_error_m
    summary = {} if contract is None else {
        "name": contract.name,
        "model id": contract.model_id,
        "git revision": contract.git_revision,
        "cell": f"{contract.cell}, {contract.layers} layer(s) of {contract.hidden}",
        "modes": contract.modes,
        "horizon": f"{contract.time_s[-1]:g} s in {len(contract.time_s)} steps",
        "uses measured velocity": "yes" if contract.uses_velocity else "no",
        "parity torch / ONNX": "not measured" if np.isnan(parity_m) else f"{parity_m:.2g} m",
        "trained on": ", ".join(contract.training.datasets),
        "licence": contract.training.licence + (" (non-commercial)" if contract.training.non_commercial else ""),
    }  # fmt: skip
    found = document(run)
    return {
        "document": found,
        "contract": summary,
        "card": "" if file is None else file.card,
        "self_judging": _self_judging_words(found["self_judging"], found["guard"]["model_rows"]),
    }


def _self_judging_words(judging: dict[str, Any], model_rows: int) -> str:
    """Return how many of the model's rows were judged and who led them. judging: as in the document."""
    judged = judging["evident_rows"]
    if not judged:
        return "no rows judged" if judging["on"] else "off"
    led = ", ".join(
        f"{name} led {judging[key] / judged:.1%}"
        for name, key in (("constant velocity", "velocity_rows"), ("standing", "standing_rows"))
    )
    return f"{judged:,} of the model's {model_rows:,} rows judged by their own past errors; of these {led}"


def _scene_drawing(scene: Scene, block: Block) -> dict[str, Any]:
    """Fill the block with what the animation shows of the scene; returns the rest that it needs."""
    middle_m = np.round(0.5 * (scene.position_m.min(axis=0) + scene.position_m.max(axis=0)))
    _add_rows(scene, middle_m, block)
    _add_lanes(scene.lanes, middle_m, block)
    return {
        "track_ids": scene.track_id,
        "object_class": scene.object_class.tolist(),
        "size_m": scene.size_m.round(2).tolist(),
        "min_drawn_probability": MIN_DRAWN_PROBABILITY,
        "raster": _add_raster(scene.raster, scene.position_m, middle_m, block),
    }


def _run_drawing(run: Run, stride: int, keep: frozenset[int], block: Block, ending: str) -> dict[str, Any]:
    """Fill the block with one model's paths and latencies, their names with this ending; returns what they mean."""
    result = run.replay
    thinned = _thinned(len(result.time_s))
    shown = [p for p in result.paths if p.frame % stride == 0 or p.frame in keep]
    own = Block()
    point_scale_m = _add_paths(shown, thinned, result.modes, run.recorded.frame_count, own)
    latency_us = np.array([[t.stage_ns(s) // 1000 for s in STAGES] for t in result.timings], dtype=np.int64)
    own.add("latency_us", latency_us, "u4")
    block.join(own, ending)
    return {
        "modes": result.modes,
        "path_time_s": result.time_s[thinned.points].round(3).tolist(),
        "ellipse_points": thinned.ellipses.tolist(),
        "point_scale_m": point_scale_m,
        "prediction_stride": stride,
    }


def _add_rows(scene: Scene, middle_m: FloatArray, block: Block) -> None:
    """Frame times and, for every row, the track, position (cm), heading (0.1 mrad) and speed (cm/s)."""
    heading = np.where(scene.yaw_valid, np.angle(np.exp(1j * scene.yaw_rad)), 0.0)
    speed = np.where(scene.velocity_valid, np.hypot(scene.velocity_mps[:, 0], scene.velocity_mps[:, 1]), 0.0)
    starts = [scene.rows_of_frame(i).start for i in range(scene.frame_count)]
    block.add("time_ms", (scene.timestamp_ns - scene.timestamp_ns[0]) // 1_000_000, "u4")
    block.add("row_start", [*starts, len(scene.row_frame)], "u4")
    block.add("row_track", scene.row_track, "u4")
    block.add("row_cm", ((scene.position_m - middle_m) * 100).round(), "i4")
    block.add("row_heading", (heading * 1e4).round(), "i2")
    block.add("row_speed", np.clip((speed * 100).round(), 0, 65535), "u2")
    block.add("row_known", scene.yaw_valid * 1 + scene.velocity_valid * 2, "u1")


def _add_lanes(lanes: tuple[Lane, ...], middle_m: FloatArray, block: Block) -> None:
    """Every lane as three lines: left, right, centre; line_end says where each ends in lane_cm."""
    lines = [_simplified(line) - middle_m for lane in lanes for line in (*lane.edges_m, lane.centre_m)]
    block.add("line_end", np.cumsum([len(line) for line in lines]), "u4")
    block.add("lane_cm", (np.concatenate([*lines, np.zeros((0, 2))]) * 100).round(), "i4")


def _simplified(line_m: FloatArray) -> FloatArray:
    import shapely

    if len(line_m) < 3:
        return line_m
    kept: FloatArray = shapely.get_coordinates(shapely.LineString(line_m).simplify(LANE_TOLERANCE_M))
    return kept


def _add_paths(shown: list[RecordedPaths], thinned: _Thinned, modes: int, frames: int, block: Block) -> float:
    """Predictions of the shown frames, modes in order of falling probability; returns metres per stored unit.

    For each predicted object: its track's rank follows from the frame's rows; source, probabilities (1/255), how many
    modes are drawn. For each drawn mode: second differences of its points, and its ellipses as two standard deviations
    (square root, 1/25) and an angle (pi/256).
    """
    counts = np.zeros(frames, dtype=np.int64)
    predicted = np.zeros(frames, dtype=np.int64)
    sources, shares, drawn, points, ellipses = [], [], [], [], []
    for paths in shown:
        counts[paths.frame] = len(paths.track)
        predicted[paths.frame] = 1
        order = np.argsort(-paths.probability, axis=1, kind="stable")
        share = np.take_along_axis(paths.probability, order, axis=1)
        keep = share >= MIN_DRAWN_PROBABILITY
        keep[:, 0] = True
        row = np.arange(len(order))[:, None]
        sources.append(paths.source)
        shares.append(share)
        drawn.append(keep.sum(axis=1))
        points.append(paths.offset_m[row, order][keep][:, thinned.points])
        ellipses.append(_ellipses(paths.covariance_m2[row, order][keep][:, thinned.points[thinned.ellipses]]))
    block.add("predicted", predicted, "u1")
    block.add("prediction_start", np.concatenate([[0], np.cumsum(counts)]), "u4")
    block.add("source", np.concatenate(sources), "u1")
    block.add("probability", (np.concatenate(shares) * 255).round(), "u1")
    block.add("drawn", np.concatenate(drawn), "u1")
    offset_m = np.concatenate(points)
    scale_m = max(0.01, float(np.abs(offset_m).max(initial=0.0)) / 32_767)
    units = (offset_m / scale_m).round().astype(np.int64)
    second = np.diff(units, n=2, axis=1, prepend=np.zeros((len(units), 2, 2), dtype=np.int64))
    halves = second.astype("<i2").reshape(-1).view(np.uint8).reshape(-1, 2)  # apart, the high bytes deflate to little
    block.add("point_low", halves[:, 0], "u1")
    block.add("point_high", halves[:, 1], "u1")
    block.add("ellipse", np.concatenate(ellipses).reshape(-1), "u1")
    return scale_m


def _ellipses(covariance_m2: NDArray[np.float32]) -> NDArray[np.uint8]:
    """(M, E, 2, 2) -> (M, E, 3): quantised standard deviations along both axes of the ellipse, angle of the first."""
    xx, xy, yy = covariance_m2[..., 0, 0], covariance_m2[..., 0, 1], covariance_m2[..., 1, 1]
    mean, spread = 0.5 * (xx + yy), np.hypot(0.5 * (xx - yy), xy)
    sigma = np.sqrt(np.maximum(np.stack([mean + spread, mean - spread], axis=-1), 0.0))
    angle = np.floor((0.5 * np.arctan2(2 * xy, xx - yy) / np.pi + 0.5) * 256) % 256
    quantised = np.clip((np.sqrt(sigma) * 25).round(), 0, 255)
    return np.concatenate([quantised, angle[..., None]], axis=-1).astype(np.uint8)


def _add_raster(
    raster: RasterMap | None, position_m: FloatArray, middle_m: FloatArray, block: Block
) -> dict[str, Any] | None:
    """Return the part of a drivable-area raster around the scene, one bit per pixel."""
    if raster is None:
        return None
    margin_m = 60.0
    corners = np.stack([position_m.min(axis=0) - margin_m, position_m.max(axis=0) + margin_m])
    low, high = np.clip(np.floor((corners - raster.origin_m) * raster.pixels_per_m), 0, raster.drivable.shape).astype(
        int
    )
    part = raster.drivable[low[0] : high[0], low[1] : high[1]]
    block.add("raster", np.packbits(part.T), "u1")
    return {
        "columns": int(part.shape[0]),
        "rows": int(part.shape[1]),
        "metres_per_pixel": 1.0 / raster.pixels_per_m,
        "low_m": (raster.origin_m + low / raster.pixels_per_m - middle_m).round(3).tolist(),
    }
