"""Remote files against a store that speaks S3: fetched once, whole, as they are now; errors say what to do."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest

from tests.object_store import empty_bucket, s3_store
from trajnet.errors import DependencyError, InputError
from trajnet.remote import fetched, prepared_target, put, url_of
from trajnet.remote.store import _entry
from trajnet.remote.urls import Url


@pytest.fixture(scope="module")
def store_address() -> Iterator[str]:
    with pytest.MonkeyPatch.context() as patch, s3_store(patch) as address:
        yield address


@pytest.fixture
def bucket(store_address: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    monkeypatch.setenv("TRAJNET_CACHE", str(tmp_path / "cache"))
    return empty_bucket(store_address)


@pytest.fixture
def other_access(bucket: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """Of the environment: the next one who opens the store goes by what the test sets."""
    _store().pipe("bucket/a.csv", b"x")
    kept = type(_store())._cache.copy()
    type(_store()).clear_instance_cache()
    yield monkeypatch
    type(_store())._cache.clear()
    type(_store())._cache.update(kept)


def _store() -> Any:
    import fsspec

    return fsspec.filesystem("s3")


def _url(text: str) -> Url:
    found = url_of(text)
    assert isinstance(found, Url)
    return found


def test_a_folder_is_fetched_once_and_follows_the_store(bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    store = _store()
    store.pipe({"bucket/t/a.csv": b"one", "bucket/t/deep/b.csv": b"two", "bucket/t/.notes": b"x", "bucket/u.csv": b"y"})
    folder = fetched(Path(f"{bucket}/t"))
    names = {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    assert names == {"a.csv": b"one", "deep/b.csv": b"two"}

    (folder / ".done").write_text("a note of a command")
    gets: list[list[str]] = []
    real = store.get

    def counted(names: list[str], paths: list[str]) -> None:
        gets.append(names)
        real(names, paths)

    monkeypatch.setattr(store, "get", counted)
    assert fetched(f"{bucket}/t") == folder
    assert gets == []
    store.pipe("bucket/t/a.csv", b"six")  # the same size in the same second: only its ETag differs
    store.rm("bucket/t/deep/b.csv")
    fetched(f"{bucket}/t")
    assert gets == [["bucket/t/a.csv"]]
    assert (folder / "a.csv").read_bytes() == b"six"
    assert not (folder / "deep" / "b.csv").exists()
    assert (folder / ".done").exists()


def test_a_copy_that_was_changed_or_cut_is_fetched_again(bucket: str) -> None:
    _store().pipe("bucket/a.csv", b"whole")
    path = fetched(f"{bucket}/a.csv")
    path.write_bytes(b"who")
    assert fetched(f"{bucket}/a.csv").read_bytes() == b"whole"


def test_a_scenario_comes_with_the_map_beside_it(bucket: str) -> None:
    _store().pipe({"bucket/x/scenario_7.parquet": b"s", "bucket/x/log_map_archive_7.json": b"m", "bucket/x/z": b"z"})
    path = fetched(f"{bucket}/x/scenario_7.parquet")
    assert sorted(p.name for p in path.parent.iterdir()) == ["log_map_archive_7.json", "scenario_7.parquet"]


def test_what_is_put_need_not_be_fetched(bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    url = _url(f"{bucket}/out/a.csv")
    folder = prepared_target(url.parent)
    folder.mkdir(parents=True)
    (folder / "a.csv").write_bytes(b"made here")
    (folder / "b.csv").write_bytes(b"made here, but the command was stopped before it was put")
    put(folder / "a.csv", url)
    assert _store().cat("bucket/out/a.csv") == b"made here"
    monkeypatch.setattr(_store(), "get", None)  # whoever calls it fails
    assert fetched(f"{bucket}/out").joinpath("a.csv").read_bytes() == b"made here"
    (folder / "b.csv").write_bytes(b"again")
    prepared_target(url.parent)
    assert [path.name for path in folder.iterdir()] == ["a.csv"]


def test_what_did_not_arrive_whole_is_said(bucket: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(b"whole")
    monkeypatch.setattr(_store(), "put_file", lambda _, name: _store().pipe(name, b"who"))
    with pytest.raises(InputError, match=r"^s3://bucket/a.csv: expected 5 bytes, the store has 3; run the same"):
        put(tmp_path / "a.csv", _url(f"{bucket}/a.csv"))


@pytest.mark.parametrize("told", [{"LastModified": datetime(2026, 1, 2, tzinfo=timezone.utc)}, {"mtime": 1767312000.0}])
def test_a_time_is_the_same_in_a_listing_and_alone(told: dict[str, Any]) -> None:
    """Listings tell fractions of a second."""
    url, other = Url("s3", "bucket/a"), dict(told)
    if "LastModified" in told:
        other["LastModified"] = told["LastModified"].replace(microsecond=250_000)
    one, again = (_entry(url, {"size": 3, "ETag": "x", **each}) for each in (told, other))
    assert one == again
    assert one.time_ns // 1_000_000_000 == 1767312000
    assert _entry(url, {"size": 3, "ETag": "y", **told}).time_ns != one.time_ns


@pytest.mark.parametrize("name", ["none.csv", "none/", ""])
def test_a_missing_object_is_named(bucket: str, name: str) -> None:
    with pytest.raises(InputError, match=r"^s3://bucket.*no such file or folder.*check its name"):
        fetched(f"{bucket}/{name}")


@pytest.mark.parametrize("read", [fetched, lambda url: prepared_target(_url(url))])
def test_a_missing_bucket_is_named(bucket: str, read: Any) -> None:
    with pytest.raises(InputError, match=r"^s3://nobucket/x: no such file"):
        read("s3://nobucket/x")


def test_without_credentials_it_says_how_to_give_them(bucket: str, other_access: pytest.MonkeyPatch) -> None:
    other_access.delenv("AWS_ACCESS_KEY_ID")
    other_access.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(InputError, match=r"credentials.*AWS_ACCESS_KEY_ID"):
        fetched(f"{bucket}/a.csv")


def test_access_that_is_refused(bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: Any, **__: Any) -> None:
        raise PermissionError("Access Denied")

    monkeypatch.setattr(_store(), "find", refused)
    with pytest.raises(InputError, match=r"refused.*Access Denied.*credentials"):
        fetched(f"{bucket}/a.csv")


def test_a_store_that_is_gone(bucket: str, other_access: pytest.MonkeyPatch) -> None:
    other_access.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    other_access.setenv("AWS_MAX_ATTEMPTS", "1")
    with pytest.raises(InputError, match=r"connection failed.*same command again"):
        fetched(f"{bucket}/a.csv")


@pytest.mark.parametrize("raises", [True, False])
def test_a_connection_that_is_cut_leaves_nothing_half(
    bucket: str, raises: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    _store().pipe({"bucket/t/a.csv": b"first", "bucket/t/deep/b.csv": b"second"})
    real = _store().get

    def cut(names: list[str], paths: list[str]) -> None:
        if "b.csv" not in names[0]:
            real(names, paths)
            return
        Path(paths[0]).write_bytes(b"sec")
        if raises:
            raise ConnectionResetError("by peer")

    with monkeypatch.context() as patch:
        patch.setattr(_store(), "get", cut)
        with pytest.raises(InputError, match=r"cut.*the same command again"):
            fetched(f"{bucket}/t")
    folder = _url(f"{bucket}/t").local
    assert [path.name for path in folder.rglob("*") if path.is_file()] == ["a.csv"]
    assert (fetched(f"{bucket}/t") / "deep" / "b.csv").read_bytes() == b"second"


def test_a_disk_that_is_too_small(bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    _store().pipe("bucket/a.csv", b"12345")
    monkeypatch.setattr("shutil.disk_usage", lambda _: type("", (), {"free": 4}))
    with pytest.raises(InputError, match=r"to fetch.*TRAJNET_CACHE"):
        fetched(f"{bucket}/a.csv")


def test_a_name_that_no_folder_can_hold(bucket: str) -> None:
    _store().call_s3("put_object", Bucket="bucket", Key="t//x.csv", Body=b"x")
    with pytest.raises(InputError, match="empty parts"):
        fetched(f"{bucket}/t")


@pytest.mark.parametrize(("scheme", "package"), [("s3", "trajnet-av.remote."), ("gs", "pip install gcsfs")])
def test_without_the_extra_it_is_named(scheme: str, package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    registry = pytest.importorskip("fsspec.registry")
    for protocol, module in (("s3", "s3fs"), ("gs", "gcsfs")):
        monkeypatch.delitem(registry._registry, protocol, raising=False)
        monkeypatch.setitem(sys.modules, module, None)  # as if it were not installed
    with pytest.raises(DependencyError, match=package):
        fetched(f"{scheme}://bucket/x")


def test_memory_is_a_store_too(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    fsspec = pytest.importorskip("fsspec")
    monkeypatch.setenv("TRAJNET_CACHE", str(tmp_path))
    fsspec.filesystem("memory").pipe("/bucket/a.csv", b"x")
    assert fetched("memory://bucket/a.csv").read_bytes() == b"x"
    assert (fetched("memory://bucket") / "a.csv").read_bytes() == b"x"
