import datetime as dt

import pandas as pd
import pytest
from registered import register, write_package
from shop import monthly, transactions

from optdist.tracking import CHAMPION, Tracker
from pipelines.features.build import build_features
from pipelines.prediction import predict
from pipelines.scoring.pipeline import score


@pytest.fixture(scope="module")
def shop(spark, tmp_path_factory):
    """The made-up shop with monthly snapshots, its feature table and a registered champion."""
    folder = tmp_path_factory.mktemp("snapshot_scoring")
    raw = transactions(250)
    raw.to_csv(folder / "sales.csv", index=False)
    numeric = ["sales_all", "sales_60d", "spend_60d", "recency_all"]
    gate = {"enabled": False}  # the scored dates lie half a year apart
    made = monthly(folder / "root", folder / "sales.csv", numeric, gate=gate)
    table, tracker = build_features(spark, made), Tracker(made)
    package = write_package(table.schema, folder / "model")
    tracker.set_alias(CHAMPION, register(tracker, package))
    return made, raw, table, tracker, package


@pytest.mark.slow
def test_every_day_the_whole_base_is_scored_one_row_a_customer(spark, shop):
    made, raw, _, tracker, _ = shop
    days = [dt.date(2024, 4, 30), dt.date(2024, 12, 20)]
    done = [score(spark, made, tracker, day) for day in days]
    rows = spark.read.parquet(str(made.layout.scores.path)).toPandas()
    assert (rows["snapshot_date"] == rows["run_date"] + pd.Timedelta(1, "D")).all()
    for day, one in zip(days, done, strict=True):
        known = raw[raw["day"] <= str(day)]["customer"].nunique()
        of_day = rows[rows["run_date"] == day]
        assert one.rows == len(of_day) == of_day["customer"].nunique() == known


@pytest.mark.slow
def test_a_days_scores_are_the_predictions_of_the_next_days_training_snapshot(spark, shop):
    made, _, table, tracker, package = shop
    scored = spark.read.parquet(score(spark, made, tracker, dt.date(2024, 4, 30)).path).toPandas()
    samples = spark.read.parquet(str(table.path / "samples")).where("snapshot_date = '2024-05-01'")
    trained = predict(samples, package, (), 1000, keep=["customer"]).toPandas()
    by_customer = [
        f.set_index("customer")["predicted_cltv"].sort_index() for f in (scored, trained)
    ]
    assert len(trained) > 50 and trained["predicted_cltv"].nunique() > 20
    pd.testing.assert_series_equal(*by_customer, check_index_type=False, rtol=1e-6)
