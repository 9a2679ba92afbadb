"""Files in object stores (s3://, gs://, hf://), read through a cache on the disk and written whole."""

from trajnet.remote.mirror import fetch_file, fetched, listed_names, prepared_target
from trajnet.remote.upload import put
from trajnet.remote.urls import Url, cache_folder, is_remote, url_of

__all__ = [
    "Url", "cache_folder", "fetch_file", "fetched", "is_remote", "listed_names", "prepared_target", "put", "url_of",
]  # fmt: skip
