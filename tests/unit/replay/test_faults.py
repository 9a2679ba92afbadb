"""Faults as transformations of a frame sequence, and what a consumer holds under them."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from tests.replay_scenes import Fan, crossing_scene, straight_scene
from tests.unit.cli.test_replay import app
from trajnet.config import from_dict, load_yaml
from trajnet.errors import ConfigError, InputError
from trajnet.inference import ConstantVelocity
from trajnet.replay.accuracy import path_errors
from trajnet.replay.fault_runs import FaultRun, fault_document, run_faults
from trajnet.replay.faults import KINDS, STRENGTHS, Delivery, Fault, FaultPlan, deliveries_of, inject
from trajnet.replay.replay import replay
from trajnet.scenes import write_scene
from trajnet.timing.clock import VirtualClock
from trajnet.tracking.store import TrackPolicy
from trajnet.types import ObjectClass

TIME_S = np.arange(1.0, 5.0) * 0.5
SCENE = straight_scene(np.ones((101, 4), dtype=bool))


def struck(kind: Any, strength: float, seed: int = 0, **options: float) -> tuple[list[Delivery], int]:
    found, counts = inject(SCENE, Fault(kind, (strength,), **options), strength, seed)
    return found, counts["hits"]


def test_every_kind_says_what_its_strength_is() -> None:
    assert set(STRENGTHS) == set(KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_strength_zero_changes_nothing_and_a_seed_repeats_itself(kind: Any) -> None:
    def same(a: list[Delivery], b: list[Delivery]) -> bool:
        return len(a) == len(b) and all(
            (x.arrives_ns, x.timestamp_ns, x.track_id) == (y.arrives_ns, y.timestamp_ns, y.track_id)
            and np.array_equal(x.position_m, y.position_m, equal_nan=True)
            and np.array_equal(x.object_class, y.object_class)
            for x, y in zip(a, b, strict=True)
        )

    clear = deliveries_of(SCENE)
    nothing, hits = struck(kind, 0.0)
    assert hits == 0
    assert same(nothing, clear)
    strong = 20.0 if kind == "burst" else 0.5
    assert same(struck(kind, strong)[0], struck(kind, strong)[0])
    assert not same(struck(kind, strong)[0], clear)
    if kind != "clock_jump":
        assert not same(struck(kind, strong, seed=1)[0], struck(kind, strong)[0])


def test_dropped_duplicated_and_reordered_frames() -> None:
    stamps = [d.timestamp_ns for d in deliveries_of(SCENE)]
    fewer, lost = struck("drop", 0.3)
    assert len(fewer) == 101 - lost
    assert 15 < lost < 46
    assert {d.timestamp_ns for d in fewer} >= {d.timestamp_ns for d in struck("drop", 0.5)[0]}  # nested
    more, twice = struck("duplicate", 0.3)
    assert len(more) == 101 + twice
    assert sorted({d.timestamp_ns for d in more}) == stamps
    turned, hits = struck("reorder", 0.2)
    order = [d.timestamp_ns for d in turned]
    assert sorted(order) == stamps
    assert sum(b < a for a, b in itertools.pairwise(order)) <= hits
    assert hits > 5


def test_delays_keep_the_order_and_have_their_mean() -> None:
    late, _ = struck("delay", 0.02)
    assert [d.timestamp_ns for d in late] == [d.timestamp_ns for d in deliveries_of(SCENE)]
    mean_s = np.mean([d.arrives_ns - d.timestamp_ns for d in late]) * 1e-9
    assert mean_s == pytest.approx(0.02, rel=0.15)


def test_a_clock_jump_moves_every_later_stamp_and_nothing_else() -> None:
    jumped, _ = struck("clock_jump", -5.0)
    shift = np.array([d.timestamp_ns - d.arrives_ns for d in jumped])
    assert shift.tolist() == [0] * 50 + [-5_000_000_000] * 51
    assert [d.clock_shift_ns for d in jumped] == shift.tolist()


def test_switched_ids_are_new_after_the_gap() -> None:
    switched, hits = struck("id_switch", 0.3, gap_s=0.3)
    ids = {t for d in switched for t in d.track_id}
    # An id is never seen if its object is lost again with the first observation, or has not come back at the end.
    assert hits - 2 <= len(ids) - 4 <= hits
    missing = sum(4 - len(d.track_id) for d in switched)
    assert 3 * hits - 6 <= missing <= 3 * hits  # three frames each
    for d in switched:
        assert [t.partition("~")[0] for t in d.track_id] == [f"t{SCENE.row_track[r]}" for r in d.row]


def test_flipped_classes_noise_and_nan_hit_their_share() -> None:
    clear = deliveries_of(SCENE)
    flipped, hits = struck("class_flip", 0.2)
    changed = sum(int((a.object_class != b.object_class).sum()) for a, b in zip(flipped, clear, strict=True))
    assert changed == hits
    assert hits == pytest.approx(0.2 * 404, rel=0.3)
    assert {int(c) for d in flipped for c in d.object_class} <= {int(c) for c in ObjectClass}
    noisy, _ = struck("position_noise", 0.3)
    error_m = np.concatenate([a.position_m - b.position_m for a, b in zip(noisy, clear, strict=True)])
    assert error_m.std() == pytest.approx(0.3, rel=0.1)
    broken, hits = struck("nan", 0.2)
    refused = [d.received() for d in broken]
    assert sum(bad for _, _, bad in refused) == hits
    assert all(len(frame) + bad == 4 for frame, _, bad in refused)
    assert all(frame.track_id == sent.track_id for frame, sent, _ in refused)


def test_a_burst_brings_ghosts_for_a_second() -> None:
    found, hits = struck("burst", 30)
    extra = np.array([len(d.row) - 4 for d in found])
    assert extra.tolist() == [0] * 50 + [30] * 10 + [0] * 40 + [30]
    assert hits == 330
    assert found[50].real.tolist() == [True] * 4 + [False] * 30
    found[50].received()


def runs(*faults: Fault, scene: Any = SCENE, predictor: Any = None, **options: Any) -> list[FaultRun]:
    predictor = predictor or ConstantVelocity(TIME_S)
    return run_faults(scene, predictor, FaultPlan(faults), VirtualClock(), **options)


def test_without_a_fault_the_errors_are_those_of_the_replay() -> None:
    scene = crossing_scene()
    fan = Fan(np.arange(1.0, 13.0) * 0.5)
    clear = runs(Fault("drop", (0.0,)), scene=scene, predictor=fan)[0]
    expected = path_errors(replay(scene, fan, VirtualClock())).groups["all"]
    for metric, values in clear.errors.items():
        assert len(values) == expected["count"]
        assert values.mean() == pytest.approx(expected[metric], abs=1e-4)  # the replay keeps float32
    assert clear.missing_share == 0.0


def test_a_steady_object_is_known_through_lost_late_and_reordered_frames() -> None:
    found = runs(Fault("drop", (0.3,)), Fault("delay", (0.1,)), Fault("reorder", (0.3,)), Fault("duplicate", (0.3,)))
    for run in found:
        assert np.nanmax(run.errors["minADE_1"]) < 1e-6
    counters = {run.fault.kind if run.fault else "none": run.counters for run in found}
    # Of two successive frames that are both hit only the second is overtaken.
    assert 0 < counters["reorder"]["out_of_order"] <= counters["reorder"]["hits"]
    assert counters["duplicate"]["duplicate"] == counters["duplicate"]["hits"] > 0
    assert counters["drop"]["frames"] == 101 - counters["drop"]["hits"]
    assert counters["none"]["hits"] == 0


def test_what_is_gone_for_longer_than_the_policy_allows_is_missing() -> None:
    scene = straight_scene(np.ones((60, 1), dtype=bool))
    lost = runs(Fault("nan", (1.0,)), scene=scene)[1]
    assert lost.missing_share == 1.0
    assert lost.counters["refused_objects"] == 60
    # All frames are 2 s late, so the newest path is always older than the policy's second.
    late = runs(Fault("delay", (2.0,)), scene=scene, policy=TrackPolicy(timeout_s=0.01))[1]
    assert late.missing_share > 0.9
    document = fault_document(runs(Fault("nan", (1.0,)), scene=scene), 0)
    assert np.isnan(document["runs"][1]["errors_m"]["minADE_1"])
    assert document["runs"][1]["judged"] == document["runs"][0]["judged"] > 0


def test_a_clock_that_jumps_back_starts_again() -> None:
    found = runs(Fault("clock_jump", (-5.0, 0.4, -0.4)))
    assert found[1].counters["clock_reset"] == 1
    assert found[1].counters["born"] == 8
    assert found[2].counters["clock_reset"] == 0
    # A short jump back is refused until three frames in a row have risen: the third is the new clock.
    assert found[3].counters["out_of_order"] + found[3].counters["duplicate"] == 2
    assert found[3].counters["clock_reset"] == 1
    assert found[3].missing_share == 0.0


def test_inherited_state_saves_an_object_whose_id_changes() -> None:
    """Without measured velocities a new track knows no speed: in its first frame it stands still."""
    rows = len(SCENE.row_frame)
    values = {name: getattr(SCENE, name) for name in SCENE.__dataclass_fields__ if not name.startswith("_")}
    blind = type(SCENE)(**{**values, "velocity_valid": np.zeros(rows, dtype=bool)})
    fault = Fault("id_switch", (0.5,), gap_s=0.0)
    without, inherited = (
        runs(fault, scene=blind, policy=TrackPolicy(handover=handover))[1] for handover in (False, True)
    )
    assert inherited.counters["handed_over"] == inherited.counters["hits"] > 10
    assert without.counters["handed_over"] == 0
    assert without.counters["born"] == 4 + without.counters["hits"]
    # Every object is born once, in the first frame, where all runs are wrong.
    assert np.nanmean(inherited.errors["minADE_1"][4:]) == pytest.approx(0.0, abs=1e-6)
    assert np.nanmean(without.errors["minADE_1"][4:]) > 0.1


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"faults": [{"kind": "drops", "strength": [0.1]}]}, "faults.0.: kind: expected one of 'drop'"),
        ({"faults": [{"kind": "drop", "strengths": [0.1]}]}, "unknown key 'strengths'; did you mean 'strength'"),
        ({"faults": [{"kind": "drop", "strength": [1.5]}]}, "drop: expected shares of at most 1, got 1.5"),
        ({"faults": [{"kind": "delay", "strength": [-1.0]}]}, "delay: expected strengths from 0"),
        ({"faults": [{"kind": "drop", "strength": []}]}, "drop: expected at least one strength"),
        ({"faults": []}, "faults: expected at least one fault"),
        ({"faults": [{"kind": "id_switch", "strength": [0.1], "gap_s": -1.0}]}, "gap_s: expected a time"),
    ],
)
def test_a_plan_of_nonsense_is_refused(values: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        from_dict(FaultPlan, values, "plan.yaml")


def test_the_committed_plans_are_read(root: Path) -> None:
    every = load_yaml(FaultPlan, root / "sim" / "faults" / "all.yaml")
    assert {f.kind for f in every.faults} == set(KINDS)
    assert load_yaml(FaultPlan, root / "sim" / "faults" / "demo.yaml").faults


def test_a_scene_too_short_to_judge_a_path_is_refused() -> None:
    one_frame = straight_scene(np.ones((1, 2), np.bool_))
    with pytest.raises(
        InputError, match=r"recorded in a frame and for 0\.5 s after, .* got none in 1 frames over 0\.0 s"
    ):
        runs(Fault("drop", (0.5,)), scene=one_frame)


def test_the_command_shows_and_writes_the_faults(tmp_path: Path) -> None:
    write_scene(crossing_scene(7.0), tmp_path / "crossing.parquet")
    plan = tmp_path / "plan.yaml"
    plan.write_text("seed: 3\nfaults:\n  - {kind: drop, strength: [0.5]}\n  - {kind: nan, strength: [0.1]}\n")
    files = tmp_path / "out.json", tmp_path / "out.html"
    result = CliRunner(env={"COLUMNS": "140"}).invoke(app, [
        "replay", str(tmp_path / "crossing.parquet"), "--model", "cv", "--rate", "max", "--faults", str(plan),
        "--json", str(files[0]), "--report", str(files[1]),
    ])  # fmt: skip
    assert result.exit_code == 0, result.output
    assert "Under faults" in result.output
    assert "drop 0.5" in result.output
    assert "the best mode flips" in result.output
    found = json.loads(files[0].read_text(encoding="utf-8"))
    assert [(r["fault"], r["strength"]) for r in found["faults"]["runs"]] == [
        ("none", 0.0),
        ("drop", 0.5),
        ("nan", 0.1),
    ]
    assert found["faults"]["seed"] == 3
    assert found["faults"]["runs"][2]["counters"]["refused_objects"] > 0
    assert found["consistency"]["model"] == found["consistency"]["cv"]
    assert "faults-card" in files[1].read_text(encoding="utf-8")
