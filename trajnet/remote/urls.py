"""URLs of files, told from paths, and the place of each in the cache."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from trajnet.errors import InputError

#: The folder of the cache; without this variable it is trajnet in the user's folder of caches.
CACHE_VARIABLE = "TRAJNET_CACHE"

#: Scheme -> the package that reads it through fsspec.
PACKAGES = {"s3": "s3fs", "gs": "gcsfs", "hf": "huggingface_hub", "memory": "fsspec"}

# One slash is enough: pathlib makes s3:/bucket of s3://bucket.
_URL = re.compile(r"([a-z][a-z0-9+.-]+):/+(.*)", re.IGNORECASE | re.DOTALL)


@dataclass(frozen=True)
class Url:
    """A file or folder of a store. key: the bucket and the name in it, without slashes around."""

    scheme: str
    key: str

    def __str__(self) -> str:
        """Return it as users write it."""
        return f"{self.scheme}://{self.key}"

    def joined(self, name: str) -> Url:
        """Return what is called so below this folder."""
        return Url(self.scheme, f"{self.key}/{name}")

    @property
    def parent(self) -> Url:
        """The folder that it is in."""
        return Url(self.scheme, self.key.rpartition("/")[0])

    @property
    def local(self) -> Path:
        """Its place in the cache. Raises InputError for a name that would lie outside."""
        return cache_folder().joinpath(self.scheme, *safe_parts(self.key))


def is_remote(path: Path | str) -> bool:
    """Return whether this is a URL, also one that went through pathlib, and not a path of this machine."""
    return _URL.fullmatch(str(path)) is not None


def url_of(path: Path | str) -> Url | Path:
    """Return the URL, or the path of this machine that it is or that file:// names.

    Raises InputError for a scheme that is not read.
    """
    found = _URL.fullmatch(str(path))
    if found is None:
        return Path(path)
    scheme, key = found[1].lower(), found[2].strip("/")
    if scheme == "file":
        return Path(f"/{key}")
    if scheme not in PACKAGES:
        raise InputError(f"{path}: expected {', '.join(f'{name}://' for name in PACKAGES)} or file://")
    if not key:
        raise InputError(f"{path}: expected a bucket behind {scheme}://, got none")
    return Url(scheme, key)


def safe_parts(key: str) -> list[str]:
    """Return the parts of a name. Raises InputError for one that would lead out of its folder."""
    parts = key.split("/")
    if any(part in ("", ".", "..") or "\0" in part for part in parts):
        raise InputError(f"{key!r}: expected a name without empty parts, . and .., which no folder can hold")
    return parts


def cache_folder() -> Path:
    """Return the folder that holds copies of remote files."""
    named = os.environ.get(CACHE_VARIABLE)
    caches = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return (Path(named) if named else caches / "trajnet").absolute() / "remote"
