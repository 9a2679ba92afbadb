"""Streams whose predictions judge themselves: who leads, and what never changes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.frames import frame, observed
from tests.unit.inference.judging.fakes import TIME_S, Says, bytes_of, driving, fed, judged, weights
from trajnet.errors import ConfigError
from trajnet.inference import NO_JUDGING, ConstantVelocity, GuardOptions, JudgingOptions, Stream
from trajnet.inference.judging.experts import velocity_of
from trajnet.inference.judging.self_judge import SelfJudge
from trajnet.tracking.store import Observations, TrackPolicy
from trajnet.types import Expert, ObjectClass, Prediction, Source, TrackFrame


def standing(seconds: float, hz: float = 10.0, *, noise_m: float = 0.0, yaw: float | None = 0.0) -> list[TrackFrame]:
    rng = np.random.default_rng(3)
    times_s = np.arange(round(seconds * hz) + 1) / hz
    return [frame(t, {"a": tuple(rng.normal(0.0, noise_m, 2) if noise_m else (0.0, 0.0))}, yaw=yaw) for t in times_s]


def moving(seconds: float, hz: float = 10.0, speed_mps: float = 5.0) -> list[TrackFrame]:
    times_s = np.arange(round(seconds * hz) + 1) / hz
    return [frame(t, {"a": (speed_mps * t, 0.0)}, velocity=(speed_mps, 0.0)) for t in times_s]


def leader(answer: Prediction, row: int = 0) -> Expert:
    assert answer.expert is not None
    return Expert(int(answer.expert[row, answer.probability[row].argmax()]))


def test_standing_leads_soon_where_the_model_drives_off() -> None:
    answers = fed(judged(), standing(3.0))
    assert [leader(a) for a in answers[:10]] == [Expert.MODEL] * 10
    assert all(leader(a) != Expert.MODEL for a in answers[10:])
    last = answers[-1]
    best = int(last.probability[0].argmax())
    np.testing.assert_allclose(last.position_m[0, best], 0.0, atol=1e-9)
    assert last.source.tolist() == [Source.JUDGED]
    assert last.modes == 3
    assert last.probability.sum(axis=1) == pytest.approx([1.0])


def test_the_model_keeps_the_lead_where_it_is_right() -> None:
    """It says that the object turns away, and it does; constant velocity and standing are wrong."""
    model = Says([(3.0, 3.0), (5.0, 0.0), (8.0, 0.0)], [0.6, 0.3, 0.1])
    frames = [frame(0.1 * i, {"a": (0.3 * i, 0.3 * i)}, velocity=(4.0, 0.0)) for i in range(60)]
    stream = judged(model)
    answers = fed(stream, frames)
    assert all(leader(a) == Expert.MODEL for a in answers)
    assert all((a.source == Source.MODEL).all() for a in answers)
    assert weights(stream)[Expert.MODEL] == pytest.approx(0.994)  # all but the doubt
    np.testing.assert_allclose(answers[-1].position_m[0, 0, -1], [5.9 * 3 + 18.0, 5.9 * 3 + 18.0])


def test_jitter_of_a_standing_object_never_favours_constant_velocity() -> None:
    """Without a measured velocity its last displacement is noise."""
    answers = fed(judged(), standing(10.0, noise_m=0.1, yaw=None))
    assert all(leader(a) == Expert.STANDING for a in answers[20:])


def test_an_object_that_starts_is_believed_again() -> None:
    frames = standing(5.0)
    start_s = frames[-1].timestamp_ns * 1e-9
    frames += [frame(start_s + 0.1 * i, {"a": (0.5 * i, 0.0)}, velocity=(5.0, 0.0)) for i in range(1, 60)]
    answers = fed(judged(), frames)
    assert leader(answers[50]) == Expert.STANDING
    assert leader(answers[-1]) != Expert.STANDING


@pytest.mark.parametrize(("hz", "leaves"), [(10.0, True), (2.0, False)])
def test_what_has_stood_for_long_and_sets_off_is_the_models_at_once(hz: float, leaves: bool) -> None:
    """Half a second after it set off at 5 m/s; at 2 Hz that is one displacement, which may be a leap of the tracker."""
    stood = standing(30.0, hz)
    last_s = stood[-1].timestamp_ns * 1e-9
    begin_m = np.array([0.6, 2.0]) if hz > 2.0 else np.array([2.0])
    sets_off = [frame(last_s + (k + 1) / hz, {"a": (x_m, 0.0)}) for k, x_m in enumerate(begin_m)]
    answers = fed(judged(), stood + sets_off)
    assert leader(answers[len(stood) - 1]) == Expert.STANDING
    assert (leader(answers[-1]) == Expert.MODEL) == leaves


def test_every_mode_keeps_a_proper_covariance_and_the_labels_say_who_said_it() -> None:
    for answer in fed(judged(), standing(4.0)):
        assert answer.expert is not None
        assert (np.linalg.eigvalsh(answer.covariance_m2) > 0).all()
        said_mps = answer.position_m[0, :, 1, 0]  # at 1 s: no mode of the model stays
        np.testing.assert_array_equal(said_mps == 0.0, answer.expert[0] != Expert.MODEL)


def test_one_mode_is_the_path_of_the_most_probable_expert() -> None:
    answers = fed(judged(Says([(5.0, 0.0)], [1.0])), standing(3.0))
    assert answers[0].position_m[0, 0, -1].tolist() == [30.0, 0.0]
    assert answers[-1].position_m[0, 0, -1].tolist() == [0.0, 0.0]
    assert answers[-1].probability.tolist() == [[1.0]]
    assert leader(answers[-1]) != Expert.MODEL


def test_switched_off_the_bytes_are_the_predictors() -> None:
    frames = standing(3.0)
    off, plain = fed(Stream(driving(), judging=NO_JUDGING), frames), fed(Stream(driving()), frames)
    assert [bytes_of(a) for a in off] == [bytes_of(a) for a in plain]
    assert all(a.expert is None for a in off)
    first = fed(judged(), frames)[:10]
    assert [bytes_of(a) for a in off[:10]] == [bytes_of(a) for a in first]  # nothing is known yet


def test_the_same_frames_give_the_same_bytes() -> None:
    one, other = (fed(judged(), standing(5.0, noise_m=0.2)) for _ in range(2))
    assert [bytes_of(a) for a in one] == [bytes_of(a) for a in other]


def test_answers_do_not_know_the_future() -> None:
    """Whatever comes after a frame, its answer is the same."""
    stays, goes = standing(5.0), [*standing(2.5)[:-1], *moving(5.0)[25:]]
    one, other = fed(judged(), stays), fed(judged(), goes)
    assert [bytes_of(a) for a in one[:25]] == [bytes_of(a) for a in other[:25]]
    assert bytes_of(one[-1]) != bytes_of(other[-1])


@pytest.mark.parametrize("hz", [2.0, 3.0, 5.0, 7.0, 12.5, 20.0])
def test_evidence_does_not_depend_on_the_frame_rate(hz: float) -> None:
    """An object that moves as one of the modes says, and a little slower than constant velocity."""

    def after(rate_hz: float) -> np.ndarray:
        frames = [
            frame(t, {"a": (4.7 * t, 0.0)}, velocity=(5.3, 0.0)) for t in np.arange(round(6.0 * rate_hz) + 1) / rate_hz
        ]
        stream = judged()
        fed(stream, frames)
        return np.log(weights(stream))

    reference = after(10.0)
    np.testing.assert_allclose(after(hz)[1] - after(hz)[0], reference[1] - reference[0], rtol=0.06)


def test_irregular_stamps_are_judged_at_the_time_that_they_have() -> None:
    """A model that is right stays so: its path is interpolated to the present, not taken at the nearest knot."""
    rng = np.random.default_rng(1)
    times_s = np.cumsum(rng.uniform(0.03, 0.4, 60))
    stream = judged(Says([(9.0, 0.0), (2.0, 0.0)], [0.9, 0.1]))
    fed(stream, [frame(t, {"a": (9.0 * t, 0.0)}, velocity=(9.0, 0.0)) for t in times_s])
    # Constant velocity is right as well; what the model loses is the probability that it gives to another mode.
    assert stream.judge is not None
    count = stream.judge.counters.judgements
    assert 0.9 * np.exp(count * np.log(0.9)) < weights(stream)[Expert.MODEL] < 0.9


def test_a_new_track_in_an_old_slot_has_no_evidence() -> None:
    stream = judged(policy=TrackPolicy(timeout_s=0.5, handover=False))
    fed(stream, standing(3.0))
    later = [frame(5.0 + 0.1 * i, {"b": (50.0, 0.0)}) for i in range(10)]
    assert all(
        bytes_of(a) == bytes_of(b)
        for a, b in zip(fed(stream, later), fed(Stream(driving(), judging=NO_JUDGING), later), strict=True)
    )


def test_a_leap_starts_anew() -> None:
    stream = judged()
    fed(stream, standing(3.0))
    (after,) = fed(stream, [frame(3.1, {"a": (500.0, 0.0)})])
    assert stream.store.counters.restarted == 1
    assert leader(after) == Expert.MODEL


def test_reset_forgets() -> None:
    stream = judged()
    fed(stream, standing(3.0))
    stream.reset()
    (after,) = fed(stream, [frame(10.0, {"a": (0.0, 0.0)})])
    assert leader(after) == Expert.MODEL


def test_rows_do_not_depend_on_each_other() -> None:
    def both(i: int) -> dict[str, tuple[float, float]]:
        return {"a": (0.0, 0.0), "b": (100.0 + 0.5 * i, 0.0), "c": (200.0, 0.2 * i)}

    together = fed(judged(), [frame(0.1 * i, both(i), velocity=[(0, 0), (5, 0), (0, 2)]) for i in range(40)])
    for row, name in enumerate("abc"):
        speed = [(0, 0), (5, 0), (0, 2)][row]
        alone = fed(judged(), [frame(0.1 * i, {name: both(i)[name]}, velocity=speed) for i in range(40)])
        for one, all_of_them in zip(alone, together, strict=True):
            assert bytes_of(one) == bytes_of(all_of_them.select(np.array([row])))


def test_a_stale_path_keeps_its_labels() -> None:
    stream = judged()
    before = fed(stream, standing(3.0))[-1]
    stale = fed(stream, [frame(3.1, {})])[0]
    assert stale.source.tolist() == [Source.STALE]
    assert before.expert is not None
    assert stale.expert is not None
    np.testing.assert_array_equal(stale.expert, before.expert)


def test_the_experts_of_rows_that_physics_answered_are_unknown_also_when_stale() -> None:
    class Late(Says):
        def predict(self, observations: Observations) -> Prediction:
            if observations.timestamp_ns > 2_950_000_000:
                raise RuntimeError
            return super().predict(observations)

    stream = judged(Late([(5.0, 0.0), (8.0, 0.0)], [0.6, 0.4]))
    answers = fed(stream, [*standing(3.1), frame(3.2, {})])
    assert answers[29].source.tolist() == [Source.JUDGED]
    for answer, source in ((answers[30], Source.PHYSICS), (answers[-1], Source.STALE)):
        assert answer.source.tolist() == [source]
        assert answer.expert is not None
        assert answer.expert.tolist() == [[Expert.UNKNOWN] * 2]


def test_a_predictor_that_claims_to_be_judged_is_refused_and_counted() -> None:
    class Claims(Says):
        def predict(self, observations: Observations) -> Prediction:
            answer = super().predict(observations)
            return replace(answer, source=np.full(len(observations), Source.JUDGED, np.int8))

    stream = judged(Claims([(5.0, 0.0)], [1.0]))
    answers = fed(stream, standing(1.0))
    assert all(a.source.tolist() == [Source.PHYSICS] for a in answers)
    counters = stream.guard.counters
    assert (counters.non_finite_rows, counters.model_rows) == (len(answers), 0)


def test_an_object_that_was_not_seen_for_a_while_keeps_its_evidence() -> None:
    stream = judged()
    fed(stream, standing(3.0))
    fed(stream, [frame(3.0 + 0.1 * i, {}) for i in range(1, 9)])
    (back,) = fed(stream, [frame(3.9, {"a": (0.0, 0.0)})])
    assert leader(back) != Expert.MODEL


def test_rows_that_physics_answered_are_neither_kept_nor_changed() -> None:
    class Failing(Says):
        def predict(self, observations: Observations) -> Prediction:
            raise RuntimeError("no")

    stream = judged(Failing([(5.0, 0.0)], [1.0]))
    answers = fed(stream, standing(4.0))
    assert stream.judge is not None
    assert stream.judge.counters.judgements == 0
    assert all(a.source.tolist() == [Source.PHYSICS] for a in answers)


def test_a_row_that_physics_answers_leaves_as_it_is_whatever_the_evidence_says() -> None:
    class Ending(Says):
        ended = False

        def predict(self, observations: Observations) -> Prediction:
            if self.ended:
                raise RuntimeError("no")
            return super().predict(observations)

    def last_of(judging: JudgingOptions) -> Prediction:
        model = Ending([(5.0, 0.0), (8.0, 0.0), (3.0, 3.0)], [0.6, 0.3, 0.1])
        stream = Stream(model, judging=judging)
        before = fed(stream, standing(8.0))[-1]
        if stream.judge is not None and stream.judge.spread is not None:
            assert before.source.tolist() == [Source.JUDGED]
            moves, stands = stream.judge.spread.factors[0, [0, 3]]  # of vehicles
            assert (stands < moves).all()
            assert (moves >= 1.0).all()
        model.ended = True
        return fed(stream, [frame(8.1, {"a": (0.0, 0.0)}, yaw=0.0)])[0]

    judged_row, plain_row = last_of(JudgingOptions()), last_of(NO_JUDGING)
    assert judged_row.source.tolist() == [Source.PHYSICS]
    assert bytes_of(judged_row) == bytes_of(plain_row)


def test_a_predictor_that_names_experts_itself_is_refused() -> None:
    class Naming(Says):
        def predict(self, observations: Observations) -> Prediction:
            answer = super().predict(observations)
            return replace(answer, expert=np.zeros(answer.probability.shape, np.int8))

    stream = judged(Naming([(5.0, 0.0)], [1.0]))
    answers = fed(stream, standing(1.0))
    assert all(a.source.tolist() == [Source.PHYSICS] for a in answers)
    assert "Prediction.expert" in stream.guard.counters.last_failure


def test_more_objects_than_the_limit() -> None:
    frames = [frame(0.1 * i, {f"t{k}": (30.0 * k, 0.0) for k in range(70)}) for i in range(25)]
    stream = Stream(driving(), guard=GuardOptions(max_objects=40), judging=JudgingOptions())
    last = fed(stream, frames)[-1]
    assert np.count_nonzero(last.source == Source.JUDGED) == 40
    assert np.count_nonzero(last.source == Source.PHYSICS) == 30


def test_the_counters_say_who_led() -> None:
    stream = judged()
    answers = fed(stream, standing(4.0))
    assert stream.judge is not None
    counters = stream.judge.counters
    assert counters.evident_rows == 31  # from 1 s on
    assert counters.velocity_rows + counters.standing_rows == sum(leader(a) != Expert.MODEL for a in answers)
    labels = np.concatenate([a.expert for a in answers if a.expert is not None])
    assert counters.standing_modes == np.count_nonzero(labels == Expert.STANDING)
    assert counters.velocity_modes == np.count_nonzero(labels == Expert.CONSTANT_VELOCITY)


def test_only_model_files_are_judged_unless_asked_for() -> None:
    assert Stream(ConstantVelocity(TIME_S)).judge is None
    assert Stream(ConstantVelocity(TIME_S), judging=JudgingOptions()).judge is not None
    assert Stream(ConstantVelocity(np.array([0.5])), judging=JudgingOptions()).judge is None  # nothing is 1 s ahead
    with pytest.raises(ConfigError, match="horizons_s"):
        SelfJudge(1, np.array([0.5]), JudgingOptions())


@pytest.mark.parametrize("yaw", [0.3, None])
@pytest.mark.parametrize("kind", [ObjectClass.CAR, ObjectClass.PEDESTRIAN])
def test_constant_velocity_is_that_of_the_baseline(yaw: float | None, kind: ObjectClass) -> None:
    for speed in ((3.0, 2.0), (-3.0, -2.0), None):
        seen = observed(
            frame(0.0, {"a": (0.0, 0.0)}, yaw=yaw, velocity=speed, kind=kind),
            frame(0.1, {"a": (0.2, 0.1)}, yaw=yaw, velocity=speed, kind=kind),
        )
        path_m = ConstantVelocity(TIME_S).predict(seen).position_m[0, 0] - seen.position_m[0]
        np.testing.assert_allclose(velocity_of(seen)[0] * TIME_S[:, None], path_m, atol=1e-9)


def test_who_begins_to_brake_is_no_longer_expected_to_go_on() -> None:
    """Six seconds at 10 m/s, which the model did not foresee, then 3 m/s^2 less and less: the model leads at once."""
    speeds_mps = np.concatenate([np.full(60, 10.0), 10.0 - 0.3 * np.arange(1, 11)])
    x_m = np.cumsum(speeds_mps) * 0.1
    frames = [
        frame(0.1 * i, {"a": (x, 0.0)}, velocity=(v, 0.0))
        for i, (x, v) in enumerate(zip(x_m.tolist(), speeds_mps.tolist(), strict=True))
    ]
    answers = fed(judged(), frames)
    assert [leader(a) for a in answers[40:60]] == [Expert.CONSTANT_VELOCITY] * 20
    assert [leader(a) for a in answers[64:]] == [Expert.MODEL] * 6


def seconds_until_constant_velocity_leads(speed_mps: float) -> float:
    """For who walks so fast and whom the model expects to stay or to walk off, with the priors as they are."""
    frames = [
        frame(0.1 * i, {"a": (0.1 * i * speed_mps, 0.0)}, kind=ObjectClass.PEDESTRIAN, velocity=(speed_mps, 0.0))
        for i in range(80)
    ]
    only = JudgingOptions(adapt_spread=False, combine=False, heed=False, learn=False)
    answers = fed(Stream(Says([(0.0, 0.0), (1.5, 0.0)], [0.7, 0.3]), judging=only), frames)
    return 0.1 * [leader(answer) for answer in answers].index(Expert.CONSTANT_VELOCITY)


def test_what_stands_keeps_a_larger_prior_of_constant_velocity() -> None:
    """Below 0.5 m/s: it leads sooner than a little above, although the model is less wrong about it."""
    assert seconds_until_constant_velocity_leads(0.49) < seconds_until_constant_velocity_leads(0.51) - 0.2
