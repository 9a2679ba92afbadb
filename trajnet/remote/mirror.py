"""The cache: copies of remote files under their own names, so that every reader reads them as files of this machine.

A copy has its file's size and the time of its entry (see trajnet.remote.store); any other copy is fetched again. Files
appear whole or not at all, so any number of commands may share the cache.
"""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Iterator, Sequence
from itertools import groupby, islice
from pathlib import Path
from typing import Any

from trajnet.errors import InputError
from trajnet.remote.store import Entry, entries_below, entry_of, open_store, store_errors
from trajnet.remote.urls import CACHE_VARIABLE, Url, cache_folder, url_of
from trajnet.whole_file import scratch_folder

log = logging.getLogger(__name__)

#: Files that are fetched at the same time; a connection that breaks loses these at most.
AT_ONCE = 64


def fetched(path: Path | str) -> Path:
    """Return the path that holds what a URL names, fetched where it is not in the cache; other paths as they are.

    A folder is fetched with all that is below it, and copies of files that are gone are removed. A single file comes
    with the Argoverse 2 map beside it. Hidden files are left out. Raises InputError, naming the next step, where
    something is missing, refused or cut off, or the disk is too small; DependencyError without the extra.
    """
    url = url_of(path)
    if isinstance(url, Path):
        return url
    store = open_store(url)
    entries = [entry for entry in entries_below(store, url) if not _is_hidden(entry.url, url)]
    if not entries:
        raise InputError(f"{url}: no such file or folder, or an empty one; check its name")
    if entries[0].url == url:
        entries = [entries[0], *_maps_beside(store, url)]
    else:
        _remove_others(url.local, {entry.url.local for entry in entries})
    _fetch(store, url, entries)
    return url.local


def fetch_file(url: Url, target: Path) -> None:
    """Copy one remote file to ``target``, whole or not at all. Raises InputError."""
    store = open_store(url)
    entry = entry_of(store, url)
    with scratch_folder(target) as folder:
        _get(store, [(entry, folder / "0")])
        (folder / "0").replace(target)


def listed_names(url: Url) -> set[str]:
    """Return the names of the files right in a folder; none where there is no such folder. Raises InputError."""
    found = entries_below(open_store(url), url)
    return {entry.url.key.rpartition("/")[2] for entry in found if entry.url.parent == url}


def prepared_target(url: Url) -> Path:
    """Return the place in the cache where files to be uploaded below ``url`` are made.

    What is there already and is not what the store has is removed, so that it is made, and uploaded, again.
    Raises InputError where the store cannot be reached or has no such bucket.
    """
    store = open_store(url)
    if url.scheme in ("s3", "gs"):  # they tell nothing of a missing bucket when asked for what is below a name in it
        with store_errors(url):
            store.info(url.key.partition("/")[0])
    there = {entry.url.local for entry in entries_below(store, url) if is_copy(entry)}
    if url.local.suffix.lower() == ".parquet":
        url.local.parent.mkdir(parents=True, exist_ok=True)
    else:
        _remove_others(url.local, there)
    return url.local


def is_copy(entry: Entry) -> bool:
    """Return whether the cache has this file as it is in the store."""
    try:
        about = entry.url.local.stat()
    except OSError:
        return False
    return (about.st_size, about.st_mtime_ns) == (entry.size, entry.time_ns)


def _is_hidden(url: Url, folder: Url) -> bool:
    return any(part.startswith(".") for part in url.key[len(folder.key) :].split("/"))


def _maps_beside(store: Any, url: Url) -> list[Entry]:
    """Return the map that trajnet.scenes.av2_map looks for beside a scenario, where there is one."""
    name = url.key.rpartition("/")[2]
    if not name.startswith("scenario_"):
        return []
    beside = url.parent.joined(f"log_map_archive_{name[len('scenario_') :].rpartition('.')[0]}.json")
    return [entry for entry in entries_below(store, beside) if entry.url == beside]


def _remove_others(folder: Path, kept: set[Path]) -> None:
    """Remove copies of files that the store no longer has. Hidden files are notes of commands, or being written."""
    for path in folder.rglob("*") if folder.is_dir() else ():
        hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
        if path.is_file() and path not in kept and not hidden:
            path.unlink(missing_ok=True)


def _fetch(store: Any, url: Url, entries: Sequence[Entry]) -> None:
    """Bring the copies of these files up to date."""
    missing = [entry for entry in entries if not is_copy(entry)]
    if not missing:
        return
    size = sum(entry.size for entry in missing)
    cache = cache_folder()
    cache.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(cache).free
    if size > free:
        raise InputError(
            f"{url}: {size / 1e9:,.1f} GB to fetch, {free / 1e9:,.1f} GB free in {cache}; name a part of it, remove "
            f"what is not needed there, or set {CACHE_VARIABLE} to a folder with more space"
        )
    log.info("%s: fetching %d of %d files, %.1f MB, to %s", url, len(missing), len(entries), size / 1e6, cache)
    for folder, of_folder in groupby(missing, key=lambda entry: entry.url.local.parent):
        for some in _batches(of_folder):
            _fetch_batch(store, folder, some)


def _batches(entries: Iterator[Entry]) -> Iterator[list[Entry]]:
    while some := list(islice(entries, AT_ONCE)):
        yield some


def _fetch_batch(store: Any, folder: Path, entries: Sequence[Entry]) -> None:
    with scratch_folder(folder / "fetched") as scratch:
        parts = [(entry, scratch / str(number)) for number, entry in enumerate(entries)]
        _get(store, parts)
        for entry, part in parts:
            os.utime(part, ns=(entry.time_ns, entry.time_ns))
            part.replace(entry.url.local)


def _get(store: Any, parts: Sequence[tuple[Entry, Path]]) -> None:
    """Fetch files to these paths. Raises InputError where one does not come whole."""
    with store_errors(parts[0][0].url):
        store.get([entry.url.key for entry, _ in parts], [str(part) for _, part in parts])
    for entry, part in parts:
        got = part.stat().st_size if part.is_file() else 0
        if got != entry.size:
            raise InputError(
                f"{entry.url}: expected {entry.size:,} bytes, got {got:,}; it was cut off or changed meanwhile, run "
                "the same command again"
            )
