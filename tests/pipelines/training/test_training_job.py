import datetime as dt
from pathlib import Path

import pytest
from shop import config, transactions

from optdist.config.identity import identity
from optdist.tracking import CHAMPION, Tracker
from optdist.training import Registration, RunFolder
from pipelines.training import pipeline as training
from pipelines.training.pipeline import registered_before, run_training, summary
from pipelines.training.spark_launcher import SparkHorovod

AS_OF = dt.date(2024, 12, 1)


@pytest.fixture(scope="module")
def trained(spark, tmp_path_factory):
    folder = tmp_path_factory.mktemp("training")
    transactions(300).to_csv(folder / "sales.csv", index=False)
    made = config(
        folder / "root",
        folder / "sales.csv",
        training={"epochs": 1, "batch_size": 128, "ranks": 1, "seed": 3},
    )
    return made, Tracker(made), run_training(spark, made, AS_OF)


@pytest.mark.slow
def test_a_run_and_its_version_say_what_they_are_of(trained):
    made, tracker, report = trained
    run = tracker.client.get_run(report.run_id)
    assert run.info.run_name == "shop optdist seed3"
    expected = {"dataset": "shop", "model": "optdist", "as_of": "2024-12-01"} | identity(made)
    assert expected.items() <= run.data.tags.items()
    assert "optdist_version" in run.data.tags

    tags = tracker.tags(tracker.resolve(CHAMPION))
    assert identity(made).items() <= tags.items()
    test = report.result.test_metrics
    assert tags["test_mae"] == f"{test['mae']:.4f}"
    assert {"test_normalized_gini", "test_spearman", "test_total_ratio"} <= tags.keys()


@pytest.mark.slow
def test_the_data_report_is_logged_and_its_path_is_printed(trained, tmp_path):
    _, tracker, report = trained
    assert f"data report {report.data_report}" in summary(report)
    logged = tracker.client.download_artifacts(report.run_id, "report.html", str(tmp_path))
    assert Path(logged).read_text() == Path(report.data_report).read_text()


@pytest.mark.slow
def test_a_retry_after_a_failed_promotion_trains_and_registers_nothing_anew(
    spark, trained, monkeypatch
):
    made, tracker, report = trained

    def fail(*_):
        raise ConnectionError("the registry is down")

    with monkeypatch.context() as patch, pytest.raises(ConnectionError):
        patch.setattr(training, "promote", fail)
        run_training(spark, made, AS_OF)
    [failed] = tracker.client.search_runs([tracker.experiment_id], max_results=1)
    assert failed.info.status == "FAILED"
    version = str(int(report.version) + 1)

    with monkeypatch.context() as patch:
        patch.setattr(SparkHorovod, "launch", fail)
        again = run_training(spark, made, AS_OF)
    assert (again.version, again.run_id) == (version, failed.info.run_id)
    assert tracker.client.get_run(again.run_id).info.status == "FINISHED"
    assert tracker.find(str(int(version) + 1)) is None
    assert "against" in again.decision and again.result.test == report.result.test

    with monkeypatch.context() as patch, pytest.raises(ConnectionError):
        patch.setattr(SparkHorovod, "launch", fail)
        run_training(spark, made, AS_OF)  # it has ended, so the next start trains anew


@pytest.mark.slow
def test_a_version_of_another_registry_is_not_gone_on_with(trained, tmp_path):
    _, tracker, report = trained
    folder = RunFolder(tmp_path)
    assert registered_before(tracker, folder) is None
    earlier = Registration(run_id=report.run_id, version=report.version)
    folder.write_registration(earlier)
    assert registered_before(tracker, folder) == earlier
    folder.write_registration(earlier.model_copy(update={"run_id": "another"}))
    assert registered_before(tracker, folder) is None
    folder.write_registration(earlier.model_copy(update={"version": "77"}))
    assert registered_before(tracker, folder) is None
