"""Frames between recorded ones: where they lie, what they are made of, and that nothing of the future is in them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from trajnet.errors import InputError
from trajnet.scenes.densify import densified
from trajnet.types import ObjectClass, Scene

TRACKS, FRAMES = 2, 4


def scene(**changes: object) -> Scene:
    """Two cars at 2 Hz that accelerate along x, the second one 10 m to the left: x = t^2."""
    frame, track = np.divmod(np.arange(FRAMES * TRACKS), TRACKS)
    time_s = 0.5 * frame
    values: dict[str, object] = {
        "scene_id": "made",
        "timestamp_ns": np.arange(FRAMES) * 500_000_000,
        "frame_number": np.arange(FRAMES) + 7,
        "track_id": ("curved", "straight"),
        "object_class": np.full(TRACKS, int(ObjectClass.CAR), np.int8),
        "size_m": np.ones((TRACKS, 2)),
        "row_frame": frame,
        "row_track": track,
        "position_m": np.stack([time_s**2, 10.0 * track], 1),
        "yaw_rad": np.where(frame % 2 == 0, 3.1, -3.1),
        "yaw_valid": np.ones(len(frame), np.bool_),
        "velocity_mps": np.stack([2.0 * time_s, 0.0 * time_s], 1),
        "velocity_valid": np.ones(len(frame), np.bool_),
        "is_target": np.ones(len(frame), np.bool_),
    }
    return Scene(**{**values, **changes})  # type: ignore[arg-type]


def rows_of(made: Scene, track: int) -> np.ndarray:
    return np.flatnonzero(made.row_track == track)


def test_recorded_rows_stay_and_frames_lie_evenly_between() -> None:
    made = densified(scene(), 5)
    assert made.timestamp_ns.tolist() == (np.arange(16) * 100_000_000).tolist()
    recorded = made.row_frame % 5 == 0
    assert np.array_equal(made.position_m[recorded], scene().position_m)
    assert np.array_equal(made.is_target, recorded)
    assert np.bincount(made.row_frame).tolist() == [TRACKS] * 16


def test_one_track_is_curved_as_it_moved_and_the_other_straight() -> None:
    made = densified(scene(), 5)
    time_s = made.timestamp_ns[made.row_frame] * 1e-9
    curved, straight = rows_of(made, 0), rows_of(made, 1)
    later = time_s[curved] >= 0.5  # before there is nothing but a line between the first two
    np.testing.assert_allclose(made.position_m[curved, 0][later], time_s[curved][later] ** 2, atol=1e-12)
    expected = np.interp(time_s[straight], [0.0, 0.5, 1.0, 1.5], [0.0, 0.25, 1.0, 2.25])
    np.testing.assert_allclose(made.position_m[straight, 0], expected, atol=1e-12)
    np.testing.assert_allclose(made.velocity_mps[:, 0], 2.0 * time_s, atol=1e-12)


def test_yaws_turn_the_shorter_way() -> None:
    made = densified(scene(), 2)
    between = made.yaw_rad[made.row_frame == 1]
    np.testing.assert_allclose(np.cos(between), -1.0, atol=1e-9)


def test_nothing_of_the_future_is_in_the_rows_up_to_a_frame() -> None:
    whole = scene()
    moved = whole.position_m.copy()
    moved[whole.row_frame == 3] += 50.0
    one, other = densified(whole, 5), densified(replace(whole, position_m=moved), 5)
    before = one.row_frame <= 10
    assert np.array_equal(one.position_m[before], other.position_m[before])
    assert not np.array_equal(one.position_m, other.position_m)


def test_what_is_not_known_at_both_ends_is_not_known_between() -> None:
    valid = scene().row_frame != 2
    made = densified(scene(velocity_valid=valid, yaw_valid=valid), 2)
    for known in (made.velocity_valid, made.yaw_valid):
        assert known[made.row_frame == 1].all()
        assert not known[np.isin(made.row_frame, [3, 4, 5])].any()


def test_gaps_stay_gaps() -> None:
    whole = scene()
    kept = ~((whole.row_track == 0) & (whole.row_frame == 1))
    names = (
        "row_frame", "row_track", "position_m", "yaw_rad", "yaw_valid", "velocity_mps", "velocity_valid", "is_target",
    )  # fmt: skip
    gap = replace(whole, **{name: getattr(whole, name)[kept] for name in names})
    assert densified(gap, 2).row_frame[rows_of(densified(gap, 2), 0)].tolist() == [0, 4, 5, 6]
    late = replace(whole, timestamp_ns=np.array([0, 1, 2, 3]) * 2_000_000_000)
    assert (densified(late, 2).row_frame % 2 == 0).all()


def test_once_is_the_scene_itself_and_less_is_an_error() -> None:
    whole = scene()
    assert densified(whole, 1) is whole
    with pytest.raises(InputError, match="at least one frame for each recorded one, got 0"):
        densified(whole, 0)
