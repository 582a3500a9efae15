import datetime as dt

import numpy as np
import pandas as pd
import pytest
from shop import config, transactions

from optdist.config import load_config
from pipelines.features.samples import build_samples, scoring_samples
from pipelines.sources.completeness import why_cut_short


def day(count, first=9, last=17):
    """A day's events, spread over the hours from `first` to `last`."""
    hours = [0] * 24
    for i in range(count):
        hours[first + i % (last + 1 - first)] += 1
    return hours


WEEKS = [day(n) for n in (90, 120, 100, 110, 95, 105, 130, 88)]


@pytest.mark.parametrize(
    ("last", "reason"),
    [
        (day(40), "it has 40 events, and the same weekday of the 8 weeks before had 88 or more"),
        (day(70, last=13), "no event after 14:00, .* had 42% or more of its events later"),
        ([43] + [0] * 23, "it has 43 events"),  # dates without a time
    ],
)
def test_a_last_day_with_few_events_or_without_late_ones_looks_cut_short(last, reason):
    with_dates = [[sum(hours)] + [0] * 23 for hours in WEEKS] if last[0] else WEEKS
    assert pd.Series([why_cut_short([last, *with_dates])]).str.contains(reason).item()


@pytest.mark.parametrize(
    ("last", "before"),
    [
        (day(50), WEEKS),  # a slow day
        (day(70, last=16), [day(100, last=17), *[day(100, last=16)] * 7]),  # one day was longer
        (day(50, last=13), [day(100, last=13), *WEEKS]),  # one week it ended as early
        (day(1), WEEKS[:3]),  # too few weeks
        (day(0), [day(25)] * 8),  # too few events
        (day(1), [day(0), *WEEKS[1:]]),  # there was such a day before
        (day(3, last=9), []),
    ],
)
def test_a_last_day_that_may_be_whole_is_kept(last, before):
    assert why_cut_short([last, *before]) is None


def shop_of(tmp_path, end, **source):
    """A shop that sells every day until `end`, everybody's first purchase being on 2024-03-01."""
    rng = np.random.default_rng(0)
    days = pd.date_range("2024-03-01", end).strftime("%Y-%m-%d")
    rows = [(c, d, 1.0, "a") for i, d in enumerate(days) for c in rng.permutation(60)[: 50 + i % 5]]
    frame = pd.DataFrame(rows, columns=["customer", "day", "amount", "segment"])
    late = frame["day"] == days[-1]
    frame = pd.concat([frame[~late], frame[late].head(10)])  # the last day is loaded half
    raw = tmp_path / "sales.csv"
    frame.to_csv(raw, index=False)
    made = config(tmp_path / "root", raw)
    own = {"horizon_days": 60, "first_purchase": {"start": "2024-03-01"}, **source}
    dataset = made.model_dump(mode="json")["dataset"]
    dataset["source"] |= own
    return type(made.dataset)(**dataset)


# windows are of days 1 to 60: that of 03-01 ends on 04-30, that of 03-02 on 05-01
def test_no_label_window_ends_in_a_last_day_that_looks_cut_short(spark, tmp_path, capsys):
    samples = build_samples(spark, shop_of(tmp_path, "2024-05-01"))
    assert {row["first_day"] for row in samples.rows.collect()} == {dt.date(2024, 3, 1)}
    assert samples.incomplete > 0  # first bought on 03-02
    assert samples.complete_until == dt.date(2024, 4, 30)
    assert (
        "label windows end by 2024-04-30: 2024-05-01 looks cut short: it has 10 events"
        in capsys.readouterr().out
    )


@pytest.mark.parametrize(("days", "last"), [(0, "2024-05-01"), (2, "2024-04-29")])
def test_a_setting_says_how_many_days_are_incomplete(spark, tmp_path, days, last):
    samples = build_samples(spark, shop_of(tmp_path, "2024-05-01", days_incomplete=days))
    assert str(samples.complete_until) == last


def test_a_day_that_later_events_follow_is_complete(spark, tmp_path):
    samples = build_samples(spark, shop_of(tmp_path, "2024-05-01"), dt.date(2024, 4, 30))
    assert samples.complete_until == samples.reach[1] == dt.date(2024, 4, 30)


def test_scoring_uses_the_events_of_a_day_that_looks_cut_short(spark, tmp_path):
    samples = scoring_samples(spark, shop_of(tmp_path, "2024-05-01"), dt.date(2024, 5, 1))
    assert samples.reach[1] == dt.date(2024, 5, 1)


def test_sparse_events_are_no_evidence(spark, tmp_path):
    transactions(60).to_csv(tmp_path / "few.csv", index=False)
    samples = build_samples(spark, config(tmp_path, tmp_path / "few.csv").dataset)
    assert samples.complete_until == samples.reach[1]


def test_the_setting_is_described():
    source = load_config().dataset.source
    assert source.days_incomplete is None
    assert "cut short" in type(source).model_fields["days_incomplete"].description
