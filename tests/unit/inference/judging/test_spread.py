"""Covariances that adapt: to a spread that is wrong, not to one that is right; bounded, and by many tracks."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.frames import frame
from tests.unit.inference.judging.fakes import TIME_S, Says, bytes_of, fed
from trajnet.arrays import concat
from trajnet.inference import JudgingOptions, Stream
from trajnet.inference.judging import spread
from trajnet.inference.judging.region import held_by
from trajnet.inference.judging.spread import LARGEST, SMALLEST, AdaptiveSpread
from trajnet.tracking.store import Observations, TrackPolicy
from trajnet.types import FloatArray, ObjectClass, Prediction, Source, TrackFrame

#: What a stream begins with at TIME_S.
BEGINS = AdaptiveSpread(1, TIME_S).factors[0, 0]
SPREAD_ONLY = JudgingOptions(weigh=False, combine=False, heed=False, learn=False)


class Uncertain(Says):
    """The object goes on at 5 m/s, with a standard deviation of sigma_mps times the time."""

    def __init__(self, sigma_mps: float) -> None:
        super().__init__([(5.0, 0.0)], [1.0])
        self._variance_m2 = (sigma_mps * TIME_S) ** 2

    def predict(self, observations: Observations) -> Prediction:
        answer = super().predict(observations)
        shape = answer.covariance_m2.shape
        return replace(answer, covariance_m2=np.broadcast_to(self._variance_m2[:, None, None] * np.eye(2), shape))


class Unsure(Says):
    """The object goes on at 5 m/s, in four of ten at other_mps; the standard deviations are 1 m/s times the time."""

    def __init__(self, other_mps: float = 5.0) -> None:
        super().__init__([(other_mps, 0.0), (5.0, 0.0)], [0.4, 0.6])
        self._variance_m2 = TIME_S**2

    def predict(self, observations: Observations) -> Prediction:
        answer = super().predict(observations)
        shape = answer.covariance_m2.shape
        return replace(answer, covariance_m2=np.broadcast_to(self._variance_m2[:, None, None] * np.eye(2), shape))


class FarOffAtFirst(Uncertain):
    """So certain that it is wrong about objects that are seen for the first time."""

    def predict(self, observations: Observations) -> Prediction:
        answer = super().predict(observations)
        certain = np.where(np.isin(observations.slot, observations.begun), 1e-6, 1.0)
        return replace(answer, covariance_m2=answer.covariance_m2 * certain[:, None, None, None, None])


def traffic(
    seconds: float, sigma_mps: float = 1.0, *, seed: int = 0, tracks: int = 30, hz: float = 2.0
) -> list[TrackFrame]:
    """Objects that each go on at 5 m/s and an error of their own, 200 m apart; each lives for 10 s."""
    rng = np.random.default_rng(seed)
    frames = []
    lives = int(seconds / 10.0) + 2
    error_mps = rng.normal(0.0, sigma_mps, (lives, tracks, 2))
    for time_s in np.arange(round(seconds * hz)) / hz:
        places = {}
        for track in range(tracks):
            life, age_s = divmod(time_s + track * 10.0 / tracks, 10.0)
            x_m, y_m = age_s * (np.array([5.0, 0.0]) + error_mps[int(life), track])
            places[f"{track}-{int(life)}"] = (float(x_m) + 1000.0 * (life % 2), 200.0 * track + float(y_m))
        frames.append(frame(time_s, places, velocity=(5.0, 0.0)))
    return frames


def of_two_kinds(seconds: float, well_mps: float, *, badly_mps: float = 2.0, seed: int = 0) -> list[TrackFrame]:
    """Objects at 5 m/s as in traffic; three of four with an error of well_mps, the others with one of badly_mps."""
    rng = np.random.default_rng(seed)
    frames, lives, tracks = [], int(seconds / 10.0) + 2, 30
    sigma_mps = np.where(rng.random((lives, tracks, 1)) < 0.75, well_mps, badly_mps)
    velocity_mps = np.array([5.0, 0.0]) + sigma_mps * rng.normal(size=(lives, tracks, 2))
    for time_s in np.arange(round(seconds * 2.0)) / 2.0:
        places = {}
        for track in range(tracks):
            life, age_s = divmod(time_s + track * 10.0 / tracks, 10.0)
            x_m, y_m = age_s * velocity_mps[int(life), track]
            places[f"{track}-{int(life)}"] = (float(x_m) + 1000.0 * (life % 2), 200.0 * track + float(y_m))
        frames.append(frame(time_s, places, velocity=(5.0, 0.0)))
    return frames


def with_faster(frames: list[TrackFrame], count: int) -> list[TrackFrame]:
    """Add objects that say 5 m/s and go on at 10 m/s, all the time."""
    out = []
    for one in frames:
        time_s = one.timestamp_ns / 1e9
        places = {f"faster-{i}": (10.0 * time_s, -200.0 * (i + 1)) for i in range(count)}
        out.append(concat([one, frame(time_s, places, velocity=(5.0, 0.0))]))
    return out


def spread_of(stream: Stream) -> AdaptiveSpread:
    assert stream.judge is not None
    assert stream.judge.spread is not None
    return stream.judge.spread


def factors(stream: Stream) -> FloatArray:
    """Return the factors of moving vehicles at 1, 2, 3, 4 and 6 s."""
    return spread_of(stream).factors[0, 0, [1, 3, 5, 7, 11]]


@pytest.mark.parametrize("stated", [0.5, 1.0, 1.8])
def test_the_factor_makes_good_what_the_stated_spread_lacks(stated: float) -> None:
    stream = Stream(Uncertain(stated), TrackPolicy(handover=False), judging=SPREAD_ONLY)
    fed(stream, traffic(150.0, 1.0))
    np.testing.assert_allclose(factors(stream), 1.0 / stated, rtol=0.25)


def test_a_short_recording_is_enough_to_learn_from() -> None:
    """Recordings of sites last 16 s: a spread that is stated 1.8 times as wide as it is is mended within that."""
    found = []
    for seed in range(8):
        stream = Stream(Uncertain(1.8), TrackPolicy(handover=False), judging=SPREAD_ONLY)
        fed(stream, traffic(16.0, 1.0, seed=seed))
        found.append(np.log(factors(stream)))
    np.testing.assert_allclose(np.exp(np.mean(found, axis=0)), 1.0 / 1.8, rtol=0.2)


def test_the_factor_is_bounded() -> None:
    stream = Stream(Uncertain(0.05), TrackPolicy(handover=False), judging=SPREAD_ONLY)
    fed(stream, traffic(150.0, 1.0))
    np.testing.assert_allclose(factors(stream), LARGEST[0])
    stream = Stream(Uncertain(20.0), TrackPolicy(handover=False), judging=SPREAD_ONLY)
    fed(stream, traffic(150.0, 1.0))
    assert (factors(stream) >= SMALLEST[0]).all()
    assert (factors(stream) < 0.75).all()


def test_the_covariances_leave_with_the_factor_and_nothing_else_changes() -> None:
    stream = Stream(Uncertain(0.5), TrackPolicy(handover=False), judging=SPREAD_ONLY)
    last = fed(stream, traffic(60.0))[-1]
    found = factors(stream)
    sigma_m = np.sqrt(last.covariance_m2[0, 0, [1, 3, 5, 7, 11], 0, 0])
    np.testing.assert_allclose(sigma_m, 0.5 * np.array([1.0, 2.0, 3.0, 4.0, 6.0]) * found)
    assert last.expert is None
    np.testing.assert_allclose(last.position_m[0, 0, 0] - last.position_m[0, 0, 1], [-2.5, 0.0], atol=1e-9)


def test_both_regions_hold_what_they_say_where_one_factor_cannot_make_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """Errors of two kinds have longer tails than a Gaussian: where 90 % are held, its 50 % region holds 60 %."""
    shares: list[float] = []

    def noting(*given: FloatArray) -> FloatArray:
        share = held_by(*given)
        shares.extend(share.tolist())
        return share

    monkeypatch.setattr(spread, "held_by", noting)
    held = {}
    for levels in ((0.9,), (0.9, 0.5)):
        monkeypatch.setattr(spread, "LEVELS", levels)
        stream = Stream(Unsure(), TrackPolicy(handover=False), judging=SPREAD_ONLY)
        shares.clear()
        fed(stream, of_two_kinds(240.0, 0.9))
        later = np.array(shares[len(shares) // 3 :])
        held[len(levels)] = [float((later <= level + 1e-6).mean()) for level in (0.5, 0.9)]
    assert held[1][0] > 0.6
    assert held[2] == pytest.approx([0.5, 0.9], abs=0.05)


def test_the_most_probable_mode_leaves_with_both_factors_and_the_others_with_one() -> None:
    stream = Stream(Unsure(9.0), TrackPolicy(handover=False), judging=SPREAD_ONLY)
    last = fed(stream, of_two_kinds(60.0, 0.5))[-1]
    of_all, of_top = spread_of(stream).factors[:, 0]
    assert (np.abs(of_top - 1.0) > 0.05).all()
    variance_m2 = last.covariance_m2[0, :, :, 0, 0] / np.square(TIME_S)
    np.testing.assert_allclose(variance_m2, np.square([of_all, of_all * of_top]))  # the second is the most probable


@pytest.mark.parametrize(("share", "bounds"), [(0.2, (0.5, 0.5)), (0.7, (0.5, 1.5)), (0.95, (3.0, 1.5))])
def test_both_factors_are_bounded(share: float, bounds: tuple[float, float], monkeypatch: pytest.MonkeyPatch) -> None:
    """As where every position lies inside of both regions, between them, and outside of both."""
    monkeypatch.setattr(spread, "held_by", lambda mean, covariance, probability, truth: np.full(len(truth), share))
    stream = Stream(Unsure(), TrackPolicy(handover=False), judging=SPREAD_ONLY)
    fed(stream, of_two_kinds(150.0, 1.0))
    np.testing.assert_allclose(spread_of(stream).factors[:, 0], np.tile(bounds, (len(TIME_S), 1)).T)


def test_one_odd_object_among_many_moves_the_factor_little() -> None:
    """It is never where it should be, for two minutes; thirty others are, for 10 s each. At 6 s its share is larger."""
    ratios = []
    for seed in range(5):
        found = []
        for odd in (0, 1):
            stream = Stream(Uncertain(1.0), TrackPolicy(handover=False), judging=SPREAD_ONLY)
            fed(stream, with_faster(traffic(120.0, seed=seed), odd))
            found.append(factors(stream))
        assert ((found[0] > 0.7) & (found[0] < 1.5)).all()  # not at a bound, where nothing could move it
        ratios.append(np.log(found[1] / found[0]))
    wider = np.exp(np.mean(ratios, axis=0))
    assert (wider[:4] < 1.25).all()
    assert wider[4] < 1.5


def test_every_prediction_counts_alike_however_long_its_track_is() -> None:
    """A quarter of the objects stays in view for minutes and is always outside; those that come and go are inside."""
    stream = Stream(Uncertain(1.0), TrackPolicy(handover=False), judging=SPREAD_ONLY)
    fed(stream, with_faster(traffic(180.0, 0.3), 10))
    assert (factors(stream) > 2.0).all()


@pytest.fixture
def judgements(monkeypatch: pytest.MonkeyPatch) -> list[tuple[float, float]]:
    """Everything that is judged from now on: the variance along x that was stated, and where the object is along y."""
    seen: list[tuple[float, float]] = []

    def noting(
        position_m: FloatArray, covariance: FloatArray, probability: FloatArray, truth_m: FloatArray
    ) -> FloatArray:
        seen.extend(zip(covariance[:, 0, 0].tolist(), truth_m[:, 1].tolist(), strict=True))
        return held_by(position_m, covariance, probability, truth_m)

    monkeypatch.setattr(spread, "held_by", noting)
    return seen


@pytest.mark.parametrize(("hz", "seconds"), [(1.0, 600.0), (2.0, 300.0), (10.0, 120.0)])
def test_predictions_of_every_age_are_judged_as_often_as_they_are_published(
    hz: float, seconds: float, judgements: list[tuple[float, float]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Objects live for 10 s; of what is judged 1 s later the share of first ones is that of the published ones."""
    monkeypatch.setattr(spread, "HORIZONS_S", (1.0,))
    monkeypatch.setattr(spread, "MAX_JUDGEMENTS", 100)
    stream = Stream(FarOffAtFirst(1.0), TrackPolicy(handover=False), judging=SPREAD_ONLY)
    fed(stream, traffic(seconds, 0.3, hz=hz, tracks=20))
    first = sum(variance_m2 < 1e-3 for variance_m2, _ in judgements)
    published = 1.0 / (9.0 * hz + 1.0)  # of those that are still there 1 s later
    assert first / len(judgements) == pytest.approx(published, rel=0.4)


def test_no_object_is_left_out_where_more_are_due_than_are_judged(judgements: list[tuple[float, float]]) -> None:
    places = {f"{i}": (0.0, 200.0 * i) for i in range(100)}
    stream = Stream(Uncertain(1.0), TrackPolicy(handover=False), judging=SPREAD_ONLY)
    fed(stream, [frame(0.5 * k, places, velocity=(5.0, 0.0)) for k in range(120)])
    assert {y_m for _, y_m in judgements} == {y_m for _, y_m in places.values()}


def test_each_group_has_its_own_factors() -> None:
    stream = Stream(Uncertain(0.5), TrackPolicy(handover=False), judging=SPREAD_ONLY)
    people = [replace(one, object_class=np.full(len(one), ObjectClass.PEDESTRIAN, np.int8)) for one in traffic(60.0)]
    fed(stream, people)
    found = spread_of(stream).factors[0]
    assert (found[2] > 1.3).all()
    np.testing.assert_allclose(np.delete(found, 2, axis=0), np.tile(BEGINS, (5, 1)))


def test_the_factors_stay_when_the_tracks_are_forgotten() -> None:
    stream = Stream(Uncertain(0.5), TrackPolicy(handover=False), judging=SPREAD_ONLY)
    fed(stream, traffic(60.0))
    before = factors(stream)
    stream.reset()
    fed(stream, [frame(0.0, {"new": (0.0, 0.0)}, velocity=(5.0, 0.0))])
    np.testing.assert_array_equal(factors(stream), before)


def test_until_something_was_judged_the_spread_is_a_little_wider_the_longer_ahead() -> None:
    frames = [one for one in traffic(10.0) if one.timestamp_ns < 1e9]
    on = fed(Stream(Uncertain(0.5), judging=SPREAD_ONLY), frames)
    off = fed(Stream(Uncertain(0.5)), frames)
    np.testing.assert_allclose(BEGINS[[0, 1, 5, -1]], [1.0, 1.0, 1.16**0.4, 1.16], rtol=1e-9)  # at 0.5, 1, 3 and 6 s
    assert (np.diff(BEGINS[1:]) > 0.0).all()
    for judged, plain in zip(on, off, strict=True):
        new = plain.source == Source.MODEL  # what is stale is an earlier path, wider by then
        wider_m2 = plain.covariance_m2[new] * np.square(BEGINS)[:, None, None]
        np.testing.assert_allclose(judged.covariance_m2[new], wider_m2)
        assert bytes_of(replace(judged, covariance_m2=plain.covariance_m2)) == bytes_of(plain)


def test_the_same_traffic_gives_the_same_bytes() -> None:
    one, other = (fed(Stream(Uncertain(0.5), judging=SPREAD_ONLY), traffic(20.0)) for _ in range(2))
    assert [bytes_of(a) for a in one] == [bytes_of(a) for a in other]


def test_the_order_of_the_rows_does_not_matter() -> None:
    """More than MAX_JUDGEMENTS are due in a frame, and several tracks begin in one."""
    frames, rng = with_faster(traffic(40.0, tracks=30), 15), np.random.default_rng(0)
    mixed = [one.select(rng.permutation(len(one))) for one in frames]
    found = [fed(Stream(Uncertain(0.5), judging=SPREAD_ONLY), some) for some in (frames, mixed)]
    for one, other in zip(*found, strict=True):
        place = {track: row for row, track in enumerate(other.track_id)}
        rows = [place[track] for track in one.track_id]
        np.testing.assert_allclose(one.covariance_m2, other.covariance_m2[rows], rtol=1e-9)


def test_the_predictors_own_arrays_do_not_change() -> None:
    class Keeping(Says):
        last: Prediction | None = None

        def predict(self, observations: Observations) -> Prediction:
            self.last = super().predict(observations)
            return self.last

    model = Keeping([(5.0, 0.0)], [1.0])
    stream = Stream(model, TrackPolicy(handover=False), judging=SPREAD_ONLY)
    answer = fed(stream, traffic(20.0))[-1]
    assert model.last is not None
    np.testing.assert_allclose(model.last.covariance_m2[:, 0, :, 0, 0], 0.04)
    assert (answer.covariance_m2[:, 0, -1, 0, 0] > 0.05).all()


def test_rows_of_physics_are_left_alone() -> None:
    class Physics(Says):
        def predict(self, observations: Observations) -> Prediction:
            answer = super().predict(observations)
            return replace(answer, source=np.full(len(answer), Source.PHYSICS, np.int8))

    stream = Stream(Physics([(5.0, 0.0)], [1.0]), TrackPolicy(handover=False), judging=SPREAD_ONLY)
    last = fed(stream, traffic(20.0))[-1]
    np.testing.assert_allclose(last.covariance_m2[:, 0, :, 0, 0], 0.04)
    assert spread_of(stream).judgements == 0


def test_horizons_beyond_the_predictors_are_left_out() -> None:
    spread = AdaptiveSpread(1, np.array([0.5, 1.0, 1.5, 2.0]))
    assert spread.factors.shape == (1, 6, 4)


@pytest.mark.parametrize("shift_s", [0.25, 1.0, 2.0, -1.0, 1.7e9])
def test_the_time_of_the_first_frame_changes_nothing(shift_s: float) -> None:
    shift_ns = round(shift_s * 1e9)
    begun, later = (Stream(Uncertain(0.5), judging=SPREAD_ONLY) for _ in range(2))
    for one in traffic(12.0):
        moved = replace(one, timestamp_ns=one.timestamp_ns + shift_ns)
        answer, shifted = begun.update(one, one.timestamp_ns), later.update(moved, moved.timestamp_ns)
        assert answer.covariance_m2.tobytes() == shifted.covariance_m2.tobytes()
