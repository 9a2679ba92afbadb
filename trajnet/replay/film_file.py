"""Films as files: GIF by Pillow, MP4 by ffmpeg where it is installed."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from trajnet.errors import DependencyError, InputError, install_advice
from trajnet.picture.palette import CLASS_COLOURS, EDGE, GROUND, PATH, ROAD, TEXT, TRUTH, WALK
from trajnet.replay.film import FPS, HEIGHT_PX, WIDTH_PX, Film
from trajnet.whole_file import whole_file

if TYPE_CHECKING:
    from PIL.Image import Image


def require_film_tools(gif: Path | None, mp4: Path | None) -> None:
    """Raise DependencyError where what writes the films is missing."""
    if gif is None and mp4 is None:
        return
    try:
        import PIL  # noqa: F401
    except ImportError as error:
        raise DependencyError(f"films are drawn with Pillow; run: {install_advice('tools')}") from error
    if mp4 is not None and shutil.which("ffmpeg") is None:
        raise DependencyError("mp4: expected the program ffmpeg in PATH, got none; install it, or write a --gif")


def write_gif(path: Path, film: Film) -> None:
    """Write an endless GIF; all its pictures have one palette. Raises InputError if it cannot be written."""
    colours = _palette()
    pictures = (_reduced(picture, colours) for picture in film.images())
    first = next(pictures)
    with whole_file(path) as part:
        first.save(
            part, format="GIF", save_all=True, append_images=pictures, duration=1000 // FPS, loop=0,
            optimize=False, disposal=1,
        )  # fmt: skip


def _palette() -> Image:
    """Return a picture whose palette has the colours of films, and the shades between them that smooth edges need."""
    from PIL import Image, ImageColor

    grounds, drawn = (
        [np.array(ImageColor.getrgb(colour), np.float64) for colour in colours]
        for colours in ((GROUND, ROAD, WALK), (*CLASS_COLOURS, PATH, EDGE, TEXT, TRUTH))
    )
    shades = [below + share * (above - below) for below in grounds for above in drawn for share in (0.25, 0.5, 0.75)]
    colours = np.round([*grounds, *drawn, *shades]).astype(np.uint8)
    picture = Image.new("P", (1, 1))
    picture.putpalette(colours.tobytes())
    return picture


def _reduced(picture: Image, colours: Image) -> Image:
    from PIL import Image

    return picture.quantize(palette=colours, dither=Image.Dither.NONE)


def write_mp4(path: Path, film: Film) -> None:
    """Write an MP4 (H.264) with ffmpeg. Raises InputError with ffmpeg's own words where it fails."""
    ffmpeg = shutil.which("ffmpeg")
    if ffmpeg is None:
        require_film_tools(None, path)
        return
    source = ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{WIDTH_PX}x{HEIGHT_PX}", "-r", str(FPS), "-i", "-"]
    target = ["-an", "-c:v", "libx264", "-pix_fmt", "yuv420p", "-movflags", "+faststart", "-f", "mp4"]
    with whole_file(path) as part:
        command = [ffmpeg, "-y", "-loglevel", "error", *source, *target, str(part)]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE) as process:
            try:
                for picture in film.images():
                    process.stdin.write(picture.tobytes())  # type: ignore[union-attr]
            except BrokenPipeError:
                pass  # it ended early: its words say why
            _, words = process.communicate()
        if process.returncode:
            raise InputError(f"{path}: ffmpeg could not write it: {words.decode('utf-8', 'replace').strip()}")
