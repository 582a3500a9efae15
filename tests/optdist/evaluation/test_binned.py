import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from optdist.evaluation.binned import bin_scores, binned_auc, binned_gini, stability_index
from optdist.evaluation.metrics import normalized_gini


@pytest.fixture
def rows():
    rng = np.random.default_rng(1)
    bins = rng.integers(0, 7, 4000)
    label = np.where(rng.random(4000) < 0.1 + 0.1 * bins, rng.lognormal(bins / 4, 1.0), 0.0)
    return bins, np.round(label, 2)


def counts(bins, label):
    weights = (np.ones_like(label), label > 0, label)
    return np.stack([np.bincount(bins, weight) for weight in weights], axis=-1)


def test_auc_of_bins_is_that_of_the_rows(rows):
    bins, label = rows
    score = np.array([3.0, 1.0, 1.0, 2.0, 5.0, 4.0, 9.0])
    expected = roc_auc_score(label > 0, score[bins])
    assert binned_auc(score, counts(bins, label)) == pytest.approx(expected, abs=1e-12)


def test_norm_gini_of_bins_is_that_of_the_rows(rows):
    bins, label = rows
    score = np.array([3.0, 1.0, 1.0, 2.0, 5.0, 4.0, 9.0])
    _, places = np.unique(label, return_inverse=True)
    value = binned_gini(score, counts(bins, label), counts(places, label))
    assert value == pytest.approx(normalized_gini(label, score[bins]), abs=1e-12)


def test_a_feature_of_one_value_ranks_nothing(rows):
    bins, label = rows
    one = counts(np.zeros_like(bins), label)
    assert binned_auc(np.zeros(1), one) == 0.5
    assert binned_gini(np.zeros(1), one, counts(bins, label)) == 0


def test_without_zeros_there_is_no_auc_and_without_value_no_gini():
    positive, zeros = np.array([[5.0, 5, 9]]), np.array([[5.0, 0, 0]])
    assert binned_auc(np.ones(1), positive) is None
    assert binned_auc(np.ones(1), zeros) is None
    assert binned_gini(np.ones(1), zeros, zeros) is None


def test_a_bin_of_few_training_rows_is_drawn_to_the_mean_of_all():
    share, mean = bin_scores(np.array([[1000.0, 500, 2000], [1, 1, 90], [0, 0, 0]]))
    assert share[0] == pytest.approx(0.5, abs=1e-3) and 0.5 < share[1] < 0.55
    assert 2 < mean[1] < 10  # not 90
    assert share[2] == pytest.approx(501 / 1001)


def test_a_feature_that_names_rows_says_nothing_of_other_rows():
    rng = np.random.default_rng(2)
    train, held = np.zeros((3000, 3)), np.zeros((3000, 3))
    label = np.where(rng.random(3000) < 0.3, 10.0, 0.0)
    train[:1500] = np.stack([np.ones(1500), label[:1500] > 0, label[:1500]], axis=-1)
    held[1500:] = np.stack([np.ones(1500), label[1500:] > 0, label[1500:]], axis=-1)
    share, _ = bin_scores(train)
    assert binned_auc(share, train) == 1  # learned by heart
    assert binned_auc(share, held) == pytest.approx(0.5)


def test_the_stability_index_is_0_for_the_same_and_large_for_another_distribution():
    whole = np.array([5000.0, 3000, 2000, 0])
    assert stability_index(whole / 10, whole) == pytest.approx(0, abs=1e-3)
    p, q = np.array([0.2, 0.3, 0.5]), np.array([0.5, 0.3, 0.2])
    expected = ((p - q) * np.log(p / q)).sum()
    part = np.array([200.0, 300, 500, 0])
    assert stability_index(part, whole) == pytest.approx(expected, abs=0.01)


def test_few_rows_do_not_look_like_drift():
    rng = np.random.default_rng(3)
    whole = np.full(10, 1000.0)
    drawn = [np.bincount(rng.integers(0, 10, 60), minlength=10) for _ in range(200)]
    assert np.mean([stability_index(part, whole) for part in drawn]) < 0.08
