"""Metrics against tables computed by hand, and properties that hold for any prediction."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trajnet import metrics
from trajnet.errors import InputError
from trajnet.geometry import rotate, rotate_covariance

# One object, three modes, two steps. Displacements and probabilities:
#   mode 0: 1, 3   mean 2    final 3    largest 3    p 0.2
#   mode 1: 4, 4   mean 4    final 4    largest 4    p 0.5
#   mode 2: 2.5, 0.5  mean 1.5  final 0.5  largest 2.5  p 0.3
# Ranking: 1, 2, 0.
TABLE = np.array([[[1.0, 3.0], [4.0, 4.0], [2.5, 0.5]]])
CHANCE = np.array([[0.2, 0.5, 0.3]])


def test_displacement_is_the_distance_between_points() -> None:
    predicted = np.array([[[[0.0, 0.0], [3.0, 4.0]], [[1.0, 1.0], [6.0, 8.0]]]])
    truth = np.array([[[0.0, 0.0], [0.0, 0.0]]])
    assert metrics.displacement(predicted, truth) == pytest.approx(np.array([[[0.0, 5.0], [np.sqrt(2.0), 10.0]]]))


def test_modes_are_ranked_by_probability_and_ties_keep_their_order() -> None:
    assert metrics.ranked(CHANCE).tolist() == [[1, 2, 0]]
    assert metrics.ranked(np.array([[0.25, 0.5, 0.25]])).tolist() == [[1, 0, 2]]


@pytest.mark.parametrize(("k", "ade", "fde"), [(1, 4.0, 4.0), (2, 1.5, 0.5), (3, 1.5, 0.5), (10, 1.5, 0.5)])
def test_min_ade_and_min_fde_look_at_the_k_most_probable_modes(k: int, ade: float, fde: float) -> None:
    assert metrics.min_ade(TABLE, CHANCE, k) == pytest.approx([ade])
    assert metrics.min_fde(TABLE, CHANCE, k) == pytest.approx([fde])


def test_min_ade_and_min_fde_may_come_from_different_modes() -> None:
    table = np.array([[[1.0, 3.0], [4.0, 2.0]]])
    chance = np.array([[0.5, 0.5]])
    assert metrics.min_ade(table, chance, 2) == pytest.approx([2.0])
    assert metrics.min_fde(table, chance, 2) == pytest.approx([2.0])
    assert metrics.min_fde(table, chance, 1) == pytest.approx([3.0])


def test_nuscenes_miss_is_about_the_largest_error_and_includes_the_threshold() -> None:
    # Mode 2 ends 0.5 m off but was 2.5 m off on the way: a miss for nuScenes, a hit for Argoverse 2.
    assert metrics.nuscenes_miss(TABLE, CHANCE, 3).tolist() == [True]
    assert metrics.argoverse2_miss(TABLE, CHANCE, 3).tolist() == [False]
    assert metrics.argoverse2_miss(TABLE, CHANCE, 1).tolist() == [True]
    exactly = np.full((1, 1, 2), 2.0)
    one = np.ones((1, 1))
    assert metrics.nuscenes_miss(exactly, one, 1).tolist() == [True]
    assert metrics.argoverse2_miss(exactly, one, 1).tolist() == [False]
    assert metrics.nuscenes_miss(exactly - 1e-9, one, 1).tolist() == [False]


def test_brier_min_fde_adds_the_squared_doubt_of_the_mode_that_ends_closest() -> None:
    assert metrics.brier_min_fde(TABLE, CHANCE, 3) == pytest.approx([0.5 + 0.7**2])
    # With the two most probable modes the probabilities are 0.5 / 0.8 and 0.3 / 0.8.
    assert metrics.brier_min_fde(TABLE, CHANCE, 2) == pytest.approx([0.5 + 0.625**2])
    assert metrics.brier_min_fde(TABLE, CHANCE, 1) == pytest.approx([4.0])


def test_social_gan_takes_one_sample_for_all_pedestrians_of_a_sequence() -> None:
    #               sample 0  1
    error = np.array([[1.0, 2.0], [4.0, 1.0], [5.0, 3.0]])
    sequence = np.array(["a", "a", "b"])
    # Sequence a: sums 5 and 3 -> 3; b: 5 and 3 -> 3. (3 + 3) / 3 pedestrians.
    assert metrics.social_gan_best_of(error, sequence) == pytest.approx(2.0)
    # For each pedestrian alone: (1 + 1 + 3) / 3.
    assert error.min(axis=1).mean() == pytest.approx(5 / 3)


def test_nll_of_one_standard_gaussian_at_its_mean_is_ln_two_pi() -> None:
    predicted, truth = np.zeros((1, 1, 1, 2)), np.zeros((1, 1, 2))
    covariance = np.eye(2)[None, None, None] * (1.0 - metrics.VARIANCE_FLOOR_M2)
    chance = np.ones((1, 1))
    assert metrics.mixture_nll(predicted, covariance, chance, truth) == pytest.approx([np.log(2 * np.pi)])
    # One metre off in x costs half a nat; the mean over the two steps is taken.
    predicted, truth = np.zeros((1, 1, 2, 2)), np.array([[[0.0, 0.0], [1.0, 0.0]]])
    covariance = np.repeat(covariance, 2, axis=2)
    assert metrics.mixture_nll(predicted, covariance, chance, truth) == pytest.approx([np.log(2 * np.pi) + 0.25])


def test_nll_of_a_mixture_weighs_the_densities() -> None:
    floor = metrics.VARIANCE_FLOOR_M2
    predicted = np.array([[[[0.0, 0.0]], [[0.0, 2.0]]]])
    covariance = np.broadcast_to(np.diag([1.0, 4.0]) - floor * np.eye(2), (1, 2, 1, 2, 2))
    density = (0.25 * 1.0 + 0.75 * np.exp(-0.5)) / (2 * np.pi * 2.0)
    found = metrics.mixture_nll(predicted, covariance, np.array([[0.25, 0.75]]), np.zeros((1, 1, 2)))
    assert found == pytest.approx([-np.log(density)])


def test_nll_is_floored_and_stays_finite_without_variance_or_with_a_mode_of_no_probability() -> None:
    predicted = np.zeros((1, 2, 1, 2))
    covariance = np.zeros((1, 2, 1, 2, 2))
    far = np.full((1, 1, 2), 1e6)
    assert metrics.mixture_nll(predicted, covariance, np.array([[1.0, 0.0]]), far) == pytest.approx([20.0])
    at_mean = metrics.mixture_nll(predicted, covariance, np.array([[1.0, 0.0]]), np.zeros((1, 1, 2)))
    assert at_mean == pytest.approx([np.log(2 * np.pi * metrics.VARIANCE_FLOOR_M2)])


def test_share_of_the_ellipse_through_one_and_two_sigma() -> None:
    offset = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 2.0], [2.0, 0.0]])
    covariance = np.broadcast_to(np.diag([1.0, 4.0]) - metrics.VARIANCE_FLOOR_M2 * np.eye(2), (4, 2, 2))
    expected = [0.0, 1 - np.exp(-0.5), 1 - np.exp(-0.5), 1 - np.exp(-2.0)]
    assert metrics.ellipse_share(offset, covariance) == pytest.approx(expected)


def test_top_and_closest_mode_judge_different_modes() -> None:
    predicted = np.array([[[[0.0, 0.0]], [[10.0, 0.0]]]])
    covariance = np.broadcast_to((1.0 - metrics.VARIANCE_FLOOR_M2) * np.eye(2), (1, 2, 1, 2, 2))
    truth = np.array([[[9.0, 0.0]]])
    chance = np.array([[0.9, 0.1]])
    assert metrics.top_mode_share(predicted, covariance, chance, truth) == pytest.approx(np.array([[1.0]]))
    closest = metrics.closest_mode_share(predicted, covariance, truth)
    assert closest == pytest.approx(np.array([[1 - np.exp(-0.5)]]))


@pytest.mark.parametrize("modes", [1, 3])
@pytest.mark.parametrize("level", metrics.COVERAGE_LEVELS)
def test_mixture_region_of_equal_modes_is_their_ellipse(level: float, modes: int) -> None:
    edge = np.sqrt(-2.0 * np.log(1.0 - level))
    along = rotate(np.array([2.0, 0.0]), np.array(0.4))
    truth = (edge * np.array([0.999, 1.001]))[:, None, None] * along
    covariance = rotate_covariance(np.diag([4.0, 1.0]) - metrics.VARIANCE_FLOOR_M2 * np.eye(2), np.array(0.4))
    share = metrics.mixture_share(
        np.zeros((2, modes, 1, 2)),
        np.broadcast_to(covariance, (2, modes, 1, 2, 2)),
        np.full((2, modes), 1 / modes),
        truth,
    )
    assert (share[:, 0] < level - 1e-9).tolist() == [True, False]


def test_mixture_region_of_far_modes_weighs_them() -> None:
    # The truth sits on the weaker of two modes of equal spread, 1.5 sigma out: everything of that mode within 1.5 sigma
    # is denser, and of the stronger one (4 : 1) what is within sqrt(1.5^2 + 2 ln 4) sigma.
    predicted = np.array([[[[0.0, 0.0]], [[100.0, 0.0]]]])
    covariance = np.broadcast_to((1.0 - metrics.VARIANCE_FLOOR_M2) * np.eye(2), (1, 2, 1, 2, 2))
    truth = np.array([[[100.0, 1.5]]])
    weak, strong = 1 - np.exp(-0.5 * 2.25), 1 - np.exp(-0.5 * (2.25 + 2 * np.log(4.0)))
    found = metrics.mixture_share(predicted, covariance, np.array([[0.8, 0.2]]), truth)
    assert found == pytest.approx(np.array([[0.2 * weak + 0.8 * strong]]), abs=0.011)


def test_coverage_of_a_mixture_that_tells_the_truth_is_nominal() -> None:
    random = np.random.default_rng(3)
    count, modes = 40_000, 3
    predicted = random.normal(0, 3, (count, modes, 1, 2))
    factor = random.normal(0, 1, (count, modes, 1, 2, 2)) + 0.5 * np.eye(2)
    covariance = factor @ np.swapaxes(factor, -1, -2)
    chance = random.dirichlet(np.ones(modes), count)
    mode = (chance.cumsum(axis=1) < random.random((count, 1))).sum(axis=1)
    row = np.arange(count)
    truth = predicted[row, mode, 0] + np.einsum("nij,nj->ni", factor[row, mode, 0], random.normal(0, 1, (count, 2)))
    share = metrics.mixture_share(predicted, covariance, chance, truth[:, None])
    for level in metrics.COVERAGE_LEVELS:
        error = 3.0 * np.sqrt(level * (1.0 - level) / count)
        assert (share < level).mean() == pytest.approx(level, abs=error + 0.003)


def test_calibration_error_by_hand() -> None:
    # Bin (0.2, 0.3]: confidences 0.3, 0.3, share correct 0.5, gap 0.2 (weight 2/4).
    # Bin (0.9, 1.0]: confidences 1.0, 1.0, both correct, gap 0.
    confidence = np.array([0.3, 0.3, 1.0, 1.0])
    correct = np.array([True, False, True, True])
    assert metrics.expected_calibration_error(confidence, correct) == pytest.approx(0.1)
    assert metrics.expected_calibration_error(np.array([0.0]), np.array([False])) == 0.0


def test_closest_mode_is_by_mean_displacement() -> None:
    assert metrics.closest_mode(TABLE).tolist() == [2]


NAN = np.array([[[1.0, np.nan]]])


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: metrics.min_ade(NAN, np.ones((1, 1)), 1), "displacement_m: expected finite"),
        (lambda: metrics.min_fde(TABLE, np.ones((1, 2)) / 2, 1), r"probability: expected shape \(1, 3\), got \(1, 2\)"),
        (lambda: metrics.min_fde(TABLE, CHANCE * 2, 1), "sum to 1"),
        (lambda: metrics.min_ade(TABLE[0], CHANCE, 1), r"displacement_m: expected shape \(any, any, any\)"),
        (lambda: metrics.min_ade(TABLE[:, :, :0], CHANCE, 1), "at least one mode and one step"),
        (lambda: metrics.min_ade(TABLE, CHANCE, 0), "k: expected a number of modes of at least 1, got 0"),
        (lambda: metrics.displacement(np.zeros((2, 1, 3, 2)), np.zeros((2, 4, 2))), r"truth_m: .*\(2, 3, 2\), got"),
        (lambda: metrics.displacement(np.full((1, 1, 1, 2), np.inf), np.zeros((1, 1, 2))), "predicted_m: expected fin"),
        (
            lambda: metrics.mixture_nll(
                np.zeros((1, 1, 1, 2)), np.array([[[[[1.0, 3.0], [3.0, 1.0]]]]]), np.ones((1, 1)), np.zeros((1, 1, 2))
            ),
            "negative eigenvalue",
        ),
        (lambda: metrics.social_gan_best_of(np.ones((3, 2)), np.zeros(2)), "sequence: expected one for each of 3"),
        (lambda: metrics.expected_calibration_error(np.array([0.5]), np.array([True, False])), "correct: expected one"),
        (lambda: metrics.expected_calibration_error(np.array([1.5]), np.array([True])), r"values in \[0, 1\]"),
    ],
)
def test_bad_input_is_an_input_error_that_names_it(call: object, words: str) -> None:
    with pytest.raises(InputError, match=words):
        call()  # type: ignore[operator]


@st.composite
def predictions(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """predicted_m, covariance_m2, probability (all different within a row), truth_m."""
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    objects, modes, steps = draw(st.integers(1, 5)), draw(st.integers(1, 12)), draw(st.integers(1, 6))
    predicted = random.normal(0, draw(st.sampled_from([0.1, 3.0, 50.0])), (objects, modes, steps, 2))
    factor = random.normal(0, 1, (objects, modes, steps, 2, 2))
    chance = random.dirichlet(np.ones(modes), objects)
    covariance = factor @ np.swapaxes(factor, -1, -2) + 0.01 * np.eye(2)
    return predicted, covariance, chance, random.normal(0, 3, (objects, steps, 2))


def everything(
    predicted: np.ndarray, covariance: np.ndarray, chance: np.ndarray, truth: np.ndarray
) -> dict[str, np.ndarray]:
    away = metrics.displacement(predicted, truth)
    values = {f"{f.__name__}_{k}": f(away, chance, k) for k in (1, 2, 5, 10, 20) for f in DISPLACEMENT}
    values["nll"] = metrics.mixture_nll(predicted, covariance, chance, truth)
    values["top"] = metrics.top_mode_share(predicted, covariance, chance, truth)
    values["closest"] = metrics.closest_mode_share(predicted, covariance, truth)
    return values


DISPLACEMENT = (
    metrics.min_ade,
    metrics.min_fde,
    metrics.nuscenes_miss,
    metrics.argoverse2_miss,
    metrics.brier_min_fde,
)


@given(predictions(), st.randoms(use_true_random=False))
@settings(max_examples=60, deadline=None)
def test_the_order_of_the_modes_does_not_matter(case: tuple[np.ndarray, ...], random: object) -> None:
    predicted, covariance, chance, truth = case
    order = list(range(predicted.shape[1]))
    random.shuffle(order)  # type: ignore[attr-defined]
    before = everything(*case)
    after = everything(predicted[:, order], covariance[:, order], chance[:, order], truth)
    for name, value in before.items():
        assert after[name] == pytest.approx(value, rel=1e-9, abs=1e-9), name


@given(predictions(), st.floats(-4, 4), st.floats(-1000, 1000), st.floats(-1000, 1000))
@settings(max_examples=60, deadline=None)
def test_turning_and_moving_the_scene_changes_nothing(
    case: tuple[np.ndarray, ...], angle: float, x: float, y: float
) -> None:
    predicted, covariance, chance, truth = case
    turn, move = np.array(angle), np.array([x, y])
    before = everything(*case)
    after = everything(
        rotate(predicted, turn) + move, rotate_covariance(covariance, turn), chance, rotate(truth, turn) + move
    )
    for name, value in before.items():
        assert after[name] == pytest.approx(value, rel=1e-6, abs=1e-6), name


@given(predictions())
@settings(max_examples=60, deadline=None)
def test_more_modes_never_hurt(case: tuple[np.ndarray, ...]) -> None:
    away, chance = metrics.displacement(case[0], case[3]), case[2]
    for fewer, more in ((1, 2), (2, 5), (5, 10), (10, 20)):
        for metric in (metrics.min_ade, metrics.min_fde, metrics.nuscenes_miss, metrics.argoverse2_miss):
            assert (metric(away, chance, more) <= metric(away, chance, fewer)).all()


@given(predictions())
@settings(max_examples=60, deadline=None)
def test_orders_between_metrics(case: tuple[np.ndarray, ...]) -> None:
    away, chance = metrics.displacement(case[0], case[3]), case[2]
    for k in (1, 5):
        assert (metrics.brier_min_fde(away, chance, k) >= metrics.min_fde(away, chance, k)).all()
        # A path that is nowhere 2 m off does not end over 2 m off.
        assert (metrics.nuscenes_miss(away, chance, k) >= metrics.argoverse2_miss(away, chance, k)).all()
    assert metrics.mixture_nll(*case).max() <= -metrics.LOG_DENSITY_FLOOR
    each = away.mean(axis=2)
    together = metrics.social_gan_best_of(each, np.zeros(len(each)))
    assert together >= each.min(axis=1).mean() - 1e-12
    assert metrics.social_gan_best_of(each, np.arange(len(each))) == pytest.approx(each.min(axis=1).mean())


@given(predictions())
@settings(max_examples=60, deadline=None)
def test_an_object_is_judged_alone(case: tuple[np.ndarray, ...]) -> None:
    whole = everything(*case)
    for name, value in everything(*(part[:1] for part in case)).items():
        assert value == pytest.approx(whole[name][:1], rel=1e-12, abs=1e-12), name


@given(predictions())
@settings(max_examples=40, deadline=None)
def test_mixture_share_is_a_share_and_zero_at_the_densest_point(case: tuple[np.ndarray, ...]) -> None:
    predicted, covariance, _, truth = case
    share = metrics.mixture_share(*case)
    assert share.min() >= 0
    assert share.max() <= 1
    one = predicted[:, :1], covariance[:, :1], np.ones((len(truth), 1))
    assert metrics.mixture_share(*one, predicted[:, 0]).max() == 0
