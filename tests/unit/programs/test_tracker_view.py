"""A tracker's view of a scene: each error by its stated size, and the tool that measures them."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "sim"))

import tracker_view
from measure_tracker import correlation, measure, tracks_of
from sumo_recording import STEP_S, Track, scene_of_tracks
from tracker_view import NOISE, Noise, at_rate, correlated, on_and_off
from tracker_view import tracker_view as reported

from trajnet.errors import InputError
from trajnet.scenes import write_scene
from trajnet.types import ObjectClass, Scene

CAR = ObjectClass.CAR
#: Without any error but those that a test asks for.
NONE = Noise(1e-9, 1e-9, 1e-9, 0.0, reversed_share=0.0, id_change_hz=0.0, birth_s=0.0, velocity_after_s=0.0)


def scene_with(count: int, frames: int, speed_mps: float = 0.0) -> Scene:
    """Cars 10 m apart that stand, or drive along x."""
    x_m = speed_mps * STEP_S * np.arange(frames)
    tracks = [
        Track(
            CAR,
            (4.5, 1.8),
            np.arange(frames),
            np.stack([x_m, np.full(frames, 10.0 * i)], axis=1),
            np.full(frames, 0.3 if speed_mps == 0 else 0.0),
        )
        for i in range(count)
    ]
    return scene_of_tracks("s", tracks, [np.ones(frames, np.bool_)] * count, lanes=())


def with_noise(monkeypatch: pytest.MonkeyPatch, **errors: float) -> None:
    monkeypatch.setattr(tracker_view, "NOISE", {kind: replace(NONE, **errors) for kind in NOISE})
    monkeypatch.setattr(tracker_view, "NO_VELOCITY_SHARE", 0.0)
    monkeypatch.setattr(tracker_view, "TRACK_SPREAD", 1e-9)


@pytest.mark.parametrize("rate_hz", [2.0, 10.0])
def test_noise_has_the_stated_size_and_correlation(rate_hz: float) -> None:
    steps_s = np.full(60_000, 1.0 / rate_hz)
    noise = correlated(np.random.default_rng(0), steps_s, 2, 1.2)
    np.testing.assert_allclose(noise.std(axis=0), 1.0, atol=0.06)
    for lag in (1, 2, 5):
        found = (noise[lag:] * noise[:-lag]).mean()
        assert found == pytest.approx(np.exp(-lag / rate_hz / 1.2), abs=0.06)


def test_a_gap_in_time_counts_as_time() -> None:
    steps_s = np.tile([0.1, 2.0], 20_000)
    noise = correlated(np.random.default_rng(0), steps_s, 1, 1.0)[:, 0]
    pairs = noise[1:] * noise[:-1]
    assert pairs[0::2].mean() == pytest.approx(np.exp(-2.0), abs=0.05)
    assert pairs[1::2].mean() == pytest.approx(np.exp(-0.1), abs=0.05)


def test_states_are_on_for_their_share_and_length() -> None:
    steps_s = np.full(200_000, 0.1)
    state = on_and_off(np.random.default_rng(0), steps_s, 0.1, 0.8)
    assert state.mean() == pytest.approx(0.1, abs=0.01)
    runs = np.flatnonzero(np.diff(state.astype(np.int8)) == 1)
    assert state.sum() * 0.1 / len(runs) == pytest.approx(0.8, rel=0.12)
    assert not on_and_off(np.random.default_rng(0), steps_s, 0.0, 0.8).any()


def test_positions_are_off_by_the_stated_noise(monkeypatch: pytest.MonkeyPatch) -> None:
    with_noise(monkeypatch, position_m=0.1, position_s=1.2)
    scene = scene_with(40, 600)
    seen = reported(np.random.default_rng(0), scene, 10.0)
    tracks = list(tracks_of(seen, set()))
    error_m = [t.position_m - t.position_m.mean(axis=0).round(-1) for t in tracks]
    assert np.concatenate(error_m).std() == pytest.approx(0.1, rel=0.1)
    assert correlation(error_m, [t.frame for t in tracks], 10) == pytest.approx(np.exp(-1 / 1.2), abs=0.06)


def test_velocity_and_yaw_are_off_by_the_stated_noise(monkeypatch: pytest.MonkeyPatch) -> None:
    with_noise(monkeypatch, velocity_mps=0.2, velocity_s=0.3, yaw_rad=0.05, yaw_s=1.0)
    scene = scene_with(30, 400, speed_mps=8.0)
    seen = reported(np.random.default_rng(0), scene, 10.0)
    assert (seen.velocity_mps[seen.velocity_valid] - [8.0, 0.0]).std() == pytest.approx(0.2, rel=0.1)
    assert seen.yaw_rad.std() == pytest.approx(0.05, rel=0.15)


def test_yaws_turn_round_for_their_share(monkeypatch: pytest.MonkeyPatch) -> None:
    with_noise(monkeypatch, reversed_share=0.1)
    seen = reported(np.random.default_rng(0), scene_with(40, 600), 10.0)
    assert (np.cos(seen.yaw_rad - 0.3) < 0).mean() == pytest.approx(0.1, abs=0.03)


def test_detections_are_missed_and_ids_change(monkeypatch: pytest.MonkeyPatch) -> None:
    scene = scene_with(30, 600)
    with_noise(monkeypatch, missed_share=0.1, missed_s=0.5)
    missed = reported(np.random.default_rng(0), scene, 10.0)
    assert len(missed.row_frame) / len(scene.row_frame) == pytest.approx(0.9, abs=0.03)
    assert len(missed.track_id) == 30
    with_noise(monkeypatch, id_change_hz=0.05)
    changed = reported(np.random.default_rng(0), scene, 10.0)
    assert len(changed.track_id) - 30 == pytest.approx(30 * 60 * 0.05, rel=0.3)
    assert len(changed.row_frame) > 0.98 * len(scene.row_frame)


def test_births_are_late_and_velocity_comes_later(monkeypatch: pytest.MonkeyPatch) -> None:
    with_noise(monkeypatch, birth_s=1.0, velocity_after_s=0.5)
    seen = reported(np.random.default_rng(0), scene_with(60, 100, speed_mps=5.0), 10.0)
    first_s = np.array([seen.row_frame[rows[0]] * STEP_S for rows in seen.rows_by_track()])
    assert first_s.max() <= 1.0 + 1e-6
    assert first_s.mean() == pytest.approx(0.55, abs=0.12)
    for rows in seen.rows_by_track():
        age_s = (seen.row_frame[rows] - seen.row_frame[rows[0]]) * STEP_S
        np.testing.assert_array_equal(seen.velocity_valid[rows], age_s >= 0.5 - 1e-6)


def test_sizes_are_wrong_by_a_few_percent(monkeypatch: pytest.MonkeyPatch) -> None:
    with_noise(monkeypatch)
    seen = reported(np.random.default_rng(0), scene_with(200, 20), 10.0)
    assert np.log(seen.size_m / [4.5, 1.8]).std() == pytest.approx(tracker_view.SIZE_ERROR, rel=0.2)


def test_some_trackers_report_no_velocity(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracker_view, "NO_VELOCITY_SHARE", 1.0)
    seen = reported(np.random.default_rng(0), scene_with(3, 60, speed_mps=5.0), 10.0)
    assert not seen.velocity_valid.any()
    assert "without velocity" in seen.source


@pytest.mark.parametrize(("rate_hz", "frames"), [(2.0, 12), (2.5, 15), (5.0, 30), (10.0, 60), (20.0, 119)])
def test_rates(rate_hz: float, frames: int) -> None:
    scene = at_rate(scene_with(2, 60, speed_mps=6.0), rate_hz)
    assert scene.frame_count == frames
    assert set(np.diff(scene.timestamp_ns)) == {round(1e9 / rate_hz)}
    time_s = scene.timestamp_ns[scene.row_frame] * 1e-9
    np.testing.assert_allclose(scene.position_m[:, 0], 6.0 * time_s, atol=2e-3)


def test_a_rate_that_is_no_part_of_the_recording_is_refused() -> None:
    with pytest.raises(InputError, match="expected a rate"):
        at_rate(scene_with(1, 20), 3.0)


def test_noise_refuses_what_is_no_noise() -> None:
    with pytest.raises(InputError, match="above 0"):
        Noise(0.0, 0.1, 0.1, 0.1)
    with pytest.raises(InputError, match=r"from 0 to 0\.5"):
        Noise(0.1, 0.1, 0.1, 0.6)


def test_the_same_seed_gives_the_same_view() -> None:
    scene = scene_with(5, 100, speed_mps=4.0)
    first, second = (reported(np.random.default_rng(7), scene, 5.0) for _ in range(2))
    np.testing.assert_array_equal(first.position_m, second.position_m)
    assert first.track_id == second.track_id
    assert reported(np.random.default_rng(8), scene, 5.0).position_m.tolist() != first.position_m.tolist()


def test_the_tool_finds_the_noise_that_was_put_in(monkeypatch: pytest.MonkeyPatch) -> None:
    with_noise(monkeypatch, position_m=0.1, position_s=1.2, missed_share=0.06, missed_s=0.6, yaw_rad=0.03)
    seen = reported(np.random.default_rng(0), scene_with(60, 1200), 2.0)
    found = measure(list(tracks_of(seen, set())), 0.5)
    assert found["standing_share"] == 1.0
    assert found["position_robust_m"] == pytest.approx(0.1, rel=0.12)
    assert found["position_correlation_0.5s"] == pytest.approx(np.exp(-0.5 / 1.2), abs=0.06)
    assert found["missing_share"] == pytest.approx(0.06, abs=0.02)
    assert found["yaw_robust_deg"] == pytest.approx(np.rad2deg(0.03), rel=0.15)
    moving = reported(np.random.default_rng(0), scene_with(10, 300, speed_mps=3.0), 2.0)
    assert measure(list(tracks_of(moving, set())), 0.5)["standing_share"] == 0.0


def test_the_tool_prints_a_table_and_refuses_mixed_rates(root: Path, tmp_path: Path) -> None:
    scene = scene_with(3, 200)
    write_scene(scene, tmp_path / "a.parquet")
    program = [sys.executable, str(root / "sim" / "measure_tracker.py"), str(tmp_path)]

    def run() -> subprocess.CompletedProcess[str]:
        return subprocess.run(program, env={"PYTHONPATH": str(root)}, capture_output=True, text=True, check=False)

    assert "position_robust_m" in run().stdout
    write_scene(at_rate(scene, 2.0), tmp_path / "b.parquet")
    done = run()
    assert done.returncode == 2
    assert "expected scenes of one rate" in done.stderr
