"""Odd days: bad and missing rows, clocks and zones, jobs that meet each other."""

import datetime as dt
import os
import time
from contextlib import contextmanager

import pandas as pd
import pytest
from quick import settings_of
from reliability_page import record, sentence
from standing_shop import DATE, rows_of

from optdist.config import load_config
from optdist.errors import DataError
from optdist.tracking import CHAMPION
from pipelines.cleaning import leftovers
from pipelines.features.build import build_features
from pipelines.scoring import pipeline as scoring
from pipelines.scoring.pipeline import score

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def quick(spark):
    with settings_of(spark):
        yield


@pytest.fixture
def sales(shop):
    return pd.read_csv(shop.folder / "sales.csv", dtype=str)


def with_sales(shop, folder, rows):
    """The shop's settings with another file of sales and scores of its own."""
    rows.to_csv(folder / "sales.csv", index=False)
    paths = [f"dataset.source.tables.sales.path={folder / 'sales.csv'}"]
    paths += [f"paths.root={folder / 'root'}"]
    paths += [f"tracking.uri=sqlite:///{shop.config.root / 'mlflow.db'}"]
    return load_config(shop.file, overrides=paths)


def refused(spark, shop, config, folder, day=DATE):
    started = time.monotonic()
    with pytest.raises(DataError) as error:
        score(spark, config, shop.tracker, day, "1")
    assert not config.layout.scores.date(day).exists()
    return f"Exit code 3: {sentence(error.value, folder)}", time.monotonic() - started


def test_some_bad_rows_are_quarantined_and_all_of_them_are_refused(spark, shop, sales, tmp_path):
    some = sales.copy()
    some.loc[:: len(sales) // 4, "amount"] = "12,5x"
    bad = int((some["amount"] == "12,5x").sum())
    assert 0 < bad / len(sales) < 0.01
    done = score(spark, with_sales(shop, tmp_path, some), shop.tracker, DATE, "1")
    assert sum(done.quarantined.values()) == bad
    record("bad_rows_few", "They are quarantined and counted; the others are scored.", 0)
    sales["amount"] = "12,5x"
    text, seconds = refused(spark, shop, with_sales(shop, tmp_path, sales), tmp_path, next_day(1))
    record("bad_rows_all", text, seconds)


def test_a_header_alone_is_refused(spark, shop, sales, tmp_path):
    config = with_sales(shop, tmp_path, sales.head(0))
    text, seconds = refused(spark, shop, config, tmp_path)
    record("header_alone", text, seconds)
    with pytest.raises(DataError):
        build_features(spark, config)


def test_days_without_events_are_scored_and_many_of_them_are_refused(spark, shop, sales, tmp_path):
    config = with_sales(shop, tmp_path, sales)
    last = dt.date.fromisoformat(sales["day"].max())
    done = score(spark, config, shop.tracker, last + dt.timedelta(1), "1")
    assert done.last_event == str(last) and done.rows > 0
    text, seconds = refused(spark, shop, config, tmp_path, last + dt.timedelta(30))
    record("empty_day", f"It is scored; of a month of them, {text[0].lower()}{text[1:]}", seconds)


def next_day(days):
    return DATE + dt.timedelta(days)


def test_a_version_promoted_while_a_date_is_scored_counts_from_the_next_date(
    spark, shop, monkeypatch
):
    shop.forget_scores()
    shop.tracker.set_alias(CHAMPION, "1")
    real = scoring.stage_scores

    def promoting(*args, **named):
        shop.tracker.set_alias(CHAMPION, "2")
        return real(*args, **named)

    try:
        monkeypatch.setattr(scoring, "stage_scores", promoting)
        done = score(spark, shop.config, shop.tracker, DATE)
        assert done.model_version == "1"
        assert rows_of(shop.published).equals(shop.scores["1"])
        monkeypatch.undo()
        assert score(spark, shop.config, shop.tracker, next_day(1)).model_version == "2"
    finally:
        shop.tracker.set_alias(CHAMPION, "1")
    record("promoted_while_scoring", "All rows of the date are of the version before.", 0)


@contextmanager
def zone(spark, name):
    """Another time zone of Python, of Java and of Spark's session."""
    java, before = spark._jvm.java.util.TimeZone, os.environ.get("TZ")
    default = java.getDefault()
    os.environ["TZ"] = name
    time.tzset()
    java.setDefault(java.getTimeZone(name))
    try:
        yield
    finally:
        java.setDefault(default)
        os.environ.pop("TZ") if before is None else os.environ.update(TZ=before)
        time.tzset()


@pytest.mark.parametrize("name", ["Pacific/Kiritimati", "America/Havana"])
def test_another_time_zone_of_the_machine_changes_no_row(spark, shop, name):
    shop.forget_scores()
    with zone(spark, name):
        score(spark, shop.config, shop.tracker, DATE, "1")
        assert build_features(spark, shop.config).path == shop.table.path
    assert rows_of(shop.published).equals(shop.scores["1"])
    record("time_zone", "The same features and the same rows.", 0)


def test_the_night_in_which_clocks_change_is_a_day_like_others(spark, shop):
    frames = []
    for session, machine in [("UTC", "UTC"), ("Europe/Berlin", "Europe/Berlin")]:
        shop.forget_scores()
        with settings_of(spark, **{"spark.sql.session.timeZone": session}), zone(spark, machine):
            for day in (dt.date(2024, 3, 30), dt.date(2024, 3, 31)):
                score(spark, shop.config, shop.tracker, day, "1")
                frames.append(rows_of(shop.config.layout.scores.date(day)))
    assert frames[0].equals(frames[2]) and frames[1].equals(frames[3])
    record("clock_change", "The rows of that day are the same as in UTC.", 0)


def test_a_clock_that_was_set_back_makes_files_of_the_future_and_loses_none(spark, shop):
    shop.forget_scores()
    score(spark, shop.config, shop.tracker, DATE, "1")
    ahead = time.time() + 400 * 86_400
    paths = [shop.config.root, *shop.config.root.rglob("*")]
    before = {path: path.stat() for path in paths}
    try:
        for path in paths:
            os.utime(path, (ahead, ahead))
        assert leftovers(shop.config.layout, shop.tracker, keep_days=1) == []
        assert build_features(spark, shop.config).path == shop.table.path
        score(spark, shop.config, shop.tracker, DATE)
        assert rows_of(shop.published).equals(shop.scores["1"])
    finally:
        for path, status in before.items():
            if path.exists():
                os.utime(path, (status.st_atime, status.st_mtime))
    record("clock_set_back", "Files of the future are used, and not cleaned.", 0)
