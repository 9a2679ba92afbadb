"""Histories on a grid and futures between observations, by hand."""

from __future__ import annotations

import numpy as np
import pytest

from tests.frames import SECOND, frame, scene
from trajnet.arrays import concat
from trajnet.datasets import nuscenes
from trajnet.datasets.windows import (
    frames_of,
    sliding_windows,
    windows_of_scene,
)
from trajnet.errors import InputError
from trajnet.inference import ConstantTurnRate, Stream

TIMES = np.array([0.0, 0.5, 1.0, 1.5, 2.0, 4.0])
#: a is missing at 0.5 s and from 2 s on there is a gap of 2 s; b is seen twice.
SCENE = scene(
    TIMES.tolist(),
    {"a": {0: (0, 0), 2: (2, 0), 3: (3, 1), 4: (4, 2), 5: (8, 6)}, "b": {3: (0, 9), 4: (0, 8)}},
    yaw_rad=np.arange(7) * 0.1,
    yaw_valid=np.ones(7, bool),
)
HISTORY, FUTURE = np.array([-1.0, -0.5, 0.0]), np.array([0.25, 0.5, 1.0])


def test_a_history_and_its_mask_by_hand() -> None:
    rows = np.flatnonzero((SCENE.row_frame == 3) & (SCENE.row_track == 0))
    got = windows_of_scene(SCENE, rows, HISTORY, FUTURE)
    assert got.observed.tolist() == [[False, True, True]]  # nothing at 0.5 s
    np.testing.assert_array_equal(got.position_m, [[[0, 0], [2, 0], [3, 1]]])
    np.testing.assert_allclose(got.yaw_rad, [[0.0, 0.1, 0.2]])
    assert (got.track_id[0], got.frame[0], got.timestamp_ns[0]) == ("a", 30, 1_500_000_000)
    np.testing.assert_allclose(got.future_m, [[[3.5, 1.5], [4.0, 2.0], [0.0, 0.0]]])
    assert got.future_valid.tolist() == [[True, True, False]]  # 2.5 s lies in the gap


def test_a_longer_gap_may_be_allowed() -> None:
    rows = np.flatnonzero((SCENE.row_frame == 4) & (SCENE.row_track == 0))
    got = windows_of_scene(SCENE, rows, HISTORY, np.array([0.5, 1.0, 2.0, 2.1]), max_gap_s=2.0)
    np.testing.assert_allclose(got.future_m, [[[5, 3], [6, 4], [8, 6], [0, 0]]])
    assert got.future_valid.tolist() == [[True, True, True, False]]


def test_a_gap_of_exactly_the_limit_is_allowed_wherever_the_clock_stands() -> None:
    for start_s in np.arange(0.1, 3.0, 0.1):
        made = scene([0.0, start_s, start_s + 1.0], {"a": {1: (0, 0), 2: (2, 0)}, "first": {0: (9, 9)}})
        got = windows_of_scene(made, np.array([1]), np.array([0.0]), np.array([0.5]))
        np.testing.assert_allclose(got.future_m, [[[1, 0]]], atol=1e-6)


def test_an_observation_counts_within_a_quarter_of_the_step() -> None:
    for offset_s, counts in ((0.1249, True), (0.1251, False)):
        for sign in (1, -1):
            made = scene([1.0, 1.5 + sign * offset_s, 2.0], {"a": {0: (0, 0), 1: (1, 0), 2: (2, 0)}})
            got = windows_of_scene(made, np.array([2]), np.array([-0.5, 0.0]), FUTURE)
            assert got.observed.tolist() == [[counts, True]]
            assert got.position_m[0, 0].tolist() == ([1, 0] if counts else [0, 0])


def test_windows_come_in_the_order_of_the_rows() -> None:
    everything = windows_of_scene(SCENE, np.ones(7, bool), HISTORY, FUTURE)
    assert len(everything) == 7
    assert everything.observed[:, -1].all()
    np.testing.assert_array_equal(everything.position_m[:, -1], SCENE.position_m)
    some = windows_of_scene(SCENE, np.array([5, 0]), HISTORY, FUTURE)
    for name in ("track_id", "position_m", "future_m", "future_valid", "observed"):
        np.testing.assert_array_equal(getattr(some, name), getattr(everything, name)[[5, 0]])
        np.testing.assert_array_equal(getattr(everything.select(np.array([5, 0])), name), getattr(some, name))
    assert not everything.future_valid[-1].any()
    assert len(windows_of_scene(SCENE, np.zeros(7, bool), HISTORY, FUTURE)) == 0


@pytest.mark.parametrize("history", [[], [0.0, 0.5], [-0.5, -0.5, 0.0], [-1.0, -0.5]])
def test_a_history_ends_now(history: list[float]) -> None:
    with pytest.raises(InputError, match="history_time_s: expected increasing times that end with 0"):
        windows_of_scene(SCENE, np.array([0]), np.array(history), FUTURE)


def test_a_row_is_asked_for_once() -> None:
    with pytest.raises(InputError, match="at most once"):
        windows_of_scene(SCENE, np.array([1, 1]), HISTORY, FUTURE)


def test_parts_are_joined_if_their_grids_agree() -> None:
    one, two = (windows_of_scene(SCENE, np.array([r]), HISTORY, FUTURE) for r in (1, 4))
    both = concat([one, two])
    assert len(both) == 2
    np.testing.assert_array_equal(both.position_m, np.concatenate([one.position_m, two.position_m]))
    other = windows_of_scene(SCENE, np.array([1]), HISTORY, FUTURE[:2])
    with pytest.raises(InputError, match=r"Windows\.future_time_s: expected .* in all parts"):
        concat([one, other])


def test_sliding_windows_want_a_known_future() -> None:
    made = scene(np.arange(0, 2.01, 0.5).tolist(), {"a": {i: (i, 0) for i in range(5)}, "b": {0: (0, 5), 1: (0, 6)}})
    got = sliding_windows(made, np.array([-0.5, 0.0]), np.array([0.5, 1.0]), min_future_s=1.0)
    assert [(str(t), f) for t, f in zip(got.track_id, got.frame, strict=True)] == [("a", 0), ("a", 10), ("a", 20)]
    got = sliding_windows(made, np.array([-0.5, 0.0]), np.array([0.5, 1.0]), stride=2, offset=1)
    assert [(str(t), f) for t, f in zip(got.track_id, got.frame, strict=True)] == [("a", 10), ("a", 30)]
    got = sliding_windows(made, np.array([-0.5, 0.0]), np.array([0.5, 1.0]), min_future_s=0.5)
    assert [str(t) for t in got.track_id] == ["a", "b", "a", "a", "a"]


def test_frames_of_windows_are_masked_and_timed() -> None:
    windows = windows_of_scene(SCENE, np.array([2, 3]), HISTORY, FUTURE)
    assert windows.observed.tolist() == [[False, True, True], [False, False, True]]
    first, second, last = frames_of(windows, [0, 1])
    assert [f.timestamp_ns for f in (first, second, last)] == [-SECOND, -SECOND // 2, 0]
    assert [f.track_id for f in (first, second, last)] == [(), ("0",), ("0", "1")]
    np.testing.assert_array_equal(last.position_m, windows.position_m[:, -1])
    assert next(iter(frames_of(windows, [1]))).track_id == ()


def test_windows_in_lockstep_equal_tracks_fed_one_by_one() -> None:
    draw = np.random.default_rng(1)
    count = 30
    walk = {
        f"t{m}": {
            i: (3.0 * i + draw.normal(), 10.0 * m + draw.normal()) for i in range(5) if i == 4 or draw.random() < 0.7
        }
        for m in range(count)
    }
    made = scene((np.arange(5) * 0.5).tolist(), walk)
    rows = np.flatnonzero(made.row_frame == 4)
    windows = windows_of_scene(made, rows, nuscenes.HISTORY_S, nuscenes.FUTURE_S)
    together = Stream(ConstantTurnRate(nuscenes.FUTURE_S))
    for one in frames_of(windows, range(count)):
        answer = together.update(one, one.timestamp_ns)
    for m in range(count):
        alone = Stream(ConstantTurnRate(nuscenes.FUTURE_S))
        for i, place in sorted(walk[f"t{m}"].items()):
            seen = frame(0.5 * i, {"x": place}, yaw=None)
            expected = alone.update(seen, seen.timestamp_ns)
        row = answer.track_id.index(str(m))
        np.testing.assert_allclose(answer.position_m[row], expected.position_m[0], atol=1e-9)
        np.testing.assert_allclose(answer.yaw_rad[row], expected.yaw_rad[0], atol=1e-12)


def test_histories_and_futures_are_those_of_a_search_in_each_track() -> None:
    """Many tracks with gaps, asked at once, against one track after the other."""
    draw = np.random.default_rng(5)
    times = np.cumsum(draw.uniform(0.05, 0.4, 60))
    seen = {
        name: {int(i): tuple(draw.normal(size=2)) for i in np.flatnonzero(draw.random(60) < 0.6)} for name in "abcde"
    }
    made = scene(times.tolist(), seen)
    got = windows_of_scene(made, np.arange(len(made.row_frame)), HISTORY, FUTURE)
    time_s = (made.timestamp_ns - made.timestamp_ns[0]) * 1e-9
    for i in range(len(got)):
        own = np.flatnonzero(made.row_track == made.row_track[i])
        own_s, now_s = time_s[made.row_frame[own]], time_s[made.row_frame[i]]
        assert got.seen_for_s[i] == now_s - own_s[0]
        for j, ago_s in enumerate(HISTORY):
            off_s = np.abs(own_s - (now_s + ago_s))
            assert got.observed[i, j] == (off_s.min() < 0.125)
            if got.observed[i, j]:
                np.testing.assert_array_equal(got.position_m[i, j], made.position_m[own[off_s.argmin()]])
        for j, ask_s in enumerate(now_s + FUTURE):
            after = np.searchsorted(own_s, ask_s - 1e-6)
            within = 0 < after < len(own_s) and own_s[after] - own_s[after - 1] <= 1.0 + 1e-6
            exact = after < len(own_s) and abs(own_s[after] - ask_s) <= 1e-6
            assert got.future_valid[i, j] == (exact or within)
            if got.future_valid[i, j]:
                x, y = (np.interp(ask_s, own_s, made.position_m[own, axis]) for axis in (0, 1))
                np.testing.assert_allclose(got.future_m[i, j], [x, y], atol=1e-6)
