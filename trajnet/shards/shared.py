"""Complete groups in a folder or store that several machines share: what one has built, the others take.

The shards of a group are copied before its index, in both directions, so that a group is complete or not there.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path

from trajnet.errors import InputError
from trajnet.remote import Url, fetch_file, listed_names, put, url_of
from trajnet.whole_file import whole_file


def take_groups(stamps: Sequence[str], folder: Path, shared: str) -> list[str]:
    """Copy those of these groups that are in the shared place to the folder; return their stamps.

    Raises InputError where the place cannot be read or a group there is damaged.
    """
    place = url_of(shared)
    there = listed_names(place) if isinstance(place, Url) else {path.name for path in place.glob("*.json")}
    found = [stamp for stamp in stamps if f"{stamp}.json" in there]
    for stamp in found:
        with whole_file(folder / f"{stamp}.json") as index:
            _copy_here(place, f"{stamp}.json", index)
            for name in _files_of(index, stamp, shared):
                _copy_here(place, name, folder / name)
    return found


def give_group(stamp: str, index: Path, shared: str) -> None:
    """Copy the shards beside an index, then the index, to the shared place. Raises InputError if that fails."""
    place = url_of(shared)
    names = _files_of(index, stamp, str(index.parent))
    for file, name in [*((index.with_name(name), name) for name in names), (index, f"{stamp}.json")]:
        if isinstance(place, Url):
            put(file, place.joined(name))
        else:
            with whole_file(place / name) as part:
                shutil.copyfile(file, part)


def _copy_here(place: Url | Path, name: str, target: Path) -> None:
    if isinstance(place, Url):
        fetch_file(place.joined(name), target)
    elif not (place / name).is_file():
        raise InputError(f"{place / name}: is missing; remove the .json of its group there, it is built again")
    else:
        with whole_file(target) as part:
            shutil.copyfile(place / name, part)


def _files_of(index: Path, stamp: str, where: str) -> list[str]:
    """Return the names of a group's shards. Raises InputError for an index that names anything else."""
    try:
        names = [str(entry[0]) for entry in json.loads(index.read_text(encoding="utf-8"))]
    except (OSError, ValueError, TypeError, LookupError) as error:
        raise InputError(f"{where}/{stamp}.json: expected a list of shards, got: {error}; remove it") from error
    strange = [name for name in names if not name.startswith(f"{stamp}-") or "/" in name]
    if strange:
        raise InputError(f"{where}/{stamp}.json: expected shards called {stamp}-..., got {strange[0]!r}; remove it")
    return names
