"""The figures of Waymo's challenge on a scenario made by hand: a car at 10 m/s along x, a person at (5, 3)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.unit.scenes import womd_files as made
from trajnet.datasets.files import load_scene
from trajnet.datasets.womd import WOMD
from trajnet.errors import InputError
from trajnet.evaluate import evaluate
from trajnet.evaluate.runner import SavedPaths
from trajnet.evaluate.womd import WomdFigures
from trajnet.scenes import write_scene

pytest.importorskip("google.protobuf")
pytest.importorskip("pyarrow")

#: The present step of the scenario is 10; the car's true positions at 0.5, 1, ..., 8 s.
TRUTH_M = np.stack([10.0 + 5.0 * np.arange(1, 17), np.zeros(16)], axis=1)


def table(folder: Path, *, lost_from: int = 91) -> Path:
    """Write the scenario as a table; the car is not recorded from a step on."""
    states = [made.state(1.0 * i, 0.0, 10.0, valid=i < lost_from, yaw_rad=0.0) for i in range(91)]
    person = [made.state(5.0, 3.0, 0.0) for _ in range(91)]
    times = tuple(0.1 * i for i in range(91))
    data = b"".join(
        [made.message(5, b"abc"), *(made.double(1, t) for t in times), made.whole(10, 10), made.track(7, 1, *states)]
        + [made.track(8, 2, *person), made.message(11, made.whole(1, 0))]
    )
    scene = load_scene(made.write_shard(folder / "a.tfrecord", data))
    path = folder / WOMD.folder / "validation" / "abc.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    write_scene(scene, path)
    return path


def saved(position_m: list[np.ndarray], probability: list[float], frame: int = 10) -> SavedPaths:
    return SavedPaths(
        np.array(["abc"]), np.array([frame]), np.array(["7"]), np.array([probability]), np.stack(position_m)[None]
    )


def test_the_best_of_the_paths_and_their_order(tmp_path: Path) -> None:
    figures = WomdFigures([table(tmp_path)])
    beside = TRUTH_M + [0.0, 10.0]
    figures.add("x", saved([beside, TRUTH_M, TRUTH_M], [0.5, 0.3, 0.2]))
    found = figures.summary("x")
    assert found["objects"] == 1
    assert list(found["by_class"]) == ["car"]
    for horizon in ("3", "5", "8"):
        car = found["by_class"]["car"][horizon]
        # The miss of 0.5 comes first: the hit of 0.3 at a precision of one half; the hit of 0.2 changes nothing more.
        expected = {
            "objects": 1,
            "minADE": 0,
            "minFDE": 0,
            "MissRate": 0,
            "OverlapRate": 0,
            "mAP": 0.5,
            "soft_mAP": 0.5,
        }
        assert car == pytest.approx(expected)
    assert found["mean"]["mAP"] == pytest.approx(0.5)
    assert figures.summary("y")["mean"]["mAP"] is None


def test_only_six_paths_count_with_probabilities_of_their_own(tmp_path: Path) -> None:
    figures = WomdFigures([table(tmp_path)])
    figures.add("x", saved([TRUTH_M + [0.0, 10.0 + i] for i in range(6)] + [TRUTH_M], [0.2] * 5 + [0.0, 0.0]))
    car = figures.summary("x")["by_class"]["car"]["8"]
    assert (car["minFDE"], car["MissRate"], car["mAP"]) == (pytest.approx(10.0), 1.0, 0.0)


def test_a_future_that_ends_early_counts_as_far_as_it_goes(tmp_path: Path) -> None:
    """Recorded up to step 50, 4 s ahead: minADE goes on over those, nothing can be missed at 5 s."""
    figures = WomdFigures([table(tmp_path, lost_from=51)])
    figures.add("x", saved([TRUTH_M + [0.0, 0.5]], [1.0]))
    car = figures.summary("x")["by_class"]["car"]
    assert [car[h]["minADE"] for h in ("3", "5", "8")] == pytest.approx([0.5, 0.5, 0.5])
    assert [car[h]["minFDE"] for h in ("3", "5", "8")] == [pytest.approx(0.5), None, None]
    assert [car[h]["mAP"] for h in ("3", "5", "8")] == [pytest.approx(1.0), None, None]
    assert [car[h]["objects"] for h in ("3", "5", "8")] == [1, 0, 0]


def test_a_path_over_a_person_overlaps(tmp_path: Path) -> None:
    figures = WomdFigures([table(tmp_path)])
    onto = TRUTH_M.copy()
    onto[8] = 5.0, 3.0  # at 4.5 s
    figures.add("x", saved([onto], [1.0]))
    car = figures.summary("x")["by_class"]["car"]
    assert [car[h]["OverlapRate"] for h in ("3", "5", "8")] == [0.0, 1.0, 1.0]


def test_an_object_that_is_not_recorded_overlaps_nobody(tmp_path: Path) -> None:
    """As above, but the car is lost before its path is over the person: Waymo's box has no size then."""
    figures = WomdFigures([table(tmp_path, lost_from=45)])
    aside = TRUTH_M.copy()
    aside[7] = 5.0, 3.0
    figures.add("x", saved([aside], [1.0]))
    car = figures.summary("x")["by_class"]["car"]
    assert [car[h]["OverlapRate"] for h in ("3", "5", "8")] == [0.0, 0.0, 0.0]


def test_paths_of_another_frame_are_refused(tmp_path: Path) -> None:
    figures = WomdFigures([table(tmp_path)])
    with pytest.raises(InputError, match="expected track '7' at frame 700, found none"):
        figures.add("x", saved([TRUTH_M], [1.0], frame=700))


def test_the_command_reports_them(tmp_path: Path) -> None:
    table(tmp_path)
    report = evaluate("womd", tmp_path, "validation", [])
    cv = next(entry for entry in report["models"] if entry["model"] == "cv")
    assert cv["womd"]["mean"]["minADE"] == pytest.approx(0.0, abs=1e-6)
    assert cv["womd"]["mean"]["mAP"] == pytest.approx(1.0)
    assert cv["metrics"]["minFDE_6"] == pytest.approx(0.0, abs=1e-6)
    assert set(report["womd_definitions"]) == set(cv["womd"]["mean"])
