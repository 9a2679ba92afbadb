"""Scene files of every format that the registry knows: find them, tell their format, read their scene or map."""

from __future__ import annotations

from codecs import BOM_UTF16_BE, BOM_UTF16_LE
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from trajnet.datasets.registry import format_names, scene_formats
from trajnet.errors import InputError
from trajnet.remote import fetched
from trajnet.scenes.av2_map import read_av2_map
from trajnet.scenes.formats import OWN, SceneFormat
from trajnet.scenes.lanelet2 import read_lanelet2
from trajnet.scenes.opendrive import read_opendrive
from trajnet.scenes.own_table import lacking_columns
from trajnet.scenes.rows import require_file
from trajnet.types import Lane, RasterMap, Scene


def scene_kind(path: Path) -> str:
    """Return the name of a file's format, by its suffix and, for text, by its first row. Raises InputError."""
    return _format_of(path).name


def _format_of(path: Path) -> SceneFormat:
    require_file(path)
    fitting = [found for found in scene_formats() if found.fits(path)]
    if not fitting:
        raise InputError(f"{path}: expected a scene as {', '.join(_shown_names())}, got {path.name!r}")
    row = _first_row(path) if any(found.recognise is not None for found in fitting) else b""
    for found in fitting:
        if found.recognise is None or found.recognise(row):
            return found
    raise InputError(f"{path}: {_unlike(row, fitting)}")


def _unlike(row: bytes, fitting: list[SceneFormat]) -> str:
    """Return why the first row of a text file is none of the formats that its name fits."""
    if not row:
        return "expected a recording, got an empty file"
    if row.startswith((BOM_UTF16_LE, BOM_UTF16_BE)):
        return "expected text in UTF-8, got UTF-16; save the file as UTF-8"
    if OWN in fitting and (lacking := lacking_columns(row)):
        return lacking
    fields = row.split(max((None, b",", b";", b"\t"), key=lambda mark: 0 if mark is None else row.count(mark)))
    shown = f"{len(fields)} columns, the first of them {fields[0].decode(errors='replace')!r}"
    return f"expected {' or '.join(found.content for found in fitting)}, got {shown}, in its first row"


def _shown_names() -> list[str]:
    return list(dict.fromkeys(name for found in scene_formats() for name in found.shown_names()))


def _first_row(path: Path) -> bytes:
    """Return the first line of a file that is not blank, stripped; empty if there is none."""
    try:
        with path.open("rb") as file:
            return next((line.strip() for line in file if line.strip()), b"")
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from error


def load_scene(path: Path | str, kind: str = "auto", *, with_map: bool = False) -> Scene:
    """Return the scene of one file.

    path: also a URL, see trajnet.remote. kind: the name of a format, or ``auto`` to tell it from the file.
    with_map: also read a map that is in other files: nuScenes' raster, with the directions of traffic that the
    training scenes beside it show.
    Raises InputError if the file is missing, of another kind, or holds what a scene cannot (NaN, a track twice in a
    frame).
    """
    path = fetched(path)
    return _format_named(path, kind).read(path, with_map)


def agents_file(path: Path) -> Path | None:
    """Return the recording of the agents that a scene's file does not list; None where there is none, or no need."""
    everybody = _format_of(path).everybody
    return None if everybody is None else everybody.file(path)


def with_everybody(scene: Scene, path: Path) -> Scene:
    """Return the scene of this file with the agents that the file does not list, where there is a recording of them.

    What the scene has at a time does not tell of later ones. Its own tracks come first. Raises InputError.
    """
    everybody = _format_of(path).everybody
    beside = None if everybody is None else everybody.file(path)
    return scene if everybody is None or beside is None else everybody.join(scene, beside)


def load_scenes(path: Path | str, kind: str = "auto", *, with_map: bool = False) -> Iterator[Scene]:
    """Yield the scenes of one file, one by one; only formats such as TFRecord have files of several.

    kind, with_map and errors: as in load_scene; a broken file is noticed when its broken part is reached.
    """
    path = fetched(path)
    found = _format_named(path, kind)
    if found.read_many is None:
        yield found.read(path, with_map)
    else:
        yield from found.read_many(path, with_map)


def holds_several(path: Path | str, kind: str = "auto") -> bool:
    """Return whether the file's format may hold several scenes. Raises InputError as load_scene."""
    return _format_named(Path(path), kind).read_many is not None


def _format_named(path: Path, kind: str) -> SceneFormat:
    _require_kind(kind)
    return _format_of(path) if kind == "auto" else next(f for f in scene_formats() if f.name == kind)


def companions_of(path: Path, kind: str = "auto") -> list[Path]:
    """Return the files besides path that its scenes are read from, as far as they are there; none if it is no scene."""
    try:
        found = _format_named(path, kind)
    except InputError:
        return []
    return [] if found.companions is None else list(found.companions(path))


def load_map(path: Path | str) -> tuple[tuple[Lane, ...], RasterMap | None]:
    """Return the lanes and the raster of a map: Lanelet2, OpenDRIVE, Argoverse 2, or any scene file that has one.

    A folder holds the tiles of a Lanelet2 map. Raises InputError if the file cannot be read or has neither.
    """
    path = fetched(path)
    if path.suffix.lower() == ".osm" or path.is_dir():
        return read_lanelet2(path), None
    if path.suffix.lower() == ".json":
        return read_av2_map(path), None
    if path.suffix.lower() == ".xodr":
        return read_opendrive(path), None
    found = _format_of(path)
    if found.read_lanes is not None:
        return found.read_lanes(path), None
    scene = found.read(path, True)
    if scene.raster is None and not scene.lanes:
        raise InputError(f"{path}: expected a map, got a scene without lanes and without a raster")
    return scene.lanes, scene.raster


def with_map_of(scene: Scene, path: Path | str | None) -> Scene:
    """Return the scene with the map of this file in place of its own; None leaves it. Raises InputError."""
    if path is None:
        return scene
    lanes, raster = load_map(path)
    return replace(scene, lanes=lanes, raster=raster)


def find_scenes(path: Path | str, kind: str = "auto") -> list[Path]:
    """Return the scene files at path, sorted: the file itself, or those below a folder, without hidden ones.

    path: also a URL, whose files are fetched. kind limits a folder to files of that kind.
    Raises InputError if there are none.
    """
    path = fetched(path)
    if path.is_file():
        return [path]
    if not path.exists():
        raise InputError(f"{path}: no such file or folder; check the path")
    _require_kind(kind)
    formats = scene_formats()
    files = sorted(
        f for f in path.rglob("*") if any(found.fits(f) for found in formats) and f.is_file() and _is_scene(f, kind)
    )
    files = [f for f in files if not any(part.startswith(".") for part in f.relative_to(path).parts)]
    if not files:
        raise InputError(f"{path}: expected scene files ({', '.join(_shown_names())}), found none")
    return files


def _is_scene(path: Path, kind: str) -> bool:
    """Return whether a file of a folder is a scene of this kind; notes and licences are not."""
    try:
        found = _format_of(path)
    except InputError:
        return False
    if found.is_companion is not None and found.is_companion(path):
        return False
    return kind in ("auto", found.name)


def _require_kind(kind: str) -> None:
    if kind != "auto" and kind not in format_names():
        raise InputError(f"kind: expected auto, {', '.join(format_names())}, got {kind!r}")
