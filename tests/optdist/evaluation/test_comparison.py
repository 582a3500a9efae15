import numpy as np
import pytest
from scipy import stats

from optdist.config.metrics import PAPER_METRICS
from optdist.evaluation.comparison import Scores, bootstrap_test, compare, holm, t_test


def test_holm_gives_a_hand_worked_correction():
    # sorted 0.01, 0.02, 0.03, 0.04: times 4, 3, 2, 1 -> 0.04, 0.06, 0.06, 0.04; made monotone
    assert holm([0.04, 0.01, 0.03, 0.02]) == pytest.approx([0.06, 0.04, 0.06, 0.06])
    assert holm([0.9, 0.8]) == [1.0, 1.0]


def test_the_t_test_is_the_paired_one_of_scipy():
    a, b = np.array([0.61, 0.62, 0.60, 0.63, 0.61]), np.array([0.60, 0.60, 0.60, 0.61, 0.61])
    assert t_test(a - b) == pytest.approx(stats.ttest_rel(a, b).pvalue)
    assert t_test(np.zeros(5)) == 1.0
    assert t_test(np.array([0.1])) == 1.0


def test_the_bootstrap_test_counts_what_lies_beyond_zero():
    assert bootstrap_test(np.r_[np.full(97, 0.1), np.full(2, -0.1)]) == pytest.approx(2 * 3 / 100)
    assert bootstrap_test(np.full(99, 0.1)) == pytest.approx(2 / 100)
    assert bootstrap_test(np.array([])) == 1.0
    assert bootstrap_test(np.zeros(10)) == 1.0


def scores(mean, seed, seeds=5, noise=0.001, replicates=400):
    """A model's metrics, whose bootstrap shares the entities' noise with every other model."""
    rng, entities = np.random.default_rng(seed), np.random.default_rng(0)
    values = {m: mean + noise * rng.standard_normal(seeds) for m in PAPER_METRICS}
    shared = 0.01 * entities.standard_normal(replicates)
    own = 0.001 * rng.standard_normal((seeds, replicates))
    return Scores(values, {m: v[:, None] + shared + own for m, v in values.items()})


def test_a_clear_gain_is_significant_in_ranking_and_a_loss_in_mae():
    found = {c.metric: c for c in compare(scores(0.62, 1), {"a": scores(0.60, 2)})}
    assert found["normalized_gini"].significant
    assert found["normalized_gini"].gain == pytest.approx(0.02, abs=0.002)
    assert found["mae"].gain < 0 and not found["mae"].significant
    assert found["mae"].p < 0.05  # a clear loss, which earns no dagger


def test_the_rival_is_the_best_of_each_metric():
    rivals = {"low": scores(0.5, 3), "high": scores(0.6, 4)}
    found = {c.metric: c.rival for c in compare(scores(0.55, 1), rivals)}
    assert found["spearman"] == "high"
    assert found["mae"] == "low"


def test_four_seeds_or_a_gain_that_one_test_doubts_are_not_significant():
    assert not any(
        c.significant for c in compare(scores(0.62, 1, seeds=4), {"a": scores(0.60, 2, seeds=4)})
    )
    ours, theirs = scores(0.62, 1), scores(0.60, 2)
    doubtful = {m: v - v.mean() for m, v in theirs.resampled.items()}  # its entities say nothing
    unsure = compare(Scores(ours.values, doubtful), {"a": Scores(theirs.values, doubtful)})
    assert not any(c.significant for c in unsure)
    assert all(c.t_p < 0.05 for c in unsure)


def test_equal_models_are_rarely_significant():
    tables, by_seeds, by_entities, corrected = 400, 0, 0, 0
    for i in range(tables):
        found = compare(level(2 * i), {"a": level(2 * i + 1)})
        by_seeds += any(c.t_p < 0.05 for c in found)
        by_entities += any(c.bootstrap_p < 0.05 for c in found)
        corrected += any(c.p < 0.05 for c in found)
    # each test alone, over five metrics, errs far more often; both, after Holm, in a twentieth
    assert by_seeds > 0.5 * tables and by_entities > 0.15 * tables
    assert corrected < 0.08 * tables


def level(seed, seeds=5, replicates=200):
    """A model as good as every other, but for the luck of its test entities."""
    rng = np.random.default_rng(seed)
    luck = dict(zip(PAPER_METRICS, 0.002 * rng.standard_normal(len(PAPER_METRICS)), strict=True))
    values = {m: 0.6 + k + 0.0005 * rng.standard_normal(seeds) for m, k in luck.items()}
    noise = {m: 0.002 * rng.standard_normal(replicates) for m in PAPER_METRICS}
    return Scores(values, {m: v[:, None] + noise[m] for m, v in values.items()})
