"""The physics predictors against circles, lines and filters computed by hand."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.frames import frame, observed
from trajnet.geometry import rotate, rotate_covariance, wrap_angle
from trajnet.inference import PHYSICS, ConstantTurnRate, ConstantVelocity, KalmanConstantVelocity, Predictor
from trajnet.inference.physics import MAX_YAW_RATE_RADPS
from trajnet.tracking.plausibility import LIMITS
from trajnet.tracking.store import TrackPolicy, TrackStore
from trajnet.types import FloatArray, ObjectClass, Prediction, Source, TrackFrame

TIME_S = np.array([0.5, 1.0, 2.0, 6.0])
Make = Callable[..., Predictor]
EVERY = pytest.mark.parametrize("make", PHYSICS.values(), ids=PHYSICS)


def played(predictor: Predictor, *frames: TrackFrame) -> Prediction:
    as_measured = TrackPolicy(filter_positions=False, doubt_velocities=False, doubt_headings=False)
    store = TrackStore(as_measured)
    for one in frames:
        seen = store.update(one, one.timestamp_ns)[1]
        assert seen is not None
        answer = predictor.predict(seen)
    return answer


def test_constant_velocity_by_hand() -> None:
    yaw = np.arctan2(3.0, 4.0)
    answer = played(ConstantVelocity(TIME_S), frame(0.0, {"a": (1, 2)}, yaw=yaw, velocity=(8.0, 6.0)))
    np.testing.assert_allclose(answer.position_m[0, 0], np.array([1, 2]) + TIME_S[:, None] * [8.0, 6.0], atol=1e-12)
    np.testing.assert_allclose(answer.yaw_rad, yaw)
    assert (answer.source[0], answer.age_s[0], answer.probability[0, 0]) == (Source.PHYSICS, 0.0, 1.0)
    # 0.3 m now; 1.2 m/s^2 along and 0.5 across, half of it times t squared.
    along, across = 0.09 + (0.6 * 4.0) ** 2, 0.09 + (0.25 * 4.0) ** 2
    np.testing.assert_allclose(
        answer.covariance_m2[0, 0, 2], rotate_covariance(np.diag([along, across]), np.array(yaw)), atol=1e-12
    )


def test_without_a_measured_velocity_the_last_displacement_counts() -> None:
    frames = [frame(0.2 * i, {"a": (1.0 * i, 0)}, yaw=None, kind=ObjectClass.PEDESTRIAN) for i in range(3)]
    answer = played(ConstantVelocity(TIME_S), *frames)
    np.testing.assert_allclose(answer.position_m[0, 0, :, 0], 2 + 5 * TIME_S)
    np.testing.assert_allclose(answer.yaw_rad, 0.0)


@pytest.mark.parametrize(
    ("step_s", "kind", "steadies"),
    [
        (0.1, ObjectClass.CAR, True), (0.1, ObjectClass.PEDESTRIAN, True), (0.5, ObjectClass.UNKNOWN, True),
        (0.5, ObjectClass.BICYCLE, True), (0.4, ObjectClass.PEDESTRIAN, False),
    ],
)  # fmt: skip
def test_a_stand_in_steadies_derived_velocities(step_s: float, kind: ObjectClass, steadies: bool) -> None:
    """One odd last step: a baseline takes it whole, a stand-in the mean in which it counts 1 - exp(-dt / 0.4 s)."""
    places_m = [2.0 * step_s * i for i in range(40)]
    places_m.append(places_m[-1] + 3.0 * step_s)
    frames = [frame(step_s * i, {"a": (x_m, 0)}, yaw=None, kind=kind) for i, x_m in enumerate(places_m)]
    plain, stand_in = (played(ConstantVelocity(TIME_S, steadied=on), *frames) for on in (False, True))
    steady_mps = 2.0 + (1.0 - np.exp(-step_s / 0.4))
    for answer, speed_mps in ((plain, 3.0), (stand_in, steady_mps if steadies else 3.0)):
        np.testing.assert_allclose(answer.position_m[0, 0, :, 0], places_m[-1] + speed_mps * TIME_S, rtol=1e-6)


def test_a_stand_in_takes_measured_velocities_and_limits_derived_ones() -> None:
    measured = [frame(0.1 * i, {"a": (1.0 * i, 0)}, velocity=(3.0, 0.0)) for i in range(5)]
    np.testing.assert_allclose(
        played(ConstantVelocity(TIME_S, steadied=True), *measured).position_m[0, 0, :, 0], 4.0 + 3.0 * TIME_S
    )
    leaps = [frame(0.001 * i, {"a": (0.3 * i, 0)}, yaw=None, kind=ObjectClass.PEDESTRIAN) for i in range(3)]
    gone_m = played(ConstantVelocity(TIME_S, steadied=True), *leaps).position_m[0, 0, :, 0] - 0.6
    assert (gone_m <= LIMITS[ObjectClass.PEDESTRIAN][3] * TIME_S + 1e-9).all()


def test_a_car_goes_where_it_points_and_a_pedestrian_where_it_moves() -> None:
    for kind, heading in ((ObjectClass.CAR, 0.3), (ObjectClass.PEDESTRIAN, 0.0), (ObjectClass.UNKNOWN, 0.0)):
        seen = frame(0.0, {"a": (0, 0)}, yaw=0.3, velocity=(2.0, 0.0), kind=kind)
        answer = played(ConstantVelocity(TIME_S), seen)
        np.testing.assert_allclose(answer.position_m[0, 0, 1], [2 * np.cos(heading), 2 * np.sin(heading)], atol=1e-12)
        np.testing.assert_allclose(answer.yaw_rad, 0.3)


@pytest.mark.parametrize("make", [ConstantVelocity, ConstantTurnRate])
def test_a_reversing_car_goes_backward_and_keeps_its_heading(make: Make) -> None:
    frames = [frame(0.1 * i, {"a": (-0.2 * i, 0)}, yaw=0.0, velocity=(-2.0, 0.0)) for i in range(3)]
    answer = played(make(TIME_S), *frames)
    np.testing.assert_allclose(answer.position_m[0, 0, :, 0], -0.4 - 2 * TIME_S)
    np.testing.assert_allclose(answer.yaw_rad, 0.0)


@pytest.mark.parametrize("sense", [1.0, -1.0])
@pytest.mark.parametrize("direction", [1.0, -1.0])
def test_a_known_circle(sense: float, direction: float) -> None:
    """Radius 20 m, 5 m/s, forward and in reverse, left and right: the arc that was driven goes on."""
    radius_m, rate = 20.0, sense * direction * 0.25

    def at(time_s: np.ndarray | float) -> tuple[np.ndarray, np.ndarray]:
        yaw = np.asarray(rate * np.asarray(time_s))
        side = sense * radius_m
        return np.stack([side * np.sin(yaw), side * (1 - np.cos(yaw))], axis=-1), yaw

    frames = []
    for time_s in (-0.2, -0.1, 0.0):
        place, yaw = at(time_s)
        speed = direction * 5.0
        velocity = (speed * np.cos(yaw), speed * np.sin(yaw))
        frames.append(frame(time_s, {"a": tuple(place)}, yaw=yaw, velocity=velocity))
    answer = played(ConstantTurnRate(TIME_S), *frames)
    expected_m, expected_yaw = at(TIME_S)
    np.testing.assert_allclose(answer.position_m[0, 0], expected_m, atol=1e-6)
    np.testing.assert_allclose(wrap_angle(answer.yaw_rad[0, 0] - expected_yaw), 0.0, atol=1e-9)


def test_a_heading_that_wraps_is_a_small_turn() -> None:
    frames = [frame(0.1 * i, {"a": (0, 0)}, yaw=y, velocity=(-10.0, 0.0)) for i, y in enumerate((3.13, -3.14))]
    answer = played(ConstantTurnRate(np.array([0.1])), *frames)
    assert answer.yaw_rad[0, 0, 0] == pytest.approx(-3.14 + (2 * np.pi - 6.27), abs=1e-9)


def test_a_turn_needs_two_measured_headings() -> None:
    frames = [
        frame(0.0, {"a": (0, 0)}, yaw=None, velocity=(5.0, 5.0)),
        frame(0.1, {"a": (0.1, 0.1)}, yaw=np.pi / 4, velocity=(5.0, 5.0)),
    ]
    answer = played(ConstantTurnRate(TIME_S), *frames)
    np.testing.assert_allclose(answer.yaw_rad, np.pi / 4)
    straight = played(ConstantVelocity(TIME_S), *frames)
    np.testing.assert_allclose(answer.position_m, straight.position_m, atol=1e-12)


def test_no_object_spins_and_no_car_turns_on_the_spot() -> None:
    velocity = [[0.0, 0.0], [50.0, 0.0]]
    frames = [frame(0.1 * i, {"a": (0, 0), "b": (9, 9)}, yaw=1.5 * i, velocity=velocity) for i in range(2)]
    answer = played(ConstantTurnRate(TIME_S), *frames)
    np.testing.assert_allclose(answer.yaw_rad[0], 1.5)
    np.testing.assert_allclose(answer.yaw_rad[1, 0], 1.5 + MAX_YAW_RATE_RADPS * TIME_S)


@EVERY
def test_a_first_observation_without_velocity_stands(make: Make) -> None:
    answer = played(make(TIME_S), frame(0.0, {"a": (3, 4)}, yaw=1.0))
    np.testing.assert_allclose(answer.position_m[0, 0], np.tile([3.0, 4.0], (4, 1)))
    np.testing.assert_allclose(answer.yaw_rad, 1.0)
    answer.validate()


@pytest.mark.parametrize("dt_ns", [1, 1_000, 1_000_000])
@pytest.mark.parametrize("make", [ConstantVelocity, ConstantTurnRate])
def test_frames_very_close_in_time_send_nothing_to_infinity(make: Make, dt_ns: int) -> None:
    frames = [frame(dt_ns * 1e-9 * i, {"a": (0.5 * i, 0.5 * i)}, yaw=0.7 * i) for i in range(2)]
    answer = played(make(TIME_S), *frames)
    answer.validate()
    reach = np.hypot(*(answer.position_m[0, 0, -1] - [0.5, 0.5]))
    assert reach <= LIMITS[ObjectClass.CAR][3] * TIME_S[-1] * (1 + 1e-9)


@pytest.mark.parametrize("velocity", [(1e308, 1e308), (1e308, 0.0), (0.0, -1e300), (1e-320, 0.0)])
@pytest.mark.parametrize("kind", [ObjectClass.CAR, ObjectClass.PEDESTRIAN])
@pytest.mark.parametrize("make", [ConstantVelocity, ConstantTurnRate])
def test_absurd_numbers_give_finite_paths(make: Make, kind: ObjectClass, velocity: tuple[float, float]) -> None:
    with np.errstate(all="raise", under="ignore"):
        answer = played(make(TIME_S), frame(0.0, {"a": (1e307, -1e307)}, yaw=1e300, velocity=velocity, kind=kind))
    answer.validate()


def test_a_speed_within_the_limit_is_not_touched() -> None:
    fast = played(ConstantVelocity(TIME_S), frame(0.0, {"a": (0, 0)}, velocity=(99.0, 0)))
    np.testing.assert_allclose(fast.position_m[0, 0, :, 0], 99 * TIME_S)
    faster = played(ConstantVelocity(TIME_S), frame(0.0, {"a": (0, 0)}, velocity=(101.0, 0)))
    np.testing.assert_allclose(faster.position_m[0, 0, :, 0], 0.0)  # no car: not believed, so not measured


@EVERY
def test_no_objects_no_paths(make: Make) -> None:
    assert played(make(TIME_S), frame(0.0, {})).position_m.shape == (0, 1, 4, 2)


WALK = st.lists(st.tuples(st.floats(-2, 2), st.floats(-2, 2), st.floats(-3, 3)), min_size=1, max_size=4)
KIND = st.sampled_from(list(ObjectClass))


@EVERY
@given(WALK, KIND, st.booleans(), st.floats(-3, 3), st.floats(-1e4, 1e4), st.floats(-1e4, 1e4))
def test_the_prediction_moves_and_turns_with_the_scene(
    make: Make,
    walk: list[tuple[float, float, float]],
    kind: ObjectClass,
    measured: bool,
    turn: float,
    x: float,
    y: float,
) -> None:
    def play(angle: float, shift: np.ndarray) -> Prediction:
        frames, place = [], np.zeros(2)
        for i, (dx, dy, yaw) in enumerate(walk):
            place = place + (dx, dy)
            velocity = rotate(np.array([4 * dx, 4 * dy]), np.array(angle)) if measured else None
            where = rotate(place, np.array(angle)) + shift
            frames.append(frame(0.25 * i, {"a": tuple(where)}, yaw=yaw + angle, velocity=velocity, kind=kind))
        return played(make(TIME_S), *frames)

    plain, moved = play(0.0, np.zeros(2)), play(turn, np.array([x, y]))
    if abs(forward_speed(plain, walk, measured)) < 1e-3:
        return  # which way round a car slides exactly sideways is a matter of rounding
    np.testing.assert_allclose(moved.position_m, rotate(plain.position_m, np.array(turn)) + [x, y], atol=1e-5)
    np.testing.assert_allclose(wrap_angle(moved.yaw_rad - plain.yaw_rad - turn + 1.0), 1.0, atol=1e-6)
    np.testing.assert_allclose(
        moved.covariance_m2, rotate_covariance(plain.covariance_m2, np.array(turn)), rtol=1e-5, atol=1e-5
    )


def forward_speed(plain: Prediction, walk: list[tuple[float, float, float]], measured: bool) -> float:
    """m/s along the heading; 1 where nothing moves at all."""
    dx, dy, yaw = walk[-1]
    if not measured and len(walk) == 1:
        return 1.0
    speed = np.hypot(dx, dy) * 4
    return float(4 * (dx * np.cos(yaw) + dy * np.sin(yaw))) if speed > 1e-9 else 1.0


def simulated(
    steps: int, runs: int, density: float, sigma_m: float, sigma_mps: float, dt_s: float
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Tracks (steps, runs, 4) of white acceleration, with measured positions and velocities."""
    draw = np.random.default_rng(11)
    noise = density * np.array([[dt_s**3 / 3, dt_s**2 / 2], [dt_s**2 / 2, dt_s]])
    root = np.linalg.cholesky(noise)
    truth = np.zeros((steps, runs, 4))
    truth[0, :, 2:] = draw.normal(scale=10.0, size=(runs, 2))
    for i in range(1, steps):
        kick = np.einsum("ij,nja->nia", root, draw.normal(size=(runs, 2, 2)))
        truth[i, :, :2] = truth[i - 1, :, :2] + dt_s * truth[i - 1, :, 2:] + kick[:, 0]
        truth[i, :, 2:] = truth[i - 1, :, 2:] + kick[:, 1]
    position = truth[..., :2] + draw.normal(scale=sigma_m, size=(steps, runs, 2))
    velocity = truth[..., 2:] + draw.normal(scale=sigma_mps, size=(steps, runs, 2))
    return truth, position, velocity


@pytest.mark.parametrize("measured", [True, False])
def test_the_filters_covariance_is_as_large_as_its_errors(measured: bool) -> None:
    """The normalised squared error of a two-dimensional Gaussian has the mean 2, at every horizon."""
    runs, dt_s = 400, 0.2
    truth, position, velocity = simulated(25 + 16, runs, 0.7, 0.2, 0.4, dt_s)
    time_s = np.array([0.2, 1.0, 3.2])
    kalman = KalmanConstantVelocity(time_s, acceleration_density=0.7, position_sigma_m=0.2, velocity_sigma_mps=0.4)
    frames = [
        frame(
            dt_s * i, {str(n): tuple(position[i, n]) for n in range(runs)}, velocity=velocity[i] if measured else None
        )
        for i in range(25)
    ]
    answer = played(kalman, *frames)
    for step, ahead in enumerate((1, 5, 16)):
        error = answer.position_m[:, 0, step] - truth[24 + ahead, :, :2]
        squared = np.einsum("ni,nij,nj->n", error, np.linalg.inv(answer.covariance_m2[:, 0, step]), error)
        spread = 2.0 / np.sqrt(runs)  # chi-squared of two degrees: variance 4
        assert squared.mean() == pytest.approx(2.0, abs=4 * spread)


def test_the_filter_finds_the_velocity_of_noisy_positions() -> None:
    draw = np.random.default_rng(2)
    kalman = KalmanConstantVelocity(np.array([1.0]), acceleration_density=0.01)
    frames = [
        frame(0.1 * i, {"a": (0.7 * i + draw.normal(scale=0.15), -0.2 * i + draw.normal(scale=0.15))}, yaw=None)
        for i in range(100)
    ]
    answer = played(kalman, *frames)
    np.testing.assert_allclose(answer.position_m[0, 0, 0], [0.7 * 99 + 7, -0.2 * 99 - 2], atol=0.3)
    assert answer.yaw_rad[0, 0, 0] == pytest.approx(np.arctan2(-2, 7), abs=0.05)
    raw = played(ConstantVelocity(np.array([1.0])), *frames)
    assert np.hypot(*(raw.position_m[0, 0, 0] - [0.7 * 99 + 7, -0.2 * 99 - 2])) > 0.3  # what the filter is for


def test_one_step_of_the_filter_by_hand() -> None:
    kalman = KalmanConstantVelocity(
        np.array([1.0]), acceleration_density=3.0, position_sigma_m=1.0, first_speed_sigma_mps=2.0
    )
    answer = played(kalman, frame(0.0, {"a": (0, 0)}), frame(1.0, {"a": (6, 0)}))
    # Ahead: P = [[1 + 4 + 1, 4 + 1.5], [5.5, 4 + 3]] = [[6, 5.5], [5.5, 7]]; gain = (6, 5.5) / 7, innovation 6.
    p, v = 36 / 7, 33 / 7
    pp, pv, vv = 6 - 36 / 7, 5.5 - 33 / 7, 7 - 5.5**2 / 7
    np.testing.assert_allclose(answer.position_m[0, 0, 0], [p + v, 0.0], atol=1e-12)
    assert answer.covariance_m2[0, 0, 0, 0, 0] == pytest.approx(pp + 2 * pv + vv + 1.0)
    assert answer.covariance_m2[0, 0, 0, 0, 1] == pytest.approx(0.0, abs=1e-12)


def test_the_filter_forgets_slots() -> None:
    def run(forget: bool) -> Prediction:
        kalman, store = KalmanConstantVelocity(TIME_S), TrackStore()
        for i in range(4):
            seen = store.update(frame(0.1 * i, {"a": (i, 0), "b": (i, 5)}), 0)[1]
            assert seen is not None
            if forget and i == 3:
                kalman.forget(seen.slot[:1])
            answer = kalman.predict(seen)
        return answer

    kept, forgot = run(False), run(True)
    np.testing.assert_allclose(forgot.position_m[0, 0], np.tile([3.0, 0.0], (4, 1)))
    np.testing.assert_array_equal(kept.position_m[1], forgot.position_m[1])


def test_observations_are_not_changed() -> None:
    seen = observed(frame(0.0, {"a": (0, 0)}, velocity=(1, 1)), frame(0.1, {"a": (1, 1)}, velocity=(500.0, 1)))
    before = {n: np.copy(getattr(seen, n)) for n in ("position_m", "velocity_mps", "yaw_rad", "dt_s")}
    for make in PHYSICS.values():
        make(TIME_S).predict(seen)
    for name, value in before.items():
        np.testing.assert_array_equal(getattr(seen, name), value)
