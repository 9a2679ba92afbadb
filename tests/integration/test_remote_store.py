"""From recordings to a trained and scored model by s3:// alone, against a store that speaks S3."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.object_store import empty_bucket, s3_store
from tests.tiny_training import ROOT, tiny_config

SCENE = ROOT / "sim/scenes/crossing_small.parquet"


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[str]:
    with s3_store(monkeypatch) as address:
        monkeypatch.setenv("TRAJNET_CACHE", str(tmp_path / "cache"))
        yield empty_bucket(address)


def _run(*words: object, code: int = 0) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "trajnet", *map(str, words)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, env={**os.environ})
    assert done.returncode == code, done.stdout + done.stderr
    return done


@pytest.mark.slow
def test_convert_train_and_evaluate_by_url(bucket: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import fsspec

    store = fsspec.filesystem("s3")
    (tmp_path / "recorded").mkdir()
    (tmp_path / "recorded" / "crossing.parquet").write_bytes(SCENE.read_bytes())
    tables = f"{bucket}/tables"
    assert tables in _run("convert", tmp_path / "recorded", tables).stdout
    store.invalidate_cache()
    assert store.find("bucket") == ["bucket/tables/crossing.parquet"]
    assert "from before" in _run("convert", tmp_path / "recorded", tables).stdout
    store.rm("bucket/tables/crossing.parquet")
    assert "from before" not in _run("convert", tmp_path / "recorded", tables).stdout

    monkeypatch.setenv("TRAJNET_CACHE", str(tmp_path / "of another machine"))
    config = tiny_config(tmp_path, epochs=1, batch=4096)
    values = yaml.safe_load(config.read_text())
    for source in (*values["train"], *values["validation"]):
        source["path"] = f"{tables}/crossing.parquet"
    config.write_text(yaml.safe_dump(values))
    common = ["train", "--config", config, "--data", tmp_path, "--no-progress", "--threads", 1, "--accelerator", "cpu"]
    first = _run(*common, "--out", tmp_path / "a", "--windows", f"{bucket}/windows")
    assert f"{tables}/crossing.parquet: fetching 1 of 1 files" in first.stderr
    indexes = sorted(path.name for path in (tmp_path / "a" / "windows").glob("*.json"))
    store.invalidate_cache()
    there = {name.rpartition("/")[2] for name in store.find("bucket/windows")}
    assert len(indexes) == 2
    assert there == {path.name for path in (tmp_path / "a" / "windows").iterdir() if not path.name.startswith(".")}

    report = tmp_path / "report.json"
    scored = ["evaluate", "--dataset", "scenes", "--model", "cv", "--stride", 10, "--jobs", 1, "--json", report]
    _run(*scored, "--data", tables)
    remote = json.loads(report.read_text())
    _run(*scored, "--data", SCENE)
    assert remote["models"][0]["metrics"] == json.loads(report.read_text())["models"][0]["metrics"]
    assert remote["data"] == tables

    missing = _run("check", f"{bucket}/none.parquet", code=2)
    assert missing.stderr.startswith("trajnet: s3://bucket/none.parquet: no such file")
    assert "Traceback" not in missing.stderr
