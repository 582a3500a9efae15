import datetime as dt

import pandas as pd
import pytest
from shop import config, transactions

from optdist.config import config_from
from optdist.errors import DataError
from pipelines.samples import LABEL, build_samples, scoring_samples

# customer x buys first on 2024-03-01; the horizon is 90 days, so its label ends on 2024-05-30
EVENTS = pd.DataFrame(
    [
        ("w", "2024-02-10", 4.0, "a"),
        ("w", "2024-12-31", 1.0, "a"),  # keeps every label window within the data
        ("x", "2024-03-01", 10.0, "a"),
        ("x", "2024-03-01", 5.0, "a"),
        ("x", "2024-03-02", 7.0, "a"),
        ("x", "2024-05-30", 11.0, "a"),
        ("x", "2024-05-31", 100.0, "a"),
        ("y", "2024-01-15", 3.0, "b"),  # first before the window: no sample
        ("y", "2024-03-15", 3.0, "b"),
        ("z", "2024-04-01", 2.0, "c"),
    ],
    columns=["customer", "day", "amount", "segment"],
)


def collected(frame):
    return frame.toPandas().set_index("customer").sort_index()


@pytest.fixture
def shop(tmp_path):
    def write(events=EVENTS, **sections):
        # a file of its own each time: Spark keeps what it read of a path while a session lasts
        raw = tmp_path / f"sales-{len(list(tmp_path.iterdir()))}.csv"
        events.to_csv(raw, index=False)
        return config(tmp_path / "root", raw, **sections)

    return write


def test_a_sample_has_its_first_days_attributes_and_the_horizons_spend(spark, shop):
    rows = collected(build_samples(spark, shop()).rows)
    assert rows.index.tolist() == ["w", "x", "z"]
    x = rows.loc["x"]
    assert (x["first_spend"], x["segment"], x["weekday"]) == (15.0, "a", 6)
    assert x[LABEL] == 18.0  # days 1 to 90; the first day and day 91 are not in it
    assert rows.loc["z", LABEL] == 0.0


def test_history_counts_only_days_before_the_first_one(spark, shop):
    rows = collected(build_samples(spark, shop()).rows)
    assert rows.loc["x", "sales_30d"] == 1  # w's purchase on 02-10, and none of x's own on 03-01
    assert rows.loc["x", "days_since_30d"] == 20
    assert rows.loc["z", "sales_30d"] == 0  # an empty history counts 0
    assert pd.isna(rows.loc["z", "days_since_30d"])  # and has no minimum


def test_no_feature_changes_when_everything_after_the_first_day_moves(spark, shop):
    before = collected(build_samples(spark, shop()).rows)
    moved = EVENTS.copy()
    later = (moved["customer"] == "x") & (moved["day"] > "2024-03-01")
    moved.loc[later, ["day", "amount", "segment"]] = ["2024-05-01", 999.0, "q"]
    after = collected(build_samples(spark, shop(moved)).rows)
    features = [c for c in before.columns if c != LABEL]
    pd.testing.assert_frame_equal(before[features], after[features])
    assert before.loc["x", LABEL] != after.loc["x", LABEL]


def test_scoring_reads_nothing_after_the_run_date_and_agrees_with_training(spark, shop):
    trained = collected(build_samples(spark, shop()).rows).drop(columns=LABEL)
    scored = collected(scoring_samples(spark, shop(), dt.date(2024, 3, 1)).rows)
    assert scored.index.tolist() == ["w", "x", "y"]
    columns = scored.columns.tolist()
    pd.testing.assert_frame_equal(scored.loc[["w", "x"]], trained.loc[["w", "x"], columns])


def test_scoring_can_keep_those_of_the_last_days(spark, shop):
    cut = shop(scoring={"acquired_within_days": 10})
    assert collected(scoring_samples(spark, cut, dt.date(2024, 3, 1)).rows).index.tolist() == ["x"]


def test_as_of_takes_only_samples_whose_label_window_ended(spark, shop):
    rows = collected(build_samples(spark, shop(), dt.date(2024, 5, 30)).rows)
    assert rows.index.tolist() == ["w", "x"]
    rows = collected(build_samples(spark, shop(), dt.date(2024, 5, 29)).rows)
    assert rows.index.tolist() == ["w"]


def test_bad_events_are_set_aside_with_a_reason(spark, shop):
    bad = pd.DataFrame(
        [
            (None, "2024-03-01", 1.0, "a"),
            ("x", "2024-03-01", "many", "a"),
            ("x", "2024-03-01", "NaN", "a"),
            ("x", "someday", 1.0, "a"),
        ],
        columns=EVENTS.columns,
    )
    samples = build_samples(spark, shop(pd.concat([EVENTS, bad])))
    reasons = sorted(row["reason"] for row in samples.quarantine.collect())
    assert reasons == [
        "amount is not finite",
        "null customer",
        "unparsable amount",
        "unparsable timestamp",
    ]
    assert collected(samples.rows).loc["x", "first_spend"] == 15.0


def samples_config(tmp_path, frame):
    raw = tmp_path / "table.csv"
    frame.to_csv(raw, index=False)
    return config_from(
        {
            "dataset": {
                "name": "table",
                "id": ["user"],
                "split_key": ["user"],
                "source": {
                    "kind": "samples",
                    "tables": {"main": {"path": str(raw), "format": "csv"}},
                    "label": "value",
                },
                "features": {"categorical": ["city"], "numeric": ["age"]},
            },
            "paths": {"root": str(tmp_path / "root")},
        }
    )


def test_a_table_of_samples_keeps_good_rows_and_names_every_bad_one(spark, tmp_path):
    frame = pd.DataFrame(
        [
            ("1", "a", "30", "1.5"),
            ("2", "b", None, "0"),
            ("3", "a", "old", "1"),
            (None, "a", "3", "1"),
            ("4", "a", "3", "-1"),
            ("5", "a", "3", "NaN"),
            ("6", "a", "3", "Infinity"),
            ("7", "a", "3", "x"),
            ("8", "a", "3", "1"),
            ("8", "a", "3", "1"),
            ("9", "a", "3", "1"),
            ("9", "a", "3", "2"),
        ],
        columns=["user", "city", "age", "value"],
    )
    samples = build_samples(spark, samples_config(tmp_path, frame))
    rows = samples.rows.toPandas().sort_values("user")
    assert rows["user"].tolist() == ["1", "2", "8"]
    assert rows[LABEL].tolist() == [1.5, 0.0, 1.0]
    assert sorted(row["reason"] for row in samples.quarantine.collect()) == [
        "duplicate id, identical copy",
        "duplicate id, rows differ",
        "duplicate id, rows differ",
        "label is not finite",
        "label is not finite",
        "negative label",
        "null user",
        "unparsable age",
        "unparsable label",
    ]


def test_a_missing_column_names_the_columns_found(spark, tmp_path):
    frame = pd.DataFrame({"user": ["1"], "town": ["a"], "age": ["3"], "value": ["1"]})
    with pytest.raises(DataError, match=r"not there: city\. Found: user, town, age, value"):
        build_samples(spark, samples_config(tmp_path, frame))


def test_a_wrong_expression_names_itself_and_the_columns(spark, shop):
    wrong = shop()
    source = wrong.dataset.source.model_copy(update={"columns": {"x2": "no_such_column + 1"}})
    dataset = wrong.dataset.model_copy(update={"source": source})
    with pytest.raises(DataError, match=r"column x2 does not work.*Columns found: customer, day"):
        build_samples(spark, wrong.model_copy(update={"dataset": dataset}))


def test_a_missing_file_says_which_setting_to_change(spark, tmp_path):
    gone = config(tmp_path, tmp_path / "gone.csv")
    with pytest.raises(DataError, match=r"Set dataset\.source\.tables\.sales\.path"):
        build_samples(spark, gone)


def test_the_made_up_shop_has_both_kinds_of_customers(spark, shop):
    rows = collected(build_samples(spark, shop(transactions(100))).rows)
    assert 0 < (rows[LABEL] > 0).mean() < 1
