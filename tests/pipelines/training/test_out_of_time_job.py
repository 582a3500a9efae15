"""A training job that holds out the newest dates, from raw rows to the promotion."""

import datetime as dt
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from shop import config, transactions

from optdist.data.feature_table import EVERY_SPLIT, FeatureTable
from optdist.evaluation.metrics import evaluate
from optdist.tracking import CHAMPION, OUT_OF_TIME_FROM, Tracker
from optdist.training import RunFolder
from pipelines.registry.promotion import promote
from pipelines.training.pipeline import run_training, summary

pytestmark = pytest.mark.slow
HORIZON = 40


@pytest.fixture(scope="module")
def trained(spark, tmp_path_factory):
    folder = tmp_path_factory.mktemp("late")
    transactions(900).to_csv(folder / "sales.csv", index=False)
    made = config(
        folder / "root",
        folder / "sales.csv",
        split={"by": "time", "newest": 0.2},
        training={"epochs": 1, "batch_size": 256, "ranks": 1, "engine": "one_process"},
        promotion={
            "split": "out_of_time",
            "min_rows": 20,
            "gates": {"total_ratio": {"min": 0.0, "max": 1e6}},
            "out_of_time_gates": {"coverage": {"min": 0.0}},
        },
    )
    source = made.dataset.source.model_copy(update={"horizon_days": HORIZON})
    update = {"source": source, "description": "<b>spend</b> of a shop"}
    made = made.model_copy(update={"dataset": made.dataset.model_copy(update=update)})
    return made, Tracker(made), run_training(spark, made)


@pytest.fixture(scope="module")
def table(trained):
    return FeatureTable.open(trained[2].table)


def test_no_label_of_the_other_splits_reaches_into_the_newest_dates(table):
    start = pd.Timestamp(table.manifest.out_of_time_from)
    rows = {split: pd.read_parquet(table.samples_path(split)) for split in EVERY_SPLIT}
    for split, frame in rows.items():
        assert len(frame) == table.manifest.counts[split] > 0
        day = pd.to_datetime(frame["first_day"])
        if split == "out_of_time":
            assert day.min() == start
        else:
            assert (day + dt.timedelta(HORIZON)).max() < start
    counts = table.manifest.counts
    assert counts["gap"] > 0
    assert sum(counts[split] for split in EVERY_SPLIT) == counts["samples"]
    assert len(rows["out_of_time"]) >= 0.2 * (counts["samples"] + counts["gap"])


def test_both_figures_are_in_the_run_the_version_and_the_summary(trained, table):
    made, tracker, report = trained
    run = tracker.client.get_run(report.run_id)
    late = RunFolder(Path(report.run_folder)).predictions("out_of_time")
    expected = evaluate(late["label"], late["predicted_soft"], table.schema.label)
    assert run.data.metrics["out_of_time_mae"] == pytest.approx(expected["mae"])
    assert run.data.metrics["test_mae"] == report.result.test_metrics["mae"]
    assert report.result.out_of_time_metrics["mae"] == run.data.metrics["out_of_time_mae"]
    tags = tracker.tags(report.version)
    assert tags[OUT_OF_TIME_FROM] == table.manifest.out_of_time_from
    assert float(tags["out_of_time_mae"]) == pytest.approx(expected["mae"], abs=1e-3)
    assert "out of time" in summary(report)
    contexts = {one.tags[0].value for one in run.inputs.dataset_inputs}
    assert contexts == {"training", "validation", "test", "out_of_time"}


def test_the_data_report_has_the_newest_dates_as_a_split(table):
    report = json.loads(table.report.read_text())
    assert report["splits"]["out_of_time"]["rows"] == table.manifest.counts["out_of_time"]
    assert np.isclose(sum(report["splits"]["out_of_time"]["histogram"]),
                      table.manifest.counts["out_of_time"])  # fmt: skip


def test_the_rule_decides_by_the_newest_dates(spark, trained, table):
    made, tracker, report = trained
    assert report.decision == "promoted: first champion, all gates passed"
    gates = json.loads(tracker.tags(report.version)["promotion_gates"])
    assert [gate["title"] for gate in gates] == [
        "number of rows of out_of_time",
        "total ratio",
        "out-of-time coverage",
    ]
    assert gates[0]["value"] == table.manifest.counts["out_of_time"]
    again = tracker.register(
        f"models:/{made.model_name}/{report.version}",
        report.run_id,
        {OUT_OF_TIME_FROM: table.manifest.out_of_time_from},
    )
    decision = promote(spark, made, tracker, table, again)
    assert not decision.promoted and "gain +0.0000" in decision.reason
    assert tracker.resolve(CHAMPION) == report.version


def test_the_model_card_has_both_figures_data_calibration_and_the_decision(trained, table):
    made, tracker, report = trained
    page = Path(report.model_card).read_text()
    late, manifest = report.result.out_of_time_metrics, table.manifest
    for expected in (
        f"Model card: optdist-shop version {report.version}",
        "promoted: first champion, all gates passed",
        "<th>out of time</th>",
        f"{late['normalized_gini']:.4f}",
        f"{report.result.test_metrics['normalized_gini']:.4f}",
        manifest.fingerprint,
        manifest.out_of_time_from,
        "Metrics over time",
        "SDN 0",
        "&lt;b&gt;spend&lt;/b&gt;",  # the description
        tracker.package(report.version).digest,
    ):
        assert expected in page, expected
    assert "<script" not in page and "http" not in page  # nothing is loaded from elsewhere
    names = {item.path for item in tracker.client.list_artifacts(report.run_id)}
    assert "model_card.html" in names
    assert report.model_card in summary(report)
