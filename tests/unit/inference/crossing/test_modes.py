"""Crossings among the modes: whom they are given to, where they lead, and what is left to the other modes."""

from __future__ import annotations

import numpy as np
import pytest

from tests.frames import SECOND, frame
from trajnet.context.crosswalks import crosswalks_of
from trajnet.inference import NO_JUDGING, Stream
from trajnet.inference.base import BasePredictor
from trajnet.inference.crossing.modes import Crossing
from trajnet.inference.crossing.signals import GREEN, RED, UNKNOWN, SignalMemory
from trajnet.inference.crossing.table import PROBABILITY, START_S, WALKING_MPS
from trajnet.tracking.store import Observations, TrackPolicy
from trajnet.types import Expert, FloatArray, Lane, ObjectClass, Prediction, Source, TrackFrame

TIME_S: FloatArray = np.linspace(0.5, 6.0, 12)
MODES = np.array([0.6, 0.3, 0.1])
#: A crosswalk from (0, 0) to (0, 10), 4 m wide.
LANE = Lane("1", np.array([[-2.0, 0], [-2, 10]]), np.array([[2.0, 0], [2, 10]]), np.array([[0.0, 0], [0, 10]]),
            drivable=False, crosswalk=True, signal_id=7)  # fmt: skip
STANDS_AT_EDGE = PROBABILITY[1, 0]


class Standing(BasePredictor):
    """Three modes that stay in place."""

    def __init__(self) -> None:
        self.name, self.time_s, self.modes = "standing", TIME_S, 3

    def predict(self, observations: Observations) -> Prediction:
        count = len(observations)
        place = np.repeat(observations.position_m[:, None, None], 12, axis=2).repeat(3, axis=1)
        return Prediction(
            observations.timestamp_ns, observations.track_id, TIME_S, place, np.zeros((count, 3, 12)),
            np.broadcast_to(np.eye(2), (count, 3, 12, 2, 2)).copy(), np.tile(MODES, (count, 1)),
            np.full(count, Source.MODEL, np.int8), np.zeros(count),
        )  # fmt: skip


def stream(*, crossings: bool = True) -> Stream:
    return Stream(Standing(), TrackPolicy(crossings=crossings), crosswalks=crosswalks_of([LANE]), judging=NO_JUDGING)


def people(*places: tuple[float, float], kind: ObjectClass = ObjectClass.PEDESTRIAN, moves: float = 0.0) -> TrackFrame:
    named = {f"{i}": place for i, place in enumerate(places)}
    return frame(0.0, named, velocity=[(0.0, moves)] * len(places), kind=kind, yaw=None)


def answer(one: TrackFrame, using: Stream | None = None) -> Prediction:
    found = (using or stream()).update(one, one.timestamp_ns)
    found.validate()
    return found


def test_who_waits_at_the_edge_gets_a_way_across() -> None:
    found = answer(people((1.0, -1.0)))
    assert found.expert is not None
    assert found.expert[0].tolist() == [Expert.MODEL, Expert.MODEL, Expert.CROSSING]
    p = STANDS_AT_EDGE
    assert found.probability[0] == pytest.approx([(1 - p) * 2 / 3, (1 - p) / 3, p])
    gone_m = WALKING_MPS[ObjectClass.PEDESTRIAN] * np.maximum(TIME_S - START_S, 0.0)
    assert found.position_m[0, 2, :, 0] == pytest.approx(np.full(12, 1.0))
    assert found.position_m[0, 2, :, 1] == pytest.approx(-1.0 + gone_m)
    assert found.yaw_rad[0, 2] == pytest.approx(np.full(12, np.pi / 2))
    assert np.linalg.eigvalsh(found.covariance_m2[0, 2]).min() > 0
    along, across = found.covariance_m2[0, 2, -1, 1, 1], found.covariance_m2[0, 2, -1, 0, 0]
    assert along > across


def test_the_far_side_crosses_back_and_from_beside_it_leads_to_the_edge_first() -> None:
    found = answer(people((3.0, 11.0)))
    path_m = found.position_m[0, found.probability[0].argsort()[0]]
    assert found.expert is not None
    path_m = found.position_m[0, int(np.flatnonzero(found.expert[0] == Expert.CROSSING)[0])]
    assert path_m[-1, 1] < 9.0
    assert path_m[-1, 0] == pytest.approx(1.5)  # half a metre from the side


def test_the_scene_may_be_moved_and_turned() -> None:
    turn = np.array([[0.6, -0.8], [0.8, 0.6]])
    left_m, right_m, centre_m = (side @ turn.T + 1000.0 for side in (LANE.left_m, LANE.right_m, LANE.centre_m))
    moved = Lane("1", left_m, right_m, centre_m, drivable=False, crosswalk=True)
    place = turn @ np.array([1.0, -1.0]) + 1000.0
    there = Stream(Standing(), crosswalks=crosswalks_of([moved]), judging=NO_JUDGING)
    turned, plain = answer(people((place[0], place[1])), there), answer(people((1.0, -1.0)))
    np.testing.assert_allclose(turned.position_m, plain.position_m @ turn.T + 1000.0, atol=1e-9)
    np.testing.assert_allclose(turned.probability, plain.probability)
    np.testing.assert_allclose(turned.covariance_m2[0, 2], turn @ plain.covariance_m2[0, 2] @ turn.T, atol=1e-9)


@pytest.mark.parametrize(
    ("place", "kind", "moves"),
    [
        ((1.0, -30.0), ObjectClass.PEDESTRIAN, 0.0),  # far away
        ((1.0, -1.0), ObjectClass.CAR, 0.0),
        ((1.0, -1.0), ObjectClass.PEDESTRIAN, -1.3),  # walks away
        ((1.0, -3.9), ObjectClass.PEDESTRIAN, 0.0),  # too improbable
        ((1.0, -1.0), ObjectClass.BICYCLE, 9.0),  # too fast
    ],
)
def test_others_keep_their_paths(place: tuple[float, float], kind: ObjectClass, moves: float) -> None:
    found, without = (answer(people(place, kind=kind, moves=moves), stream(crossings=on)) for on in (True, False))
    assert without.expert is None
    for name in ("position_m", "yaw_rad", "covariance_m2", "probability"):
        assert np.array_equal(getattr(found, name), getattr(without, name))


def test_what_the_predictor_gives_already_is_not_added() -> None:
    walks = crosswalks_of([LANE])
    assert walks is not None
    seen = Standing()
    one = people((1.0, -1.0))
    using = Stream(seen, crosswalks=None, judging=NO_JUDGING)
    found = using.update(one, 0)
    found.position_m[0, 1, :, 1] += TIME_S  # the mode of 30 % crosses
    observations = observed_of(one)
    after = Crossing(walks).added(observations, found)
    assert after.expert is not None
    assert not (after.expert == Expert.CROSSING).any()
    assert after.probability[0] == pytest.approx(MODES)


def observed_of(one: TrackFrame) -> Observations:
    seen = Stream(Standing(), judging=NO_JUDGING).store.update(one, one.timestamp_ns)[1]
    assert seen is not None
    return seen


def test_lights_change_it_while_they_are_fresh() -> None:
    shares = []
    for state, age_s in ((None, 0.0), (GREEN, 0.5), (RED, 0.5), (RED, 1.5)):
        using = stream()
        assert using.crossing is not None
        if state is not None:
            heard = using.crossing.signals.hear(np.array([3, 7]), np.array([GREEN, state]), 0)
            assert heard == 1
        one = frame(age_s, {"a": (1.0, 0.5)}, velocity=[(0.0, 0.0)], kind=ObjectClass.PEDESTRIAN, yaw=None)
        found = using.update(one, round(age_s * SECOND))
        assert found.expert is not None
        shares.append(float(found.probability[0][found.expert[0] == Expert.CROSSING].sum()))
    unknown, green, red, stale = shares
    assert red < unknown < green
    assert stale == unknown


def test_a_track_that_goes_missing_keeps_its_labels() -> None:
    using = stream()
    answer(people((1.0, -1.0)), using)
    later = frame(0.1, {}, kind=ObjectClass.PEDESTRIAN)
    gone = using.update(later, later.timestamp_ns)
    assert gone.source.tolist() == [Source.STALE]
    assert gone.expert is not None
    assert Expert.CROSSING in gone.expert[0]
    assert using.crossing is not None
    assert using.crossing.counters.crossing_rows == 1


def test_two_crosswalks_at_a_corner_give_two_ways() -> None:
    other = Lane("2", np.array([[0.0, -2], [10, -2]]), np.array([[0.0, -6], [10, -6]]), np.array([[0.0, -4], [10, -4]]),
                 drivable=False, crosswalk=True)  # fmt: skip
    using = Stream(Standing(), crosswalks=crosswalks_of([LANE, other]), judging=NO_JUDGING)
    found = answer(people((-0.5, -1.2)), using)
    assert found.expert is not None
    crossing = np.flatnonzero(found.expert[0] == Expert.CROSSING)
    assert len(crossing) >= 1
    ends = found.position_m[0, crossing, -1]
    assert (ends[:, 1] > 1).any()
    assert found.probability[0].sum() == pytest.approx(1.0)


def test_a_crossing_never_leads() -> None:
    walks = crosswalks_of([LANE])
    assert walks is not None
    one = people((1.0, -1.0))
    found = Stream(Standing(), judging=NO_JUDGING).update(one, 0)
    certain = np.full((4, 3), 1.0)
    after = Crossing(walks, certain).added(observed_of(one), found)
    assert after.expert is not None
    crossing = after.expert[0] == Expert.CROSSING
    assert crossing.sum() == 1
    assert after.probability[0].argmax() == 0
    assert after.probability[0, crossing][0] == pytest.approx(0.6 / 1.6, rel=2e-3)
    assert after.probability[0].sum() == pytest.approx(1.0)


@pytest.mark.parametrize(("kind", "speed_mps"), [(ObjectClass.PEDESTRIAN, 1.3), (ObjectClass.BICYCLE, 3.0)])
def test_who_comes_up_to_a_crosswalk_without_a_path_onto_it_gets_one_at_the_own_speed(
    kind: ObjectClass, speed_mps: float
) -> None:
    found = answer(people((1.0, -3.0), kind=kind, moves=speed_mps))
    assert found.expert is not None
    assert found.expert[0].tolist() == [Expert.MODEL, Expert.MODEL, Expert.CROSSING]
    assert found.probability[0, 2] == pytest.approx(PROBABILITY[2, 1])
    assert found.position_m[0, 2] == pytest.approx(np.stack([np.ones(12), -3.0 + speed_mps * TIME_S], axis=-1))


def test_who_comes_up_to_a_crosswalk_with_a_path_onto_it_keeps_its_probability() -> None:
    walks = crosswalks_of([LANE])
    assert walks is not None
    one = people((1.0, -1.0), moves=1.0)
    found = Stream(Standing(), judging=NO_JUDGING).update(one, 0)
    found.probability[0] = (0.6, 0.34, 0.06)
    found.position_m[0, 2, :, 1] += TIME_S  # the mode of 6 % crosses
    assert PROBABILITY[1, 1] > 0.06
    for probability in (PROBABILITY, np.full((4, 3), 0.5)):  # however probable it is for those who have none
        after = Crossing(walks, probability).added(observed_of(one), found)
        assert after.probability[0] == pytest.approx([0.6, 0.34, 0.06])


def test_who_would_enter_where_the_crosswalk_ends_is_not_near_it() -> None:
    """Who is beside it enters as far ahead as it is away: from 4.5 m beside the middle, nothing of it is left."""
    walks = crosswalks_of([LANE])
    assert walks is not None
    crossing, one = Crossing(walks, np.full((4, 3), 1.0)), people((9.0, 5.0), (6.5, 5.0))
    found = Stream(Standing(), judging=NO_JUDGING).update(one, 0)
    after = crossing.added(observed_of(one), found)
    assert after.expert is not None
    assert (after.expert == Expert.CROSSING).any(axis=1).tolist() == [False, False]
    crossing.added(observed_of(people((9.0, 5.0), (4.5, 5.0))), found)
    assert crossing.near_row.tolist() == [1]


def test_lights_are_known_for_a_second_before_and_after_their_stamp() -> None:
    walks = crosswalks_of([LANE])
    assert walks is not None
    memory = SignalMemory(walks)
    memory.hear(np.array([7]), np.array([RED]), 5 * SECOND)
    times_ns = [4 * SECOND - 1, 4 * SECOND, 5 * SECOND, 6 * SECOND, 6 * SECOND + 1]
    assert [int(memory.states(now_ns)[0]) for now_ns in times_ns] == [UNKNOWN, RED, RED, RED, UNKNOWN]


@pytest.mark.parametrize(
    ("state", "own", "expected"),
    [
        (None, [0.6, 0.3, 0.1], [0.6, 0.3, 0.1]),
        (GREEN, [0.8, 0.1, 0.1], [0.8 / 1.2, 0.3 / 1.2, 0.1 / 1.2]),
        (RED, [0.6, 0.3, 0.1], np.array([0.6, 0.3 * 0.75, 0.1]) / 0.925),
        (GREEN, [0.5, 0.4, 0.1], np.array([1.2 / 0.999, 1.2, 0.1]) / (1.2 / 0.999 + 1.3)),  # the first stays first
    ],
)
def test_lights_weigh_the_own_paths_of_who_comes_up_to_a_crosswalk(
    state: int | None, own: list[float], expected: FloatArray
) -> None:
    walks = crosswalks_of([LANE])
    assert walks is not None
    crossing, one = Crossing(walks), people((1.0, -1.0), (1.0, -1.2), moves=1.0)
    if state is not None:
        crossing.signals.hear(np.array([7]), np.array([state]), 0)
    found = Stream(Standing(), judging=NO_JUDGING).update(one, 0)
    found.probability[:] = own
    found.position_m[:, 1, :, 1] += TIME_S  # the second mode crosses
    before_m = found.position_m.copy()
    after = crossing.added(observed_of(one), found)
    assert after.probability == pytest.approx(np.tile(expected, (2, 1)))
    assert np.array_equal(after.position_m, before_m)


def test_lights_say_nothing_of_who_walks_away_or_is_far() -> None:
    walks = crosswalks_of([LANE])
    assert walks is not None
    crossing = Crossing(walks)
    crossing.signals.hear(np.array([7]), np.array([GREEN]), 0)
    for place, moves in (((1.0, -1.0), -1.0), ((1.0, -6.0), 1.0)):
        one = people(place, moves=moves)
        found = Stream(Standing(), judging=NO_JUDGING).update(one, 0)
        found.position_m[:, 1, :, 1] += 2.0 * TIME_S
        assert crossing.added(observed_of(one), found).probability[0] == pytest.approx(MODES)
