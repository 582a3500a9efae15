"""A dry run finds all problems at once, estimates what the job takes, and writes nothing."""

import datetime as dt
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import yaml
from registered import register, write_package
from shop import config, transactions

from optdist.config import config_from, load_config
from optdist.tracking import CHAMPION, Tracker
from pipelines.drafting.request import Request
from pipelines.dry_run.drafts import dry_run_draft
from pipelines.dry_run.experiments import dry_run_experiment
from pipelines.dry_run.feature_job import dry_run_features
from pipelines.dry_run.jobs import (
    dry_run_cleaning,
    dry_run_promotion,
    dry_run_scoring,
    dry_run_training,
)
from pipelines.dry_run.report import OK, PROBLEM, SKIPPED
from pipelines.features.build import build_features
from pipelines.scoring.pipeline import score

DATE = dt.date(2024, 12, 18)


def tree(folder: Path):
    """Every file and folder with its size and time, so that any write shows."""
    paths = sorted(Path(folder).rglob("*")) if Path(folder).exists() else []
    return {
        str(path): (path.lstat().st_mtime_ns, path.is_file() and path.read_bytes())
        for path in paths
    }


def found(report, check, state=PROBLEM):
    return [line.sentence for line in report.lines if (line.check, line.state) == (check, state)]


@pytest.fixture(scope="module")
def raw(tmp_path_factory):
    path = tmp_path_factory.mktemp("raw") / "sales.csv"
    transactions(300).to_csv(path, index=False)
    return path


@pytest.fixture
def shop(tmp_path, raw):
    return config(tmp_path / "root", raw)


def changed(made, **source):
    """The shop with another source, as its YAML would have it."""
    sections = made.model_dump(mode="json", exclude_unset=True)
    sections["dataset"]["source"] |= source
    return config_from(sections)


def test_a_first_dry_run_counts_samples_and_makes_no_folder(spark, shop):
    report = dry_run_features(lambda: shop, None)
    assert report.problems == []
    assert not shop.root.exists()
    assert report.estimates["rows"] == "300 samples (counted)"
    [splits] = found(report, "splits", OK)
    assert splits.startswith("train ") and "validation" in splits and "positive" in splits
    assert set(report.estimates) == {"rows", "disk", "time"}
    assert str(report).endswith("no problem found")


def test_the_rows_of_a_dry_run_are_those_of_the_job(spark, shop):
    report = dry_run_features(lambda: shop, None)
    table = build_features(spark, shop)
    assert report.estimates["rows"] == f"{table.manifest.counts['samples']:,} samples (counted)"
    before = tree(shop.root)
    again = dry_run_training(lambda: shop, None)
    assert found(again, "feature table", OK) == [f"up to date, used again: {table.path}"]
    assert "training about" in again.estimates["time"]
    assert tree(shop.root) == before


def test_all_problems_of_expressions_joins_and_columns_are_found_at_once(spark, shop, tmp_path):
    (tmp_path / "cities.csv").write_text("city,people\nRome,3\n")
    tables = {
        "sales": shop.dataset.source.tables["sales"].model_dump(),
        "cities": {"path": str(tmp_path / "cities.csv"), "format": "csv"},
    }
    wrong = changed(
        shop,
        tables=tables,
        joins=[{"table": "cities", "by": ["town"]}],
        columns={"net": "amout * 2", "twice": "net * 2"},
        where="amuont > 0",
        amount="spend",
        attributes={"segment": "frist(segment)", "first_spend": "sum(amount)"},
        history=[
            {
                "key": ["segment"],
                "windows": {"30d": 30},
                "features": {"sales": "count(*)", "days_since": "min(days_befor)"},
            }
        ],
        sample_columns={"weekday": "dayofweek(frist_day)"},
    )
    report = dry_run_features(lambda: wrong, None)
    sentences = found(report, "expressions")
    for setting in (
        "join with cities",
        "column net",
        "where",
        "amount names columns that are not there: spend",
        "attributes",
        "history",
        "sample column weekday",
    ):
        assert sum(setting in sentence for sentence in sentences) == 1, (setting, sentences)
    assert not any("column twice" in sentence for sentence in sentences)
    assert len(sentences) == 7
    assert found(report, "values", SKIPPED)
    assert not wrong.root.exists()


def test_history_that_is_learned_and_joins_as_of_a_cut_are_looked_at(spark, shop, tmp_path):
    history = [
        *shop.dataset.source.model_dump(mode="json")["history"],
        {"kind": "auto", "key": ["segment"]},
    ]
    report = dry_run_features(lambda: changed(shop, history=history), None)
    assert report.problems == []
    assert any("history: auto makes" in line for line in found(report, "samples", OK))

    (tmp_path / "plans.csv").write_text("customer,since,plan\n1,2024-01-01,a\n")
    tables = {
        "sales": shop.dataset.source.tables["sales"].model_dump(),
        "plans": {"path": str(tmp_path / "plans.csv"), "format": "csv"},
    }
    joins = [{"table": "plans", "by": ["customer"], "valid_from": "from_day"}]
    wrong = changed(shop, tables=tables, joins=joins, sample_columns={"weekday": "frist_day"})
    sentences = found(dry_run_features(lambda: wrong, None), "expressions")
    assert len(sentences) == 2
    assert "plans" in sentences[0] and "from_day" in sentences[0]
    assert "sample column weekday" in sentences[1]


def test_unreadable_tables_are_all_named(spark, shop, tmp_path):
    (tmp_path / "cities.csv").write_text("")
    tables = {
        "sales": {"path": str(tmp_path / "sales.parquet")},
        "cities": {"path": str(tmp_path / "cities.csv"), "format": "csv"},
    }
    report = dry_run_features(lambda: changed(shop, tables=tables), None)
    assert "sales.parquet does not exist" in found(report, "table sales")[0]
    assert "cities.csv is empty" in found(report, "table cities")[0]


def test_settings_with_problems_are_one_line_each(tmp_path):
    path = tmp_path / "wrong.yaml"
    path.write_text(yaml.safe_dump({"name": "x", "id": ["a"], "training": {"epoch": 3}}))
    report = dry_run_training(lambda: load_config(path), None)
    assert len(found(report, "configuration")) > 2
    assert any("training.epoch is not a setting" in line for line in found(report, "configuration"))


def test_all_environment_variables_that_are_missing_are_named(tmp_path, monkeypatch):
    monkeypatch.delenv("NOT_SET_1", raising=False)
    path = tmp_path / "secret.yaml"
    table = {"path": "${env:NOT_SET_1}/x.csv", "options": {"password": "${env:NOT_SET_2}"}}
    path.write_text(yaml.safe_dump({"name": "x", "source": {"tables": {"t": table}}}))
    report = dry_run_features(lambda: load_config(path), None)
    [line] = found(report, "configuration")
    assert "NOT_SET_1" in line and "NOT_SET_2" in line


def test_windows_bad_rows_root_disk_and_ranks_are_looked_at(spark, shop, tmp_path):
    raw = pd.read_csv(shop.dataset.source.tables["sales"].path)
    raw.loc[: len(raw) // 20, "amount"] = None
    raw.to_csv(tmp_path / "bad.csv", index=False)
    table = {"sales": {"path": str(tmp_path / "bad.csv"), "format": "csv"}}
    bad = dry_run_features(lambda: changed(shop, tables=table), None)
    assert "unparsable amount" in found(bad, "bad rows")[0]

    late = {"start": "2030-01-01", "end": "2030-02-01"}
    report = dry_run_features(lambda: changed(shop, first_purchase=late), None)
    assert "2030-01-01 to 2030-02-01" in found(report, "splits")[0]

    (tmp_path / "file").write_text("")
    blocked = shop.model_copy(
        update={"paths": shop.paths.model_copy(update={"root": str(tmp_path / "file" / "root")})}
    )
    assert "is not a folder" in found(dry_run_features(lambda: blocked, None), "paths.root")[0]

    many = shop.model_copy(update={"training": shop.training.model_copy(update={"ranks": 6})})
    report = dry_run_training(lambda: many, None)
    assert "6 ranks need 6 task slots" in found(report, "training engine")[0]


def test_a_large_table_is_looked_at_in_part(spark, shop, tmp_path, monkeypatch):
    monkeypatch.setattr("pipelines.dry_run.tables.MOST_ROWS", 100)
    monkeypatch.setattr("pipelines.dry_run.tables.HEAD_ROWS", 200)
    report = dry_run_features(lambda: shop, None)
    assert report.problems == []
    assert "of its ids" in found(report, "sample", SKIPPED)[0]
    count = int(report.estimates["rows"].split("about ")[1].split()[0].replace(",", ""))
    assert 150 < count < 600  # there are 300
    assert any("label windows end by 2024-1" in s for s in found(report, "samples", OK))

    monkeypatch.setattr("pipelines.dry_run.tables.MOST_SCANNED", 0)
    report = dry_run_features(lambda: shop, None)
    assert report.problems == []
    assert "values are checked on the first of about 200" in found(report, "sample", SKIPPED)[0]
    assert "raw rows" in report.estimates["rows"]
    assert found(report, "windows", SKIPPED)

    frame = pd.read_csv(shop.dataset.source.tables["sales"].path)
    frame["day"] = pd.to_datetime(frame["day"])
    frame.to_parquet(tmp_path / "sales.parquet")
    parquet = changed(shop, tables={"sales": {"path": str(tmp_path / "sales.parquet")}})
    report = dry_run_features(lambda: parquet, None)
    [line] = found(report, "windows", OK)
    assert f"events are of {frame['day'].min():%Y-%m-%d} to {frame['day'].max():%Y-%m-%d}" in line
    late = {"start": "2030-01-01", "end": "2030-02-01"}
    report = dry_run_features(lambda: changed(parquet, first_purchase=late), None)
    assert "asks for 2030-01-01 to 2030-02-01" in found(report, "windows")[0]


@pytest.mark.parametrize("uri", ["http://127.0.0.1:9", "sqlite:////no/such/folder/mlflow.db"])
def test_a_registry_that_cannot_be_reached_is_a_problem_and_none_yet_is_not(shop, uri):
    there = shop.model_copy(update={"tracking": shop.tracking.model_copy(update={"uri": uri})})
    report = dry_run_cleaning(lambda: there, 30, delete=False)
    is_server = uri.startswith("http")
    assert bool(found(report, "registry")) == is_server
    assert bool(found(report, "registry", OK)) != is_server


def test_a_dry_run_of_a_draft_names_tables_that_cannot_be_read_and_writes_nothing(
    spark, raw, tmp_path
):
    missing, out = tmp_path / "no.csv", tmp_path / "draft.yaml"
    request = Request((str(raw), str(missing)))
    report = dry_run_draft(request, out, "local", [], force=False)
    assert found(report, f"table {raw}", OK)[0].startswith("csv, 4 columns, ")
    assert [line.check for line in report.problems] == [f"table {missing}"]
    assert not out.exists()
    out.write_text("mine")
    report = dry_run_draft(Request((str(raw),)), out, "local", [], force=False)
    assert [line.check for line in report.problems] == ["--out"]
    assert not dry_run_draft(Request((str(raw),)), out, "local", [], force=True).problems
    assert out.read_text() == "mine"


def test_the_feature_job_runs_dry_without_the_libraries_of_models():
    code = "import sys, pipelines.dry_run.feature_job; print('keras' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


@pytest.mark.slow
def test_dry_runs_of_all_jobs_leave_root_and_store_as_they_are(spark, shop, tmp_path):
    assert (
        "Train a model first"
        in found(dry_run_scoring(lambda: shop, DATE, None, refresh=False), "model")[0]
    )
    assert not shop.root.exists()

    table, tracker = build_features(spark, shop), Tracker(shop)
    package = write_package(table.schema, tmp_path / "package")
    version = register(tracker, package)
    before = tree(shop.root)
    report = dry_run_scoring(lambda: shop, DATE, None, refresh=False)
    assert "has no champion" in found(report, "model")[0]
    tracker.set_alias(CHAMPION, version)
    before = tree(shop.root)
    report = dry_run_scoring(lambda: shop, DATE, None, refresh=False)
    assert report.problems == [] and "300 samples" in report.estimates["rows"]
    assert (
        "8 days"
        in found(
            dry_run_scoring(lambda: shop, DATE + dt.timedelta(8), None, refresh=False),
            "newest event",
        )[0]
    )
    for keep, delete in ((1, False), (1, True)):
        assert not dry_run_cleaning(lambda: shop, keep, delete=delete).problems
    report = dry_run_promotion(lambda: shop, None, version, force=False)
    assert "champion already" in found(report, f"version {version}", OK)[0]
    assert tree(shop.root) == before

    score(spark, shop, tracker, DATE)
    before = tree(shop.root)
    report = dry_run_scoring(lambda: shop, DATE, None, refresh=False)
    assert "is published already" in found(report, "run date", OK)[0]
    assert "kept from the date's last run" in report.estimates["rows"]
    assert f"by the scores of {DATE}" in report.estimates["time"]
    assert tree(shop.root) == before


def test_a_dry_run_of_an_experiment_counts_its_cells(spark, shop, tmp_path, monkeypatch):
    frame = pd.DataFrame(
        {"customer": range(400), "city": ["a", "b"] * 200, "spend": 1.0, "label": [0.0, 2.0] * 200}
    )
    frame.to_parquet(tmp_path / "samples.parquet")
    source = {
        "kind": "samples",
        "tables": {"samples": {"path": str(tmp_path / "samples.parquet")}},
        "label": "label",
    }
    dataset = {
        "name": "made",
        "id": ["customer"],
        "split_key": ["customer"],
        "source": source,
        "features": {"categorical": ["city"], "numeric": ["spend"]},
    }
    (tmp_path / "made.yaml").write_text(yaml.safe_dump(dataset))
    experiment = {
        "datasets": {str(tmp_path / "made.yaml"): {}},
        "models": {"ZILN": {"model.name": "ziln"}},
        "seeds": [1, 2],
        "learning_rates": [1e-3],
    }
    (tmp_path / "small.yaml").write_text(yaml.safe_dump(experiment))
    overrides = [f"paths.root={tmp_path / 'root'}"]
    report = dry_run_experiment(
        str(tmp_path / "small.yaml"), "local", overrides, "*", report_only=False
    )
    assert report.problems == []
    assert found(report, "cells", OK)[0].startswith("2 to look at; 0 records")
    assert report.estimates["made: rows"] == "400 samples (counted)"
    assert not (tmp_path / "root").exists()
