"""Lower rates and lost observations: which frames are shown, and that the same objects are scored in every cell."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tests.unit.evaluate.test_evaluate import invoke, scene_of, scores_of, straight, wavy
from trajnet.datasets.nuscenes import NUSCENES
from trajnet.errors import ConfigError, InputError
from trajnet.evaluate import EvaluationSet, evaluate, open_dataset
from trajnet.evaluate.robustness import Cell, cells, robustness_set, scored_frames, shown_rows
from trajnet.evaluate.runner import run_unit
from trajnet.inference import load_predictor
from trajnet.scenes import write_scene
from trajnet.types import Scene

TIME_S = np.arange(1.0, 5.0) * 0.5


def made(hz: float = 10.0) -> Scene:
    tracks = {"a": wavy(range(101), 0.0), "b": straight(range(101), 1.0, 9.0), "c": wavy(range(20, 101), 30.0)}
    return scene_of(tracks, hz=hz)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "made.parquet"
    write_scene(made(), path)
    return path


def test_the_grid_of_cells_loses_nothing_only_once() -> None:
    found = [(c.rate_hz, c.kind, c.drop) for c in cells([10, 2], [0, 0.3])]
    assert found == [
        *((10, "frames", 0), (10, "frames", 0.3), (10, "objects", 0.3)),
        *((2, "frames", 0), (2, "frames", 0.3), (2, "objects", 0.3)),
    ]
    assert cells([], [0.5]) == [Cell(None, 0.5, "frames"), Cell(None, 0.5, "objects")]


@pytest.mark.parametrize(
    ("rates", "expected"),
    [
        ((10.0,), [20, 40, 60, 80, 100]),
        ((10.0, 5.0, 2.0), [20, 40, 60, 80, 100]),
        ((5.0, 4.0), [20, 40, 60, 80, 100]),  # both are there every second
        ((10.0, 0.4), [25, 50, 75, 100]),
        ((), [20, 40, 60, 80, 100]),
    ],
)
def test_scored_instants_are_those_that_every_rate_has(rates: tuple[float, ...], expected: list[int]) -> None:
    assert scored_frames(made(), rates).tolist() == expected


def test_a_cell_shows_the_frames_of_its_rate_and_what_is_scored() -> None:
    scene, instants = made(), np.array([20, 40, 60, 80, 100])
    scored = np.flatnonzero(np.isin(scene.row_frame, instants))
    frames, rows = shown_rows(scene, Cell(2.0), scored, instants, 0)
    assert np.flatnonzero(frames).tolist() == list(range(0, 101, 5))
    assert rows.sum() == np.isin(scene.row_frame, np.flatnonzero(frames)).sum()
    half = {kind: shown_rows(scene, Cell(10.0, 0.5, kind), scored, instants, 0) for kind in ("frames", "objects")}
    for frames, rows in half.values():
        assert frames[instants].all()
        assert rows[scored].all()
    # Of the 96 frames that may be lost about half are, and of the rows in them the same share.
    assert 35 <= 101 - half["frames"][0].sum() <= 61
    assert half["objects"][0].all()
    free = ~np.isin(scene.row_frame, instants)
    assert 0.4 < half["objects"][1][free].mean() < 0.6


def test_losses_are_nested_and_seeded() -> None:
    scene, instants = made(), np.array([20])
    scored = np.flatnonzero(scene.row_frame == 20)
    shown = [shown_rows(scene, Cell(None, drop, "objects"), scored, instants, 7)[1] for drop in (0.1, 0.3, 0.5)]
    assert (shown[0] >= shown[1]).all()
    assert (shown[1] >= shown[2]).all()
    again, other = (shown_rows(scene, Cell(None, 0.5, "objects"), scored, instants, seed)[1] for seed in (7, 8))
    assert np.array_equal(again, shown[2])
    assert not np.array_equal(other, shown[2])


def test_every_cell_scores_the_same_objects_against_the_same_future(file: Path) -> None:
    dataset = open_dataset("scenes", file, None, horizon_s=2.0)
    units = robustness_set(dataset, [10.0, 2.0], [0.0, 0.5], 0).units
    saved = [run_unit(u, load_predictor("cv", time_s=TIME_S), TIME_S, keep_paths=True) for u in units]
    keys = [
        [(f, t) for p in s.paths for f, t in zip(p.frame.tolist(), p.track_id.tolist(), strict=True)] for s in saved
    ]
    assert len(keys[0]) == 3 * 4
    assert all(k == keys[0] for k in keys)
    # A walker at constant speed is predicted exactly whatever is lost, as the future that it is compared with is whole
    # (and no gap at 10 Hz is so long that the track is forgotten).
    for part in saved[:4]:
        walker = [i for i, (_, track) in enumerate(keys[0]) if track == "b"]
        assert part.scores is not None
        assert part.scores.values["minFDE_1"][walker, -1] == pytest.approx(np.zeros(4), abs=1e-6)


def test_what_a_cell_predicts_is_what_a_thinned_recording_gives(tmp_path: Path, file: Path) -> None:
    dataset = open_dataset("scenes", file, None, horizon_s=2.0)
    thinned = robustness_set(dataset, [2.0], [0.0], 0)
    first = scores_of(thinned, "kalman")
    scene = made()
    every = scene_of(
        {t: [(f // 5, *(scene.position_m[r] - [400_000.0, 5_300_000.0])) for r, f in zip(
            np.flatnonzero(scene.row_track == i), scene.row_frame[scene.row_track == i], strict=True) if f % 5 == 0]
         for i, t in enumerate(scene.track_id)},
        hz=2.0,
    )  # fmt: skip
    write_scene(every, tmp_path / "slow" / "made.parquet")
    slow = scores_of(open_dataset("scenes", tmp_path / "slow", None, horizon_s=2.0, stride=4), "kalman")
    later = slow.frame > 100
    assert first.values["minADE_1"] == pytest.approx(slow.values["minADE_1"][later], abs=1e-6)


def test_a_scene_of_one_frame_has_nothing_to_score() -> None:
    one = scene_of({"a": [(0, 0.0, 0.0)]})
    assert scored_frames(one, (10.0,)).tolist() == scored_frames(one, ()).tolist() == []


def test_a_rate_above_that_of_the_recording_is_refused(file: Path) -> None:
    with pytest.raises(InputError, match="is recorded at 10 Hz, got 20 Hz"):
        evaluate("scenes", file, None, ["cv"], rates_hz=[20.0])


@pytest.mark.parametrize(
    ("options", "words"),
    [({"drops": [1.0]}, "drops: expected shares from 0 to below 1"), ({"rates_hz": [0.0]}, "rates: expected numbers")],
)
def test_bad_cells_are_refused(file: Path, options: dict[str, list[float]], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        evaluate("scenes", file, None, ["cv"], **options)  # type: ignore[arg-type]


def test_rates_are_for_scenes() -> None:
    dataset = EvaluationSet(NUSCENES, "val", TIME_S, ())
    with pytest.raises(InputError, match="rates: expected none for nuscenes"):
        robustness_set(dataset, [2.0], [], 0)


def test_the_command_shows_the_cells_and_writes_a_page(file: Path, tmp_path: Path) -> None:
    page, report = tmp_path / "page.html", tmp_path / "report.json"
    code, output, error = invoke(
        "--dataset", "scenes", "--data", str(file), "--jobs", "1", "--horizon", "2", "--stride", "10",
        "--rates", "10,2", "--drops", "0,0.5", "--breakdown", "--calibration",
        "--report", str(page), "--json", str(report),
    )  # fmt: skip
    assert code == 0, error
    assert "minADE_1 2 Hz, 50% of objects lost" in output
    assert "by manoeuvre" in output
    assert "reliability of the most probable mode" in output
    assert "coverage furthest from nominal over all at" in output
    assert "best mode flips, share" in output
    found = json.loads(report.read_text())
    rows = found["robustness"]["cells"]
    assert [r["objects"] for r in rows] == [12] * 6
    assert set(rows[0]["models"]) == {"cv", "ctrv", "kalman"}
    text = page.read_text(encoding="utf-8")
    assert "default-src 'none'" in text
    assert "{{" not in text
    assert "://" not in text
    assert text.count("<svg") == text.count("</svg>") == 3 * (2 * 1 + 5 + 2)
    assert "nan" not in text.lower().replace("nanosecond", "")


@pytest.mark.parametrize("text", ["ten", "10;5"])
def test_lists_that_are_none_are_refused(file: Path, text: str) -> None:
    _, _, error = invoke("--dataset", "scenes", "--data", str(file), "--rates", text)
    assert isinstance(error, InputError)
    assert "rates: expected numbers with commas" in str(error)
