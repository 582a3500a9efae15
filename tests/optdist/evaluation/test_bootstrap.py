import time

import numpy as np
import pytest
from scipy.stats import poisson

from optdist.config.metrics import PAPER_METRICS
from optdist.data.schema import LabelStatistics
from optdist.errors import DataError
from optdist.evaluation import metrics
from optdist.evaluation.bootstrap import (
    entity_counts,
    paired_bootstrap,
    resampled_metrics,
)
from optdist.evaluation.weighted import RESAMPLED, WeightedMetrics

TRAIN = LabelStatistics(
    count=2, positives=1, total=1, median=0, log_mean=0, log_std=1, log_min=0, log_max=0
)


def rows(n=400, seed=0):
    rng = np.random.default_rng(seed)
    y = np.where(rng.random(n) < 0.4, np.round(rng.lognormal(2, 1, n)), 0.0)  # ties in both
    prediction = np.round(y * rng.random(n) + rng.exponential(5, n))
    return y, prediction, rng


def test_weighted_metrics_are_those_of_physically_repeated_rows():
    y, prediction, rng = rows()
    measured = WeightedMetrics(y, prediction)
    for _ in range(5):
        weights = rng.poisson(1.0, len(y))
        found = measured(weights)
        expected = metrics.evaluate(np.repeat(y, weights), np.repeat(prediction, weights), TRAIN)
        for name in RESAMPLED:
            assert found[name] == pytest.approx(expected[name], rel=1e-10), name


def test_weights_of_one_give_the_plain_metrics_of_a_worked_case():
    # order by prediction 3, 2, 1: labels 0, 4, 2; the curve 0, 0, 4/6, 1 has the area 7/18: -2/9
    # perfect order 4, 2, 0: the curve 0, 4/6, 1, 1 has the area 13/18: 4/9
    found = WeightedMetrics(np.array([0.0, 4.0, 2.0]), np.array([3.0, 2.0, 1.0]))(np.ones(3))
    assert found["normalized_gini"] == pytest.approx(-1 / 2)
    assert found["spearman"] == pytest.approx(-0.5)
    assert found["mae"] == pytest.approx(2.0)
    assert found["total_ratio"] == pytest.approx(1.0)
    assert found["spearman_positive"] == pytest.approx(1.0)


def test_a_constant_prediction_ranks_nothing_in_any_resample():
    y, _, rng = rows()
    found = WeightedMetrics(y, np.full_like(y, 3.0))(rng.poisson(1.0, len(y)))
    assert found["spearman"] == 0.0
    assert found["normalized_gini"] == 0.0


def test_entities_are_drawn_poisson_often_and_resamples_differ():
    keys = np.random.default_rng(1).integers(-(2**62), 2**62, 200_000)
    first, second = entity_counts(keys, 0, 7), entity_counts(keys, 1, 7)
    for counts in (first, second):
        assert counts.mean() == pytest.approx(1.0, abs=0.01)
        assert counts.var() == pytest.approx(1.0, abs=0.02)
        assert np.mean(counts == 0) == pytest.approx(np.exp(-1), abs=0.005)
    assert abs(np.corrcoef(first, second)[0, 1]) < 0.01
    assert abs(np.corrcoef(first, entity_counts(keys, 0, 8))[0, 1]) < 0.01
    neighbours = entity_counts(np.arange(100_000), 0, 7)  # also of keys that are no hashes
    assert abs(np.corrcoef(neighbours[:-1], neighbours[1:])[0, 1]) < 0.02


def mixed(value):
    """SplitMix64 in Python's own integers."""
    z = (value + 0x9E3779B97F4A7C15) % 2**64
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9 % 2**64
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB % 2**64
    return z ^ (z >> 31)


def test_draws_are_the_same_on_every_machine():
    keys, seed = [-5, 0, 1, 2, 2**62], 2024
    for resample in range(40):
        salt = mixed((seed + (resample + 1) * 0x9E3779B97F4A7C15) % 2**64)
        uniform = [((mixed((key % 2**64) ^ salt) >> 48) + 0.5) / 2**16 for key in keys]
        found = entity_counts(np.array(keys, np.int64), resample, seed)
        assert found.tolist() == poisson.ppf(uniform, 1.0).tolist()


def test_the_order_of_rows_changes_nothing_and_an_entitys_rows_stay_together():
    y, prediction, rng = rows()
    groups = rng.integers(0, 50, len(y))
    once = resampled_metrics(y, {"mean": prediction}, groups, 20, 3)
    order = rng.permutation(len(y))
    again = resampled_metrics(y[order], {"mean": prediction[order]}, groups[order], 20, 3)
    for name in RESAMPLED:
        np.testing.assert_allclose(once["mean"][name], again["mean"][name], rtol=1e-12)
    keys = np.unique(groups)
    weights = dict(zip(keys.tolist(), entity_counts(keys, 4, 3).tolist(), strict=True))
    repeated = np.repeat(np.arange(len(y)), [weights[g] for g in groups.tolist()])
    assert once["mean"]["mae"][4] == pytest.approx(
        metrics.mae(y[repeated], prediction[repeated]), rel=1e-12
    )


def test_the_bootstrap_spread_of_a_mean_is_its_standard_error():
    y, prediction, _ = rows(3000)
    error = np.abs(y - prediction)
    found = resampled_metrics(y, {"mean": prediction}, np.arange(len(y)), 400, 5)["mean"]["mae"]
    assert found.std() == pytest.approx(error.std() / np.sqrt(len(y)), rel=0.15)
    assert found.mean() == pytest.approx(error.mean(), rel=0.01)


@pytest.mark.parametrize("metric", PAPER_METRICS)
def test_paired_gains_are_differences_on_the_same_resamples_and_better_is_positive(metric):
    y, worse, rng = rows()
    better = 0.7 * y + 0.3 * worse
    groups = rng.integers(0, 100, len(y))
    a, b = WeightedMetrics(y, better), WeightedMetrics(y, worse)
    gains = paired_bootstrap(a, b, groups, metric, 30, 3)
    found = resampled_metrics(y, {"a": better, "b": worse}, groups, 30, 3)
    sign = -1 if metric == "mae" else 1
    np.testing.assert_allclose(gains, sign * (found["a"][metric] - found["b"][metric]))
    assert np.mean(gains > 0) > 0.9
    np.testing.assert_array_equal(paired_bootstrap(b, b, groups, metric, 5, 3), 0)


def test_paired_gains_of_a_total_say_which_metrics_have_a_better_side():
    y, prediction, _ = rows()
    scored = WeightedMetrics(y, prediction)
    with pytest.raises(ValueError, match=r"one of mae.*Received: 'total_ratio'"):
        paired_bootstrap(scored, scored, np.arange(len(y)), "total_ratio", 5, 3)


@pytest.mark.parametrize(("metric", "column"), [("nll", "nll"), ("mae_q50", "q50")])
def test_the_metrics_of_distributions_are_paired_too(metric, column):
    y, prediction, rng = rows()
    better, worse = (WeightedMetrics(y, prediction, {column: y + c}) for c in (1.0, 1.5))
    gains = paired_bootstrap(better, worse, np.arange(len(y)), metric, 10, 3)
    np.testing.assert_allclose(gains, 0.5)


def test_a_resample_without_positives_says_what_to_set():
    with pytest.raises(DataError, match=r"bootstrap\.replicates"):
        WeightedMetrics(np.array([0.0, 1.0]), np.array([1.0, 2.0]))(np.array([3, 0]))


@pytest.mark.slow
def test_hundreds_of_resamples_of_a_large_split_take_seconds():
    y, prediction, rng = rows(135_000)
    started = time.monotonic()
    resampled_metrics(y, {"a": prediction + rng.random(len(y))}, np.arange(len(y)), 50, 1)
    assert time.monotonic() - started < 10
