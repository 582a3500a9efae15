import numpy as np
import pytest
from scipy.stats import rankdata

from optdist.evaluation.by_group import decile_of, group_totals
from optdist.evaluation.targeting import Targets, bootstrap_captured, rank_shares, split_in_halves


def test_the_top_customers_by_score_are_taken_and_their_value_counts():
    y, score = np.array([5.0, 1.0, 7.0, 0.0]), np.array([0.9, 0.1, 0.5, 0.7])
    captured = Targets(score).captured([y, 2 * y], np.ones(4), np.array([1, 2, 3, 4, 9]))
    assert captured[0].tolist() == [5.0, 5.0, 12.0, 13.0, 13.0]
    assert captured[1].tolist() == [10.0, 10.0, 24.0, 26.0, 26.0]


def test_equal_scores_count_with_the_share_that_fits_so_that_a_constant_is_chance():
    y = np.array([6.0, 0.0, 3.0, 3.0])
    assert Targets(np.zeros(4)).captured([y], np.ones(4), np.array([1.0, 3.0])).tolist() == [
        [3.0, 9.0]
    ]
    half_tied = Targets(np.array([2.0, 1.0, 1.0, 0.0]))
    assert half_tied.captured([y], np.ones(4), np.array([2.0])).tolist() == [[7.5]]


def test_a_customer_who_is_drawn_twice_takes_two_places():
    y, score = np.array([5.0, 1.0, 7.0]), np.array([3.0, 2.0, 1.0])
    weights = np.array([2.0, 0.0, 1.0])
    assert Targets(score).captured([y], weights, np.array([1, 2, 3])).tolist() == [[5, 10, 17]]


def test_what_has_no_score_comes_last():
    y = np.array([5.0, 1.0])
    assert Targets(np.array([np.nan, -3.0])).captured([y], np.ones(2), np.array([1])) == [[1.0]]


def test_resamples_scatter_around_what_is_captured_and_are_the_same_for_all_scores():
    rng = np.random.default_rng(1)
    y, keys = rng.exponential(1, 3000), rng.permutation(3000)
    score = y + rng.normal(0, 1, 3000)
    shares = np.array([0.1, 0.5, 1.0])
    scores = {"a": score, "b": 2 * score, "chance": np.zeros(3000)}
    drawn = bootstrap_captured(y, scores, keys, shares, 150, 1)
    once = Targets(score).captured([y], np.ones(3000), shares * 3000)[0]
    assert drawn["a"].mean(axis=0) == pytest.approx(once, rel=0.02)
    assert (drawn["a"] == drawn["b"]).all()
    assert drawn["chance"][:, 0] == pytest.approx(drawn["chance"][:, 2] / 10)
    assert 0 < drawn["a"][:, 0].std() < 0.1 * once[0]


def test_halves_are_disjoint_and_hold_all_customers_of_all_their_rows():
    keys = np.repeat(np.arange(400), 2)
    ones = np.ones(800)
    halves = split_in_halves([ones], {"any": ones}, keys, np.array([800.0]), 20, 3)["any"]
    assert halves.shape == (20, 2, 1, 1)
    assert (halves.sum(axis=1) == 800).all()
    assert (halves % 2 == 0).all()  # both rows of a customer
    assert 330 < halves[:, 0].mean() < 470 and len(np.unique(halves)) > 5


def test_a_better_score_wins_most_splits():
    rng = np.random.default_rng(2)
    y = rng.lognormal(0, 1, 4000)
    scores = {"good": y + rng.normal(0, 0.5, 4000), "poor": y + rng.normal(0, 8, 4000)}
    halves = split_in_halves([y], scores, np.arange(4000), np.array([200.0]), 40, 1)
    ours, theirs = halves["good"][:, 0, 0, 0], halves["poor"][:, 1, 0, 0]
    assert (ours > theirs).all()


def test_places_are_those_of_scipy():
    values = np.array([3.0, 1.0, 1.0, 7.0, -np.inf])
    assert rank_shares(values) == pytest.approx((rankdata(values) - 0.5) / 5)


def test_deciles_are_of_equal_size_and_the_first_has_the_highest_predictions():
    prediction = np.random.default_rng(3).permutation(103).astype(float)
    part = decile_of(prediction)
    assert set(np.bincount(part)) == {10, 11}
    highest = [prediction[part == number].min() for number in range(9)]
    assert all(low > prediction[part == i + 1].max() for i, low in enumerate(highest))


def test_totals_of_groups_are_sums_and_resamples_scatter_around_their_ratio():
    rng = np.random.default_rng(4)
    y, prediction = rng.exponential(1, 2000), rng.exponential(1, 2000)
    group = rng.integers(0, 3, 2000)
    totals = group_totals(group, y, prediction, np.arange(2000), 200, 1)
    for number in range(3):
        mine = group == number
        assert totals.rows[number] == mine.sum()
        assert totals.predicted[number] == pytest.approx(prediction[mine].sum())
        assert totals.ratio(number) == pytest.approx(prediction[mine].sum() / y[mine].sum())
        low, high = totals.interval(number)
        assert low < totals.ratio(number) < high < 1.3 * low


def test_a_group_that_bought_nothing_has_no_ratio():
    totals = group_totals(np.zeros(4, int), np.zeros(4), np.ones(4), np.arange(4), 5, 1)
    assert totals.ratio(0) is None and totals.interval(0) is None


def test_every_resample_counts_as_many_rows_as_there_are():
    drawn = bootstrap_captured(
        np.ones(50), {"any": np.arange(50.0)}, np.arange(50), np.array([0.5, 1.0]), 20, 1
    )
    assert drawn["any"] == pytest.approx(np.tile([25.0, 50.0], (20, 1)))
