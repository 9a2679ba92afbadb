"""A stretch of a replay as pictures for a slide, drawn with Pillow: map, boxes, histories, paths, time and scale."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from trajnet.errors import InputError
from trajnet.picture.palette import CLASS_COLOURS, EDGE, GROUND, PATH, ROAD, TEXT, TRUTH, WALK
from trajnet.picture.viewport import Viewport, corners
from trajnet.replay.replay import RecordedPaths, Replay
from trajnet.types import CLASS_NAMES, FloatArray, IntArray, Scene

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.ImageDraw import ImageDraw
    from PIL.ImageFont import FreeTypeFont, ImageFont

WIDTH_PX, HEIGHT_PX = 800, 450
#: Pictures are drawn this many times as large and reduced, which makes edges smooth.
OVER = 2
#: Pictures a second.
FPS = 10
#: The map that is shown around a followed object, m, along the shorter side.
FOLLOW_M = 60.0
MARGIN_M, LEAST_M = 8.0, 40.0
#: Room for the words above and below a scene that is shown whole, px.
WORDS_PX = 34
HISTORY_S = 2.0
#: Modes below this probability are left out.
LEAST_PROBABILITY = 0.05
#: Boxes are drawn at least this long and wide, px.
LEAST_PX = np.array([8.0, 5.0])


@dataclass(frozen=True)
class FilmOptions:
    """start_s, stop_s: from the scene's first frame. follow: the id of the track that stays in the middle, or None."""

    start_s: float = 0.0
    stop_s: float = math.inf
    follow: str | None = None


class Film:
    """The pictures of a replay, from start to stop.

    Raises InputError where the scene has no frame in that time, or no such track there.
    """

    def __init__(self, scene: Scene, replay: Replay, options: FilmOptions = FilmOptions()) -> None:
        self.scene, self.replay, self.options = scene, replay, options
        self.frames = _frames(scene, options)
        self._track = _followed(scene, self.frames, options)
        self._paths = {paths.frame: paths for paths in replay.paths}
        self._still: Image | None = None

    def __len__(self) -> int:
        """Return how many pictures there are."""
        return len(self.frames)

    def images(self) -> Iterator[Image]:
        """Yield the pictures, RGB, FPS of them for each second."""
        last, made = -1, None
        for index in self.frames.tolist():
            if index != last or made is None:
                last, made = index, self.image(index)
            yield made

    def image(self, index: int) -> Image:
        """Return the picture of the scene's frame of this index (0..F-1)."""
        from PIL import Image, ImageDraw

        view = self._view(index)
        picture = self._ground(view).copy()
        draw = ImageDraw.Draw(picture, "RGBA")
        self._draw_histories(draw, view, index)
        if index in self._paths:
            self._draw_paths(draw, view, self._paths[index])
        self._draw_boxes(draw, view, index)
        self._draw_words(draw, view, index)
        return picture.resize((WIDTH_PX, HEIGHT_PX), Image.Resampling.BOX)

    def _view(self, index: int) -> Viewport:
        size = WIDTH_PX * OVER, HEIGHT_PX * OVER
        if self._track is None:
            return self._whole
        rows = np.flatnonzero((self.scene.row_track == self._track) & (self.scene.row_frame <= index))
        if not len(rows):  # not there yet: where it appears
            rows = np.flatnonzero(self.scene.row_track == self._track)[:1]
        return Viewport.around(self.scene.position_m[rows[-1:]], *size, margin_m=0.0, least_m=FOLLOW_M)

    @cached_property
    def _whole(self) -> Viewport:
        shown = np.isin(self.scene.row_frame, self.frames)
        width_px, height_px = WIDTH_PX * OVER, HEIGHT_PX * OVER
        fitted = Viewport.around(
            self.scene.position_m[shown], width_px, height_px - 2 * WORDS_PX * OVER, margin_m=MARGIN_M, least_m=LEAST_M
        )
        return Viewport(fitted.centre_m, fitted.scale, width_px, height_px)

    def _ground(self, view: Viewport) -> Image:
        """Return the map; drawn once where the view does not move."""
        if self._track is None and self._still is not None:
            return self._still
        from PIL import Image, ImageDraw

        picture = Image.new("RGB", (view.width_px, view.height_px), GROUND)
        _draw_raster(picture, self.scene, view)
        draw = ImageDraw.Draw(picture)
        for lane in self.scene.lanes:
            outline_m = lane.outline_m
            if view.shows(outline_m):
                points = _points(view.px(outline_m))
                draw.polygon(points, fill=ROAD if lane.drivable else WALK)
                draw.line([*points, points[0]], fill=EDGE, width=OVER)
        self._still = picture
        return picture

    def _draw_histories(self, draw: ImageDraw, view: Viewport, index: int) -> None:
        scene = self.scene
        start_ns = int(scene.timestamp_ns[index]) - round(HISTORY_S * 1e9)
        first = int(np.searchsorted(scene.timestamp_ns, start_ns))
        rows: IntArray = np.arange(scene.rows_of_frame(first).start, scene.rows_of_frame(index).stop)
        for track in scene.row_track[scene.rows_of_frame(index)].tolist():
            line = _points(view.px(scene.position_m[rows[scene.row_track[rows] == track]]))
            if len(line) > 1:
                colour = CLASS_COLOURS[int(scene.object_class[track])]
                draw.line(line, fill=f"{colour}70", width=round(2.5 * OVER), joint="curve")
        if self._track is not None:
            self._draw_truth(draw, view, index)

    def _draw_truth(self, draw: ImageDraw, view: Viewport, index: int) -> None:
        """Draw dots where the followed object will be, as far as its paths reach."""
        scene = self.scene
        end_ns = int(scene.timestamp_ns[index]) + round(float(self.replay.time_s[-1]) * 1e9)
        rows = np.flatnonzero((scene.row_track == self._track) & (scene.row_frame > index))
        rows = rows[scene.timestamp_ns[scene.row_frame[rows]] <= end_ns]
        apart = max(1, round(0.5 / max(_step_s(scene), 1e-3)))
        for x, y in _points(view.px(scene.position_m[rows[apart - 1 :: apart]])):
            draw.ellipse([x - 2 * OVER, y - 2 * OVER, x + 2 * OVER, y + 2 * OVER], fill=TRUTH)

    def _draw_paths(self, draw: ImageDraw, view: Viewport, paths: RecordedPaths) -> None:
        rows = self.scene.rows_of_frame(paths.frame).start + np.arange(len(paths.track))
        for row, here_m in enumerate(self.scene.position_m[rows]):
            probability = paths.probability[row]
            for mode in np.argsort(probability, kind="stable").tolist():
                share = float(probability[mode])
                if share < LEAST_PROBABILITY and mode != int(probability.argmax()):
                    continue
                points = _points(view.px(np.concatenate([here_m[None], here_m + paths.offset_m[row, mode]])))
                strength = f"{PATH}{round(255 * (0.35 + 0.65 * share)):02x}"
                draw.line(points, fill=strength, width=round((1.4 + 2.0 * share) * OVER), joint="curve")

    def _draw_boxes(self, draw: ImageDraw, view: Viewport, index: int) -> None:
        now, tracks = self.scene.frame(index), self.scene.row_track[self.scene.rows_of_frame(index)]
        size_m = np.maximum(now.size_m, OVER * LEAST_PX / view.scale)
        outlines = view.px(corners(now.position_m, np.where(now.yaw_valid, now.yaw_rad, 0.0), size_m))
        for row, track in enumerate(tracks.tolist()):
            points = _points(outlines[row])
            draw.polygon(points, fill=CLASS_COLOURS[int(now.object_class[row])])
            edge = TRUTH if track == self._track else GROUND
            draw.line([*points, points[0]], fill=edge, width=OVER * (2 if track == self._track else 1))

    def _draw_words(self, draw: ImageDraw, view: Viewport, index: int) -> None:
        """Draw the time, who predicts, the scale and the classes in view."""
        scene, font = self.scene, _font(15 * OVER)
        time_s = (scene.timestamp_ns[index] - scene.timestamp_ns[0]) * 1e-9
        words = f"{time_s:.1f} s"
        _text(draw, (12 * OVER, 10 * OVER), words, _font(20 * OVER), "la")
        _text(draw, (view.width_px - 12 * OVER, 12 * OVER), self.replay.predictor_name, font, "ra")
        bar_m, y = view.bar_m(), view.height_px - 12 * OVER
        right = view.width_px - 12 * OVER
        left = right - bar_m * view.scale
        draw.line([(left, y - 4 * OVER), (left, y), (right, y), (right, y - 4 * OVER)], fill=TEXT, width=OVER)
        _text(draw, (0.5 * (left + right), y - 5 * OVER), f"{bar_m} m", font, "md")
        x = 12.0 * OVER
        for kind in np.unique(scene.object_class[scene.row_track[np.isin(scene.row_frame, self.frames)]]).tolist():
            draw.rectangle([x, y - 11 * OVER, x + 11 * OVER, y], fill=CLASS_COLOURS[kind])
            _text(draw, (x + 16 * OVER, y + 2 * OVER), CLASS_NAMES[kind], font, "ld")
            x += 30 * OVER + font.getlength(CLASS_NAMES[kind])


def require_shown(scene: Scene, options: FilmOptions) -> None:
    """Raise InputError where a film of the scene cannot be made: no frame in that time, or no such track there."""
    _followed(scene, _frames(scene, options), options)


def _frames(scene: Scene, options: FilmOptions) -> IntArray:
    """Return the scene's frame at each picture's time."""
    last_s = min(options.stop_s, scene.duration_s)
    if not (scene.frame_count and 0 <= options.start_s <= last_s):
        raise InputError(
            f"start, stop: expected a stretch of the {scene.duration_s:g} s of the scene, "
            f"got {options.start_s:g} to {options.stop_s:g}"
        )
    times_s = options.start_s + np.arange(math.floor((last_s - options.start_s) * FPS + 1e-6) + 1) / FPS
    since_start_s = (scene.timestamp_ns - scene.timestamp_ns[0]) * 1e-9
    frames: IntArray = np.searchsorted(since_start_s, times_s + 1e-6, side="right") - 1
    return frames


def _followed(scene: Scene, frames: IntArray, options: FilmOptions) -> int | None:
    if options.follow is None:
        return None
    here = dict.fromkeys(scene.row_track[np.isin(scene.row_frame, frames)].tolist())
    ids = {scene.track_id[track]: track for track in here}
    if options.follow not in ids:
        some = ", ".join(list(ids)[:5])
        raise InputError(f"follow: expected a track that is there in that time, such as {some}, got {options.follow!r}")
    track: int = ids[options.follow]
    return track


def _step_s(scene: Scene) -> float:
    return float(np.median(np.diff(scene.timestamp_ns))) * 1e-9 if scene.frame_count > 1 else 1.0


def _points(points_px: FloatArray) -> list[tuple[float, float]]:
    return [(x, y) for x, y in points_px.tolist()]


def _draw_raster(picture: Image, scene: Scene, view: Viewport) -> None:
    """Draw a raster's drivable area, looked up for each pixel."""
    from PIL import Image as Images

    if scene.raster is None:
        return
    x, y = np.meshgrid(np.arange(view.width_px) + 0.5, np.arange(view.height_px) + 0.5)
    middle = 0.5 * np.array([view.width_px, view.height_px])
    points_m = (np.stack([x, y], axis=-1) - middle) / np.array([view.scale, -view.scale]) + view.centre_m
    mask = Images.fromarray((scene.raster.is_drivable(points_m) * 255).astype(np.uint8))
    picture.paste(Images.new("RGB", picture.size, ROAD), mask=mask)


def _font(size: int) -> FreeTypeFont | ImageFont:
    from PIL import ImageFont

    return ImageFont.load_default(size)


def _text(draw: ImageDraw, at: tuple[float, float], words: str, font: FreeTypeFont | ImageFont, anchor: str) -> None:
    draw.text(at, words, font=font, fill=TEXT, anchor=anchor, stroke_width=2 * OVER, stroke_fill=GROUND)
