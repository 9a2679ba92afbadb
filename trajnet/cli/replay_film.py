"""trajnet replay --gif and --mp4: a stretch of the replay for a slide."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from trajnet.errors import ConfigError

if TYPE_CHECKING:
    from rich.console import Console

    from trajnet.replay.film import FilmOptions
    from trajnet.replay.summary import Run
    from trajnet.types import Scene

Gif = Annotated[Path | None, typer.Option(metavar="FILE", help="Write the animation as a GIF for a slide here.")]
Mp4 = Annotated[Path | None, typer.Option(metavar="FILE", help="The same as an MP4; needs the program ffmpeg.")]
Start = Annotated[float, typer.Option(metavar="SECONDS", help="GIF, MP4: begin this long after the first frame.")]
Stop = Annotated[float, typer.Option(metavar="SECONDS", help="GIF, MP4: end this long after the first frame.")]
Follow = Annotated[
    str | None, typer.Option(metavar="TRACK", help="GIF, MP4: keep this object in the middle, with what it did next.")
]


@dataclass(frozen=True)
class Films:
    """The films that a command is asked for, and what they show."""

    gif: Path | None
    mp4: Path | None
    start_s: float
    stop_s: float
    follow: str | None

    @property
    def wanted(self) -> bool:
        return self.gif is not None or self.mp4 is not None

    def require(self, *, models: int, whole_folder: bool) -> None:
        """Raise ConfigError or DependencyError where they cannot be made, before the replay begins."""
        from trajnet.replay.film_file import require_film_tools

        if self.wanted and (models > 1 or whole_folder):
            raise ConfigError("gif, mp4: expected one scene and one model; a --report shows several")
        if not self.wanted and self.follow is not None:
            raise ConfigError("follow: expected --gif or --mp4 with it, got neither")
        require_film_tools(self.gif, self.mp4)

    def require_shown(self, scene: Scene) -> None:
        """Raise InputError where the scene has not what they show, before it is replayed in its own time."""
        from trajnet.replay.film import require_shown

        if self.wanted:
            require_shown(scene, self._options)

    @property
    def _options(self) -> FilmOptions:
        from trajnet.replay.film import FilmOptions

        return FilmOptions(self.start_s, self.stop_s, self.follow)

    def write(self, run: Run, console: Console) -> None:
        """Write the films of a replay."""
        from trajnet.replay.film import Film
        from trajnet.replay.film_file import write_gif, write_mp4

        for path, write in ((self.gif, write_gif), (self.mp4, write_mp4)):
            if path is not None:
                write(path, Film(run.recorded, run.replay, self._options))
                size_mb = path.stat().st_size / 1e6
                console.print(f"Film: {path} ({size_mb:.1f} MB)", highlight=False, soft_wrap=True)
