"""Features and scores of a Delta table, which grows between runs."""

import datetime as dt
import json

import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake
from registered import register, write_package
from shop import config, transactions

from optdist.config import config_from
from optdist.config.identity import identity
from optdist.tracking import CHAMPION, Tracker
from pipelines.features.build import build_features, finished_features
from pipelines.scoring.pipeline import score

DATE = dt.date(2024, 12, 20)


@pytest.fixture
def sales(tmp_path):
    path = tmp_path / "sales"
    write_deltalake(path, pa.Table.from_pandas(transactions(300)))
    DeltaTable(path).delete("customer < 10")
    return path


def shop(folder, sales, **settings):
    written = config(folder, sales).model_dump(mode="json", exclude_defaults=True)
    table = {"path": str(sales), "format": "delta", **settings}
    written["dataset"]["source"]["tables"]["sales"] = table
    return config_from(written)


def test_a_run_records_the_version_and_a_rerun_reads_it_again(spark, tmp_path, sales, capsys):
    made = shop(tmp_path / "root", sales)
    first = build_features(spark, made)
    assert first.manifest.versions == {"sales": 1}
    assert "sales: version 1 of the Delta table" in capsys.readouterr().out
    tracker = Tracker(made)
    with tracker.run("made") as run:
        run.log_table(first.manifest)
    assert tracker.client.get_run(run.run_id).data.params["data.version.sales"] == "1"
    DeltaTable(sales).delete("customer < 50")
    newer = build_features(spark, made)
    assert newer.manifest.versions == {"sales": 2}
    assert newer.manifest.counts["samples"] < first.manifest.counts["samples"]
    again = shop(tmp_path / "root", sales, version=1)
    assert build_features(spark, again).path == first.path
    assert finished_features(again).path == first.path
    assert identity(again) == identity(made)
    (first.path / "manifest.json").unlink()
    rebuilt = build_features(spark, again)
    assert rebuilt.manifest.counts == first.manifest.counts


def test_scores_record_the_version_that_was_read(spark, tmp_path, sales):
    made = shop(tmp_path / "root", sales)
    table, tracker = build_features(spark, made), Tracker(made)
    package = write_package(table.schema, tmp_path / "package", inference="hard")
    tracker.set_alias(CHAMPION, register(tracker, package, **identity(made)))
    first = score(spark, made, tracker, DATE)
    assert first.versions == {"sales": 1}
    manifest = json.loads(made.layout.scores.manifest_copy(str(DATE)).read_text())
    assert manifest["versions"] == {"sales": 1}
    DeltaTable(sales).delete("customer < 50")
    again = score(spark, made, tracker, DATE)
    assert (again.versions, again.rows) == (first.versions, first.rows)
    assert again.source_fingerprint != first.source_fingerprint
    refreshed = score(spark, made, tracker, DATE, refresh=True)
    assert refreshed.versions == {"sales": 2}
    assert refreshed.rows < first.rows
