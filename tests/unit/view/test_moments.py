"""What viewers are shown of each frame, whichever viewer it is."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.replay_scenes import Fan, straight_scene
from trajnet.picture import scene_picture
from trajnet.types import Lane, Scene
from trajnet.view.moments import HISTORY_S, Moment, map_lines, moments, origin_m, words

FAN = Fan(np.arange(1.0, 7.0) * 0.5)


@pytest.fixture(scope="module")
def scene() -> Scene:
    """Two objects over 5 s; one is not there for a while, and in the first and another frame there is nobody."""
    present = np.ones((51, 2), dtype=np.bool_)
    present[0] = False
    present[20:25, 1] = False
    present[30] = False
    return straight_scene(present)


@pytest.fixture(scope="module")
def seen(scene: Scene) -> list[Moment]:
    return list(moments(scene, FAN))


def test_lanes_with_centre_lines_alone_have_edges(scene: Scene) -> None:
    none, line_m = np.zeros((0, 2)), np.array([[0.0, 0.0], [30.0, 0.0]])
    lanes = (Lane("1", none, none, line_m), Lane("2", none, none, none))
    edges = list(map_lines(replace(scene, lanes=lanes)))
    assert [line[:, 1].tolist() for line in edges] == [[1.75, 1.75], [-1.75, -1.75], [], []]
    assert scene_picture(replace(scene, lanes=lanes)).count("<polygon") == scene_picture(scene).count("<polygon") + 1


def test_every_frame_has_its_objects_and_what_was_said_of_them(scene: Scene, seen: list[Moment]) -> None:
    assert [moment.index for moment in seen] == list(range(scene.frame_count))
    for moment in seen:
        if moment.prediction is None:
            assert moment.index == 0
        elif len(moment.now):
            assert moment.prediction.track_id[: len(moment.now)] == moment.now.track_id  # then who is missed
            assert moment.prediction.timestamp_ns == scene.timestamp_ns[moment.index]
            ahead_m = moment.prediction.position_m[: len(moment.now), 0, 0] - moment.now.position_m
            assert np.hypot(*ahead_m.T).max() < 10.0


def test_a_history_has_the_last_seconds_of_its_object_up_to_now(seen: list[Moment]) -> None:
    first, second = seen[50].history_m
    assert len(first) == round(HISTORY_S * 10) + 1 - 1  # in one frame nobody was there
    assert len(second) == len(first) - 5
    assert first[-1].tolist() == seen[50].now.position_m[0].tolist()
    assert first[0, 0] == pytest.approx(first[-1, 0] - 5.0 * HISTORY_S)
    assert [len(line) for line in seen[1].history_m] == [1, 1]


def test_the_origin_is_in_the_middle_in_whole_metres_and_everything_else_in_the_map_frame(scene: Scene) -> None:
    far = replace(scene, position_m=scene.position_m + np.array([400_000.3, 5_300_000.7]))
    assert origin_m(far).tolist() == [400_013.0, 5_300_006.0]
    moment = list(moments(far, FAN))[1]
    assert moment.history_m[0][0].tolist() == far.position_m[0].tolist() == moment.now.position_m[0].tolist()
    nobody = straight_scene(np.zeros((3, 1), dtype=np.bool_))
    assert origin_m(nobody).tolist() == [0.0, 0.0]


def test_words_leave_out_what_was_not_measured(seen: list[Moment]) -> None:
    now = seen[10].now
    assert words(now, 0, seen[10].prediction) == "t0 car 5.0 m/s 60%"
    unmeasured = replace(now, velocity_valid=np.zeros(2, np.bool_))
    assert words(unmeasured, 1, None) == "t1 pedestrian"
