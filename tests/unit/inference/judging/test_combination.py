"""The most probable path, drawn towards constant velocity."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.frames import frame, observed
from tests.unit.inference.judging.fakes import TIME_S, Says, bytes_of, driving, fed
from trajnet.inference import NO_JUDGING, JudgingOptions, Stream
from trajnet.inference.judging.combination import (
    APPEARS,
    APPEARS_MOST,
    CRUISE,
    HORIZONS_S,
    NEW_S,
    SEEN_ONCE,
    SEEN_ONCE_MOST,
    SPEEDS_MPS,
    STAND,
    STOOD_S,
    Combination,
    combined,
    group_of,
)
from trajnet.inference.judging.derived_velocity import DerivedVelocity, goes_by_filter
from trajnet.inference.judging.experts import velocity_of
from trajnet.inference.judging.speed_change import carried_s2
from trajnet.tracking.store import Observations, TrackStore
from trajnet.types import FloatArray, ObjectClass, Prediction, Source, TrackFrame

COMBINE_ONLY = JudgingOptions(weigh=False, adapt_spread=False, heed=False, learn=False)
KNOTS = np.searchsorted(TIME_S, HORIZONS_S)


def weights_of(
    *frames: TrackFrame, stood_s: float = 0.0, unmoved: bool = False, model: Says | None = None
) -> tuple[FloatArray, FloatArray]:
    """Those of constant velocity (N, T) and of standing still (N, 1) in the last of these frames."""
    observations = observed(*frames)
    prediction = (model or driving()).predict(observations)
    stood, model_rows = np.full(len(observations), stood_s), np.ones(len(observations), np.bool_)
    speed_mps = np.hypot(*velocity_of(observations).T)
    still_there = np.full(len(observations), unmoved)
    straight = goes_by_filter(observations, np.zeros(len(observations)))
    row, drawn_by, held_by = Combination(TIME_S).weights(
        observations, prediction, speed_mps, stood, still_there, model_rows, straight
    )
    cruise, stand = np.zeros((len(observations), len(TIME_S))), np.zeros((len(observations), 1))
    cruise[row], stand[row, 0] = drawn_by.T, held_by
    assert (cruise[row] + stand[row]).any(axis=1).all()  # others are not drawn
    return cruise, stand


def answer(judging: JudgingOptions, one: TrackFrame, model: Says | None = None) -> Prediction:
    return fed(Stream(model or driving(), judging=judging), [one])[-1]


@pytest.mark.parametrize("kind", list(ObjectClass))
@pytest.mark.parametrize("speed", range(len(SPEEDS_MPS)))
def test_the_weights_are_those_of_the_table(kind: ObjectClass, speed: int) -> None:
    one = frame(0.0, {"a": (0.0, 0.0)}, kind=kind, velocity=(SPEEDS_MPS[speed], 0.0), yaw=0.0)
    group = int(group_of(np.array([kind], np.int8))[0])
    cruise, stand = weights_of(one)
    np.testing.assert_allclose(cruise[0, KNOTS], CRUISE[group, speed])
    assert stand.tolist() == [[0.0]]


def test_the_page_of_documentation_has_the_table() -> None:
    page = (Path(__file__).parents[4] / "docs" / "self-judging.md").read_text(encoding="utf-8")
    _, _, table = page.partition("| weight at 1, 2, 3, 4, 6 s | vehicles | riders | people |\n|---|---|---|---|\n")
    rows = [line.strip("|").split("|") for line in table.split("\n\n")[0].splitlines()]
    assert [float(row[0].split()[0]) for row in rows] == list(SPEEDS_MPS)
    numbers = [
        [np.broadcast_to(np.array(cell.split(), np.float64), len(HORIZONS_S)) for cell in row[1:]] for row in rows
    ]
    np.testing.assert_array_equal(np.array(numbers).swapaxes(0, 1), CRUISE)


def test_each_class_has_its_group() -> None:
    kinds = [ObjectClass.CAR, ObjectClass.BUS, ObjectClass.BICYCLE, ObjectClass.PEDESTRIAN, ObjectClass.UNKNOWN]
    assert group_of(np.array(kinds, np.int8)).tolist() == [0, 0, 1, 2, 2]


def test_between_speeds_and_times_the_weights_are_linear_and_beyond_them_constant() -> None:
    def of(speed_mps: float) -> FloatArray:
        found: FloatArray = weights_of(frame(0.0, {"a": (0.0, 0.0)}, velocity=(speed_mps, 0.0), yaw=0.0))[0][0]
        return found

    np.testing.assert_allclose(of(8.5), (of(6.0) + of(11.0)) / 2)
    np.testing.assert_array_equal(of(40.0), of(16.0))
    at_11 = of(11.0)
    assert at_11[0] == at_11[1]  # 0.5 s as 1 s
    np.testing.assert_allclose(at_11[4], (at_11[3] + at_11[5]) / 2)  # 2.5 s between 2 and 3 s


def test_only_the_most_probable_path_moves_by_its_weight() -> None:
    one = frame(0.0, {"a": (3.0, 1.0)}, velocity=(11.0, 0.0), yaw=0.0)
    plain, drawn = answer(NO_JUDGING, one), answer(COMBINE_ONLY, one)
    cruise, stand = weights_of(one)
    velocity_m = np.array([3.0, 1.0]) + TIME_S[:, None] * np.array([11.0, 0.0])
    wanted_m = plain.position_m[0, 0] * (1 - cruise[0] - stand[0])[:, None] + cruise[0][:, None] * velocity_m
    wanted_m += stand[0] * np.array([3.0, 1.0])
    np.testing.assert_allclose(drawn.position_m[0, 0], wanted_m)
    np.testing.assert_array_equal(drawn.position_m[0, 1:], plain.position_m[0, 1:])
    for name in ("yaw_rad", "covariance_m2", "probability", "source"):
        np.testing.assert_array_equal(getattr(drawn, name), getattr(plain, name))


def test_the_most_probable_path_need_not_be_the_first() -> None:
    one = frame(0.0, {"a": (0.0, 0.0)}, velocity=(11.0, 0.0), yaw=0.0)
    model = Says([(5.0, 0.0), (8.0, 0.0)], [0.3, 0.7])
    moved = answer(COMBINE_ONLY, one, model).position_m != answer(NO_JUDGING, one, model).position_m
    assert not moved[0, 0].any()
    assert moved[0, 1, :, 0].all()


@pytest.mark.parametrize(
    ("kind", "step_s", "speed_mps", "share"),
    [
        (ObjectClass.CAR, 0.1, 11.0, 0.75),
        (ObjectClass.BICYCLE, 0.1, 5.0, 2.0),
        (ObjectClass.PEDESTRIAN, 0.1, 1.0, 0.75),
        (ObjectClass.CAR, 0.5, 11.0, 0.5),
        (ObjectClass.BICYCLE, 0.5, 5.0, 0.5),
        (ObjectClass.PEDESTRIAN, 0.5, 1.0, 0.75),
    ],
)
def test_a_derived_velocity_counts_by_class_and_frame_rate(
    kind: ObjectClass, step_s: float, speed_mps: float, share: float
) -> None:
    """Half, more of people and where a filter derived it."""
    frames = [frame(step_s * i, {"a": (speed_mps * step_s * i, 0.0)}, kind=kind, yaw=0.0) for i in range(9)]
    derived, _ = weights_of(*frames)
    measured, _ = weights_of(frame(0.0, {"a": (0.0, 0.0)}, kind=kind, velocity=(speed_mps, 0.0), yaw=0.0))
    assert derived.any()
    np.testing.assert_allclose(derived, share * measured)


@pytest.mark.parametrize(("stays", "wanted"), [(0.0, 0.0), (0.2, SEEN_ONCE * 0.2), (0.6, SEEN_ONCE_MOST)])
def test_what_is_seen_once_and_without_a_velocity_is_drawn_towards_standing_by_the_modes_that_stay(
    stays: float, wanted: float
) -> None:
    model = Says([(5.0, 0.0), (0.1, 0.0)], [1.0 - stays, stays])
    cruise, stand = weights_of(frame(0.0, {"a": (3.0, 1.0)}, yaw=0.0), model=model)
    assert not cruise.any()
    np.testing.assert_allclose(stand, [[wanted]])


@pytest.mark.parametrize(
    ("kind", "stays", "wanted"),
    [
        (ObjectClass.CAR, 0.2, APPEARS * 0.2),
        (ObjectClass.BICYCLE, 0.6, APPEARS_MOST),
        (ObjectClass.PEDESTRIAN, 0.2, SEEN_ONCE * 0.2),
    ],
)
def test_what_appears_on_wheels_beside_known_objects_is_drawn_more(
    kind: ObjectClass, stays: float, wanted: float
) -> None:
    model = Says([(5.0, 0.0), (0.1, 0.0)], [1.0 - stays, stays])
    frames = [frame(0.0, {"a": (0.0, 0.0)}, kind=kind), frame(0.1, {"a": (0.0, 0.0), "b": (30.0, 0.0)}, kind=kind)]
    _, stand = weights_of(*frames, model=model)
    np.testing.assert_allclose(stand, [[0.0], [wanted]])


@pytest.mark.parametrize(
    ("kind", "stood_s", "unmoved", "wanted"),
    [
        (ObjectClass.CAR, 0.1, True, APPEARS * 0.2),
        (ObjectClass.CAR, 1.9, True, APPEARS * 0.2),
        (ObjectClass.CAR, 0.1, False, 0.0),
        (ObjectClass.PEDESTRIAN, 0.1, True, 0.0),
        (ObjectClass.CAR, NEW_S, True, STAND[1]),
    ],
)
def test_what_is_new_and_still_where_it_was_first_seen_is_drawn_as_what_appears(
    kind: ObjectClass, stood_s: float, unmoved: bool, wanted: float
) -> None:
    """Noise gives a parked car a velocity. Where it is measured, it counts."""
    model = Says([(5.0, 0.0), (0.1, 0.0)], [0.8, 0.2])
    places: list[tuple[float, float]] = [(0.0, 0.0), (0.2, 0.0)]
    frames = [frame(0.1 * i, {"a": place}, kind=kind) for i, place in enumerate(places)]
    _, stand = weights_of(*frames, stood_s=stood_s, unmoved=unmoved, model=model)
    np.testing.assert_allclose(stand, [[wanted]])
    measured = [frame(0.1 * i, {"a": place}, kind=kind, velocity=(2.0, 0.0)) for i, place in enumerate(places)]
    _, stand = weights_of(*measured, stood_s=0.1, unmoved=unmoved, model=model)
    np.testing.assert_allclose(stand, [[0.0]])


def test_what_is_new_is_drawn_no_less_than_what_has_stood_for_as_long() -> None:
    """By 4 times 0.02 as it is new, and by more as it has stood for 1.5 s."""
    frames = [frame(0.1 * i, {"a": (0.0, 0.0)}) for i in range(2)]
    _, stand = weights_of(*frames, stood_s=1.5, unmoved=True, model=Says([(5.0, 0.0), (0.1, 0.0)], [0.98, 0.02]))
    np.testing.assert_allclose(stand, [[STAND[1] / 2]])


@pytest.mark.parametrize(
    ("stood_s", "wanted"), [(0.9, 0.0), (1.5, STAND[1] / 2), (STOOD_S[2], STAND[2]), (99.0, STAND[-1])]
)
def test_standing_counts_more_the_longer_an_object_has_stood(stood_s: float, wanted: float) -> None:
    cruise, stand = weights_of(frame(0.0, {"a": (0.0, 0.0)}, velocity=(0.0, 0.0), yaw=0.0), stood_s=stood_s)
    np.testing.assert_allclose(stand, [[wanted]])
    np.testing.assert_allclose(cruise[0, KNOTS], (1.0 - wanted) * CRUISE[0, 0])


def test_a_car_that_has_stood_for_long_is_no_longer_sent_off() -> None:
    """Its other modes still drive, and as soon as it has moved the model is believed again."""
    places = [0.0] * 80 + [0.2 * i for i in range(1, 6)]
    frames = [frame(0.1 * i, {"a": (x, 0.0)}, velocity=(0.0, 0.0), yaw=0.0) for i, x in enumerate(places)]
    answers = fed(Stream(driving(), judging=COMBINE_ONLY), frames)
    ends_m = np.array([one.position_m[0, :, -1, 0] for one in answers]) - np.array(places)[:, None]
    plain_m = 5.0 * TIME_S[-1]
    np.testing.assert_allclose(ends_m[79, 0], (1.0 - STAND[-1]) * plain_m)
    np.testing.assert_allclose(ends_m[-1, 0], plain_m)
    np.testing.assert_allclose(ends_m[:, 1], 8.0 * TIME_S[-1])


class Physics(Says):
    """Answers of physics that are not constant velocity's: those it would draw to where they are."""

    def predict(self, observations: Observations) -> Prediction:
        return replace(super().predict(observations), source=np.full(len(observations), Source.PHYSICS, np.int8))


@pytest.mark.parametrize("velocity", [(11.0, 0.0), None])
def test_what_physics_answers_is_not_drawn_towards_constant_velocity(velocity: tuple[float, float] | None) -> None:
    """Nor, seen once, towards standing still."""
    one = frame(0.0, {"a": (0.0, 0.0)}, velocity=velocity, yaw=0.0)
    answers = [answer(how, one, Physics([(5.0, 0.0)], [1.0])) for how in (COMBINE_ONLY, NO_JUDGING)]
    assert answers[0].source.tolist() == [Source.PHYSICS]
    assert answers[0].position_m[0, 0, -1, 0] == 30.0
    assert bytes_of(answers[0]) == bytes_of(answers[1])


def test_no_work_is_done_for_what_physics_answers_and_moves() -> None:
    observations = observed(frame(0.0, {"a": (0.0, 0.0), "b": (50.0, 0.0)}, velocity=(11.0, 0.0), yaw=0.0))
    speed_mps, stood_s, unmoved = np.full(2, 11.0), np.zeros(2), np.zeros(2, np.bool_)
    row, _, _ = Combination(TIME_S).weights(
        observations, driving().predict(observations), speed_mps, stood_s, unmoved, np.array([False, True]), unmoved
    )
    assert row.tolist() == [1]


@pytest.mark.parametrize("kind", [ObjectClass.UNKNOWN, ObjectClass.CAR])
def test_what_physics_answers_stays_too_where_it_has_stood_for_long(kind: ObjectClass) -> None:
    """Reported with 1 m/s: a cluster of points, a car in a frame that the model missed."""
    frames = [frame(0.1 * i, {"a": (0.0, 0.0)}, kind=kind, velocity=(1.0, 0.0), yaw=0.0) for i in range(80)]
    answers = fed(Stream(Physics([(1.0, 0.0), (2.0, 0.0)], [0.7, 0.3]), judging=COMBINE_ONLY), frames)
    np.testing.assert_allclose(answers[8].position_m[0, :, -1, 0], [6.0, 12.0])
    np.testing.assert_allclose(answers[-1].position_m[0, :, -1, 0], [(1.0 - STAND[-1]) * 6.0, 12.0])
    assert answers[-1].source.tolist() == [Source.PHYSICS]


def drawn(
    path_m: FloatArray, velocity_mps: tuple[float, float], weight: float, *, wheeled: bool, stand: float = 0.0,
    change_mps2: tuple[float, float] = (0.0, 0.0), straight: bool = False,
) -> FloatArray:  # fmt: skip
    cruise, still = np.full((1, len(path_m)), weight), np.full((1, 1), stand)
    begin_m, velocities, changes = np.zeros((1, 2)), np.array([velocity_mps]), np.array([change_mps2]).T
    found = combined(
        path_m[None], begin_m, velocities, changes, TIME_S[: len(path_m)], cruise, still, np.array([wheeled]),
        np.array([straight]),
    )  # fmt: skip
    one: FloatArray = found[0]
    return one


def test_a_vehicle_keeps_the_bend_that_the_model_sees() -> None:
    angle = TIME_S * 0.25
    bend_m = 20.0 * np.stack([np.sin(angle), 1.0 - np.cos(angle)], axis=1)  # 5 m/s
    path_m = drawn(bend_m, (8.0, 0.0), 0.5, wheeled=True)
    inside = path_m[: np.searchsorted(TIME_S, 4.5)]
    np.testing.assert_allclose(np.linalg.norm(inside - [0.0, 20.0], axis=1), 20.0, atol=0.05)
    gone_m = np.linalg.norm(np.diff(path_m, axis=0, prepend=0.0), axis=1)
    np.testing.assert_allclose(gone_m[:8], 6.5 * 0.5, rtol=0.01)  # halfway between the two speeds
    beyond_m = np.diff(path_m[-3:], axis=0)
    np.testing.assert_allclose(beyond_m[0], beyond_m[1], atol=1e-9)  # straight on after the path's end


def test_a_vehicle_that_is_to_stop_goes_on_in_the_direction_of_its_path() -> None:
    stop_m = np.array([[2.0, 2.0], [3.0, 3.0], [3.001, 2.999], [3.0, 3.0]])
    path_m = drawn(stop_m, (8.0, 0.0), 0.5, wheeled=True)
    np.testing.assert_allclose(path_m[:, 0], path_m[:, 1], atol=0.01)
    assert path_m[-1, 0] > 6.0


def test_a_path_that_goes_nowhere_and_those_of_people_are_averaged() -> None:
    still_m = np.array([[0.01, 0.0]] * 4)
    np.testing.assert_allclose(drawn(still_m, (0.2, 0.0), 0.5, wheeled=True)[:, 0], 0.005 + 0.05 * np.arange(1, 5))
    ahead_m = np.stack([1.0 * TIME_S, np.zeros(12)], axis=1)
    np.testing.assert_allclose(drawn(ahead_m, (2.0, 0.0), 0.5, wheeled=False), 1.5 * ahead_m)


@pytest.mark.parametrize("wheeled", [True, False])
def test_drawn_towards_standing_still_a_path_becomes_shorter_by_the_weight(wheeled: bool) -> None:
    ahead_m = np.stack([5.0 * TIME_S, np.zeros(12)], axis=1)
    np.testing.assert_allclose(drawn(ahead_m, (0.0, 0.0), 0.0, wheeled=wheeled, stand=0.8), 0.2 * ahead_m, atol=1e-9)
    both_m = drawn(ahead_m, (9.0, 0.0), 0.3, wheeled=wheeled, stand=0.4)
    np.testing.assert_allclose(both_m[:, 0], (0.3 * 5.0 + 0.3 * 9.0) * TIME_S)


def test_a_change_of_the_velocity_is_carried_on_and_fades() -> None:
    """A vehicle goes on along its path, a person where the change points."""
    angle = TIME_S * 0.25
    bend_m = 20.0 * np.stack([np.sin(angle), 1.0 - np.cos(angle)], axis=1)  # 5 m/s
    path_m = drawn(bend_m, (5.0, 0.0), 1.0, wheeled=True, change_mps2=(-1.0, 0.0))
    gone_m = np.linalg.norm(np.diff(path_m, axis=0, prepend=0.0), axis=1).cumsum()
    np.testing.assert_allclose(gone_m, 5.0 * TIME_S - carried_s2(TIME_S)[0], rtol=0.01)
    ahead_m = np.stack([2.0 * TIME_S, np.zeros(12)], axis=1)
    moved_m = drawn(ahead_m, (2.0, 0.0), 0.5, wheeled=False, change_mps2=(-1.0, 0.5)) - ahead_m
    np.testing.assert_allclose(moved_m, 0.5 * carried_s2(TIME_S)[1][:, None] * [-1.0, 0.5], atol=1e-12)


@pytest.mark.parametrize("speed_mps", [0.1, 0.5, 1.0, 2.0])
def test_a_vehicle_that_brakes_stops_and_does_not_go_back(speed_mps: float) -> None:
    ahead_m = np.stack([5.0 * TIME_S, np.zeros(12)], axis=1)
    path_m = drawn(ahead_m, (speed_mps, 0.0), 1.0, wheeled=True, change_mps2=(-2.0, 0.0))[:, 0]
    assert (np.diff(path_m, prepend=0.0) >= -1e-12).all()
    assert path_m[-1] == path_m[-2] < speed_mps * TIME_S[-2]
    np.testing.assert_allclose(path_m[-1], max((speed_mps * TIME_S - 2.0 * carried_s2(TIME_S)[0]).max(), 0.0))


def test_a_change_of_the_speed_has_no_direction_where_a_path_goes_nowhere() -> None:
    nowhere_m = np.array([[0.01, 0.0]] * 4)
    still_m = drawn(nowhere_m, (3.0, 0.0), 0.5, wheeled=True)
    np.testing.assert_array_equal(drawn(nowhere_m, (3.0, 0.0), 0.5, wheeled=True, change_mps2=(-1.0, 0.0)), still_m)


def test_people_who_are_to_turn_are_drawn_less() -> None:
    for aside_m, share in ((0.0, 1.0), (3.0, 0.5), (9.0, 0.1)):
        path_m = np.stack([np.zeros(12), np.linspace(aside_m / 12, aside_m, 12)], axis=1)
        moved_m = drawn(path_m, (2.0, 0.0), 0.6, wheeled=False) - path_m
        np.testing.assert_allclose(moved_m[:, 0], 0.6 * share * 2.0 * TIME_S)


def test_where_a_filter_knows_a_rider_better_than_the_model_its_line_counts_however_far_aside_the_path_is() -> None:
    path_m = TIME_S[:4, None] * [0.0, 4.0]
    found_m = drawn(path_m, (4.0, 0.0), 0.75, wheeled=True, straight=True)
    np.testing.assert_allclose(found_m, TIME_S[:4, None] * [3.0, 1.0])


def test_a_rider_without_a_measured_velocity_goes_where_the_filter_says() -> None:
    """Through a stream: the model's path leads sideways. A car keeps the way that the model sees."""
    ends = {}
    for kind in (ObjectClass.BICYCLE, ObjectClass.CAR):
        frames = [frame(0.1 * i, {"a": (0.5 * i, 0.0)}, kind=kind, yaw=None) for i in range(30)]
        last = fed(Stream(Says([(0.0, 5.0), (0.0, 8.0)], [0.8, 0.2]), judging=COMBINE_ONLY), frames)[-1]
        ends[kind] = last.position_m[0, 0, -1] - frames[-1].position_m[0]
    np.testing.assert_allclose(ends[ObjectClass.BICYCLE], [30.0, 0.0], atol=0.1)
    assert ends[ObjectClass.CAR][0] == pytest.approx(0.0, abs=1e-6)


def test_such_a_rider_sets_out_from_where_the_filter_sees_it() -> None:
    """With 10 cm of noise: the observed position is not where the path begins."""
    rng, store, derived = np.random.default_rng(0), TrackStore(), DerivedVelocity()
    places = [(0.5 * i, 0.0) + rng.normal(0.0, 0.1, 2) for i in range(30)]
    frames = [frame(0.1 * i, {"a": tuple(p)}, kind=ObjectClass.BICYCLE, yaw=None) for i, p in enumerate(places)]
    last = fed(Stream(Says([(0.0, 5.0), (0.0, 8.0)], [0.8, 0.2]), judging=COMBINE_ONLY), frames)[-1]
    for one in frames:
        seen = store.update(one, one.timestamp_ns)[1]
        assert seen is not None
        velocity_mps, begin_m = derived.observed(seen), derived.position_m(seen)
    assert np.abs(begin_m - places[-1]).max() > 0.02
    np.testing.assert_allclose(last.position_m[0, 0], begin_m + TIME_S[:, None] * velocity_mps, atol=1e-9)


def test_no_path_depends_on_others_beside_it() -> None:
    draw = np.random.default_rng(0)
    step_m = draw.normal(1.0, 2.0, (40, 12, 2)) * draw.choice([0.0, 0.02, 1.0], (40, 12, 1))
    begin_m, velocity_mps = draw.normal(0.0, 100.0, (40, 2)), draw.normal(0.0, 5.0, (40, 2))
    change_mps2 = draw.normal(0.0, 2.0, (2, 40))
    path_m, wheeled = begin_m[:, None] + step_m.cumsum(axis=1), np.arange(40) % 3 > 0
    straight = wheeled & (np.arange(40) % 2 > 0)
    cruise, still = draw.uniform(0.0, 0.5, (40, 12)), draw.uniform(0.0, 0.5, (40, 1))

    def of(rows: slice) -> FloatArray:
        return combined(
            path_m[rows], begin_m[rows], velocity_mps[rows], change_mps2[:, rows], TIME_S, cruise[rows], still[rows],
            wheeled[rows], straight[rows],
        )  # fmt: skip

    alone = np.concatenate([of(slice(row, row + 1)) for row in range(40)])
    np.testing.assert_allclose(of(slice(None)), alone, atol=1e-12)
    assert np.isfinite(alone).all()
