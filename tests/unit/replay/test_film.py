"""Films of a replay: which instants, what they show, and the files."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageColor
from typer.testing import CliRunner

from tests.replay_scenes import Fan, crossing_scene, straight_scene
from trajnet.cli.main import build
from trajnet.errors import ConfigError, DependencyError, InputError
from trajnet.picture.palette import CLASS_COLOURS, PATH, TRUTH
from trajnet.replay.film import FPS, HEIGHT_PX, WIDTH_PX, Film, FilmOptions
from trajnet.replay.film_file import write_gif, write_mp4
from trajnet.replay.replay import Replay, replay
from trajnet.scenes import write_scene
from trajnet.timing.clock import VirtualClock
from trajnet.types import Scene


@pytest.fixture(scope="module")
def played() -> tuple[Scene, Replay]:
    scene = crossing_scene(7.0)
    return scene, replay(scene, Fan(np.arange(1.0, 7.0) * 0.5), VirtualClock())


def colours_of(picture: Image.Image) -> set[tuple[int, ...]]:
    return {colour for _, colour in picture.convert("RGB").getcolors(1 << 20)}  # type: ignore[union-attr,misc]


def test_a_film_has_a_picture_for_each_tenth_of_a_second_whatever_the_recording(played: tuple[Scene, Replay]) -> None:
    scene, run = played
    assert Film(scene, run, FilmOptions(2.0, 4.0)).frames.tolist() == list(range(20, 41))
    slow = straight_scene(np.ones((5, 2), dtype=bool), hz=2.0)
    run = replay(slow, Fan(np.array([0.5])), VirtualClock())
    assert Film(slow, run, FilmOptions(0.0, 1.0)).frames.tolist() == [0] * 5 + [1] * 5 + [2]
    assert len(Film(slow, run)) == 2 * FPS + 1


def test_a_picture_shows_objects_paths_and_their_class(played: tuple[Scene, Replay]) -> None:
    film = Film(*played)
    shown = film.image(30)
    assert shown.size == (WIDTH_PX, HEIGHT_PX)
    for colour in (CLASS_COLOURS[1], CLASS_COLOURS[6]):
        assert ImageColor.getrgb(colour) in colours_of(shown)
    scene, run = played
    without = Film(scene, Replay(**{**vars(run), "paths": []})).image(30)
    difference = np.abs(np.asarray(shown, int) - np.asarray(without, int)).sum(axis=2) > 60
    orange = np.abs(np.asarray(shown, int) - np.array(ImageColor.getrgb(PATH))).sum(axis=2) < 120
    assert difference.sum() > 200
    assert (difference & orange).sum() > 0.3 * difference.sum()


def test_a_followed_object_stays_in_the_middle_with_a_dark_edge(played: tuple[Scene, Replay]) -> None:
    film = Film(*played, FilmOptions(1.0, 5.0, "car-1"))
    for index in (10, 25, 50):
        picture = film.image(index)
        assert picture.getpixel((WIDTH_PX // 2, HEIGHT_PX // 2)) == ImageColor.getrgb(CLASS_COLOURS[1])
        assert ImageColor.getrgb(TRUTH) in colours_of(picture.crop((380, 205, 420, 245)))


def test_the_map_moves_under_a_followed_object(played: tuple[Scene, Replay]) -> None:
    film, fresh = (Film(*played, FilmOptions(1.0, 5.0, "car-1")) for _ in range(2))
    film.image(10)
    assert np.array_equal(np.asarray(film.image(50)), np.asarray(fresh.image(50)))


def test_a_followed_object_that_is_not_there_yet_is_waited_for_where_it_appears() -> None:
    observed = np.ones((5, 2), dtype=bool)
    observed[:3, 1] = False
    scene = straight_scene(observed, hz=2.0)
    run = replay(scene, Fan(np.array([0.5])), VirtualClock())
    film = Film(scene, run, FilmOptions(follow=scene.track_id[1]))
    places = [film._view(index).centre_m.tolist() for index in (0, 2, 3)]
    assert places == [places[2]] * 3
    film.image(0)


def test_the_future_of_a_followed_object_is_shown_as_far_as_its_paths_reach(played: tuple[Scene, Replay]) -> None:
    scene, run = played

    def picture(time_s: float) -> np.ndarray:
        film = Film(scene, replace(run, time_s=np.array([time_s]), paths=[]), FilmOptions(1.0, 5.0, "car-1"))
        return np.asarray(film.image(10))

    none = picture(0.1)
    first, second, third = ((picture(time_s) != none).any(axis=2).sum() for time_s in (1.0, 2.0, 3.0))
    assert 0 < first < second < third


def test_of_many_unlikely_paths_the_likeliest_is_shown(played: tuple[Scene, Replay]) -> None:
    scene, run = played
    (paths,) = (found for found in run.paths if found.frame == 30)
    best = np.full_like(paths.probability, 0.01)
    best[:, 1] = 0.04
    all_of_them = replace(paths, probability=best)
    likeliest = replace(paths, probability=best[:, 1:2], offset_m=paths.offset_m[:, 1:2])
    shown, alone = (np.asarray(Film(scene, replace(run, paths=[one])).image(30)) for one in (all_of_them, likeliest))
    assert np.array_equal(shown, alone)
    assert not np.array_equal(shown, np.asarray(Film(scene, replace(run, paths=[])).image(30)))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (FilmOptions(8.0), "start, stop: expected a stretch of the 7 s of the scene, got 8 to inf"),
        (FilmOptions(3.0, 2.0), "got 3 to 2"),
        (FilmOptions(-1.0), "got -1 to inf"),
        (FilmOptions(0.0, 1.0, "nobody"), "follow: expected a track that is there in that time, such as .*'nobody'"),
    ],
)
def test_what_there_is_not_is_refused(played: tuple[Scene, Replay], options: FilmOptions, message: str) -> None:
    with pytest.raises(InputError, match=message):
        Film(*played, options)


def test_a_gif_plays_in_real_time_for_ever_and_is_small(played: tuple[Scene, Replay], tmp_path: Path) -> None:
    write_gif(tmp_path / "film.gif", Film(*played, FilmOptions(1.0, 3.0)))
    assert (tmp_path / "film.gif").stat().st_size < 1_000_000  # 5 MB for 10 s
    with Image.open(tmp_path / "film.gif") as film:
        assert film.size == (WIDTH_PX, HEIGHT_PX)
        frames = getattr(film, "n_frames", 0)
        assert frames == 21
        assert film.info["loop"] == 0
        duration_ms = 0
        for index in range(frames):
            film.seek(index)
            duration_ms += film.info["duration"]
        assert duration_ms == 2100


def ffmpeg_of(folder: Path, script: str) -> str:
    """Make a program of the name ffmpeg, and return a PATH with it first."""
    (folder / "ffmpeg").write_text(f"#!/bin/sh\n{script}\n")
    (folder / "ffmpeg").chmod(0o755)
    return f"{folder}{os.pathsep}{os.environ['PATH']}"


def test_ffmpeg_gets_every_picture(
    played: tuple[Scene, Replay], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", ffmpeg_of(tmp_path, 'for last; do :; done; cat > "$last"'))
    write_mp4(tmp_path / "film.mp4", Film(*played, FilmOptions(1.0, 1.2)))
    assert (tmp_path / "film.mp4").stat().st_size == 3 * WIDTH_PX * HEIGHT_PX * 3
    monkeypatch.setenv("PATH", ffmpeg_of(tmp_path, 'echo "no such codec" >&2; exit 1'))
    with pytest.raises(InputError, match=r"other\.mp4: ffmpeg could not write it: no such codec"):
        write_mp4(tmp_path / "other.mp4", Film(*played, FilmOptions(1.0, 1.2)))
    assert not (tmp_path / "other.mp4").exists()


def test_the_command_writes_a_film_and_refuses_what_cannot_be_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_scene(crossing_scene(7.0), tmp_path / "scene.parquet")
    base = ["replay", str(tmp_path / "scene.parquet"), "--rate", "max", "--model", "cv"]
    film = str(tmp_path / "film.gif")
    made = CliRunner().invoke(build(), [*base, "--gif", film, "--start", "1", "--stop", "1.5", "--follow", "car-1"])
    assert made.exit_code == 0, made.output
    assert "film.gif (" in made.output
    monkeypatch.setenv("PATH", str(tmp_path))
    for more, kind, message in (
        (["--mp4", str(tmp_path / "film.mp4")], DependencyError, "mp4: expected the program ffmpeg in PATH"),
        (["--gif", film, "--model", "ctrv"], ConfigError, "gif, mp4: expected one scene and one model"),
        (["--follow", "car-1"], ConfigError, "follow: expected --gif or --mp4"),
        (["--gif", "no/such/film.gif"], InputError, "gif: expected a file in a folder that exists"),
    ):
        result = CliRunner().invoke(build(), [*base, *more])
        assert isinstance(result.exception, kind), result.output
        assert message in str(result.exception)


def test_what_a_scene_lacks_is_said_before_it_is_replayed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In its own time a replay takes as long as the scene."""
    write_scene(crossing_scene(7.0), tmp_path / "scene.parquet")
    monkeypatch.setattr("trajnet.cli.replay.run_models", lambda *_: pytest.fail("it was replayed"))
    base = ["replay", str(tmp_path / "scene.parquet"), "--model", "cv", "--gif", str(tmp_path / "film.gif")]
    for more, message in ((["--follow", "nobody"], "follow: expected a track"), (["--start", "99"], "start, stop: ")):
        result = CliRunner().invoke(build(), [*base, *more])
        assert isinstance(result.exception, InputError), result.output
        assert message in str(result.exception)
