"""Speed bands, manoeuvres and the break-down of errors, on paths made by hand."""

from __future__ import annotations

import numpy as np
import pytest

from tests.unit.evaluate.test_evaluate import FAR_M, Modes, scene_of, straight
from trajnet.datasets.windows import windows_of_scene
from trajnet.evaluate.breakdown import breakdown
from trajnet.evaluate.calibration import calibration
from trajnet.evaluate.manoeuvres import (
    HISTORY_BANDS,
    MANOEUVRES,
    SPEED_BANDS,
    course_change,
    history_band,
    manoeuvre,
    speed_band,
)
from trajnet.evaluate.runner import run_unit
from trajnet.evaluate.scoring import Scores, shown_for_s
from trajnet.evaluate.tally import tally
from trajnet.evaluate.units import WindowUnit
from trajnet.inference import ConstantVelocity

TIME_S = np.arange(1.0, 13.0) * 0.5


def path(speed_mps: np.ndarray, turn_radps: float) -> np.ndarray:
    """(13, 2) from the origin: speed_mps (12,) over each half second, the course turning evenly from east."""
    course = np.arange(12) * 0.5 * turn_radps
    steps = 0.5 * speed_mps[:, None] * np.stack([np.cos(course), np.sin(course)], axis=1)
    return np.concatenate([np.zeros((1, 2)), np.cumsum(steps, axis=0)])


CASES = {
    "standing": path(np.full(12, 0.15), 0.0),
    "starting": path(np.linspace(0.0, 5.0, 12), 0.0),
    "stopping": path(np.linspace(5.0, 0.0, 12), 0.0),
    "u_turn": path(np.full(12, 4.0), 0.5),
    "left": path(np.full(12, 4.0), 0.15),
    "right": path(np.full(12, 4.0), -0.15),
    "straight": path(np.full(12, 4.0), 0.02),
}


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("heading_rad", [0.0, 2.5, -3.1])
def test_every_manoeuvre_is_told_whatever_the_heading(name: str, heading_rad: float) -> None:
    cos, sin = np.cos(heading_rad), np.sin(heading_rad)
    turned = CASES[name] @ np.array([[cos, sin], [-sin, cos]]) + FAR_M
    assert MANOEUVRES[manoeuvre(turned[None, 0], turned[None, 1:], TIME_S)[0]] == name


def test_noise_of_a_standing_object_is_no_manoeuvre() -> None:
    jitter = np.array([[0.1, -0.2], [-0.3, 0.1], [0.2, 0.3]] * 4)
    assert MANOEUVRES[manoeuvre(np.zeros((1, 2)), jitter[None], TIME_S)[0]] == "standing"


def test_the_course_changes_by_what_was_turned() -> None:
    # The first course is that of the first half second, the last that of the eleventh: 5.5 s of turning.
    assert course_change(CASES["left"][None])[0] == pytest.approx(5.5 * 0.15)
    assert course_change(CASES["right"][None])[0] == pytest.approx(-5.5 * 0.15)
    # Two metres out and back to where it was: there is no last stretch from which it came by one metre or more.
    there_and_back = np.array([[[0.0, 0.0], [2.0, 0.0], [0.0, 0.0]]])
    assert np.abs(course_change(there_and_back)) == pytest.approx(np.pi)


@pytest.mark.parametrize(("speed", "band"), [(0.0, 0), (0.49, 0), (0.5, 1), (4.9, 2), (5.0, 3), (14.9, 4), (40.0, 5)])
def test_speed_bands(speed: float, band: int) -> None:
    future = np.array([[[0.5 * speed, 0.0], [99.0, 0.0]]])
    assert speed_band(np.zeros((1, 2)), future, np.array([0.5, 1.0]))[0] == band
    assert len(SPEED_BANDS) == 6


@pytest.mark.parametrize(
    ("seen_s", "band"), [(0.0, 0), (0.9, 0), (1.0, 1), (1.9999999, 2), (7.9, 3), (16.0, 5), (99.0, 5)]
)
def test_history_bands(seen_s: float, band: int) -> None:
    assert history_band(np.array([seen_s]))[0] == band
    assert HISTORY_BANDS[0] == "0-1 s"
    assert HISTORY_BANDS[5] == "from 16 s"


def test_a_history_is_what_a_predictor_was_shown() -> None:
    frames = range(0, 200, 5)
    scene = scene_of({"old": straight(frames, 10.0), "new": straight(range(90, 200, 5), 1.0, 5.0)})
    now = scene.row_frame == 100  # 10 s after the first frame, 1 s after the newcomer's
    streamed = windows_of_scene(scene, now, np.zeros(1), TIME_S)
    assert streamed.seen_for_s.tolist() == pytest.approx([10.0, 1.0])
    assert shown_for_s(streamed, whole_scene=True).tolist() == pytest.approx([10.0, 1.0])
    two_seconds = windows_of_scene(scene, now, np.arange(-4.0, 1.0) * 0.5, TIME_S)
    assert two_seconds.seen_for_s.tolist() == pytest.approx([10.0, 1.0])
    assert shown_for_s(two_seconds, whole_scene=False).tolist() == pytest.approx([2.0, 1.0])
    assert {HISTORY_BANDS[i] for i in scored([1.0], [1.0]).history_band} == {"2-4 s"}


def scored(factor: list[float], probability: list[float]) -> Scores:
    """A car at 10 m/s and a pedestrian at 1 m/s, both steady, predicted 6 s ahead at 2 Hz by Modes."""
    scene = scene_of({"car": straight(range(0, 200, 5), 10.0), "walker": straight(range(0, 200, 5), 1.0, 5.0)})
    windows = windows_of_scene(scene, scene.row_frame == 20, np.arange(-4.0, 1.0) * 0.5, TIME_S)
    found = run_unit(WindowUnit(windows, "made", ()), Modes(factor, probability), TIME_S).scores
    assert found is not None
    return found


def test_the_breakdown_shares_the_error_out() -> None:
    # Standing still is 6.5 / 12 of the way off on average: 32.5 m for the car, 3.25 m for the walker.
    scores = scored([0.0, 1.0], [0.6, 0.4])
    found = breakdown(tally(scores), TIME_S, (1, 6))
    assert found["class"]["car"]["minADE_1"] == pytest.approx({"mean": 32.5, "share_of_error": 10 / 11})
    assert found["speed"]["0.5-2 m/s"]["minADE_1"] == pytest.approx({"mean": 3.25, "share_of_error": 1 / 11})
    assert found["manoeuvre"]["straight"]["share_of_objects"] == 1.0
    assert found["manoeuvre"]["straight"]["minFDE_1"]["mean"] == pytest.approx(33.0)
    assert found["class"]["car"]["minADE_6"]["share_of_error"] == 0.0  # the other mode is right: nothing to share out
    seconds = found["second"]
    assert list(seconds) == ["0-1", "1-2", "2-3", "3-4", "4-5", "5-6"]
    # Of 1 + 2 + ... + 12 = 78 parts the first second has 3 and the last 23.
    assert seconds["0-1"]["minADE_1"]["share_of_error"] == pytest.approx(3 / 78)
    assert seconds["5-6"]["minADE_1"]["share_of_error"] == pytest.approx(23 / 78)
    assert seconds["5-6"]["minADE_1"]["mean"] == pytest.approx(5.5 * 23 / 4)
    for division in ("class", "speed", "manoeuvre", "history"):
        parts = found[division].values()
        assert sum(p["objects"] for p in parts) == 2
        assert sum(p["minADE_1"]["share_of_error"] for p in parts) == pytest.approx(1.0)


def test_objects_without_a_whole_future_are_in_no_part() -> None:
    scene = scene_of({"car": straight(range(0, 100, 5), 10.0), "walker": straight(range(0, 50, 5), 1.0, 5.0)})
    windows = windows_of_scene(scene, scene.row_frame == 20, np.arange(-4.0, 1.0) * 0.5, TIME_S)
    scores = run_unit(WindowUnit(windows, "", ()), ConstantVelocity(TIME_S), TIME_S).scores
    assert scores is not None
    assert sorted(scores.known[:, -1].tolist()) == [False, True]
    assert scores.manoeuvre[scores.known[:, -1]].tolist() == [MANOEUVRES.index("straight")]
    assert list(breakdown(tally(scores), TIME_S, (1,))["class"]) == ["car"]


def test_calibration_names_the_worst_coverage_and_the_reliability() -> None:
    scores = scored([0.0, 1.0], [0.6, 0.4])
    share = np.array([[0.4] * 6, [0.93] * 6])
    share[1, 2] = 0.99
    scores.share["mixture_region"][:] = share
    found = calibration(tally(scores), TIME_S)
    rows = {(r["class"], r["horizon_s"]): r for r in found["coverage"]}
    assert {k: rows["all", 6.0][k] for k in ("objects", "50", "68", "90", "95")} == {
        "objects": 2, "50": 50.0, "68": 50.0, "90": 50.0, "95": 100.0,
    }  # fmt: skip
    assert rows["pedestrian", 1.0]["95"] == 100.0
    assert rows["pedestrian", 1.0]["90"] == 0.0
    # At 3 s the 95 % region holds one of two objects.
    assert found["worst"] == {
        "class": "all", "horizon_s": 3.0, "objects": 2, "level": 95.0, "covered": 50.0, "deviation_points": -45.0,
    }  # fmt: skip
    assert found["worst_of_classes"] is None  # one object is no class
    # The most probable mode says 0.6 and is never the closest.
    assert found["reliability"] == [
        {"from": 0.5, "to": 0.6, "objects": 2, "stated": pytest.approx(0.6), "happened": 0.0}
    ]
    assert found["ECE_top_mode"] == pytest.approx(0.6)
