"""Readers and writers of recorded scenes: every format becomes a trajnet.types.Scene."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from trajnet.errors import DependencyError, InputError
from trajnet.scenes.rows import require_file
from trajnet.scenes.splits import ETH_UCY_SCENES, NUSCENES_TARGETS, eth_ucy_split, nuscenes_split
from trajnet.scenes.vru import VRU_HEADER
from trajnet.types import Lane, RasterMap, Scene

__all__ = [
    "ETH_UCY_SCENES",
    "KINDS",
    "NUSCENES_TARGETS",
    "eth_ucy_split",
    "find_scenes",
    "load_map",
    "load_scene",
    "nuscenes_split",
    "scene_kind",
    "write_scene",
]

#: table: Parquet with Argoverse 2's columns, an Argoverse 2 scenario among them.
KINDS: tuple[str, ...] = ("table", "nuscenes", "eth_ucy", "apolloscape", "vru", "commonroad")

SUFFIXES: tuple[str, ...] = (".parquet", ".txt", ".xml", ".csv")

#: Columns of the kinds that are text, one row a line.
TEXT_COLUMNS: dict[int, str] = {4: "eth_ucy", 10: "apolloscape", 18: "nuscenes"}


def scene_kind(path: Path) -> str:
    """Which of KINDS a file is, from its suffix and, for text, from its first row."""
    require_file(path)
    suffix = path.suffix.lower()
    if suffix == ".parquet":
        return "table"
    if suffix == ".xml":
        return "commonroad"
    if suffix in (".txt", ".csv"):
        return _text_kind(path)
    raise InputError(f"{path}: expected a scene as {', '.join(SUFFIXES)}, got {path.name!r}")


def _text_kind(path: Path) -> str:
    try:
        with path.open("rb") as file:
            first = next((line for line in file if line.strip()), b"")
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from error
    if first.strip() == VRU_HEADER.encode():
        return "vru"
    fields = first.split()
    if fields and _is_number(fields[0]) and len(fields) in TEXT_COLUMNS:
        return TEXT_COLUMNS[len(fields)]
    found = f"{len(fields)} columns, the first of them {fields[0].decode(errors='replace')!r}," if fields else "no rows"
    raise InputError(
        f"{path}: expected a number first in a row of 18 columns (nuScenes labels), 10 (ApolloScape) or 4 (ETH/UCY), "
        f"or the line {VRU_HEADER!r}, got {found} {'in its first row' if fields else '(an empty file)'}"
    )


def _is_number(text: bytes) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def load_scene(path: Path | str, kind: str = "auto", *, with_map: bool = False) -> Scene:
    """The scene of one file.

    kind: one of KINDS, or ``auto`` to tell from the file. with_map: also read nuScenes' map raster, with
    the directions of traffic that the training scenes beside it show.
    InputError if the file is missing, of another kind, or holds what a scene cannot (NaN, a track twice in a frame).
    """
    path = Path(path)
    if kind != "auto" and kind not in KINDS:
        raise InputError(f"kind: expected auto, {', '.join(KINDS)}, got {kind!r}")
    if kind == "auto":
        kind = scene_kind(path)
    if kind == "nuscenes":
        from trajnet.scenes.nuscenes import read_nuscenes

        scene = read_nuscenes(path, with_map=with_map)
        if scene.raster is None:
            return scene
        from trajnet.scenes.nuscenes_traffic import recorded_directions

        return replace(scene, raster=replace(scene.raster, direction=recorded_directions(path, scene.raster)))
    if kind == "eth_ucy":
        from trajnet.scenes.eth_ucy import read_eth_ucy

        return read_eth_ucy(path)
    if kind == "apolloscape":
        from trajnet.scenes.apolloscape import read_apolloscape

        return read_apolloscape(path)
    if kind == "vru":
        from trajnet.scenes.vru import read_vru

        return read_vru(path)
    if kind == "commonroad":
        from trajnet.scenes.commonroad import read_commonroad

        return read_commonroad(path)
    _require_pyarrow()
    from trajnet.scenes.table import read_table

    return read_table(path)


def load_map(path: Path | str) -> tuple[tuple[Lane, ...], RasterMap | None]:
    """The lanes and the raster of a map: a Lanelet2 .osm, or any scene file that has one.

    InputError if the file cannot be read or has neither.
    """
    path = Path(path)
    if path.suffix.lower() == ".osm":
        from trajnet.scenes.lanelet2 import read_lanelet2

        return read_lanelet2(path), None
    if scene_kind(path) == "commonroad":
        from trajnet.scenes.commonroad import read_lanes

        return read_lanes(path), None
    scene = load_scene(path, with_map=True)
    if scene.raster is None and not scene.lanes:
        raise InputError(f"{path}: expected a map, got a scene without lanes and without a raster")
    return scene.lanes, scene.raster


def write_scene(scene: Scene, path: Path | str) -> None:
    """Write the scene as a Parquet table that load_scene reads back without loss."""
    _require_pyarrow()
    from trajnet.scenes.table import write_table

    write_table(scene, Path(path))


def _require_pyarrow() -> None:
    try:
        import pyarrow  # noqa: F401
    except ImportError as error:
        raise DependencyError(
            "scene tables in Parquet need pyarrow, which is not installed; run: pip install 'trajnet[tools]'"
        ) from error


def find_scenes(path: Path | str, kind: str = "auto") -> list[Path]:
    """The scene files at path, sorted: the file itself, or those below a folder at any depth, hidden ones left out.

    kind limits a folder to files of that kind. InputError if there are none.
    """
    path = Path(path)
    if path.is_file():
        return [path]
    if not path.exists():
        raise InputError(f"{path}: no such file or folder; check the path")
    if kind != "auto" and kind not in KINDS:
        raise InputError(f"kind: expected auto, {', '.join(KINDS)}, got {kind!r}")
    files = sorted(f for f in path.rglob("*") if f.suffix.lower() in SUFFIXES and f.is_file() and _is_scene(f, kind))
    files = [f for f in files if not any(part.startswith(".") for part in f.relative_to(path).parts)]
    if not files:
        raise InputError(f"{path}: expected scene files ({', '.join(SUFFIXES)}), found none")
    return files


def _is_scene(path: Path, kind: str) -> bool:
    """Whether a file of a folder counts; notes and licences, text with another number of columns, do not."""
    try:
        found = scene_kind(path)
    except InputError:
        return False
    return kind in ("auto", found)
