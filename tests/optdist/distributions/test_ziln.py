import math

import numpy as np
import pytest
import tensorflow as tf
from scipy.stats import lognorm

from optdist.distributions.ziln import (
    Bounds,
    ziln_cdf,
    ziln_mean,
    ziln_nll,
    ziln_parameters,
    ziln_quantile,
)

RNG = np.random.default_rng(0)


def logit(p):
    return np.log(p) - np.log1p(-p)


def test_loss_of_a_positive_label_is_the_hand_worked_number():
    # p = 1/2, mu = 0, sigma = 1, y = 1: log 2 + log sqrt(2 pi)
    expected = math.log(2) + 0.5 * math.log(2 * math.pi)
    assert float(ziln_nll(1.0, 0.0, 0.0, 1.0)) == pytest.approx(expected, rel=1e-6)


def test_loss_of_a_zero_label_is_minus_log_of_the_mass_at_zero():
    assert float(ziln_nll(0.0, logit(0.2), 3.0, 1.0)) == pytest.approx(-math.log(0.8), rel=1e-6)


def test_loss_agrees_with_scipy_over_b_by_l():
    y = np.array([0.0, 0.01, 1.0, 250.0, 1e6])[:, None]
    p, mu, sigma = (
        RNG.uniform(0.05, 0.95, (5, 3)),
        RNG.normal(size=(5, 3)),
        RNG.uniform(0.3, 2, (5, 3)),
    )
    expected = np.where(
        y > 0,
        -np.log(p) - lognorm.logpdf(np.where(y > 0, y, 1.0), sigma, scale=np.exp(mu)),
        -np.log(1 - p),
    )
    np.testing.assert_allclose(ziln_nll(y, logit(p), mu, sigma), expected, rtol=1e-10)


def test_loss_and_gradients_stay_finite_at_extremes():
    y = tf.constant([[0.0], [1e-30], [1e30], [0.0]])
    logits = tf.Variable(
        [[[80.0, 5.0, 5.0]], [[-80.0, -5.0, -20.0]], [[0.0, 0.0, 0.0]], [[-80.0] * 3]]
    )
    with tf.GradientTape() as tape:
        parameters = ziln_parameters(logits, Bounds(-3.0, 8.0, 0.05, 2.5))
        loss = tf.reduce_sum(ziln_nll(y, *parameters))
    assert np.isfinite(loss.numpy())
    assert np.isfinite(tape.gradient(loss, logits).numpy()).all()


def test_gradient_of_mu_is_that_of_the_formula():
    mu = tf.Variable(0.5)
    with tf.GradientTape() as tape:
        loss = ziln_nll(math.e, 0.0, mu, 2.0)
    assert float(tape.gradient(loss, mu)) == pytest.approx((0.5 - 1.0) / 4.0, rel=1e-5)


def test_parameters_respect_the_bounds():
    sdns = ziln_parameters(
        tf.constant([[9.0, 99.0, 99.0], [0.0, -99.0, -99.0]]), Bounds(-1, 4, 0.1, 2)
    )
    assert sdns.mu.numpy().tolist() == [4.0, -1.0]
    np.testing.assert_allclose(sdns.sigma, [2.0, 0.1], rtol=1e-6)


def test_mean_is_scipys():
    expected = 0.3 * lognorm.mean(1.2, scale=math.exp(0.7))
    assert float(ziln_mean(0.3, 0.7, 1.2)) == pytest.approx(expected, rel=1e-6)


def test_quantile_is_zero_inside_the_mass_at_zero_and_scipys_above_it():
    assert float(ziln_quantile(0.6, 0.3, 1.0, 1.0)) == 0.0
    expected = lognorm.ppf((0.9 - (1 - 0.3)) / 0.3, 1.0, scale=math.e)
    assert float(ziln_quantile(0.9, np.float64(0.3), 1.0, 1.0)) == pytest.approx(expected, rel=1e-9)


def test_cdf_undoes_the_quantile():
    y = ziln_quantile(0.9, np.float64(0.3), 1.0, 1.5)
    assert float(ziln_cdf(y, np.float64(0.3), 1.0, 1.5)) == pytest.approx(0.9, rel=1e-9)
