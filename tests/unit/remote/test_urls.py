"""URLs are told from paths, and each has one place in the cache."""

from __future__ import annotations

from pathlib import Path

import pytest

from trajnet.errors import InputError
from trajnet.remote.urls import Url, is_remote, url_of


@pytest.mark.parametrize("text", ["s3://bucket/a/b.parquet", "s3://bucket/a/b.parquet/", "S3:/bucket/a/b.parquet"])
def test_a_url_is_the_same_before_and_behind_pathlib(text: str) -> None:
    expected = Url("s3", "bucket/a/b.parquet")
    assert url_of(text) == url_of(Path(text)) == expected
    assert is_remote(text)
    assert is_remote(Path(text))


@pytest.mark.parametrize("text", ["tables", "/data/tables", "a:b/c", "./s3:/x", "C:/x"])
def test_a_path_of_this_machine_stays_one(text: str) -> None:
    assert url_of(text) == Path(text)
    assert not is_remote(text)


def test_file_urls_are_paths() -> None:
    assert url_of(Path("file:///data/tables")) == Path("/data/tables")


@pytest.mark.parametrize(("text", "says"), [("ftp://host/x", "s3://, gs://, hf://"), ("s3://", "a bucket")])
def test_what_is_not_read_is_refused(text: str, says: str) -> None:
    with pytest.raises(InputError, match=says):
        url_of(text)


def test_the_cache_has_the_names_of_the_store(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TRAJNET_CACHE", str(tmp_path))
    assert Url("gs", "bucket/a/b.csv").local == tmp_path / "remote" / "gs" / "bucket" / "a" / "b.csv"
    monkeypatch.delenv("TRAJNET_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "caches"))
    assert Url("gs", "bucket").local == tmp_path / "caches" / "trajnet" / "remote" / "gs" / "bucket"


@pytest.mark.parametrize("key", ["bucket/../../etc/passwd", "bucket/./x", "bucket//x", "bucket/a\0"])
def test_no_name_leads_out_of_the_cache(key: str) -> None:
    with pytest.raises(InputError, match="empty parts"):
        _ = Url("s3", key).local
