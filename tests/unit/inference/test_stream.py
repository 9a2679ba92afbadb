"""Frames in, every live track out: order, stale rows, dropped frames, the same bytes again."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.frames import SECOND, frame
from tests.replay_scenes import straight_scene
from trajnet.context.map_field import MapView
from trajnet.context.surroundings import InputRequirements
from trajnet.errors import InputError
from trajnet.geometry import wrap_angle
from trajnet.inference import PHYSICS, ConstantTurnRate, ConstantVelocity, GuardOptions, KalmanConstantVelocity, Stream
from trajnet.inference.base import BasePredictor
from trajnet.tracking.store import Observations, TrackPolicy
from trajnet.types import Lane, ObjectClass, Prediction, Scene, Source, TrackFrame

TIME_S = np.array([0.5, 1.0, 2.0])


def put(stream: Stream, one: TrackFrame) -> Prediction:
    answer = stream.update(one, one.timestamp_ns)
    answer.validate()
    return answer


def bytes_of(answer: Prediction) -> bytes:
    arrays = (getattr(answer, n) for n in ("position_m", "yaw_rad", "covariance_m2", "probability", "source", "age_s"))
    return b"".join(a.tobytes() for a in arrays) + repr((answer.track_id, answer.timestamp_ns)).encode()


def moving(step: int, *ids: str) -> TrackFrame:
    """Each at its own speed along x, ten frames a second."""
    speed = {t: 1.0 + ord(t[0]) - ord("a") for t in ids}
    return frame(
        0.1 * step,
        {t: (0.1 * step * v, v) for t, v in speed.items()},
        velocity=[(v, 0.0) for v in speed.values()] or None,
    )


def test_rows_are_the_frames_then_the_coasting_ones() -> None:
    stream = Stream(ConstantVelocity(TIME_S))
    put(stream, moving(0, "c", "a", "b", "d"))
    answer = put(stream, moving(1, "d", "e", "b"))
    assert answer.track_id == ("d", "e", "b", "c", "a")  # c was born before a
    assert answer.source.tolist() == [Source.PHYSICS] * 3 + [Source.STALE] * 2
    assert answer.age_s == pytest.approx([0, 0, 0, 0.1, 0.1])
    assert answer.timestamp_ns == SECOND // 10
    # The predictor itself gave 7 rows, the fall-back none.
    counters = stream.guard.counters
    assert (counters.model_rows, counters.physics_rows, counters.stale_rows) == (7, 0, 2)
    assert stream.store.live == 5


def test_a_stale_path_goes_on_as_the_object_would() -> None:
    """At constant velocity the path of an unseen object is the path that it would have got."""
    stream = Stream(ConstantVelocity(TIME_S), TrackPolicy(timeout_s=3.0))
    put(stream, moving(0, "a", "c"))
    for step in (1, 7, 25):
        answer = put(stream, moving(step, "c"))
        assert answer.track_id == ("c", "a")
        assert answer.age_s[1] == pytest.approx(0.1 * step)
        np.testing.assert_allclose(
            answer.position_m[1, 0], np.stack([0.1 * step + TIME_S, np.ones(3)], axis=-1), atol=1e-12
        )
        np.testing.assert_allclose(answer.yaw_rad[1], 0.0)


def test_a_stale_arc_is_cut_by_hand() -> None:
    """Points at 0.5, 1 and 2 s, asked for 0.25 s later: halfway, a quarter of the way, straight on past the end."""
    stream = Stream(ConstantTurnRate(TIME_S))
    frames = [frame(0.1 * i, {"a": (0.5 * i, 0.0)}, yaw=0.02 * i, velocity=(5.0, 0.0)) for i in range(2)]
    path = [put(stream, f) for f in frames][-1]
    points = np.concatenate([[[0.5, 0.0]], path.position_m[0, 0]])
    stale = put(stream, frame(0.35, {})).position_m[0, 0]
    np.testing.assert_allclose(stale[0], 0.5 * points[1] + 0.5 * points[2], atol=1e-12)
    np.testing.assert_allclose(stale[1], 0.75 * points[2] + 0.25 * points[3], atol=1e-12)
    np.testing.assert_allclose(stale[2], points[3] + 0.25 * (points[3] - points[2]), atol=1e-12)


def test_a_stale_heading_turns_the_short_way_round() -> None:
    """A path whose heading passes pi: halfway between 3.14 and -3.1 is not 0."""

    class Wrapping(BasePredictor):
        name, modes, time_s = "wrapping", 1, TIME_S

        def predict(self, observations: Observations) -> Prediction:
            answer = ConstantVelocity(TIME_S).predict(observations)
            answer.yaw_rad[:] = np.array([3.0, 3.14, -3.1])
            return answer

    stream = Stream(Wrapping())
    put(stream, frame(0.0, {"a": (0, 0)}, yaw=2.9))
    yaw = put(stream, frame(0.25, {})).yaw_rad[0, 0]
    step = 2 * np.pi - 6.24  # from 3.14 to -3.1
    np.testing.assert_allclose(wrap_angle(yaw), wrap_angle(np.array([3.07, 3.14 + 0.25 * step, -3.1])), atol=1e-12)


def test_a_path_of_one_point_goes_on_from_where_the_object_was_seen() -> None:
    stream = Stream(ConstantVelocity(np.array([1.0])))
    put(stream, frame(0.0, {"a": (1, 0)}, velocity=(0, 0)))
    put(stream, frame(0.1, {"a": (1.4, 0)}, velocity=(4, 0)))
    np.testing.assert_allclose(put(stream, frame(0.6, {})).position_m[0, 0], [[1.4 + 4 * 1.5, 0]])


def test_the_spread_of_a_stale_path_never_shrinks() -> None:
    stream = Stream(ConstantVelocity(TIME_S), TrackPolicy(handover=False))  # b is another object
    fresh = put(stream, moving(0, "a")).covariance_m2[0, 0]
    stale = put(stream, moving(5, "z")).covariance_m2[1, 0]  # far from where a should be: no hand-over
    assert (stale[:, 0, 0] >= fresh[:, 0, 0]).all()
    assert stale[0, 0, 0] == pytest.approx(fresh[1, 0, 0])


@pytest.mark.parametrize(("stamp_s", "status"), [(0.2, "duplicate"), (0.1, "out_of_order")])
def test_a_dropped_frame_gives_the_last_answer(stamp_s: float, status: str) -> None:
    stream, clean = Stream(KalmanConstantVelocity(TIME_S)), Stream(KalmanConstantVelocity(TIME_S))
    for s in (stream, clean):
        put(s, moving(0, "a", "b"))
        last = put(s, moving(2, "a"))
    answer = put(stream, frame(stamp_s, {"a": (99, 99), "x": (0, 0), "y": (1, 1)}))
    assert stream.status == status
    assert bytes_of(answer) == bytes_of(last)
    assert bytes_of(put(stream, moving(3, "a", "b"))) == bytes_of(put(clean, moving(3, "a", "b")))


def test_an_empty_answer_is_an_answer() -> None:
    stream = Stream(ConstantVelocity(TIME_S))
    put(stream, frame(1.0, {}))
    answer = put(stream, frame(0.5, {"a": (0, 0)}))
    assert stream.status == "out_of_order"
    assert (len(answer), answer.timestamp_ns) == (0, SECOND)


@pytest.mark.parametrize("make", PHYSICS.values(), ids=PHYSICS)
def test_empty_frames_at_any_time(make: type) -> None:
    stream = Stream(make(TIME_S), TrackPolicy(timeout_s=0.25))
    assert put(stream, frame(0.0, {})).position_m.shape == (0, 1, 3, 2)
    assert put(stream, moving(1, "a")).track_id == ("a",)
    assert put(stream, frame(0.2, {})).source.tolist() == [Source.STALE]
    assert put(stream, frame(0.35, {})).track_id == ("a",)
    assert put(stream, frame(0.36, {})).track_id == ()


def test_late_frames_are_used_and_a_clock_reset_starts_anew() -> None:
    stream = Stream(ConstantVelocity(TIME_S))
    stream.update(moving(0, "a"), SECOND)
    seen = [stream.status]
    put(stream, moving(100, "a", "b"))
    answer = put(stream, moving(1, "b"))
    assert [*seen, stream.status] == ["late", "clock_reset"]
    assert answer.track_id == ("b",)


def test_an_id_used_again_after_the_timeout_has_no_past() -> None:
    stream, fresh = (Stream(KalmanConstantVelocity(TIME_S), TrackPolicy(timeout_s=0.5)) for _ in range(2))
    for step in range(5):
        put(stream, frame(0.1 * step, {"a": (3.0 * step, 0.0)}))
    again = frame(2.0, {"a": (-50.0, 7.0)})
    assert bytes_of(put(stream, again)) == bytes_of(put(fresh, again))


def test_reset_forgets_the_tracks() -> None:
    stream, fresh = Stream(KalmanConstantVelocity(TIME_S)), Stream(KalmanConstantVelocity(TIME_S))
    for step in range(3):
        put(stream, moving(step, "a", "b"))
    stream.reset()
    assert bytes_of(put(stream, moving(1, "a"))) == bytes_of(put(fresh, moving(1, "a")))
    assert stream.guard.counters.calls == 4


def test_a_predictor_with_state_serves_one_stream_at_a_time() -> None:
    shared = KalmanConstantVelocity(TIME_S)
    first, second, alone = Stream(shared), Stream(shared), Stream(KalmanConstantVelocity(TIME_S))
    put(first, moving(0, "a", "b"))
    put(first, moving(1, "a", "b"))
    for step in range(3):  # a new stream on a used predictor begins with fresh tracks
        assert bytes_of(put(second, moving(step, "c", "d"))) == bytes_of(put(alone, moving(step, "c", "d")))
        with pytest.raises(InputError, match=r"kalman: expected one stream at a time.*load one predictor for each"):
            put(first, moving(2 + step, "a", "b"))
    first.reset()
    alone.reset()
    for step in range(5, 8):
        assert bytes_of(put(first, moving(step, "a", "b"))) == bytes_of(put(alone, moving(step, "a", "b")))
    with pytest.raises(InputError, match="kalman"):
        put(second, moving(3, "c", "d"))


def test_a_stream_that_lost_its_predictor_takes_no_frame_until_its_reset() -> None:
    shared = KalmanConstantVelocity(TIME_S)
    first, second = Stream(shared), Stream(shared)
    put(second, moving(3, "a"))
    put(first, moving(0, "a"))
    for _ in range(2):  # again: the frame does not count as used
        with pytest.raises(InputError, match="kalman"):
            put(second, moving(4, "a"))
    put(first, moving(1, "a"))
    second.reset()
    assert len(put(second, moving(4, "a"))) == 1


def test_a_model_and_a_fall_back_with_state_serve_the_same_stream() -> None:
    options = GuardOptions(fallback=KalmanConstantVelocity(TIME_S))
    stream = Stream(KalmanConstantVelocity(TIME_S), guard=options)
    for step in range(3):
        assert len(put(stream, moving(step, "a"))) == 1


def test_a_fall_back_with_state_serves_one_stream_at_a_time() -> None:
    options = GuardOptions(fallback=KalmanConstantVelocity(TIME_S))
    first, second = (Stream(ConstantVelocity(TIME_S), guard=options) for _ in range(2))
    put(first, moving(0, "a"))
    put(second, moving(0, "a"))
    with pytest.raises(InputError, match="kalman: expected one stream at a time"):
        put(first, moving(1, "a"))


@pytest.mark.parametrize("make", [ConstantVelocity, ConstantTurnRate])
def test_streams_may_share_a_predictor_without_state(make: type) -> None:
    shared = make(TIME_S)
    streams, alone = (Stream(shared), Stream(shared)), (Stream(make(TIME_S)), Stream(make(TIME_S)))
    for step in range(4):
        for stream, other, ids in zip(streams, alone, ("ab", "c"), strict=True):
            assert bytes_of(put(stream, moving(step, *ids))) == bytes_of(put(other, moving(step, *ids)))


def test_a_result_may_be_written_into_after_the_next_frame() -> None:
    stream, clean = Stream(ConstantVelocity(TIME_S)), Stream(ConstantVelocity(TIME_S))
    earlier = None
    for ids in ("ab", "ab", "a", "a"):  # b is missing from the third on
        step = stream.store.counters.frames
        answer, wanted = put(stream, moving(step, *ids)), put(clean, moving(step, *ids))
        assert bytes_of(answer) == bytes_of(wanted)
        if earlier is not None:
            for name in ("position_m", "yaw_rad", "covariance_m2", "probability", "age_s"):
                getattr(earlier, name).fill(7.0)
        earlier = answer


def drawn(seed: int, steps: int, ids: list[str], seen: float) -> list[TrackFrame]:
    """Random walks of objects that are seen now and then, of every class, with and without yaw."""
    draw = np.random.default_rng(seed)
    place = {t: draw.normal(scale=50.0, size=2) for t in ids}
    frames = []
    for step in range(steps):
        here = [t for t in ids if draw.random() < seen]
        for t in ids:
            place[t] = place[t] + draw.normal(size=2)
        kind = [list(ObjectClass)[hash_of(t) % len(ObjectClass)] for t in here]
        yaw = draw.normal(size=len(here)) if step % 3 else None
        where = {t: (float(place[t][0]), float(place[t][1])) for t in here}
        frames.append(
            frame(0.1 * step, where, yaw=yaw, kind=np.array(kind, dtype=int), velocity=draw.normal(size=(len(here), 2)))
        )
    return frames


def hash_of(text: str) -> int:
    return sum(map(ord, text))


@pytest.mark.parametrize("make", PHYSICS.values(), ids=PHYSICS)
def test_the_same_frames_give_the_same_bytes(make: type) -> None:
    frames = drawn(4, 25, [f"t{i}" for i in range(40)], 0.7)
    first, second = (
        [bytes_of(put(stream, f)) for f in frames] for stream in (Stream(make(TIME_S)), Stream(make(TIME_S)))
    )
    assert first == second


@pytest.mark.parametrize("make", PHYSICS.values(), ids=PHYSICS)
def test_no_track_depends_on_the_others(make: type) -> None:
    frames = drawn(5, 25, [f"t{i}" for i in range(12)], 0.7)
    together, alone = Stream(make(TIME_S)), Stream(make(TIME_S))
    compared = 0
    for one in frames:
        all_rows = put(together, one)
        single = put(alone, one.select(np.array([t == "t3" for t in one.track_id])))
        if "t3" not in all_rows.track_id:
            assert len(single) == 0
            continue
        row = all_rows.track_id.index("t3")
        for name in ("position_m", "yaw_rad", "covariance_m2", "source", "age_s"):
            np.testing.assert_allclose(getattr(all_rows, name)[row], getattr(single, name)[0], rtol=1e-12, atol=1e-12)
        compared += 1
    assert compared > 20


def test_who_was_never_seen_to_move_is_held_and_who_is_back_where_it_began_is_not() -> None:
    """Yaw and velocity are not measured. One goes 0.1 m out (less than heading_step_m) and back, one stands."""
    stream = Stream(ConstantVelocity(TIME_S))
    out = [(7.0, -3.0), (7.06, -2.92), (7.0, -3.0)]
    answers = [put(stream, frame(0.1 * i, {"a": p, "b": (1.0, 2.0)}, yaw=None)) for i, p in enumerate(out)]
    there_mps = np.array([0.6, 0.8])
    for answer, place, velocity_mps in zip(answers, out, (0.0 * there_mps, there_mps, -there_mps), strict=True):
        expected_m = np.array(place) + velocity_mps * TIME_S[:, None]
        np.testing.assert_allclose(answer.position_m[0, 0], expected_m, atol=1e-9)
        assert (answer.position_m[1, 0] == [1.0, 2.0]).all()
    back = answers[-1]
    np.testing.assert_allclose(back.yaw_rad[0, 0], np.arctan2(-0.8, -0.6))
    # Its spread points along its path; that of the one who stands points nowhere.
    along, across = np.array([0.6, 0.8]), np.array([-0.8, 0.6])
    assert (along @ back.covariance_m2[0, 0, -1] @ along) > 1.01 * (across @ back.covariance_m2[0, 0, -1] @ across)
    np.testing.assert_allclose(back.covariance_m2[1, 0], back.covariance_m2[1, 0, :, :1, :1] * np.eye(2), atol=1e-12)


def test_a_path_is_kept_only_where_the_object_has_a_direction() -> None:
    """Every other predictor's paths too: what goes along the map's x axis says nothing of an undirected object."""

    class Eastward(BasePredictor):
        name, modes, time_s = "eastward", 1, TIME_S

        def predict(self, observations: Observations) -> Prediction:
            answer = ConstantVelocity(TIME_S).predict(observations)
            answer.position_m[..., 0] += 10.0
            return answer

    stream = Stream(Eastward())
    for step, (place, held) in enumerate([((0.0, 0.0), True), ((0.0, 0.1), False), ((0.0, 0.0), False)]):
        answer = put(stream, frame(0.1 * step, {"a": place, "b": (4.0, 4.0)}, yaw=None))
        assert (answer.position_m[0, 0, :, 0] == (0.0 if held else 10.0)).all()
        assert (answer.position_m[1, 0] == [4.0, 4.0]).all()


def test_a_thousand_tracks() -> None:
    stream = Stream(ConstantVelocity(TIME_S))
    ids = [f"t{i}" for i in range(1000)]
    places = {t: (float(i), 0.0) for i, t in enumerate(ids)}
    put(stream, frame(0.0, places))
    answer = put(stream, frame(0.1, {t: places[t] for t in ids[500:]}))
    assert answer.track_id == (*ids[500:], *ids[:500])
    np.testing.assert_array_equal(answer.position_m[:, 0, 0, 0], [*range(500, 1000), *range(500)])


def test_the_stages_are_measured_by_the_clock_that_is_given() -> None:
    ticks = iter(range(0, 1000, 7))
    stream = Stream(ConstantVelocity(TIME_S), clock_ns=lambda: next(ticks))
    put(stream, moving(0, "a"))
    assert stream.stages_ns == {"tracks": 7, "model": 7, "output": 7}
    put(stream, moving(0, "a"))
    assert stream.stages_ns == {"tracks": 7, "model": 0, "output": 7}
    untimed = Stream(ConstantVelocity(TIME_S))
    put(untimed, moving(0, "a"))
    assert set(untimed.stages_ns.values()) == {0}


def test_a_predictor_that_fails_is_guarded_with_its_number_of_modes() -> None:
    class Moody(BasePredictor):
        name, modes, time_s = "moody", 3, TIME_S
        fails = False

        def predict(self, observations: Observations) -> Prediction:
            if self.fails:
                raise RuntimeError("no")
            return ConstantVelocity(TIME_S).predict(observations).with_modes(3)

    moody = Moody()
    stream = Stream(moody)
    put(stream, moving(0, "a", "b"))
    moody.fails = True
    answer = put(stream, moving(1, "a"))
    assert answer.modes == 3
    assert answer.source.tolist() == [Source.PHYSICS, Source.STALE]
    assert stream.guard.counters.failures == 1


class Looking(ConstantVelocity):
    """Constant velocity that takes a map and keeps what it was asked."""

    name, requirements = "looking", InputRequirements(view=MapView(ahead_m=4.0, behind_m=4.0, side_m=4.0, step_m=2.0))

    def __init__(self) -> None:
        super().__init__(TIME_S)
        self.asked: list[Observations] = []

    def predict(self, observations: Observations) -> Prediction:
        self.asked.append(observations)
        return super().predict(observations)


def street() -> Scene:
    """Two objects that drive along a lane for three frames."""
    x_m = np.linspace(-20.0, 20.0, 5)
    left_m, centre_m, right_m = (np.stack([x_m, np.full(5, y_m)], axis=1) for y_m in (15.0, 5.0, -5.0))
    return straight_scene(np.ones((3, 2), dtype=np.bool_), lanes=(Lane("lane", left_m, right_m, centre_m),))


def saw_a_map(looking: Looking) -> list[bool]:
    return [bool(o.surroundings is not None and o.surroundings.map_valid.all()) for o in looking.asked]


def test_a_stream_for_a_scene_has_the_scenes_map(caplog: pytest.LogCaptureFixture) -> None:
    looking, scene = Looking(), street()
    stream = Stream.for_scene(scene, looking)
    for one in scene.frames():
        put(stream, one)
    assert saw_a_map(looking) == [True] * scene.frame_count
    assert not caplog.records
    assert Stream.for_scene(scene, ConstantVelocity(TIME_S)).map_field is None  # it takes none


def test_a_model_without_the_map_that_it_takes_says_so_once(caplog: pytest.LogCaptureFixture) -> None:
    looking, scene = Looking(), street()
    stream = Stream(looking)
    assert not caplog.records  # the map may still be given
    for one in scene.frames():
        put(stream, one)
    assert saw_a_map(looking) == [False] * scene.frame_count
    assert [r.getMessage() for r in caplog.records] == ["looking uses a map and is given none: it predicts without one"]
    caplog.clear()
    none = np.zeros((0, 2))
    unusable = replace(scene, lanes=(Lane("lane", none, none, none),))
    stream = Stream.for_scene(unusable, looking)
    for one in scene.frames():
        put(stream, one)
    (record,) = caplog.records
    assert "looking uses a map and predicts without one: scene" in record.getMessage()
    assert "lanes: expected some that vehicles may use" in record.getMessage()
    assert stream.map_problem in record.getMessage()
    problem, stream.map_problem = stream.map_problem, "kept"
    stream.use_map(stream.map_field)
    assert stream.map_problem == ""
    stream.use_map_of(unusable)
    assert stream.map_problem == problem
    stream.use_map_of(scene)
    assert stream.map_problem == ""
    caplog.clear()
    silent = Stream(Looking(), warn_without_map=False)
    put(silent, scene.frame(0))
    put(Stream(ConstantVelocity(TIME_S)), scene.frame(0))
    assert not caplog.records
