"""What trajnet evaluate reads: bags become scenes with recorded predictions, a given map replaces their own."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from trajnet.datasets.scenes import SCENES
from trajnet.errors import InputError
from trajnet.remote import fetched


def name_the_bag(report: dict[str, Any], recorded: Path, bag: str) -> None:
    """Name the bag, not the temporary file of its recorded predictions, as what was scored."""
    for entry in report["models"]:
        if entry["spec"] == str(recorded):
            entry["spec"] = bag


@contextmanager
def prepared(
    dataset: str, data: Path, topic: str | None, predictions: str | None
) -> Iterator[tuple[str, Path, Path | None]]:
    """Yield the dataset and its data for the library, which reads no bags, and a bag's recorded predictions."""
    if dataset != "bag":
        yield dataset, fetched(data) if dataset == SCENES.name else data, None
        return
    from trajnet.cli.bag import for_evaluation

    with for_evaluation(data, topic, predictions) as (scene, recorded):
        yield "scenes", scene, recorded


@contextmanager
def with_map(dataset: str, data: Path, map_file: Path | None) -> Iterator[Path]:
    """Yield the data as it is where no map is given, else a folder of its scenes as tables that have that map."""
    if map_file is None:
        yield data
        return
    from trajnet.datasets.files import find_scenes, load_scene, with_map_of
    from trajnet.scenes import write_scene

    if dataset != SCENES.name:
        raise InputError(f"map: expected none with dataset {dataset}, whose maps are its own; it is for scenes and bag")
    with tempfile.TemporaryDirectory(prefix="trajnet-map-") as folder:
        for path in find_scenes(data):
            inside = path.relative_to(data) if data.is_dir() else Path(path.name)
            write_scene(with_map_of(load_scene(path), map_file), Path(folder) / inside.with_suffix(".parquet"))
        yield Path(folder)
