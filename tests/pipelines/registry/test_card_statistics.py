import numpy as np
import pytest

from pipelines.registry.card.page import NONE, _text
from pipelines.registry.card.rows import HeldOut
from pipelines.registry.card.statistics import by_date, by_network, calibration_error, tenths

LABEL = np.array([0.0, 0.0, 4.0, 6.0, 0.0, 10.0])
PREDICTED = np.array([1.0, 2.0, 3.0, 4.0, 5.0, 6.0])


def rows(**columns):
    return HeldOut("test", LABEL, PREDICTED, **columns)


def test_tenths_begin_with_the_highest_predictions_and_say_what_each_is_off():
    first, second, third = tenths(rows(), 3)
    assert (first.rows, first.actual, first.predicted, first.positive_share) == (2, 5.0, 5.5, 0.5)
    assert (second.actual, second.predicted) == (5.0, 3.5)
    assert (third.actual, third.ratio) == (0.0, None)
    assert calibration_error([first, second, third]) == pytest.approx((1 + 3 + 3) / 20)
    assert len(tenths(rows())) == 6  # no more parts than rows


def test_dates_and_networks_group_rows_and_say_how_many_intervals_held():
    days = np.array(["2024-01-01"] * 4 + ["2024-02-01"] * 2, "datetime64[D]")
    low, high = np.zeros(6), np.full(6, 5.0)
    groups = by_date(rows(day=days, low=low, high=high))
    assert [(g.name, g.rows, g.coverage) for g in groups] == [
        ("2024-01-01", 4, 0.75),
        ("2024-02-01", 2, 0.5),
    ]
    assert groups[0].gini is None and _text(groups[0].gini) == NONE  # three rows say nothing
    assert by_date(rows()) == by_network(rows()) == []
    networks = by_network(rows(selected=np.array([0, 0, 0, 2, 2, 2])))
    assert [(g.name, g.rows) for g in networks] == [("SDN 0", 3), ("SDN 2", 3)]


def test_many_dates_are_gathered_to_periods():
    days = np.datetime64("2023-01-01") + np.arange(600)
    label = np.ones(600)
    groups = by_date(HeldOut("test", label, label, day=days))
    assert len(groups) <= 24 and sum(g.rows for g in groups) == 600
    assert groups[0].name == "2023-01-01 to 2023-01-31"


def test_the_interval_of_a_mean_is_about_that_of_the_bootstrap():
    rng = np.random.default_rng(0)
    label = rng.lognormal(0, 1, 5_000)
    [group] = tenths(HeldOut("test", label, label), 1)
    half = 1.645 * label.std() / np.sqrt(len(label))
    assert group.low == pytest.approx(label.mean() - half, abs=0.3 * half)
    assert group.high == pytest.approx(label.mean() + half, abs=0.3 * half)
