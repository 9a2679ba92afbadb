"""A store through fsspec: what lies below a name, and errors that say what to do next."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from trajnet.errors import DependencyError, InputError, TrajnetError, in_words, install_advice
from trajnet.remote.urls import PACKAGES, Url

#: What changes when a file is written again; each store tells some of these.
_IDENTITY = ("ETag", "etag", "generation", "md5Hash", "blob_id", "LastModified", "updated", "mtime", "created")
_TIMES = ("LastModified", "updated", "mtime", "created")
_SECOND_NS = 1_000_000_000
#: Words in the names of exceptions of the stores' libraries, which have no common base.
_LOST = ("connect", "timeout", "disconnect", "payload", "incomplete", "reset", "ssl")
_SECRETS = {
    "s3": "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, or FSSPEC_S3_ANON=true for a public bucket",
    "gs": "log in with `gcloud auth application-default login`, or set FSSPEC_GS_TOKEN=anon for a public bucket",
    "hf": "log in with `hf auth login`, or set HF_TOKEN",
}


@dataclass(frozen=True)
class Entry:
    """A file of a store. time_ns: when it was written, its last nine digits a hash of what identifies its content.

    A copy that has the same size and this time is a copy of the same content, so the cache needs no list of its own.
    """

    url: Url
    size: int
    time_ns: int


def open_store(url: Url) -> Any:
    """Return fsspec's file system of the URL. Raises DependencyError where it is not installed."""
    package = PACKAGES[url.scheme]
    needs = install_advice("remote") if package in ("s3fs", "fsspec") else f"pip install {package}"
    try:
        import fsspec
    except ImportError as error:
        raise DependencyError(
            f"{url}: needs fsspec, which is not installed; run: {install_advice('remote')}"
        ) from error
    try:
        with store_errors(url):
            return fsspec.filesystem(url.scheme)
    except ImportError as error:
        raise DependencyError(f"{url}: needs {package}, which is not installed; run: {needs}") from error


def entries_below(store: Any, url: Url) -> list[Entry]:
    """Return the file of this name, or all files below the folder, by name; none where there is neither.

    Raises InputError where the store cannot be read.
    """
    with store_errors(url):
        store.invalidate_cache()
        found = store.find(url.key, detail=True)
    # memory:// begins its names with a slash; a name that ends with one marks a folder.
    files = {name.strip("/"): info for name, info in found.items() if not name.endswith("/")}
    return [_entry(Url(url.scheme, name), info) for name, info in sorted(files.items()) if info.get("type") == "file"]


def entry_of(store: Any, url: Url) -> Entry:
    """Return the file of this name. Raises InputError if there is none."""
    with store_errors(url):
        store.invalidate_cache()
        return _entry(url, store.info(url.key))


def _entry(url: Url, info: Mapping[str, Any]) -> Entry:
    told = [str(_whole_seconds(info[key])).strip('"') for key in _IDENTITY if info.get(key) is not None]
    digest = hashlib.sha256("\n".join(told).encode()).digest()
    written = next((info[key] for key in _TIMES if info.get(key) is not None), None)
    return Entry(
        url, int(info["size"]), _seconds(written) * _SECOND_NS + int.from_bytes(digest[:8], "big") % _SECOND_NS
    )


def _whole_seconds(value: Any) -> Any:
    """Return a time without what a listing tells of it and a single look does not."""
    return value.replace(microsecond=0).timestamp() if isinstance(value, datetime) else value


def _seconds(written: Any) -> int:
    """Return a time of a store in s since 1970; 0 where it tells none that is understood."""
    try:
        if isinstance(written, str):
            written = datetime.fromisoformat(written.replace("Z", "+00:00"))
        return int(written.timestamp() if isinstance(written, datetime) else written or 0)
    except (TypeError, ValueError):
        return 0


@contextmanager
def store_errors(url: Url) -> Iterator[None]:
    """Turn whatever a store raises into an InputError that names the URL and the next step."""
    try:
        yield
    except (TrajnetError, ImportError):
        raise
    except Exception as error:  # every store has types of its own, without a common base
        raise InputError(f"{url}: {_advice(url, error)}") from error


def _advice(url: Url, error: Exception) -> str:
    kinds = " ".join(kind.__name__ for kind in type(error).__mro__).lower()
    if isinstance(error, FileNotFoundError):
        return f"no such file, folder or bucket ({in_words(error)}); check its name"
    if "credential" in kinds or "token" in kinds:
        return f"no credentials were found ({in_words(error)}); {_SECRETS.get(url.scheme, 'log in first')}"
    if isinstance(error, PermissionError):
        return (
            f"access was refused ({in_words(error)}); check the name, and that the credentials may read and write "
            f"there: {_SECRETS.get(url.scheme, 'log in first')}"
        )
    if isinstance(error, (ConnectionError, TimeoutError)) or any(word in kinds for word in _LOST):
        return (
            f"the connection failed or was cut ({in_words(error)}); check network and endpoint, then run the same "
            "command again: files that came whole are kept"
        )
    return f"cannot be read or written: {in_words(error)}"
