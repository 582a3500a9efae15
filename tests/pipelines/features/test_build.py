import json

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from shop import config, transactions

from optdist.config import config_from
from optdist.data.feature_table import SPLITS, FeatureTable
from optdist.errors import DataError
from pipelines.features.build import build_features
from pipelines.features.splits import split_of, with_keys


@pytest.fixture(scope="module")
def built(spark, tmp_path_factory):
    folder = tmp_path_factory.mktemp("features")
    transactions(300).to_csv(folder / "sales.csv", index=False)
    shop = config(folder / "root", folder / "sales.csv")
    return shop, build_features(spark, shop)


def encoded(table, split):
    return pd.read_parquet(table.split_path(split))


def test_every_sample_is_in_one_split_and_in_the_manifest(built):
    _, table = built
    counts = table.manifest.counts
    keys = pd.concat([encoded(table, split)["row_key"] for split in SPLITS])
    assert counts["samples"] == len(keys) == keys.nunique()
    assert [counts[split] for split in SPLITS] == [len(encoded(table, split)) for split in SPLITS]


def test_files_hold_one_row_group_each_of_types_that_the_reader_knows(built):
    _, table = built
    for split in SPLITS:
        files = table.split_files(split)
        assert len(files) == 6
        assert max(f.rows for f in files) - min(f.rows for f in files) <= 2
        for file in files:
            parquet = pq.ParquetFile(table.split_path(split) / file.name)
            assert parquet.metadata.num_row_groups == 1
            assert {str(t) for t in parquet.schema_arrow.types} <= {"int32", "int64", "float"}
        assert not encoded(table, split).isna().any().any()


def test_moments_come_from_the_training_split_alone(built):
    _, table = built
    train = encoded(table, "train")
    assert train["num_first_spend"].mean() == pytest.approx(0, abs=1e-5)
    assert train["num_first_spend"].std(ddof=0) == pytest.approx(1, abs=1e-5)
    raw = pd.read_parquet(table.samples_path("train"))
    label = table.schema.label
    assert (label.count, label.positives) == (len(raw), (raw["label"] > 0).sum())
    assert label.log_mean == pytest.approx(np.log(raw["label"][raw["label"] > 0]).mean())


def test_a_second_build_does_nothing(spark, built, capsys):
    shop, table = built
    before = (table.path / "manifest.json").stat().st_mtime_ns
    assert build_features(spark, shop).path == table.path
    printed = capsys.readouterr().out
    assert "up to date" in printed
    last = transactions(300)["day"].max()
    assert f"the data reach {last}" in printed and table.manifest.last_event == last
    assert (table.path / "manifest.json").stat().st_mtime_ns == before


def test_an_interrupted_build_is_built_again(spark, built):
    shop, table = built
    (table.path / "manifest.json").unlink()
    with pytest.raises(DataError, match="is not a finished feature table"):
        FeatureTable.open(table.path)
    assert build_features(spark, shop).manifest.counts == table.manifest.counts


def test_another_setting_or_another_input_is_another_table(spark, built):
    shop, table = built
    written = json.loads(json.dumps(shop.written))
    raw = written["dataset"]["source"]["tables"]["sales"]["path"]
    assert build_features(spark, config(shop.root, raw, split={"seed": 1})).path != table.path


def test_a_split_does_not_change_when_rows_are_added(spark, built):
    shop, _ = built

    def splits(customers):
        frame = spark.createDataFrame([(c,) for c in customers], ["customer"])
        rows = with_keys(frame, shop.dataset).withColumn("split", split_of(shop.split)).collect()
        return {row["customer"]: row["split"] for row in rows}

    few, many = splits(range(2000)), splits(range(4000))
    assert few == {customer: many[customer] for customer in few}
    shares = pd.Series(many).value_counts(normalize=True)
    assert shares[list(SPLITS)].tolist() == pytest.approx([0.7, 0.1, 0.2], abs=0.02)


def test_too_many_bad_rows_stop_the_job_with_their_reasons(spark, tmp_path):
    sales = transactions(300).astype({"amount": object})
    sales.loc[sales.index % 20 == 0, "amount"] = "lots"
    sales.to_csv(tmp_path / "sales.csv", index=False)
    with pytest.raises(DataError, match=r"events are bad \(unparsable amount \d+\); .*build\.max"):
        build_features(spark, config(tmp_path / "root", tmp_path / "sales.csv"))
    assert not list((tmp_path / "root").rglob("manifest.json"))


def test_an_empty_split_says_what_to_change(spark, tmp_path):
    transactions(3).to_csv(tmp_path / "sales.csv", index=False)
    with pytest.raises(DataError, match=r"split is empty\. Give more rows"):
        build_features(spark, config(tmp_path / "root", tmp_path / "sales.csv"))


@pytest.mark.parametrize("split", ["validation", "test"])
def test_a_split_without_a_positive_label_is_refused_before_anything_is_trained(
    spark, built, tmp_path, split
):
    _, table = built
    first = transactions(300).groupby("customer", as_index=False).first()
    rest = transactions(300).drop_duplicates("customer", keep="first").index
    later = transactions(300).drop(index=rest)
    silent = pd.read_parquet(table.samples_path(split))["customer"].astype(int)
    later = later[~later["customer"].isin(silent)]
    pd.concat([first, later]).to_csv(tmp_path / "sales.csv", index=False)
    rows = table.manifest.counts[split]
    with pytest.raises(DataError, match=rf"of the {rows} rows of the {split} split .*split\.seed"):
        build_features(spark, config(tmp_path / "root", tmp_path / "sales.csv"))


def test_a_timestamp_as_a_category_is_refused_as_scoring_would(spark, tmp_path):
    transactions(300).to_csv(tmp_path / "sales.csv", index=False)
    made = config(tmp_path / "root", tmp_path / "sales.csv").model_dump(mode="json")
    made["dataset"]["source"]["sample_columns"]["weekday"] = "to_timestamp(first_day)"
    with pytest.raises(DataError, match="weekday is a timestamp"):
        build_features(spark, config_from(made))


@pytest.mark.parametrize(
    ("window", "left_out"), [("2023-01-01 2023-12-31", 0), ("2024-12-01 2024-12-31", 1)]
)
def test_no_sample_at_all_says_what_was_asked_for_and_what_the_data_have(
    spark, tmp_path, window, left_out
):
    sales = pd.concat([transactions(30), transactions(1).tail(1).assign(customer=99)])
    sales.loc[sales["customer"] == 99, "day"] = "2024-12-18"
    sales.to_csv(tmp_path / "sales.csv", index=False)
    start, end = window.split()
    written = config(tmp_path / "root", tmp_path / "sales.csv").model_dump(mode="json")
    written["dataset"]["source"]["first_purchase"] = {"start": start, "end": end}
    first = sales["day"].min()
    asked = f"first_purchase asks for {start} to {end}, and the events are of {first} to 2024-12-18"
    with pytest.raises(DataError, match=f"{asked}. {left_out} more have a label window of 90 days"):
        build_features(spark, config_from(written))


def test_snapshots_before_all_events_say_so(spark, tmp_path):
    transactions(30).to_csv(tmp_path / "sales.csv", index=False)
    written = config(tmp_path / "root", tmp_path / "sales.csv").model_dump(mode="json")
    written["dataset"]["source"] |= {
        "first_purchase": None,
        "snapshots": {"dates": ["2023-05-01"]},
        "history": [{"key": ["customer"], "features": {"sales": "count(*)"}}],
        "sample_columns": {},
        "attributes": {},
    }
    written["dataset"]["features"] = {"numeric": ["sales_all"]}
    with pytest.raises(
        DataError, match=r"snapshots asks for 2023-05-01 to 2023-05-01, and the events are of 202"
    ):
        build_features(spark, config_from(written))


@pytest.mark.parametrize(
    ("where", "message"),
    [
        ("user = '2'", r"No sample was made: no row is good\. Quarantined: null label 1"),
        ("user = '3'", r"No sample was made: users has no row that source\.where keeps"),
    ],
)
def test_a_table_of_samples_of_which_none_is_left_says_so(spark, tmp_path, where, message):
    pd.DataFrame({"user": ["1", "2"], "value": ["1", None]}).to_csv(tmp_path / "t.csv", index=False)
    source = {
        "kind": "samples",
        "tables": {"users": {"path": str(tmp_path / "t.csv"), "format": "csv"}},
        "label": "value",
        "where": where,
        "columns": {"value2": "value"},
    }
    names = {"name": "t", "id": ["user"], "split_key": ["user"]}
    written = {
        "dataset": {**names, "source": source, "features": {"numeric": ["value2"]}},
        "build": {"max_quarantined_share": 1},
        "paths": {"root": str(tmp_path / "root")},
    }
    with pytest.raises(DataError, match=message):
        build_features(spark, config_from(written))


def test_a_table_of_bad_rows_alone_is_called_bad_not_empty(spark, tmp_path):
    transactions(20).assign(amount="lots").to_csv(tmp_path / "sales.csv", index=False)
    with pytest.raises(DataError, match="No event is left"):
        build_features(spark, config(tmp_path / "root", tmp_path / "sales.csv"))
    sales = transactions(20).astype({"amount": object})
    sales.loc[sales["customer"] > 0, "amount"] = "lots"
    sales.to_csv(tmp_path / "most.csv", index=False)
    with pytest.raises(DataError, match="44 of 45 events are bad"):
        build_features(spark, config(tmp_path / "root", tmp_path / "most.csv"))


def test_a_crash_half_way_leaves_no_table_that_looks_finished(spark, tmp_path, monkeypatch):
    import pipelines.features.build as features

    transactions(300).to_csv(tmp_path / "sales.csv", index=False)
    shop, whole = config(tmp_path / "root", tmp_path / "sales.csv"), features.write_encoded

    def crash_at_test(spark, table, split, *args):
        if split == "test":
            raise KeyboardInterrupt
        return whole(spark, table, split, *args)

    monkeypatch.setattr(features, "write_encoded", crash_at_test)
    with pytest.raises(KeyboardInterrupt):
        build_features(spark, shop)
    [left] = (tmp_path / "root" / "features" / "shop").iterdir()
    with pytest.raises(DataError, match="is not a finished feature table"):
        FeatureTable.open(left)
    monkeypatch.undo()
    table = build_features(spark, shop)
    assert table.path == left
    assert sum(len(encoded(table, s)) for s in SPLITS) == table.manifest.counts["samples"]


def test_numbers_missing_where_training_had_none_are_counted(spark):
    from optdist.data.schema import FeatureSchema, LabelStatistics, NumericFeature
    from pipelines.features.fitting import count_imputed

    label = LabelStatistics(
        count=2,
        positives=1,
        total=1.0,
        median=0.0,
        log_mean=0.0,
        log_std=1.0,
        log_min=0.0,
        log_max=0.0,
        quantiles=[1.0],
    )
    made = [
        NumericFeature(name=name, log1p=False, mean=1.0, std=1.0, indicator=name == "b")
        for name in ("a", "b", "c")
    ]
    schema = FeatureSchema(categorical=[], numeric=made, label=label)
    rows = [(None, None, 1.0), (float("nan"), 1.0, 2.0), (float("inf"), 1.0, 3.0), (1.0, 1.0, 4.0)]
    samples = spark.createDataFrame(rows, "a double, b double, c double")
    assert count_imputed(samples, schema) == {"a": 3}


def written_sales(tmp_path, sales, **source):
    """The shop's configuration with a table of sales, and other settings of its source."""
    sales.to_csv(tmp_path / "sales.csv", index=False)
    shop = config(tmp_path / "root", tmp_path / "sales.csv").model_dump(exclude={"written"})
    shop["dataset"]["source"] |= source
    return config_from(shop)


def test_no_event_left_shows_how_amounts_and_days_are_written_and_what_reads_them(spark, tmp_path):
    sales = transactions(20)
    sales["amount"] = [f"{amount:.2f}".replace(".", ",") for amount in sales["amount"]]
    sales["day"] = pd.to_datetime(sales["day"]).dt.strftime("%d.%m.%Y")
    message = (
        r"unparsable amount \d+\. amount looks like `9+,99`: set source\.columns\.amount: "
        r"cast\(replace.*\. day looks like `99\.99\.9999`: set source\.columns\.day: "
        r"to_date\(day, 'dd\.MM\.yyyy'\)\.$"
    )
    with pytest.raises(DataError, match=message):
        build_features(spark, written_sales(tmp_path, sales))


def test_a_condition_that_keeps_nothing_is_named(spark, tmp_path):
    unmet = written_sales(tmp_path, transactions(20), where="segment = 'z'")
    message = r"No event is left: source\.where \(segment = 'z'\) is true for none of \d+ rows"
    with pytest.raises(DataError, match=message):
        build_features(spark, unmet)


def test_one_time_buyers_alone_are_called_that(spark, tmp_path):
    once = transactions(60).drop_duplicates("customer")
    with pytest.raises(DataError, match=r"Nobody came back: each of the 60 values of customer"):
        build_features(spark, written_sales(tmp_path, once))


def test_customers_who_came_back_outside_of_all_windows_are_counted(spark, tmp_path):
    once = transactions(60).drop_duplicates("customer")
    again = once.iloc[:1].assign(day="2024-11-30")
    late = written_sales(tmp_path, pd.concat([once, again], ignore_index=True), horizon_days=20)
    with pytest.raises(DataError, match=r"1 of the 60 values of customer came back on another day"):
        build_features(spark, late)
