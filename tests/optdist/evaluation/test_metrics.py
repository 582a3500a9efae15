import numpy as np
import pytest
from scipy.stats import spearmanr

from optdist.config.metrics import METRICS
from optdist.data.fitting import label_statistics
from optdist.evaluation.metrics import (
    evaluate,
    evaluate_distribution,
    mae,
    normalized_gini,
    spearman,
    total_ratio,
)

RNG = np.random.default_rng(0)


def gini_by_shuffling(y, prediction, orders=4000):
    """An independent oracle: the mean over random orders of tied rows, by plain loops."""

    def raw(order):
        area, total = 0.0, 0.0
        for i in order:
            area += total + y[i] / 2  # a trapezoid of width 1
            total += y[i]
        return 2 * area / len(y) / total - 1

    perfect = raw(sorted(range(len(y)), key=lambda i: -y[i]))
    rng = np.random.default_rng(1)
    results = []
    for _ in range(orders):
        shuffled = rng.permutation(len(y))
        results.append(raw(sorted(shuffled, key=lambda i: -prediction[i])))
    return np.mean(results) / perfect


def test_gini_of_a_case_worked_by_hand():
    # order by prediction: y = 0, 6, 3, so the curve goes through 0, 0, 2/3, 1
    # trapezoids of width 1/3: (0 + 1/3 + 5/6) / 3 = 7/18 -> 2 * 7/18 - 1 = -2/9
    # perfect order: 6, 3, 0 -> 0, 2/3, 1, 1 -> (1/3 + 5/6 + 1) / 3 = 13/18 -> 4/9
    assert normalized_gini([3.0, 0.0, 6.0], [1.0, 3.0, 2.0]) == pytest.approx(-1 / 2)


def test_gini_with_ties_of_a_case_worked_by_hand():
    # y = 4 | 0 and 2 tied: each of the tied rows has 1 -> 0, 4/6, 5/6, 1
    # trapezoids: (1/3 + 3/4 + 11/12) / 3 = 2/3 -> 1/3; perfect 0, 4/6, 1, 1 -> 13/18 -> 4/9
    assert normalized_gini([0.0, 4.0, 2.0], [1.0, 5.0, 1.0]) == pytest.approx(3 / 4)


@pytest.mark.parametrize("rows", [1, 2, 3, 20, 1000])
def test_gini_has_no_offset_on_few_rows(rows):
    y = RNG.exponential(size=rows)
    assert normalized_gini(y, np.ones(rows)) == 0.0
    assert normalized_gini(y, -y) == pytest.approx(-1.0 if rows > 1 else 0.0)


def test_gini_of_equal_labels_is_zero():
    assert normalized_gini([2.0, 2.0, 2.0], [1.0, 2.0, 3.0]) == 0.0


def test_gini_of_the_perfect_order_is_one():
    y = RNG.exponential(size=50)
    assert normalized_gini(y, y * 3 + 1) == pytest.approx(1.0)


def test_gini_agrees_with_an_average_over_the_orders_of_ties():
    y, prediction = [0.0, 5.0, 1.0, 0.0, 9.0, 2.0], [1.0, 2.0, 2.0, 2.0, 1.0, 0.0]
    assert normalized_gini(y, prediction) == pytest.approx(
        gini_by_shuffling(y, prediction), abs=0.02
    )


def test_a_constant_prediction_earns_nothing_however_rows_are_sorted():
    y = np.sort(RNG.exponential(size=1000))[::-1]
    assert normalized_gini(y, np.ones(1000)) == normalized_gini(y[::-1], np.ones(1000)) == 0.0


def test_spearman_agrees_with_scipy_on_ties():
    y, prediction = RNG.integers(0, 5, 300), RNG.integers(0, 7, 300)
    assert spearman(y, prediction) == pytest.approx(spearmanr(y, prediction).statistic)


def test_spearman_of_a_constant_is_zero():
    assert spearman([1.0, 2.0, 3.0], [1.0, 1.0, 1.0]) == 0.0


def test_mae_and_total_ratio_of_a_case_worked_by_hand():
    assert mae([1.0, 2.0, 6.0], [2.0, 2.0, 2.0]) == pytest.approx(5 / 3)
    assert total_ratio([1.0, 2.0, 6.0], [2.0, 2.0, 2.0]) == pytest.approx(6 / 9)


def test_evaluation_states_the_constant_predictors_beside_mae():
    train = label_statistics(np.array([0.0, 0.0, 3.0, 9.0]))
    metrics = evaluate([0.0, 6.0], [1.0, 5.0], train)
    assert metrics["mae_zero"] == 3.0
    assert metrics["mae_mean"] == 3.0
    assert metrics["mae_median"] == pytest.approx((1.5 + 4.5) / 2)
    assert metrics["normalized_gini"] == pytest.approx(1.0)


def test_the_metrics_of_distributions_of_a_case_worked_by_hand():
    predicted = {
        "nll": [1.0, 2.0, 3.0, 4.0],
        "q50": [0.0, 0.0, 6.0, 5.0],
        "interval_low": [0.0, 0.0, 2.0, 0.0],
        "interval_high": [1.0, 5.0, 9.0, 7.0],
        "if_positive_low": [1.0, 1.0, 5.0, 1.0],
        "if_positive_high": [2.0, 3.0, 9.0, 9.0],
    }
    found = evaluate_distribution([0.0, 3.0, 4.0, 8.0], predicted)
    assert found == {
        "nll": 2.5,
        "mae_q50": (0 + 3 + 2 + 3) / 4,
        "coverage": 3 / 4,  # 8 is above 7
        "interval_width": (1 + 5 + 7 + 7) / 4,
        "coverage_if_positive": 2 / 3,  # of 3, 4 and 8 alone; 4 is below 5
    }


@pytest.mark.parametrize("prediction", [[1.0, np.nan], [1.0, np.inf], [1.0]])
def test_predictions_that_are_not_finite_or_of_another_length_are_refused(prediction):
    with pytest.raises(ValueError, match="must be"):
        normalized_gini([0.0, 1.0], prediction)


def test_labels_without_value_are_refused():
    with pytest.raises(ValueError, match="positive"):
        normalized_gini([0.0, 0.0], [1.0, 2.0])


def test_each_metric_of_the_registry_is_computed_and_no_other():
    train = label_statistics(np.array([0.0, 0.0, 3.0, 9.0]))
    means = evaluate([0.0, 6.0], [1.0, 5.0], train)
    names = ["nll", "q50", "interval_low", "interval_high", "if_positive_low", "if_positive_high"]
    distributions = evaluate_distribution([0.0, 6.0], {name: [1.0, 2.0] for name in names})
    assert set(distributions) == {n for n, m in METRICS.items() if m.needs_distribution}
    assert set(means) - {"mae_zero", "mae_mean", "mae_median"} == set(METRICS) - set(distributions)


def test_the_decile_error_is_what_tenths_of_the_rows_are_off_in_total():
    y = np.arange(1.0, 21.0)
    exact = evaluate(y, y, label_statistics(y))
    assert exact["decile_error"] == 0
    off = np.where(np.arange(20) % 2 == 0, 0.25, -0.25)  # within a tenth one makes up for the other
    assert evaluate(y, y + off, label_statistics(y))["decile_error"] == pytest.approx(0)
    high = np.concatenate([y[:18], y[18:] + 2])  # the last two rows are one tenth
    assert evaluate(y, high, label_statistics(y))["decile_error"] == pytest.approx(4 / y.sum())
    constant = np.full(20, y.mean())  # no order: all rows are in one group
    assert evaluate(y, constant, label_statistics(y))["decile_error"] == pytest.approx(0)
