"""The folder of a data set below the data roots, and the files of its parts."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from trajnet.datasets.description import Dataset, Part
from trajnet.errors import InputError
from trajnet.remote import fetched, is_remote, url_of


def dataset_folder(dataset: Dataset, roots: Sequence[Path]) -> Path:
    """Return the data set's folder: the one below the first root that has it, or that root. Raises InputError.

    Of a root that is a URL, only the data set's folder is fetched.
    """
    roots = [fetched(f"{url_of(root)}/{dataset.folder}") if is_remote(root) else root for root in roots]
    if not any(root.is_dir() for root in roots):
        raise InputError(
            f"{' or '.join(map(str, roots))}: no such data folder; give the folder that holds {dataset.folder} "
            f"({dataset.title}: {dataset.download})"
        )
    for root in roots:
        for folder in (root / dataset.folder, root):
            if folder.is_dir() and _is_folder_of(dataset, folder):
                return folder
    raise InputError(
        f"{' or '.join(map(str, roots))}: expected a folder {dataset.folder!r}"
        f"{f' with {dataset.marker} in it' if dataset.marker else ''}, found none; give the folder that holds "
        f"{dataset.folder} ({dataset.title}: {dataset.download})"
    )


def _is_folder_of(dataset: Dataset, folder: Path) -> bool:
    return (folder / dataset.marker).exists() if dataset.marker else folder.resolve().name == dataset.folder


def part_named(dataset: Dataset, name: str) -> Part:
    """Return the part of this name. Raises InputError."""
    for part in dataset.parts:
        if part.name == name:
            return part
    raise InputError(
        f"{dataset.title} split: expected one of {', '.join(part.name for part in dataset.parts)}, got {name!r}"
    )


def part_files(dataset: Dataset, roots: Sequence[Path], name: str) -> list[Path]:
    """Return the files of the part of this name, sorted. Raises InputError if it is unknown or incomplete."""
    if dataset.files is None:
        raise InputError(f"{dataset.title}: expected a path instead of a split, got {name!r}")
    part = part_named(dataset, name)
    return dataset.files(dataset_folder(dataset, roots), part.name)


def files_in(folder: Path, pattern: str) -> list[Path]:
    """Return the files of a folder whose names fit the pattern, sorted. Raises InputError if there are none."""
    files = sorted(folder.glob(pattern))
    if not files:
        raise InputError(f"{folder}: expected files {pattern} of the split, found none; is the data complete?")
    return files
