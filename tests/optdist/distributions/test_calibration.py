import numpy as np
import pytest
from scipy.stats import lognorm

from optdist.distributions.calibration import (
    contained_counts,
    contains,
    fit_level,
    fit_scale,
    interval_levels,
    smallest_level,
)

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
    assert contains(level, y, cdf, zero).mean() == pytest.approx(0.9, abs=0.01)


def test_where_zeros_alone_are_more_than_the_share_the_interval_is_zero():
    y, cdf, zero = drawn(10_000, 0.05, 1.0)
    level = fit_level(0.9, y, cdf, zero)
    assert contains(level, y, cdf, zero).mean() == pytest.approx((y == 0).mean())


def searched_level(coverage, y, cdf, zero_mass):
    """`fit_level` as it was: every level of a grid is tried on every row."""
    grid = np.arange(1, 1000) / 1000
    shares = np.array([contains(level, y, cdf, zero_mass).mean() for level in grid])
    enough = np.flatnonzero(shares >= coverage)
    return float(grid[enough[0]] if len(enough) else grid[-1])


@pytest.mark.parametrize("seed", range(40))
def test_levels_are_those_of_a_search_over_all_levels(seed):
    rng = np.random.default_rng([9, seed])
    rows = int(rng.integers(1, 400))
    zero = rng.beta(*rng.uniform(0.2, 3, 2), rows) * rng.choice([0, 1, 1])
    y = np.where(rng.random(rows) < rng.random(), 1.0, 0.0)
    cdf = np.where(y > 0, zero + (1 - zero) * rng.beta(*rng.uniform(0.3, 3, 2), rows), zero)
    coverage = rng.uniform(0.02, 0.98)
    for kind in (np.float64, np.float32):
        rows = y, cdf.astype(kind), zero.astype(kind)
        assert fit_level(coverage, *rows) == pytest.approx(
            searched_level(coverage, *rows), abs=1.001e-3
        )


def test_a_label_may_be_held_lost_and_held_again():
    y, cdf, zero = np.array([1.0]), np.array([0.7]), np.array([0.2])
    counts = contained_counts(y, cdf, zero)
    each = [contains(level, y, cdf, zero).sum() for level in np.arange(1, 1000) / 1000]
    assert counts[:-1].tolist() == each
    assert counts[[398, 400, 598, 600, 698, 700]].tolist() == [0, 1, 1, 0, 0, 1]


def test_counts_of_parts_add_up_and_weights_count_rows_several_times():
    y, cdf, zero = drawn(500, 0.6, 1.0)
    whole = contained_counts(y, cdf, zero)
    parts = sum(contained_counts(y[i::3], cdf[i::3], zero[i::3]) for i in range(3))
    np.testing.assert_array_equal(whole, parts)
    weight = RNG.integers(0, 4, 500)
    repeated = contained_counts(*(np.repeat(x, weight) for x in (y, cdf, zero)))
    np.testing.assert_allclose(contained_counts(y, cdf, zero, weight), repeated, atol=1e-9)


def test_without_rows_the_level_is_the_share():
    assert smallest_level(0.8, contained_counts(*(np.zeros(0) for _ in range(3)))) == 0.8
