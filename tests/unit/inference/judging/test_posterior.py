"""The weights of the experts, by hand."""

from __future__ import annotations

import numpy as np
import pytest

from trajnet.errors import ConfigError
from trajnet.inference import JudgingOptions
from trajnet.inference.judging.posterior import (
    CHANGES_MPS2,
    EXPERTS,
    FLOOR,
    Posterior,
    log_likelihoods,
    pass_on,
)
from trajnet.types import Expert

NOW = np.zeros(1, np.int64)
PRIOR = (0.5, 0.3, 0.2)


def test_the_log_likelihoods_are_those_of_laplace_distributions() -> None:
    truth_m = np.array([[1.0, 0.0]])
    said_m = np.array([[[1.0, 3.0], [1.0, -4.0], [1.0, 0.0], [0.0, 0.0]]])  # modes 3 and 4 m away, others 0 and 1
    found = log_likelihoods(truth_m, said_m.swapaxes(1, 2), np.array([[0.25, 0.75]]), np.array([2.0]))
    expected = [np.log(0.25 * np.exp(-1.5) + 0.75 * np.exp(-2.0)), 0.0, -0.5]
    np.testing.assert_allclose(found, [expected])


def test_an_outlier_does_not_decide_for_good() -> None:
    found = log_likelihoods(np.zeros((1, 2)), np.full((1, 2, 4), 1e300), np.array([[0.5, 0.5]]), np.ones(1))
    np.testing.assert_allclose(found, FLOOR)


def test_without_evidence_the_weights_are_the_prior() -> None:
    posterior = Posterior(JudgingOptions(prior=PRIOR))
    posterior.begin(NOW, np.zeros(1), 1, NOW)
    weight, known = posterior.weights(NOW)
    np.testing.assert_allclose(weight, [PRIOR])
    assert known.tolist() == [False]


def test_evidence_adds_up_and_fades() -> None:
    posterior = Posterior(JudgingOptions(prior=PRIOR, memory_s=2.0, doubt=0.0))
    posterior.begin(NOW, np.zeros(1), 1, NOW)
    judgement = np.array([[-3.0, -1.0, 0.0]])
    posterior.add(np.zeros(2, np.int64), np.repeat(judgement, 2, axis=0), np.array([1.0, 0.5]))  # one slot twice
    expected = np.array(PRIOR) * np.exp(1.5 * judgement[0])
    weight, known = posterior.weights(NOW)
    np.testing.assert_allclose(weight[0], expected / expected.sum())
    assert known.tolist() == [True]
    posterior.begin(NOW, np.array([2.0]), 1, NOW[:0])
    expected = np.array(PRIOR) * np.exp(1.5 * judgement[0] / np.e)
    np.testing.assert_allclose(posterior.weights(NOW)[0][0], expected / expected.sum())


def test_doubt_keeps_a_share_of_the_prior_whatever_the_evidence() -> None:
    posterior = Posterior(JudgingOptions(prior=PRIOR, doubt=0.2))
    posterior.begin(NOW, np.zeros(1), 1, NOW)
    posterior.add(np.zeros(100, np.int64), np.tile([-12.0, -12.0, 0.0], (100, 1)), np.ones(100))
    np.testing.assert_allclose(posterior.weights(NOW)[0], [[0.1, 0.06, 0.84]])


def test_a_track_that_begins_has_no_evidence() -> None:
    posterior = Posterior(JudgingOptions(prior=PRIOR))
    posterior.begin(NOW, np.zeros(1), 1, NOW)
    posterior.add(NOW, np.array([[-3.0, -1.0, 0.0]]), np.ones(1))
    posterior.begin(NOW, np.zeros(1), 1, NOW)
    weight, known = posterior.weights(NOW)
    np.testing.assert_allclose(weight, [PRIOR])
    assert not known.any()


def test_the_order_of_the_weights_is_that_of_the_experts() -> None:
    assert [int(e) for e in Expert] == [*range(EXPERTS), Expert.UNKNOWN, Expert.CROSSING]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"cadence_s": 0.0}, "cadence_s"),
        ({"memory_s": float("nan")}, "memory_s"),
        ({"doubt": 1.0}, "doubt"),
        ({"horizons_s": (1.0, 1.0)}, "horizons_s"),
        ({"horizons_s": ()}, "horizons_s"),
        ({"horizons_s": (1.0, float("inf"))}, "horizons_s"),
        ({"memory_s": "5"}, "memory_s"),
        ({"cadence_s": 1e-9}, "cadence_s: expected at least 1/1000 of the last horizon"),
        ({"cadence_s": 1e300}, "cadence_s"),
        ({"prior": (1.0, 0.0, 0.0)}, "prior"),
        ({"prior": (0.5, 0.5, 0.5)}, "prior"),
    ],
)
def test_options_that_mean_nothing_are_refused(wrong: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        JudgingOptions(**wrong)  # type: ignore[arg-type]


def test_a_part_of_the_models_prior_can_be_constant_velocitys() -> None:
    """A fifth of 0.5: in the prior, and in the fifth of the weights that is always the prior's."""
    posterior = Posterior(JudgingOptions(prior=(0.5, 0.1, 0.4), doubt=0.2))
    posterior.begin(NOW, np.zeros(1), 1, NOW)
    moved = np.array([0.2])
    np.testing.assert_allclose(posterior.weights(NOW, moved)[0], [[0.4, 0.2, 0.4]])
    posterior.add(NOW, np.array([[-100.0, -100.0, 0.0]]), np.ones(1))
    np.testing.assert_allclose(posterior.weights(NOW, moved)[0], [[0.08, 0.04, 0.88]])


def test_where_velocities_change_constant_velocity_passes_its_weight_on_to_the_model() -> None:
    """None where they do not, half at the limit, nearly all where an object brakes; standing keeps its own."""
    weight = np.tile([0.1, 0.7, 0.2], (3, 1))
    pass_on(weight, np.array([[0.0, 0.6, -3.0], [0.0, 0.8, 4.0]]) * CHANGES_MPS2, np.zeros(3))
    np.testing.assert_allclose(weight, [[0.1, 0.7, 0.2], [0.45, 0.35, 0.2], [0.799, 0.001, 0.2]], atol=2e-4)


def test_who_leaves_its_place_passes_the_weight_of_standing_still_on_to_the_model() -> None:
    weight = np.tile([0.1, 0.2, 0.7], (3, 1))
    pass_on(weight, np.zeros((2, 3)), np.array([0.0, 0.7, 3.5]))  # m/s
    np.testing.assert_allclose(weight, [[0.1, 0.2, 0.7], [0.45, 0.2, 0.35], [0.799, 0.2, 0.001]], atol=2e-4)
