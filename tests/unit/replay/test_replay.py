"""The replay on a virtual clock: latencies worked out by hand, nothing sleeps."""

from __future__ import annotations

import math
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.replay_scenes import Costly, straight_scene
from trajnet.errors import ConfigError, InputError
from trajnet.inference import ConstantVelocity
from trajnet.replay.accuracy import path_errors
from trajnet.replay.replay import ReplayOptions, replay
from trajnet.timing.clock import VirtualClock, WallClock
from trajnet.timing.latency_summary import summarise
from trajnet.types import Source

MS = 1_000_000
ALWAYS = np.ones((6, 2), dtype=bool)


def test_latency_builds_up_where_the_load_is_more_than_the_predictor_can_do() -> None:
    """10 Hz at rate 5: a frame is due every 20 ms; each costs 30 ms. Frame i starts at 30 i, was due at 20 i."""
    clock = VirtualClock(123)
    result = replay(straight_scene(ALWAYS), Costly(clock, [30.0]), clock, ReplayOptions(rate=5.0, warmup_frames=0))
    assert [t.due_ns - 123 for t in result.timings] == [0, 20 * MS, 40 * MS, 60 * MS, 80 * MS, 100 * MS]
    assert result.latency_ns("wait").tolist() == [0, 10 * MS, 20 * MS, 30 * MS, 40 * MS, 50 * MS]
    assert result.latency_ns("model").tolist() == [30 * MS] * 6
    assert result.latency_ns("tracks").tolist() == [0] * 6
    assert result.latency_ns("output").tolist() == [0] * 6
    assert result.latency_ns("total").tolist() == [30 * MS, 40 * MS, 50 * MS, 60 * MS, 70 * MS, 80 * MS]
    # When frame 5 starts at 150 ms, nothing else is due; when frame 4 starts at 120 ms, frame 5 (due at 100) waits.
    assert result.backlog_max == 1


def test_a_wait_of_years_is_cut_to_ten_seconds_and_said(caplog: pytest.LogCaptureFixture) -> None:
    scene = straight_scene(ALWAYS)
    timestamp_ns = scene.timestamp_ns.copy()
    timestamp_ns[0] = 0
    timestamp_ns[1:] += 1_700_000_000_000 * MS
    clock = VirtualClock()
    late = replace(scene, timestamp_ns=timestamp_ns)
    result = replay(late, Costly(clock, [0.0]), clock, ReplayOptions(rate=2.0, warmup_frames=0))
    assert [t.due_ns // MS for t in result.timings] == [0, 5000, 5050, 5100, 5150, 5200]
    assert "gaps without frames are cut to 10 s: 1699999990.1 s in all" in caplog.text


def test_a_stall_shows_in_every_frame_that_it_delays() -> None:
    """Real time: due every 100 ms. Frame 1 stalls for 250 ms, the others cost 10 ms."""
    clock = VirtualClock()
    predictor = Costly(clock, [10.0, 250.0, 10.0])
    result = replay(straight_scene(ALWAYS), predictor, clock, ReplayOptions(warmup_frames=0, budget_ms=50.0))
    assert result.latency_ns("total").tolist() == [10 * MS, 250 * MS, 160 * MS, 70 * MS, 10 * MS, 10 * MS]
    assert result.deadline_misses == 3
    assert result.backlog_max == 1


@pytest.mark.parametrize(("budget_ms", "misses"), [(29.999999, 6), (30.0, 5), (50.0, 3), (80.0, 0)])
def test_a_deadline_is_missed_above_the_budget_and_not_at_it(budget_ms: float, misses: int) -> None:
    """Total latencies 30, 40, ... 80 ms as above."""
    clock = VirtualClock()
    options = ReplayOptions(rate=5.0, budget_ms=budget_ms, warmup_frames=0)
    assert replay(straight_scene(ALWAYS), Costly(clock, [30.0]), clock, options).deadline_misses == misses


def test_warm_up_frames_are_served_and_not_counted() -> None:
    clock = VirtualClock()
    options = ReplayOptions(warmup_frames=2, budget_ms=50.0)
    result = replay(straight_scene(ALWAYS), Costly(clock, [90.0, 90.0, 20.0]), clock, options)
    assert len(result.timings) == 6
    assert [t.index for t in result.measured] == [2, 3, 4, 5]
    assert result.latency()["total"].count == 4
    assert result.latency()["total"].max_ms == 20.0
    assert result.deadline_misses == 0


def test_default_warm_up_leaves_at_least_one_frame() -> None:
    assert replay(straight_scene(ALWAYS[:1]), ConstantVelocity(np.ones(1)), VirtualClock()).warmup_frames == 0
    assert replay(straight_scene(ALWAYS[:3]), ConstantVelocity(np.ones(1)), VirtualClock()).warmup_frames == 2
    many = np.ones((30, 1), dtype=bool)
    assert replay(straight_scene(many), ConstantVelocity(np.ones(1)), VirtualClock()).warmup_frames == 5


def test_as_fast_as_possible_gives_service_times_only() -> None:
    clock = VirtualClock()
    result = replay(straight_scene(ALWAYS), Costly(clock, [30.0]), clock, ReplayOptions(rate=math.inf, warmup_frames=0))
    assert result.latency_ns("wait").tolist() == [0] * 6
    assert result.latency_ns("total").tolist() == [30 * MS] * 6
    assert result.backlog_max == 0
    assert clock.now_ns() == 180 * MS


def test_the_track_policy_sees_how_long_a_frame_waited() -> None:
    """Late from 200 ms on: at rate 5 with 100 ms each, frame i waits 80 i ms, so frames 3, 4 and 5 are late."""
    clock = VirtualClock()
    result = replay(straight_scene(ALWAYS), Costly(clock, [100.0]), clock, ReplayOptions(rate=5.0))
    assert result.track_counters["late"] == 3
    assert [t.status for t in result.timings] == ["used", "used", "used", "late", "late", "late"]
    assert result.dropped == 0


def test_a_predictor_that_fails_is_counted_and_answered_by_physics() -> None:
    class Failing(ConstantVelocity):
        name = "failing"

        def predict(self, observations):  # type: ignore[no-untyped-def]
            raise RuntimeError("no luck")

    result = replay(straight_scene(ALWAYS), Failing(np.array([0.5, 1.0])), VirtualClock())
    assert result.guard_counters["failures"] == 6
    assert result.guard_counters["physics_rows"] == 12
    assert result.guard_counters["last_failure"] == "RuntimeError: no luck"
    assert all((p.source == Source.PHYSICS).all() for p in result.paths)


def test_every_frame_is_reported_as_it_is_served() -> None:
    seen: list[tuple[int, int]] = []
    present = ALWAYS.copy()
    present[2] = False
    scene = straight_scene(present)
    replay(scene, ConstantVelocity(np.ones(1)), VirtualClock(), on_frame=lambda t: seen.append((t.index, t.objects)))
    assert seen == [(0, 2), (1, 2), (2, 0), (3, 2), (4, 2), (5, 2)]


def test_kept_paths_are_those_of_the_scenes_first_tracks() -> None:
    result = replay(
        straight_scene(ALWAYS), ConstantVelocity(np.array([2.0])), VirtualClock(), ReplayOptions(keep_paths=1)
    )
    assert [p.track.tolist() for p in result.paths] == [[0]] * 6
    np.testing.assert_allclose(result.paths[3].offset_m, [[[[10.0, 0.0]]]])  # 5 m/s for 2 s


def test_percentiles_are_latencies_that_occurred() -> None:
    """Nearest rank of 1..200 ms: 50 % of 200 is the 100th value, 95 % the 190th, 99 % the 198th."""
    figures = summarise(np.arange(200, 0, -1) * MS)
    assert (figures.p50_ms, figures.p95_ms, figures.p99_ms, figures.max_ms) == (100.0, 190.0, 198.0, 200.0)
    assert (figures.count, figures.mean_ms) == (200, 100.5)
    one = summarise(np.array([7 * MS]))
    assert (one.p50_ms, one.p99_ms, one.max_ms) == (7.0, 7.0, 7.0)
    assert math.isnan(summarise(np.zeros(0, dtype=np.int64)).p50_ms)


def test_errors_of_constant_velocity_on_constant_velocity_are_zero_and_counted() -> None:
    """21 frames at 10 Hz, 1 s ahead: the future of the first 11 is recorded, of two tracks."""
    scene = straight_scene(np.ones((21, 2), dtype=bool))
    errors = path_errors(replay(scene, ConstantVelocity(np.array([0.5, 1.0])), VirtualClock()))
    assert errors.horizon_s == 1.0
    assert errors.groups["all"]["count"] == 22
    assert errors.groups["car"]["count"] == errors.groups["pedestrian"]["count"] == 11
    assert errors.groups["moving"]["count"] == 22
    assert errors.groups["all"]["minADE_1"] == pytest.approx(0.0, abs=1e-6)


def test_errors_worked_out_by_hand() -> None:
    """The path stands still, the object goes 5 m/s: 2.5 m off after 0.5 s, 5 m after 1 s; the mean is 3.75 m."""

    class Standing(ConstantVelocity):
        def predict(self, observations):  # type: ignore[no-untyped-def]
            answer = super().predict(observations)
            answer.position_m[:] = observations.position_m[:, None, None]
            return answer

    result = replay(straight_scene(np.ones((21, 1), dtype=bool)), Standing(np.array([0.5, 1.0])), VirtualClock())
    errors = path_errors(result)
    assert errors.groups["all"]["minADE_1"] == pytest.approx(3.75)
    assert errors.groups["all"]["minFDE_1"] == pytest.approx(5.0)
    assert errors.error_1_m == pytest.approx((2.5, 5.0))
    assert errors.error_k_m == pytest.approx((2.5, 5.0))


def test_no_errors_where_no_future_is_recorded() -> None:
    errors = path_errors(replay(straight_scene(ALWAYS), ConstantVelocity(np.array([3.0])), VirtualClock()))
    assert errors.groups == {}
    assert errors.time_s == ()


@pytest.mark.parametrize("rate", [0.0, -1.0, math.nan])
def test_rate_must_be_above_zero(rate: float) -> None:
    with pytest.raises(ConfigError, match="rate: expected a number above 0, got"):
        ReplayOptions(rate=rate)


@pytest.mark.parametrize("budget_ms", [0.0, -5.0, math.inf, math.nan])
def test_budget_must_be_above_zero(budget_ms: float) -> None:
    with pytest.raises(ConfigError, match="budget_ms: expected a number above 0, got"):
        ReplayOptions(budget_ms=budget_ms)


def test_a_scene_without_rows_is_refused() -> None:
    with pytest.raises(InputError, match="expected at least one object in one frame to replay, got none"):
        replay(straight_scene(np.zeros((4, 1), dtype=bool)), ConstantVelocity(np.ones(1)), VirtualClock())


def test_a_warm_up_longer_than_the_scene_is_refused() -> None:
    with pytest.raises(InputError, match="has 6 frames, got a warm-up of 6; ask for 5 or fewer"):
        replay(straight_scene(ALWAYS), ConstantVelocity(np.ones(1)), VirtualClock(), ReplayOptions(warmup_frames=6))


def test_wall_clock_never_returns_before_its_time() -> None:
    clock = WallClock()
    due_ns = clock.now_ns() + 2 * MS
    clock.sleep_until_ns(due_ns)
    after_ns = clock.now_ns()
    assert after_ns >= due_ns
    clock.sleep_until_ns(due_ns)  # in the past: at once
    assert clock.now_ns() >= after_ns


def test_what_was_stolen_is_read_of_the_cores_that_may_be_used(tmp_path: Path) -> None:
    cores = os.sched_getaffinity(0)
    mine = "".join(f"cpu{core} 1 0 2 3 0 0 0 {250 + core} 0 0\n" for core in cores)
    stat = tmp_path / "stat"
    stat.write_text(f"cpu  9 9 9 9 9 9 9 9999 0 0\n{mine}cpu{max(cores) + 1} 1 0 2 3 0 0 0 7777 0 0\nintr 5\n")
    ticks = os.sysconf("SC_CLK_TCK")
    assert WallClock().stolen_s(stat) == pytest.approx(sum(250 + core for core in cores) / ticks)
    for text in ("", "cpu0 1 2 3\n", mine.replace(" 0 0\n", " x\n").replace("25", "y")):
        stat.write_text(text)
        assert WallClock().stolen_s(stat) is None
    assert WallClock().stolen_s(tmp_path / "none") is None


def test_a_replay_says_what_was_stolen_meanwhile() -> None:
    class Robbed(VirtualClock):
        def stolen_s(self) -> float:
            return 5.0 + self.now_ns() * 1e-11

    clock = Robbed()
    found = replay(straight_scene(ALWAYS), ConstantVelocity(np.ones(1)), clock, ReplayOptions(warmup_frames=0))
    assert found.stolen_s == pytest.approx(clock.now_ns() * 1e-11)
    assert found.stolen_s
