"""Shifted copies: exactly so many agents, the scene's own untouched."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from tests.replay_scenes import straight_scene
from trajnet.errors import InputError
from trajnet.replay.multiply_agents import COPY_GAP_M, multiply_agents

PRESENT = npst.arrays(np.bool_, st.tuples(st.integers(1, 8), st.integers(1, 5))).filter(lambda p: bool(p.any()))


@settings(max_examples=60, deadline=None)
@given(PRESENT, st.integers(0, 40))
def test_every_frame_that_has_objects_gets_exactly_as_many_as_asked_for(present: np.ndarray, more: int) -> None:
    scene = straight_scene(present)
    agents = int(present.sum(axis=1).max()) + more
    loaded = multiply_agents(scene, agents)
    for index in range(scene.frame_count):
        frame = loaded.frame(index)
        assert len(frame) == (agents if present[index].any() else 0)
        assert len(set(frame.track_id)) == len(frame)
        own, count = scene.frame(index), len(scene.frame(index))
        assert frame.track_id[:count] == own.track_id
        np.testing.assert_array_equal(frame.position_m[:count], own.position_m)


@settings(max_examples=60, deadline=None)
@given(PRESENT, st.integers(0, 40))
def test_copies_move_as_their_originals_and_meet_nobody(present: np.ndarray, more: int) -> None:
    scene = straight_scene(present)
    loaded = multiply_agents(scene, int(present.sum(axis=1).max()) + more)
    own = len(scene.track_id)
    assert loaded.track_id[:own] == scene.track_id
    by_id = {t: i for i, t in enumerate(scene.track_id)}
    rows = {(f, t): r for r, (f, t) in enumerate(zip(scene.row_frame, scene.row_track, strict=True))}
    for rows_of_copy in loaded.rows_by_track()[own:]:
        track = int(loaded.row_track[rows_of_copy[0]])
        origin = by_id[loaded.track_id[track].split("#")[0]]
        assert loaded.object_class[track] == scene.object_class[origin]
        source = [rows[int(f), origin] for f in loaded.row_frame[rows_of_copy]]
        shift_m = loaded.position_m[rows_of_copy] - scene.position_m[source]
        np.testing.assert_allclose(shift_m, np.broadcast_to(shift_m[0], shift_m.shape), atol=1e-9)
        np.testing.assert_array_equal(loaded.velocity_mps[rows_of_copy], scene.velocity_mps[source])
        distance_m = np.abs(loaded.position_m[rows_of_copy][:, None] - scene.position_m).max(axis=2)
        assert distance_m.min() >= COPY_GAP_M - 1e-9


def test_a_copy_stays_as_long_as_it_is_needed() -> None:
    """Two objects all the time, a third in the middle: of two copies for N = 4 the newer gives way and comes back."""
    present = np.ones((6, 3), dtype=bool)
    present[[0, 1, 4, 5], 2] = False
    loaded = multiply_agents(straight_scene(present), 4)
    copies = [loaded.frame(i).track_id[present[i].sum() :] for i in range(6)]
    assert copies == [("t0#1", "t1#1")] * 2 + [("t0#1",)] * 2 + [("t0#1", "t1#1")] * 2


def test_ids_are_unique_where_the_scene_has_the_mark_itself() -> None:
    scene = straight_scene(np.ones((2, 1), dtype=bool))
    object.__setattr__(scene, "track_id", ("t#1",))
    assert multiply_agents(scene, 3).frame(0).track_id == ("t#1", "t#1##1", "t#1##2")


def test_as_many_as_there_are_changes_nothing() -> None:
    scene = straight_scene(np.ones((3, 2), dtype=bool))
    loaded = multiply_agents(scene, 2)
    assert loaded.track_id == scene.track_id
    np.testing.assert_array_equal(loaded.position_m, scene.position_m)


def test_fewer_than_the_scene_has_is_refused() -> None:
    with pytest.raises(InputError, match="up to 3 objects in a frame, got 2; ask for 3 or more"):
        multiply_agents(straight_scene(np.ones((2, 3), dtype=bool)), 2)
