"""One object close up as an SVG: history, recorded future, paths with probabilities, neighbours, map.

Lines have the same width at any scale.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import dataclass
from html import escape

import numpy as np

from trajnet.picture.palette import EDGE, FOCUS, GROUND, HISTORY, NEIGHBOUR, PATH, ROAD, TEXT, TRUTH, WALK
from trajnet.picture.png import grey_png
from trajnet.picture.viewport import Viewport, corners
from trajnet.types import BoolArray, FloatArray, IntArray, RasterMap, Scene, TrackFrame

WIDTH_PX, HEIGHT_PX = 420, 320
MARGIN_M, LEAST_M = 6.0, 24.0
HISTORY_S = 3.0
#: Modes below this probability are drawn without their number.
LABELLED = 0.03
#: The object's box is drawn at least this long and wide, px.
SMALLEST_PX = np.array([13.0, 7.0])
#: Labels keep this distance, px.
LABEL_PX = np.array([34.0, 13.0])


@dataclass(frozen=True, eq=False)
class CloseUp:
    """What is drawn of one object: its track in the scene's frame of this index (0..F-1).

    path_m (K, T, 2), probability (K,): the most probable first. future_m (T, 2), with future_valid (T,).
    """

    index: int
    track: int
    path_m: FloatArray
    probability: FloatArray
    future_m: FloatArray
    future_valid: BoolArray


def close_up_picture(scene: Scene, shown: CloseUp) -> str:
    """Return the SVG."""
    now = scene.frame(shown.index)
    rows = scene.rows_of_frame(shown.index)
    own = int(np.flatnonzero(scene.row_track[rows] == shown.track)[0])
    history_m = _history(scene, shown.index, shown.track)
    future_m = np.concatenate([now.position_m[own : own + 1], shown.future_m[shown.future_valid]])
    wanted = shown.path_m[shown.probability >= LABELLED].reshape(-1, 2)
    view = Viewport.around(
        np.concatenate([history_m, future_m, wanted]), WIDTH_PX, HEIGHT_PX, margin_m=MARGIN_M, least_m=LEAST_M
    )
    layers = [
        *_map(scene, view),
        *_neighbours(scene, shown, now, own, view),
        _line(view.px(history_m), HISTORY, 2.5),
        *_paths(shown, now.position_m[own], view),
        _line(view.px(future_m), TRUTH, 1.8, dashed=True),
        _dot(view.px(future_m[-1]), TRUTH, 3.2),
        _box(now, own, view, FOCUS, SMALLEST_PX),
        *_labels(shown, view),
        _scale_bar(view),
    ]
    size = f'width="{WIDTH_PX}" height="{HEIGHT_PX}" viewBox="0 0 {WIDTH_PX} {HEIGHT_PX}"'
    body = "\n".join(layers)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" font-family="sans-serif" fill="none" '
        f'stroke-linejoin="round" stroke-linecap="round"><rect width="{WIDTH_PX}" height="{HEIGHT_PX}" '
        f'fill="{GROUND}"/>\n{body}\n</svg>'
    )


def _history(scene: Scene, index: int, track: int) -> FloatArray:
    """Return where a track was in the HISTORY_S up to a frame (P, 2), the frame's position last."""
    start_ns = int(scene.timestamp_ns[index]) - round(HISTORY_S * 1e9)
    first = int(np.searchsorted(scene.timestamp_ns, start_ns))
    rows: IntArray = np.arange(scene.rows_of_frame(first).start, scene.rows_of_frame(index).stop)
    history_m: FloatArray = scene.position_m[rows[scene.row_track[rows] == track]]
    return history_m


def _points(points_px: FloatArray) -> str:
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in points_px.tolist())


def _line(points_px: FloatArray, colour: str, width_px: float, *, opacity: float = 1.0, dashed: bool = False) -> str:
    dash = ' stroke-dasharray="5 4"' if dashed else ""
    return (
        f'<polyline points="{_points(points_px)}" stroke="{colour}" stroke-width="{width_px:g}" '
        f'stroke-opacity="{opacity:.2f}"{dash}/>'
    )


def _dot(point_px: FloatArray, colour: str, radius_px: float, opacity: float = 1.0) -> str:
    x, y = point_px.tolist()
    return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius_px:.1f}" fill="{colour}" fill-opacity="{opacity:.2f}"/>'


def _map(scene: Scene, view: Viewport) -> Iterator[str]:
    if scene.raster is not None:
        yield from _raster(scene.raster, view)
    for lane in scene.lanes:
        outline_m = lane.outline_m
        if view.shows(outline_m):
            fill = ROAD if lane.drivable else WALK
            yield f'<polygon points="{_points(view.px(outline_m))}" fill="{fill}" stroke="{EDGE}" stroke-width="0.8"/>'


def _raster(raster: RasterMap, view: Viewport) -> Iterator[str]:
    """Yield the part of the raster that is shown."""
    half_m = 0.5 * np.array([view.width_px, view.height_px]) / view.scale
    corners_px = (np.stack([view.centre_m - half_m, view.centre_m + half_m]) - raster.origin_m) * raster.pixels_per_m
    low, high = np.clip([np.floor(corners_px[0]), np.ceil(corners_px[1])], 0, raster.drivable.shape).astype(int)
    if not (high > low).all():
        return
    part = raster.drivable[low[0] : high[0], low[1] : high[1]]
    left_top = view.px(raster.origin_m + np.array([low[0], high[1]]) / raster.pixels_per_m)
    size = (high - low) / raster.pixels_per_m * view.scale
    picture = base64.b64encode(grey_png(part.T[::-1])).decode()
    yield (
        f'<image x="{left_top[0]:.1f}" y="{left_top[1]:.1f}" width="{size[0]:.1f}" height="{size[1]:.1f}" '
        f'preserveAspectRatio="none" href="data:image/png;base64,{picture}"/>'
    )


def _box(now: TrackFrame, row: int, view: Viewport, fill: str, least_px: FloatArray) -> str:
    one = slice(row, row + 1)
    size_m = np.maximum(now.size_m[one], least_px / view.scale)
    outline = corners(now.position_m[one], np.where(now.yaw_valid[one], now.yaw_rad[one], 0.0), size_m)[0]
    return (
        f'<polygon points="{_points(view.px(outline))}" fill="{fill}" stroke="{GROUND}" stroke-width="1">'
        f"<title>{escape(now.track_id[row])}</title></polygon>"
    )


def _neighbours(scene: Scene, shown: CloseUp, now: TrackFrame, own: int, view: Viewport) -> Iterator[str]:
    tracks = scene.row_track[scene.rows_of_frame(shown.index)]
    for row, track in enumerate(tracks.tolist()):
        if row != own and view.shows(now.position_m[row : row + 1]):
            yield _line(view.px(_history(scene, shown.index, track)), NEIGHBOUR, 1.2, opacity=0.7)
            yield _box(now, row, view, NEIGHBOUR, 0.6 * SMALLEST_PX)


def _paths(shown: CloseUp, here_m: FloatArray, view: Viewport) -> Iterator[str]:
    """Yield the paths, the most probable last: the thicker and stronger the more probable."""
    for path_m, probability in zip(shown.path_m[::-1], shown.probability[::-1].tolist(), strict=True):
        points_px = view.px(np.concatenate([here_m[None], path_m]))
        opacity = 0.45 + 0.55 * probability
        yield _line(points_px, PATH, 1.4 + 2.6 * probability, opacity=opacity)
        yield _dot(points_px[-1], PATH, 2.0 + 1.6 * probability, opacity)


def _labels(shown: CloseUp, view: Viewport) -> Iterator[str]:
    """Yield the probabilities at the ends of the paths, the most probable first, where there is room."""
    taken = list[FloatArray]()
    for path_m, probability in zip(shown.path_m, shown.probability.tolist(), strict=True):
        end_px = view.px(path_m[-1])
        if probability < LABELLED or any((np.abs(end_px - other) < LABEL_PX).all() for other in taken):
            continue
        taken.append(end_px)
        x, y = np.clip(end_px + [6.0, 4.0], [2.0, 12.0], [WIDTH_PX - 32.0, HEIGHT_PX - 4.0]).tolist()
        yield (
            f'<text x="{x:.1f}" y="{y:.1f}" style="font-size: 11px; fill: {TEXT}; stroke: {GROUND}; '
            f'stroke-width: 3px; paint-order: stroke">{probability:.0%}</text>'
        )


def _scale_bar(view: Viewport) -> str:
    length_m = view.bar_m()
    right, y = 12 + length_m * view.scale, HEIGHT_PX - 12
    return (
        f'<path d="M12 {y - 4}v4H{right:.1f}v-4" stroke="{TEXT}" stroke-width="1.2"/>'
        f'<text x="{0.5 * (12 + right):.1f}" y="{y - 5}" text-anchor="middle" style="font-size: 11px; fill: {TEXT}; '
        f'stroke: {GROUND}; stroke-width: 3px; paint-order: stroke">{length_m} m</text>'
    )
