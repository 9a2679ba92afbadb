"""Groups in a folder that machines share: built once, complete or not there, and nothing is read outside of it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from trajnet.engine import InProcess
from trajnet.errors import InputError
from trajnet.shards import Group, build_groups
from trajnet.shards import build as build_module


def _fake_shards(pieces: list[bytes], stem: Path) -> list[Any]:
    """Stands for write_shards, whose format is nothing to what is shared."""
    stem.with_name(f"{stem.name}-0000.bin").write_bytes(b"".join(pieces))
    return [(f"{stem.name}-0000.bin", [])]


@pytest.fixture(autouse=True)
def plain_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build_module, "write_shards", _fake_shards)


def _never(_: Any) -> Any:
    raise AssertionError("built again")


GROUPS = [Group("aa", b"one"), Group("bb", b"two")]


def _build(folder: Path, shared: Path, make: Any = lambda what: [what]) -> list[bytes]:
    found = build_groups(GROUPS, folder, make, InProcess(), shared=str(shared))
    return [shard.path.read_bytes() for group in found for shard in group]


def test_what_one_machine_built_the_other_takes(tmp_path: Path) -> None:
    assert _build(tmp_path / "one", tmp_path / "shared") == [b"one", b"two"]
    assert _build(tmp_path / "two", tmp_path / "shared", _never) == [b"one", b"two"]


def test_the_index_is_there_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    copied: list[str] = []
    real = shutil.copyfile

    def noted(source: Path, target: Path) -> None:
        assert not (target.parent / "aa.json").exists()  # nobody takes a group for complete meanwhile
        copied.append(source.suffix)
        real(source, target)

    monkeypatch.setattr(shutil, "copyfile", noted)
    monkeypatch.setattr(f"{__name__}.GROUPS", GROUPS[:1])
    _build(tmp_path / "one", tmp_path / "shared")
    assert copied == [".bin", ".json"]
    _build(tmp_path / "two", tmp_path / "shared", _never)
    assert copied == [".bin", ".json", ".json", ".bin"]


def test_a_group_without_its_index_is_not_there(tmp_path: Path) -> None:
    _build(tmp_path / "one", tmp_path / "shared")
    (tmp_path / "shared" / "bb.json").unlink()
    built: list[bytes] = []
    _build(tmp_path / "two", tmp_path / "shared", lambda what: [built.append(what) or what])  # type: ignore[func-returns-value]
    assert built == [b"two"]
    assert (tmp_path / "shared" / "bb.json").is_file()


def test_a_group_that_could_not_be_given_is_not_complete(tmp_path: Path) -> None:
    (tmp_path / "shared").write_text("a file where the folder should be")
    with pytest.raises(InputError, match="shared"):
        _build(tmp_path / "one", tmp_path / "shared")
    assert not (tmp_path / "one" / "aa.json").exists()


def test_a_group_that_was_damaged_is_named_and_not_taken(tmp_path: Path) -> None:
    _build(tmp_path / "one", tmp_path / "shared")
    (tmp_path / "shared" / "aa-0000.bin").unlink()
    with pytest.raises(InputError, match=r"aa-0000.bin: is missing"):
        _build(tmp_path / "two", tmp_path / "shared", _never)
    assert not (tmp_path / "two" / "aa.json").exists()


@pytest.mark.parametrize("name", ["../secret", "bb-0000.bin", "aa-/../../x"])
def test_an_index_that_names_other_files_is_refused(tmp_path: Path, name: str) -> None:
    _build(tmp_path / "one", tmp_path / "shared")
    (tmp_path / "shared" / "aa.json").write_text(json.dumps([[name, []]]))
    with pytest.raises(InputError, match="expected shards called aa-"):
        _build(tmp_path / "two", tmp_path / "shared")
