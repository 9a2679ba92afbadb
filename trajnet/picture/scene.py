"""A frame of a scene and its predicted paths as an SVG, without a plotting library."""

from __future__ import annotations

import base64
import math
from dataclasses import dataclass
from html import escape
from pathlib import Path

import numpy as np

from trajnet.errors import InputError
from trajnet.picture.palette import CLASS_COLOURS, PATH, ROAD, WALK
from trajnet.picture.png import grey_png
from trajnet.types import CLASS_NAMES, FloatArray, Lane, Prediction, RasterMap, Scene, TrackFrame
from trajnet.whole_file import write_text

WIDTH_PX, MAX_HEIGHT_PX = 800, 800
MARGIN_M, HISTORY_S = 10.0, 2.0
#: The radius in standard deviations of the ellipse that covers 90 % of a two-dimensional Gaussian.
RADIUS_90 = math.sqrt(-2 * math.log(0.1))


@dataclass(frozen=True)
class Picture:
    """An SVG that notebooks show. svg: its text."""

    svg: str

    def save(self, path: Path | str) -> None:
        """Write the SVG. Raises InputError if the file does not end in .svg or cannot be written."""
        if Path(path).suffix.lower() != ".svg":
            raise InputError(f"picture: expected a file that ends in .svg, got {path}")
        write_text(Path(path), self.svg)

    def _repr_html_(self) -> str:
        return self.svg

    def __repr__(self) -> str:
        return f"Picture({len(self.svg):,} characters of SVG; save(path) writes it)"


def scene_picture(scene: Scene, prediction: Prediction | None = None, frame: int | None = None) -> str:
    """Return an SVG of one frame: map, boxes, the last two seconds, and all modes of the prediction.

    frame: 0..F-1; by default the one at the prediction's time, else the middle. Paths are the stronger the more
    probable they are; the ellipse is the 90 % region of the most probable path's end, given that path.
    """
    if not scene.frame_count:
        return _svg([], np.zeros((1, 2)))
    if frame is None and prediction is not None:
        frame = max(0, int(np.searchsorted(scene.timestamp_ns, prediction.timestamp_ns, side="right")) - 1)
    index = scene.frame_count // 2 if frame is None else frame
    now = scene.frame(index)
    drawn = [now.position_m] if prediction is None else [now.position_m, prediction.position_m.reshape(-1, 2)]
    shown = np.concatenate(drawn) if any(len(part) for part in drawn) else scene.position_m[:1]
    layers = [*_raster(scene.raster), *(_lane(lane) for lane in scene.lanes if lane.sides_m), *_histories(scene, index)]
    layers += _paths(prediction) if prediction is not None else []
    return _svg([*layers, *_boxes(now)], shown)


def prediction_picture(prediction: Prediction) -> str:
    """Return an SVG of the paths alone."""
    return _svg(_paths(prediction), prediction.position_m.reshape(-1, 2))


def _svg(layers: list[str], shown_m: FloatArray) -> str:
    shown_m = shown_m[np.isfinite(shown_m).all(axis=1)] if len(shown_m) else np.zeros((1, 2))
    low, high = shown_m.min(axis=0) - MARGIN_M, shown_m.max(axis=0) + MARGIN_M
    width_m, height_m = high - low
    scale = min(WIDTH_PX / width_m, MAX_HEIGHT_PX / height_m)
    view = f"{low[0]:.2f} {-high[1]:.2f} {width_m:.2f} {height_m:.2f}"
    size = f'width="{width_m * scale:.0f}" height="{height_m * scale:.0f}"'
    body = "\n".join(layers)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} viewBox="{view}">\n'
        f'<rect x="{low[0]:.2f}" y="{-high[1]:.2f}" width="{width_m:.2f}" height="{height_m:.2f}" fill="white"/>\n'
        f'<g transform="scale(1 -1)" fill="none" stroke-linejoin="round" stroke-linecap="round">\n{body}\n</g>\n'
        "</svg>\n"
    )


def _points(line_m: FloatArray) -> str:
    return " ".join(f"{x:.2f},{y:.2f}" for x, y in line_m.tolist())


def _lane(lane: Lane) -> str:
    fill = ROAD if lane.drivable else WALK
    return f'<polygon points="{_points(lane.outline_m)}" fill="{fill}" stroke="#cfcfcf" stroke-width="0.15"/>'


def _raster(raster: RasterMap | None) -> list[str]:
    if raster is None:
        return []
    size_m = np.array(raster.drivable.shape) / raster.pixels_per_m
    x, y = raster.origin_m
    picture = base64.b64encode(grey_png(raster.drivable.T)).decode()
    place = f'x="{x:.2f}" y="{y:.2f}" width="{size_m[0]:.2f}" height="{size_m[1]:.2f}"'
    return [f'<image {place} preserveAspectRatio="none" href="data:image/png;base64,{picture}"/>']


def _histories(scene: Scene, index: int) -> list[str]:
    """Return a line of the last HISTORY_S for each object of a frame."""
    start_ns = int(scene.timestamp_ns[index]) - round(HISTORY_S * 1e9)
    first = int(np.searchsorted(scene.timestamp_ns, start_ns))
    rows = np.arange(scene.rows_of_frame(first).start, scene.rows_of_frame(index).stop)
    here = np.isin(scene.row_track[rows], scene.row_track[scene.rows_of_frame(index)])
    rows = rows[here]
    order = rows[np.lexsort((rows, scene.row_track[rows]))]
    lines = np.split(order, np.flatnonzero(np.diff(scene.row_track[order])) + 1) if len(order) else []
    return [
        f'<polyline points="{_points(scene.position_m[line])}" stroke="#555" stroke-width="0.3"/>'
        for line in lines
        if len(line) > 1
    ]


def _boxes(now: TrackFrame) -> list[str]:
    boxes = []
    for row, name in enumerate(now.track_id):
        length, width = now.size_m[row]
        x, y = now.position_m[row]
        turn = f"translate({x:.2f} {y:.2f}) rotate({math.degrees(now.yaw_rad[row]):.1f})"
        kind = int(now.object_class[row])
        boxes.append(
            f'<rect transform="{turn}" x="{-length / 2:.2f}" y="{-width / 2:.2f}" width="{length:.2f}" '
            f'height="{width:.2f}" fill="{CLASS_COLOURS[kind]}">'
            f"<title>{escape(name)}, {CLASS_NAMES[kind]}</title></rect>"
        )
    return boxes


def _paths(prediction: Prediction) -> list[str]:
    """Return a line for each path, the most probable last, and the ellipse at the most probable one's end."""
    drawn = []
    for row, probability in enumerate(prediction.probability):
        for mode in np.argsort(probability, kind="stable").tolist():
            opacity = 0.15 + 0.85 * float(np.clip(probability[mode], 0, 1))
            line = _points(prediction.position_m[row, mode])
            drawn.append(
                f'<polyline points="{line}" stroke="{PATH}" stroke-opacity="{opacity:.2f}" stroke-width="0.4"/>'
            )
        best = int(probability.argmax())
        drawn.append(_ellipse(prediction.position_m[row, best, -1], prediction.covariance_m2[row, best, -1]))
    return drawn


def _ellipse(centre_m: FloatArray, covariance_m2: FloatArray) -> str:
    if not np.isfinite(covariance_m2).all():
        return ""
    variance, axes = np.linalg.eigh(covariance_m2)
    radius = RADIUS_90 * np.sqrt(np.maximum(variance, 0.0))
    turn = math.degrees(math.atan2(axes[1, 1], axes[0, 1]))
    place = f"translate({centre_m[0]:.2f} {centre_m[1]:.2f}) rotate({turn:.1f})"
    return (
        f'<ellipse transform="{place}" rx="{radius[1]:.2f}" ry="{radius[0]:.2f}" stroke="{PATH}" stroke-width="0.15" '
        'stroke-opacity="0.7"/>'
    )
