import numpy as np
import pytest
from scipy.stats import lognorm

from optdist.distributions.calibration import fit_level, fit_scale, held, interval_levels

RNG = np.random.default_rng(3)


def drawn(rows, p, sigma):
    """Labels of one zero-inflated lognormal with mu = 0, their P(Y <= y) and P(Y = 0)."""
    y = (RNG.random(rows) < p) * np.exp(RNG.normal(0, sigma, rows))
    cdf = np.where(y > 0, 1 - p + p * lognorm.cdf(np.maximum(y, 1e-9), sigma), 1 - p)
    return y, cdf, np.full(rows, 1 - p)


def test_the_scale_makes_totals_agree():
    assert fit_scale(actual=30.0, predicted=20.0) == 1.5


@pytest.mark.parametrize("actual, predicted", [(0.0, 1.0), (1.0, 0.0)])
def test_without_a_total_nothing_is_scaled(actual, predicted):
    assert fit_scale(actual, predicted) == 1.0


def test_tails_are_equal_unless_the_mass_at_zero_fills_the_lower_one():
    low, high = interval_levels(0.9, np.array([0.0, 0.04, 0.06, 0.95]))
    np.testing.assert_allclose(low, [0.05, 0.05, 0.0, 0.0])
    np.testing.assert_allclose(high, [0.95, 0.95, 0.9, 0.9])


@pytest.mark.parametrize("p", [0.3, 0.97, 1.0])
def test_true_distributions_need_no_other_level(p):
    assert fit_level(0.9, *drawn(100_000, p, 1.0)) == pytest.approx(0.9, abs=0.01)


def test_too_narrow_distributions_get_a_higher_level_that_holds_what_it_should():
    y = np.exp(RNG.normal(0, 1.5, 100_000))
    cdf, zero = lognorm.cdf(y, 1.0), np.zeros(len(y))  # the model believes in sigma = 1
    level = fit_level(0.9, y, cdf, zero)
    # the interval of a normal with sigma 1 must reach 1.645 * 1.5 deviations
    assert level == pytest.approx(0.9864, abs=0.002)
    assert held(level, y, cdf, zero).mean() == pytest.approx(0.9, abs=0.01)


def test_where_zeros_alone_are_more_than_the_share_the_interval_is_zero():
    y, cdf, zero = drawn(10_000, 0.05, 1.0)
    level = fit_level(0.9, y, cdf, zero)
    assert held(level, y, cdf, zero).mean() == pytest.approx((y == 0).mean())
