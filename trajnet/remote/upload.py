"""Writing to a store: an object appears whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

from trajnet.errors import InputError
from trajnet.remote.store import entry_of, open_store, store_errors
from trajnet.remote.urls import Url


def put(file: Path, url: Url) -> None:
    """Copy a finished file to a store and give it the time of its object, as copies in the cache have.

    The stores show an object when its upload is complete, and until then the one before it. Raises InputError.
    """
    store = open_store(url)
    with store_errors(url):
        store.put_file(str(file), url.key)
    entry = entry_of(store, url)
    if entry.size != file.stat().st_size:
        raise InputError(
            f"{url}: expected {file.stat().st_size:,} bytes, the store has {entry.size:,}; run the same command again"
        )
    os.utime(file, ns=(entry.time_ns, entry.time_ns))
