"""ApolloScape and VRU as recorded; skips where they are missing (see data_dir). Counts are asserted in the windows."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from trajnet.datasets.apolloscape import APOLLOSCAPE, FUTURE_S
from trajnet.datasets.files import load_scene
from trajnet.datasets.folders import part_files, part_named
from trajnet.datasets.own_split import OWN_SPLITS
from trajnet.datasets.part_windows import part_windows
from trajnet.datasets.vru import VRU
from trajnet.training.config import SourceConfig
from trajnet.training.sources import source_files
from trajnet.types import ObjectClass


def test_apolloscape_windows(data_dir: Path) -> None:
    windows = part_windows(APOLLOSCAPE, [data_dir], "val")
    assert len(windows) == part_named(APOLLOSCAPE, "val").window_count
    assert windows.future_valid.all()
    assert windows.observed[:, -2:].all()
    assert set(np.unique(windows.object_class)) == {
        ObjectClass.UNKNOWN, ObjectClass.CAR, ObjectClass.TRUCK, ObjectClass.BICYCLE, ObjectClass.PEDESTRIAN
    }  # fmt: skip
    longer = part_windows(APOLLOSCAPE, [data_dir], "val", np.arange(1.0, 13.0) * 0.5)
    assert len(longer) == len(windows)
    np.testing.assert_array_equal(longer.future_m[:, : len(FUTURE_S)], windows.future_m)
    assert 0.3 < longer.future_valid[:, -1].mean() < 0.9


def test_apolloscape_headings_are_not_in_the_frame_of_its_positions(data_dir: Path) -> None:
    """Why the reader leaves the column out."""
    offsets_rad = []
    for name in ("9050_4", "9051_5"):
        values = np.loadtxt(data_dir / "apolloscape" / "prediction_train" / f"result_{name}_frame.txt")
        values = values[np.lexsort((values[:, 0], values[:, 1]))]
        step = np.diff(values, axis=0)
        fast = (step[:, 1] == 0) & (step[:, 0] == 1) & (np.hypot(step[:, 3], step[:, 4]) > 1.0)
        error = values[1:, 9] - np.arctan2(step[:, 4], step[:, 3])
        offsets_rad.append(float(np.angle(np.exp(1j * error[fast]).mean())))
    assert np.degrees(offsets_rad) == pytest.approx([167.0, -102.0], abs=5.0)


@pytest.mark.parametrize(("road_user", "rate_hz"), [("pedestrians", 50.0), ("cyclists", 12.5)])
def test_vru_windows(data_dir: Path, road_user: str, rate_hz: float) -> None:
    windows = part_windows(VRU, [data_dir], f"{road_user}/val")
    assert len(windows) == part_named(VRU, f"{road_user}/val").window_count
    assert windows.future_valid.all()
    assert 1.0 / np.diff(windows.history_time_s).min() == pytest.approx(rate_hz)
    assert windows.observed.mean() > 0.99
    step_m = np.diff(windows.position_m[windows.observed.all(axis=1)], axis=1)
    speed_mps = np.hypot(step_m[..., 0].sum(1), step_m[..., 1].sum(1)) / -windows.history_time_s[0]
    assert 0.5 < np.quantile(speed_mps, 0.9) < (2.5 if road_user == "pedestrians" else 9.0)


def test_the_splits_of_the_files(data_dir: Path) -> None:
    for files, persons in (
        ({s: part_files(APOLLOSCAPE, [data_dir], s) for s in OWN_SPLITS}, 1),
        ({s: part_files(VRU, [data_dir], f"pedestrians/{s}") for s in OWN_SPLITS}, 0),
        ({s: part_files(VRU, [data_dir], f"cyclists/{s}") for s in OWN_SPLITS}, 0),
    ):
        owner = {split: {f.stem.split("_")[persons] for f in part} for split, part in files.items()}
        assert not owner["train"] & owner["test"]
        assert not owner["train"] & owner["val"]
        assert not owner["val"] & owner["test"]
    assert [len(part_files(APOLLOSCAPE, [data_dir], s)) for s in OWN_SPLITS] == [39, 7, 7]
    assert [len(part_files(VRU, [data_dir], f"pedestrians/{s}")) for s in OWN_SPLITS] == [749, 120, 199]
    assert [len(part_files(VRU, [data_dir], f"cyclists/{s}")) for s in OWN_SPLITS] == [348, 46, 100]
    source = SourceConfig("vru", split="cyclists/val")
    assert source_files(source, [data_dir]) == part_files(VRU, [data_dir], "cyclists/val")


def test_a_cyclist_without_times_gives_a_single_row(data_dir: Path) -> None:
    scene = load_scene(data_dir / "vru_aschaffenburg" / "cyclists" / "waiting" / "108.csv")
    assert len(scene.row_frame) == 1
