import datetime as dt

import numpy as np
import pandas as pd
import pytest
from shop import transactions

from optdist.config import config_from
from optdist.config.dates import SnapshotsConfig
from optdist.errors import ConfigError, DataError
from pipelines.features.samples import build_samples, scoring_samples
from pipelines.features.splits import split_of, with_keys
from pipelines.sources.columns import LABEL

FEATURES = {
    "count": "count(*)",
    "days": "count(DISTINCT day)",
    "spend": "coalesce(sum(amount), 0)",
    "last_amount": "max_by(amount, struct(-days_before, amount))",
    "recency": "min(days_before)",
    "tenure": "max(days_before)",
    "mean_gap": "avg(days_since_previous)",
    "std_gap": "stddev_samp(days_since_previous)",
}
WINDOWS = {"all": None, "30d": 30, "before_30d": [31, 60]}
# snapshots on 03-01 and 04-01, 30 days each: 03-01..03-30 and 04-01..04-30
EVENTS = pd.DataFrame(
    [
        ("a", "2024-01-01", 10.0),  # 60 days before 03-01
        ("a", "2024-01-01", 5.0),
        ("a", "2024-01-30", 20.0),  # 31 days before
        ("a", "2024-01-31", 40.0),  # 30 days before
        ("a", "2024-02-29", 80.0),  # the day before
        ("a", "2024-03-01", 7.0),  # the snapshot's own day is the label's first
        ("a", "2024-03-30", 11.0),  # and this one its last
        ("a", "2024-03-31", 13.0),
        ("b", "2024-03-01", 3.0),  # not yet known on 03-01
        ("b", "2024-03-20", -8.0),
        ("c", "2023-11-05", 2.0),
        ("c", "2024-04-30", 1.0),  # keeps both label windows within the data
    ],
    columns=["customer", "day", "amount"],
)
DATES = ["2024-03-01", "2024-04-01"]


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    """A function that writes events to a file of their own and returns the data set's config."""
    tmp_path = tmp_path_factory.mktemp("snapshots")

    def write(events=EVENTS, windows=WINDOWS, split_key=("customer",), **source):
        raw = tmp_path / f"sales-{len(list(tmp_path.iterdir()))}.csv"
        events.to_csv(raw, index=False)
        names = [f"{name}_{suffix}" for name in FEATURES for suffix in windows]
        return config_from(
            {
                "dataset": {
                    "name": "shop",
                    "id": ["customer"],
                    "split_key": list(split_key),
                    "source": {
                        "kind": "transactions",
                        "tables": {"sales": {"path": str(raw), "format": "csv"}},
                        "columns": {"amount": "cast(amount AS double)"},
                        "amount": "amount",
                        "timestamp": "day",
                        "snapshots": {"dates": DATES},
                        "horizon_days": 30,
                        "history": [
                            {"key": ["customer"], "windows": windows, "features": FEATURES}
                        ],
                        "sample_columns": {"month": "month(snapshot_date)"},
                        **source,
                    },
                    "features": {"categorical": ["month"], "numeric": names},
                },
            }
        )

    return write


@pytest.fixture(scope="module")
def hand(spark, shop):
    """The samples of EVENTS by customer and date, net spend below 0 taken as 0."""
    return collected(build_samples(spark, shop(label_floor=0).dataset).rows)


def collected(frame):
    rows = frame.toPandas()
    rows["snapshot_date"] = rows["snapshot_date"].astype(str)
    return rows.set_index(["customer", "snapshot_date"]).sort_index()


def with_other_events_after(day, customers=100):
    """Two event tables that are the same up to `day`; in one, all buy on the day after."""
    events, others = transactions(customers), transactions(customers, seed=1)
    next_day = str(dt.date.fromisoformat(day) + dt.timedelta(1))
    others = others[others["day"] > day]
    everyone = events.drop_duplicates("customer").assign(day=next_day, amount=999.0)
    known = events[events["day"] <= day]
    return events, pd.concat([known, everyone, others], ignore_index=True)


def test_a_sample_is_a_customer_known_before_a_date_with_the_spend_from_that_date_on(hand):
    assert hand[LABEL].to_dict() == {
        ("a", "2024-03-01"): 18.0,  # 7 + 11: days 0 and 29, and not day 30
        ("a", "2024-04-01"): 0.0,
        ("b", "2024-04-01"): 0.0,
        ("c", "2024-03-01"): 0.0,
        ("c", "2024-04-01"): 1.0,
    }
    assert hand["month"].tolist() == [3, 4, 4, 3, 4]
    assert str(hand.loc[("a", "2024-04-01"), "first_day"]) == "2024-01-01"


def test_features_worked_by_hand(hand):
    a = hand.loc[("a", "2024-03-01")]
    assert (a["count_all"], a["days_all"], a["spend_all"]) == (5, 4, 155.0)
    assert (a["recency_all"], a["tenure_all"], a["last_amount_all"]) == (1, 60, 80.0)
    # purchase days 01-01, 01-30, 01-31, 02-29: gaps of 29, 1 and 29 days
    assert a["mean_gap_all"] == pytest.approx(59 / 3)
    assert a["std_gap_all"] == pytest.approx(np.std([29, 1, 29], ddof=1))


def test_the_ends_of_a_window_are_in_it(hand):
    a = hand.loc[("a", "2024-03-01")]
    assert (a["count_30d"], a["spend_30d"]) == (2, 120.0)  # 1 and 30 days before
    assert (a["count_before_30d"], a["spend_before_30d"]) == (3, 35.0)  # 31 and 60 days before
    assert (a["recency_before_30d"], a["tenure_before_30d"]) == (31, 60)


def test_a_window_without_events_counts_0_and_has_no_minimum(hand):
    c = hand.loc[("c", "2024-03-01")]
    assert (c["count_30d"], c["spend_30d"], c["count_all"]) == (0, 0.0, 1)
    assert pd.isna(c["recency_30d"]) and pd.isna(c["mean_gap_all"])


def test_windows_that_leave_out_the_last_days_see_nothing_of_them(spark, shop):
    rows = collected(
        build_samples(spark, shop(windows={"old": [31, 60]}, label_floor=0).dataset).rows
    )
    assert rows["count_old"].to_dict() == {
        ("a", "2024-03-01"): 3,
        ("a", "2024-04-01"): 2,  # 01-31 is 61 days before; 02-29 is 32, 03-01 is 31
        ("b", "2024-04-01"): 1,
        ("c", "2024-03-01"): 0,
        ("c", "2024-04-01"): 0,
    }


def test_features_and_labels_are_those_of_a_loop_over_the_events(spark, shop):
    events = transactions(100)
    dates = ["2024-04-01", "2024-05-01", "2024-06-01"]
    rows = collected(build_samples(spark, shop(events, snapshots={"dates": dates}).dataset).rows)
    checked = 0
    for customer, its in events.groupby("customer"):
        for date in dates:
            back = (pd.Timestamp(date) - pd.to_datetime(its["day"])).dt.days
            if not (back > 0).any():
                assert (str(customer), date) not in rows.index
                continue
            row = rows.loc[(str(customer), date)]
            label = its["amount"][(back <= 0) & (back > -30)].sum()
            assert row[LABEL] == pytest.approx(label)
            for suffix, low, high in [("all", 1, 10**6), ("30d", 1, 30), ("before_30d", 31, 60)]:
                seen = its[(back >= low) & (back <= high)]
                assert row[f"count_{suffix}"] == len(seen)
                assert row[f"days_{suffix}"] == seen["day"].nunique()
                assert row[f"spend_{suffix}"] == pytest.approx(seen["amount"].sum())
                recency = back[seen.index].min()
                assert row[f"recency_{suffix}"] == recency or pd.isna(recency)
            gaps = np.diff(np.sort(back[back > 0].unique()))
            if len(gaps):
                assert row["mean_gap_all"] == pytest.approx(gaps.mean())
            checked += 1
    assert checked == len(rows) > 100


def test_no_feature_sees_the_snapshots_day_or_a_later_one(spark, shop, hand):
    moved = EVENTS.copy()
    later = moved["day"] >= "2024-03-01"
    moved.loc[later & (moved["customer"] == "a"), ["day", "amount"]] = ["2024-03-05", 999.0]
    after = collected(build_samples(spark, shop(moved, label_floor=0).dataset).rows)
    row, features = ("a", "2024-03-01"), [c for c in hand.columns if c != LABEL]
    pd.testing.assert_series_equal(hand.loc[row, features], after.loc[row, features])
    assert hand.loc[row, LABEL] == 18.0 and after.loc[row, LABEL] == 3 * 999.0


def test_no_feature_of_a_date_changes_when_everything_from_it_on_is_replaced(spark, shop):
    events, mixed = with_other_events_after("2024-05-14")
    dates = ["2024-05-01", "2024-05-15"]

    def known(frame):
        return collected(build_samples(spark, shop(frame, snapshots={"dates": dates}).dataset).rows)

    before, after = known(events), known(mixed)
    features = [c for c in before.columns if c != LABEL]
    pd.testing.assert_frame_equal(before[features], after[features])
    assert len(before) > 50
    assert not before[LABEL].equals(after[LABEL])


def test_scoring_at_a_days_end_sees_what_training_sees_on_the_next_day(spark, shop):
    events, mixed = with_other_events_after("2024-05-14")
    training = build_samples(spark, shop(events, snapshots={"dates": ["2024-05-15"]}).dataset)
    trained = collected(training.rows).drop(columns=LABEL)
    scoring = scoring_samples(spark, shop(mixed).dataset, dt.date(2024, 5, 14))
    pd.testing.assert_frame_equal(collected(scoring.rows)[trained.columns.tolist()], trained)


def test_scoring_takes_the_whole_base_or_those_acquired_of_late(spark, shop):
    run_date = dt.date(2024, 3, 1)
    everyone = collected(scoring_samples(spark, shop().dataset, run_date).rows)
    assert everyone.index.get_level_values("customer").tolist() == ["a", "b", "c"]
    assert set(everyone.index.get_level_values("snapshot_date")) == {"2024-03-02"}
    late = scoring_samples(spark, shop().dataset, run_date, acquired_within_days=1)
    assert collected(late.rows).index.get_level_values("customer").tolist() == ["b"]


def test_as_of_takes_only_dates_whose_label_window_ended(spark, shop):
    def dates(as_of):
        samples = build_samples(spark, shop(label_floor=0).dataset, dt.date.fromisoformat(as_of))
        return set(collected(samples.rows).index.get_level_values("snapshot_date"))

    assert dates("2024-04-30") == {"2024-03-01", "2024-04-01"}
    assert dates("2024-04-29") == {"2024-03-01"}
    assert dates("2024-03-30") == {"2024-03-01"}
    with pytest.raises(DataError, match="first snapshot, 2024-03-01, has not ended"):
        dates("2024-03-29")


def test_as_of_reads_no_later_event(spark, shop):
    events, mixed = with_other_events_after("2024-05-31")
    dates = {"dates": ["2024-05-01", "2024-05-02", "2024-05-03"]}
    rows = [
        collected(build_samples(spark, shop(e, snapshots=dates).dataset, dt.date(2024, 5, 31)).rows)
        for e in (events, mixed)
    ]
    assert set(rows[0].index.get_level_values("snapshot_date")) == {"2024-05-01", "2024-05-02"}
    pd.testing.assert_frame_equal(*rows)


def test_samples_whose_label_window_the_data_do_not_cover_are_left_out_and_counted(spark, shop):
    samples = build_samples(
        spark, shop(EVENTS[EVENTS["day"] < "2024-04-30"], label_floor=0).dataset
    )
    assert set(collected(samples.rows).index.get_level_values("snapshot_date")) == {"2024-03-01"}
    assert samples.incomplete == 3  # a, b and c on 04-01
    assert build_samples(spark, shop().dataset).incomplete == 0


def test_net_spend_below_0_is_set_aside_or_clipped(spark, shop):
    negative = EVENTS.assign(amount=EVENTS["amount"].where(EVENTS["day"] != "2024-03-30", -50.0))
    assert [
        r["reason"] for r in build_samples(spark, shop(negative).dataset).quarantine.collect()
    ] == ["negative label"]
    rows = collected(build_samples(spark, shop(negative, label_floor=0).dataset).rows)
    assert rows.loc[("a", "2024-03-01"), LABEL] == 0.0


def test_all_samples_of_a_customer_fall_in_one_split_and_have_keys_of_their_own(spark, shop):
    made = shop(transactions(200), snapshots={"dates": ["2024-05-01", "2024-06-01", "2024-07-01"]})
    keyed = with_keys(build_samples(spark, made.dataset).rows, made.dataset).withColumn(
        "split", split_of(made.split)
    )
    rows = keyed.toPandas()
    assert rows.groupby("customer").size().max() == 3
    assert rows.groupby("customer")["split"].nunique().max() == 1
    assert set(rows["split"]) == {"train", "validation", "test"}
    assert rows["row_key"].is_unique


@pytest.mark.parametrize("split_key", [["snapshot_date"], ["customer", "month"]])
def test_a_split_key_that_parts_a_customers_snapshots_is_an_error(shop, split_key):
    with pytest.raises(ConfigError, match=f"only name columns of id, not {split_key[-1]}"):
        shop(split_key=split_key)


def test_attributes_are_of_the_customers_first_day(spark, shop):
    made = shop(attributes={"acquired_with": "sum(amount)"}, label_floor=0)
    with_more = made.dataset.features.model_copy(update={"categorical": ["acquired_with"]})
    dataset = made.dataset.model_copy(update={"features": with_more})
    samples = build_samples(spark, made.model_copy(update={"dataset": dataset}).dataset)
    rows = collected(samples.rows)["acquired_with"]
    assert rows.loc["a"].tolist() == [15.0, 15.0] and rows.loc["b"].tolist() == [3.0]


def test_a_history_key_that_the_samples_lack_names_the_columns_found(spark, shop):
    history = [{"key": ["amount"], "features": {"n": "count(*)"}}]
    with pytest.raises(DataError, match=r"history key.*not there: amount\. Found: customer"):
        build_samples(spark, shop(history=history).dataset)


@pytest.mark.parametrize(
    ("start", "end", "every", "expected"),
    [
        ("2024-01-01", "2024-03-01", "month", "2024-01-01 2024-02-01 2024-03-01"),
        ("2023-11-15", "2024-05-14", "quarter", "2023-11-15 2024-02-15"),
        ("2024-02-27", "2024-03-02", "2 days", "2024-02-27 2024-02-29 2024-03-02"),
        ("2024-02-26", "2024-03-17", "week", "2024-02-26 2024-03-04 2024-03-11"),
        ("2022-06-01", "2024-05-31", "1 year", "2022-06-01 2023-06-01"),
        ("2024-01-01", "2024-12-31", "6 months", "2024-01-01 2024-07-01"),
        ("2024-01-01", "2024-01-01", "month", "2024-01-01"),
    ],
)
def test_a_series_of_dates(start, end, every, expected):
    series = SnapshotsConfig(start=start, end=end, every=every)
    assert " ".join(map(str, series.days(dt.date(2020, 1, 1)))) == expected


@pytest.mark.parametrize(
    ("last", "expected"),
    [
        ("2024-03-01", "2024-01-15 2024-02-15"),
        ("2024-03-15", "2024-01-15 2024-02-15 2024-03-15"),
        ("2024-01-15", "2024-01-15"),
        ("2023-12-31", "2024-01-15"),  # so that an error can name it
    ],
)
def test_a_series_without_an_end_goes_on_to_the_last_day(last, expected):
    series = SnapshotsConfig(start="2024-01-15", every="month")
    assert " ".join(map(str, series.days(dt.date.fromisoformat(last)))) == expected


def test_a_series_without_an_end_takes_every_date_whose_label_window_has_ended(spark, shop):
    samples = build_samples(
        spark, shop(snapshots={"start": "2024-03-01", "every": "month"}, label_floor=0).dataset
    )
    dates = collected(samples.rows).index.get_level_values("snapshot_date")
    assert set(dates) == {"2024-03-01", "2024-04-01"}
    assert samples.incomplete == 0  # the data end on 2024-04-30
    later = shop(snapshots={"start": "2024-03-01", "every": "2 weeks"}, label_floor=0)
    samples = build_samples(spark, later.dataset)
    dates = collected(samples.rows).index.get_level_values("snapshot_date")
    assert set(dates) == {"2024-03-01", "2024-03-15", "2024-03-29"}
    assert samples.incomplete == 6  # a, b and c on 04-12 and 04-26


def test_a_list_of_dates_is_sorted_and_each_date_taken_once():
    dates = SnapshotsConfig(dates=["2024-02-01", "2024-01-01", "2024-02-01"]).days(dt.date.max)
    assert dates == [dt.date(2024, 1, 1), dt.date(2024, 2, 1)]


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ({}, "either dates, or start and every"),
        ({"start": "2024-01-01", "end": "2024-02-01"}, "either dates, or start and every"),
        ({"end": "2024-02-01", "every": "month"}, "either dates, or start and every"),
        ({"dates": ["2024-01-01"], "every": "month"}, "either dates, or start and every"),
        ({"start": "2024-01-31", "end": "2024-12-31", "every": "month"}, "days 1 to 28"),
        ({"start": "2024-01-02", "end": "2024-01-01", "every": "day"}, "is before start"),
        ({"start": "2024-01-01", "end": "2024-02-01", "every": "fortnight"}, "should match"),
        ({"start": "2024-01-01", "end": "2024-02-01", "every": "0 days"}, "should match"),
    ],
)
def test_dates_that_cannot_be_meant_are_an_error(shop, written, message):
    with pytest.raises(ConfigError, match=message):
        shop(snapshots=written)


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ({"snapshots": None}, "either first_purchase or snapshots"),
        (
            {"first_purchase": {"start": "2024-01-01", "end": "2024-02-01"}},
            "either first_purchase or snapshots",
        ),
        ({"windows": {"w": [9, 3]}}, "first day back is after the last: w"),
        ({"windows": {"w": [0, 3]}}, "greater than 0"),
    ],
)
def test_a_source_that_cannot_be_meant_is_an_error(shop, written, message):
    with pytest.raises(ConfigError, match=message):
        shop(**written)


def daily(first, days):
    """One purchase on each day, by one of fifty customers in turn."""
    dates = pd.date_range(first, periods=days).strftime("%Y-%m-%d")
    return pd.DataFrame(
        {"customer": [f"c{i % 50}" for i in range(days)], "day": dates, "amount": 1.0}
    )


def test_a_date_typed_wrong_makes_no_snapshot_and_is_quarantined(spark, shop, capsys):
    series = {"start": "2023-06-01", "every": "quarter"}
    typed = pd.DataFrame([("c1", "2026-06-30", 9.0)], columns=["customer", "day", "amount"])
    events = daily("2023-01-01", 500)
    right = build_samples(spark, shop(events, snapshots=series).dataset)
    wrong = build_samples(
        spark, shop(pd.concat([events, typed], ignore_index=True), snapshots=series).dataset
    )
    assert wrong.reach == right.reach == (dt.date(2023, 1, 1), dt.date(2024, 5, 14))
    assert collected(wrong.rows).equals(collected(right.rows))
    reason = "timestamp far after the other events"
    assert [row.reason for row in wrong.quarantine.collect()] == [reason]
    assert f"{reason} (2023-01-01 to 2024-05-14): 2026-06-30 (1)" in capsys.readouterr().out


def test_scoring_sees_the_end_of_the_data_before_a_date_typed_wrong(spark, shop):
    typed = pd.DataFrame([("c1", "2026-06-30", 9.0)], columns=["customer", "day", "amount"])
    events = pd.concat([daily("2023-01-01", 500), typed], ignore_index=True)
    samples = scoring_samples(spark, shop(events).dataset, dt.date(2026, 7, 1))
    assert samples.reach == (dt.date(2023, 1, 1), dt.date(2024, 5, 14))


def test_a_label_window_without_an_event_of_anybody_is_refused(spark, shop):
    pause = pd.concat([daily("2023-01-01", 100), daily("2023-08-01", 100)], ignore_index=True)
    dates = ["2023-03-01", "2023-05-01", "2023-09-01"]
    message = "no event of anybody in the label windows 2023-05-01 to 2023-05-30: every label"
    with pytest.raises(DataError, match=message):
        build_samples(spark, shop(pause, snapshots={"dates": dates}).dataset)
