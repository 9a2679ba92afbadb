"""Sums instead of scores: parts add up to the whole, and what is kept does not grow with the objects."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.domains import Stated
from tests.unit.evaluate.test_evaluate import Broken, scene_of, scores_of, straight, two_walkers, wavy
from trajnet import metrics
from trajnet.arrays import concat
from trajnet.engine.base import AHEAD
from trajnet.evaluate import open_dataset
from trajnet.evaluate.breakdown import breakdown
from trajnet.evaluate.calibration import calibration
from trajnet.evaluate.runner import model_results, run_unit
from trajnet.evaluate.scoring import METRICS, Scores
from trajnet.evaluate.tally import Tally, means, tally
from trajnet.evaluate.units import WindowUnit
from trajnet.inference import Stream, load_predictor
from trajnet.scenes import write_scene
from trajnet.tracking.store import TrackPolicy
from trajnet.types import FloatArray, ObjectClass

HORIZON_S = 3.0


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three scenes, in a folder of their own."""
    for number in range(3):
        tracks = {"car": straight(range(61), 10), "walker": straight(range(9, 50), 1.2, 5), "c": wavy(range(61), 20)}
        write_scene(scene_of(tracks, scene_id=f"s{number}"), tmp_path / "scenes" / f"s{number}.parquet")
    return tmp_path / "scenes"


def scores(folder: Path) -> Scores:
    return scores_of(open_dataset("scenes", folder, None, horizon_s=HORIZON_S), "kalman")


def test_parts_add_up_to_the_whole(folder: Path) -> None:
    every = scores(folder)
    cuts = [0, 10, 11, 200, len(every)]
    total = tally(every.select(slice(*cuts[:2])))
    for begin, end in pairwise(cuts[1:]):
        total.add(tally(every.select(slice(begin, end))))
    whole = tally(every)
    assert (total.everything.count == whole.everything.count).all()
    assert (total.everything.covered == whole.everything.covered).all()
    for got, expected in zip(leaves(total), leaves(whole), strict=True):
        assert got == (
            expected if isinstance(expected[1], str) else (expected[0], pytest.approx(expected[1], rel=1e-9))
        )
    assert list(total.by_group) == ["s0", "s1", "s2"]
    for name, sums in total.by_group.items():  # s0 and s2 are in several parts
        assert sums.means(0) == pytest.approx(means(every, every.group == name, -1), rel=1e-12)
        assert sums.objects == int((every.group == name).sum())
    assert total.everything.objects == len(every)
    for value, sums in enumerate(total.by_class):
        rows = every.object_class == value
        assert sums.means(-1) == pytest.approx(means(every, rows, -1), rel=1e-12)


def test_joint_metrics_add_up_and_a_sequence_is_of_one_scene(folder: Path) -> None:
    every = scores(folder)
    every = replace(every, mean_m=np.random.default_rng(0).random((len(every), 3)), final_m=every.mean_m)
    total = tally(every.select(slice(0, 200)), joint=True)
    total.add(tally(every.select(slice(200, len(every))), joint=True))
    known = every.known[:, -1]
    sequences: dict[tuple[str, int], Any] = {}
    for row in np.flatnonzero(known):
        key = (str(every.scene_id[row]), int(every.frame[row]))
        sequences[key] = sequences.get(key, 0.0) + every.mean_m[row]
    by_scene = {name: sum(m.min() for (s, _), m in sequences.items() if s == name) for name in ("s0", "s1", "s2")}
    assert total.joint_of()["SocialGAN_best_of_20_ADE"] == pytest.approx(sum(by_scene.values()) / known.sum())
    ones = known & (every.group == "s1")
    assert total.joint_of(group="s1")["SocialGAN_best_of_20_ADE"] == pytest.approx(by_scene["s1"] / ones.sum())
    walkers = total.joint_of(object_class=ObjectClass.PEDESTRIAN)["SocialGAN_best_of_20_ADE"]
    assert walkers == pytest.approx(
        every.mean_m[known & (every.object_class == ObjectClass.PEDESTRIAN)].min(axis=1).mean()
    )
    assert total.joint_of(group="none") == {}
    assert tally(every).joint_of() == {}


def leaves(of: Tally) -> list[tuple[str, Any]]:
    """Return the leaves of breakdown and calibration."""
    time_s = np.arange(1.0, 7.0) * 0.5
    return [*flat(breakdown(of, time_s, (1, 5))).items(), *flat(calibration(of, time_s)).items()]


def flat(found: Any, name: str = "") -> dict[str, Any]:
    """Return the leaves of a report by their place in it."""
    inside = found.items() if isinstance(found, dict) else enumerate(found) if isinstance(found, list) else None
    if inside is None:
        return {name: found}
    return {place: leaf for key, value in inside for place, leaf in flat(value, f"{name}/{key}").items()}


def test_a_mean_is_that_of_the_objects_whose_future_is_known(folder: Path) -> None:
    every = scores(folder)
    rows = np.arange(len(every)) % 2 == 0
    found = means(every, rows, 0)
    for name in METRICS:
        assert found[name] == pytest.approx(np.nanmean(every.values[name][rows, 0]), rel=1e-12)
    assert means(every, np.zeros(len(every), np.bool_), 0) == {}


def test_calibration_of_the_first_mode_and_of_all_are_told_apart(folder: Path) -> None:
    every, draw = scores(folder), np.random.default_rng(0)
    share = -np.sort(-draw.dirichlet(np.ones(3), len(every)), axis=1)
    every = replace(every, probability=share, closest=draw.integers(0, 3, every.closest.shape))
    share, hit = share[every.known[:, 0]], every.closest[every.known[:, 0], 0, None] == np.arange(3)
    found = means(every, np.ones(len(every), np.bool_), 0)
    assert found["ECE_top_mode"] == pytest.approx(metrics.expected_calibration_error(share[:, 0], hit[:, 0]))
    assert found["ECE_all_modes"] == pytest.approx(metrics.expected_calibration_error(share.ravel(), hit.ravel()))
    assert found["ECE_top_mode"] > 1.1 * found["ECE_all_modes"] > 0


def test_what_is_kept_of_a_scene_does_not_grow_with_its_objects(folder: Path) -> None:
    """Before, 3 to 4 kB of every object were: 2.5 GB for 85 scenes."""
    every = scores(folder)
    many = concat([every] * 20)
    assert len(many) > 4_000
    assert len(pickle.dumps(tally(many))) == pytest.approx(len(pickle.dumps(tally(every))), rel=0.01)
    dataset = open_dataset("scenes", folder, None, horizon_s=HORIZON_S)
    ((_, result),) = model_results(dataset, ["cv"])
    assert result.scores is None
    few = len(pickle.dumps(result.steps))
    steps = run_unit(dataset.units[0], load_predictor("cv"), dataset.time_s).steps
    before = result.steps.summary()["all"]["pairs"]
    result.steps.add(concat([steps] * 40))
    assert result.steps.summary()["all"]["pairs"] == before + 40 * len(steps) > 4_000
    assert len(pickle.dumps(result.steps)) == few


def test_what_predictors_did_is_added_up_over_the_units(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dataset = open_dataset("scenes", folder, None, horizon_s=HORIZON_S)
    time_s = dataset.time_s
    for made in (Broken(time_s), Stated(time_s)):
        monkeypatch.setattr("trajnet.evaluate.runner.load_predictor", lambda *_, made=made, **__: made)
        ((_, result),) = model_results(dataset, ["made"])
        units = [run_unit(unit, made, time_s) for unit in dataset.units]
        for name in ("model_rows", "physics_rows", "failures"):
            assert getattr(result.guard, name) == sum(getattr(unit.guard, name) for unit in units)
        assert result.guard.last_failure == units[-1].guard.last_failure
        assert result.judging.judgements == sum(unit.judging.judgements for unit in units)
    assert result.judging.judgements > 0


def test_windows_are_tracks_of_their_own_that_do_not_judge_themselves() -> None:
    unit, future_s = two_walkers()
    streams: list[Stream] = []

    class Watched(WindowUnit):
        def run(self, stream: Stream, time_s: FloatArray) -> Any:
            streams.append(stream)
            return super().run(stream, time_s)

    run_unit(Watched(unit.windows, "", ()), Stated(future_s), future_s)
    assert streams[0].judge is None
    assert streams[0].store.policy == TrackPolicy(
        handover=False, restart_leaps=False, filter_positions=False, doubt_velocities=False, doubt_headings=False,
        crossings=False,
    )  # fmt: skip


def test_a_bounded_number_of_units_is_in_flight(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is done before its turn waits in memory, and so does what is not asked for yet."""
    waiting: list[int] = []

    class Pool:
        def __init__(self, jobs: int, mp_context: Any, initializer: Callable[[], None]) -> None:
            self.submitted = 0

        def shutdown(self, **_: bool) -> None:
            return None

        def submit(self, function: Callable[..., Any], *arguments: Any) -> Future[Any]:
            self.submitted += 1
            waiting.append(self.submitted - taken)
            future: Future[Any] = Future()
            future.set_result(function(*arguments))
            return future

    monkeypatch.setattr("trajnet.engine.pool.ProcessPoolExecutor", Pool)
    taken = 0

    def progress(done: int, total: int) -> None:
        nonlocal taken
        taken = done

    dataset = open_dataset("scenes", folder, None, horizon_s=HORIZON_S)
    specs = ["cv", "ctrv", "kalman"]
    alone = dict(model_results(dataset, specs))
    shared = dict(model_results(dataset, specs, jobs=2, progress=progress))
    assert max(waiting) == AHEAD * 2 < len(specs) * len(dataset.units)
    for spec in specs:
        assert shared[spec].tally.everything.means(-1) == alone[spec].tally.everything.means(-1)
