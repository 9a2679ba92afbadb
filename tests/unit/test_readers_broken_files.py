"""Files that no reader may stumble over: each is refused with the project's own error, and none fills the memory."""

from __future__ import annotations

import base64
import json
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.fuzz_readers import cases, strangers
from trajnet.config import load_yaml
from trajnet.datasets.files import load_map, load_scene
from trajnet.errors import ConfigError, ContractError, InputError
from trajnet.inference.recorded import RecordedPredictor
from trajnet.replay.faults import FaultPlan
from trajnet.training.checkpoint import checkpoint_model

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")


def test_broken_files_of_every_kind_are_refused_and_whole_ones_are_read(tmp_path: Path) -> None:
    every = cases(tmp_path)
    assert len(every) == 26
    for case in every:
        assert strangers(case, 25, 1, tmp_path) == []
        (tmp_path / case.name).write_bytes(case.content)
        if case.name != "last.ckpt":  # the one whose weights fit no model
            case.read(tmp_path / case.name)


@pytest.mark.parametrize("text", ["seed: 2026-13-45", f"seed: {'9' * 5000}", "? [a]\n: 1", "seed: \x07", "[" * 5000])
def test_yaml_that_python_stumbles_over(text: str, tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=r"x\.yaml"):
        load_yaml(FaultPlan, path)


def test_an_npz_whose_header_is_no_python(tmp_path: Path) -> None:
    path = tmp_path / "x.npz"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("version.npy", b"\x93NUMPY\x01\x00\x10\x00{'descr': (((((\n")
    with pytest.raises(InputError, match=r"x\.npz: expected recorded predictions"):
        RecordedPredictor(path)


@pytest.mark.parametrize(
    "stored",
    [
        {"trajnet": [1], "state_dict": {}},
        {"trajnet": {"version": 4}},
        {"trajnet": {"version": 4}, "state_dict": {7: 1}},
        {"trajnet": {"version": 4}, "state_dict": {}},
        [1, 2],
    ],
)
def test_checkpoints_of_another_shape(stored: object, tmp_path: Path) -> None:
    path = tmp_path / "x.ckpt"
    torch.save(stored, path)
    with pytest.raises((ContractError, ConfigError), match=r"x\.ckpt"):
        checkpoint_model(path)


@pytest.mark.parametrize("encoding", ["no-such-encoding", "gb18030", "utf-7"])
def test_maps_in_an_encoding_that_the_xml_reader_does_not_know(encoding: str, tmp_path: Path) -> None:
    path = tmp_path / "x.osm"
    path.write_bytes(f'<?xml version="1.0" encoding="{encoding}"?><osm></osm>'.encode())
    with pytest.raises(InputError, match=r"x\.osm"):
        load_map(path)


def table_of(root: Path) -> Any:
    return pq.read_table(root / "sim" / "scenes" / "crossing_small.parquet")


def test_text_in_a_table_that_is_no_utf8(root: Path, tmp_path: Path) -> None:
    table, path = table_of(root), tmp_path / "x.parquet"
    place = table.column_names.index("track_id")
    binary = pa.array([b"\xff\xfe"] * len(table), pa.binary())
    bad = pa.Array.from_buffers(pa.string(), len(binary), binary.buffers())
    pq.write_table(table.set_column(place, "track_id", bad), path)
    with pytest.raises(InputError, match=r"x\.parquet.*UTF-8|x\.parquet.*track_id"):
        load_scene(path)


def test_a_table_of_too_many_rows_is_refused_before_it_is_read(tmp_path: Path) -> None:
    """25 million equal rows in a few kilobytes."""
    path = tmp_path / "x.parquet"
    with pq.ParquetWriter(path, pa.schema([("timestep", pa.int64())])) as writer:
        part = pa.table({"timestep": pa.array(np.zeros(1_000_000, np.int64))})
        for _ in range(25):
            writer.write_table(part)
    assert path.stat().st_size < 200_000
    with pytest.raises(InputError, match=r"expected a scene of at most 20,000,000 rows .* got 25,000,000 rows"):
        load_scene(path)


def test_a_raster_that_unpacks_to_more_than_its_size_is_refused(root: Path, tmp_path: Path) -> None:
    table, path = table_of(root), tmp_path / "x.parquet"
    about = json.loads(table.schema.metadata[b"trajnet"])
    bomb = base64.b64encode(zlib.compress(bytes(100_000_000), 9)).decode()
    about["raster"] = {"origin_m": [0, 0], "pixels_per_m": 1.0, "shape": [8, 8], "drivable": bomb}
    metadata = {**table.schema.metadata, b"trajnet": json.dumps(about).encode()}
    pq.write_table(table.replace_schema_metadata(metadata), path)
    with pytest.raises(InputError, match="expected 8 bytes of a raster, got more"):
        load_scene(path)
