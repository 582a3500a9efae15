import copy
import dataclasses
import datetime as dt
import json

import numpy as np
import pandas as pd
import pytest
from registered import register, write_package
from shop import config, transactions

from optdist.config import config_from
from optdist.config.identity import identity
from optdist.errors import CheckError, DataError, ModelError
from optdist.serving.predictor import load_predictor
from optdist.tracking import CHAMPION, Tracker
from pipelines.features.build import build_features
from pipelines.prediction import predict
from pipelines.scoring import pipeline as scoring
from pipelines.scoring import staging
from pipelines.scoring.checks import check_scores
from pipelines.scoring.manifest import read_manifest
from pipelines.scoring.pipeline import score

DATE = dt.date(2024, 12, 20)  # the made-up shop's last event is of 2024-12-18
QUANTILES = ["q05", "q50", "q95"]
INTERVALS = ["interval_low", "interval_high", "if_positive_low", "if_positive_high"]
COLUMNS = ["customer", "predicted_cltv", "p", "mu", "sigma", "selected_probability", "selected_sdn"]


@dataclasses.dataclass
class Shop:
    """A shop with features and two registered versions, the first of them champion."""

    config: object
    tracker: Tracker
    schema: object
    raw: pd.DataFrame
    table: object
    packages: dict


@pytest.fixture(scope="module")
def shop(spark, tmp_path_factory):
    folder = tmp_path_factory.mktemp("scoring")
    raw = transactions(300)
    raw.to_csv(folder / "sales.csv", index=False)
    made = config(folder / "root", folder / "sales.csv")
    table, tracker = build_features(spark, made), Tracker(made)
    packages = {
        "1": write_package(table.schema, folder / "first", 1, inference="hard"),
        "2": write_package(table.schema, folder / "second", 2, inference="soft"),
    }
    assert [register(tracker, package) for package in packages.values()] == ["1", "2"]
    tracker.set_alias(CHAMPION, "1")
    return Shop(made, tracker, table.schema, raw, table, packages)


@pytest.fixture
def fresh(shop, tmp_path):
    """A function that makes the shop again, nothing scored yet, with other settings or events."""

    def write(raw=None, name="sales.csv", **sections):
        (shop.raw if raw is None else raw).to_csv(tmp_path / name, index=False)
        return config(tmp_path / "root", tmp_path / name, **sections)

    return write


def published(spark, done):
    rows = spark.read.parquet(done.path).toPandas()
    return rows.sort_values("customer", ignore_index=True)


@pytest.mark.slow
def test_everyone_acquired_by_the_run_date_gets_one_row_with_every_column(spark, shop, fresh):
    done = score(spark, fresh(), shop.tracker, dt.date(2024, 3, 31))
    rows = published(spark, done)
    known = shop.raw[shop.raw["day"] <= "2024-03-31"]["customer"].unique()
    assert sorted(rows["customer"].astype(int)) == sorted(known)
    assert done.rows == len(rows) and not done.quarantined
    first = shop.raw[shop.raw["day"] <= "2024-03-31"].groupby("customer")["day"].min()
    assert dict(zip(rows["customer"].astype(int), rows["first_day"].astype(str), strict=True)) == (
        first.to_dict()
    )
    assert list(rows) == [
        "customer",
        "first_day",
        *COLUMNS[1:],
        *QUANTILES,
        *INTERVALS,
        "inference",
        "model_version",
    ]
    assert set(rows["model_version"]) == {"1"} and set(rows["inference"]) == {"hard"}
    assert done.total_predicted == pytest.approx(rows["predicted_cltv"].sum(), rel=1e-5)
    assert (rows["q05"] <= rows["q50"]).all() and (rows["q50"] <= rows["q95"]).all()


@pytest.mark.slow
def test_customers_acquired_after_the_training_window_are_scored(spark, shop, fresh):
    late = pd.DataFrame([("9999", str(DATE), 12.5, "a")], columns=list(shop.raw))
    rows = published(spark, score(spark, fresh(pd.concat([shop.raw, late])), shop.tracker, DATE))
    assert len(rows) == shop.raw["customer"].nunique() + 1
    assert "9999" in set(rows["customer"])


@pytest.mark.slow
def test_nothing_after_the_run_date_changes_a_score(spark, shop, fresh):
    date = dt.date(2024, 4, 30)
    before = shop.raw[shop.raw["day"] <= "2024-04-30"]
    whole = published(spark, score(spark, fresh(), shop.tracker, date))
    cut = fresh(before, "cut.csv", paths={"root": str(fresh().root / "cut")})
    pd.testing.assert_frame_equal(whole, published(spark, score(spark, cut, shop.tracker, date)))


@pytest.mark.slow
def test_dates_are_partitions_and_manifests_are_hidden_from_readers(spark, shop, fresh):
    made = fresh()
    days = [dt.date(2024, 6, 30), DATE]
    done = [score(spark, made, shop.tracker, day) for day in days]
    rows = spark.read.parquet(str(made.layout.scores.path)).toPandas()
    assert rows.groupby("run_date").size().to_dict() == {
        day: one.rows for day, one in zip(days, done, strict=True)
    }
    copy = json.loads(made.layout.scores.manifest_copy(DATE).read_text())
    assert copy == done[1].model_dump()
    assert (copy["model_name"], copy["model_version"]) == ("optdist-shop", "1")
    assert copy["rows"] == done[1].rows and copy["quantiles"] == [0.05, 0.5, 0.95]


@pytest.mark.slow
def test_a_rerun_uses_the_pinned_version_and_input_and_gives_the_same_rows(
    spark, shop, fresh, capsys
):
    made = fresh()
    first = score(spark, made, shop.tracker, DATE)
    rows = published(spark, first)
    later = pd.DataFrame([("7", "2024-02-03", 9.0, "b")], columns=list(shop.raw))
    fresh(pd.concat([shop.raw, later]))  # a late arrival in the same file
    shop.tracker.set_alias(CHAMPION, "2")
    try:
        again = score(spark, made, shop.tracker, DATE)
    finally:
        shop.tracker.set_alias(CHAMPION, "1")
    pd.testing.assert_frame_equal(published(spark, again), rows)
    assert "source or data set changed since" in capsys.readouterr().err
    assert again.input_fingerprint == first.input_fingerprint != again.source_fingerprint
    spark.catalog.clearCache()
    refreshed = score(spark, made, shop.tracker, DATE, refresh=True)
    assert refreshed.input_fingerprint == refreshed.source_fingerprint
    assert refreshed.model_version == "1"
    assert [p.name for p in made.layout.scores.inputs(DATE).iterdir()] == [
        refreshed.input.rsplit("/", 1)[-1]
    ]


@pytest.mark.slow
def test_another_model_is_used_where_it_is_asked_for(spark, shop, fresh):
    made = fresh()
    first = published(spark, score(spark, made, shop.tracker, DATE))
    second = published(spark, score(spark, made, shop.tracker, DATE, model="2"))
    assert set(second["model_version"]) == {"2"} and set(second["inference"]) == {"soft"}
    assert not np.allclose(first["mu"], second["mu"])
    assert read_manifest(made.layout.scores.date(DATE)).model_version == "2"
    with pytest.raises(ModelError, match="nobody"):
        score(spark, made, shop.tracker, DATE, model="nobody")


@pytest.mark.slow
def test_under_soft_the_mean_is_the_mixtures_and_p_mu_sigma_the_selected_sdns(spark, shop, fresh):
    rows = published(spark, score(spark, fresh(), shop.tracker, DATE, model="2"))
    of_the_sdn = rows["p"] * np.exp(rows["mu"] + rows["sigma"] ** 2 / 2)
    assert not np.allclose(rows["predicted_cltv"], of_the_sdn, rtol=1e-3)
    rows = published(spark, score(spark, fresh(), shop.tracker, DATE, model="1"))
    of_the_sdn = rows["p"] * np.exp(rows["mu"] + rows["sigma"] ** 2 / 2)
    np.testing.assert_allclose(rows["predicted_cltv"], of_the_sdn, rtol=1e-4)


def test_spark_predicts_what_the_training_side_predicts_for_the_same_rows(spark, shop):
    """Training predicts the encoded Parquet; scoring reads raw samples through the UDF."""
    import tensorflow as tf

    from optdist.serving.package import load_model
    from optdist.serving.predictor import prediction_function

    samples = spark.read.parquet(str(shop.table.samples_path("test")))
    scored = predict(samples, shop.packages["1"], (), 64).toPandas()
    encoded = pd.read_parquet(shop.table.split_path("test")).set_index("row_key")
    encoded = encoded.loc[scored["row_key"]]
    inputs = {
        "categorical": tf.constant(encoded[shop.schema.categorical_columns].to_numpy(np.int32)),
        "numeric": tf.constant(encoded[shop.schema.numeric_columns].to_numpy(np.float32)),
    }
    expected = prediction_function(load_model(shop.packages["1"]))(inputs)
    assert len(scored) == shop.table.manifest.counts["test"] > 30
    for name in COLUMNS[1:]:
        np.testing.assert_allclose(scored[name], expected[name], rtol=1e-5, err_msg=name)


def test_a_nullable_integer_category_is_encoded_as_in_training(spark, shop):
    rows = [("a", 1, 20.0, 3.0, 1.0), ("b", None, None, 0.0, None), ("z", 6, 1.0, None, 2.0)]
    names = (
        "segment string, weekday int, first_spend double, sales_30d double, days_since_30d double"
    )
    frame = spark.createDataFrame(rows, names)
    scored = predict(frame, shop.packages["1"], (), 100).toPandas()
    expected = load_predictor(shop.packages["1"]).predict(frame.toPandas())
    np.testing.assert_allclose(scored["predicted_cltv"], expected["predicted_cltv"], rtol=1e-5)


def test_an_id_or_label_named_like_a_prediction_does_not_confuse(spark, shop):
    rows = spark.read.parquet(str(shop.table.samples_path("test"))).withColumnRenamed("label", "y")
    renamed = rows.withColumn("p", rows["y"])
    scored = predict(renamed, shop.packages["1"], (), 100, keep=["y"])
    assert scored.columns[:3] == ["y", "predicted_cltv", "p"]
    assert scored.agg({"p": "max"}).first()[0] <= 1


def test_a_missing_column_is_named(spark, shop):
    rows = spark.read.parquet(str(shop.table.samples_path("test"))).drop("segment")
    with pytest.raises(DataError, match=r"lack: segment\. Found: customer"):
        predict(rows, shop.packages["1"], (), 100)


def test_a_timestamp_as_a_category_is_refused(spark, shop):
    rows = spark.read.parquet(str(shop.table.samples_path("test")))
    rows = rows.selectExpr("*", "timestamp'2024-01-01' AS t").drop("segment")
    with pytest.raises(DataError, match="segment is a timestamp"):
        predict(rows.withColumnRenamed("t", "segment"), shop.packages["1"], (), 100)


@pytest.mark.slow
def test_bad_input_rows_are_counted_by_reason_or_stop_the_run(spark, shop, fresh):
    bad = pd.DataFrame([(None, "2024-03-01", 1.0, "a")], columns=list(shop.raw))
    raw = pd.concat([shop.raw, bad])
    done = score(spark, fresh(raw), shop.tracker, DATE)
    assert done.quarantined == {"null customer": 1}
    folder = fresh(raw).layout.scores.quarantine(DATE)
    [row] = spark.read.parquet(str(folder)).collect()
    assert (row["stage"], row["reason"]) == ("events", "null customer")
    assert json.loads(row["row"]) == {"day": "2024-03-01", "amount": "1.0", "segment": "a"}
    assert "reason" not in spark.read.parquet(str(fresh(raw).layout.scores.path)).columns
    spark.catalog.clearCache()
    assert not score(spark, fresh(shop.raw), shop.tracker, DATE, refresh=True).quarantined
    assert spark.read.parquet(str(folder)).count() == 0  # those of the reading before are replaced
    fresh(raw)
    assert done.rows == shop.raw["customer"].nunique()
    strict = fresh(raw, paths={"root": str(fresh().root / "strict")})
    strict = strict.model_copy(
        update={"scoring": strict.scoring.model_copy(update={"max_quarantined_share": 0.0})}
    )
    with pytest.raises(DataError, match=r"_quarantine/run_date=.* allows 0\.0%.*Nothing was pub"):
        score(spark, strict, shop.tracker, DATE)
    assert not strict.layout.scores.date(DATE).exists()


@pytest.mark.slow
def test_a_date_before_all_events_is_an_error_that_says_so(spark, shop, fresh):
    with pytest.raises(DataError, match="No row that is known at 2020-01-01"):
        score(spark, fresh(), shop.tracker, dt.date(2020, 1, 1))


@pytest.mark.slow
def test_a_check_that_stops_scoring_keeps_its_reasons(spark, shop, fresh):
    with pytest.raises(CheckError, match="Nothing was published") as caught:
        score(spark, fresh(), shop.tracker, dt.date(2024, 12, 26))
    [reason] = caught.value.reasons
    assert "8 days before the run date" in reason and "Nothing was published" not in reason


@pytest.mark.slow
def test_data_that_end_long_before_the_run_date_are_not_scored(spark, shop, fresh):
    made, late = fresh(), dt.date(2024, 12, 26)
    message = r"last event is from 2024-12-18, 8 days before the run date 2024-12-26; .*days_behind"
    with pytest.raises(DataError, match=message + r" allows 7.*Nothing was published"):
        score(spark, made, shop.tracker, late)
    assert not made.layout.scores.date(late).exists()
    done = score(spark, fresh(scoring={"max_days_behind": 8}), shop.tracker, late)
    assert done.last_event == "2024-12-18"
    assert score(spark, made, shop.tracker, late).last_event == "2024-12-18"  # the kept input


def test_a_manifest_of_before_the_last_event_was_in_it_can_still_be_read(tmp_path):
    (tmp_path / "_manifest.json").write_text(
        json.dumps(
            {
                "dataset": "shop",
                "run_date": "2024-12-20",
                "path": "scores",
                "model_name": "optdist-shop",
                "model_version": "1",
                "inference": "soft",
                "quantiles": [0.5],
                "input": "_inputs/x",
                "input_fingerprint": "a",
                "source_fingerprint": "a",
                "quarantined": {},
                "rows": 1,
                "total_predicted": 1.0,
            }
        )
    )
    assert read_manifest(tmp_path).last_event is None


def test_a_table_that_is_gone_is_named_without_the_secret_in_its_path(
    spark, shop, fresh, tmp_path, monkeypatch
):
    monkeypatch.setenv("OPTDIST_TEST_SECRET", str(tmp_path / "hunter2"))
    resolved, written = fresh().written, copy.deepcopy(fresh().written)
    places = [(resolved, tmp_path / "hunter2"), (written, "${env:OPTDIST_TEST_SECRET}")]
    for sections, place in places:
        sections["dataset"]["source"]["tables"]["sales"]["path"] = f"{place}/gone.csv"
    with pytest.raises(DataError, match=r"^\$\{env:OPTDIST_TEST_SECRET\}/gone\.csv does not exist"):
        score(spark, config_from(resolved, written), shop.tracker, DATE)


@pytest.mark.parametrize("value", ["cast('NaN' AS float)", "cast(null AS float)", "-1f"])
def test_unsound_scores_are_not_published(spark, tmp_path, value):
    spark.range(3).selectExpr("1f AS p", f"{value} AS predicted_cltv").write.parquet(
        str(tmp_path / "staged")
    )
    with pytest.raises(DataError, match="3 of them with a null, negative or infinite value"):
        check_scores(spark, tmp_path / "staged", 3, ["p", "predicted_cltv"])


def test_lost_rows_are_an_error_that_counts_them(spark, tmp_path):
    spark.range(3).selectExpr("1f AS p", "2f AS predicted_cltv").write.parquet(
        str(tmp_path / "staged")
    )
    checked = check_scores(spark, tmp_path / "staged", 3, ["p"])
    assert (checked["rows"], checked["total_predicted"]) == (3, 6.0)
    with pytest.raises(DataError, match="4 rows were to be scored; 3 came out"):
        check_scores(spark, tmp_path / "staged", 4, ["p"])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("module", "step"), [(staging, "predict"), (staging, "check_scores"), (scoring, "swap_in")]
)
def test_a_crash_before_publishing_leaves_the_old_rows_and_their_manifest(
    spark, shop, fresh, monkeypatch, module, step
):
    made = fresh()
    before = score(spark, made, shop.tracker, DATE)
    rows = published(spark, before)

    def crash(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(module, step, crash)
        score(spark, made, shop.tracker, DATE, model="2", refresh=True)
    pd.testing.assert_frame_equal(published(spark, before), rows)
    again = score(spark, made, shop.tracker, DATE)
    assert (again.model_version, again.input) == ("1", before.input)
    pd.testing.assert_frame_equal(published(spark, again), rows)


def redefined(made, **source):
    written = made.model_dump(mode="json")
    written["dataset"]["source"] |= source
    return config_from(written)


@pytest.mark.slow
def test_a_redefined_data_set_is_not_scored_with_the_old_model(spark, shop, fresh, capsys):
    made = fresh()
    version = register(shop.tracker, shop.packages["1"], **identity(made))
    first = score(spark, made, shop.tracker, DATE, model=version)
    assert "has no record of the data" not in capsys.readouterr().err
    other = redefined(made, horizon_days=180)
    with pytest.raises(ModelError, match=rf"version {version} .*in source\.horizon_days\. Train"):
        score(spark, other, shop.tracker, dt.date(2024, 6, 30), model=version)
    assert not made.layout.scores.date("2024-06-30").exists()

    # the samples that a date has kept are those of the old definition, and go with the old model
    again = score(spark, other, shop.tracker, DATE)
    assert again.input == first.input and again.dataset_fingerprint == first.dataset_fingerprint
    newer = register(shop.tracker, shop.packages["2"], **identity(other))
    with pytest.raises(ModelError, match="horizon_days"):
        score(spark, other, shop.tracker, DATE, model=newer)
    assert score(spark, other, shop.tracker, DATE, newer, refresh=True).model_version == newer


@pytest.mark.slow
def test_a_version_that_does_not_say_its_data_set_scores_with_a_warning(spark, shop, fresh, capsys):
    score(spark, fresh(), shop.tracker, DATE)
    assert "version 1 has no record of the data it was trained on" in capsys.readouterr().err


@pytest.mark.slow
def test_a_category_that_became_a_number_is_refused(spark, shop, fresh):
    written = fresh().model_dump(mode="json")
    written["dataset"]["features"]["categorical"].remove("weekday")
    written["dataset"]["features"]["numeric"]["weekday"] = {}
    with pytest.raises(ModelError, match="data set changed in weekday"):
        score(spark, config_from(written), shop.tracker, DATE)


@pytest.mark.slow
def test_a_date_of_another_model_name_is_not_scored_by_its_number(spark, shop, fresh):
    score(spark, fresh(), shop.tracker, DATE)
    other = fresh(tracking={"model_name": "other", "uri": shop.tracker.uri})
    with pytest.raises(ModelError, match="--model champion"):
        score(spark, other, Tracker(other), DATE)


@pytest.mark.parametrize("model", [{"name": "two_stage", "tower": [8]}, {"name": "mdme"}])
def test_a_baseline_predicts_in_spark_what_it_predicts_at_hand(spark, shop, tmp_path, model):
    package = write_package(shop.schema, tmp_path / "package", 3, **model)
    samples = spark.read.parquet(str(shop.table.samples_path("test")))
    scored = predict(samples, package, (0.5,), 64, keep=["customer"]).toPandas()
    assert len(scored) == samples.count()
    assert scored[["mu", "sigma", "selected_sdn", "q50", "interval_high"]].isna().all(axis=None)
    raw = samples.toPandas().set_index("customer").loc[scored["customer"]]
    expected = load_predictor(package).predict(raw.reset_index())
    np.testing.assert_allclose(scored["predicted_cltv"], expected["predicted_cltv"], rtol=1e-5)
    np.testing.assert_allclose(scored["p"], expected["p"], rtol=1e-5)
