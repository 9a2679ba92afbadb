"""A real object store on this machine that speaks S3, for tests: moto's server in a thread."""

from __future__ import annotations

import logging
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager

import pytest


@contextmanager
def s3_store(patch: pytest.MonkeyPatch) -> Iterator[str]:
    """Yield the store's address; the environment, and that of programs started inside, leads to it.

    Nothing of the user's own configuration is read.
    """
    fsspec = pytest.importorskip("fsspec")
    pytest.importorskip("s3fs", reason="the extra [remote]")
    server_module = pytest.importorskip("moto.server", reason="moto with flask")
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = server_module.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        for name, value in {
            "AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_ENDPOINT_URL": f"http://{host}:{port}", "AWS_CONFIG_FILE": "/dev/null",
            "AWS_SHARED_CREDENTIALS_FILE": "/dev/null", "AWS_EC2_METADATA_DISABLED": "true",
        }.items():  # fmt: skip
            patch.setenv(name, value)
        for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "http_proxy", "HTTP_PROXY"):
            patch.delenv(name, raising=False)
        s3 = fsspec.get_filesystem_class("s3")
        s3.clear_instance_cache()
        patch.setattr(s3, "retries", 1)  # a server that is gone stays gone
        yield f"http://{host}:{port}"
        s3.clear_instance_cache()
    finally:
        server.stop()


def empty_bucket(address: str) -> str:
    """Return the URL of an empty bucket, the only one that the store has from now on."""
    urllib.request.urlopen(f"{address}/moto-api/reset", b"").close()
    s3 = pytest.importorskip("fsspec").filesystem("s3")
    s3.invalidate_cache()
    s3.mkdir("bucket")
    return "s3://bucket"
