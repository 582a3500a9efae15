import math

import numpy as np
import pytest
import tensorflow as tf
from scipy.optimize import brentq
from scipy.special import logsumexp
from scipy.stats import lognorm, norm

from optdist.distributions.mixture import ZilnMixture

RNG = np.random.default_rng(0)
W, P = np.array([[0.3, 0.7]]), np.array([[0.9, 0.4]])
MU, SIGMA = np.array([[0.0, 3.0]]), np.array([[0.5, 1.0]])


def made(parts, dtype=tf.float64):
    return ZilnMixture.from_probabilities(*(tf.constant(x, dtype) for x in parts))


MIXTURE = made((W, P, MU, SIGMA))


@pytest.fixture(scope="module")
def drawn():
    part = RNG.choice(2, size=400_000, p=W[0])
    value = np.exp(RNG.normal(MU[0][part], SIGMA[0][part]))
    return value * (RNG.random(part.size) < P[0][part])


@pytest.mark.parametrize("q", [0.2, 0.5, 0.95])
def test_quantile_of_a_mixture_matches_a_large_sample(drawn, q):
    value = float(MIXTURE.quantile(q)[0])
    assert value == pytest.approx(np.quantile(drawn, q), rel=0.02, abs=1e-6)


def test_mean_zero_mass_and_cdf_of_a_mixture_match_a_large_sample(drawn):
    assert float(MIXTURE.mean()[0]) == pytest.approx(drawn.mean(), rel=0.02)
    assert float(MIXTURE.zero_mass()[0]) == pytest.approx((drawn == 0).mean(), abs=0.003)
    for y in (0.0, 1.5, 30.0):
        found = float(MIXTURE.cdf(np.array([y]))[0])
        assert found == pytest.approx((drawn <= y).mean(), abs=0.003)


def test_given_a_purchase_a_mixture_is_that_of_the_positive_values(drawn):
    paid = MIXTURE.if_positive()
    assert float(paid.quantile(0.5)[0]) == pytest.approx(np.median(drawn[drawn > 0]), rel=0.02)
    assert float(paid.zero_mass()[0]) == 0


def test_nll_of_a_mixture_is_scipys():
    density = sum(
        w * p * lognorm.pdf(2.5, s, scale=math.exp(m))
        for w, p, m, s in zip(W[0], P[0], MU[0], SIGMA[0], strict=True)
    )
    assert float(MIXTURE.nll(np.array([2.5]))[0]) == pytest.approx(-math.log(density), rel=1e-9)
    zero = -math.log(0.3 * 0.1 + 0.7 * 0.6)
    assert float(MIXTURE.nll(np.array([0.0]))[0]) == pytest.approx(zero, rel=1e-9)


def test_levels_may_differ_from_row_to_row():
    two = ZilnMixture(*(tf.repeat(x, 2, axis=0) for x in MIXTURE))
    found = two.quantile(tf.constant([0.6, 0.9])).numpy()
    single = [float(MIXTURE.quantile(q)[0]) for q in (0.6, 0.9)]
    np.testing.assert_allclose(found, single, rtol=1e-6)


def random_mixtures(rows, spread):
    """Weights, p, mu, sigma [rows, 4], some weights and deviations near nothing."""
    rng = np.random.default_rng(int(10 * spread))
    weights = rng.dirichlet(np.full(4, 0.3), rows)
    sigma = np.clip(rng.gamma(2, 0.4, (rows, 4)), 0.05, 2.5)
    return weights, rng.beta(1, 3, (rows, 4)), rng.normal(3, spread, (rows, 4)), sigma


@pytest.mark.parametrize("q", [0.05, 0.5, 0.9, 0.95, 0.99, 0.999])
@pytest.mark.parametrize("spread", [0.5, 2.5, 5.0])
def test_the_search_ends_at_the_level_in_hard_cases_too(spread, q):
    parts = random_mixtures(5000, spread)
    exact = made(parts)
    zero = exact.zero_mass().numpy()
    for kind, miss in ((tf.float64, 1e-5), (tf.float32, 2e-5)):
        found = made(parts, kind).quantile(q).numpy()
        np.testing.assert_array_equal(found > 0, q > zero)
        share = exact.cdf(tf.constant(found, tf.float64)).numpy()
        np.testing.assert_allclose(share, np.maximum(q, zero), atol=miss)


def test_quantiles_are_those_of_a_root_finder():
    parts = random_mixtures(200, 2.5)
    found = made(parts).quantile(0.95).numpy()
    for i, (w, p, mu, sigma) in enumerate(zip(*parts, strict=True)):
        if (w * (1 - p)).sum() >= 0.95:
            continue

        def above(z, w=w, p=p, mu=mu, sigma=sigma):
            return (w * (1 - p + p * norm.cdf((z - mu) / sigma))).sum() - 0.95

        assert math.log(found[i]) == pytest.approx(brentq(above, -40, 60), abs=1e-4)


def test_a_mixture_without_rows_has_no_quantiles():
    empty = ZilnMixture(*(tf.zeros([0, 3]) for _ in range(4)))
    assert empty.quantile(0.5).shape == (0,)


def exact_nll(y, log_weights, p_logit, mu, sigma):
    """The likelihood of one row in float64, by logarithms throughout."""
    log_weights, p_logit, mu, sigma = (np.float64(x) for x in (log_weights, p_logit, mu, sigma))
    if y == 0:
        return -logsumexp(log_weights - np.logaddexp(0, p_logit))
    log_density = norm.logpdf(np.log(y), mu, sigma) - np.log(y)
    return -logsumexp(log_weights - np.logaddexp(0, -p_logit) + log_density)


@pytest.mark.parametrize("y", [0.0, 7.5])
@pytest.mark.parametrize("p_logit", [[30.0], [-30.0], [30.0, 28.0], [-30.0, -33.0], [30.0, -80.0]])
def test_nll_in_float32_is_right_where_a_row_is_sure_of_its_conversion(p_logit, y):
    log_weights = np.log([[1.0], [0.3, 0.7]][len(p_logit) - 1]).astype(np.float32)
    mu, sigma = [1.0, 3.0][: len(p_logit)], [0.5, 1.0][: len(p_logit)]
    parts = (log_weights, p_logit, mu, sigma)
    found = ZilnMixture(*(tf.constant([x], tf.float32) for x in parts)).nll(tf.constant([y]))
    assert found.dtype == tf.float32
    assert float(found[0]) == pytest.approx(exact_nll(y, *parts), rel=1e-5, abs=3e-7)


def test_weights_that_vanish_in_float32_still_count():
    log_weights, p_logit = [[0.0, -200.0]], [[-60.0, 60.0]]
    rows = [tf.constant(x) for x in (log_weights, p_logit, [[1.0, 2.0]], [[1.0, 1.0]])]
    paid = ZilnMixture(*rows).if_positive()
    np.testing.assert_allclose(paid.log_weights, [[0.0, -140.0]], rtol=1e-6)
    rows[0] = tf.constant([[-200.0, -200.0]])  # all of them, before they are normalised
    np.testing.assert_allclose(ZilnMixture(*rows).if_positive().weights, [[0.0, 1.0]], atol=1e-6)
