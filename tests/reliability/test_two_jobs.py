"""Two jobs that would write the same folder: the second one is refused."""

import datetime as dt
import os
import shutil

import pytest
from holding import held
from quick import settings_of
from reliability_page import record, sentence
from standing_shop import DATE

from optdist.errors import BusyError
from pipelines.cleaning import leftovers, remove
from pipelines.features import build as features
from pipelines.features.build import build_features
from pipelines.scoring.pipeline import score
from pipelines.training.pipeline import run_training, training_plan

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def quick(spark):
    with settings_of(spark):
        yield


def refused(key, shop, error):
    record(key, f"Exit code 5: {sentence(error.value, shop.config.root)}", 0)


def test_features_that_another_job_builds_are_left_to_it(spark, shop):
    table = shop.table
    manifest = table.path / "manifest.json"
    text = manifest.read_text()
    manifest.unlink()
    with held(table.path), pytest.raises(BusyError, match=r"process \d+, since") as error:
        build_features(spark, shop.config)
    assert (table.path / "schema.json").exists()  # the build in progress is whole
    manifest.write_text(text)
    with held(table.path):
        # a finished table needs no lock
        assert build_features(spark, shop.config).path == table.path
    refused("two_builds", shop, error)


def test_a_table_that_was_finished_while_the_lock_was_taken_is_used(spark, shop, monkeypatch):
    table = shop.table
    manifest, real = table.path / "manifest.json", features.locked
    text = manifest.read_text()
    manifest.unlink()

    def late(path):
        manifest.write_text(text)
        return real(path)

    monkeypatch.setattr(features, "locked", late)
    before = (table.path / "schema.json").stat().st_mtime_ns
    assert build_features(spark, shop.config).path == table.path
    assert (table.path / "schema.json").stat().st_mtime_ns == before


def test_a_run_that_another_job_trains_is_left_to_it(spark, shop):
    tracker = shop.tracker
    plan = training_plan(shop.config, shop.table)
    before = len(tracker.client.search_runs([tracker.experiment_id]))
    with held(plan.path), pytest.raises(BusyError, match="unfinished-shop") as error:
        run_training(spark, shop.config)
    assert len(tracker.client.search_runs([tracker.experiment_id])) == before
    assert not plan.path.exists()
    refused("two_trainings", shop, error)


def test_a_date_that_another_job_scores_is_left_to_it(spark, shop):
    shop.forget_scores()
    home = shop.config.layout.scores.path
    with held(shop.published):
        with pytest.raises(BusyError, match=f"run_date={DATE}") as error:
            score(spark, shop.config, shop.tracker, DATE)
        assert [path.name for path in home.iterdir()] == [f".run_date={DATE}.lock"]
        other = score(spark, shop.config, shop.tracker, dt.date(2024, 6, 30))
    rows = spark.read.parquet(str(home))
    assert rows.count() == other.rows
    assert score(spark, shop.config, shop.tracker, DATE).status == "published"
    refused("two_scorings", shop, error)


def test_cleaning_leaves_what_a_training_job_uses(spark, shop):
    layout, plan = shop.config.layout, training_plan(shop.config, shop.table)
    useless = layout.feature_table("0123abcd")
    for folder in (plan.path, useless):
        folder.mkdir(parents=True)
        (folder / "part").touch()
    for folder in (plan.path, useless, shop.table.path):
        for path in (folder, *folder.rglob("*")):
            os.utime(path, (0, 0))
    with held(plan.path):
        assert build_features(spark, shop.config).path == shop.table.path  # as training begins
        for leftover in leftovers(layout, shop.tracker, keep_days=1):
            assert remove(leftover, keep_days=1) == (leftover.path != plan.path)
    assert shop.table.path.exists() and plan.path.exists() and not useless.exists()
    shutil.rmtree(plan.path)
    text = "Its features, its folder with the checkpoint, and what was written lately stay."
    record("cleaned_while_training", text, 0)
