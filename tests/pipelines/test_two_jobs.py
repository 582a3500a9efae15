"""Two jobs that would write the same folder: the second one is refused."""

import datetime as dt

import pytest
from holding import held
from registered import built_shop, register, write_package

from optdist.data.feature_table import FeatureTable
from optdist.errors import BusyError
from optdist.tracking import CHAMPION
from pipelines.features import build as features
from pipelines.features.build import build_features
from pipelines.scoring.pipeline import score
from pipelines.training.pipeline import run_training, training_plan

DATE = dt.date(2024, 12, 20)


@pytest.fixture(scope="module")
def shop(spark, tmp_path_factory):
    folder = tmp_path_factory.mktemp("two_jobs")
    made, table, tracker = built_shop(spark, folder)
    package = write_package(table.schema, folder / "package", inference="hard")
    tracker.set_alias(CHAMPION, register(tracker, package))
    return made, table, tracker


def test_features_that_another_job_builds_are_left_to_it(spark, shop):
    made, table, _ = shop
    manifest = table.path / "manifest.json"
    text = manifest.read_text()
    manifest.unlink()
    with held(table.path), pytest.raises(BusyError, match=r"process \d+, since"):
        build_features(spark, made)
    assert (table.path / "schema.json").exists()  # the build in progress is whole
    manifest.write_text(text)
    with held(table.path):
        assert build_features(spark, made).path == table.path  # a finished table needs no lock


def test_a_table_that_was_finished_while_the_lock_was_taken_is_used(spark, shop, monkeypatch):
    made, table, _ = shop
    manifest, real = table.path / "manifest.json", features.locked
    text = manifest.read_text()
    manifest.unlink()

    def late(path):
        manifest.write_text(text)
        return real(path)

    monkeypatch.setattr(features, "locked", late)
    before = (table.path / "schema.json").stat().st_mtime_ns
    assert build_features(spark, made).path == table.path
    assert (table.path / "schema.json").stat().st_mtime_ns == before


def test_a_run_that_another_job_trains_is_left_to_it(spark, shop):
    made, table, tracker = shop
    plan = training_plan(made, FeatureTable.open(table.path))
    before = len(tracker.client.search_runs([tracker.experiment_id]))
    with held(plan.path), pytest.raises(BusyError, match="unfinished-shop"):
        run_training(spark, made)
    assert len(tracker.client.search_runs([tracker.experiment_id])) == before
    assert not plan.path.exists()


@pytest.mark.slow
def test_a_date_that_another_job_scores_is_left_to_it(spark, shop):
    made, _, tracker = shop
    home = made.layout.scores.path
    with held(made.layout.scores.date(DATE)):
        with pytest.raises(BusyError, match=f"run_date={DATE}"):
            score(spark, made, tracker, DATE)
        assert [path.name for path in home.iterdir()] == [f".run_date={DATE}.lock"]
        other = score(spark, made, tracker, dt.date(2024, 6, 30))
    rows = spark.read.parquet(str(home))
    assert rows.count() == other.rows
    assert score(spark, made, tracker, DATE).status == "published"
