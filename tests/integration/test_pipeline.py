"""The whole chain on a slice of the real data: features, two ranks, registry, scores."""

import datetime as dt
import json

import numpy as np
import pandas as pd
import pytest

from optdist.config import HorovodConfig, load_config
from optdist.errors import DataError, ModelError, TrainingError
from optdist.tracking import CHALLENGER, CHAMPION, Tracker
from optdist.tracking.logged_model import synthetic_rows
from pipelines.prediction import predict
from pipelines.registry.promotion import promote
from pipelines.scoring.pipeline import score
from pipelines.training.pipeline import run_training, summary, training_plan
from pipelines.training.spark_launcher import SparkHorovod

pytestmark = [pytest.mark.slow, pytest.mark.integration]

WHERE = "sales_value > 0 AND manufacturer_id IS NOT NULL AND household_id % 25 = 1"
RUN_DATE = dt.date(2017, 12, 31)


def configured(root, *overrides):
    return load_config(
        overrides=[
            f"paths.root={root}",
            f'dataset.source.where="{WHERE}"',
            "build.min_row_groups=6",
            "training.epochs=3",
            "training.batch_size=512",
            "training.learning_rate=5e-3",
            "model.sdn=[32,16]",
            "promotion.gates.normalized_gini.min=0.0",
            "promotion.gates.total_ratio.min=0.1",
            "promotion.gates.total_ratio.max=10",
            *overrides,
        ]
    )


@pytest.fixture(scope="module")
def trained(spark, tmp_path_factory):
    config = configured(tmp_path_factory.mktemp("artifacts"))
    return config, run_training(spark, config), Tracker(config)


def test_the_run_is_in_mlflow_with_config_data_metrics_plots_and_model(trained):
    config, report, tracker = trained
    run = tracker.client.get_run(report.run_id)
    assert run.info.status == "FINISHED"
    assert run.data.params["model.num_sdns"] == "4"
    assert run.data.params["data.fingerprint"] == report.table.rsplit("/", 1)[-1]
    test = report.result.test["soft"]
    assert run.data.metrics["test_normalized_gini"] == test["normalized_gini"]
    assert len(tracker.client.get_metric_history(report.run_id, "val_normalized_gini")) == 3
    artifacts = {item.path for item in tracker.client.list_artifacts(report.run_id)}
    plots = {item.path for item in tracker.client.list_artifacts(report.run_id, "plots")}
    logged = {"config.yaml", "data_manifest.yaml", "history.sql", "plots", "report.html"}
    assert logged <= artifacts
    assert plots == {
        f"plots/{name}.png" for name in ("training_curves", "sdn_shares", "deciles", "sdn_boxplots")
    }
    assert "Norm-GINI" in summary(report)


def test_the_first_version_is_challenger_and_champion_with_a_reason(trained):
    config, report, tracker = trained
    assert tracker.resolve(CHALLENGER) == tracker.resolve(CHAMPION) == report.version
    version = tracker.client.get_model_version(config.model_name, report.version)
    assert version.tags["promotion_reason"] == "promoted: first champion, all gates passed"


def test_training_and_scoring_predict_the_same_for_the_same_rows(spark, trained):
    config, report, tracker = trained
    package = tracker.package(report.version)
    samples = spark.read.parquet(f"{report.table}/samples/split=test")

    scored = predict(samples, package, (), 1000).toPandas().set_index("row_key")
    with np.load(f"{report.run_folder}/test_predictions.npz") as rows:
        by_training = pd.Series(rows["predicted_soft"], rows["row_key"])
    assert len(scored) == len(by_training)
    np.testing.assert_allclose(
        scored.loc[by_training.index, "predicted_cltv"], by_training, rtol=1e-4
    )


def test_the_logged_model_scores_raw_rows_by_its_uri(trained):
    import mlflow

    config, report, tracker = trained
    model = mlflow.pyfunc.load_model(f"models:/{config.model_name}@{CHAMPION}")
    schema = model.unwrap_python_model().predictor.schema
    rows = synthetic_rows(schema)
    found = model.predict(rows)
    assert (found["predicted_cltv"] >= 0).all()
    example = json.dumps(rows.to_dict("records"), default=str)
    assert "household" not in example.replace("household_size", "").replace("household_comp", "")


def test_scores_are_published_whole_and_a_rerun_gives_the_same_rows(spark, trained):
    config, report, tracker = trained
    done = score(spark, config, tracker, RUN_DATE)
    first = spark.read.parquet(done.path).toPandas()
    assert done.status == "published"
    assert done.rows == len(first) == len(first.drop_duplicates(config.dataset.id))
    assert {"predicted_cltv", "p", "mu", "sigma", "selected_sdn", "selected_probability"} <= set(
        first.columns
    )
    assert set(first["model_version"]) == {report.version}
    assert set(first["inference"]) == {"soft"}
    whole = spark.read.parquet(str(config.root / "scores" / config.dataset.name))
    assert whole.where(f"run_date = '{RUN_DATE}'").count() == done.rows  # a partition by date
    keys = config.dataset.id
    again = spark.read.parquet(score(spark, config, tracker, RUN_DATE).path).toPandas()
    pd.testing.assert_frame_equal(
        first.sort_values(keys, ignore_index=True), again.sort_values(keys, ignore_index=True)
    )


def test_a_worse_challenger_does_not_become_champion(spark, trained):
    config, report, tracker = trained
    from optdist.data.feature_table import FeatureTable

    version = tracker.register(f"models:/{config.model_name}/{report.version}", report.run_id, {})
    decision = promote(spark, config, tracker, FeatureTable.open(report.table), version)
    assert not decision.promoted  # the same model again: no gain
    assert tracker.resolve(CHALLENGER) == version
    assert tracker.resolve(CHAMPION) == report.version
    pinned = score(spark, config, tracker, RUN_DATE)
    assert pinned.model_version == report.version
    assert score(spark, config, tracker, RUN_DATE, model=version).model_version == version


def test_an_unknown_model_says_to_train_first(spark, trained):
    config, _, tracker = trained
    with pytest.raises(ModelError, match=r"jobs/train\.py"):
        score(spark, config, tracker, RUN_DATE, model="nobody")


def test_ranks_without_slots_are_refused_at_once(spark, trained):
    config, report, _ = trained
    from optdist.data.feature_table import FeatureTable

    many = config.model_copy(update={"training": config.training.model_copy(update={"ranks": 5})})
    plan = training_plan(many, FeatureTable.open(report.table))
    with pytest.raises(TrainingError, match=r"--master 'local\[5\]'"):
        SparkHorovod(spark, HorovodConfig()).launch(plan, print)


def test_a_failing_rank_ends_the_run_with_its_reason(spark, trained):
    config, report, _ = trained
    from optdist.data.feature_table import FeatureTable

    plan = training_plan(config, FeatureTable.open(report.table))
    broken = plan.model_copy(update={"table_fingerprint": "another"})
    with pytest.raises((TrainingError, DataError), match="rebuilt since"):
        SparkHorovod(spark, HorovodConfig()).launch(broken, print)


def test_the_default_data_set_has_the_numbers_that_its_rules_give(spark):
    from pyspark.sql import functions as F

    from pipelines.features.samples import build_samples

    samples = build_samples(spark, load_config().dataset)
    row = samples.rows.agg(
        F.count("*").alias("n"), F.avg((F.col("label") > 0).cast("double")).alias("share")
    ).first()
    samples.release()
    assert row["n"] == 137_919
    assert round(100 * row["share"], 1) == 42.5
